"""A provider's stream made the client's, chunk by chunk, and ended: well, or broken off where it was cut.

Both Python SDKs take a clean end for success. So what breaks, or ends before the answer did, gets an error event and
then a broken connection. There is no waiting here: who drives it does that.
"""

from collections.abc import Callable
from typing import NoReturn

from plano_agents.errors import PlanoError, UpstreamError
from plano_agents.router.request.answer import StreamBrokenError
from plano_agents.router.request.breaker import Attempt
from plano_agents.router.request.bugs import explain_failure
from plano_agents.router.request.stream_encoders import StreamEncoder
from plano_agents.router.request.trail import Trail


class Relay:
    """A stream on its way to the client, one for each answer.

    Args:
        encoder: Makes the client's bytes of the provider's.
        attempt: Whose outcome the stream's end decides.
        trail: The request's; it learns what went wrong.
        note: Is shown whole events before they are passed on.
        write: Writes a piece; whether another may follow at once.
    """

    __slots__ = (
        "_attempt",
        "_encoder",
        "_failure",
        "_is_broken",
        "_is_ended",
        "_is_over",
        "_last",
        "_note",
        "_trail",
        "passes",
        "write",
        "write_framed",
    )

    def __init__(
        self,
        encoder: StreamEncoder,
        attempt: Attempt,
        trail: Trail,
        note: Callable[[bytes], None],
        write: Callable[[bytes], bool],
    ) -> None:
        self._encoder = encoder
        self._attempt = attempt
        self._trail = trail
        self._note = note
        self.write = write
        """Writes a piece; whether another may follow at once."""
        self.write_framed: Callable[[bytes], bool] = write
        """Writes a piece that is framed as the answer is."""
        self.passes: Callable[[bytes], bool] = _has_to_be_fed
        """Checks whether a chunk can be written as it is, for nobody would find anything in it."""
        self._is_over = False  # the provider's stream
        self._is_ended = False  # the client's
        self._is_broken = False
        self._last = b""
        self._failure: PlanoError | None = None

    @property
    def is_over(self) -> bool:
        """True if the provider's end is there."""
        return self._is_over

    @property
    def is_unread(self) -> bool:
        """True if the client has its end, and the provider's is still to come."""
        return self._is_ended and not (self._is_broken or self._is_over)

    def take(self, chunk: bytes, framed: bytes = b"") -> bool:
        """Pass on a chunk; whether another may follow. What is wrong with it is told by `conclude`.

        Args:
            chunk: What came.
            framed: The same, ready to be written as it came; empty where it is not.
        """
        if self.passes(chunk):
            return self.write_framed(framed) if framed else self.write(chunk)
        encoder = self._encoder
        try:
            piece = encoder.feed(chunk)
            if encoder.finished:
                self._end(piece)
                return False
            if not piece:
                return True
            self._note(piece)
            if piece is chunk and framed:
                return self.write_framed(framed)
            return self.write(piece)
        except Exception as error:  # noqa: BLE001 - see `TakeChunk`
            self.fail(error)
            return False

    def fail(self, error: Exception) -> None:
        """Keep what the client is told, without the frames that the error passed: they hold this stream."""
        self._failure = explain_failure(error, self._trail.trace_id).with_traceback(None)

    def conclude(self, *, is_over: bool = False) -> bytes | None:
        """Say what follows once no more is taken, or comes.

        Args:
            is_over: Whether the provider's end is there.

        Returns:
            The client's last piece, which goes out together with the end; None before the end.

        Raises:
            StreamBrokenError: The stream was cut, and the client has been told.
        """
        self._is_over = self._is_over or is_over
        try:
            if self._failure is None:
                if self._is_over and not self._is_ended:
                    self._end(self._encoder.finish())
                if self._is_ended:
                    self._encoder.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
            self.fail(error)
        if self._failure is not None or (self._is_ended and self._encoder.failed):
            self._break_off()
        if not self._is_ended:
            return None
        self._attempt.succeed()
        return self._last

    def _end(self, last: bytes) -> None:
        self._note(last)
        self._last, self._is_ended = last, True

    def _break_off(self) -> NoReturn:
        """Tell the client that the stream broke, unless the provider's own error event does."""
        failure = self._failure
        self._is_broken = True
        self._trail.failure = UpstreamError.code if failure is None else failure.code
        if failure is None or isinstance(failure, UpstreamError):
            self._attempt.fail()
        said = self._last if failure is None else self._last + self._encoder.break_off(failure)
        if said:
            self.write(said)
        raise StreamBrokenError


def _has_to_be_fed(_chunk: bytes) -> bool:
    return False
