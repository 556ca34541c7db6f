"""A custom tool's input as it grows: read out of its function's arguments, whose JSON comes in pieces."""

import re

import msgspec

_START = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_LONGEST_START = 64
"""How many characters may come before it is clear that the arguments have another form."""

_WHOLE = re.compile(
    r"""(?: [^"\\\x00-\x1f]
      | \\["\\/bfnrt]
      | \\u(?:[0-9abcefABCEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})
      | \\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}
    )*""",
    re.VERBOSE,
)
"""Characters and escapes of a JSON string that are whole."""


class CustomInput:
    """Reads one call's input; made anew for each.

    Arguments of another form give nothing: the whole input is known at the call's end.
    """

    def __init__(self) -> None:
        self._pending = ""
        self.has_started = False
        """True if the arguments are in the form of a custom tool's."""
        self._ended = False

    def feed(self, piece: str) -> str:
        """Take the next piece of the arguments.

        Args:
            piece: JSON text.

        Returns:
            What it adds to the input; empty where nothing of it is whole.
        """
        if self._ended:
            return ""
        self._pending += piece
        if not self.has_started:
            start = _START.match(self._pending)
            if start is None:
                self._ended = len(self._pending) > _LONGEST_START
                return ""
            self.has_started = True
            self._pending = self._pending[start.end() :]
        found = _WHOLE.match(self._pending)
        assert found is not None, "it matches nothing too"  # noqa: S101 - cannot happen
        self._pending = self._pending[found.end() :]
        self._ended = self._pending.startswith('"')
        return msgspec.json.decode(f'"{found.group()}"', type=str)
