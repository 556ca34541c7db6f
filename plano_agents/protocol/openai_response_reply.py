"""OpenAI's responses as a provider writes them, whole and in events, read as far as an answer needs.

Shapes are those of OpenAI's API reference, "The response object" and "Streaming events". Items are read into one wide
shape, for most of their kinds say nothing to a client of another wire. What a proxy writes stands in
`openai_response`.
"""

from typing import Any

import msgspec
from msgspec import Struct

from plano_agents.protocol.decoding import ABSENT, decode_upstream


class ReplyPart(Struct, frozen=True):
    """A part of a message, of a summary, or of reasoning in clear."""

    type: str = ""
    text: str = ""
    refusal: str = ""


class ReplyItem(Struct, frozen=True):
    """An output item of any type."""

    type: str = ""
    id: str | None = None
    content: tuple[ReplyPart, ...] | None = None
    summary: tuple[ReplyPart, ...] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    """A function's, JSON text as the model wrote it; those of a search of tools are an object."""

    @property
    def arguments_json(self) -> str:
        """The arguments as JSON text."""
        given = self.arguments or "{}"
        return given if isinstance(given, str) else msgspec.json.encode(given).decode()

    def join(self, kind: str) -> str:
        """Give the text of its parts of a type, in order."""
        parts = (*(self.summary or ()), *(self.content or ()))
        return "".join(part.refusal or part.text for part in parts if part.type == kind)


class InputDetails(Struct, frozen=True):
    """The details of the input's tokens."""

    cached_tokens: int | None = 0
    cache_write_tokens: int | None = 0


class OutputDetails(Struct, frozen=True):
    """The details of the output's tokens."""

    reasoning_tokens: int | None = 0


class ReplyUsage(Struct, frozen=True):
    """Tokens of one answer; ``input_tokens`` counts cached ones too."""

    input_tokens: int | None = 0
    output_tokens: int | None = 0
    total_tokens: int | None = 0
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class IncompleteDetails(Struct, frozen=True):
    """The reason for which an answer is not whole."""

    reason: str | None = None


class ReplyResponse(Struct, frozen=True):
    """A response, of whatever status."""

    id: str = ""
    created_at: float | None = 0
    """Unix time in seconds; a fraction on some servers."""
    model: str | None = ""
    status: str | None = None
    output: tuple[ReplyItem, ...] | None = ()
    usage: ReplyUsage | None = None
    incomplete_details: IncompleteDetails | None = None


class ResponseEvent(Struct, frozen=True):
    """An event of a stream, of any type."""

    type: str = ""
    response: msgspec.Raw = ABSENT
    item: ReplyItem | None = None
    output_index: int = 0
    summary_index: int = 0
    delta: str | None = None


class _Typed(Struct, frozen=True):
    """An event, read for its type: the fields of those that nobody reads here may be anything."""

    type: str = ""


_RESPONSE = msgspec.json.Decoder(ReplyResponse)
_EVENT = msgspec.json.Decoder(ResponseEvent)
_TYPED = msgspec.json.Decoder(_Typed)


def parse_response(body: bytes) -> ReplyResponse:
    """Read a whole response.

    Raises:
        UpstreamProtocolError: It is none.
    """
    return decode_upstream(_RESPONSE, body, "response")


def read_event_type(data: bytes) -> str:
    """Read the type of a stream's event; empty where it has none.

    Raises:
        UpstreamProtocolError: It is not an object.
    """
    return decode_upstream(_TYPED, data, "response event").type


def parse_event(data: bytes) -> ResponseEvent:
    """Read an event of a stream.

    Raises:
        UpstreamProtocolError: It is not in its form.
    """
    return decode_upstream(_EVENT, data, "response event")
