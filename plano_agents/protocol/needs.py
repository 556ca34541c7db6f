"""What a request needs of the model that serves it, on every surface: images, tools, room for its input.

Read from the bytes, and only as far as somebody asks: most models take images and tools, and most requests are
shorter than any window by their bytes alone. The surfaces' shapes are disjoint where it matters, so one reader serves
all: images stand in content of ``messages`` or ``input``, in tools' results and in documents too; tools stand in
``tools``, in OpenAI's older form in ``functions``.

The estimate of tokens leans low, for a wrong "does not fit" would move a run for nothing, while a wrong "fits" is told
by the provider: `CHARACTERS_PER_TOKEN` per token, images, recordings, files and encrypted reasoning not counted, nor
the room that the answer needs.
"""

import re
from functools import cached_property

import msgspec

from plano_agents.protocol.decoding import BAD_JSON

CHARACTERS_PER_TOKEN = 5
"""English prose has 5.2 characters to a token, code 4.5, JSON 4, Russian 3.9, Chinese 1.2, as requests that OpenAI's
``o200k_base`` counts."""

_IMAGES = ("image", "image_url", "input_image")
_IMAGE_MARKS = (b'image"', b'image_url"')
_CONVERSATIONS = ("messages", "input")
_NESTING = ("content", "output", "source")
"""Where content stands within content: messages and tools' results, the responses API's results, documents."""

_TOOL_FIELDS = ("tools", "functions")
_TOOL_MARKS = tuple(f'"{name}"'.encode() for name in _TOOL_FIELDS)

_PAYLOAD = re.compile(
    rb'"(?:data|file_data|encrypted_content|signature)"\s*:\s*"(?=[\w+/=\\-]{32})|"data:[\w.+-]+\\?/[^"\s,]*,'
)
"""Where bytes by value begin: base64 under the names that it has, and ``data:`` URLs anywhere."""

_ESCAPE_CHARACTERS = 5
"""How many more characters ``\\u00e9`` has than the one that it writes."""


class Needs:
    """What one request needs.

    Args:
        body: The request; what is no JSON needs nothing, for it is refused elsewhere.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body

    def fits(self, context_window: int) -> bool:
        """Whether the input fits into a window, in tokens; False only where that is nearly certain."""
        return len(self._body) <= context_window * CHARACTERS_PER_TOKEN or self.tokens <= context_window

    @cached_property
    def tokens(self) -> int:
        """About how many tokens the input has, leaning low."""
        text = _leave_out_payloads(self._body)
        characters = len(text.decode(errors="ignore")) - _ESCAPE_CHARACTERS * text.count(rb"\u")
        return max(0, characters) // CHARACTERS_PER_TOKEN

    @cached_property
    def images(self) -> bool:
        """Whether an image is shown."""
        if not any(mark in self._body for mark in _IMAGE_MARKS):
            return False
        return any(_shows_image(self._fields.get(name)) for name in _CONVERSATIONS)

    @cached_property
    def tools(self) -> bool:
        """Whether tools are offered."""
        if not any(mark in self._body for mark in _TOOL_MARKS):
            return False
        return any(bool(self._fields.get(name)) for name in _TOOL_FIELDS)

    @cached_property
    def _fields(self) -> dict[str, object]:
        try:
            fields: object = msgspec.json.decode(self._body)
        except BAD_JSON:
            return {}
        return fields if isinstance(fields, dict) else {}


def _leave_out_payloads(body: bytes) -> bytes:
    """Drop what stands in a body by value, up to the quote that ends it."""
    kept, start = [], 0
    while (payload := _PAYLOAD.search(body, start)) is not None:
        kept.append(body[start : payload.end()])
        end = body.find(b'"', payload.end())
        start = end if end >= 0 else len(body)
    kept.append(body[start:])
    return b"".join(kept)


def _shows_image(value: object) -> bool:
    """Whether an image is among content, at any depth."""
    waiting = [value]
    while waiting:
        piece = waiting.pop()
        if isinstance(piece, list):
            waiting += piece
        elif isinstance(piece, dict):
            if piece.get("type") in _IMAGES:
                return True
            waiting += [piece[name] for name in _NESTING if name in piece]
    return False
