"""An Anthropic stream read into the hub's chunks.

Thinking comes as ``reasoning_content`` piece by piece, and as one of ``thinking_blocks``, signature included, when its
block is whole. Usage comes last, in one chunk without choices.
"""

from collections.abc import Iterator

import msgspec

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import anthropic_reply as anthropic
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol import sse
from plano_agents.protocol.anthropic_request import ThinkingBlock
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.signature_mark import mark_events
from plano_agents.protocol.translation.calls import CallIds, check_name
from plano_agents.protocol.translation.messages_reply_to_chat import (
    read_error,
    read_refusal,
    read_stop_reason,
    read_usage,
)


class MessagesStreamReader:
    """Reads one Anthropic stream; made anew for each answer.

    Args:
        ids: Gives the answer's calls their ids.
        created: Unix time in seconds, the same on every chunk.
        signature_mark: What signatures are marked with; see `signature_mark`.
    """

    def __init__(self, ids: CallIds, *, created: int, signature_mark: str = "") -> None:
        self._signature_mark = signature_mark
        self._ids = ids
        self._created = created
        self._events = sse.EventDecoder()
        self._started = False
        self._id = ""
        self._model = ""
        self._usage = anthropic.Usage()
        self._tools: dict[int, int] = {}
        self._has_reason = False
        self._unfilled: set[int] = set()
        self._thinking: dict[int, list[anthropic.StreamDelta]] = {}
        self.finished = False
        """See `stream.Reader`."""
        self.answered = False
        """See `stream.Reader`; an Anthropic stream always says that it is over."""

    def feed(self, data: bytes) -> Iterator[openai.Chunk | ErrorDetail]:
        """See `stream.Reader`."""
        for event in self._events.feed(data):
            if self.finished:
                return
            data = mark_events(event.data, self._signature_mark) if self._signature_mark else event.data
            yield from self._read(anthropic.parse_event(data), data)

    def _read(self, event: anthropic.StreamEvent, data: bytes) -> Iterator[openai.Chunk | ErrorDetail]:
        match event.type:
            case "message_start" if event.message is not None:
                yield from self._start(event.message)
            case "content_block_start":
                yield from self._start_block(event.index, event.content_block)
            case "content_block_delta" if event.delta is not None:
                yield from self._add_to_block(event.index, event.delta)
            case "content_block_stop":
                yield from self._stop_block(event.index)
            case "message_delta":
                yield from self._read_message_delta(event)
            case "message_stop":
                self.finished = True
                if not self._has_reason:
                    yield self._add(openai.Delta(), *read_stop_reason(None, calls=bool(self._tools)))
                yield openai.Chunk(self._id, self._created, self._model, (), read_usage(self._usage))
            case "error":
                self.finished = True
                yield read_error(data)
            case _:
                return

    def _start(self, message: anthropic.Reply) -> Iterator[openai.Chunk]:
        if self._started:
            if message.id != self._id:
                raise UpstreamProtocolError("The provider's stream begins another answer before the first ended.")
            return
        self._started = True
        self._id, self._model, self._usage = message.id, message.model, message.usage
        yield self._add(openai.Delta(role="assistant", content=""))

    def _start_block(self, index: int, raw: msgspec.Raw) -> Iterator[openai.Chunk]:
        block = anthropic.parse_block(raw)
        match block.type:
            case "text" if block.text:
                yield self._add(openai.Delta(content=block.text))
            case "thinking":
                first = anthropic.StreamDelta(thinking=block.thinking, signature=block.signature)
                self._thinking[index] = [first]
                if block.thinking:
                    yield self._add(openai.Delta(reasoning_content=block.thinking))
            case "redacted_thinking":
                yield self._add(openai.Delta(thinking_blocks=(raw,)))
            case "tool_use":
                yield from self._start_call(index, block)
            case _:
                return

    def _start_call(self, index: int, block: anthropic.ReplyBlock) -> Iterator[openai.Chunk]:
        self._tools[index] = len(self._tools)
        self._unfilled.add(index)
        function = openai.FunctionDelta(name=check_name(block.name), arguments="")
        call = openai.ToolCallDelta(self._tools[index], self._ids.give(block.id), "function", function)
        yield self._add(openai.Delta(tool_calls=(call,)))
        whole = anthropic.read_input(block)
        if whole != "{}":
            yield self._add_arguments(index, whole)

    def _add_to_block(self, index: int, delta: anthropic.StreamDelta) -> Iterator[openai.Chunk]:
        match delta.type:
            case "text_delta":
                yield self._add(openai.Delta(content=delta.text))
            case "input_json_delta" if delta.partial_json and index in self._tools:
                yield self._add_arguments(index, delta.partial_json)
            case "thinking_delta" if index in self._thinking:
                self._thinking[index].append(delta)
                yield self._add(openai.Delta(reasoning_content=delta.thinking))
            case "signature_delta" if index in self._thinking:
                self._thinking[index].append(delta)
            case _:
                return

    def _stop_block(self, index: int) -> Iterator[openai.Chunk]:
        if index in self._unfilled:
            yield self._add_arguments(index, "{}")
        elif index in self._thinking:
            pieces = self._thinking.pop(index)
            block = ThinkingBlock(
                "".join(piece.thinking for piece in pieces), "".join(piece.signature for piece in pieces)
            )
            yield self._add(openai.Delta(thinking_blocks=(msgspec.Raw(msgspec.json.encode(block)),)))

    def _read_message_delta(self, event: anthropic.StreamEvent) -> Iterator[openai.Chunk]:
        self._merge_usage(event.usage)
        delta = event.delta
        if delta is None or delta.stop_reason is None:
            return
        self._has_reason = True
        refusal = read_refusal(delta.stop_reason, delta.stop_details)
        if refusal:
            yield self._add(openai.Delta(refusal=refusal))
        yield self._add(openai.Delta(), *read_stop_reason(delta.stop_reason, calls=bool(self._tools)))

    def _merge_usage(self, later: anthropic.Usage | None) -> None:
        """Let the counts that the later report names replace the earlier ones."""
        if later is not None:
            named = {name: value for name, value in msgspec.structs.asdict(later).items() if value is not None}
            self._usage = msgspec.structs.replace(self._usage, **named)

    def _add_arguments(self, index: int, text: str) -> openai.Chunk:
        self._unfilled.discard(index)
        call = openai.ToolCallDelta(self._tools[index], function=openai.FunctionDelta(arguments=text))
        return self._add(openai.Delta(tool_calls=(call,)))

    def _add(
        self,
        delta: openai.Delta,
        finish_reason: str | None = None,
        native: str | msgspec.UnsetType = msgspec.UNSET,
    ) -> openai.Chunk:
        choice = openai.ChunkChoice(0, delta, finish_reason, native_finish_reason=native)
        return openai.Chunk(self._id, self._created, self._model, (choice,))
