"""Running ASGI applications on sockets until told to stop.

One event loop serves any number of applications; SIGINT and SIGTERM end them all, requests in flight get a few
seconds, and the process ends with no traceback. What the applications do is theirs.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import uvicorn
from starlette.types import ASGIApp

from plano_agents.http.server.budget import BufferBudget
from plano_agents.http.server.connection import HttpLimits, build_protocol
from plano_agents.http.server.exchange import DirectApp

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


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


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
    servers = [_Server(_server_config(site)) for site in sites]
    tasks = [
        asyncio.create_task(server.serve([site.listener]))
        for server, site in zip(servers, sites, strict=True)
    ]
    try:
        await asyncio.gather(*(server.listening.wait() for server in servers))
        yield
    finally:
        for server, site in zip(servers, sites, strict=True):
            server.should_exit = True
            site.on_stop()
        await asyncio.gather(*tasks)


def _server_config(site: Site) -> uvicorn.Config:
    return uvicorn.Config(
        site.app,
        http=build_protocol(
            site.limits,
            site.app if isinstance(site.app, DirectApp) else None,
            site.on_refused,
            site.budget,
        ),
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=site.grace_seconds,  # type: ignore[arg-type] # typed int, and awaited as any number
    )


def run(main: Awaitable[T]) -> T:
    """Run a program's main coroutine on the fastest event loop there is."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_await(main))


async def _await(main: Awaitable[T]) -> T:
    return await main


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop
