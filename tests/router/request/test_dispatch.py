"""The router's one retry loop: what is tried again, what is not, and what the client is told."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from itertools import combinations

import pytest

from plano_agents.config.model import Breaker, Config, Limits, Retries, name_upstream
from plano_agents.errors import (
    ConnectTimeoutError,
    FirstByteTimeoutError,
    SilenceTimeoutError,
    UnsupportedFieldError,
    UpstreamError,
    UpstreamUnavailableError,
    UpstreamUnreachableError,
)
from plano_agents.http.client import UpstreamRequest
from plano_agents.protocol import openai_chat
from plano_agents.protocol.form import Form
from plano_agents.protocol.request_body import RequestBody
from plano_agents.router.request.candidates import Draft, Opened
from plano_agents.router.request.dispatch import Dispatcher, Sent
from plano_agents.router.request.health import Health
from plano_agents.router.request.upstream_answer import StreamedAnswer, WholeAnswer
from tests.router.conftest import (
    CHUNKS,
    CLAUDE,
    GPT,
    JSON,
    SSE,
    Clock,
    MemoryResponse,
    MemoryUpstream,
    build_config,
)

OK = MemoryResponse()
DOWN = UpstreamUnreachableError("down")
BUSY = MemoryResponse(status=503, headers=JSON)
TOO_LONG = MemoryResponse(400, pieces=(b'{"error": {"code": "context_length_exceeded", "message": "long"}}',))


def why(sent: Sent) -> str | None:
    """Give the reason why another model answered than the one decided on."""
    return sent.moved.reason if sent.moved is not None else None


class Scene:
    """A dispatcher over providers in memory, on a clock that its waits move."""

    def __init__(self, *answers: MemoryResponse | Exception, config: Config | None = None) -> None:
        self.clock = Clock()
        self.waits: list[float] = []
        self.upstream = MemoryUpstream(*answers)
        self.config = config or build_config(GPT, CLAUDE)
        self.health = Health(self.config, clock=self.clock)
        self.dispatcher = Dispatcher(
            self.config,
            self.upstream,
            self.health,
            wall_clock=self.clock,
            chance=lambda: 1.0,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.now += seconds

    async def send(self, *models: str, decided: str | None = None) -> Sent:
        candidates = [Asked(model) for model in models or (GPT,)]
        return await self.dispatcher.send(candidates, decided=decided or candidates[0].model)

    @property
    def asked(self) -> list[str]:
        return [request.url for request in self.upstream.requests]


DRAFT = Draft(Form.OPENAI_CHAT, RequestBody(b"{}", openai_chat.parse_head), {}, 0)


@dataclass
class At:
    """A place that serves a model."""

    upstream: str
    deployment: str | None


@dataclass
class Asked:
    """A candidate whose address is its name."""

    model: str
    streams: bool = False
    by_client_key: bool = False
    deployment: str | None = None

    @property
    def served(self) -> At:
        return At(name_upstream(self.model, self.deployment), self.deployment)

    def open(self) -> Opened:
        return Opened(UpstreamRequest(self.model, {}, b"{}"), Form.OPENAI_CHAT, DRAFT, self.streams, self.by_client_key)


class Unsuitable(Asked):
    """A candidate whose wire cannot carry the request."""

    def open(self) -> Opened:
        raise UnsupportedFieldError("cannot be carried", param="n")


async def test_a_good_answer_is_taken_at_once() -> None:
    scene = Scene(OK)
    sent = await scene.send(GPT, CLAUDE)
    assert (sent.answer.status, why(sent), scene.asked) == (200, None, [GPT])


@pytest.mark.parametrize(
    "failure",
    [DOWN, ConnectTimeoutError("late"), BUSY, MemoryResponse(status=429), MemoryResponse(status=500)],
)
async def test_what_may_pass_is_tried_twice_more_with_growing_waits(
    failure: MemoryResponse | Exception,
) -> None:
    scene = Scene(failure, failure, OK)
    assert (await scene.send()).answer.status == 200
    assert scene.waits == [0.5, 1.0]


@pytest.mark.parametrize("status", [400, 409, 415, 422])
async def test_what_the_request_caused_is_answered_at_once(status: int) -> None:
    scene = Scene(MemoryResponse(status=status))
    assert (await scene.send(GPT, CLAUDE)).answer.status == status
    assert scene.asked == [GPT]


@pytest.mark.parametrize(
    "refusal",
    [
        *(MemoryResponse(status=status) for status in (401, 402, 403, 404)),
        MemoryResponse(400, pieces=(b'[{"error": {"code": 400, "message": "API key not valid."}}]',)),
        MemoryResponse(400, pieces=(b'{"object": "error", "message": "No", "type": "invalid_model"}',)),
    ],
)
async def test_what_is_about_who_was_asked_goes_to_the_next_at_once(refusal: MemoryResponse) -> None:
    scene = Scene(refusal, OK)
    sent = await scene.send(GPT, CLAUDE)
    assert (sent.answer.model, why(sent), scene.asked) == (CLAUDE, "upstream_failed", [GPT, CLAUDE])


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_where_no_other_does_better_the_refusal_is_told(status: int) -> None:
    sent = await Scene(MemoryResponse(status=status), BUSY).send(GPT, CLAUDE)
    assert (sent.answer.status, sent.answer.model, why(sent)) == (status, GPT, None)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_of_the_clients_own_key_is_answered(status: int) -> None:
    scene = Scene(MemoryResponse(status=status))
    own = Asked(GPT, by_client_key=True)
    sent = await scene.dispatcher.send([own, Asked(CLAUDE)], decided=GPT)
    assert (sent.answer.status, scene.asked) == (status, [GPT])


@pytest.mark.parametrize("error", [FirstByteTimeoutError("late"), SilenceTimeoutError("late")])
async def test_a_whole_answer_that_is_late_is_not_asked_for_again(error: Exception) -> None:
    scene = Scene(error, OK)
    assert (await scene.send(GPT, CLAUDE)).answer.model == CLAUDE
    assert scene.asked == [GPT, CLAUDE]


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"code": 503, "message": "Busy"}}',
        b'{"error": "Busy"}',
        b'{"id": "c", "choices": []}',
        b'{"id": "c"}',
        b"<html>Busy</html>",
        b"",
        b"[]",
    ],
)
async def test_a_failure_within_a_200_is_one(body: bytes) -> None:
    scene = Scene(*[MemoryResponse(pieces=(body,))] * 3, OK)
    sent = await scene.send(GPT, CLAUDE)
    assert (sent.answer.model, why(sent), scene.asked) == (
        CLAUDE,
        "upstream_failed",
        [GPT, GPT, GPT, CLAUDE],
    )


PRELUDES = [b"", b": hm\n\n", b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n']
FAILED = b'data: {"error":{"code":502,"message":"Busy"}}\n\n'


@pytest.mark.parametrize("prelude", PRELUDES, ids=repr)
async def test_a_stream_whose_first_word_is_an_error_failed_wherever_it_is_cut(prelude: bytes) -> None:
    stream = prelude + FAILED
    for place in range(1, len(stream)):
        failing = MemoryResponse(headers=SSE, pieces=(stream[:place], stream[place:]))
        scene = Scene(failing, failing, failing, MemoryResponse(headers=SSE, pieces=CHUNKS))
        candidates = [Asked(GPT, streams=True), Asked(CLAUDE, streams=True)]
        sent = await scene.dispatcher.send(candidates, decided=GPT)
        assert (sent.answer.model, why(sent)) == (CLAUDE, "upstream_failed")
        assert failing.closed


async def test_a_streams_error_that_no_other_model_mends_is_told_with_its_status() -> None:
    scene = Scene(MemoryResponse(headers=SSE, pieces=(FAILED,)))
    sent = await scene.dispatcher.send([Asked(GPT, streams=True)], decided=GPT)
    assert isinstance(sent.answer, WholeAnswer)
    assert (sent.answer.status, b"Busy" in sent.answer.body) == (502, True)


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "application/octet-stream"])
async def test_events_that_call_themselves_otherwise_are_a_stream(kind: str) -> None:
    scene = Scene(MemoryResponse(headers={"content-type": kind}, pieces=CHUNKS))
    sent = await scene.dispatcher.send([Asked(GPT, streams=True)], decided=GPT)
    assert isinstance(sent.answer, StreamedAnswer)
    await sent.answer.aclose()


@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain"])
async def test_json_that_calls_itself_otherwise_is_read_whole(kind: str) -> None:
    whole = b'{"id": "c", "choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}'
    scene = Scene(MemoryResponse(headers={"content-type": kind}, pieces=(whole[:20], whole[20:])))
    sent = await scene.dispatcher.send([Asked(GPT, streams=True)], decided=GPT)
    assert isinstance(sent.answer, WholeAnswer)
    assert b'"content":"hello"' in sent.answer.body


async def test_after_three_tries_comes_the_next_candidate() -> None:
    scene = Scene(DOWN, BUSY, DOWN, OK)
    sent = await scene.send(GPT, CLAUDE)
    assert (sent.answer.model, why(sent), scene.asked) == (
        CLAUDE,
        "upstream_failed",
        [GPT, GPT, GPT, CLAUDE],
    )


async def test_when_all_fail_what_came_of_the_decided_model_is_told() -> None:
    scene = Scene(BUSY, BUSY, BUSY, DOWN)
    sent = await scene.send(GPT, CLAUDE)
    assert (sent.answer.status, sent.answer.model, why(sent)) == (503, GPT, None)


TELLING: Mapping[str, MemoryResponse | Exception] = {
    "422": MemoryResponse(422),
    "429 that says when": MemoryResponse(429, headers={"retry-after": "7"}),
    "429": MemoryResponse(429),
    "401": MemoryResponse(401),
    "500": MemoryResponse(500),
    "no connection": DOWN,
}
"""Failures, the most telling first."""


async def who_is_told(decided: MemoryResponse | Exception, fallback: MemoryResponse | Exception) -> str:
    """Let the decided model, `GPT`, and then its fallback fail, and see whose words are told."""
    once = build_config(GPT, CLAUDE, retries=Retries(max_per_candidate=0))
    return (await Scene(decided, fallback, config=once).send(GPT, CLAUDE)).answer.model


@pytest.mark.parametrize(("more", "less"), list(combinations(TELLING, 2)))
async def test_when_all_fail_the_most_telling_error_is_told_whoever_gave_it(more: str, less: str) -> None:
    assert await who_is_told(TELLING[more], TELLING[less]) == GPT
    assert await who_is_told(TELLING[less], TELLING[more]) == CLAUDE


@pytest.mark.parametrize("less", [name for name in TELLING if name != "422"])
async def test_a_request_too_long_for_the_decided_model_tells_more_than_what_may_pass(less: str) -> None:
    assert await who_is_told(TOO_LONG, TELLING[less]) == GPT


@pytest.mark.parametrize("failure", [MemoryResponse(429), MemoryResponse(401), MemoryResponse(500)])
async def test_of_two_errors_of_one_rank_the_decided_models_is_told(failure: MemoryResponse) -> None:
    scene = Scene(failure, config=build_config(GPT, CLAUDE, retries=Retries(max_per_candidate=0)))
    assert (await scene.send(CLAUDE, GPT, decided=GPT)).answer.model == GPT


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_fallbacks_refusal_helps_nobody_and_the_next_is_asked(status: int) -> None:
    scene = Scene(DOWN, DOWN, DOWN, MemoryResponse(status=status), OK)
    sent = await scene.send(GPT, CLAUDE, "openai/o3")
    assert (sent.answer.status, sent.answer.model, why(sent)) == (200, "openai/o3", "upstream_failed")


async def test_a_session_does_not_move_to_a_fallback_that_refuses() -> None:
    sent = await Scene(DOWN, DOWN, DOWN, MemoryResponse(status=401)).send(GPT, CLAUDE)
    assert (sent.answer.status, why(sent)) == (401, None)


async def test_a_provider_that_says_when_is_taken_at_its_word() -> None:
    scene = Scene(MemoryResponse(status=429, headers={"retry-after": "7"}), OK)
    await scene.send()
    assert scene.waits == [7.0]


async def test_a_provider_that_asks_for_too_long_is_left_for_the_next() -> None:
    scene = Scene(MemoryResponse(status=429, headers={"retry-after": "61"}), OK)
    sent = await scene.send(GPT, CLAUDE)
    assert (sent.answer.model, scene.waits) == (CLAUDE, [])


async def test_an_outage_adds_at_most_a_fifth_of_the_load() -> None:
    scene = Scene(MemoryResponse(status=500), config=build_config(GPT, breaker=Breaker(failures=10**6)))
    for _ in range(1000):
        scene.clock.now += 0.01
        await scene.send()
        scene.clock.now -= sum(scene.waits)
        scene.waits.clear()
    assert len(scene.asked) <= 1203


async def test_five_failures_in_a_row_leave_a_provider_alone() -> None:
    scene = Scene(DOWN, config=build_config(GPT, retries=Retries(max_per_candidate=0)))
    for _ in range(5):
        with pytest.raises(UpstreamUnreachableError):
            await scene.send()
    with pytest.raises(UpstreamUnavailableError, match=r"openai/gpt-4o failed several times") as caught:
        await scene.send()
    assert (len(scene.asked), caught.value.retry_after_seconds) == (5, 30)


async def test_a_provider_left_alone_is_passed_over_for_the_next_candidate() -> None:
    scene = Scene(
        DOWN,
        DOWN,
        DOWN,
        DOWN,
        DOWN,
        OK,
        config=build_config(GPT, CLAUDE, retries=Retries(max_per_candidate=4, budget_min=10)),
    )
    await scene.send(GPT, CLAUDE)
    scene.upstream.requests.clear()
    sent = await scene.send(GPT, CLAUDE)
    assert (why(sent), scene.asked) == ("upstream_failed", [CLAUDE])


async def test_a_candidate_that_cannot_carry_the_request_is_passed_over() -> None:
    scene = Scene(OK)
    sent = await scene.dispatcher.send([Unsuitable(CLAUDE), Asked(GPT)], decided=CLAUDE)
    assert (sent.answer.model, why(sent)) == (GPT, "unsuitable")


async def test_a_request_that_no_candidate_can_carry_is_refused_by_its_field() -> None:
    scene = Scene(OK)
    with pytest.raises(UnsupportedFieldError) as caught:
        await scene.dispatcher.send([Unsuitable(CLAUDE)], decided=CLAUDE)
    assert caught.value.param == "n"


async def test_a_candidate_whose_provider_says_that_it_is_too_long_is_passed_over_at_once() -> None:
    scene = Scene(TOO_LONG, OK)
    sent = await scene.send(GPT, CLAUDE)
    assert (sent.answer.model, why(sent), scene.asked, scene.waits) == (
        CLAUDE,
        "unsuitable",
        [GPT, CLAUDE],
        [],
    )


@pytest.mark.parametrize("order", [(GPT, CLAUDE), (CLAUDE, GPT)])
async def test_a_request_that_is_too_long_for_all_is_answered_with_the_decided_models_own_error(
    order: tuple[str, str],
) -> None:
    scene = Scene(TOO_LONG, MemoryResponse(status=413))
    sent = await scene.send(*order, decided=GPT)
    assert (sent.answer.model, why(sent), scene.asked) == (GPT, None, list(order))


async def test_requests_that_are_too_long_open_no_breaker() -> None:
    scene = Scene(TOO_LONG, config=build_config(GPT, breaker=Breaker(failures=1)))
    for _ in range(3):
        assert (await scene.send()).answer.status == 400
    assert len(scene.asked) == 3


async def test_a_failure_that_may_pass_is_told_rather_than_a_fallbacks_shorter_reach() -> None:
    scene = Scene(BUSY, BUSY, BUSY, TOO_LONG)
    sent = await scene.send(GPT, CLAUDE)
    assert (sent.answer.status, sent.answer.model, why(sent)) == (503, GPT, None)


async def test_while_the_decided_model_is_left_alone_a_fallbacks_shorter_reach_is_no_answer() -> None:
    scene = Scene(DOWN, TOO_LONG, config=build_config(GPT, CLAUDE, breaker=Breaker(failures=1)))
    with pytest.raises(UpstreamUnreachableError):
        await scene.send(GPT, CLAUDE)
    with pytest.raises(UpstreamUnavailableError, match=r"^openai/gpt-4o failed several times") as caught:
        await scene.send(GPT, CLAUDE)
    assert caught.value.retry_after_seconds == 30


async def test_a_fallback_for_a_model_known_to_be_unsuitable_says_so() -> None:
    sent = await Scene(OK).send(CLAUDE, GPT, decided=GPT)
    assert (sent.answer.model, why(sent)) == (CLAUDE, "unsuitable")


async def test_a_model_thought_unsuitable_that_answers_after_all_has_not_moved() -> None:
    scene = Scene(DOWN, DOWN, DOWN, OK)
    sent = await scene.send(CLAUDE, GPT, decided=GPT)
    assert (sent.answer.model, why(sent)) == (GPT, None)


async def test_a_client_that_leaves_in_the_wait_ends_it() -> None:
    waiting = asyncio.Event()

    async def wait(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    scene = Scene(BUSY)
    dispatcher = Dispatcher(scene.config, scene.upstream, scene.health, sleep=wait)
    asking = asyncio.create_task(dispatcher.send([Asked(GPT)], decided=GPT))
    await waiting.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len(scene.asked) == 1


async def test_an_abandoned_probe_leaves_room_for_another() -> None:
    scene = Scene(DOWN, config=build_config(GPT, retries=Retries(max_per_candidate=0)))
    for _ in range(5):
        with pytest.raises(UpstreamError):
            await scene.send()
    scene.clock.now += 30

    asked = asyncio.Event()

    class Hanging(MemoryUpstream):
        async def send(self, request: UpstreamRequest) -> MemoryResponse:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    dispatcher = Dispatcher(scene.config, Hanging(), scene.health)
    probe = asyncio.create_task(dispatcher.send([Asked(GPT)], decided=GPT))
    await asked.wait()
    probe.cancel()
    await asyncio.wait({probe})
    assert scene.health.of(GPT).breaker.allow()


async def test_a_stream_whose_first_bytes_are_late_is_given_while_they_are_awaited() -> None:
    go = asyncio.Event()

    class Slow(MemoryResponse):
        async def chunks(self) -> AsyncGenerator[bytes, None]:
            await go.wait()
            for chunk in CHUNKS:
                yield chunk

    scene = Scene(Slow(headers=SSE), config=build_config(GPT, limits=Limits(keepalive_comment_seconds=0.01)))
    sent = await scene.dispatcher.send([Asked(GPT, streams=True)], decided=GPT)
    assert isinstance(sent.answer, StreamedAnswer)
    assert not sent.answer.first.done()
    go.set()
    await sent.answer.first
    rest: list[bytes] = []

    def take(chunk: bytes) -> bool:
        rest.append(chunk)
        return True

    assert await sent.answer.forward(take)
    await sent.answer.aclose()
    assert (sent.answer.opening, *rest) == CHUNKS
