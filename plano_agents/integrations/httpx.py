"""`instrument`: the affinity id on the requests of any SDK that sends them by httpx or httpx2, to routers only.

A request to an instrumented address carries the id of the scope that it is sent in, unless the caller gave it one, and
the trace that it belongs to (``trace_context``). It
is added where a client sends a single request, so that a retry carries it too, and a redirect to another host does
not: nobody but the addresses named ever sees it.

What speaks by something else (aiohttp, requests, gRPC, WebSockets), and what leaves the scope's context for a bare
thread (`bind_context` helps), is not reached.
"""

import functools
import importlib.metadata
import importlib.util
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

from plano_agents.affinity import AFFINITY_HEADER, HINT_HEADER, current_affinity_id
from plano_agents.integrations.plano_headers import add_affinity_header
from plano_agents.integrations.router_address import DEFAULT_BASE_URL, build_base_url, find_router
from plano_agents.trace_context import add_trace_headers

LIBRARIES = ("httpx", "httpx2")
"""The HTTP libraries that are reached, where they are installed; httpx2 is httpx's successor."""

_HOOK = "_send_single_request"
_MARK = "plano_affinity_id"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class _Address:
    """The origin of a router or a request."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    """Lower case; the names of this machine are one."""
    port: int | None
    """The TCP port."""
    path: str
    """Without a slash at the end."""

    def covers(self, other: "_Address") -> bool:
        """Check whether another address stands below this one."""
        same = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return same and f"{other.path}/".startswith(f"{self.path}/")


@dataclass(slots=True)
class _Instrumented:
    """The instrumentation of this process."""

    routers: frozenset[_Address] = frozenset()
    """The addresses whose requests carry the id."""
    hooks: list[tuple[type, Callable[..., Any], Callable[..., Any]]] = field(default_factory=list)
    """Client classes, the method that theirs was, and the one in its place."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while either is changed."""


_instrumented = _Instrumented()


def instrument(*base_urls: str) -> None:
    """Send the enclosing scope's id with every request to a router, whichever SDK on httpx or httpx2 makes it.

    Clients that exist already are reached as well. May be called again, to add addresses.

    Args:
        base_urls: The routers' addresses, with or without ``/v1``; else ``PLANO_BASE_URL``, else
            ``http://127.0.0.1:12000``. ``localhost``, ``127.0.0.1`` and ``::1`` are one host.

    Raises:
        ValueError: An address is none.
        RuntimeError: No such library is installed, or one of a version that sends requests in another way.

    Example:
        >>> import os
        >>> import openai
        >>> from plano_agents import instrument, model_affinity, uninstrument
        >>> instrument()  # at PLANO_BASE_URL, or http://127.0.0.1:12000
        >>> client = openai.OpenAI(base_url=os.environ["PLANO_BASE_URL"], api_key="none")
        >>> with model_affinity("run-instrument"):
        ...     answer = client.chat.completions.with_raw_response.create(
        ...         model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]
        ...     )
        >>> answer.headers["X-Model-Affinity"]
        'run-instrument'
        >>> uninstrument()
    """
    routers = _parse_routers(base_urls or (find_router() or DEFAULT_BASE_URL,))
    with _instrumented.lock:
        if not _instrumented.hooks:
            _instrumented.hooks = _hook_libraries()
        _instrumented.routers |= routers


def uninstrument(*base_urls: str) -> None:
    """Undo `instrument`.

    Args:
        base_urls: The addresses to leave out from now on; without any, all of them.

    Raises:
        ValueError: An address is none.

    Example:
        >>> from plano_agents import uninstrument
        >>> uninstrument()
    """
    with _instrumented.lock:
        _instrumented.routers -= _parse_routers(base_urls) if base_urls else _instrumented.routers
        if _instrumented.routers:
            return
        for client, before, ours in _instrumented.hooks:
            # Where somebody hooked in after us, ours stays underneath, and does nothing.
            if vars(client)[_HOOK] is ours:
                setattr(client, _HOOK, before)
        _instrumented.hooks = []


def _parse_routers(base_urls: tuple[str, ...]) -> frozenset[_Address]:
    library = _find_libraries()[0]
    return frozenset(_parse_address(library.URL(build_base_url(url).removesuffix("/v1"))) for url in base_urls)


def _parse_address(url: Any) -> _Address:  # noqa: ANN401 - httpx's URL or httpx2's
    host = url.host.lower()  # the library leaves IPv6 as it is written
    host = "localhost" if host in _LOOPBACK else host
    return _Address(url.scheme, host, url.port or _DEFAULT_PORTS.get(url.scheme), url.path.rstrip("/"))


def _find_libraries() -> list[ModuleType]:
    found = [import_module(name) for name in LIBRARIES if importlib.util.find_spec(name) is not None]
    if not found:
        raise RuntimeError("instrument() needs httpx or httpx2, and neither is installed: pip install httpx")
    return found


def _hook_libraries() -> list[tuple[type, Callable[..., Any], Callable[..., Any]]]:
    libraries = _find_libraries()
    for library in libraries:
        if not all(hasattr(client, _HOOK) for client in (library.Client, library.AsyncClient)):
            version = importlib.metadata.version(library.__name__)
            raise RuntimeError(
                f"instrument() cannot reach {library.__name__} {version!r}: its clients have no {_HOOK}. Use another "
                "version of it, or send X-Model-Affinity yourself, with current_affinity_id()."
            )
    hooks = []
    for library in libraries:
        for client, wrap in ((library.Client, _wrap), (library.AsyncClient, _wrap_async)):
            before = vars(client)[_HOOK]
            ours = wrap(before)
            setattr(client, _HOOK, ours)
            hooks.append((client, before, ours))
    return hooks


def _wrap(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def send_named(client: object, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the library's
        _name_request(request)
        return send(client, request, *args, **kwargs)

    return send_named


def _wrap_async(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    async def send_named(client: object, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the library's
        _name_request(request)
        return await send(client, request, *args, **kwargs)

    return send_named


def _name_request(request: Any) -> None:  # noqa: ANN401 - httpx's or httpx2's
    """Add the id to a request that goes to a router; take it off one that was redirected elsewhere."""
    address = _parse_address(request.url)
    if any(router.covers(address) for router in _instrumented.routers):
        add_affinity_header(request.headers, current_affinity_id())
        add_trace_headers(request.headers)
        request.extensions[_MARK] = True  # a redirect's request inherits it
    elif request.extensions.get(_MARK):
        for header in (AFFINITY_HEADER, HINT_HEADER):
            request.headers.pop(header, None)
