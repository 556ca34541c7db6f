"""A stream on its way from one wire to another: read by the upstream's reader into chunks, written by the surface's.

One translator serves one answer; reader and writer hold what it must remember.
"""

from collections.abc import Iterator
from typing import Protocol

from plano_agents.errors import PlanoError, UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.openai_completion import Chunk
from plano_agents.protocol.translation.repeat import ReadText, Repeats


class Reader(Protocol):
    """Reads an upstream's stream."""

    @property
    def finished(self) -> bool:
        """True if the upstream said that the stream is over."""

    @property
    def answered(self) -> bool:
        """True if the answer is whole, even if the stream is not over: some providers leave its end mark out."""

    def feed(self, data: bytes) -> Iterator[Chunk | ErrorDetail]:
        """Take the next bytes and give what they complete; an error is the last.

        Raises:
            UpstreamProtocolError: They are no such stream.
        """


class Writer(Protocol):
    """Writes a client's stream."""

    def write(self, chunk: Chunk) -> bytes:
        """Write what a chunk adds; empty where it waits for more."""

    def finish(self) -> bytes:
        """Write the end of a whole answer."""

    def fail(self, error: ErrorDetail) -> bytes:
        """Write the upstream's own error event."""

    def break_off(self, error: PlanoError) -> bytes:
        """Write the error event of a stream that was cut."""


class StreamTranslator:
    """Turns one upstream's stream into one client's; made anew for each answer.

    Args:
        reader: Of the upstream's wire.
        writer: Of the client's.
        read_text: Reads an upstream's event that is nothing but text, which neither of them remembers; None where one
            of them does.
    """

    def __init__(self, reader: Reader, writer: Writer, read_text: ReadText | None = None) -> None:
        self._repeats = Repeats(read_text) if read_text is not None else None
        self._reader = reader
        self._writer = writer
        self.finished = False
        """True if the client's stream has ended, well or with the provider's own error event."""
        self.failed = False
        """True if it ended with the provider's own error event."""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the upstream's stream.

        Returns:
            The bytes of the client's stream that they make; empty where they make none yet.

        Raises:
            UpstreamProtocolError: The bytes are not a stream in the upstream's form.
        """
        repeats = self._repeats
        if repeats is None:
            return b"".join(self._translate(chunk)) if not self.finished else b""
        if chunk.find(b"\n\n") == len(chunk) - 2:
            return self._feed_event(chunk, repeats)
        return b"".join([self._feed_event(event, repeats) for event in sse.cut(chunk)])

    def _feed_event(self, event: bytes, repeats: Repeats) -> bytes:
        """Take the next bytes, of one event at the most."""
        if self.finished:
            return b""
        written = repeats.write(event)
        if written is None:
            written = b"".join(self._translate(event))
            repeats.learn(event, written)
        return written

    def finish(self) -> bytes:
        """Write what is left at the end of the upstream's stream; call it before `close`.

        Returns:
            The end of the client's stream, where the answer is whole but no end mark came; mostly empty.
        """
        if self.finished or not self._reader.answered:
            return b""
        self.finished = True
        return self._writer.finish()

    def close(self) -> None:
        """Check, at the end of the upstream's stream, that the answer had ended.

        Raises:
            UpstreamProtocolError: It was cut.
        """
        if not (self.finished or self._reader.answered):
            raise UpstreamProtocolError("The provider's stream ended before the answer did.")

    def break_off(self, error: PlanoError) -> bytes:
        """Write the error event of a stream that broke, in the client's form."""
        return self._writer.break_off(error)

    def _translate(self, data: bytes) -> Iterator[bytes]:
        for item in self._reader.feed(data):
            if isinstance(item, ErrorDetail):
                self.finished = self.failed = True
                yield self._writer.fail(item)
                return
            yield self._writer.write(item)
        if self._reader.finished:
            self.finished = True
            yield self._writer.finish()
