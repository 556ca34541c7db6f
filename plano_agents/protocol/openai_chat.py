"""The OpenAI chat surface, as a router reads it: what routing needs of a request, and errors in OpenAI's form.

`ChatHead` is what routing needs of a request on any surface; everything else of a body passes unread. Its names go
into headers and pins, and its preferences are weighed word by word, so `check_head` bounds them for every surface. The
whole request in frozen types, for an upstream that speaks another wire, stands in `openai_chat_request`; answers in
`openai_completion`.
"""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from plano_agents.errors import PlanoError, RequestError
from plano_agents.protocol import sse
from plano_agents.protocol.decoding import decode_request
from plano_agents.protocol.end_mark import EndMark


def _may_tell(events: bytes) -> bool:
    """See `EndMark`; many providers write both into each chunk, null in all but the last.

    ``find`` in place of ``in``, which writes an error text for each bytes that it looks for (`bytes.__contains__`).
    """
    is_set = events.count(b'"finish_reason"') != events.count(b'"finish_reason":null')  # or null after a space
    if (is_set and _has_value(events, b'"finish_reason"')) or (
        events.find(b'"usage"') >= 0 and _has_value(events, b'"usage"')
    ):
        return True
    return events.find(b'"error"') >= 0 or events.find(sse.DONE_MARK) >= 0


def _has_value(events: bytes, name: bytes) -> bool:
    """Check whether a field stands anywhere with anything but null."""
    count = events.count(name)
    return count != events.count(name + b":null") and count != events.count(name + b": null")


END_MARK = EndMark(
    re.compile(rb'"error"\s*:\s*(?P<error>\{(?!\s*\})|"(?!"))'),
    re.compile(rb'"finish_reason"\s*:\s*"'),
    re.compile(rb"\[DONE\](?:(?<=^data: \[DONE\])|(?<=^data:\[DONE\]))", re.MULTILINE),
    beginnings=[b'"error"', b'"finish_reason"', b"[DONE]"],
    may_tell=_may_tell,
)
"""What a stream has near its end; some compatible providers leave ``[DONE]`` out."""

MAX_NAME_CHARS = 256
"""The longest name of a model or a preference."""

MAX_PREFERENCES = 64
"""How many preferences of its own a request may bring."""

MAX_DESCRIPTION_CHARS = 4_000
"""The longest description of one of them."""

MAX_PREFERENCE_MODELS = 64
"""How many models one of them may name."""

SHOWN_CHARACTERS = 60
"""How much of a refused name an error shows."""

_MODEL = re.compile(rf"[!-~]{{1,{MAX_NAME_CHARS}}}")
_ROUTE = re.compile(rf"[!-~](?:[ -~]{{0,{MAX_NAME_CHARS - 2}}}[!-~])?")


class SelectionPolicy(Struct, frozen=True):
    """The order in which a preference's models are tried."""

    prefer: Literal["cheapest", "fastest", "none"] = "none"


class PreferenceOverride(Struct, frozen=True):
    """One entry of a request's own ``routing_preferences``, as Plano takes them."""

    name: str
    description: str
    models: tuple[str, ...]
    selection_policy: SelectionPolicy | None = None


class HeadPart(Struct, frozen=True):
    """A content part of any type, read for its text alone."""

    type: str = ""
    text: str | None = None


class HeadMessage(Struct, frozen=True):
    """A message of any role, read for its text alone."""

    role: str
    content: str | tuple[HeadPart, ...] | None = None


class ChatHead(Struct, frozen=True):
    """The head of a request: the fields that routing needs; the rest of the body is not looked at."""

    messages: tuple[HeadMessage, ...]
    model: str | None = None
    stream: bool | None = None
    routing_preferences: tuple[PreferenceOverride, ...] | None = None
    system: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """The system prompt, where it stands beside the messages."""


_HEAD = msgspec.json.Decoder(ChatHead)
_MESSAGES = msgspec.json.Decoder(tuple[dict[str, msgspec.Raw], ...])


def parse_head(body: bytes) -> ChatHead:
    """Read what routing needs of a chat request.

    Raises:
        RequestError: The body is not JSON, or a field that is read has the wrong type or size; ``param`` names it.
    """
    return check_head(decode_request(_HEAD, body))


def check_head(head: ChatHead) -> ChatHead:
    """Refuse names that no header can carry, and preferences that are too many or too long.

    Args:
        head: What was read.

    Returns:
        The same.

    Raises:
        RequestError: Something is; ``param`` names it.
    """
    if head.model is not None:
        check_model(head.model)
    preferences = head.routing_preferences or ()
    _check_size(len(preferences), MAX_PREFERENCES, "routing_preferences", "entries")
    for number, preference in enumerate(preferences):
        where = f"routing_preferences[{number}]"
        _check_name(_ROUTE, preference.name, f"{where}.name")
        _check_size(len(preference.description), MAX_DESCRIPTION_CHARS, f"{where}.description", "characters")
        _check_size(len(preference.models), MAX_PREFERENCE_MODELS, f"{where}.models", "models")
        for position, model in enumerate(preference.models):
            _check_name(_MODEL, model, f"{where}.models[{position}]")
    return head


def check_model(name: str) -> None:
    """Refuse the name of a model that no header can carry.

    Raises:
        RequestError: It is one.
    """
    _check_name(_MODEL, name, "model")


def leave_out_foreign(fields: Mapping[str, msgspec.Raw]) -> Mapping[str, msgspec.Raw]:
    """Leave out of a chat request what only another provider reads.

    ``thinking_blocks`` are our extension and another provider's: a message that has some goes without them and
    without their text, so that a transcript may change models.

    Args:
        fields: The request's top-level fields.

    Returns:
        The same, or others where something was left out.
    """
    given = fields.get("messages")
    if given is None or b'"thinking_blocks"' not in bytes(given):
        return fields
    messages = [_without_thinking(m) for m in decode_request(_MESSAGES, bytes(given))]
    return {**fields, "messages": msgspec.Raw(msgspec.json.encode(messages))}


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


def encode_error_detail(error: ErrorDetail) -> bytes:
    """Write an upstream's error in OpenAI's form."""
    return msgspec.json.encode({"error": error})


def _check_name(form: re.Pattern[str], name: str, where: str) -> None:
    if form.fullmatch(name) is None:
        shown = repr(name) if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]!r}…"
        raise RequestError(
            f"{where!r} is {shown}, which is not a valid name. Write 1 to {MAX_NAME_CHARS} visible ASCII characters.",
            param=where,
        )


def _check_size(size: int, most: int, where: str, what: str) -> None:
    if size > most:
        raise RequestError(f"{where!r} has {size:,} {what}; at most {most:,} are taken.", param=where)


def _without_thinking(message: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    if "thinking_blocks" not in message:
        return message
    return {name: value for name, value in message.items() if name not in {"thinking_blocks", "reasoning_content"}}
