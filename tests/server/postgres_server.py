"""A real Postgres of the test's own: on a free port, in a folder of its own, ended by its own process id."""

import asyncio
import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.faults.redis_server import NEEDED, free_port

USER = "postgres"
"""Who runs it where the tests are run by root, whom it refuses: the account that its package makes."""


def find_programs() -> Path:
    """Find the folder of Postgres' programs, which Debian keeps off PATH; without it, skip or fail."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if found is not None:
        return Path(found).resolve().parent
    if folders:
        return folders[-1]
    if os.environ.get(NEEDED):
        pytest.fail(f"Postgres is not installed, and {NEEDED} is set.")
    pytest.skip("Postgres is not installed. On Debian and Ubuntu: apt-get install postgresql")


class PostgresServer:
    """A server that can be stopped and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self._programs = find_programs()
        self._as: dict[str, Any] = {"user": USER, "group": USER} if os.geteuid() == 0 else {}
        self._folder = Path(tempfile.mkdtemp(prefix="plano-postgres-"))
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    async def __aenter__(self) -> Self:
        if self._as:
            shutil.chown(self._folder, USER, USER)
        options = ("--auth=trust", f"--username={USER}", "--no-sync", "--encoding=UTF8", "--locale=C")
        made = await self._start("initdb", *options, "-D", str(self._folder / "data"))
        output, _ = await made.communicate()
        assert made.returncode == 0, output.decode()
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        shutil.rmtree(self._folder)

    async def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        settings = (
            "fsync=off",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "log_min_messages=log",
        )
        options = [part for setting in settings for part in ("-c", setting)]
        where = ("-D", str(self._folder / "data"), "-p", str(self.port))
        self._process = await self._start("postgres", *where, *options)
        assert self._process.stdout is not None
        said = b""
        async for line in self._process.stdout:
            said += line
            if b"ready to accept connections" in line:
                return
        raise AssertionError(said.decode())

    async def stop(self) -> None:
        """End it at once, its connections cut."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGQUIT)
            await self._process.communicate()

    async def _start(self, program: str, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            self._programs / program,
            *arguments,
            cwd=self._folder,
            env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            **self._as,
        )
