"""The usage of an answer, read from its bytes on any surface once it is over.

OpenAI's chat completions count ``prompt_tokens`` and ``completion_tokens``, its responses and Anthropic's messages
``input_tokens`` and ``output_tokens``; Anthropic's leave cached tokens out of the input, which is put right here.
What a provider does not say is not known, and counts as nothing.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct

from plano_agents.protocol import sse
from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.protocol.form import Form

MAX_TOKENS = 2**53
"""What an answer can cost at most: with more, the number is wrong, and stores that count in 64 bits refuse it."""

_MARK = b'"usage"'


class Tokens(NamedTuple):
    """The tokens of one request or many, as the providers counted."""

    input: int = 0
    """Prompt tokens, cached ones included."""
    output: int = 0
    """Completion tokens."""
    cached: int = 0
    """Prompt tokens read from the provider's cache."""
    written: int = 0
    """Prompt tokens written to the provider's cache, as far as it tells."""


NO_TOKENS = Tokens()
"""Nothing was spent, or nothing is known of it."""


class _Details(Struct, frozen=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


_NO_DETAILS = _Details()


class _Usage(Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Nested(Struct, frozen=True):
    usage: _Usage | None = None


class _Answer(Struct, frozen=True):
    """An answer or an event; some events carry what they tell of under ``message`` or ``response``."""

    usage: _Usage | None = None
    message: _Nested | None = None
    response: _Nested | None = None


class _Part(Struct, frozen=True):
    """One of an answer's parts, of which nothing is read."""


_Parts = tuple[_Part, ...] | None


class _Whole(_Answer, frozen=True):
    """A whole answer of status 200, or an error in its place."""

    error: object = None
    parts: _Parts = None


class _Completion(_Whole, frozen=True):
    parts: _Parts = msgspec.field(default=None, name="choices")


class _Message(_Whole, frozen=True):
    parts: _Parts = msgspec.field(default=None, name="content")


class _Response(_Whole, frozen=True):
    parts: _Parts = msgspec.field(default=None, name="output")


_ANSWER = msgspec.json.Decoder(_Answer)
_WHOLE: Mapping[Form, msgspec.json.Decoder[_Whole]] = {
    Form.OPENAI_CHAT: msgspec.json.Decoder(_Completion),
    Form.ANTHROPIC_MESSAGES: msgspec.json.Decoder(_Message),
    Form.OPENAI_RESPONSES: msgspec.json.Decoder(_Response),
}


class UsageMeter:
    """Reads the usage of one answer; made anew for each."""

    def __init__(self) -> None:
        self._first = b""
        self._last = b""

    def note(self, events: bytes) -> None:
        """Look at whole events of a stream as they pass; the first and the last that tell of usage are kept."""
        if events.find(_MARK) >= 0:  # `in` writes an error text first
            self._first = self._first or events
            self._last = events

    @property
    def kept(self) -> bytes:
        """The events that were kept."""
        return self._first + (self._last if self._last is not self._first else b"")

    def read(self) -> Tokens:
        """Say what the stream cost, as far as it came."""
        counted = [read_usage(event.data) for event in sse.decode_events(self.kept) if _MARK in event.data]
        # Counts only grow: what an answer's beginning says of its output is a part of what its end says.
        return Tokens(*map(max, zip(*counted, strict=True))) if counted else NO_TOKENS


def read_usage(body: bytes) -> Tokens:
    """Say what an answer cost.

    Args:
        body: A whole answer, or one event's data, as JSON.
    """
    try:
        answer = _ANSWER.decode(body)
    except BAD_JSON:
        return NO_TOKENS
    return _count(answer.usage or _find_nested(answer))


def read_sure_usage(body: bytes, form: Form) -> Tokens | None:
    """Say what a whole answer of status 200 cost that is one at first sight, as most are; None where it may be none.

    Args:
        body: The answer; of others `first_look.check_whole` tells.
        form: The wire that was spoken.
    """
    try:
        answer = _WHOLE[form].decode(body)
    except BAD_JSON:
        return None
    if not answer.parts or answer.error is not None:
        return None
    return _count(answer.usage or _find_nested(answer))


def _find_nested(answer: _Answer) -> _Usage | None:
    nested = answer.message if answer.message is not None and answer.message.usage is not None else answer.response
    return nested.usage if nested is not None else None


def _count(usage: _Usage | None) -> Tokens:
    if usage is None:
        return NO_TOKENS
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    details = usage.prompt_tokens_details or usage.input_tokens_details or _NO_DETAILS
    given = (usage.prompt_tokens or usage.input_tokens or 0) + read + written
    made = usage.completion_tokens or usage.output_tokens or 0
    cached, kept = read or details.cached_tokens or 0, written or details.cache_write_tokens or 0
    if 0 <= given <= MAX_TOKENS and 0 <= made <= MAX_TOKENS and 0 <= cached <= MAX_TOKENS and 0 <= kept <= MAX_TOKENS:
        return Tokens(given, made, cached, kept)
    return Tokens(*(count if 0 <= count <= MAX_TOKENS else 0 for count in (given, made, cached, kept)))
