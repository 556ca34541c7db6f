"""Lines to a terminal, a file or a pipe, none of which may hold up who writes them.

In the background a thread of its own writes what has come together, and a full buffer drops lines, counts them and says
so. Otherwise, in a process that forks or that is not serving yet, lines are written at once, and one that the other end
does not take in time is dropped.
"""

import contextlib
import io
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TextIO

MAX_LINES = 10_000
"""How many lines wait for a slow reader."""

BATCH_SECONDS = 0.02
"""How long lines are collected before they are written together."""

STOP_SECONDS = 1.0
"""How long the end, or a line that is written at once, waits for a slow reader."""

PIPE_BYTES = 4096
"""What a pipe that takes anything takes whole (POSIX' PIPE_BUF on Linux)."""


class LineWriter:
    """Writes lines to one stream.

    Args:
        stream: Where to.
        describe_drop: Writes the line that says how many were dropped.
        max_lines: How many lines wait for a slow reader.
        patience_seconds: How long the end, or a line that is written at once, waits for one.
    """

    def __init__(
        self,
        stream: TextIO,
        describe_drop: Callable[[int], str],
        *,
        max_lines: int = MAX_LINES,
        patience_seconds: float = STOP_SECONDS,
    ) -> None:
        self._stream = stream
        self._describe_drop = describe_drop
        self._max_lines = max_lines
        self._patience_seconds = patience_seconds
        self._lines: deque[str] = deque()
        self._has_lines = threading.Event()
        self._must_stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._told = 0
        self.dropped = 0
        """How many lines nobody took."""

    def write(self, line: str) -> None:
        """Write a line, its end included; see `write_all`."""
        self.write_all((line,))

    def write_all(self, lines: Sequence[str]) -> None:
        """Write lines, their ends included; never fails, and in the background never waits."""
        if self._thread is None:
            for line in lines:
                self._write_now(line)
            return
        room = max(0, self._max_lines - len(self._lines))
        if room < len(lines):
            self.dropped += len(lines) - room
            lines = lines[:room]
        self._lines.extend(lines)
        if lines and not self._has_lines.is_set():
            self._has_lines.set()

    def start(self) -> None:
        """Write in the background from now on; the process must not fork any more."""
        self._must_stop.clear()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, as far as the reader takes it in time, and go back to writing at once."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._must_stop.set()
            self._has_lines.set()
            thread.join(self._patience_seconds)

    def _run(self) -> None:
        while not self._must_stop.is_set():
            self._has_lines.wait()
            self._must_stop.wait(BATCH_SECONDS)
            self._has_lines.clear()
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        """Write what waits, whole lines at a time, so that those of processes that share a pipe do not mix."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        dropped = self.dropped - self._told
        if dropped:
            lines.append(self._describe_drop(dropped))
            self._told += dropped
        together: list[str] = []
        size = 0
        for line in lines:
            if together and size + len(line) > PIPE_BYTES:
                self._write("".join(together))
                together, size = [], 0
            together.append(line)
            size += len(line)
        if together:
            self._write("".join(together))

    def _write(self, text: str) -> None:
        """Write, however long it takes.

        Past the stream's own buffer: its lock, held by a thread that waits for a reader, would end the interpreter
        with an error.
        """
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more
            number = _find_number(self._stream)
            if number is None:
                self._stream.write(text)
                self._stream.flush()
                return
            left = text.encode(errors="backslashreplace")
            while left:
                try:
                    left = left[os.write(number, left) :]
                except BlockingIOError:  # a process that shares it has made it so
                    select.select([], [number], [])

    def _write_now(self, line: str) -> None:
        """Write a line, piece by piece, as long as there is room for the next in time."""
        number = _find_number(self._stream)
        if number is None or not hasattr(select, "poll"):
            self._write(line)
            return
        poll = select.poll()
        poll.register(number, select.POLLOUT)
        for start in range(0, len(line), PIPE_BYTES // 4):
            if not poll.poll(self._patience_seconds * 1000):
                self.dropped += 1
                return
            self._write(line[start : start + PIPE_BYTES // 4])


def _find_number(stream: TextIO) -> int | None:
    """The stream's file descriptor; None for one in memory."""
    try:
        stream.flush()
        return stream.fileno()
    except (io.UnsupportedOperation, AttributeError, ValueError):
        return None
