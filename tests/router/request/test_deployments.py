"""A model's deployments: which is asked first, which next, and when another model is."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.model import Breaker, Config, Deployment, Retries
from plano_agents.errors import (
    ConnectTimeoutError,
    FirstByteTimeoutError,
    UnsupportedFieldError,
    UpstreamUnavailableError,
)
from plano_agents.router.request.candidates import Opened, Served
from plano_agents.router.request.deployments import draw, order_deployments
from plano_agents.router.request.dispatch import REST_SECONDS, Sent
from plano_agents.router.request.health import MAX_REST_SECONDS
from plano_agents.sessions.pin import Decision, SessionKey
from tests.router.conftest import (
    CHUNKS,
    CLAUDE,
    GPT,
    JSON,
    MINI,
    SSE,
    MemoryResponse,
    MemoryUpstream,
    build_config,
    build_model,
    build_pinning,
    build_service,
)
from tests.router.request.test_dispatch import BUSY, DOWN, OK, TOO_LONG, Asked, Scene, why

LIMITED, SOON, LATE = (
    MemoryResponse(429, {**JSON, **after}) for after in ({}, {"retry-after": "7"}, {"retry-after": "90"})
)
REVOKED = MemoryResponse(401)


class Places(Scene):
    """A dispatcher over a model with deployments, and another model."""

    def __init__(self, *answers: MemoryResponse | Exception, config: Config | None = None) -> None:
        super().__init__(*answers, config=config or deployed("eu", "us"))

    async def ask(self, *order: str, pinned: str | None = None, streams: bool = False) -> Sent:
        """Ask the deployments in this order, then the other model."""
        places = [Asked(GPT, streams=streams, deployment=each) for each in order]
        return await self.dispatcher.send([*places, Asked(CLAUDE)], GPT, pinned or order[0])

    async def told(self, *order: str, pinned: str | None = None) -> tuple[str, str | None, str | None]:
        """Ask; give the model and the deployment that answered, and why it was another than the pinned one."""
        sent = await self.ask(*order, pinned=pinned)
        return sent.answer.model, sent.deployment, sent.moved.because if sent.moved is not None else None


def deployed(*names: str, **fields: Breaker | Retries) -> Config:
    places = tuple(Deployment(name) for name in names)
    models = (replace(build_model(GPT), deployments=places), build_model(CLAUDE))
    return Config(models=models, **fields)  # type: ignore[arg-type] # the test names fields


FAULTS: dict[str, tuple[MemoryResponse | Exception, str]] = {
    "no connection": (DOWN, "upstream_unreachable"),
    "a late connection": (ConnectTimeoutError("late"), "upstream_connect_timeout"),
    "a late answer": (FirstByteTimeoutError("late"), "upstream_first_byte_timeout"),
    "408": (MemoryResponse(408), "status 408"),
    "500": (MemoryResponse(500), "status 500"),
    "503": (BUSY, "status 503"),
    "429": (LIMITED, "status 429"),
    "429, come again soon": (SOON, "status 429"),
    "429, come again late": (LATE, "status 429"),
    "401": (REVOKED, "status 401"),
    "402": (MemoryResponse(402), "status 402"),
    "403": (MemoryResponse(403), "status 403"),
    "404": (MemoryResponse(404), "status 404"),
    "an error within a 200": (MemoryResponse(pieces=(b'{"error": {"code": 503}}',)), "status 503"),
    "nonsense": (MemoryResponse(pieces=(b"<html>",)), "upstream_protocol_error"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_is_wrong_with_a_deployment_the_next_of_the_same_model_answers_at_once(fault: str) -> None:
    failure, because = FAULTS[fault]
    scene = Places(failure, OK)
    assert await scene.told("eu", "us") == (GPT, "us", because)
    assert (scene.asked, scene.waits) == ([GPT, GPT], [])


async def test_a_good_answer_of_the_pinned_deployment_moves_nothing() -> None:
    assert await Places(OK).told("eu", "us") == (GPT, "eu", None)


async def test_what_the_request_caused_is_answered_by_the_first_deployment() -> None:
    scene = Places(MemoryResponse(400))
    assert (await scene.ask("eu", "us")).answer.status == 400
    assert len(scene.asked) == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_only_when_no_deployment_answers_another_model_does(fault: str) -> None:
    failure, because = FAULTS[fault]
    config = deployed("eu", "us", retries=Retries(max_per_candidate=0))
    scene = Places(failure, failure, OK, config=config)
    sent = await scene.ask("eu", "us")
    assert (sent.answer.model, why(sent), sent.moved and sent.moved.because) == (CLAUDE, "upstream_failed", because)
    assert scene.asked == [GPT, GPT, CLAUDE]


async def test_each_deployment_is_asked_before_any_is_asked_again() -> None:
    scene = Places(BUSY, DOWN, BUSY, BUSY, BUSY, BUSY, OK)
    assert await scene.told("eu", "us") == (CLAUDE, None, "status 503")
    assert scene.asked == [GPT] * 6 + [CLAUDE]
    assert scene.waits == [0.5, 0.0, 1.0, 0.0]


async def test_one_that_answers_on_another_try_is_no_move() -> None:
    assert await Places(BUSY, DOWN, OK).told("eu", "us") == (GPT, "eu", None)


async def test_the_first_that_may_be_asked_is_waited_for() -> None:
    scene = Places(LATE, SOON, OK)
    assert await scene.told("eu", "us") == (GPT, "us", "status 429")
    assert scene.waits == [7.0]


async def test_a_deployment_whose_key_is_revoked_is_not_asked_twice() -> None:
    scene = Places(REVOKED, BUSY, BUSY, BUSY, OK)
    assert await scene.told("eu", "us") == (CLAUDE, None, "status 401")
    assert scene.waits == [0.5, 1.0]


async def test_the_clients_own_key_says_nothing_of_a_deployment() -> None:
    scene = Places(REVOKED, OK)
    own = [Asked(GPT, deployment=name, by_client_key=True) for name in ("eu", "us")]
    assert (await scene.dispatcher.send(own, GPT, "eu")).answer.status == 401
    assert not scene.health.is_down(f"{GPT} (eu)")


async def test_a_request_that_is_too_long_for_the_model_is_sent_to_no_other_deployment() -> None:
    scene = Places(TOO_LONG, OK)
    assert await scene.told("eu", "us") == (CLAUDE, None, "context_window")
    assert scene.asked == [GPT, CLAUDE]


class Narrow(Asked):
    """A deployment whose wire cannot carry the request."""

    def open(self) -> Opened:
        raise UnsupportedFieldError("cannot be carried", param="n")


async def test_what_one_deployment_cannot_carry_another_may_for_this_request_alone() -> None:
    scene = Places(OK)
    sent = await scene.dispatcher.send([Narrow(GPT, deployment="eu"), Asked(GPT, deployment="us")], GPT, "eu")
    assert sent.moved is not None
    assert (sent.deployment, sent.moved.because, sent.moved.stays) == ("us", "n", False)


async def test_a_stream_that_is_late_goes_to_the_next_deployment() -> None:
    scene = Places(FirstByteTimeoutError("late"), MemoryResponse(headers=SSE, pieces=CHUNKS))
    assert (await scene.ask("eu", "us", streams=True)).deployment == "us"


@pytest.mark.parametrize(
    ("pinned", "because"), [("gone", "deployment removed"), (None, "deployments configured")], ids=str
)
async def test_a_pin_on_no_deployment_of_its_model_is_told_to_get_another(pinned: str | None, because: str) -> None:
    scene = Places(OK)
    sent = await scene.dispatcher.send([Asked(GPT, deployment="eu")], GPT, pinned)
    assert sent.moved is not None
    assert (sent.deployment, sent.moved.because) == ("eu", because)


class TestRest:
    @pytest.mark.parametrize(
        ("failure", "seconds"),
        [
            (SOON, 7.0),
            (LATE, 90.0),
            (LIMITED, REST_SECONDS),
            (REVOKED, Breaker().open_seconds),
            (MemoryResponse(429, {"retry-after": "99999"}), MAX_REST_SECONDS),
        ],
    )
    async def test_a_deployment_that_wants_no_requests_or_refuses_its_key_is_left_alone_for_a_while(
        self, failure: MemoryResponse, seconds: float
    ) -> None:
        scene = Places(failure, *[OK] * 9)
        await scene.ask("eu", "us")
        scene.clock.now += seconds - 0.1
        assert scene.health.is_down(f"{GPT} (eu)")
        assert await scene.told("eu", "us") == (GPT, "us", f"status {failure.status}")
        scene.clock.now += 0.2
        assert not scene.health.is_down(f"{GPT} (eu)")
        assert await scene.told("eu", "us") == (GPT, "eu", None)

    @pytest.mark.parametrize("failure", [BUSY, DOWN], ids=str)
    async def test_one_that_failed_once_is_asked_again(self, failure: MemoryResponse | Exception) -> None:
        scene = Places(failure, OK, OK)
        await scene.ask("eu", "us")
        assert await scene.told("eu", "us") == (GPT, "eu", None)

    async def test_where_all_rest_the_first_that_may_be_asked_is_waited_for(self) -> None:
        scene = Places(LATE, SOON, OK, OK, config=deployed("eu", "us", retries=Retries(max_per_candidate=0)))
        await scene.ask("eu", "us")
        scene.clock.now += 3
        assert await scene.told("eu", "us") == (GPT, "us", "status 429")
        assert scene.waits == [4.0]

    async def test_where_all_want_too_long_a_rest_another_model_answers_and_nobody_waits(self) -> None:
        scene = Places(LATE, LATE, OK, OK)
        await scene.ask("eu", "us")
        assert await scene.told("eu", "us") == (CLAUDE, None, "status 429")
        assert (scene.waits, scene.asked) == ([], [GPT, GPT, CLAUDE, CLAUDE])

    async def test_one_whose_key_was_refused_is_asked_all_the_same_before_another_model_is(self) -> None:
        scene = Places(REVOKED, OK, DOWN, OK, config=deployed("eu", "us", retries=Retries(max_per_candidate=0)))
        await scene.ask("eu", "us")
        assert await scene.told("us", "eu") == (GPT, "eu", "upstream_unreachable")

    async def test_without_another_model_the_client_is_told_why_and_when_to_come_again(self) -> None:
        scene = Places(LATE, LATE, config=deployed("eu", "us", retries=Retries(max_per_candidate=0)))
        places = [Asked(GPT, deployment=each) for each in ("eu", "us")]
        assert (await scene.dispatcher.send(places, GPT, "eu")).answer.status == 429
        with pytest.raises(UpstreamUnavailableError, match=r"\(eu\) is resting \(status 429\)") as told:
            await scene.dispatcher.send(places, GPT, "eu")
        assert told.value.headers["retry-after"] == "90"

    async def test_a_model_without_deployments_never_rests(self) -> None:
        scene = Scene(SOON, OK, OK)
        await scene.send(GPT, CLAUDE)
        assert not scene.health.is_down(GPT)


async def test_each_deployment_has_a_breaker_and_a_retry_budget_of_its_own() -> None:
    config = deployed("eu", "us", breaker=Breaker(failures=2), retries=Retries(max_per_candidate=0, budget_min=0))
    scene = Places(BUSY, OK, BUSY, OK, OK, config=config)
    for _ in range(3):
        assert await scene.told("eu", "us") in {
            (GPT, "us", "status 503"),
            (GPT, "us", "circuit breaker open"),
        }
    assert len(scene.asked) == 5
    assert scene.health.list_breakers() == {f"{GPT} (eu)": True, f"{GPT} (us)": False}
    assert not scene.health.is_down(GPT), "one of its deployments is up"


async def test_a_model_is_down_when_all_its_deployments_are() -> None:
    scene = Places(REVOKED, LATE, OK)
    await scene.ask("eu", "us")
    assert scene.health.is_down(GPT)
    scene.clock.now += Breaker().open_seconds + 1
    assert not scene.health.is_down(GPT)


async def test_an_outage_of_one_deployment_adds_no_more_than_its_own_requests() -> None:
    scene = Places(*[BUSY, OK] * 5, *[OK] * 20)
    for _ in range(20):
        assert (await scene.ask("eu", "us")).answer.model == GPT
    assert len(scene.asked) == 25, "five until its breaker opened"


WEIGHTS = (Deployment("a", weight=6), Deployment("b", weight=3), Deployment("c", weight=1), Deployment("d", weight=0))


def serve(*deployments: Deployment) -> list[Served]:
    config = build_config(models=(replace(build_model(GPT), deployments=deployments),))
    return [Served(config.models[0], config, None, each) for each in deployments]


SERVED = serve(*WEIGHTS)


def order(key: SessionKey | None, pinned: str | None = None, *down: str) -> list[str | None]:
    is_down = [f"{GPT} ({each})" for each in down]
    return [each.deployment for each in order_deployments(SERVED, key, pinned, is_down=is_down.__contains__)]


class TestOrder:
    def test_new_sessions_are_spread_by_weight(self) -> None:
        first = Counter(order(SessionKey("", f"run-{number}"))[0] for number in range(4_000))
        assert [round(first[each] / 400) for each in "abcd"] == [6, 3, 1, 0]

    def test_those_of_one_that_is_down_are_spread_over_the_others_by_weight(self) -> None:
        keys = [SessionKey("", f"run-{number}") for number in range(4_000)]
        before = {key: order(key)[0] for key in keys}
        after = {key: order(key, None, "a")[0] for key in keys}
        assert all(after[key] == before[key] for key in keys if before[key] != "a")
        moved = Counter(after[key] for key in keys if before[key] == "a")
        assert moved["b"] / moved["c"] == pytest.approx(3, rel=0.2)

    def test_requests_of_no_session_are_spread_by_weight(self) -> None:
        drawn = iter(number / 977 % 1 for number in range(1, 40_000, 7))
        first = Counter(
            order_deployments(SERVED, None, None, is_down=lambda _: False, chance=lambda: next(drawn))[0].deployment
            for _ in range(1_000)
        )
        assert first["a"] > first["b"] > first["c"] > first["d"] == 0

    @given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), st.text())
    def test_all_replicas_come_to_the_same_order(self, affinity_id: str, tenant: str) -> None:
        key = SessionKey(tenant, affinity_id)
        assert order(key) == order(SessionKey(tenant, affinity_id))
        assert all(0 <= draw(key, each.name) < 1 for each in WEIGHTS)

    @given(st.sampled_from("abcd"), st.sets(st.sampled_from("abcd")))
    def test_the_pinned_one_comes_first_and_those_left_alone_last(self, pinned: str, down: set[str]) -> None:
        first, *others = order(SessionKey("", "run-1"), pinned, *down)
        assert first == pinned
        assert [each in down for each in others] == sorted(each in down for each in others)

    def test_one_without_weight_is_a_reserve(self) -> None:
        assert {order(SessionKey("", f"run-{number}"))[-1] for number in range(100)} == {"d"}
        assert {order(SessionKey("", f"run-{number}"), None, *"abc")[0] for number in range(100)} == {"d"}


async def test_a_deployment_of_another_model_by_the_same_name_is_no_pin() -> None:
    places = (Deployment("x"), Deployment("y"), Deployment("z"))
    models = [replace(build_model(name), deployments=places) for name in (GPT, MINI)]
    service = build_service(Config(models=tuple(models)), MemoryUpstream())
    for number in range(20):
        turn = build_pinning().turn(SessionKey("", f"run-{number}"), 600)
        own = service.list_served(MINI, turn)
        for each in places:
            decision = Decision(GPT, None, "retain", "pinned", deployment=each.name)
            assert service.list_served(MINI, turn, decision) == own
            assert service.list_served(GPT, turn, decision)[0].deployment == each.name
