"""`OpenAI` and `AsyncOpenAI`: the SDK's clients, for a router, with the affinity id on every request.

They take what the SDK's take. OpenAI's environment variables are not read: a router's key is not an OpenAI key.
"""

import openai

from plano_agents.integrations.sdk_clients import AsyncAffinityClient, SyncAffinityClient


class OpenAI(SyncAffinityClient, openai.OpenAI):
    """The OpenAI SDK's client, behind a router, one model per affinity id.

    Args:
        base_url: The router's address, with or without ``/v1``; else ``PLANO_BASE_URL``, else
            ``http://127.0.0.1:12000/v1``.
        api_key: The router's client key; else ``PLANO_API_KEY``, else a placeholder.
        affinity_id: The id of requests that name none themselves; else the scope's that they are sent in.
        options: What else `openai.OpenAI` takes.

    Raises:
        ValueError: ``base_url`` is not an address.
        InvalidAffinityIdError: ``affinity_id`` breaks the id rules.

    Example:
        >>> from plano_agents import model_affinity
        >>> from plano_agents.openai import OpenAI
        >>> client = OpenAI()
        >>> with model_affinity("run-openai"):
        ...     answer = client.chat.completions.with_raw_response.create(
        ...         model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]
        ...     )
        >>> answer.headers["X-Model-Affinity"]
        'run-openai'
    """

    _account_options = ("organization", "project")


class AsyncOpenAI(AsyncAffinityClient, openai.AsyncOpenAI):
    """The OpenAI SDK's asynchronous client, behind a router, one model per affinity id.

    A request carries the id of the scope that it is awaited in, or that its task was made in.

    Args:
        base_url: The router's address, with or without ``/v1``; else ``PLANO_BASE_URL``, else
            ``http://127.0.0.1:12000/v1``.
        api_key: The router's client key; else ``PLANO_API_KEY``, else a placeholder.
        affinity_id: The id of requests that name none themselves; else the scope's that they are sent in.
        options: What else `openai.AsyncOpenAI` takes.

    Raises:
        ValueError: ``base_url`` is not an address.
        InvalidAffinityIdError: ``affinity_id`` breaks the id rules.

    Example:
        >>> import asyncio
        >>> from plano_agents import model_affinity
        >>> from plano_agents.openai import AsyncOpenAI
        >>> async def ask() -> str:
        ...     async with AsyncOpenAI() as client, model_affinity("run-async-openai"):
        ...         answer = await client.chat.completions.with_raw_response.create(
        ...             model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]
        ...         )
        ...     return answer.headers["X-Model-Affinity"]
        >>> asyncio.run(ask())
        'run-async-openai'
    """

    _account_options = ("organization", "project")
