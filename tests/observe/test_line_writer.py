"""Lines to slow readers, gone readers and none."""

import contextlib
import io
import os
import threading

from plano_agents.observe.line_writer import LineWriter


class Gate(io.StringIO):
    """A stream whose reader takes nothing until told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.open = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.open.wait()
        return super().write(text)


def describe(count: int) -> str:
    return f"{count} dropped\n"


def test_a_slow_reader_holds_nobody_up_and_is_told_how_many_lines_it_missed() -> None:
    stream = Gate()
    writer = LineWriter(stream, describe, max_lines=3, patience_seconds=30)
    writer.start()
    writer.write("0\n")
    stream.reached.wait()
    for number in range(1, 8):
        writer.write(f"{number}\n")
    stream.open.set()
    writer.stop()
    assert stream.getvalue() == "0\n1\n2\n3\n4 dropped\n"
    assert writer.dropped == 4


def test_what_comes_after_a_drop_is_written_again() -> None:
    stream = Gate()
    writer = LineWriter(stream, describe, max_lines=1, patience_seconds=30)
    writer.start()
    writer.write("first\n")
    stream.reached.wait()
    writer.write("second\n")
    writer.write("lost\n")
    stream.open.set()
    writer.stop()
    writer.write("later\n")
    assert stream.getvalue() == "first\nsecond\n1 dropped\nlater\n"


def test_a_reader_that_takes_nothing_does_not_hold_up_the_end() -> None:
    stream = Gate()
    writer = LineWriter(stream, describe, patience_seconds=0)
    writer.start()
    writer.write("0\n")
    stream.reached.wait()
    writer.stop()
    stream.open.set()


def test_all_that_was_written_is_there_after_the_end() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream, describe, patience_seconds=30)
    writer.start()
    lines = [f"{number}\n" for number in range(9_999)]
    for line in lines:
        writer.write(line)
    writer.stop()
    assert stream.getvalue() == "".join(lines)


def test_a_reader_that_has_gone_stops_nobody() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        writer = LineWriter(stream, describe)
        writer.write("at once\n")
        writer.start()
        writer.write("in the background\n")
        writer.stop()
    assert writer.dropped == 0


def test_lines_go_past_the_streams_buffer_and_after_what_is_in_it() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        stream.write("before ")
        LineWriter(stream, describe).write("→ at once\n")
        assert os.read(reading, 100).decode() == "before → at once\n"
    os.close(reading)


def test_of_lines_that_are_written_together_none_is_split_between_two_pieces() -> None:
    """A pipe keeps lines of several processes whole up to its size of 4,096 bytes."""
    pieces: list[str] = []

    class Pieces(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            return len(text)

    writer = LineWriter(Pieces(), describe, patience_seconds=30)
    writer.start()
    for number in range(200):
        writer.write(f"{number:>99}\n")
    writer.stop()
    assert len(pieces) >= 5
    assert all(piece.endswith("\n") and len(piece) <= 4096 for piece in pieces)


def test_a_full_pipe_that_nobody_reads_drops_what_is_written_at_once() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    with os.fdopen(writing, "w") as stream:
        writer = LineWriter(stream, describe, patience_seconds=0)
        writer.write("line\n")
        assert writer.dropped == 1
    os.close(reading)
