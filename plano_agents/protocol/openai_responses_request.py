"""OpenAI's responses requests, as clients send them.

Shapes are those of OpenAI's API reference, "Create a model response". Input items, content parts, tools and tool
choices are each read into one wide shape, for their kind need not be named; which kinds can be carried is the
translation's business.
"""

from typing import Any

import msgspec
from msgspec import Struct

from plano_agents.protocol.decoding import ABSENT, decode_request


class Part(Struct, frozen=True):
    """A content part of any type."""

    type: str
    text: str = ""
    refusal: str = ""
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    filename: str | None = None
    file_data: str | None = None
    file_url: str | None = None


Content = str | tuple[Part, ...] | None


class Summary(Struct, frozen=True):
    """A piece of a reasoning item's summary."""

    text: str = ""


class ToolFormat(Struct, frozen=True):
    """The form of a custom tool's input."""

    type: str = "text"
    syntax: str = ""
    """The grammar's language."""
    definition: str = ""
    """The grammar."""


class Tool(Struct, frozen=True):
    """A tool of any type."""

    type: str
    name: str = ""
    description: str | None = None
    parameters: msgspec.Raw = ABSENT
    """JSON Schema of a function's arguments, untouched."""
    strict: bool | None = None
    format: ToolFormat | None = None
    tools: "tuple[Tool, ...]" = ()
    """A namespace's."""
    defer_loading: bool | None = None
    """True if the model is to see it only once a search of tools has found it."""
    execution: str | None = None
    """Who runs a search of tools: ``client``, or else OpenAI."""


class Format(Struct, frozen=True):
    """The form that the answer must take."""

    type: str
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = ABSENT
    """The JSON Schema, untouched."""
    strict: bool | None = None


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of the answer's text."""

    format: Format | None = None
    verbosity: str | None = None


class Reasoning(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of the model's reasoning."""

    effort: str | None = None
    summary: str | None = None
    """How its reasoning is told; told as the model that serves tells it."""
    generate_summary: str | None = None
    context: str | None = None


class Item(Struct, frozen=True):
    """An input item of any type."""

    type: str | None = None
    """Absent on messages in the short form."""
    id: str | None = None
    role: str | None = None
    content: Content = None
    call_id: str | None = None
    name: str = ""
    namespace: str | None = None
    """That of the function or the custom tool that is called."""
    arguments: str | dict[str, Any] | None = ""
    """A function's, JSON text; those of a search of tools are an object."""
    input: str = ""
    """A custom tool's."""
    action: dict[str, Any] | None = None
    """A local shell's."""
    execution: str | None = None
    """Who runs a search of tools."""
    tools: tuple[Tool, ...] = ()
    """Those that such a search found, or that are added."""
    output: Content = None
    summary: tuple[Summary, ...] = ()
    encrypted_content: str | None = None
    reasoning: Reasoning | None = None
    """What a ``configuration_update`` sets from there on."""
    text: Text | None = None
    """The same."""


class ChosenTool(Struct, frozen=True):
    """A tool named by a tool choice."""

    type: str
    name: str = ""
    namespace: str | None = None


class ToolChoice(Struct, frozen=True):
    """A tool choice that is not a single word."""

    type: str
    name: str = ""
    namespace: str | None = None
    mode: str = "auto"
    tools: tuple[ChosenTool, ...] = ()


class ClientRequest(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/responses``, as far as another wire format can carry it."""

    input: str | tuple[Item, ...] = ()
    model: str | None = None
    instructions: str | None = None
    stream: bool | None = None
    include: tuple[str, ...] | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: Text | None = None
    reasoning: Reasoning | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None


_REQUEST = msgspec.json.Decoder(ClientRequest)


def parse_request(body: bytes) -> ClientRequest:
    """Read the whole of a responses request.

    Raises:
        RequestError: The body is not JSON, or a field has the wrong type; ``param`` names it.
        UnsupportedFieldError: It holds a field that is not known.
    """
    return decode_request(_REQUEST, body)
