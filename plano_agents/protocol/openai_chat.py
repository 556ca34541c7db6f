"""The OpenAI chat surface, as a router reads it: what routing needs of a request, and errors in OpenAI's form.

`ChatHead` is what routing needs of a request on any surface; everything else of a body passes unread. The whole
request in frozen types, for an upstream that speaks another wire, stands in `openai_chat_request`; answers in
`openai_completion`.
"""

import re

import msgspec
from msgspec import Struct

from plano_agents.errors import PlanoError
from plano_agents.protocol import sse
from plano_agents.protocol.decoding import BAD_JSON, address, decode_request, split_fields

END_MARK = re.compile(rb'^data: ?\[DONE\]|"finish_reason"\s*:\s*"', re.MULTILINE)
"""What a whole stream has near its end; some compatible providers leave ``[DONE]`` out."""


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
    """What routing needs of a request; the rest of the body is not looked at."""

    messages: tuple[HeadMessage, ...]
    model: str | None = None
    stream: bool | None = None
    routing_preferences: tuple[PreferenceOverride, ...] | None = None


_HEAD = msgspec.json.Decoder(ChatHead)
_MESSAGES = msgspec.json.Decoder(tuple[dict[str, msgspec.Raw], ...])


def parse_head(body: bytes) -> ChatHead:
    """Read what routing needs of a chat request.

    Raises:
        RequestError: The body is not JSON, or a field that is read has the wrong type; ``param`` names it.
    """
    return decode_request(_HEAD, body)


def replace_model(body: bytes, model_id: str) -> bytes:
    """Address a request to an upstream that speaks OpenAI chat.

    ``thinking_blocks`` are our extension and another provider's: a message that has some goes without them and
    without their text, so that a transcript may change models.

    Args:
        body: A JSON object.
        model_id: What the upstream calls the model.

    Returns:
        The body with ``model`` set and what is the router's left out; every other value's bytes untouched.
    """
    fields = split_fields(body)
    if b'"thinking_blocks"' in body and "messages" in fields:
        messages = [_without_thinking(m) for m in decode_request(_MESSAGES, bytes(fields["messages"]))]
        fields["messages"] = msgspec.Raw(msgspec.json.encode(messages))
    return address(fields, model_id)


def encode_error(error: PlanoError) -> bytes:
    """Write an error in OpenAI's form."""
    content = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return msgspec.json.encode({"error": content})


def encode_error_event(error: PlanoError) -> bytes:
    """Write an error as the last event of a stream that broke."""
    return sse.encode_event(encode_error(error))


class ErrorDetail(Struct, frozen=True):
    """An error as an upstream told it; OpenAI's form, which others are read into."""

    message: str
    type: str = "upstream_error"
    param: str | None = None
    code: str | None = None


class _Error(Struct, frozen=True):
    """An error object as providers write it; not all keep to OpenAI's types."""

    message: str = ""
    type: str | None = None
    param: str | None = None
    code: str | int | None = None


class _ErrorBody(Struct, frozen=True):
    error: _Error | str


_ERROR = msgspec.json.Decoder(_ErrorBody)


def parse_error(body: bytes) -> ErrorDetail | None:
    """Read an error body; None where it is not in OpenAI's form, as a gateway's page is not."""
    try:
        error = _ERROR.decode(body).error
    except BAD_JSON:
        return None
    if isinstance(error, str):
        return ErrorDetail(error)
    code = None if error.code is None else str(error.code)
    return ErrorDetail(error.message, error.type or "upstream_error", error.param, code)


def encode_error_detail(error: ErrorDetail) -> bytes:
    """Write an upstream's error in OpenAI's form."""
    return msgspec.json.encode({"error": error})


def _without_thinking(message: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    if "thinking_blocks" not in message:
        return message
    return {
        name: value for name, value in message.items() if name not in {"thinking_blocks", "reasoning_content"}
    }
