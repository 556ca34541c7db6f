"""A request's whole story: checked, struck by its fault, answered at its pace, written into the log."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request as HttpRequest
from fastapi.responses import Response, StreamingResponse

from plano_agents.simulator.agent.reply import UncallableError, build_reply
from plano_agents.simulator.agent.values import UnwritableError
from plano_agents.simulator.breaking import BrokenResponse, wait_for_disconnect
from plano_agents.simulator.conversation import render_blocks
from plano_agents.simulator.faults import FAULT_HEADER, Fault, Faults, parse_fault
from plano_agents.simulator.pacing import Pacer, pace
from plano_agents.simulator.prompt_cache import AutomaticCache, MarkedCache, PromptUsage
from plano_agents.simulator.request_log import LoggedRequest, RequestLog, name_authorization
from plano_agents.simulator.settings import SimulatorSettings
from plano_agents.simulator.tokens import split_tokens
from plano_agents.simulator.wire.exchange import Answer, Refusal, Request, build_answer
from plano_agents.simulator.wire.wires import Wire

OK = 200
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
AFFINITY_HEADER = "x-model-affinity"

CACHE_KEY_HEADERS = ("x-grok-conv-id", "x-session-affinity", "x-session-id")
"""The headers that do at xAI, Fireworks and OpenRouter what ``prompt_cache_key`` does at OpenAI."""


@dataclass(slots=True)
class _Exchange:
    """One request while it is served."""

    wire: Wire
    """The wire that it came on."""
    http: HttpRequest
    """The request as it came."""
    order: int
    """Its number in the log."""
    headers: dict[str, str]
    """The answer's own headers."""
    request: Request | None = None
    """What was read of it, once it was accepted."""


class Endpoint:
    """Serves all wires.

    Args:
        settings: What is served, and how well.
        clock: Seconds, monotonic; for caching and pacing.
        wall_clock: Seconds since 1970; for the answers' ``created``.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        settings: SimulatorSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.faults = Faults(settings.faults)
        self.log = RequestLog()
        self._settings = settings
        self._clock = clock
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._automatic, self._marked = AutomaticCache(clock), MarkedCache(clock)

    async def serve(self, wire: Wire, http: HttpRequest) -> Response:
        """Answer one request."""
        exchange = _Exchange(wire, http, self.log.next_order(), {wire.request_id_header: f"req_{uuid.uuid4().hex}"})
        try:
            wire.check_headers(http.headers, self._settings.require_key)
            exchange.request = request = wire.parse_request(await http.body())
            if self._settings.models and request.model not in self._settings.models:
                raise wire.refuse_model(request.model)
            fault = self._find_fault(exchange, request)
            if fault is None:
                return await self._answer(exchange, request)
            return await self._strike(exchange, request, fault)
        except Refusal as refusal:
            self._record(exchange, refusal.status)
            wait = {} if refusal.retry_after is None else {"retry-after": str(refusal.retry_after)}
            body = wire.encode_refusal(refusal, exchange.headers[wire.request_id_header])
            return Response(body, refusal.status, exchange.headers | wait, JSON)

    def _find_fault(self, exchange: _Exchange, request: Request) -> Fault | None:
        asked = exchange.http.headers.get(FAULT_HEADER)
        if asked is None:
            return self.faults.take(request.model)
        try:
            return parse_fault(asked)
        except ValueError as problem:
            raise exchange.wire.refuse(str(problem)) from None

    async def _strike(self, exchange: _Exchange, request: Request, fault: Fault) -> Response:
        if fault.delay_ms:
            await self._sleep(fault.delay_ms / 1000)
        if fault.hang:
            self._record(exchange, None)
            await wait_for_disconnect(exchange.http.receive)
            return Response()
        if fault.status is not None:
            refusal = exchange.wire.build_fault(fault.status)
            refusal.retry_after = fault.retry_after
            raise refusal
        whole = await self._answer(exchange, request)
        if fault.cut_after is not None:
            return BrokenResponse(whole, fault.cut_after, stall=False)
        return whole if fault.stall_after is None else BrokenResponse(whole, fault.stall_after, stall=True)

    async def _answer(self, exchange: _Exchange, request: Request) -> Response:
        pacer = Pacer(
            self._settings.time_to_first_token_ms,
            self._settings.tokens_per_second,
            clock=self._clock,
            sleep=self._sleep,
        )
        prompt = self._count(exchange, request)
        try:
            reply = build_reply(request.conversation, request.model, self._settings.seed, act=self._settings.act)
        except (UnwritableError, UncallableError) as problem:
            raise exchange.wire.refuse(str(problem)) from None
        answer = build_answer(reply, request, prompt, int(self._wall_clock()))
        self._record(exchange, OK, answer)
        if request.stream:
            events = exchange.wire.encode_events(answer, request.include_usage)
            return StreamingResponse(pace(events, pacer), OK, exchange.headers, EVENT_STREAM)
        await pacer.wait(answer.completion_tokens)
        return Response(exchange.wire.encode_answer(answer), OK, exchange.headers, JSON)

    def _count(self, exchange: _Exchange, request: Request) -> PromptUsage:
        """Count the prompt's tokens, and those that are cached: by marks, or by themselves."""
        blocks = [(place, split_tokens(text)) for place, text in render_blocks(request.conversation)]
        marks = request.cache_marks
        if marks is not None:
            last = {place: at for at, (place, _) in enumerate(blocks)}
            marked = {last[place]: ttl_seconds for place, ttl_seconds in marks.items() if place in last}
            return self._marked.record(request.model, [tokens for _, tokens in blocks], marked)
        headers = exchange.http.headers
        key = request.cache_key or next((headers[name] for name in CACHE_KEY_HEADERS if name in headers), "")
        return self._automatic.record(request.model, [token for _, tokens in blocks for token in tokens], key)

    def _record(self, exchange: _Exchange, status: int | None, answer: Answer | None = None) -> None:
        headers, request = exchange.http.headers, exchange.request
        self.log.record(
            LoggedRequest(
                order=exchange.order,
                wire=exchange.wire.name,
                path=exchange.http.url.path,
                model=request.model if request is not None else None,
                status=status,
                stream=request is not None and request.stream,
                affinity_id=headers.get(AFFINITY_HEADER),
                authorization=name_authorization(headers),
                headers=tuple(sorted(headers.keys())),
                prompt_tokens=answer.prompt.total if answer is not None else 0,
                cached_tokens=answer.prompt.cached if answer is not None else 0,
                completion_tokens=answer.completion_tokens if answer is not None else 0,
            )
        )
