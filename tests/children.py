"""Programs that tests start: none outlives its test, passed or failed."""

import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.patience import PATIENCE_SECONDS


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environ: dict[str, str] | None = None,
    stdin: int | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    """Run a program, and kill it when the ``with`` ends.

    Args:
        command: The program and its arguments.
        cwd: Its folder; the test's own unless given.
        environ: Its environment; the test's own unless given.
        stdin: Its standard input, as ``subprocess`` takes it; the test's own unless given.
    """
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=environ,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def has_ended(pid: int) -> bool:
    """Wait for the end of a process, no child of the test's; whether it came."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], PATIENCE_SECONDS)[0])
    finally:
        os.close(handle)
