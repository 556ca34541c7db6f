"""An OpenAI responses stream read into the hub's chunks.

Text, arguments and summaries come as they grow. What a server tells only of an item that is whole, or of the whole
response, is given there. Usage comes last, in one chunk without choices.
"""

from collections.abc import Iterator

import msgspec

from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol import openai_response_reply as responses
from plano_agents.protocol import sse
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.provider_error import read_provider_error
from plano_agents.protocol.translation.calls import CallIds, check_name
from plano_agents.protocol.translation.responses_reply_to_chat import (
    read_end,
    read_thinking,
    read_usage,
    seal_item,
)

_FAILED = "response.failed"
_ENDS = frozenset({"response.completed", "response.incomplete"})
_STARTS = frozenset({"response.created", "response.in_progress", "response.queued"})
_TEXTS = {
    "response.output_text.delta": "content",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "reasoning_content",
    "response.reasoning_text.delta": "reasoning_content",
}
"""Events that add to a text, and the field of the delta that it is."""
_READ = (
    _ENDS
    | _STARTS
    | _TEXTS.keys()
    | {
        "response.function_call_arguments.delta",
        "response.output_item.added",
        "response.output_item.done",
    }
)
"""Events that are read beside errors; others say nothing that these do not."""


class ResponsesStreamReader:
    """Reads one responses stream; made anew for each answer.

    Args:
        ids: Gives the answer's calls their ids.
        signature_mark: What encrypted reasoning is marked with; see `signature_mark`.
    """

    def __init__(self, ids: CallIds, *, signature_mark: str = "") -> None:
        self._ids = ids
        self._mark = signature_mark
        self._events = sse.EventDecoder()
        self._head = openai.Chunk()
        self._started = False
        self._calls: dict[int, int] = {}
        self._said: dict[int, set[str]] = {}
        self._done: set[int | str] = set()  # places and ids: some servers give two items one place, or number from 1
        self._summary: tuple[int, int] | None = None
        self.finished = False
        """See `stream.Reader`."""
        self.answered = False
        """See `stream.Reader`; a responses stream always says that it is over."""

    def feed(self, data: bytes) -> Iterator[openai.Chunk | ErrorDetail]:
        """See `stream.Reader`."""
        for event in self._events.feed(data):
            if self.finished:
                return
            yield from self._read(responses.read_event_type(event.data), event.data)

    def _read(self, kind: str, data: bytes) -> Iterator[openai.Chunk | ErrorDetail]:
        if kind in _READ:
            yield from self._read_event(responses.parse_event(data))
            return
        said = bytes(responses.parse_event(data).response) if kind == _FAILED else data
        if kind in {"error", _FAILED, ""}:
            error = read_provider_error(said)
            if error is not None or kind:
                self.finished = True
                yield error or ErrorDetail("The provider's response failed.", "server_error")

    def _read_event(self, event: responses.ResponseEvent) -> Iterator[openai.Chunk]:
        index, item = event.output_index, event.item
        if event.type in _TEXTS:
            yield from self._add_text(event, _TEXTS[event.type])
        elif event.type in _STARTS:
            yield from self._start(responses.parse_response(bytes(event.response)))
        elif event.type in _ENDS:
            yield from self._end(responses.parse_response(bytes(event.response)), event.type)
        elif item is not None and event.type.endswith(".added"):
            self._said.pop(index, None)
            if item.type == "function_call" and item.name:
                yield self._start_call(index, item)
        elif item is not None and (item.id or index) not in self._done:
            yield from self._complete(index, item)
        elif event.delta and index in self._calls:
            yield self._add_arguments(index, event.delta)

    def _start(self, response: responses.ReplyResponse) -> Iterator[openai.Chunk]:
        if not self._started:
            self._started = True
            self._head = openai.Chunk(response.id, int(response.created_at or 0), response.model or "")
            yield self._add(openai.Delta(role="assistant", content=""))

    def _add_text(self, event: responses.ResponseEvent, field: str) -> Iterator[openai.Chunk]:
        text = event.delta
        if not text:
            return
        if field == "reasoning_content":
            place = event.output_index, event.summary_index
            begins = self._summary is not None and self._summary != place
            text, self._summary = ("\n\n" if begins else "") + text, place
        self._said.setdefault(event.output_index, set()).add(field)
        yield self._add(msgspec.structs.replace(openai.Delta(), **{field: text}))

    def _start_call(self, index: int, item: responses.ReplyItem) -> openai.Chunk:
        self._calls[index] = len(self._calls)
        function = openai.FunctionDelta(check_name(item.name or ""), "")
        call = openai.ToolCallDelta(self._calls[index], self._ids.give(item.call_id), "function", function)
        return self._add(openai.Delta(tool_calls=(call,)))

    def _add_arguments(self, index: int, text: str) -> openai.Chunk:
        self._said.setdefault(index, set()).add("arguments")
        call = openai.ToolCallDelta(self._calls[index], function=openai.FunctionDelta(arguments=text))
        return self._add(openai.Delta(tool_calls=(call,)))

    def _complete(self, index: int, item: responses.ReplyItem) -> Iterator[openai.Chunk]:
        """Give what was not yet given of an item that is whole."""
        self._done |= {index, item.id or index}
        said = self._said.get(index, set())
        if item.type == "function_call":
            if index not in self._calls:
                yield self._start_call(index, item)
            if "arguments" not in said:
                yield self._add_arguments(index, item.arguments_json)
            return
        texts = {
            "content": item.join("output_text"),
            "refusal": item.join("refusal"),
            "reasoning_content": read_thinking(item),
        }
        for field, text in texts.items():
            if text and field not in said:
                yield from self._add_text(responses.ResponseEvent(output_index=index, delta=text), field)
        block = seal_item(item, self._mark)
        if block is not None:
            yield self._add(openai.Delta(thinking_blocks=(block,)))

    def _end(self, response: responses.ReplyResponse, kind: str) -> Iterator[openai.Chunk]:
        yield from self._start(response)
        for index, item in enumerate(response.output or ()):
            if self._done.isdisjoint({index, item.id or index}):
                yield from self._complete(index, item)
        status = response.status or kind.removeprefix("response.")
        ended = msgspec.structs.replace(response, status=status)
        yield self._add(openai.Delta(), *read_end(ended, calls=bool(self._calls)))
        usage = read_usage(response.usage)
        if usage is not None:
            yield msgspec.structs.replace(self._head, usage=usage)
        self.finished = True

    def _add(
        self,
        delta: openai.Delta,
        finish_reason: str | None = None,
        native: str | msgspec.UnsetType = msgspec.UNSET,
    ) -> openai.Chunk:
        choice = openai.ChunkChoice(0, delta, finish_reason, native_finish_reason=native)
        return msgspec.structs.replace(self._head, choices=(choice,))
