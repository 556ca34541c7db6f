"""The output items of a response as they grow, and the events that tell of it.

One object is one item of one streamed response; each method returns the events that its step makes, without their
sequence numbers, which the writer gives.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import msgspec

from plano_agents.protocol import openai_response as response
from plano_agents.protocol.openai_responses import seal_thinking
from plano_agents.protocol.tool_names import ClientTool
from plano_agents.protocol.translation.client_calls import build_call_item, read_input
from plano_agents.protocol.translation.custom_input import CustomInput

Event = tuple[str, Mapping[str, object]]
"""An event's type and fields."""


class _Growing(ABC):
    """An item that grows.

    Args:
        item_id: Its id.
        output_index: Its place in the response's output.
    """

    def __init__(self, item_id: str, output_index: int) -> None:
        self.item_id = item_id
        self.output_index = output_index

    @abstractmethod
    def build(self, status: str) -> response.Item:
        """Build the item as far as it has grown."""

    def _start(self) -> Event:
        return "response.output_item.added", {
            "output_index": self.output_index,
            "item": self.build("in_progress"),
        }

    def _end(self, status: str) -> Event:
        return "response.output_item.done", {"output_index": self.output_index, "item": self.build(status)}

    def _at(self, **fields: object) -> dict[str, object]:
        return {"item_id": self.item_id, "output_index": self.output_index, **fields}


class GrowingReasoning(_Growing):
    """A reasoning item."""

    def __init__(self, item_id: str, output_index: int) -> None:
        super().__init__(item_id, output_index)
        self._texts: list[str] = []
        self._blocks: list[msgspec.Raw] = []

    def build(self, status: str) -> response.ReasoningItem:
        """See `_Growing.build`."""
        summary = (response.SummaryText("".join(self._texts)),) if self._texts else ()
        sealed = None if status == "in_progress" else seal_thinking(tuple(self._blocks))
        return response.ReasoningItem(self.item_id, status, summary, sealed)

    def start(self) -> Iterator[Event]:
        """Begin the item."""
        yield self._start()

    def add_text(self, text: str) -> Iterator[Event]:
        """Add to its summary."""
        if not self._texts:
            part = response.SummaryText("")
            yield "response.reasoning_summary_part.added", self._at(summary_index=0, part=part)
        self._texts.append(text)
        yield "response.reasoning_summary_text.delta", self._at(summary_index=0, delta=text)

    def add_block(self, block: msgspec.Raw) -> None:
        """Add to what is sealed."""
        self._blocks.append(block)

    def end(self, status: str) -> Iterator[Event]:
        """Complete the item."""
        if self._texts:
            text = "".join(self._texts)
            yield "response.reasoning_summary_text.done", self._at(summary_index=0, text=text)
            part = response.SummaryText(text)
            yield "response.reasoning_summary_part.done", self._at(summary_index=0, part=part)
        yield self._end(status)


class GrowingMessage(_Growing):
    """A message item: text, a refusal, or one after the other."""

    def __init__(self, item_id: str, output_index: int) -> None:
        super().__init__(item_id, output_index)
        self._parts: list[response.OutputText | response.Refusal] = []
        self._kind: type[response.OutputText | response.Refusal] | None = None
        self._texts: list[str] = []

    def build(self, status: str) -> response.MessageItem:
        """See `_Growing.build`."""
        return response.MessageItem(self.item_id, status, tuple(self._parts))

    def start(self) -> Iterator[Event]:
        """Begin the item."""
        yield self._start()

    def add(self, kind: type[response.OutputText | response.Refusal], text: str) -> Iterator[Event]:
        """Add to its text or to its refusal."""
        if kind is not self._kind:
            yield from self._end_part()
            self._kind = kind
            yield "response.content_part.added", self._in_part(part=kind(""))
        self._texts.append(text)
        if kind is response.OutputText:
            yield "response.output_text.delta", self._in_part(delta=text, logprobs=())
        else:
            yield "response.refusal.delta", self._in_part(delta=text)

    def end(self, status: str) -> Iterator[Event]:
        """Complete the item."""
        yield from self._end_part()
        yield self._end(status)

    def _end_part(self) -> Iterator[Event]:
        if self._kind is None:
            return
        text = "".join(self._texts)
        if self._kind is response.OutputText:
            yield "response.output_text.done", self._in_part(text=text, logprobs=())
        else:
            yield "response.refusal.done", self._in_part(refusal=text)
        part = self._kind(text)
        yield "response.content_part.done", self._in_part(part=part)
        self._parts.append(part)
        self._kind, self._texts = None, []

    def _in_part(self, **fields: object) -> dict[str, object]:
        return self._at(content_index=len(self._parts), **fields)


class GrowingCall(_Growing):
    """An item that calls a tool; a function's arguments and a custom tool's input are given as they grow.

    Args:
        item_id: Its id.
        output_index: Its place in the response's output.
        call_id: The call's own id.
        tool: The client's tool.
    """

    def __init__(self, item_id: str, output_index: int, call_id: str, tool: ClientTool) -> None:
        super().__init__(item_id, output_index)
        self._call_id = call_id
        self._tool = tool
        self._arguments: list[str] = []
        self._input = CustomInput()
        self._is_input_given = False

    def build(self, status: str) -> response.AnyCallItem:
        """See `_Growing.build`."""
        return build_call_item(self._tool, self.item_id, status, self._call_id, "".join(self._arguments))

    def start(self) -> Iterator[Event]:
        """Begin the item."""
        yield self._start()

    def add(self, arguments: str) -> Iterator[Event]:
        """Add to its arguments."""
        self._arguments.append(arguments)
        if self._tool.kind == "function":
            yield "response.function_call_arguments.delta", self._at(delta=arguments)
        elif self._tool.kind == "custom":
            yield from self._add_input(self._input.feed(arguments))

    def _add_input(self, text: str) -> Iterator[Event]:
        if text:
            self._is_input_given = True
            yield "response.custom_tool_call_input.delta", self._at(delta=text)

    def end(self, status: str) -> Iterator[Event]:
        """Complete the item."""
        arguments = "".join(self._arguments)
        if self._tool.kind == "function":
            yield (
                "response.function_call_arguments.done",
                self._at(name=self._tool.name, arguments=arguments),
            )
        elif self._tool.kind == "custom":
            text = read_input(arguments)
            if not self._is_input_given:
                yield from self._add_input(text)
            yield "response.custom_tool_call_input.done", self._at(input=text)
        yield self._end(status)
