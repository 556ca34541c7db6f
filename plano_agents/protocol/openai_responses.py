"""The OpenAI responses surface, as a router reads it: what routing needs of a request, errors, sealed thinking.

Anthropic's thinking travels in a reasoning item's ``encrypted_content``, which a client sends back as it came:
`SEAL` and the base64 of the blocks' JSON. It is sealed against change by nobody but Anthropic, whose signature is in
each block. Requests and answers in frozen types stand in `openai_responses_request` and `openai_response`.
"""

import base64
import binascii
import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from plano_agents.errors import PlanoError, UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.protocol.decoding import ABSENT, BAD_JSON, decode_request
from plano_agents.protocol.end_mark import EndMark
from plano_agents.protocol.openai_chat import (
    ChatHead,
    HeadMessage,
    HeadPart,
    PreferenceOverride,
    check_head,
)
from plano_agents.protocol.sealed_summary import unseal_summary
from plano_agents.protocol.thought_signature import drop_sealed

END_MARK = EndMark(
    re.compile(rb"^event: ?(?:response\.(?:completed|incomplete|failed)|(?P<error>error))\s*$", re.MULTILINE),
    re.compile(rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|(?P<error>error))"'),
    literals=[b"response.completed", b"response.incomplete", b"response.failed", b"error\n", b'"error"'],
)
"""What a stream has near its end; some providers leave ``event:`` lines out. The last event repeats the whole answer,
so it may stand far from the end."""

SEAL = "plano.v1."
"""What ``encrypted_content`` begins with where it is ours."""


_ANSWERS = ("_output", "mcp_approval_response")
"""What the types of items end with that answer the model's calls."""


class _HeadItem(Struct, frozen=True):
    """An input item, read for a message's text; other items have no role."""

    type: object = None
    role: str | None = None
    content: str | tuple[HeadPart, ...] | None = None

    @property
    def message(self) -> HeadMessage | None:
        """The item as a message; a call's output is a tool's, without its text. None for any other item."""
        if self.role is not None:
            return HeadMessage(self.role, self.content)
        is_answer = isinstance(self.type, str) and self.type.endswith(_ANSWERS)
        return HeadMessage("tool") if is_answer else None


class _Head(Struct, frozen=True):
    input: str | tuple[_HeadItem, ...] = ()
    model: str | None = None
    stream: bool | None = None
    routing_preferences: tuple[PreferenceOverride, ...] | None = None
    instructions: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _SealedItem(Struct, frozen=True):
    """An input item, read for sealed thinking."""

    encrypted_content: str | None = None


_HEAD = msgspec.json.Decoder(_Head)
_INPUT = msgspec.json.Decoder(str | tuple[msgspec.Raw, ...])
_SEALED = msgspec.json.Decoder(_SealedItem)
_BLOCKS = msgspec.json.Decoder(tuple[msgspec.Raw, ...])


def parse_head(body: bytes) -> ChatHead:
    """Read what routing needs of a responses request; tool calls are not messages, and their outputs have no text.

    Raises:
        RequestError: The body is not JSON, or a field that is read has the wrong type or size; ``param`` names it.
    """
    head = decode_request(_HEAD, body)
    messages = (
        (HeadMessage("user", head.input),)
        if isinstance(head.input, str)
        else tuple(message for item in head.input if (message := item.message) is not None)
    )
    return check_head(ChatHead(messages, head.model, head.stream, head.routing_preferences, head.instructions))


def leave_out_foreign(fields: Mapping[str, msgspec.Raw]) -> Mapping[str, msgspec.Raw]:
    """Leave out of a responses request what only another provider reads.

    Reasoning items that hold another provider's sealed thinking are left out: OpenAI could not decrypt them, and a
    transcript may change models. So are Gemini's signatures in calls' ids. Summaries sealed here are the user's.

    Args:
        fields: The request's top-level fields.

    Returns:
        The same, or others where something was left out.
    """
    given = fields.get("input")
    if given is not None and (own := drop_sealed(given)) is not given:
        given, fields = own, {**fields, "input": own}
    if given is None or SEAL.encode() not in bytes(given):
        return fields
    items = decode_request(_INPUT, bytes(given))
    if isinstance(items, str):
        return fields
    kept = [read for item in items if (read := _unseal_item(item)) is not None]
    return {**fields, "input": msgspec.Raw(msgspec.json.encode(kept))}


def encode_error_event(error: PlanoError) -> bytes:
    """Write an error as the last event of a stream that broke: clients wait for a response that failed."""
    failure = {"code": "server_error", "message": error.message}
    failed = {"id": "", "object": "response", "status": "failed", "error": failure, "output": []}
    content = {"type": "response.failed", "sequence_number": 0, "response": failed}
    return sse.encode_event(msgspec.json.encode(content), "response.failed")


def seal_thinking(blocks: tuple[msgspec.Raw, ...]) -> str:
    """Put thinking blocks, byte for byte, into a reasoning item's ``encrypted_content``."""
    return SEAL + base64.b64encode(msgspec.json.encode(blocks)).decode()


def unseal_thinking(content: str | None) -> tuple[msgspec.Raw, ...] | None:
    """Take thinking blocks out again; None where the content is not ours."""
    if content is None or not content.startswith(SEAL):
        return None
    try:
        return _BLOCKS.decode(base64.b64decode(content.removeprefix(SEAL), validate=True))
    except (binascii.Error, ValueError, *BAD_JSON):
        return None


def _unseal_item(item: msgspec.Raw) -> object | None:
    """Read what OpenAI can read of an item; None for nothing."""
    try:
        content = _SEALED.decode(item).encrypted_content
    except BAD_JSON:
        return item
    if content is None or not content.startswith(SEAL):
        return item
    summary = unseal_summary(content)
    return None if summary is None else {"type": "message", "role": "user", "content": summary}


class _ResponseEvent(Struct, frozen=True):
    """An event that carries a response."""

    type: str = ""
    response: msgspec.Raw = ABSENT


_RESPONSE_EVENT = msgspec.json.Decoder(_ResponseEvent)
_ENDS = ("response.completed", "response.incomplete", "response.failed")
_STATUS = re.compile(rb'"status"\s*:\s*"(completed|incomplete|failed)"')


def join_events(body: bytes) -> bytes:
    """Take the whole response out of a stream's events.

    Raises:
        UpstreamProtocolError: The stream was cut.
    """
    for event in reversed(sse.decode_events(body)):
        try:
            read = _RESPONSE_EVENT.decode(event.data)
        except BAD_JSON:
            continue
        if read.type in _ENDS and read.response != ABSENT:
            return bytes(read.response)
    raise UpstreamProtocolError("The provider's stream ended before the answer did.")


def write_events(body: bytes) -> bytes:
    """Write a whole response as the events of a stream."""
    found = _STATUS.search(body)
    last = f"response.{found[1].decode()}" if found is not None else _ENDS[0]
    written = []
    for number, kind in enumerate(("response.created", last)):
        content = {"type": kind, "sequence_number": number, "response": msgspec.Raw(body)}
        written.append(sse.encode_event(msgspec.json.encode(content), kind))
    return b"".join(written)
