"""A whole OpenAI chat request in frozen types: the hub that requests of every surface are translated through.

Shapes are those of OpenAI's API reference, "Create chat completion", extended where the hub must carry more than
OpenAI's wire can: a message's thinking (`AssistantMessage`), a failed tool's mark (`ToolMessage.is_error`), a
document by address (`FileData.file_url`), and Anthropic's ``thinking`` and ``cache_control`` parameters.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from plano_agents.errors import RequestError
from plano_agents.protocol.decoding import ABSENT, BAD_JSON, decode_request


class CacheMarked(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece that may carry Anthropic's mark for its prompt cache; an extension that many clients write."""

    cache_control: msgspec.Raw = ABSENT
    """Where Anthropic caches, untouched; other providers cache by themselves."""


class TextPart(CacheMarked, frozen=True, tag_field="type", tag="text"):
    """A piece of text."""

    text: str


class ImageUrl(Struct, frozen=True, omit_defaults=True):
    """The address of an image."""

    url: str
    """An ``https`` address or a base64 ``data:`` URL."""
    detail: str | None = None


class ImagePart(CacheMarked, frozen=True, tag_field="type", tag="image_url"):
    """An image."""

    image_url: ImageUrl | str
    """An address alone is Mistral's form."""


class RefusalPart(Struct, frozen=True, tag_field="type", tag="refusal"):
    """An assistant's earlier refusal."""

    refusal: str


class FileData(Struct, frozen=True, omit_defaults=True):
    """A document: by value, by the id of an upload, or by address."""

    filename: str | None = None
    file_data: str | None = None
    """A base64 ``data:`` URL."""
    file_id: str | None = None
    file_url: str | None = None
    """An address that the upstream fetches; an extension of the hub's."""


class FilePart(CacheMarked, frozen=True, tag_field="type", tag="file"):
    """A document."""

    file: FileData


class AudioPart(Struct, frozen=True, tag_field="type", tag="input_audio"):
    """A recording; read so that the error can name it."""

    input_audio: msgspec.Raw


Part = TextPart | ImagePart | RefusalPart | FilePart | AudioPart
Content = str | tuple[Part, ...] | None


class FunctionCall(Struct, frozen=True):
    """The function that a tool call names."""

    name: str
    arguments: str | dict[str, Any] | None
    """JSON text, as the model wrote it; some clients send the object itself, or null where there are none."""


class ToolCall(Struct, frozen=True):
    """One call of a function tool."""

    function: FunctionCall
    id: str | None = None
    """Some servers give none, so that their clients have none to send; `providers.fit` gives it one."""
    type: Literal["function"] = "function"
    extra_content: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """What Gemini adds to a call: its thought signature; see `thought_signature`."""
    cache_control: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """See `CacheMarked`."""


class SystemMessage(CacheMarked, frozen=True, tag_field="role", tag="system"):
    """The developer's instructions."""

    content: Content


class DeveloperMessage(CacheMarked, frozen=True, tag_field="role", tag="developer"):
    """The developer's instructions, in the newer spelling."""

    content: Content


class UserMessage(CacheMarked, frozen=True, tag_field="role", tag="user"):
    """A user's message."""

    content: Content


class AssistantMessage(CacheMarked, frozen=True, kw_only=True, omit_defaults=True, tag_field="role", tag="assistant"):
    """A message of the model, with the tools that it called."""

    content: Content = None
    tool_calls: tuple[ToolCall, ...] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    """What it thought, to be read; where there are no blocks it is all that is known of it."""
    thinking_blocks: tuple[msgspec.Raw, ...] | None = None
    """Anthropic's ``thinking`` and ``redacted_thinking`` blocks, untouched: their signatures are checked."""
    audio: msgspec.Raw = ABSENT
    """Read so that the error can name it."""
    function_call: msgspec.Raw = ABSENT
    """The form before tool calls; read so that the error can name it."""


class ToolMessage(CacheMarked, frozen=True, omit_defaults=True, tag_field="role", tag="tool"):
    """A tool's result."""

    tool_call_id: str | None = None
    """Its call's id."""
    content: Content = None
    is_error: bool | None = None
    """True if the tool failed; an extension of the hub's."""


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


class FunctionDefinition(CacheMarked, frozen=True, omit_defaults=True):
    """The definition of a function tool."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw = ABSENT
    """JSON Schema of the arguments, untouched."""
    strict: bool | None = None


class Tool(CacheMarked, frozen=True, tag_field="type", tag="function"):
    """A function that the model may call."""

    function: FunctionDefinition


class NamedFunction(Struct, frozen=True):
    """A function's name alone."""

    name: str


class NamedToolChoice(Struct, frozen=True, tag_field="type", tag="function"):
    """The one function that the model must call."""

    function: NamedFunction


class AllowedTool(Struct, frozen=True):
    """A tool among those allowed."""

    function: NamedFunction
    type: Literal["function"] = "function"


class AllowedTools(Struct, frozen=True):
    """The choice of tools that the model may call."""

    mode: Literal["auto", "required"]
    tools: tuple[AllowedTool, ...]


class AllowedToolsChoice(Struct, frozen=True, tag_field="type", tag="allowed_tools"):
    """A choice among some of the offered tools."""

    allowed_tools: AllowedTools


ToolChoice = Literal["none", "auto", "required"] | NamedToolChoice | AllowedToolsChoice


class StreamOptions(Struct, frozen=True):
    """Options of a streamed answer."""

    include_usage: bool | None = False


class JsonSchema(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A named schema that the answer must meet."""

    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = ABSENT
    """The JSON Schema, untouched."""
    strict: bool | None = None


class ResponseFormat(Struct, frozen=True, omit_defaults=True):
    """The form that the answer must take."""

    type: str
    json_schema: JsonSchema | None = None


class ChatRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole of a chat request, as far as another wire format can carry it."""

    messages: tuple[Message, ...]
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | tuple[str, ...] | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    thinking: msgspec.Raw = ABSENT
    """Anthropic's parameter, untouched; an extension of the hub's, and of some providers' own wires."""
    cache_control: msgspec.Raw = ABSENT
    """Anthropic's parameter, untouched: with it Anthropic caches the prompt as OpenAI does by itself."""
    user: str | None = None
    safety_identifier: str | None = None


class _Options(Struct, frozen=True):
    stream_options: StreamOptions | None = None


_REQUEST = msgspec.json.Decoder(ChatRequest)
_OPTIONS = msgspec.json.Decoder(_Options)


def parse_request(body: bytes) -> ChatRequest:
    """Read the whole of a chat request.

    Raises:
        RequestError: The body is not JSON, or a field has the wrong type; ``param`` names it.
    """
    return decode_request(_REQUEST, body)


def read_stream_options(body: bytes) -> StreamOptions | None:
    """Read a request's stream options alone; None where it has none that can be read."""
    try:
        return _OPTIONS.decode(body).stream_options
    except BAD_JSON:
        return None


def wants_usage(request: ChatRequest) -> bool:
    """Check whether a streamed answer is to end with its usage."""
    return request.stream_options is not None and bool(request.stream_options.include_usage)


def list_call_ids(request: ChatRequest) -> frozenset[str]:
    """List the ids of the calls that stand in a request."""
    return frozenset(
        call.id
        for message in request.messages
        if isinstance(message, AssistantMessage)
        for call in message.tool_calls or ()
        if call.id
    )


def find_limit(request: ChatRequest) -> int | None:
    """Find how many tokens may be given; what is said in the newer spelling counts. 0 is a limit too."""
    newer = request.max_completion_tokens
    return request.max_tokens if newer is None else newer


def resolve_tool_choice(request: ChatRequest) -> ChatRequest:
    """Offer only the tools that ``tool_choice`` allows, for wires that know no such choice.

    Raises:
        RequestError: A tool must be called, and none is offered.
    """
    choice = request.tool_choice
    if isinstance(choice, AllowedToolsChoice):
        names = {tool.function.name for tool in choice.allowed_tools.tools}
        tools = tuple(tool for tool in request.tools or () if tool.function.name in names)
        request = msgspec.structs.replace(request, tools=tools, tool_choice=choice.allowed_tools.mode)
    if not request.tools and request.tool_choice not in {None, "none", "auto"}:
        raise RequestError(
            "'tool_choice' requires a call, but no tool is offered. Offer it in 'tools', or leave 'tool_choice' out.",
            param="tool_choice",
        )
    return request
