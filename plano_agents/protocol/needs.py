"""A request's needs of the model that serves it, on every surface: images, tools, room for its input.

Read from the bytes, only as far as somebody asks, and no further than decides: most models take images and tools, and
most requests are shorter than any window by their bytes alone. The surfaces' shapes are disjoint where it matters, so
one reader serves all: images stand in content of ``messages`` or ``input``, in tools' results and in documents too;
tools stand in ``tools``, in OpenAI's older form in ``functions``.

The estimate of tokens leans low, for a wrong "does not fit" would move a run for nothing, while a wrong "fits" is told
by the provider: `CHARACTERS_PER_TOKEN` per token, images, recordings, files and encrypted reasoning not counted, nor
the room that the answer needs. Of these, what has under `PAYLOAD_BYTES` is counted: it costs about as much as its text.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec

from plano_agents.protocol.decoding import BAD_JSON

CHARACTERS_PER_TOKEN = 5
"""English prose has 5.2 characters to a token, code 4.5, JSON 4, Russian 3.9, Chinese 1.2, as requests that OpenAI's
``o200k_base`` counts."""

COUNTED_CHARACTERS_PER_TOKEN = 4
"""The same where a number is asked for, in which too little does more harm than too much."""

_IMAGES = ("image", "image_url", "input_image")
_IMAGE = re.compile(rb'"type"\s*:\s*"(?:image|image_url|input_image)"')
"""An object that calls itself an image; within a text the quotes would be escaped."""
_CONVERSATIONS = ("messages", "input")
_NESTING = ("content", "output", "source")
"""Where content stands within content: messages and tools' results, the responses API's results, documents."""

_TOOL_FIELDS = ("tools", "functions")
_NOT_EMPTY = re.compile(rb"\[\s*[^\s\]]")

PAYLOAD_BYTES = 512
"""The length above which embedded data is left out of the estimate, in bytes."""

_PAYLOAD = re.compile(
    rb'"(?:data|file_data|encrypted_content|signature)"\s*:\s*"(?=[\w+/=\\-]{%d})|"data:[\w.+-]+\\?/[^"\s,]*,(?=[^"]{%d})'
    % (PAYLOAD_BYTES, PAYLOAD_BYTES)
)
"""Where bytes by value begin: base64 under the names that it has, and ``data:`` URLs anywhere."""

_ESCAPE_CHARACTERS = 5
"""How many more characters ``\\u00e9`` has than the one that it writes."""

_STEP_BYTES = 65_536
"""How much is looked at before it is asked whether that decides."""
_LOOK_AHEAD = 4 * PAYLOAD_BYTES
"""How far beyond a step a payload is looked for that begins in it."""


class Needs:
    """The needs of one request.

    Args:
        body: The request; what is not JSON needs nothing, for it is refused elsewhere.
        fields: Its top-level fields.
    """

    def __init__(self, body: bytes, fields: Mapping[str, msgspec.Raw]) -> None:
        self._body = body
        self._fields = fields

    def fits(self, context_window: int) -> bool:
        """Check whether the input fits into a window, in tokens; False only where that is nearly certain."""
        left = (context_window + 1) * CHARACTERS_PER_TOKEN
        if len(self._body) <= count_sure_bytes(context_window):
            return True
        for characters in _count_characters(self._body):
            left -= characters
            if left <= 0:
                return False
        return True

    def estimate_tokens(self) -> int:
        """Estimate the tokens of the input, for who asks for their number: at 4 characters each, one at least."""
        return max(1, sum(_count_characters(self._body)) // COUNTED_CHARACTERS_PER_TOKEN)

    @cached_property
    def images(self) -> bool:
        """True if an image is shown."""
        shown = [self._fields[name] for name in _CONVERSATIONS if name in self._fields]
        return any(_IMAGE.search(value) is not None and _shows_image(_decode(value)) for value in shown)

    @cached_property
    def tools(self) -> bool:
        """True if tools are offered."""
        return offers_tools(self._fields)


def count_sure_bytes(context_window: int) -> int:
    """Count how many bytes of a request fit into a window, in tokens, whatever stands in them."""
    return (context_window + 1) * CHARACTERS_PER_TOKEN - 1


def offers_tools(fields: Mapping[str, msgspec.Raw]) -> bool:
    """Check whether a request offers its model tools; an empty list of them is none."""
    offered = [fields[name] for name in _TOOL_FIELDS if name in fields]
    return any(_NOT_EMPTY.match(value) is not None for value in offered)


def _count_characters(body: bytes) -> Iterator[int]:
    """Count the characters of a body step by step, without what stands in it by value."""
    start = 0
    while start < len(body):
        stop = start + _STEP_BYTES
        found = _PAYLOAD.search(body, start, stop + _LOOK_AHEAD)
        payload = found if found is not None and found.start() < stop else None
        text = body[start : payload.end() if payload is not None else stop]
        yield len(text.decode(errors="ignore")) - _ESCAPE_CHARACTERS * text.count(rb"\u")
        if payload is not None:
            stop = body.find(b'"', payload.end())
            if stop < 0:
                return
        start = stop


def _decode(value: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(value)
    except BAD_JSON:
        return None


def _shows_image(value: object) -> bool:
    """Check whether an image is among content, at any depth."""
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
