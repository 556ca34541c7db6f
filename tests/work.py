"""The work of a call, counted in the lines of our code that run: the same on every machine, however busy."""

import gc
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import plano_agents

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_PACKAGE = next(iter(plano_agents.__path__))


def count_lines(call: Callable[[], object]) -> int:
    """Count the lines of our code that a call runs."""
    lines = 0

    def trace(frame: FrameType, event: str, _arg: object) -> "TraceFunction | None":
        nonlocal lines
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return lines


@contextmanager
def keep_others_out() -> Generator[None, None, None]:
    """Let no other thread of this process run, and no garbage collection: what they allocate counts for all."""
    before, collects = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(10)
    gc.disable()
    time.sleep(0)  # a thread that waits already takes its turn now
    try:
        yield
    finally:
        sys.setswitchinterval(before)
        if collects:
            gc.enable()
