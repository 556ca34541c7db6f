"""The hub's chunks as an OpenAI responses stream.

Reasoning and messages end where something else begins; tool calls, which may come interleaved, end with the answer.
"""

from collections.abc import Generator, Iterable, Iterator

import msgspec

from plano_agents.errors import PlanoError
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol import openai_response as response
from plano_agents.protocol import sse
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.thought_signature import seal_call_id
from plano_agents.protocol.tool_names import ClientTools
from plano_agents.protocol.translation.chat_reply_to_responses import (
    build_failure,
    end_response,
    fail_response,
    item_status,
    start_response,
)
from plano_agents.protocol.translation.client_calls import ITEM_IDS
from plano_agents.protocol.translation.response_items import (
    Event,
    GrowingCall,
    GrowingMessage,
    GrowingReasoning,
)


class ResponsesStreamWriter:
    """Writes one responses stream; made anew for each answer.

    Args:
        frame: What the response repeats of its request.
        tools: Knows which of the client's tools the functions are; all are plain functions where None.
    """

    def __init__(self, frame: response.Response, tools: ClientTools | None = None) -> None:
        self._response = frame
        self._tools = tools or ClientTools()
        self._reply_id = ""
        self._started = False
        self._sequence_number = 0
        self._built: dict[int, response.Item] = {}
        self._count = 0
        self._open: GrowingReasoning | GrowingMessage | None = None
        self._calls: list[GrowingCall] = []
        self._finish_reason: str | None = None
        self._usage: openai.Usage | None = None

    def write(self, chunk: openai.Chunk) -> bytes:
        """See `stream.Writer`."""
        if chunk.usage:
            self._usage = chunk.usage
        if not chunk.choices:
            return b""
        choice = chunk.choices[0]
        self._finish_reason = choice.finish_reason or self._finish_reason
        return self._encode(self._start(chunk)) + self._encode(self._add(choice.delta))

    def finish(self) -> bytes:
        """See `stream.Writer`."""
        return self._encode(self._finish())

    def fail(self, error: ErrorDetail) -> bytes:
        """See `stream.Writer`."""
        return self._encode(self._fail(build_failure(error)))

    def break_off(self, error: PlanoError) -> bytes:
        """See `stream.Writer`."""
        return self._encode(self._fail(response.Failure("server_error", error.message)))

    def _encode(self, happened: Iterable[Event]) -> bytes:
        written: list[bytes] = []
        for kind, fields in happened:
            content = {"type": kind, "sequence_number": self._sequence_number, **fields}
            written.append(sse.encode_event(msgspec.json.encode(content), kind))
            self._sequence_number += 1
        return b"".join(written)

    def _start(self, chunk: openai.Chunk) -> Iterator[Event]:
        if not self._started:
            self._started = True
            self._reply_id = chunk.id
            self._response = start_response(self._response, chunk.id, chunk.model)
            yield "response.created", {"response": self._response}
            yield "response.in_progress", {"response": self._response}

    def _add(self, delta: openai.Delta) -> Iterator[Event]:
        thinking = delta.reasoning_content or delta.reasoning
        if thinking or delta.thinking_blocks:
            reasoning = yield from self._enter_reasoning()
            yield from reasoning.add_text(thinking) if thinking else ()
            for block in delta.thinking_blocks or ():
                reasoning.add_block(block)
        if delta.content:
            message = yield from self._enter_message()
            yield from message.add(response.OutputText, delta.content)
        if delta.refusal:
            message = yield from self._enter_message()
            yield from message.add(response.Refusal, delta.refusal)
        for call in delta.tool_calls or ():
            yield from self._add_call(call)

    def _enter_reasoning(self) -> Generator[Event, None, GrowingReasoning]:
        if isinstance(self._open, GrowingReasoning):
            return self._open
        yield from self._leave("completed")
        item = GrowingReasoning(*self._place("rs"))
        self._open = item
        yield from item.start()
        return item

    def _enter_message(self) -> Generator[Event, None, GrowingMessage]:
        if isinstance(self._open, GrowingMessage):
            return self._open
        yield from self._leave("completed")
        item = GrowingMessage(*self._place("msg"))
        self._open = item
        yield from item.start()
        return item

    def _place(self, prefix: str) -> tuple[str, int]:
        """Give the next item its id and its place in the output."""
        self._count += 1
        return f"{prefix}_{self._reply_id}_{self._count - 1}", self._count - 1

    def _leave(self, status: str) -> Iterator[Event]:
        """End the reasoning or the message that is open."""
        if self._open is not None:
            yield from self._open.end(status)
            self._built[self._open.output_index] = self._open.build(status)
            self._open = None

    def _add_call(self, delta: openai.ToolCallDelta) -> Iterator[Event]:
        function = delta.function or openai.FunctionDelta()
        if delta.index == len(self._calls):
            yield from self._leave("completed")
            call_id = seal_call_id(delta.id or "", delta.extra_content)
            tool = self._tools.find(function.name or "")
            call = GrowingCall(*self._place(ITEM_IDS[tool.kind]), call_id, tool)
            self._calls.append(call)
            yield from call.start()
        if function.arguments:
            yield from self._calls[delta.index].add(function.arguments)

    def _fail(self, failure: response.Failure) -> Iterator[Event]:
        yield from self._start(openai.Chunk())
        yield "response.failed", {"response": fail_response(self._response, failure)}

    def _finish(self) -> Iterator[Event]:
        yield from self._start(openai.Chunk())
        status = item_status(self._finish_reason)
        yield from self._leave(status)
        for call in self._calls:
            yield from call.end(status)
            self._built[call.output_index] = call.build(status)
        output = tuple(self._built[place] for place in range(len(self._built)))
        ended = end_response(self._response, self._finish_reason, output, self._usage)
        yield f"response.{ended.status}", {"response": ended}
