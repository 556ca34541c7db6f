"""Running ASGI applications on sockets until told to stop.

One event loop serves any number of applications; SIGINT and SIGTERM end them all, requests in flight get a few
seconds, and the process ends with no traceback. What the applications do is theirs.
"""

import asyncio
import atexit
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.types import ASGIApp

from plano_agents.http.server.budget import BufferBudget
from plano_agents.http.server.limits import HttpLimits
from plano_agents.http.server.server import Server
from plano_agents.http.server.server_state import ServerState

T = TypeVar("T")

GRACE_SECONDS = 5
"""How long requests in flight may go on after the signal to stop."""


@dataclass(frozen=True, slots=True)
class Site:
    """One application on one listening socket."""

    app: ASGIApp
    """What answers; a `DirectApp` serves some paths without ASGI."""
    listener: socket.socket
    """Where it is asked."""
    grace_seconds: float = GRACE_SECONDS
    """How long requests in flight may go on after the signal to stop; what is left then is cancelled."""
    limits: HttpLimits = field(default_factory=HttpLimits)
    """What one client may take."""
    on_refused: Callable[[str], None] = lambda _code: None
    """Gets the error's code of every request that could not be read, or its answer not be kept."""
    budget: BufferBudget = field(default_factory=BufferBudget)
    """Where the bytes count that are buffered for clients."""
    on_stop: Callable[[], None] = lambda: None
    """Called when it is told to stop; it ends the answers that have no end of their own."""


async def serve(
    sites: Sequence[Site], *, on_ready: Callable[[], None], on_reload: Callable[[], None] | None = None
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        sites: What to serve where.
        on_ready: Called once, when every site listens.
        on_reload: Called at every SIGHUP; without it that signal ends the process, as it does by default.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if on_reload is not None and hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, on_reload)
    async with running(sites):
        on_ready()
        await stop.wait()


@asynccontextmanager
async def running(sites: Sequence[Site]) -> AsyncGenerator[None, None]:
    """Serve for as long as the context is open; it opens when every site listens."""
    servers = [Server(site.app, ServerState(site.limits, site.budget, site.on_refused)) for site in sites]
    try:
        for server, site in zip(servers, sites, strict=True):
            await server.start(site.listener)
        yield
    finally:
        for site in sites:
            site.on_stop()
        await asyncio.gather(*(server.stop(site.grace_seconds) for server, site in zip(servers, sites, strict=True)))


def run(main: Awaitable[T]) -> T:
    """Run a program's main coroutine on the fastest event loop there is."""
    # The interpreter puts signals' defaults back when it winds up: a second one would kill a program that ends as told.
    atexit.unregister(_ignore_signals)
    atexit.register(_ignore_signals)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_await(main))


async def _await(main: Awaitable[T]) -> T:
    return await main


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop
