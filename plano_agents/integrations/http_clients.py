"""The HTTP clients under every chat model of a process: one TLS context, one pool of connections per event loop.

Loading the certificates is nearly all that building a client costs, so it is done once. And a connection belongs to
the event loop that opened it: kept for the next `asyncio.run`, it fails with "Event loop is closed".

Built on the classes that the installed openai SDK offers: those are httpx's in openai 2 and httpx2's in openai 3.
"""

import asyncio
import atexit
import ssl
from collections.abc import AsyncGenerator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import openai
from openai.resources.chat.completions import AsyncCompletions, Completions
from pydantic import SecretStr

from plano_agents.integrations.way_out import NamesRouter, NamesRouterAsync


def load_library() -> ModuleType:
    """Load the HTTP library that the installed SDK is built on: httpx or httpx2."""
    modules = (base.__module__ for base in openai.DefaultHttpxClient.__mro__)
    return import_module(next(name.partition(".")[0] for name in modules if name.startswith("httpx")))


@cache
def load_tls_context() -> ssl.SSLContext:
    """Load the certificates that the SDK's HTTP library trusts, once per process."""
    context: ssl.SSLContext = load_library().create_ssl_context()
    return context


@cache
def build_client(proxy: str | None) -> openai.DefaultHttpxClient:
    """Build the process's client for synchronous calls; it is thread-safe, and closed at exit.

    Args:
        proxy: The URL of the proxy to go through; None for what the environment says.
    """
    client = openai.DefaultHttpxClient(verify=load_tls_context(), proxy=proxy, follow_redirects=False)
    atexit.register(client.close)
    return client


@cache
def build_async_client(proxy: str | None) -> "ClientPerLoop":
    """Build the process's client for asynchronous calls, whatever event loops they run on.

    Args:
        proxy: The URL of the proxy to go through; None for what the environment says.
    """
    return ClientPerLoop(verify=load_tls_context(), proxy=proxy, follow_redirects=False)


def build_sdk_clients(
    base_url: str,
    api_key: SecretStr,
    *,
    organization: str | None,
    http_client: Any,  # noqa: ANN401 - httpx's or httpx2's
    http_async_client: Any,  # noqa: ANN401 - httpx's or httpx2's
    **options: Any,  # noqa: ANN401 - the SDK's own
) -> tuple[openai.OpenAI, openai.AsyncOpenAI]:
    """Build the SDK's clients for a router, with nothing of an OpenAI account that the environment may hold.

    Args:
        base_url: The router's address, up to and including ``/v1``.
        api_key: The router's client key; not empty, or the SDK would take OpenAI's.
        organization: What to send as ``OpenAI-Organization``; None for no such header.
        http_client: What synchronous calls go through.
        http_async_client: What asynchronous calls go through.
        options: Further arguments of both, e.g. ``timeout`` and ``default_headers``.
    """
    key = api_key.get_secret_value()
    client = _Client(base_url=base_url, api_key=key, http_client=http_client, **options)
    async_client = _AsyncClient(base_url=base_url, api_key=key, http_client=http_async_client, **options)
    for each in (client, async_client):
        # The SDK takes OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS, and has no switch for it.
        each.organization = organization
        each.project = None
        each._custom_headers = options.get("default_headers") or {}  # noqa: SLF001
    return client, async_client


class _Client(NamesRouter, openai.OpenAI):
    """The SDK's client, which names the router that it does not reach."""


class _AsyncClient(NamesRouterAsync, openai.AsyncOpenAI):
    """The same, asynchronously."""


class PlainCompletions(Completions):
    """Chat completions as the plain JSON that LangChain makes its messages of.

    The SDK's own models would be built of it only for LangChain to take them apart again, piece by piece of a stream:
    most of what a call costs. Everything else about a call is the SDK's.
    """

    def __init__(self, client: openai.OpenAI) -> None:
        super().__init__(client)
        self._post = _post_plainly(client.post, openai.Stream[object])


class AsyncPlainCompletions(AsyncCompletions):
    """The same, asynchronously."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        super().__init__(client)
        self._post = _post_plainly(client.post, openai.AsyncStream[object])


def _post_plainly(post: Any, stream_class: type) -> Any:  # noqa: ANN401 - the SDK's
    def post_plainly(path: str, **options: Any) -> Any:  # noqa: ANN401 - the SDK's
        return post(path, **{**options, "cast_to": object, "stream_cls": stream_class})

    return post_plainly


class ClientPerLoop(openai.DefaultAsyncHttpxClient):
    """An asynchronous client that may be used from one event loop after another, and from several at once.

    Each loop gets a client of its own on first use, which is closed with the loop.

    Args:
        options: What each loop's client is built with.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the SDK's own signature
        super().__init__(**options)
        self._options = options
        self._per_loop: dict[
            asyncio.AbstractEventLoop, tuple[openai.DefaultAsyncHttpxClient, AsyncGenerator[None]]
        ] = {}

    async def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - httpx's types or httpx2's
        """Send a request over the running loop's own connections."""
        client = await self._client_of_running_loop()
        return await client.send(request, **options)

    async def _client_of_running_loop(self) -> openai.DefaultAsyncHttpxClient:
        loop = asyncio.get_running_loop()
        if loop not in self._per_loop:
            for closed in [other for other in list(self._per_loop) if other.is_closed()]:
                self._per_loop.pop(closed, None)
            client = openai.DefaultAsyncHttpxClient(**self._options)
            closer = self._close_with_loop(loop, client)
            self._per_loop[loop] = client, closer
            await anext(closer)
        return self._per_loop[loop][0]

    async def _close_with_loop(
        self, loop: asyncio.AbstractEventLoop, client: openai.DefaultAsyncHttpxClient
    ) -> AsyncGenerator[None]:
        """Wait, suspended, for the loop's end: a loop closes its asynchronous generators before itself."""
        try:
            yield
        finally:
            self._per_loop.pop(loop, None)
            await client.aclose()
