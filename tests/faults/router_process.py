"""``plano-agents up`` as a process of its own, for what only a process has: signals, and the system's figures."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

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
        """How much memory it holds (RSS)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def open_files(self) -> int:
        """How many file descriptors it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - counts while they change

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


def write_config(folder: Path, models: Mapping[str, str], **settings: object) -> Path:
    """Write both configuration files.

    Args:
        folder: Where to.
        models: Model names, and where their providers are.
        settings: What stands in ``plano-agents.yaml``.

    Returns:
        The path of ``config.yaml``.
    """
    entries = [{"model": name, "base_url": url, "access_key": "sk-any"} for name, url in models.items()]
    listener = {"type": "model", "name": "m", "port": 12_000}
    path = folder / "config.yaml"
    path.write_text(json.dumps({"version": "v0.4.0", "listeners": [listener], "model_providers": entries}))
    (folder / "plano-agents.yaml").write_text(json.dumps(settings))
    return path


@asynccontextmanager
async def start_router(config: Path, *, port: int = 0) -> AsyncGenerator[RouterProcess, None]:
    """Run a router until the context ends."""
    async with start_program("-m", "plano_agents", "up", str(config), "--port", str(port)) as router:
        yield router


@asynccontextmanager
async def start_program(*arguments: str) -> AsyncGenerator[RouterProcess, None]:
    """Run a program that says what ``plano-agents up`` says, until the context ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        found = READY.search(await _read_until(process, "router on"))
        assert found is not None
        router = RouterProcess(found[1], process)
        await router.read_until("Ctrl-C")
        yield router
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _read_until(process: "asyncio.subprocess.Process", wanted: str) -> str:
    assert process.stdout is not None
    said = []
    async for line in process.stdout:
        said.append(line.decode())
        if wanted in said[-1]:
            return said[-1]
    assert process.stderr is not None
    raise AssertionError("".join(said) + (await process.stderr.read()).decode())
