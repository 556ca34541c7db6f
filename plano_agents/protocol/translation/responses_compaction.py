"""Compaction of a responses transcript by a model whose provider has none: asked for, and given in OpenAI's form.

A request asks for it by its last item, a ``compaction_trigger``, and is answered with one compaction item; or by
``POST /v1/responses/compact``, whose answer holds the user's messages before that item. Either way the model is asked
for a summary, which the item seals (`sealed_summary`). In a later transcript the item stands for what was said before
it, but for messages of the user, the developer and the system: those are kept, as clients of OpenAI's keep them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from plano_agents.errors import RequestError, UpstreamProtocolError
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol import openai_response as response
from plano_agents.protocol import openai_responses_request as responses
from plano_agents.protocol.decoding import BAD_JSON, decode_request
from plano_agents.protocol.sealed_summary import seal_summary, unseal_summary
from plano_agents.protocol.translation.chat_reply_to_responses import end_response, start_response
from plano_agents.protocol.translation.chat_stream_to_responses import ResponsesStreamWriter
from plano_agents.protocol.translation.response_items import Event

TRIGGER = "compaction_trigger"
"""The type of the item that asks for a compaction."""

COMPACTED = frozenset({"compaction", "compaction_summary", "context_compaction"})
"""The types of the items that a compaction leaves, as Codex has called them."""

ASKED = (
    "Stop here and write a summary of this conversation, for a model that goes on with the work and sees nothing of "
    "it but your summary and the user's messages. Call no tool. Say what the user wants, and every instruction and "
    "preference that still holds; what was done and found, with the exact names, paths, commands, values and errors "
    "that matter; what was decided and why; where the work stands, and what is to be done next."
)
"""What the model is asked in place of the item."""

RETAINED_CHARACTERS = 256_000
"""How much of the user's messages a compacted transcript keeps, the newest first; OpenAI keeps 64,000 tokens."""

_KEPT_ROLES = frozenset({"developer", "system", "user"})
_NO_SUMMARY = "The model wrote no summary of the conversation."


class _Typed(Struct, frozen=True):
    """An input item, read for its type."""

    type: str | None = None


_FLAGS = frozenset({b"true", b"false", b"null"})
_TYPES = msgspec.json.Decoder(str | tuple[_Typed, ...] | None)
_ITEMS = msgspec.json.Decoder(str | tuple[msgspec.Raw, ...] | None)


def asks_for_compaction(fields: Mapping[str, msgspec.Raw]) -> bool:
    """Check whether a responses request asks for a compaction: its last item says so.

    Args:
        fields: Its top-level fields.
    """
    given = bytes(fields.get("input", b""))
    if TRIGGER.encode() not in given:
        return False
    try:
        items = _TYPES.decode(given)
    except BAD_JSON:
        return False
    return bool(items) and not isinstance(items, str) and items[-1].type == TRIGGER


def add_trigger(fields: Mapping[str, msgspec.Raw]) -> bytes:
    """Write a request for a whole compaction as a request for an answer that asks for one.

    Args:
        fields: The top-level fields of the former.

    Raises:
        RequestError: ``input`` is neither text nor a list, or holds nothing.
    """
    items = decode_request(_ITEMS, bytes(fields.get("input", b"null"))) or ()
    if not items and "previous_response_id" not in fields:  # which is refused for what it leads to
        raise RequestError("'input' holds nothing to compact. Give it as a text, or as a list of items.", param="input")
    given: Sequence[object] = ({"role": "user", "content": items},) if isinstance(items, str) else items
    kept = {name: value for name, value in fields.items() if name != "stream" or bytes(value) not in _FLAGS}
    return msgspec.json.encode({**kept, "input": (*given, {"type": TRIGGER})})


def list_kept(items: tuple[responses.Item, ...]) -> Iterator[tuple[int, responses.Item]]:
    """List the items that still speak, with their places: after the last summary all, before it the messages.

    The summary, and the last item where it asks for one, are messages of the user.

    Args:
        items: A transcript.
    """
    summaries = {place: said for place, item in enumerate(items) if (said := _read_summary(item)) is not None}
    last = max(summaries, default=-1)
    for place, item in enumerate(items):
        if place == last:
            yield place, responses.Item(type="message", role="user", content=summaries[place])
        elif item.type == TRIGGER:
            if place == len(items) - 1:
                yield place, responses.Item(type="message", role="user", content=ASKED)
        elif place > last or (item.role in _KEPT_ROLES and item.type in {None, "message"}):
            yield place, item


def _read_summary(item: responses.Item) -> str | None:
    return unseal_summary(item.encrypted_content) if item.type in COMPACTED else None


def encode_compaction(completion: openai.Completion, frame: response.Response) -> bytes:
    """Write a model's summary as a response of one compaction item.

    Args:
        completion: The model's answer.
        frame: What the response repeats of its request.

    Raises:
        UpstreamProtocolError: It has no text, or no finish reason.
    """
    choice = completion.choices[0]
    text = choice.message.content
    if not text:
        raise UpstreamProtocolError(_NO_SUMMARY)
    started = start_response(frame, completion.id, completion.model)
    item = _build_item(completion.id, text)
    return msgspec.json.encode(end_response(started, choice.finish_reason, (item,), completion.usage))


def _build_item(reply_id: str, text: str) -> response.CompactionItem:
    return response.CompactionItem(f"cmp_{reply_id}", seal_summary(text))


class CompactionStreamWriter(ResponsesStreamWriter):
    """Writes the stream of a response of one compaction item, which is given when the summary is whole."""

    def __init__(self, frame: response.Response) -> None:
        super().__init__(frame)
        self._texts: list[str] = []

    def _add(self, delta: openai.Delta) -> Iterator[Event]:
        self._texts.append(delta.content or "")
        return iter(())

    def _finish(self) -> Iterator[Event]:
        yield from self._start(openai.Chunk())
        text = "".join(self._texts)
        if not text:
            yield from self._fail(response.Failure("server_error", _NO_SUMMARY))
            return
        item = _build_item(self._reply_id, text)
        ended = end_response(self._response, self._finish_reason, (item,), self._usage)
        yield "response.output_item.added", {"output_index": 0, "item": item}
        yield "response.output_item.done", {"output_index": 0, "item": item}
        yield f"response.{ended.status}", {"response": ended}


class _Compacted(Struct, frozen=True):
    """A response of one compaction item, read for what the whole compaction has of it."""

    id: str
    created_at: int
    output: tuple[msgspec.Raw, ...]
    usage: msgspec.Raw


_COMPACTED = msgspec.json.Decoder(_Compacted)


def encode_compacted(body: bytes, given: msgspec.Raw) -> bytes:
    """Write a response of one compaction item as the answer to a request for a whole compaction.

    Args:
        body: The response.
        given: The transcript that it sums up, as the request's ``input`` has it.
    """
    made = _COMPACTED.decode(body)
    answer = {
        "id": made.id,
        "object": "response.compaction",
        "created_at": made.created_at,
        "output": (*_retain_messages(given, made.id.removeprefix("resp_")), *made.output),
        "usage": made.usage,
    }
    return msgspec.json.encode(answer)


def _retain_messages(given: msgspec.Raw, reply_id: str) -> list[dict[str, Any]]:
    """Retain the user's newest messages, oldest first, each in the form of an item."""
    read: object = msgspec.json.decode(given)
    items = [{"role": "user", "content": read}] if isinstance(read, str) else read if isinstance(read, list) else []
    left = RETAINED_CHARACTERS
    kept: list[dict[str, Any]] = []
    for place in range(len(items) - 1, -1, -1):
        item = items[place]
        if item.get("role") != "user" or item.get("type", "message") != "message":
            continue
        left -= len(msgspec.json.encode(item))
        if left < 0:
            break
        content = item.get("content")
        parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
        item_id = f"msg_{reply_id}_{place}"
        kept.append({"id": item_id, "status": "completed", **item, "type": "message", "content": parts})
    return kept[::-1]
