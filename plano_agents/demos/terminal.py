"""Terminal conduct of a program: interruption, and output that nobody takes."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

PATIENCE_SECONDS = 1.0
"""How long a step may take before it is announced."""

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def interruptible() -> Iterator[None]:
    """Make of every signal that asks the program to end one `KeyboardInterrupt`, so that each ``with`` is left.

    Signals after the first do nothing: the way out is under way, and takes its time once. A terminal's hanging up
    that is ignored already, as by ``nohup``, stays ignored. Behind the ``with`` signals end the program at once.
    """
    numbers = [
        number for number in _SIGNALS if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
    ]

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def announcing(step: str) -> Iterator[None]:
    """Say on a terminal what is under way, once it takes longer than `PATIENCE_SECONDS`.

    Args:
        step: The step, as a line; standard error gets it.
    """
    timer = threading.Timer(PATIENCE_SECONDS, lambda: click.echo(step, err=True))
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def exit_without_output(error: OSError) -> NoReturn:
    """End a program that cannot say more: silently where its reader has left, else with the reason.

    Args:
        error: What writing failed with.
    """
    # What is still held for standard output would fail once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if not isinstance(error, BrokenPipeError):
        click.echo(f"error: {error.strerror or error}", err=True)
    sys.exit(1)
