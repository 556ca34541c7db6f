"""The end mark of a stream, looked for in each of its events.

Most events hold no end, and a pattern is tried at every byte that it may begin with, a quotation mark even: that costs
twenty times as much as a search for plain bytes. So plain bytes are looked for first, and patterns only where they are.
"""

import re
from collections.abc import Callable, Sequence


class EndMark:
    """Finds the end of a stream of one wire format.

    Args:
        patterns: Each matches an end, in whole events; the group ``error`` one that is the provider's own error.
        literals: Every match holds one of them; none where the patterns begin with plain bytes.
        beginnings: The plain bytes that each pattern begins with; none where they do not.
        may_tell: Checks, by plain bytes, whether events may hold an end or usage; it may find one where there is none,
            and misses none. Any may hold one where it is left out.
    """

    def __init__(
        self,
        *patterns: re.Pattern[bytes],
        literals: Sequence[bytes] = (),
        beginnings: Sequence[bytes] = (),
        may_tell: Callable[[bytes], bool] = bool,
    ) -> None:
        self.may_tell = may_tell
        """Checks whether events may hold an end or usage."""
        self._patterns = patterns
        self._literals = literals
        self._begun = tuple(zip(beginnings, patterns, strict=True)) if beginnings else ()

    def search(self, events: bytes) -> re.Match[bytes] | None:
        """Find an end in whole events; None where there is none."""
        for beginning, pattern in self._begun:
            place = events.rfind(beginning)  # an end is mostly the last of its kind
            if place >= 0 and (found := pattern.match(events, place) or pattern.search(events)) is not None:
                return found
        if self._begun or (self._literals and not any(events.find(literal) >= 0 for literal in self._literals)):
            return None
        for pattern in self._patterns:
            found = pattern.search(events)
            if found is not None:
                return found
        return None
