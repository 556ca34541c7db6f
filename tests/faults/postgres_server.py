"""A real PostgreSQL of the test's own: on a free port, in a folder of its own, ended by its own process id."""

import getpass
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.faults.redis_server import require_program
from tests.ports import free_port

READY = "database system is ready to accept connections"


class PostgresServer:
    """An empty server, which can be stopped and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self._binaries = find_binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="plano-postgres-"))
        self._as_user = find_user(self._folder)
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """The address it listens on."""
        return f"postgresql://plano@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        data = ["--pgdata", str(self._folder / "data"), "--username=plano"]
        command = [str(self._binaries / "initdb"), *data, "--auth=trust", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, **self._as_user)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        # No sync: what a crash of this machine would lose is nobody's.
        options = ["-c", "fsync=off", "-k", str(self._folder), "-h", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            [str(self._binaries / "postgres"), "-D", str(self._folder / "data"), *options],
            stderr=subprocess.PIPE,
            text=True,
            **self._as_user,
        )
        said = []
        for line in self._process.stderr or ():
            said.append(line)
            if READY in line:
                return
        raise AssertionError("".join(said))

    def stop(self) -> None:
        """End it at once, its connections cut."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.communicate()


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run an empty server; gives its URL."""
    with PostgresServer() as server:
        yield server.url


def find_binaries() -> Path:
    """The folder of the server's programs; Debian keeps them off PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else Path(require_program("initdb")).parent


def find_user(folder: Path) -> dict[str, Any]:
    """Build the arguments that run a process as another user, for PostgreSQL refuses root; that one owns the folder."""
    if getpass.getuser() != "root":
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, user)
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": [], "cwd": folder}
