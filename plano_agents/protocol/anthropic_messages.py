"""The Anthropic messages surface, as a router reads it: what routing needs of a request, and errors in its form.

Requests and answers in frozen types stand in `anthropic_request` and `anthropic_reply`.
"""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from plano_agents.errors import PlanoError
from plano_agents.protocol import openai_chat, sse
from plano_agents.protocol.decoding import BAD_JSON, decode_request
from plano_agents.protocol.end_mark import EndMark
from plano_agents.protocol.openai_chat import ChatHead
from plano_agents.protocol.thought_signature import drop_sealed

VERSION = "2023-06-01"
"""The ``anthropic-version`` that these shapes are of."""


def _may_tell(events: bytes) -> bool:
    """See `EndMark`; and `openai_chat` of ``find``."""
    return events.find(b"message_stop") >= 0 or events.find(b'"usage"') >= 0 or events.find(b'"error"') >= 0


END_MARK = EndMark(
    re.compile(rb'"type"\s*:\s*"(?:message_stop|(?P<error>error))"'),
    literals=[b"message_stop", b'"error"'],
    may_tell=_may_tell,
)
"""What a stream has near its end."""

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Anthropic's error types by HTTP status; other 4xx are invalid requests, other 5xx API errors."""

_UNSIGNED = re.compile(rb'"signature"\s*:\s*""')
_MESSAGES = msgspec.json.Decoder(tuple[dict[str, msgspec.Raw], ...])
_BLOCKS = msgspec.json.Decoder(tuple[msgspec.Raw, ...])


class _Signed(Struct, frozen=True):
    """A block, read for its signature alone."""

    type: str = ""
    signature: str | None = None


_SIGNED = msgspec.json.Decoder(_Signed)


def parse_head(body: bytes) -> ChatHead:
    """Read what routing needs of a messages request; a turn of tool results alone has no text.

    Raises:
        RequestError: The body is not JSON, or a field that is read has the wrong type or size; ``param`` names it.
    """
    return openai_chat.parse_head(body)


def leave_out_foreign(fields: Mapping[str, msgspec.Raw]) -> Mapping[str, msgspec.Raw]:
    """Leave out of a messages request what Anthropic would refuse.

    Thinking blocks without a signature are this router's own rendering of another provider's reasoning, so they are
    left out, and a transcript may change models. So are Gemini's signatures in calls' ids.

    Args:
        fields: The request's top-level fields.

    Returns:
        The same, or others where something was left out.
    """
    given = fields.get("messages")
    if given is not None and (own := drop_sealed(given)) is not given:
        given, fields = own, {**fields, "messages": own}
    if given is None or _UNSIGNED.search(given) is None:
        return fields
    messages = decode_request(_MESSAGES, bytes(given))
    kept = [message for message in map(_without_unsigned, messages) if message is not None]
    return {**fields, "messages": msgspec.Raw(msgspec.json.encode(kept))}


def encode_error(error: PlanoError) -> bytes:
    """Write an error in Anthropic's form."""
    return encode_error_detail(error.message, error.status_code)


def encode_error_event(error: PlanoError) -> bytes:
    """Write an error as the last event of a stream that broke."""
    return sse.encode_event(encode_error(error), "error")


def encode_error_detail(message: str, status: int, kind: str | None = None) -> bytes:
    """Write an error in Anthropic's form.

    Args:
        message: What went wrong.
        status: The HTTP status that it comes with.
        kind: Anthropic's type, where it is known better than by the status.
    """
    default = "invalid_request_error" if status < 500 else "api_error"  # noqa: PLR2004 - 4xx
    kind = kind or ERROR_TYPES.get(status, default)
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})


def _without_unsigned(message: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw] | None:
    """Leave out a message's unsigned thinking; None where nothing else is in it."""
    content = bytes(message.get("content", b""))
    if not content.startswith(b"[") or _UNSIGNED.search(content) is None:
        return message
    blocks = decode_request(_BLOCKS, content)
    kept = [block for block in blocks if not _is_unsigned(bytes(block))]
    return {**message, "content": msgspec.Raw(msgspec.json.encode(kept))} if kept else None


def _is_unsigned(block: bytes) -> bool:
    try:
        read = _SIGNED.decode(block)
    except BAD_JSON:
        return False
    return read.type == "thinking" and not read.signature
