"""A real haproxy of the test's own: round robin over replicas, ended by its own process id."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults.redis_server import require_program

CONFIG = """\
global
    maxconn 4096
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option http-keep-alive
frontend front
    bind fd@{descriptor}
    default_backend replicas
backend replicas
    balance roundrobin
    http-reuse always
{servers}
"""


@asynccontextmanager
async def balance(folder: Path, urls: Sequence[str]) -> AsyncGenerator[str, None]:
    """Run a haproxy in front of replicas until the context ends; gives its address."""
    servers = "\n".join(f"    server replica{number} {urlsplit(url).netloc}" for number, url in enumerate(urls))
    async with run_haproxy(folder, CONFIG.replace("{servers}", servers)) as address:
        yield address


@asynccontextmanager
async def run_haproxy(folder: Path, config: str) -> AsyncGenerator[str, None]:
    """Run a haproxy until the context ends; gives its address.

    It takes over a socket that listens already, so nobody has to wait until it does.

    Args:
        folder: Where its configuration is written.
        config: What is configured, with ``fd@{descriptor}`` for the socket that it takes over.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        path = folder / "haproxy.cfg"
        path.write_text(config.replace("{descriptor}", str(listener.fileno())))
        process = await asyncio.create_subprocess_exec(
            *(require_program("haproxy"), "-db", "-q", "-f", str(path)), pass_fds=[listener.fileno()]
        )
    try:
        yield address
    finally:
        process.kill()
        await process.wait()
