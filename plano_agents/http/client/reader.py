"""Reading an answer by callbacks: what a connection calls as it comes."""

import re
from collections.abc import Callable
from typing import Protocol

from plano_agents.errors import UpstreamError

Known = tuple[Callable[[bytes], re.Match[bytes] | None], Callable[[re.Match[bytes], bytes], None]]
"""What finds a head that is known, of status 200, with its empty line, and its body's length as the group ``length``,
where bytes begin with it; and what takes the match and the body of such an answer. The connection stays open after
it, and it is not held: see `Connection.hold`."""


class Reader(Protocol):
    """Reads an answer as it comes. Each call is the last until the reader asks for more; none may raise."""

    def on_answer(self) -> None:
        """Take the answer's head."""

    def on_chunk(self, chunk: bytes, framed: bytes = b"", /) -> bool:
        """Take all that came of the body since the last chunk, never nothing; whether more is taken.

        Args:
            chunk: What came.
            framed: The same as ``chunked`` has it, its size before it, where it came so in one read; else empty.
        """

    def on_end(self, is_all: bool, /) -> None:  # noqa: FBT001 - a callback's
        """Take the body's end, or (False) that no more is handed on, as no more was taken."""

    def on_failure(self, failure: Callable[[], UpstreamError], /) -> None:
        """Take why the rest does not come."""
