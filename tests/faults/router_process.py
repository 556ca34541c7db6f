"""``plano-agents up`` as a process of its own, for what only a process has: signals, and the system's figures."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from urllib.parse import urlsplit

from tests.activated import launch_with

READY = re.compile(r"router on (\S+)/v1")


@dataclass(frozen=True, slots=True)
class RouterProcess:
    """A router that runs."""

    url: str
    """Where it listens."""
    process: "asyncio.subprocess.Process"
    """The process."""

    @property
    def resident_bytes(self) -> int:
        """The memory that it holds (RSS)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def open_files(self) -> int:
        """The number of its open file descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - counts while they change

    @property
    def threads(self) -> int:
        """The number of its threads."""
        return len(os.listdir(f"/proc/{self.process.pid}/task"))  # noqa: PTH208 - counts while they change

    @property
    def children(self) -> set[int]:
        """The process ids of its workers."""
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def find_server(self, client_port: int) -> int:
        """The worker that holds the connection from a port, on which one request was answered."""
        wanted = f":{urlsplit(self.url).port:04X}", f":{client_port:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        # The table may list a connection twice while it changes; one that has ended has no inode.
        (inode,) = {row[9] for row in rows if (row[1][-5:], row[2][-5:]) == wanted} - {"0"}
        (found,) = [child for child in self.children if f"socket:[{inode}]" in _list_open_files(child)]
        return found

    async def read_until(self, wanted: str) -> None:
        """Wait until it says something on standard output."""
        await _read_until(self.process, wanted)

    async def read_errors_until(self, wanted: str) -> str:
        """Read standard error until it says something."""
        assert self.process.stderr is not None
        return (await self.process.stderr.readuntil(wanted.encode())).decode()

    async def stop(self) -> tuple[int, str]:
        """Stop it with SIGTERM; its exit code, and what stands on standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = await self.process.communicate()
        return self.process.returncode or 0, errors.decode()


def _list_open_files(pid: int) -> list[str]:
    folder = f"/proc/{pid}/fd"
    found = []
    for name in os.listdir(folder):  # noqa: PTH208 - lists while they change
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"{folder}/{name}"))  # noqa: PTH115 - no file's path
    return found


def write_config(
    folder: Path,
    models: Mapping[str, str],
    /,
    *,
    routing: Mapping[str, object] | None = None,
    **settings: object,
) -> Path:
    """Write both configuration files.

    Args:
        folder: Where to.
        models: Model names, and where their providers are.
        routing: What stands under ``routing`` in ``config.yaml``.
        settings: What stands in ``plano-agents.yaml``.

    Returns:
        The path of ``config.yaml``.
    """
    entries = [{"model": name, "base_url": url, "access_key": "sk-any"} for name, url in models.items()]
    listener = {"type": "model", "name": "m", "port": 12_000}
    path = folder / "config.yaml"
    document = {"version": "v0.4.0", "listeners": [listener], "model_providers": entries}
    path.write_text(json.dumps(document | ({"routing": routing} if routing is not None else {})))
    (folder / "plano-agents.yaml").write_text(json.dumps(settings))
    return path


@asynccontextmanager
async def start_router(
    config: Path, *options: str, port: int = 0, sockets: Sequence[socket] = ()
) -> AsyncGenerator[RouterProcess, None]:
    """Run a router until the context ends.

    Args:
        config: Its ``config.yaml``.
        options: Further options of ``plano-agents up``.
        port: Where it listens; 0 takes a free port.
        sockets: Where it listens instead, as a service manager passes them.
    """
    arguments = ("-m", "plano_agents", "up", str(config), "--port", str(port), *options)
    async with start_program(*arguments, sockets=sockets) as router:
        yield router


@asynccontextmanager
async def start_program(*arguments: str, sockets: Sequence[socket] = ()) -> AsyncGenerator[RouterProcess, None]:
    """Run a program that says what ``plano-agents up`` says, until the context ends."""
    command = [sys.executable, "-u", *arguments]
    command, descriptors = launch_with(sockets, *command) if sockets else (command, [])
    process = await asyncio.create_subprocess_exec(
        *command,
        pass_fds=descriptors,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said = await _read_until(process, "router on")
        found = READY.search(said)
        assert found is not None
        router = RouterProcess(found[1], process)
        if "Ctrl-C" not in said:  # as JSON all of it is one line
            await router.read_until("Ctrl-C")
        yield router
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_refused(url: str) -> None:
    """Connect again and again until nobody listens."""
    parts = urlsplit(url)
    try:
        while True:
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.close()
    except ConnectionError:
        return


async def _read_until(process: "asyncio.subprocess.Process", wanted: str) -> str:
    assert process.stdout is not None
    said = []
    async for line in process.stdout:
        said.append(line.decode())
        if wanted in said[-1]:
            return said[-1]
    assert process.stderr is not None
    raise AssertionError("".join(said) + (await process.stderr.read()).decode())
