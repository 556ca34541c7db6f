"""The hub's chunks as an Anthropic stream.

Anthropic's blocks come one after the other, whole; OpenAI's tool calls may come interleaved. So only the first
unfinished block is streamed, and what belongs to later ones is held: text and thinking end where something else
begins, a tool call where the answer ends. Usage stands in full at the end, and at the beginning as far as it is known.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from plano_agents.errors import PlanoError
from plano_agents.protocol import anthropic_events as events
from plano_agents.protocol import anthropic_messages, anthropic_reply, sse
from plano_agents.protocol import anthropic_request as anthropic
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.thought_signature import seal_call_id
from plano_agents.protocol.translation.chat_reply_to_messages import (
    build_stop_reason,
    build_usage,
    encode_stream_error,
)

EMPTY_INPUT = msgspec.Raw(b"{}")


@dataclass(slots=True)
class _Block:
    """A block that is not whole yet."""

    start: anthropic.Block | msgspec.Raw
    """What it begins as."""
    held: list[events.BlockDeltaKind] = field(default_factory=list)
    """What is not written yet."""
    is_whole: bool = False
    """True if nothing more belongs to it."""

    @property
    def is_call(self) -> bool:
        """True if only the answer's end ends it."""
        return isinstance(self.start, anthropic.ToolUseBlock)


class MessagesStreamWriter:
    """Writes one Anthropic stream; made anew for each answer."""

    def __init__(self) -> None:
        self._started = False
        self._blocks: deque[_Block] = deque()
        self._index = 0
        self._open = False
        self._calls: list[_Block] = []
        self._finish_reason: str | None = None
        self._native: str | msgspec.UnsetType = msgspec.UNSET
        self._refused = False
        self._usage: openai.Usage | None = None

    def write(self, chunk: openai.Chunk) -> bytes:
        """See `stream.Writer`."""
        if chunk.usage:
            self._usage = chunk.usage
        if not chunk.choices:
            return b""
        choice = chunk.choices[0]
        self._add(choice.delta)
        if choice.finish_reason:
            self._finish_reason, self._native = choice.finish_reason, choice.native_finish_reason
        return b"".join(map(events.encode_event, (*self._start(chunk), *self._advance())))

    def finish(self) -> bytes:
        """See `stream.Writer`."""
        reason = build_stop_reason(self._finish_reason, calls=bool(self._calls), refused=self._refused)
        last = (
            *self._start(openai.Chunk()),
            *self._close_all(),
            events.MessageDelta(events.Stopped(reason, native_finish_reason=self._native), build_usage(self._usage)),
            events.MessageStop(),
        )
        return b"".join(map(events.encode_event, last))

    def fail(self, error: ErrorDetail) -> bytes:
        """See `stream.Writer`."""
        return sse.encode_event(encode_stream_error(error), "error")

    def break_off(self, error: PlanoError) -> bytes:
        """See `stream.Writer`."""
        return anthropic_messages.encode_error_event(error)

    def _start(self, chunk: openai.Chunk) -> Iterator[events.Event]:
        if not self._started:
            self._started = True
            usage = build_usage(self._usage)
            yield events.MessageStart(events.Answer(id=chunk.id, model=chunk.model, usage=usage))

    def _add(self, delta: openai.Delta) -> None:
        """Put what a delta adds into its blocks."""
        thinking = delta.reasoning_content or delta.reasoning
        if thinking:
            self._tail(anthropic.ThinkingBlock).held.append(events.ThinkingDelta(thinking))
        for raw in delta.thinking_blocks or ():
            self._add_thinking_block(raw)
        if delta.content:
            self._tail(anthropic.TextBlock).held.append(events.TextDelta(delta.content))
        if delta.refusal:
            self._refused = True
            self._tail(anthropic.TextBlock).held.append(events.TextDelta(delta.refusal))
        for call in delta.tool_calls or ():
            self._add_call(call)

    def _tail(self, kind: type[anthropic.TextBlock | anthropic.ThinkingBlock]) -> _Block:
        """Find the last block, if it is of this kind and not whole; else begin one."""
        tail = self._blocks[-1] if self._blocks else None
        if tail is None or tail.is_whole or not isinstance(tail.start, kind):
            is_text = kind is anthropic.TextBlock
            tail = _Block(anthropic.TextBlock(text="") if is_text else anthropic.ThinkingBlock(""))
            self._blocks.append(tail)
        return tail

    def _add_thinking_block(self, raw: msgspec.Raw) -> None:
        """Sign the thinking whose text has come; a redacted block comes whole."""
        block = anthropic_reply.parse_block(raw)
        if block.type == "thinking":
            tail = self._tail(anthropic.ThinkingBlock)
            tail.held.append(events.SignatureDelta(block.signature))
            tail.is_whole = True
        else:
            self._blocks.append(_Block(raw, is_whole=True))

    def _add_call(self, delta: openai.ToolCallDelta) -> None:
        function = delta.function or openai.FunctionDelta()
        if delta.index == len(self._calls):
            call_id = seal_call_id(delta.id or "", delta.extra_content)
            start = anthropic.ToolUseBlock(id=call_id, name=function.name or "", input=EMPTY_INPUT)
            self._calls.append(_Block(start))
            self._blocks.append(self._calls[-1])
        if function.arguments:
            self._calls[delta.index].held.append(events.InputDelta(function.arguments))

    def _advance(self) -> Iterator[events.Event]:
        """Write what is known of the first block, and close it if another has begun that it need not wait for."""
        while self._blocks:
            yield from self._show(self._blocks[0])
            if len(self._blocks) == 1 or self._blocks[0].is_call:
                return
            yield self._close()

    def _close_all(self) -> Iterator[events.Event]:
        while self._blocks:
            yield from self._show(self._blocks[0])
            yield self._close()

    def _show(self, block: _Block) -> Iterator[events.Event]:
        if not self._open:
            self._open = True
            yield events.BlockStart(self._index, block.start)
        for delta in block.held:
            yield events.BlockDelta(self._index, delta)
        block.held.clear()

    def _close(self) -> events.Event:
        self._blocks.popleft()
        self._open = False
        self._index += 1
        return events.BlockStop(self._index - 1)
