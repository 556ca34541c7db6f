"""The end mark of a stream, looked for in each of its events.

Most events hold no end, and a pattern that begins with anything but plain bytes is tried at every byte, twenty times
as slow as a search for plain ones. So patterns here begin with plain bytes, or are asked only where plain bytes that
every match has were found.
"""

import re
from collections.abc import Sequence


class EndMark:
    """Finds the end of a stream of one wire format.

    Args:
        patterns: Each matches an end, in whole events; the group ``error`` one that is the provider's own error.
        literals: Every match holds one of them; none where the patterns begin with plain bytes.
        beginnings: The plain bytes that each pattern begins with; none where they do not.
    """

    def __init__(
        self, *patterns: re.Pattern[bytes], literals: Sequence[bytes] = (), beginnings: Sequence[bytes] = ()
    ) -> None:
        self._patterns = patterns
        self._literals = literals
        self._begun = tuple(zip(beginnings, patterns, strict=True)) if beginnings else ()

    def search(self, events: bytes) -> re.Match[bytes] | None:
        """Find an end in whole events; None where there is none."""
        if self._begun:
            for beginning, pattern in self._begun:
                if beginning in events and (found := pattern.search(events)) is not None:
                    return found
            return None
        if self._literals and not any(literal in events for literal in self._literals):
            return None
        for pattern in self._patterns:
            found = pattern.search(events)
            if found is not None:
                return found
        return None
