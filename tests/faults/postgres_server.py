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
from typing import Any

from tests.faults.redis_server import free_port, require_program

READY = "database system is ready to accept connections"


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run an empty server; gives its URL."""
    binaries = find_binaries()
    folder = Path(tempfile.mkdtemp(prefix="plano-postgres-"))
    as_user = find_user(folder)
    try:
        initialize = [str(binaries / "initdb"), "--pgdata", str(folder / "data"), "--username=plano"]
        subprocess.run([*initialize, "--auth=trust", "--no-sync"], check=True, capture_output=True, **as_user)
        port = free_port()
        # No sync: what a crash of this machine would lose is nobody's.
        options = ["-c", "fsync=off", "-k", str(folder), "-h", "127.0.0.1", "-p", str(port)]
        with subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(folder / "data"), *options],
            stderr=subprocess.PIPE,
            text=True,
            **as_user,
        ) as process:
            try:
                said = []
                for line in process.stderr or ():
                    said.append(line)
                    if READY in line:
                        break
                else:
                    raise AssertionError("".join(said))
                yield f"postgresql://plano@127.0.0.1:{port}/postgres"
            finally:
                process.send_signal(signal.SIGQUIT)  # at once
                process.communicate()
    finally:
        shutil.rmtree(folder)


def find_binaries() -> Path:
    """Where the server's programs are; Debian keeps them off PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else Path(require_program("initdb")).parent


def find_user(folder: Path) -> dict[str, Any]:
    """What makes a process run as somebody else, for PostgreSQL refuses root; that one gets the folder."""
    if getpass.getuser() != "root":
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, user)
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": [], "cwd": folder}
