"""A real redis-server of the test's own: on a free port, in a folder of its own, ended by its own process id."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from redis import asyncio as redis

NEEDED = "PLANO_REQUIRE_SERVERS"
"""Set where the servers that the tests start must be installed, as in CI."""


def require_program(name: str) -> str:
    """Find a program that the tests start; without it the test is skipped, or fails where it must be there."""
    found = shutil.which(name)
    if found is None and os.environ.get(NEEDED):
        pytest.fail(f"{name} is not installed, and {NEEDED} is set.")
    if found is None:
        pytest.skip(f"{name} is not installed. On Debian and Ubuntu: apt-get install {name}")
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class RedisServer:
    """A server that can be frozen, killed and started again.

    Args:
        folder: For its files.
        options: Further options, ``--name value``.
        scheme: ``redis``, or ``rediss`` where the options say so.
    """

    def __init__(self, folder: Path, *options: str, scheme: str = "redis") -> None:
        self._folder = folder
        self._options = options
        self._scheme = scheme
        self.port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The address it listens on."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start it, and wait until it says that it is ready; what it had on disk is there again."""
        listen = ("--port", "0", "--tls-port") if self._scheme == "rediss" else ("--port",)
        self._process = await asyncio.create_subprocess_exec(
            *(require_program("redis-server"), *listen, str(self.port), "--bind", "127.0.0.1"),
            *("--dir", str(self._folder), "--save", "", "--logfile", ""),
            *self._options,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        said = b""
        async for line in self._process.stdout:
            said += line
            if b"Ready to accept connections" in line:
                return
        raise AssertionError(said.decode())

    async def kill(self) -> None:
        """End it at once; what it had not written is lost."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()

    def freeze(self) -> None:
        """Stop it from answering, connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    @asynccontextmanager
    async def client(self, password: str | None = None) -> AsyncGenerator["redis.Redis", None]:
        """A client of the test's own."""
        client = redis.Redis.from_url(self.url, protocol=2, password=password)
        try:
            yield client
        finally:
            await client.aclose()

    async def tell(self, *command: str | bytes | int, password: str | None = None) -> object:
        """Send one command."""
        async with self.client(password) as client:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py's

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
