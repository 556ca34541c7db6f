"""Anthropic's messages requests: as clients send them, and as a proxy writes them.

Shapes are those of Anthropic's API reference, "Create a Message". Below the top level a field that is not named here
is refused by its path, for it would be lost; fields whose loss changes no answer are named so that they may be there.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from plano_agents.protocol.anthropic_server_blocks import ServerBlock
from plano_agents.protocol.decoding import ABSENT, decode_request
from plano_agents.protocol.tool_changes import ToolChange


class Shape(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The base of all shapes; a piece that is cached or not is the same piece."""

    cache_control: msgspec.Raw = ABSENT
    """Where Anthropic caches; other providers cache by themselves."""


class TextBlock(Shape, frozen=True, tag_field="type", tag="text"):
    """A piece of text."""

    text: str
    citations: msgspec.Raw = ABSENT
    """What an earlier answer cited; left out, for the text says it."""


class Base64Source(Struct, frozen=True, tag_field="type", tag="base64"):
    """Bytes by value."""

    media_type: str
    data: str


class UrlSource(Struct, frozen=True, tag_field="type", tag="url"):
    """Bytes by address; Anthropic fetches them."""

    url: str


class PlainTextSource(Struct, frozen=True, tag_field="type", tag="text"):
    """A document of plain text."""

    data: str
    media_type: str = "text/plain"


class ContentSource(Struct, frozen=True, tag_field="type", tag="content"):
    """A document of blocks."""

    content: "str | tuple[TextBlock | ImageBlock, ...]"


class ImageBlock(Shape, frozen=True, tag_field="type", tag="image"):
    """An image."""

    source: Base64Source | UrlSource


class DocumentBlock(Shape, frozen=True, tag_field="type", tag="document"):
    """A document."""

    source: Base64Source | UrlSource | PlainTextSource | ContentSource
    title: str | None = None
    context: str | None = None
    """What is reported of it beside its text."""
    citations: msgspec.Raw = ABSENT
    """True if the answer is to cite it."""


class SearchResultBlock(Shape, frozen=True, tag_field="type", tag="search_result"):
    """A result of the client's own search."""

    source: str
    title: str
    content: tuple[TextBlock, ...] = ()
    citations: msgspec.Raw = ABSENT
    """True if the answer is to cite it."""


class ToolReferenceBlock(Shape, frozen=True, tag_field="type", tag="tool_reference"):
    """A deferred tool that a search of tools found: from here on the model may call it."""

    tool_name: str


class ThinkingBlock(Struct, frozen=True, tag_field="type", tag="thinking"):
    """The model's thinking."""

    thinking: str
    signature: str = ""
    """What Anthropic checks it by; empty where another provider's reasoning is shown in this form."""


class RedactedThinkingBlock(Struct, frozen=True, tag_field="type", tag="redacted_thinking"):
    """The model's thinking, encrypted."""

    data: str


class ToolUseBlock(Shape, frozen=True, kw_only=True, tag_field="type", tag="tool_use"):
    """A tool call."""

    id: str | None = None
    """See `openai_chat_request.ToolCall.id`."""
    name: str
    input: msgspec.Raw
    """A JSON object, untouched."""
    caller: msgspec.Raw = ABSENT
    """Who called; the model itself, where no server tool is offered."""
    toolset_name: str | None = None


ResultPart = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock | ToolReferenceBlock


class ToolResultBlock(Shape, frozen=True, tag_field="type", tag="tool_result"):
    """A tool's result."""

    tool_use_id: str | None = None
    content: str | tuple[ResultPart, ...] = ()
    is_error: bool | None = None
    toolset_name: str | None = None


Block = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | SearchResultBlock
    | ToolUseBlock
    | ToolResultBlock
    | ThinkingBlock
    | RedactedThinkingBlock
)


class TurnConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A change of the answer's settings, from a system turn on."""

    effort: str | None = None


class Turn(Struct, frozen=True, forbid_unknown_fields=True):
    """One turn as a client sends it."""

    role: Literal["user", "assistant", "system"]
    content: str | tuple[Block | ServerBlock | ToolChange, ...]
    output_config: TurnConfig | None = None
    clear_at: str | None = None
    """With ``next_user_message``, a system turn's text is shown until the user says something more."""


class Message(Struct, frozen=True):
    """One turn as it is written; thinking blocks stand in it as they came."""

    role: Literal["user", "assistant", "system"]
    content: tuple[Block | msgspec.Raw, ...]


class Tool(Shape, frozen=True):
    """A tool that the model may call, as it is written."""

    name: str
    input_schema: msgspec.Raw
    description: str | None = None
    strict: bool | None = None


class OfferedTool(Struct, frozen=True):
    """A tool as a client offers it: its own, or one that Anthropic runs or knows by its type."""

    name: str = ""
    type: str | None = None
    input_schema: msgspec.Raw = ABSENT
    description: str | None = None
    strict: bool | None = None
    cache_control: msgspec.Raw = ABSENT
    eager_input_streaming: bool | None = None
    """How finely its input is streamed."""
    defer_loading: bool | None = None
    """True if the model is to see it only once a search of tools has found it."""


class ToolChoice(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The tool choice: ``auto``, ``any``, ``none``, or ``tool`` by name."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class OutputFormat(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="json_schema"):
    """The schema that the answer must meet."""

    schema: msgspec.Raw


class OutputConfig(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The settings of the answer's output."""

    format: OutputFormat | None = None
    effort: str | None = None
    task_budget: msgspec.Raw = ABSENT
    """How many tokens the whole task may take, as the model is told."""


class Metadata(Struct, frozen=True):
    """The metadata of a request: its user."""

    user_id: str | None = None


class Thinking(Struct, frozen=True):
    """The thinking asked for: none, or how much."""

    type: str
    budget_tokens: int | None = None
    """With type ``enabled``: at most so many tokens."""


class Edit(Struct, frozen=True):
    """One thing to clear from a long conversation; only its type is read."""

    type: str


class ContextManagement(Struct, frozen=True):
    """An edit of a long conversation's context."""

    edits: tuple[Edit, ...] = ()


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of ``POST /v1/messages`` as it is written."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    """How many tokens may be given; Anthropic needs a number, which the model's own limit is where absent."""
    system: tuple[TextBlock, ...] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    output_config: OutputConfig | None = None
    thinking: msgspec.Raw = ABSENT
    cache_control: msgspec.Raw = ABSENT
    metadata: Metadata | None = None


class ClientRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/messages`` as a client sends it, as far as another wire format can carry it."""

    messages: tuple[Turn, ...]
    max_tokens: int
    model: str | None = None
    system: str | tuple[TextBlock, ...] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    tools: tuple[OfferedTool, ...] | None = None
    tool_choice: ToolChoice | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    """``output_config.format`` as the beta had it."""
    thinking: Thinking | None = None
    metadata: Metadata | None = None
    context_management: ContextManagement | None = None


_REQUEST = msgspec.json.Decoder(ClientRequest)


def parse_request(body: bytes) -> ClientRequest:
    """Read the whole of a messages request.

    Raises:
        RequestError: The body is not JSON, or a field has the wrong type; ``param`` names it.
        UnsupportedFieldError: It holds a block, a tool or a field that only Anthropic knows.
    """
    return decode_request(_REQUEST, body)
