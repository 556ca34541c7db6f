"""A request's whole story: check, decide, send, translate, answer.

No HTTP server and no socket is known here: requests come in as headers and bytes, go out through `Dispatcher`, and
come back as `Answer`. Which model serves is decided by ``sessions`` and ``routing`` (`Chooser`); how a wire reads is
known to ``protocol``.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import msgspec

from plano_agents.affinity import HINT_HEADER
from plano_agents.config.model import WILDCARD, Config
from plano_agents.errors import PlanoError, UpstreamProtocolError
from plano_agents.protocol.form import Form
from plano_agents.protocol.needs import Needs
from plano_agents.protocol.openai_chat import ChatHead
from plano_agents.protocol.translation.exchange import Exchange, open_exchange
from plano_agents.protocol.usage import Tokens, UsageMeter, read_usage
from plano_agents.providers.target import Target, build_request_headers, build_target
from plano_agents.router.answer import Answer, answer_error, build_headers, pass_back
from plano_agents.router.bugs import report_bug
from plano_agents.router.choice import Choice, Chooser
from plano_agents.router.dispatch import SUCCESS, Candidate, Dispatcher, Sent, StreamedAnswer, WholeAnswer
from plano_agents.router.explain import EXPLAIN, EXPLAIN_HEADER, Explanation, explain
from plano_agents.router.streams import SameStream, pass_stream
from plano_agents.router.surfaces import Endpoint, Surface
from plano_agents.router.trail import Observer, Trail
from plano_agents.router.turns import Turns
from plano_agents.router.upstream import UpstreamRequest
from plano_agents.sessions.decide import decide_after_move, decide_without_session
from plano_agents.sessions.pin import Decision, MoveReason
from plano_agents.sessions.pinning import Pinning, Turn


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """A request as it came from the client."""

    headers: Sequence[tuple[str, str]] = field(repr=False)
    """In the order they came, names in lower case."""
    body: bytes = field(repr=False)
    """JSON, or what claims to be."""


class Service:
    """Serves the proxied endpoints.

    Args:
        config: What is configured.
        chooser: Says which models may serve a request.
        pinning: Keeps the sessions' models; it may outlive this service, as a configuration is exchanged.
        dispatcher: Sends to the providers.
        observe: Is shown each request once it is over.
        clock: Monotonic time in seconds.
        wall_clock: Unix time in seconds.

    Raises:
        ConfigError: A configured model cannot be served.
    """

    def __init__(
        self,
        config: Config,
        *,
        chooser: Chooser,
        pinning: Pinning,
        dispatcher: Dispatcher,
        observe: Observer = lambda _trail: None,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._chooser = chooser
        self._turns = Turns(config, pinning)
        self._dispatcher = dispatcher
        self._observe = observe
        self._clock = clock
        self._wall_clock = wall_clock
        self._targets = {model.name: build_target(model) for model in config.models}

    @asynccontextmanager
    async def answer(self, endpoint: Endpoint, request: ProxyRequest) -> AsyncIterator[Answer]:
        """Answer one request; leaving the context ends it, whether its body was read or not.

        Args:
            endpoint: Where it was posted to.
            request: The client's request.

        Yields:
            The answer; failures are answers too.
        """
        headers = dict(request.headers)
        trace_id = _trace_id(headers.get("traceparent", ""))
        trail = Trail(trace_id, endpoint.path, self._wall_clock(), self._clock())
        async with AsyncExitStack() as stack:
            stack.callback(self._end, trail)
            try:
                answer = await self._answer(endpoint, request, headers, trail, stack)
                trail.status = answer.status
                yield answer
            except (asyncio.CancelledError, GeneratorExit):
                trail.client_left = True
                raise

    def _end(self, trail: Trail) -> None:
        """Show a request that is over."""
        trail.duration_ms = self._measure(trail)
        self._observe(trail)

    async def _answer(
        self,
        endpoint: Endpoint,
        request: ProxyRequest,
        headers: Mapping[str, str],
        trail: Trail,
        stack: AsyncExitStack,
    ) -> Answer:
        """Answer; failures are answers too."""
        try:
            return await self._handle(endpoint, request, headers, trail, stack)
        except PlanoError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            failure = report_bug(error, trail.trace_id)
        trail.failure = failure.code
        return answer_error(failure, trail, endpoint.surface.encode_error)

    def _measure(self, trail: Trail) -> float:
        """How long ago a request came, in milliseconds."""
        return (self._clock() - trail.started) * 1000

    def _note_first(self, trail: Trail, _first: "asyncio.Task[bytes]") -> None:
        trail.first_ms = self._measure(trail)

    async def _handle(
        self,
        endpoint: Endpoint,
        request: ProxyRequest,
        headers: Mapping[str, str],
        trail: Trail,
        stack: AsyncExitStack,
    ) -> Answer:
        trail.affinity_id = self._turns.find_affinity_id(request.headers)
        head = endpoint.surface.parse_head(request.body)
        choice = self._chooser.read(head, Needs(request.body))
        trail.turn = await self._turns.begin(request.headers, trail.affinity_id, head, stack)
        if trail.turn is None:
            trail.decision = decide_without_session(await choice.route())
        else:
            trail.session = trail.turn.key
            trail.decision = await trail.turn.decide(
                hint=headers.get(HINT_HEADER.lower()),
                find_model=self._chooser.find_name,
                route=choice.route,
            )
        trail.ranking = choice.ranking
        trail.routing_ms = self._measure(trail)
        if endpoint.decides_only:
            first, *_ = _list_candidates(choice, trail)
            if first != trail.decision.model:
                trail.decision = await _move(trail.turn, trail.decision, first, "unsuitable")
            explained = headers.get(EXPLAIN_HEADER, "").lower() == EXPLAIN
            return _answer_decision(trail, choice, head, await explain(choice) if explained else None)
        exchanges = _Exchanges(endpoint.surface, request.body, int(self._wall_clock()))
        sent = await self._send(exchanges, headers, trail, choice, stack)
        model = sent.answer.model
        if sent.moved is not None:
            trail.decision = await _move(trail.turn, trail.decision, model, sent.moved)
        return self._build_answer(sent.answer, exchanges.of(model), endpoint.surface, trail, stack)

    async def _send(
        self,
        exchanges: "_Exchanges",
        headers: Mapping[str, str],
        trail: Trail,
        choice: Choice,
        stack: AsyncExitStack,
    ) -> Sent:
        """Send the request to the model decided on, or to the next that may serve it."""
        assert trail.decision is not None, "what is sent was decided"  # noqa: S101 - cannot happen
        candidates = [
            self._build_candidate(name, exchanges, headers, trail.turn)
            for name in _list_candidates(choice, trail)
        ]
        started = self._clock()
        try:
            return await self._dispatcher.send(
                candidates, stack, decided=trail.decision.model, note=trail.tries.append
            )
        finally:
            trail.upstream_ms = (self._clock() - started) * 1000

    def _build_candidate(
        self, name: str, exchanges: "_Exchanges", headers: Mapping[str, str], turn: Turn | None
    ) -> Candidate:
        model = self._config.find_model(name)
        assert model is not None, "a candidate is a configured model"  # noqa: S101 - cannot happen

        def build() -> UpstreamRequest:
            target = self._targets.get(name) or build_target(model)
            wire = target.choose_wire(exchanges.surface.form)
            body = exchanges.open(name, target, wire, model.model_id)
            if turn is not None:
                turn.note_dispatch(name)
            return UpstreamRequest(
                target.urls[wire], build_request_headers(target, headers), body, self._config.timeouts
            )

        return Candidate(name, name if name in self._targets else f"{model.provider}/{WILDCARD}", build)

    def _build_answer(
        self,
        sent: WholeAnswer | StreamedAnswer,
        exchange: Exchange | None,
        surface: Surface,
        trail: Trail,
        stack: AsyncExitStack,
    ) -> Answer:
        """Make the provider's answer ours; what it cost is read once it has been sent."""
        if exchange is not None:
            _refuse_compressed(sent.headers)
        headers = {**pass_back(sent.headers), **build_headers(trail)}
        if isinstance(sent, StreamedAnswer):
            encoder = (
                exchange.build_stream()
                if exchange is not None
                else SameStream(surface.end_mark, surface.encode_error_event)
            )
            trail.streams = True
            sent.first.add_done_callback(partial(self._note_first, trail))
            meter = UsageMeter()
            stack.callback(_spend, trail, meter.read)
            stream = pass_stream(
                sent,
                encoder,
                trail,
                patience=self._config.limits.keepalive_comment_seconds,
                note=meter.note,
            )
            stack.push_async_callback(stream.aclose)
            headers |= {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
            return Answer(sent.status, headers, stream)
        body = sent.body
        if exchange is not None:
            headers["content-type"] = "application/json"
            is_success = sent.status in SUCCESS
            body = exchange.encode_reply(body) if is_success else exchange.encode_error(body, sent.status)
        stack.callback(_spend, trail, partial(read_usage, body))
        return Answer(sent.status, headers, body)


class _Exchanges:
    """One request on the wires of its candidates, each written when its turn has come.

    Args:
        surface: The API that the client speaks.
        body: The request.
        created: Unix time in seconds.
    """

    def __init__(self, surface: Surface, body: bytes, created: int) -> None:
        self.surface = surface
        self._body = body
        self._created = created
        self._opened: dict[str, Exchange | None] = {}

    def open(self, name: str, target: Target, wire: Form, model_id: str) -> bytes:
        """Write the request for a candidate; give its body."""
        if wire is self.surface.form:
            self._opened[name] = None
            return self.surface.replace_model(self._body, model_id)
        exchange = self._opened[name] = open_exchange(
            self.surface.form,
            wire,
            self._body,
            model_id,
            created=self._created,
            limit_field=target.limit_field,
        )
        return exchange.request_body

    def of(self, name: str) -> Exchange | None:
        """How the answer of a candidate is translated back; None where it is passed on as it is."""
        return self._opened[name]


def _answer_decision(trail: Trail, choice: Choice, head: ChatHead, explanation: Explanation | None) -> Answer:
    """Answer with the decision alone, in Plano's shape and with our reason, and why, where that was asked.

    With no match the models are the request's own model alone, as the client spelt it.
    """
    decision = trail.decision
    assert decision is not None, "the decision was just made"  # noqa: S101 - cannot happen
    models = _list_candidates(choice, trail)
    if decision.route is None and head.model is not None and decision.kind != "retain":
        models = [head.model]
    content: dict[str, object] = {
        "models": models,
        "route": decision.route,
        "trace_id": trail.trace_id,
        "session_id": trail.affinity_id,
        "pinned": decision.kind == "retain",
        "switched": decision.kind == "switch",
        "decision": decision.kind,
        "reason": decision.reason,
    }
    if explanation is not None:
        content["explanation"] = explanation
    return Answer(
        200, {**build_headers(trail), "content-type": "application/json"}, msgspec.json.encode(content)
    )


def _list_candidates(choice: Choice, trail: Trail) -> list[str]:
    assert trail.decision is not None, "candidates are those of a decision"  # noqa: S101 - cannot happen
    by_hint = trail.turn is not None and trail.turn.is_hinted
    return choice.candidates(trail.decision, by_hint=by_hint)


async def _move(turn: Turn | None, decision: Decision, model: str, reason: MoveReason) -> Decision:
    """Decide for another model than the one decided on; a session's pin follows."""
    if turn is None:
        return decide_after_move(decision, model, reason)
    return await turn.follow(decision, model, reason)


def _spend(trail: Trail, read: Callable[[], Tokens]) -> None:
    """Read what the answer cost."""
    trail.tokens = read()
    if trail.turn is not None:
        trail.turn.spend(trail.tokens)


def _refuse_compressed(headers: Mapping[str, str]) -> None:
    """Refuse what cannot be read; ``identity`` was asked for."""
    encoding = headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UpstreamProtocolError(
            f"The provider compressed its answer ({encoding!r}) although 'accept-encoding: identity' was sent."
        )


def _trace_id(traceparent: str) -> str:
    """Take the trace id of a W3C ``traceparent``, or make one."""
    parts = traceparent.split("-")
    given = parts[1] if len(parts) == 4 else ""  # noqa: PLR2004 - W3C Trace Context, section 3.2
    valid = len(given) == 32 and set(given) <= set("0123456789abcdef") and set(given) != {"0"}  # noqa: PLR2004
    return given if valid else uuid.uuid4().hex
