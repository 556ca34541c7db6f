"""Turns LangChain's callbacks into the run's events.

Callbacks are the one thing that reaches every model call of a run: LangChain hands them down to sub-graphs and to
whatever a tool calls. A model call that failed is not reported, and its number is left out. What it records can be
written as JSON. When a run starts and how it ends is left to ``runs``.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langgraph.constants import TAG_NOSTREAM
from langgraph.types import Command

from plano_agents.agent_server.events import (
    Answer,
    Event,
    ModelCall,
    Run,
    Token,
    ToolResult,
    Usage,
    count_switches,
)
from plano_agents.agent_server.tools import STOPPED
from plano_agents.integrations.encodable import clean_object, clean_text


@dataclass(frozen=True, slots=True)
class _ModelCall:
    """A model call that is under way."""

    turn: int
    started: float
    is_quiet: bool
    is_inner: bool


@dataclass(frozen=True, slots=True)
class _ToolCall:
    """A tool call as the model made it."""

    turn: int
    name: str
    arguments: Mapping[str, Any]
    is_inner: bool


class RunRecorder(BaseCallbackHandler):
    """Records one run; made anew for each.

    Synchronous nodes and tools call it from their own threads: it relies on single operations of `deque`, `dict`
    and `itertools.count` being atomic, and on each call's id being used by one thread at a time.

    Args:
        clock: Seconds on a clock that never goes back.
    """

    run_inline = True
    raise_error = True  # a call that is silently missing would make the answer a lie
    ignore_chain = True  # of the graph's own steps there are many, and nothing to record

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._latest = 0
        self._events: deque[Event] = deque()
        self._models: dict[UUID, _ModelCall] = {}
        self._tools: dict[UUID, _ToolCall] = {}
        self._called: dict[str, _ToolCall] = {}
        self._model_calls: list[ModelCall] = []
        self._usages: list[Usage] = []

    def drain(self) -> Iterator[Event]:
        """Take the events that came since the last time, in order."""
        while self._events:
            yield self._events.popleft()

    @property
    def model_calls(self) -> tuple[ModelCall, ...]:
        """All model calls so far, by number."""
        return tuple(sorted(self._model_calls, key=lambda call: call.turn))

    @property
    def usage(self) -> Usage:
        """The tokens of all model calls so far."""
        return Usage(
            input_tokens=sum(usage.input_tokens for usage in self._usages),
            output_tokens=sum(usage.output_tokens for usage in self._usages),
            cache_read_tokens=sum(usage.cache_read_tokens for usage in self._usages),
        )

    def answer(self, run: Run, output: str = "") -> Answer:
        """Sum a finished run up.

        Args:
            run: What was asked.
            output: The agent's final message.
        """
        calls = self.model_calls
        return Answer(
            run_id=run.run_id,
            thread_id=run.thread_id,
            affinity_id=run.affinity_id,
            output=clean_text(output),
            turns=calls,
            switches=count_switches(calls),
            usage=self.usage,
        )

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002 - LangChain's signature
        messages: list[list[BaseMessage]],  # noqa: ARG002 - LangChain's signature
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        **_: object,
    ) -> None:
        """A model is asked."""
        self._latest = next(self._numbers)
        self._models[run_id] = _ModelCall(
            self._latest, self._clock(), is_quiet=TAG_NOSTREAM in (tags or ()), is_inner=bool(self._tools)
        )

    def on_llm_new_token(
        self,
        token: str | list[str | dict[str, Any]],  # noqa: ARG002 - LangChain's signature
        *,
        chunk: object = None,
        run_id: UUID,
        **_: object,
    ) -> None:
        """A model says something."""
        call = self._models.get(run_id)
        if call is None or call.is_quiet or not isinstance(chunk, ChatGenerationChunk):
            return
        text = str(chunk.message.text)
        if text:
            self._events.append(Token(call.turn, clean_text(text), call.is_inner))

    def on_llm_end(
        self,
        response: LLMResult,
        *,
        run_id: UUID,
        **_: object,
    ) -> None:
        """A model has answered: the call is complete."""
        call = self._models.pop(run_id, None)
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        if call is None or not isinstance(generation, ChatGeneration):
            return
        message = generation.message
        if not isinstance(message, AIMessage):
            return
        for asked in message.tool_calls:
            if asked["id"] is not None:
                self._called[asked["id"]] = _ToolCall(call.turn, asked["name"], asked["args"], call.is_inner)
        made = _build_model_call(call.turn, message, duration_ms=round((self._clock() - call.started) * 1000))
        self._model_calls.append(made)
        self._usages.append(_read_usage(message))
        self._events.append(made)

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,  # noqa: ARG002 - LangChain's signature
        *,
        run_id: UUID,
        inputs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        """A tool begins; kept for the case that no model's call can be found for it."""
        name = str((serialized or {}).get("name", "tool"))
        self._tools[run_id] = _ToolCall(self._latest, name, inputs or {}, is_inner=True)

    def on_tool_end(
        self,
        output: object,
        *,
        run_id: UUID,
        **_: object,
    ) -> None:
        """A tool has answered."""
        message = find_tool_message(output)
        self._record_tool(
            run_id,
            tool_call_id=message.tool_call_id if message is not None else None,
            result=str(message.text) if message is not None else str(output),
        )

    def on_tool_error(
        self,
        error: BaseException,
        *,
        run_id: UUID,
        tool_call_id: str | None = None,
        **_: object,
    ) -> None:
        """A tool failed, or was cancelled: then it is stopped, or its run is, and there is nothing to tell here."""
        if isinstance(error, asyncio.CancelledError):
            self._tools.pop(run_id, None)
            return
        self._record_tool(run_id, tool_call_id=tool_call_id, result=f"Error: {error}", error=error)

    def on_custom_event(self, name: str, data: Any, **_: object) -> None:  # noqa: ANN401 - LangChain's signature
        """A tool was stopped at its deadline."""
        call = self._called.pop(data["tool_call_id"], None) if name == STOPPED else None
        if call is not None:
            self._tell(call, data["result"])

    def _record_tool(
        self, run_id: UUID, *, tool_call_id: str | None, result: str, error: BaseException | None = None
    ) -> None:
        begun = self._tools.pop(run_id, None)
        call = self._called.pop(tool_call_id, begun) if tool_call_id is not None else begun
        if call is not None:
            self._tell(call, result, error)

    def _tell(self, call: _ToolCall, result: str, error: BaseException | None = None) -> None:
        self._events.append(
            ToolResult(
                call.turn,
                clean_text(call.name),
                clean_object(call.arguments),
                clean_text(result),
                call.is_inner,
                error,
            )
        )


def _build_model_call(number: int, message: AIMessage, *, duration_ms: int) -> ModelCall:
    """Read a model call off the model's message; the router's part is what `ChatPlano` notes under ``plano``."""
    metadata = message.response_metadata
    routed = metadata.get("plano") or {}
    return ModelCall(
        turn=number,
        model=_clean_name(metadata.get("model_name") or routed.get("model")),
        route=_clean_name(routed.get("route")),
        decision=_clean_name(routed.get("decision")),
        reason=_clean_name(routed.get("reason")),
        tool_calls=tuple(clean_text(call["name"]) for call in message.tool_calls),
        duration_ms=duration_ms,
    )


def _clean_name(name: object) -> str | None:
    """Clean a text that may be missing, or that another's metadata may have as something else."""
    return clean_text(name) if isinstance(name, str) else None


def _read_usage(message: AIMessage) -> Usage:
    usage = message.usage_metadata
    if usage is None:
        return Usage()
    return Usage(
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        cache_read_tokens=usage.get("input_token_details", {}).get("cache_read", 0),
    )


def find_tool_message(output: object) -> ToolMessage | None:
    """Find the model's reading of a tool's output; a hand-over carries it in its state update."""
    if isinstance(output, Command):
        update = output.update if isinstance(output.update, dict) else {}
        return next((item for item in update.get("messages", ()) if isinstance(item, ToolMessage)), None)
    return output if isinstance(output, ToolMessage) else None
