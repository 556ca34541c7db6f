"""Explanations over the decision endpoints, with the embedded strategy, and with a routing model, up or down."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec
import pytest

from plano_agents.config.model import Breaker, Config, Deployment, Preference, Routing
from plano_agents.config.options import Overrides
from plano_agents.errors import ConfigError, UpstreamUnreachableError
from plano_agents.protocol.openai_chat import parse_head
from plano_agents.protocol.request_body import RequestBody
from plano_agents.router.app import Router
from plano_agents.router.request.choice import Choice
from plano_agents.router.request.chooser import Chooser
from plano_agents.router.request.explain import Explanation, explain
from plano_agents.router.request.health import Health
from plano_agents.router.request.strategies import build_strategy
from plano_agents.router.request.surfaces import CHAT, Endpoint
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.secret_str import SecretStr
from tests.router.conftest import (
    CLAUDE,
    GPT,
    MINI,
    PROMPT,
    Choose,
    Clock,
    MemoryResponse,
    MemoryUpstream,
    ask,
    build_config,
    build_model,
    build_service,
    chat,
)
from tests.router.request.test_breaker import fail

ROUTER_MODEL = "local/Arch-Router"


def answer_of(route: str) -> bytes:
    return json.dumps({"choices": [{"message": {"content": json.dumps({"route": route})}}]}).encode()


def build_body(*messages: tuple[str, str]) -> RequestBody:
    listed = [{"role": role, "content": text} for role, text in messages]
    return RequestBody(json.dumps({"messages": listed}).encode(), parse_head)


def with_routing_model() -> Config:
    model = build_model(ROUTER_MODEL, interface="openai", base_url="http://127.0.0.1:9")
    config = build_config(GPT, CLAUDE)
    return Config(
        models=(*config.models, model),
        preferences=config.preferences,
        overrides=Overrides(llm_routing_model=ROUTER_MODEL),
    )


async def explain_text(
    config: Config,
    text: str,
    upstream: MemoryUpstream | None = None,
    *,
    metrics: Mapping[str, ModelMetrics] | None = None,
    down: frozenset[str] = frozenset(),
) -> Explanation:
    chooser = Chooser(
        config,
        build_strategy(config, upstream or MemoryUpstream()),
        lambda: metrics or {},
        is_down=down.__contains__,
    )
    return await explain(Choice(chooser, build_body(("user", text))))


async def test_the_embedded_strategy_tells_scores_threshold_and_what_was_read() -> None:
    found = await explain_text(build_config(GPT, CLAUDE), "Write a Python function")
    assert (found.strategy, found.degraded, found.match, found.threshold) == ("embedded", None, "code", 0.5)
    assert [(said.role, said.text) for said in found.read] == [("user", "Write a Python function")]
    assert [each.name for each in found.preferences] == ["code", "talk"]
    code, talk = (each.score for each in found.preferences)
    assert code is not None
    assert talk is not None
    assert code > 0.5 > talk
    assert [each.model for each in found.candidates] == [CLAUDE]


async def test_where_nothing_matches_the_requests_own_model_stands_alone() -> None:
    found = await explain_text(build_config(GPT, CLAUDE), "Prove that the root of two is irrational")
    assert (found.match, [each.model for each in found.candidates]) == (None, [GPT])


async def test_without_preferences_there_is_nothing_to_rank() -> None:
    found = await explain_text(build_config(GPT), "hi")
    assert (found.strategy, found.preferences, found.match) == (None, [], None)


def three_candidates(prefer: str) -> Config:
    preference = Preference("code", "writing code", (GPT, MINI, CLAUDE), prefer)  # type: ignore[arg-type]  # the test's word
    return build_config(GPT, MINI, CLAUDE, preferences=(preference,))


METRICS = {
    GPT: ModelMetrics(2.0, 8.0),
    MINI: ModelMetrics(0.5, 1.5),
    CLAUDE: ModelMetrics(3.0, 15.0, 0.2),
}


@pytest.mark.parametrize(
    ("prefer", "down", "order"),
    [
        ("none", frozenset(), [GPT, MINI, CLAUDE]),
        ("cheapest", frozenset(), [MINI, GPT, CLAUDE]),
        ("fastest", frozenset(), [CLAUDE, GPT, MINI]),
        ("cheapest", frozenset({MINI}), [GPT, CLAUDE, MINI]),
        ("none", frozenset({GPT, MINI, CLAUDE}), [GPT, MINI, CLAUDE]),
    ],
)
async def test_candidates_are_in_the_order_of_the_policy_with_those_left_alone_last(
    prefer: str, down: frozenset[str], order: list[str]
) -> None:
    found = await explain_text(three_candidates(prefer), "Write a function", metrics=METRICS, down=down)
    assert [each.model for each in found.candidates] == order
    assert {each.model for each in found.candidates if each.left_alone} == set(down)
    assert (found.prefer, found.match) == (prefer, "code")


async def test_the_measures_stand_beside_the_candidates() -> None:
    found = await explain_text(three_candidates("cheapest"), "Write a function", metrics=METRICS)
    assert [(each.usd_per_million_tokens, each.latency) for each in found.candidates] == [
        (2.0, None),
        (10.0, None),
        (18.0, 0.2),
    ]


async def test_a_routing_model_that_answers_decides() -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(answer_of("talk"),)))
    found = await explain_text(with_routing_model(), "Write a Python function", upstream)
    assert (found.strategy, found.degraded, found.match) == (ROUTER_MODEL, None, "talk")
    (request,) = upstream.requests
    body = json.loads(request.body)
    assert request.url == "http://127.0.0.1:9/v1/chat/completions"
    assert (body["model"], body["temperature"], len(body["messages"])) == ("Arch-Router", 0.01, 1)
    assert "Write a Python function" in body["messages"][0]["content"]


@pytest.mark.parametrize(
    "answer",
    [
        UpstreamUnreachableError("nobody listens"),
        MemoryResponse(status=500),
        MemoryResponse(pieces=(b"<html>",)),
        MemoryResponse(pieces=(b'{"choices": [{}]}',)),
        MemoryResponse(pieces=(answer_of("talk").replace(b"route", b"rout"),)),
    ],
)
async def test_when_it_fails_the_embedded_strategy_decides_and_the_answer_says_so(
    answer: MemoryResponse | Exception,
) -> None:
    found = await explain_text(with_routing_model(), "Write a Python function", MemoryUpstream(answer))
    assert (found.strategy, found.match) == ("embedded", "code")
    assert found.degraded is not None
    assert found.degraded.startswith(ROUTER_MODEL)


async def test_an_older_files_routing_model_is_asked_too() -> None:
    config = with_routing_model()
    older = Config(models=config.models, preferences=config.preferences, routing=Routing(model="Arch-Router"))
    upstream = MemoryUpstream(MemoryResponse(pieces=(answer_of("talk"),)))
    assert (await explain_text(older, "Write a Python function", upstream)).match == "talk"


def test_a_routing_model_that_speaks_no_openai_chat_is_refused_at_start() -> None:
    config = Config(
        models=(build_model(CLAUDE, base_url="http://127.0.0.1:9"),),
        overrides=Overrides(llm_routing_model=CLAUDE),
    )
    with pytest.raises(ConfigError, match="does not speak OpenAI chat"):
        build_strategy(config, MemoryUpstream())


async def test_an_explanation_is_json() -> None:
    found = await explain_text(build_config(GPT, CLAUDE), "hi")
    assert json.loads(msgspec.json.encode(found))["strategy"] == "embedded"


DECIDES = Endpoint(CHAT, decides_only=True)
ASKED = ("x-plano-explain", "true")


async def test_the_decision_is_explained_when_that_is_asked() -> None:
    service = build_service(build_config(GPT, CLAUDE), MemoryUpstream(), strategy=Choose("code"))
    plain, explained = [
        json.loads((await ask(service, chat(), *headers, endpoint=DECIDES)).body) for headers in ((), (ASKED,))
    ]
    assert "explanation" not in plain
    explanation = explained.pop("explanation")
    assert (explanation["match"], explanation["candidates"][0]["model"]) == ("code", CLAUDE)
    assert explanation["read"] == [{"role": "user", "text": PROMPT}]
    assert {**explained, "trace_id": None} == {**plain, "trace_id": None}


async def test_the_strategy_is_asked_once_for_the_decision_and_its_explanation() -> None:
    strategy = Choose("code")
    service = build_service(build_config(GPT, CLAUDE), MemoryUpstream(), strategy=strategy)
    await ask(service, chat(), ASKED, endpoint=DECIDES)
    assert strategy.calls == 1


async def test_an_explanation_leaves_a_pin_as_it_is() -> None:
    strategy = Choose("code")
    service = build_service(build_config(GPT, CLAUDE), MemoryUpstream(), strategy=strategy)
    session = ("x-model-affinity", "run-1")
    await ask(service, chat(), session, endpoint=DECIDES)
    strategy.name = "talk"
    found = json.loads((await ask(service, chat(), session, ASKED, endpoint=DECIDES)).body)
    assert (found["decision"], found["models"], found["route"]) == ("retain", [CLAUDE], "code")
    assert found["explanation"]["match"] == "talk"


async def test_a_routing_model_that_is_down_marks_the_decision_degraded() -> None:
    config = with_routing_model()
    upstream = MemoryUpstream(UpstreamUnreachableError("nobody listens"))
    service = build_service(config, MemoryUpstream(), strategy=build_strategy(config, upstream))
    seen = await ask(service, chat(), ("x-model-affinity", "run-1"), endpoint=DECIDES)
    assert seen.headers["x-plano-affinity"] == "initialize; reason=first_turn; degraded=routing"
    again = await ask(service, chat(), ("x-model-affinity", "run-1"), endpoint=DECIDES)
    assert again.headers["x-plano-affinity"] == "retain; reason=pinned"


async def test_the_deployments_of_a_routing_model_stand_in_for_each_other() -> None:
    config = with_routing_model()
    places = (
        Deployment("eu", "http://eu.example", SecretStr("k-eu")),
        Deployment("us", "http://us.example", SecretStr("k-us"), model_id="arch"),
    )
    models = [replace(each, deployments=places) if each == config.routing_model else each for each in config.models]
    upstream = MemoryUpstream(MemoryResponse(401), MemoryResponse(pieces=(answer_of("talk"),)))
    assert (await explain_text(replace(config, models=tuple(models)), "Write", upstream)).match == "talk"
    asked = [
        (each.url.split("/")[2], each.headers["authorization"], json.loads(each.body)["model"])
        for each in upstream.requests
    ]
    assert asked == [("eu.example", "Bearer k-eu", "Arch-Router"), ("us.example", "Bearer k-us", "arch")]


async def test_a_new_session_begins_on_a_candidate_that_is_not_left_alone() -> None:
    config = three_candidates("none")
    chooser = Chooser(config, Choose("code"), is_down={GPT}.__contains__)
    choice = Choice(chooser, build_body(("user", "hi")))
    assert (await choice.route()).model == MINI


async def test_of_users_only_nothing_else_is_read() -> None:
    config = build_config(GPT, CLAUDE, routing=Routing(route_on_user_only=True))
    chooser = Chooser(config, Choose("code"))
    choice = Choice(chooser, build_body(("user", "one"), ("assistant", "two")))
    assert [said.text for said in choice.conversation] == ["one"]


async def test_a_model_whose_breaker_is_open_is_down_until_it_may_be_probed() -> None:
    clock = Clock()
    health = Health(build_config(GPT, breaker=Breaker(failures=1, open_seconds=5)), clock=clock)
    assert not health.is_down(GPT)
    fail(health.of(GPT).breaker)
    assert health.is_down(GPT)
    clock.now = 5
    assert not health.is_down(GPT)


class Warmed(Choose):
    """Notes what it is warmed up with."""

    seen: Sequence[Preference] = ()

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        self.seen = preferences


async def test_a_router_warms_its_strategy_up_where_there_are_preferences() -> None:
    config, strategy = build_config(GPT, CLAUDE), Warmed()
    router = Router(config, MemoryUpstream(), strategy=strategy)
    await router.warm_up()
    assert strategy.seen == config.preferences
    bare = Warmed()
    await Router(build_config(GPT), MemoryUpstream(), strategy=bare).warm_up()
    assert bare.seen == ()
