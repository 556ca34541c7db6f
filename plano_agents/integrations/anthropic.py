"""`Anthropic` and `AsyncAnthropic`: the SDK's clients, for a router, with the affinity id on every request.

They take what the SDK's take. Anthropic's environment variables are not read: a router's key is not an Anthropic key.
"""

import anthropic

from plano_agents.integrations.sdk_clients import AsyncAffinityClient, SyncAffinityClient


class Anthropic(SyncAffinityClient, anthropic.Anthropic):
    """The Anthropic SDK's client, behind a router, one model per affinity id.

    Args:
        base_url: The router's address, with or without ``/v1``; else ``PLANO_BASE_URL``, else
            ``http://127.0.0.1:12000``.
        api_key: The router's client key; else ``PLANO_API_KEY``, else a placeholder.
        affinity_id: The id of requests that name none themselves; else the scope's that they are sent in.
        options: What else `anthropic.Anthropic` takes.

    Raises:
        ValueError: ``base_url`` is not an address.
        InvalidAffinityIdError: ``affinity_id`` breaks the id rules.

    Example:
        >>> from plano_agents import model_affinity
        >>> from plano_agents.anthropic import Anthropic
        >>> client = Anthropic()
        >>> with model_affinity("run-anthropic"):
        ...     answer = client.messages.with_raw_response.create(
        ...         model="claude-sonnet-4-6", max_tokens=100, messages=[{"role": "user", "content": "hello"}]
        ...     )
        >>> answer.headers["X-Model-Affinity"]
        'run-anthropic'
    """

    _base_path = ""


class AsyncAnthropic(AsyncAffinityClient, anthropic.AsyncAnthropic):
    """The Anthropic SDK's asynchronous client, behind a router, one model per affinity id.

    A request carries the id of the scope that it is awaited in, or that its task was made in.

    Args:
        base_url: The router's address, with or without ``/v1``; else ``PLANO_BASE_URL``, else
            ``http://127.0.0.1:12000``.
        api_key: The router's client key; else ``PLANO_API_KEY``, else a placeholder.
        affinity_id: The id of requests that name none themselves; else the scope's that they are sent in.
        options: What else `anthropic.AsyncAnthropic` takes.

    Raises:
        ValueError: ``base_url`` is not an address.
        InvalidAffinityIdError: ``affinity_id`` breaks the id rules.

    Example:
        >>> import asyncio
        >>> from plano_agents import model_affinity
        >>> from plano_agents.anthropic import AsyncAnthropic
        >>> async def ask() -> str:
        ...     async with AsyncAnthropic() as client, model_affinity("run-async-anthropic"):
        ...         answer = await client.messages.with_raw_response.create(
        ...             model="claude-sonnet-4-6", max_tokens=100, messages=[{"role": "user", "content": "hello"}]
        ...         )
        ...     return answer.headers["X-Model-Affinity"]
        >>> asyncio.run(ask())
        'run-async-anthropic'
    """

    _base_path = ""
