"""Anthropic's answers: read from an upstream, and written for a client, whole and as events.

Shapes are those of Anthropic's API reference, "Create a Message" and "Streaming messages". Answers are read
leniently: a block or an event of a type that is not known here is passed over, never an error, and null is absent.
"""

import msgspec
from msgspec import Struct

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol.decoding import ABSENT, decode_upstream
from plano_agents.protocol.lenience import mend_message


class OutputTokensDetails(Struct, frozen=True):
    """The details of the output tokens."""

    thinking_tokens: int | None = None


class Usage(Struct, frozen=True, omit_defaults=True):
    """Tokens of one answer; on a stream, later counts are cumulative and replace earlier ones."""

    input_tokens: int | None = None
    """Prompt tokens neither read from nor written to the cache."""
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: OutputTokensDetails | None = None


class ReplyBlock(Struct, frozen=True):
    """A content block of an answer, of whatever type."""

    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")
    thinking: str = ""
    signature: str = ""


class StopDetails(Struct, frozen=True):
    """The reason for which an answer was stopped."""

    explanation: str | None = None


class Reply(Struct, frozen=True):
    """A whole answer, not streamed; also what ``message_start`` carries."""

    id: str = ""
    model: str = ""
    content: tuple[msgspec.Raw, ...] = ()
    """The blocks, untouched: `parse_block` reads one."""
    stop_reason: str | None = None
    stop_details: StopDetails | None = None
    usage: Usage = Usage()


class StreamDelta(Struct, frozen=True):
    """The ``delta`` of a content block or of the message."""

    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class StreamEvent(Struct, frozen=True):
    """Any event of a stream; which fields are filled depends on ``type``."""

    type: str
    index: int = 0
    message: Reply | None = None
    content_block: msgspec.Raw = msgspec.Raw(b'{"type":""}')
    """Untouched: `parse_block` reads it."""
    delta: StreamDelta | None = None
    usage: Usage | None = None


_REPLY = msgspec.json.Decoder(Reply)
_BLOCK = msgspec.json.Decoder(ReplyBlock)
_EVENT = msgspec.json.Decoder(StreamEvent)


def parse_reply(body: bytes) -> Reply:
    """Read a whole answer.

    Raises:
        UpstreamProtocolError: It is not a message in Anthropic's form.
    """
    return decode_upstream(_REPLY, body, "message", mend_message)


def parse_block(raw: msgspec.Raw) -> ReplyBlock:
    """Read one content block.

    Raises:
        UpstreamProtocolError: It is not a block in Anthropic's form.
    """
    return decode_upstream(_BLOCK, bytes(raw), "content block")


def read_input(block: ReplyBlock) -> str:
    """Read what a tool is called with, as JSON text; no input is an empty object.

    Raises:
        UpstreamProtocolError: It is not a JSON object.
    """
    if block.input == ABSENT:
        return "{}"
    text = bytes(block.input).decode()
    if not text.startswith("{"):
        raise UpstreamProtocolError(f"The provider called {block.name!r} with an input that is not a JSON object.")
    return text


def parse_event(data: bytes) -> StreamEvent:
    """Read one event's data.

    Raises:
        UpstreamProtocolError: It is not an event in Anthropic's form.
    """
    return decode_upstream(_EVENT, data, "stream event", mend_message)


def read_text(data: bytes) -> str | None:
    """Read the text of an event that adds to an answer's text; None where it is another event.

    Raises:
        UpstreamProtocolError: It is not an event in Anthropic's form.
    """
    event = parse_event(data)
    is_text = event.type == "content_block_delta" and event.delta is not None and event.delta.type == "text_delta"
    return event.delta.text if is_text and event.delta is not None else None
