"""Anthropic's messages, as a proxy writes requests and reads answers.

Shapes are those of Anthropic's API reference, "Create a Message" and "Streaming messages". Answers are read
leniently: a block or an event of a type that is not known here is passed over, never an error.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from plano_agents.errors import UpstreamProtocolError

VERSION = "2023-06-01"
"""The ``anthropic-version`` that these shapes are of."""


class TextBlock(Struct, frozen=True, tag_field="type", tag="text"):
    """A piece of text."""

    text: str


class Base64Source(Struct, frozen=True, tag_field="type", tag="base64"):
    """Bytes by value."""

    media_type: str
    data: str


class UrlSource(Struct, frozen=True, tag_field="type", tag="url"):
    """Bytes by address; Anthropic fetches them."""

    url: str


class ImageBlock(Struct, frozen=True, tag_field="type", tag="image"):
    """An image."""

    source: Base64Source | UrlSource


class DocumentBlock(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="document"):
    """A document."""

    source: Base64Source
    title: str | None = None


class ToolUseBlock(Struct, frozen=True, tag_field="type", tag="tool_use"):
    """A tool call."""

    id: str
    name: str
    input: msgspec.Raw
    """A JSON object, untouched."""


class ToolResultBlock(Struct, frozen=True, tag_field="type", tag="tool_result"):
    """A tool's result."""

    tool_use_id: str
    content: tuple[TextBlock | ImageBlock, ...]


Block = TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock


class Message(Struct, frozen=True):
    """One turn."""

    role: Literal["user", "assistant"]
    content: tuple[Block, ...]


class Tool(Struct, frozen=True, omit_defaults=True):
    """A tool that the model may call."""

    name: str
    input_schema: msgspec.Raw
    description: str | None = None
    strict: bool | None = None


class ToolChoice(Struct, frozen=True, omit_defaults=True):
    """Whether and which tools are called: ``auto``, ``any``, ``none``, or ``tool`` by name."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class OutputFormat(Struct, frozen=True, tag_field="type", tag="json_schema"):
    """The schema that the answer must meet."""

    schema: msgspec.Raw


class OutputConfig(Struct, frozen=True, omit_defaults=True):
    """How the answer is to be made."""

    format: OutputFormat | None = None
    effort: str | None = None


class Metadata(Struct, frozen=True):
    """Who is asking."""

    user_id: str


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of ``POST /v1/messages``."""

    model: str
    max_tokens: int
    messages: tuple[Message, ...]
    system: tuple[TextBlock, ...] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    output_config: OutputConfig | None = None
    metadata: Metadata | None = None


class OutputTokensDetails(Struct, frozen=True):
    """What the output tokens were spent on."""

    thinking_tokens: int | None = None


class Usage(Struct, frozen=True):
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


class Reply(Struct, frozen=True):
    """A whole answer, not streamed; also what ``message_start`` carries."""

    id: str
    model: str
    content: tuple[ReplyBlock, ...] = ()
    stop_reason: str | None = None
    usage: Usage = Usage()


class StreamDelta(Struct, frozen=True):
    """The ``delta`` of a content block or of the message."""

    type: str = ""
    text: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class ErrorBody(Struct, frozen=True):
    """What went wrong, in Anthropic's words."""

    type: str = "api_error"
    message: str = ""


class StreamEvent(Struct, frozen=True):
    """Any event of a stream; which fields are filled depends on ``type``."""

    type: str
    index: int = 0
    message: Reply | None = None
    content_block: ReplyBlock | None = None
    delta: StreamDelta | None = None
    usage: Usage | None = None
    error: ErrorBody | None = None


class ErrorReply(Struct, frozen=True):
    """The body of an answer that is an error."""

    error: ErrorBody


_REPLY = msgspec.json.Decoder(Reply)
_EVENT = msgspec.json.Decoder(StreamEvent)
_ERROR = msgspec.json.Decoder(ErrorReply)


def parse_reply(body: bytes) -> Reply:
    """Read a whole answer.

    Raises:
        UpstreamProtocolError: It is not a message in Anthropic's form.
    """
    try:
        return _REPLY.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamProtocolError(f"The provider's answer is not a message: {error}.") from error


def parse_event(data: bytes) -> StreamEvent:
    """Read one event's data.

    Raises:
        UpstreamProtocolError: It is not an event in Anthropic's form.
    """
    try:
        return _EVENT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamProtocolError(f"The provider's stream holds a bad event: {error}.") from error


def parse_error(body: bytes) -> ErrorBody | None:
    """Read an error body; None where it is not in Anthropic's form, as a gateway's page is not."""
    try:
        return _ERROR.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
