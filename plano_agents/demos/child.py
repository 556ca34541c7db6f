"""Servers of one's own for as long as they are needed: child processes that say where they listen.

A child is stopped with SIGTERM when its ``with`` ends, and killed only if it does not stop; none is left behind, for it
also ends when its parent does, even by SIGKILL (``tethered``). It stands in a process group of its own, so that Ctrl-C
reaches the parent alone, which stops its children in order.
"""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from plano_agents.errors import PlanoError

STOP_SECONDS = 10
"""How long a child may take to stop before it is killed."""

ROUTER_READY = re.compile(r"router on (\S+)")
AGENT_READY = re.compile(r"agent server listening on (\S+)")

LEAVE_LIVE_OUT = {"run with --offline": "leave out --live"}
"""What the router's complaints say where models are simulated unless ``--live`` is given."""

_AS_IT_IS: Mapping[str, str] = MappingProxyType({})


class ChildNotStartedError(PlanoError):
    """A server's process ended before it listened; its own words are on standard error."""

    code = "child_not_started"


def _ignore(_: str = "") -> None:
    """Do nothing."""


def _write_to_stderr(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


@contextmanager
def running_server(
    arguments: Sequence[str],
    ready: re.Pattern[str],
    *,
    words: Mapping[str, str] = _AS_IT_IS,
    show: Callable[[str], None] = _ignore,
    complain: Callable[[str], None] = _write_to_stderr,
    on_exit: Callable[[], None] = _ignore,
) -> Iterator[str]:
    """Run a Python program until the ``with`` ends.

    Args:
        arguments: What follows the interpreter on the command line.
        ready: Finds, in a line of its standard output, the address it listens on, as the first group.
        words: What to say for what, in its complaints: it names its own options, and who reads typed others.
        show: Gets every line of its standard output.
        complain: Gets every line of its standard error, line end included, in another thread.
        on_exit: Called, in another thread, when the process ends for whatever reason.

    Yields:
        The address.

    Raises:
        ChildNotStartedError: It ended before it listened.
    """
    command = [sys.executable, "-u", "-m", "plano_agents.demos.tethered", *arguments]
    with subprocess.Popen(  # noqa: S603 - our own command line, no shell
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        complaints = threading.Thread(target=_pass_complaints_on, args=(process, words, complain), daemon=True)
        try:
            complaints.start()
            address = _read_address(process, ready, show)
            threading.Thread(target=_follow, args=(process, show, on_exit), daemon=True).start()
            yield address
        finally:
            _stop(process)
            if complaints.is_alive():  # an interruption may have come before it began
                complaints.join()


@contextmanager
def local_router(
    config: Path,
    *,
    port: int = 0,
    offline: bool,
    fast: bool,
    words: Mapping[str, str] = _AS_IT_IS,
    show: Callable[[str], None] = _ignore,
    on_exit: Callable[[], None] = _ignore,
) -> Iterator[str]:
    """Run ``plano-agents up``.

    Args:
        config: The ``config.yaml``.
        port: The TCP port; 0 takes a free one.
        offline: Whether models are simulated.
        fast: Whether simulated models answer at once.
        words: What to say for what, in its complaints.
        show: Gets every line of its standard output.
        on_exit: Called, in another thread, when the process ends for whatever reason.

    Yields:
        The router's base URL, ``/v1`` included.

    Raises:
        ChildNotStartedError: It did not start.
    """
    flags = [flag for flag, wanted in (("--offline", offline), ("--fast", fast)) if wanted]
    arguments = ["-m", "plano_agents", "up", str(config), "--port", str(port), *flags]
    with running_server(arguments, ROUTER_READY, words=words, show=show, on_exit=on_exit) as url:
        yield url


def _read_address(process: "subprocess.Popen[str]", ready: re.Pattern[str], show: Callable[[str], None]) -> str:
    for line in process.stdout or ():
        show(line.rstrip("\n"))
        found = ready.search(line)
        if found is not None:
            return found.group(1)
    raise ChildNotStartedError("A server did not start; see above for its reason.")


def _follow(process: "subprocess.Popen[str]", show: Callable[[str], None], on_exit: Callable[[], None]) -> None:
    """Pass on what a process says until it ends; an unread pipe would stall it."""
    for line in process.stdout or ():
        with suppress(OSError):  # who started us may have stopped to listen
            show(line.rstrip("\n"))
    on_exit()


def _pass_complaints_on(
    process: "subprocess.Popen[str]", words: Mapping[str, str], complain: Callable[[str], None]
) -> None:
    for line in process.stderr or ():
        told = line
        for its, ours in words.items():
            told = told.replace(its, ours)
        with suppress(OSError):
            complain(told)


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
