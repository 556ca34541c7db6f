"""Running ASGI applications on sockets until told to stop.

One event loop serves any number of applications; SIGINT and SIGTERM end them all, requests in flight get a few
seconds, and the process ends with no traceback. What the applications do is theirs.
"""

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import uvicorn
from starlette.types import ASGIApp

from plano_agents.errors import ConfigError

T = TypeVar("T")

GRACE_SECONDS = 5
"""How long requests in flight may go on after the signal to stop."""

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than clients keep theirs, or they send into one just closed."""


@dataclass(frozen=True, slots=True)
class Site:
    """One application on one listening socket."""

    app: ASGIApp
    """What answers."""
    listener: socket.socket
    """Where it is asked."""
    grace_seconds: float = GRACE_SECONDS
    """How long requests in flight may go on after the signal to stop; what is left then is cancelled."""


def bind(host: str, port: int) -> socket.socket:
    """Take a port.

    Args:
        host: The address to listen on.
        port: The TCP port; 0 lets the system choose a free one.

    Returns:
        The listening socket.

    Raises:
        ConfigError: The port is taken, not allowed, or the address is not this machine's.
    """
    if not 0 <= port <= 65535:  # noqa: PLR2004 - 16 bits
        raise ConfigError(f"Cannot listen on {host}:{port}: ports are 0 to 65535. Choose one with --port.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(f"Cannot listen on {host}:{port}: {_explain(error)}") from error


def _explain(error: OSError) -> str:
    """Say why a port cannot be taken, and the way out."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "no address of this machine. Choose one with --host, such as 127.0.0.1."
    reason = "another program uses it" if error.errno == errno.EADDRINUSE else error.strerror
    return f"{reason}. Choose another with --port, or --port 0 for a free one."


def url_of(listener: socket.socket) -> str:
    """The address of a listening socket, as a client on this machine would write it."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; a name counts if all it stands for does."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(entry[4][0])).is_loopback for entry in found)


def check_exposure(host: str, *, is_guarded: bool, way_out: str) -> None:
    """Refuse to listen where strangers could spend the provider's keys.

    Args:
        host: The address to listen on.
        is_guarded: Whether clients need a key, or the operator has said that they need none.
        way_out: What to do otherwise.

    Raises:
        ConfigError: The address is not loopback, and nothing guards it.
    """
    if not is_guarded and not is_loopback(host):
        raise ConfigError(f"{host!r} is reachable from other machines, and clients need no key. {way_out}")


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
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


def _server_config(site: Site) -> uvicorn.Config:
    return uvicorn.Config(
        site.app,
        http="httptools",
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=site.grace_seconds,  # type: ignore[arg-type] # typed int, and awaited as any number
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
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
