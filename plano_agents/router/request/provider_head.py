"""The lines of a provider's head that the fast path needs, found without reading the others."""

import re

from plano_agents.router.request.answer import is_passed_back

_LINES = re.compile(
    rb"\r\n(content-(?:type|encoding)|(?:x-)?request-id|retry-after(?:-ms)?|(?:x|anthropic)-ratelimit-[^:\r]*):[ \t]*([^\r]*)",
    re.IGNORECASE,
)
"""All lines that `answer.pass_back` may pick, and what says that the body is compressed."""
_TYPE, _ENCODING = "content-type", "content-encoding"


class ProviderHead:
    """A provider's head.

    Args:
        head: In bytes, its status line first.
    """

    __slots__ = ("_fields",)

    def __init__(self, head: bytes) -> None:
        # As `response_head.Headers` has it: of those that came more than once the first, the last line first.
        self._fields: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1").rstrip(" \t")
            for name, value in reversed(_LINES.findall(head))
        }

    @property
    def content_type(self) -> str:
        """The content type in lower case; empty where none is named."""
        return self._fields.get(_TYPE, "").lower()

    @property
    def is_compressed(self) -> bool:
        """Whether the body may be compressed."""
        return _ENCODING in self._fields

    def encode_passed(self, content_type: str) -> tuple[str, bool]:
        """Encode the lines that the client gets, the content type put in place of the provider's.

        Args:
            content_type: The answer's own.

        Returns:
            The lines; and whether the content type is among them.
        """
        passed = {name: value for name, value in self._fields.items() if is_passed_back(name, value)}
        has_type = _TYPE in passed
        if has_type:
            passed[_TYPE] = content_type
        lines: str = "".join([f"{name}: {value}\r\n" for name, value in passed.items()])
        return lines, has_type
