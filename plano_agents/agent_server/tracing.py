"""The agent server's spans: a request, its run, the run's model calls and tools, by the conventions for GenAI agents.

They are made as things happen, and are current while they do, so that what is sent meanwhile names them as parents: a
model call's request to the router, a tool's own requests. LangChain's callbacks tell of model calls and tools, for they
are the one thing that reaches every model call of a run (as in ``recorder``). Nothing of what was said is among them,
unless the settings want it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import Span, SpanKind, Tracer, get_current_span, set_span_in_context
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_agents.agent_server.events import Run
from plano_agents.agent_server.recorder import find_tool_message
from plano_agents.agent_server.sent_answer import find_sent_answer
from plano_agents.agent_server.settings import ServerSettings
from plano_agents.errors import PlanoError
from plano_agents.observe.spans import attributes as names
from plano_agents.observe.spans.messages import encode_messages
from plano_agents.observe.spans.spans import build_parent, fail
from plano_agents.trace_context import TraceContext

SERVER_ERROR = 500
CANCELLED = "cancelled"
"""What became of a run whose client left, whose time was over, or whose server stops."""

_ROLES = {"human": "user", "ai": "assistant"}


class Tracing:
    """Makes the spans of one agent server.

    Args:
        tracer: Makes spans.
        settings: The agent's name, and whether content is reported.
    """

    def __init__(self, tracer: Tracer, settings: ServerSettings) -> None:
        self._tracer = tracer
        self._name = settings.name
        self._tells_content = settings.trace_content
        self._running: dict[str, _RunTracer] = {}

    async def serve(
        self, app: ASGIApp, parent: TraceContext | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a request within its span; in an app that makes such spans itself, within that."""
        if get_current_span().get_span_context().is_valid:
            await app(scope, receive, send)
            return
        span = self._tracer.start_span(
            scope["method"],
            context=build_parent(parent, is_remote=True) if parent is not None else Context(),
            kind=SpanKind.SERVER,
            attributes={
                names.METHOD: scope["method"],
                names.SCHEME: scope["scheme"],
            },
        )
        token = attach(set_span_in_context(span))
        try:
            await app(scope, receive, send)
        finally:
            detach(token)
            status = find_sent_answer(scope).status
            if status is not None:
                span.set_attribute(names.STATUS, status)
            route = getattr(scope.get("route"), "path", None)
            if route is not None:
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute(names.HTTP_ROUTE, route)
                if "{" not in route:  # else the path holds a thread's id
                    span.set_attribute(names.PATH, scope["path"])
            if status is None or status >= SERVER_ERROR:
                fail(span, str(status or SERVER_ERROR))
            span.end()

    @contextmanager
    def run(self, run: Run) -> Iterator[None]:
        """Be with a run until it is over; what it raises is told by its code."""
        span = self._tracer.start_span(
            f"invoke_agent {self._name}",
            attributes={
                names.OPERATION: "invoke_agent",
                names.PROVIDER: "plano",
                names.AGENT: self._name,
                names.CONVERSATION: names.hash_affinity_id(run.affinity_id),
            },
        )
        if self._tells_content:
            span.set_attribute(names.INPUT_MESSAGES, _encode(run.messages))
        tracer = self._running[run.run_id] = _RunTracer(self._tracer, span, tells_content=self._tells_content)
        # Not by its token: a run that is closed from elsewhere ends in another context than it began in.
        before = get_current()
        attach(set_span_in_context(span))
        try:
            yield
        except Exception as error:
            fail(span, error.code if isinstance(error, PlanoError) else type(error).__name__)
            raise
        except BaseException:
            fail(span, CANCELLED)
            raise
        finally:
            attach(before)
            del self._running[run.run_id]
            tracer.close()
            span.end()

    def callbacks(self, run: Run) -> list[BaseCallbackHandler]:
        """The callbacks that make the spans of a run's model calls and tools, while it is on."""
        return [self._running[run.run_id]]


class _RunTracer(BaseCallbackHandler):
    """Makes the spans of one run's model calls and tools.

    Synchronous nodes and tools call it from their own threads, as they do `RunRecorder`.

    Args:
        tracer: Makes spans.
        span: The run's.
        tells_content: Whether content is reported.
    """

    run_inline = True  # in the context of the call, where its span is to be current

    def __init__(self, tracer: Tracer, span: Span, *, tells_content: bool) -> None:
        self._tracer = tracer
        self._span = span
        self._tells_content = tells_content
        self._open: dict[UUID, tuple[Span, Context]] = {}
        self._models: list[str | None] = []
        self._input = self._output = self._cached = self._written = 0

    def close(self) -> None:
        """End what was left open by a run that was cut."""
        for run_id in list(self._open):
            self._end(run_id, failure=CANCELLED)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002 - LangChain's signature
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: Mapping[str, Any] | None = None,
        **_: object,
    ) -> None:
        """A model is asked."""
        told = metadata or {}
        model = told.get("ls_model_name")
        found = {names.OPERATION: "chat", names.PROVIDER: str(told.get("ls_provider") or "unknown")}
        if isinstance(model, str) and model:
            found[names.REQUEST_MODEL] = model
        if self._tells_content:
            found[names.INPUT_MESSAGES] = _encode(messages[0])
        self._begin(run_id, f"chat {model}" if model else "chat", SpanKind.CLIENT, found)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: object) -> None:
        """A model has answered."""
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        message = generation.message if isinstance(generation, ChatGeneration) else None
        found = self._describe_answer(message) if isinstance(message, AIMessage) else {}
        self._end(run_id, found)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: object) -> None:
        """A model gave no answer."""
        self._end(run_id, failure=type(error).__name__)

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        inputs: dict[str, Any] | None = None,
        tool_call_id: str | None = None,
        **_: object,
    ) -> None:
        """A tool begins."""
        name = str((serialized or {}).get("name", "tool"))
        found = {names.OPERATION: "execute_tool", names.TOOL: name, names.TOOL_TYPE: "function"}
        if tool_call_id is not None:
            found[names.TOOL_CALL] = tool_call_id
        if self._tells_content:
            found[names.TOOL_ARGUMENTS] = encode_messages(inputs) if inputs is not None else input_str
        self._begin(run_id, f"execute_tool {name}", SpanKind.INTERNAL, found)

    def on_tool_end(self, output: object, *, run_id: UUID, **_: object) -> None:
        """A tool has answered; a failure that it told the model is one too."""
        message = find_tool_message(output)
        found: dict[str, Any] = {}
        if message is not None and message.tool_call_id:
            found[names.TOOL_CALL] = message.tool_call_id
        if self._tells_content:
            found[names.TOOL_RESULT] = str(message.text) if message is not None else str(output)
        failed = message is not None and message.status == "error"
        self._end(run_id, found, failure="tool_error" if failed else None)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: object) -> None:
        """A tool failed, or was stopped."""
        self._end(run_id, failure=type(error).__name__)

    def _begin(self, run_id: UUID, name: str, kind: SpanKind, found: Mapping[str, str]) -> None:
        before = get_current()
        span = self._tracer.start_span(name, kind=kind, attributes=found)
        self._open[run_id] = span, before
        attach(set_span_in_context(span))

    def _end(self, run_id: UUID, found: Mapping[str, Any] | None = None, *, failure: str | None = None) -> None:
        begun = self._open.pop(run_id, None)
        if begun is None:
            return
        span, before = begun
        if get_current_span() is span:
            attach(before)
        span.set_attributes(found or {})
        if failure is not None:
            fail(span, failure)
        span.end()

    def _describe_answer(self, message: AIMessage) -> dict[str, Any]:
        """Read a model call off the model's message; the router's part is what `ChatPlano` notes under ``plano``."""
        metadata = message.response_metadata
        routed = metadata.get("plano") or {}
        found: dict[str, Any] = {
            names.DECISION: routed.get("decision"),
            names.REASON: routed.get("reason"),
            names.ROUTE: routed.get("route"),
            names.MODEL: routed.get("model"),
            names.RESPONSE_MODEL: metadata.get("model_name") or None,
        }
        if isinstance(routed.get("model"), str):
            found[names.PROVIDER] = names.name_provider(routed["model"].partition("/")[0])
        if isinstance(routed.get("degraded"), str):
            found[names.DEGRADED] = routed["degraded"].split(",")
        if message.usage_metadata is not None:
            usage = message.usage_metadata
            found[names.INPUT_TOKENS], found[names.OUTPUT_TOKENS] = (
                usage["input_tokens"],
                usage["output_tokens"],
            )
            details = usage.get("input_token_details", {})
            found[names.CACHED_TOKENS] = details.get("cache_read", 0)
            found[names.WRITTEN_TOKENS] = details.get("cache_creation", 0)
        if self._tells_content:
            found[names.OUTPUT_MESSAGES] = _encode([message])
        self._sum_up(found)
        return {name: value for name, value in found.items() if value is not None}

    def _sum_up(self, call: Mapping[str, Any]) -> None:
        """Write onto the run's span what its model calls come to so far."""
        self._models.append(call[names.RESPONSE_MODEL])
        self._input += call.get(names.INPUT_TOKENS, 0)
        self._output += call.get(names.OUTPUT_TOKENS, 0)
        self._cached += call.get(names.CACHED_TOKENS, 0)
        self._written += call.get(names.WRITTEN_TOKENS, 0)
        pairs = zip(self._models, self._models[1:], strict=False)
        found = {
            names.TURNS: len(self._models),
            names.SWITCHES: sum(before != after for before, after in pairs),
            names.INPUT_TOKENS: self._input,
            names.OUTPUT_TOKENS: self._output,
            names.CACHED_TOKENS: self._cached,
            names.WRITTEN_TOKENS: self._written,
        }
        if names.OUTPUT_MESSAGES in call:
            found[names.OUTPUT_MESSAGES] = call[names.OUTPUT_MESSAGES]
        self._span.set_attributes(found)


def _encode(said: Iterable[BaseMessage]) -> str:
    """Write LangChain's messages as the conventions have them."""
    return encode_messages([_describe(message) for message in said])


def _describe(message: BaseMessage) -> dict[str, Any]:
    role = _ROLES.get(message.type, message.type)
    if isinstance(message, ToolMessage):
        answer = {"type": "tool_call_response", "id": message.tool_call_id, "response": str(message.text)}
        return {"role": role, "parts": [answer]}
    text = str(message.text)
    parts: list[dict[str, Any]] = [{"type": "text", "content": text}] if text else []
    if not isinstance(message, AIMessage):
        return {"role": role, "parts": parts}
    parts += [
        {"type": "tool_call", "id": call["id"], "name": call["name"], "arguments": call["args"]}
        for call in message.tool_calls
    ]
    return {"role": role, "parts": parts, "finish_reason": "tool_call" if message.tool_calls else "stop"}
