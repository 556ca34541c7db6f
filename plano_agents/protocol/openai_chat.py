"""OpenAI's chat completion requests, as a proxy reads them.

Two readings of a request: `ChatHead` holds what the router needs of any request and lets everything else pass
unread; `ChatRequest` is the whole request in frozen types, for an upstream that speaks another wire. Shapes are
those of OpenAI's API reference, "Create chat completion"; answers stand in `openai_completion`.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from plano_agents.errors import PlanoError, RequestError

T = TypeVar("T")

ABSENT = msgspec.Raw(b"null")
"""What an untouched value is where the request has none."""


class TextPart(Struct, frozen=True, tag_field="type", tag="text"):
    """A piece of text."""

    text: str


class ImageUrl(Struct, frozen=True):
    """Where an image is."""

    url: str
    """An ``https`` address or a base64 ``data:`` URL."""
    detail: str | None = None


class ImagePart(Struct, frozen=True, tag_field="type", tag="image_url"):
    """An image."""

    image_url: ImageUrl


class RefusalPart(Struct, frozen=True, tag_field="type", tag="refusal"):
    """An assistant's earlier refusal."""

    refusal: str


class FileData(Struct, frozen=True):
    """A document, by value or by the id of an upload."""

    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class FilePart(Struct, frozen=True, tag_field="type", tag="file"):
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
    arguments: str
    """JSON text, as the model wrote it."""


class ToolCall(Struct, frozen=True):
    """One call of a function tool."""

    id: str
    function: FunctionCall
    type: Literal["function"] = "function"


class SystemMessage(Struct, frozen=True, tag_field="role", tag="system"):
    """The developer's instructions."""

    content: Content


class DeveloperMessage(Struct, frozen=True, tag_field="role", tag="developer"):
    """The developer's instructions, in the newer spelling."""

    content: Content


class UserMessage(Struct, frozen=True, tag_field="role", tag="user"):
    """What the user said."""

    content: Content


class AssistantMessage(Struct, frozen=True, tag_field="role", tag="assistant"):
    """What the model said, and the tools it called."""

    content: Content = None
    tool_calls: tuple[ToolCall, ...] | None = None
    refusal: str | None = None


class ToolMessage(Struct, frozen=True, tag_field="role", tag="tool"):
    """A tool's result."""

    tool_call_id: str
    content: Content


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


class FunctionDefinition(Struct, frozen=True, omit_defaults=True):
    """What a function tool does and takes."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw = ABSENT
    """JSON Schema of the arguments, untouched."""
    strict: bool | None = None


class Tool(Struct, frozen=True):
    """A function that the model may call."""

    function: FunctionDefinition
    type: Literal["function"] = "function"


class NamedFunction(Struct, frozen=True):
    """A function's name alone."""

    name: str


class NamedToolChoice(Struct, frozen=True):
    """The one function that the model must call."""

    function: NamedFunction
    type: Literal["function"] = "function"


ToolChoice = Literal["none", "auto", "required"] | NamedToolChoice


class StreamOptions(Struct, frozen=True):
    """Options of a streamed answer."""

    include_usage: bool | None = False


class JsonSchema(Struct, frozen=True, kw_only=True):
    """A named schema that the answer must meet."""

    name: str | None = None
    schema: msgspec.Raw = ABSENT
    """The JSON Schema, untouched."""
    strict: bool | None = None


class ResponseFormat(Struct, frozen=True):
    """The form that the answer must take."""

    type: str
    json_schema: JsonSchema | None = None


class PreferenceOverride(Struct, frozen=True):
    """One entry of a request's own ``routing_preferences``, as Plano takes them."""

    name: str
    description: str
    models: tuple[str, ...]


class HeadPart(Struct, frozen=True):
    """A content part of any type, read for its text alone."""

    type: str = ""
    text: str | None = None


class HeadMessage(Struct, frozen=True):
    """A message of any role, read for its text alone."""

    role: str
    content: str | tuple[HeadPart, ...] | None = None


class ChatHead(Struct, frozen=True):
    """What routing needs of a chat request; the rest of the body is not looked at."""

    messages: tuple[HeadMessage, ...]
    model: str | None = None
    stream: bool | None = None
    routing_preferences: tuple[PreferenceOverride, ...] | None = None


class ChatRequest(Struct, frozen=True, kw_only=True):
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
    user: str | None = None
    safety_identifier: str | None = None


_HEAD = msgspec.json.Decoder(ChatHead)
_REQUEST = msgspec.json.Decoder(ChatRequest)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_head(body: bytes) -> ChatHead:
    """Read what routing needs of a chat request.

    Raises:
        RequestError: The body is not JSON, or a field that is read has the wrong type; ``param`` names it.
    """
    return _decode(_HEAD, body)


def parse_request(body: bytes) -> ChatRequest:
    """Read the whole of a chat request.

    Raises:
        RequestError: The body is not JSON, or a field has the wrong type; ``param`` names it.
    """
    return _decode(_REQUEST, body)


def parse_fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Split a request into its top-level fields, each value's bytes untouched.

    Raises:
        RequestError: The body is not a JSON object.
    """
    return _decode(_FIELDS, body)


def replace_model(body: bytes, model_id: str) -> bytes:
    """Address a request to an upstream: its own model id, without the fields that are the router's.

    Args:
        body: A JSON object.
        model_id: What the upstream calls the model.

    Returns:
        The body with ``model`` set and ``routing_preferences`` left out; every other value's bytes untouched.
    """
    fields: dict[str, Any] = dict(parse_fields(body))
    fields.pop("routing_preferences", None)
    fields["model"] = model_id
    return msgspec.json.encode(fields)


def encode_error(error: PlanoError) -> bytes:
    """Write an error in OpenAI's form."""
    content: Mapping[str, str | None] = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    return msgspec.json.encode({"error": content})


def _decode(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """Decode, with the failure told as the client's."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        param = where.strip("`").lstrip(".") or None
        place = f" in {param!r}" if param else ""
        raise RequestError(f"Invalid request{place}: {what}.", param=param) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"The body is not valid JSON: {error}. Send one JSON object.") from error
