"""What every stream has that came to its end, looked for in each of its events.

A pattern costs ten times a search for plain bytes, and most events hold no end; so a hint, which is cheap and never
misses one, says where the pattern is worth asking.
"""

import re
from collections.abc import Callable


class EndMark:
    """Finds the end of a stream of one wire format.

    Args:
        pattern: Matches it in whole events.
        hint: Whether events may hold it: true wherever the pattern matches, and seldom elsewhere.
    """

    def __init__(self, pattern: re.Pattern[bytes], hint: Callable[[bytes], bool]) -> None:
        self._pattern = pattern
        self._hint = hint

    def search(self, events: bytes) -> re.Match[bytes] | None:
        """Find the first in whole events; None where there is none."""
        return self._pattern.search(events) if self._hint(events) else None
