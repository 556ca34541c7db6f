"""The model that serves a request, and the answer's headers about it."""

import asyncio
import re
from collections.abc import Sequence

import pytest

from plano_agents.config.model import Preference, Routing
from plano_agents.errors import UpstreamTimeoutError
from plano_agents.router.request.story import ProxyRequest, Story
from plano_agents.router.request.surfaces import CHAT, Endpoint
from plano_agents.routing.strategy import Ranking
from plano_agents.routing.text import Utterance
from tests.router.conftest import (
    CLAUDE,
    GPT,
    MESSAGE,
    MINI,
    SSE,
    Choose,
    Clock,
    MemoryResponse,
    MemoryUpstream,
    ask,
    build_config,
    build_model,
    build_pinning,
    build_service,
    chat,
)

ID = ("x-model-affinity", "run-1")
BOTH = build_config(GPT, CLAUDE)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class HeldChoice(Choose):
    """A strategy that decides when it is let go."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.go = asyncio.Event()

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        await self.go.wait()
        return await super().rank(conversation, preferences)


async def test_without_an_id_the_answer_says_which_model_and_that_nothing_is_remembered() -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()))
    assert seen.status == 200
    assert seen.headers["x-plano-model"] == GPT
    assert seen.headers["x-plano-affinity"] == "none"
    assert "x-model-affinity" not in seen.headers
    assert "x-plano-route" not in seen.headers


async def test_the_first_turn_of_an_id_is_routed_and_pinned() -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    seen = await ask(build_service(BOTH, upstream, strategy=Choose("code")), chat(), ID)
    assert seen.headers["x-model-affinity"] == "run-1"
    assert seen.headers["x-plano-model"] == CLAUDE
    assert seen.headers["x-plano-route"] == "code"
    assert seen.headers["x-plano-affinity"] == "initialize; reason=first_turn"


async def test_a_second_turn_keeps_the_first_turns_model_and_route_unrouted() -> None:
    strategy, upstream = Choose("talk"), MemoryUpstream()
    service = build_service(BOTH, upstream, strategy=strategy)
    await ask(service, chat(), ID)
    strategy.name = "code"
    seen = await ask(service, chat(), ID)
    assert seen.headers["x-plano-affinity"] == "retain; reason=pinned"
    assert seen.headers["x-plano-route"] == "talk"
    assert upstream.models == ["gpt-4o", "gpt-4o"]
    assert strategy.calls == 1


async def test_without_an_id_every_request_is_routed_afresh() -> None:
    strategy, upstream = Choose("talk"), MemoryUpstream(MemoryResponse(), MemoryResponse(pieces=(MESSAGE,)))
    service = build_service(BOTH, upstream, strategy=strategy)
    await ask(service)
    strategy.name = "code"
    assert (await ask(service)).headers["x-plano-model"] == CLAUDE


@pytest.mark.parametrize("spelling", [MINI, "gpt-4o-mini", "small"])
async def test_a_hint_pins_the_transcripts_own_model_however_it_is_spelt(spelling: str) -> None:
    config = build_config(GPT, MINI, aliases={"small": MINI})
    service = build_service(config, MemoryUpstream())
    seen = await ask(service, chat(), ID, ("x-model-affinity-hint", spelling))
    assert seen.headers["x-plano-model"] == MINI
    assert seen.headers["x-plano-affinity"] == "initialize; reason=hint"


async def test_a_hint_to_an_unknown_model_is_passed_over() -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()), chat(), ID, ("x-model-affinity-hint", "x"))
    assert seen.headers["x-plano-affinity"] == "initialize; reason=first_turn"


@pytest.mark.parametrize("name", ["x" * 60_000, "a b", "\xe9", "\x9b2J"])
async def test_a_hint_that_is_no_name_is_passed_over_whatever_a_wildcard_declares(name: str) -> None:
    service = build_service(build_config(GPT, "groq/*"), MemoryUpstream())
    seen = await ask(service, chat(), ID, ("x-model-affinity-hint", f"groq/{name}"))
    assert seen.headers["x-plano-affinity"] == "initialize; reason=first_turn"


async def test_a_session_whose_model_left_the_configuration_is_switched_and_says_so() -> None:
    pinning = build_pinning()
    before = build_service(build_config(GPT, MINI), MemoryUpstream(), pinning=pinning)
    await ask(before, chat(model=GPT), ID)
    after = build_service(build_config(MINI), MemoryUpstream(), pinning=pinning)
    switched, kept = await ask(after, chat(), ID), await ask(after, chat(), ID)
    assert switched.headers["x-plano-affinity"] == "switch; reason=model_removed; because=openai/gpt-4o"
    assert switched.headers["x-plano-model"] == MINI
    assert kept.headers["x-plano-affinity"] == "retain; reason=pinned"


async def test_of_200_concurrent_first_turns_of_one_id_all_are_served_by_one_model() -> None:
    strategy, upstream = HeldChoice("talk"), MemoryUpstream()
    service = build_service(BOTH, upstream, strategy=strategy)
    asked = [asyncio.create_task(ask(service, chat(), ID)) for _ in range(200)]
    await asyncio.sleep(0)  # one round of the loop: all of them have asked
    strategy.go.set()
    await asyncio.gather(*asked)
    assert set(upstream.models) == {"gpt-4o"}
    assert len(upstream.models) == 200
    assert strategy.calls == 1


async def test_a_session_stays_in_use_for_as_long_as_its_stream_is_open() -> None:
    clock = Clock()
    upstream = MemoryUpstream(MemoryResponse(headers=SSE), MemoryResponse())
    service = build_service(build_config(GPT, MINI), upstream, pinning=build_pinning(clock))
    async with Story(service, Endpoint(CHAT), ProxyRequest([ID], chat(model=MINI, stream=True))):
        clock.now = 100_000
        second = await ask(service, chat(model=GPT), ID)
    assert second.headers["x-plano-affinity"] == "retain; reason=pinned"
    assert second.headers["x-plano-model"] == MINI


async def test_a_sessions_idle_time_starts_when_its_answer_is_read() -> None:
    clock = Clock()
    service = build_service(build_config(GPT, MINI), MemoryUpstream(), pinning=build_pinning(clock))
    await ask(service, chat(model=MINI), ID)
    clock.now = 600
    seen = await ask(service, chat(model=GPT), ID)
    assert seen.headers["x-plano-affinity"] == "initialize; reason=first_turn"


@pytest.mark.parametrize("value", ["", "a" * 257, "a b", "caf\xe9", "a\x7f"])
async def test_an_id_that_breaks_the_rules_is_refused(value: str) -> None:
    upstream = MemoryUpstream()
    seen = await ask(build_service(build_config(), upstream), chat(), ("x-model-affinity", value))
    assert seen.status == 400
    assert seen.error["code"] == "invalid_affinity_id"
    assert seen.error["param"].lower() == "x-model-affinity"
    assert "x-model-affinity" not in seen.headers
    assert not upstream.requests


async def test_an_id_sent_twice_is_refused() -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()), chat(), ID, ID)
    assert (seen.status, seen.error["code"]) == (400, "invalid_affinity_id")
    assert "2 times" in seen.error["message"]


@pytest.mark.parametrize(
    ("headers", "affinity_id"),
    [
        ([("x-session-id", "s"), ("x-thread", "t")], "s"),
        ([("x-thread", "t"), ("x-session-id", "s")], "s"),
        ([("x-thread", "t")], "t"),
        ([("x-session-id", "s"), ID], "run-1"),
        ([("x-other", "o")], None),
    ],
)
async def test_further_headers_are_taken_as_the_id_in_the_order_configured(
    headers: Sequence[tuple[str, str]], affinity_id: str | None
) -> None:
    config = build_config(routing=Routing(affinity_headers=("x-session-id", "x-thread")))
    seen = await ask(build_service(config, MemoryUpstream()), chat(), *headers)
    assert seen.headers.get("x-model-affinity") == affinity_id


@pytest.mark.parametrize(
    ("named", "served"),
    [
        ({}, MINI),
        ({"model": GPT}, GPT),
        ({"model": "gpt-4o"}, GPT),
        ({"model": "small"}, MINI),
        ({"model": "groq/any/thing"}, "groq/any/thing"),
        ({"model": None}, MINI),
    ],
)
async def test_the_clients_model_serves_where_no_route_matches(named: dict[str, str], served: str) -> None:
    config = build_config(
        models=(build_model(GPT), build_model(MINI, default=True), build_model("groq/*")),
        aliases={"small": MINI},
    )
    seen = await ask(build_service(config, MemoryUpstream()), chat(**named))
    assert seen.headers["x-plano-model"] == served


async def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    config = build_config(aliases={"small": GPT})
    seen = await ask(build_service(config, MemoryUpstream()), chat(model="gpt-9"), ID)
    assert (seen.status, seen.error["code"], seen.error["param"]) == (404, "model_not_found", "model")
    assert (
        seen.error["message"]
        == "The model 'gpt-9' is not configured; did you mean 'gpt-4o'? Configured are: openai/gpt-4o, small."
    )


async def test_a_pin_serves_a_model_that_nobody_configured_and_that_is_told() -> None:
    """Claude Code's background calls name its small model, within a session that another model serves."""
    service = build_service(build_config(), MemoryUpstream())
    await ask(service, chat(model=GPT), ID)
    seen = await ask(service, chat(model="claude-haiku-4-5"), ID)
    assert (seen.status, seen.headers["x-plano-affinity"]) == (200, "retain; reason=pinned")
    assert seen.headers["x-plano-adjusted"] == f"model={GPT} (was claude-haiku-4-5)"


async def test_a_matched_preference_serves_a_model_that_nobody_configured_and_that_is_told() -> None:
    upstream = MemoryUpstream()
    seen = await ask(build_service(BOTH, upstream, strategy=Choose("talk")), chat(model="gpt-9"))
    assert (seen.status, seen.headers["x-plano-adjusted"]) == (200, f"model={GPT} (was gpt-9)")


async def test_a_dated_snapshot_is_served_by_its_configured_model_and_that_is_told() -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()), chat(model="gpt-4o-2024-08-06"))
    assert (seen.headers["x-plano-model"], seen.headers["x-plano-adjusted"]) == (
        GPT,
        f"model={GPT} (was gpt-4o-2024-08-06)",
    )


async def test_a_bare_id_of_a_wildcards_vendor_is_served_as_it_is() -> None:
    upstream = MemoryUpstream()
    seen = await ask(build_service(build_config("openai/*"), upstream), chat(model="gpt-4o"))
    assert (upstream.models, seen.headers["x-plano-model"]) == (["gpt-4o"], GPT)
    assert "x-plano-adjusted" not in seen.headers


async def test_a_refused_model_begins_no_session() -> None:
    service = build_service(build_config(GPT, MINI), MemoryUpstream())
    await ask(service, chat(model="gpt-9"), ID)
    seen = await ask(service, chat(model=MINI), ID)
    assert seen.headers["x-plano-affinity"] == "initialize; reason=first_turn"


async def test_a_request_without_model_and_default_is_refused() -> None:
    seen = await ask(build_service(build_config("groq/*"), MemoryUpstream()))
    assert (seen.status, seen.error["param"]) == (404, "model")


async def test_naming_a_model_does_not_bypass_routing() -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    seen = await ask(build_service(BOTH, upstream, strategy=Choose("code")), chat(model=GPT))
    assert seen.headers["x-plano-model"] == CLAUDE


async def test_a_requests_own_preferences_override_the_configured_and_are_not_forwarded() -> None:
    upstream = MemoryUpstream()
    own = [{"name": "code", "description": "d", "models": ["gpt-4o"]}]
    seen = await ask(
        build_service(BOTH, upstream, strategy=Choose("code")), chat(model=CLAUDE, routing_preferences=own)
    )
    assert seen.headers["x-plano-model"] == GPT
    assert b"routing_preferences" not in upstream.requests[0].body


@pytest.mark.parametrize(("models", "status"), [([GPT, "gpt-9"], 404), ([], 400)])
async def test_a_requests_preference_without_a_known_candidate_is_refused(models: list[str], status: int) -> None:
    own = [{"name": "code", "description": "d", "models": models}]
    seen = await ask(build_service(BOTH, MemoryUpstream()), chat(routing_preferences=own))
    assert (seen.status, seen.error["param"]) == (status, "routing_preferences[0].models")


async def test_routing_and_the_provider_are_timed() -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()), chat(), ID)
    assert re.fullmatch(r"routing;dur=\d+\.\d{3}, upstream;dur=\d+\.\d{3}", seen.headers["server-timing"])


async def test_a_provider_that_failed_is_timed_too() -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream(UpstreamTimeoutError("late"))), chat(), ID)
    assert "upstream;dur=" in seen.headers["server-timing"]


async def test_an_error_after_the_decision_carries_the_same_headers() -> None:
    upstream = MemoryUpstream(UpstreamTimeoutError("late"))
    seen = await ask(build_service(BOTH, upstream, strategy=Choose("talk")), chat(), ID)
    assert seen.status == 504
    assert seen.headers["x-model-affinity"] == "run-1"
    assert seen.headers["x-plano-model"] == GPT
    assert seen.headers["x-plano-route"] == "talk"
    assert seen.headers["x-plano-affinity"] == "initialize; reason=first_turn"


@pytest.mark.parametrize("body", [chat(), b"{"])
async def test_the_trace_id_is_the_callers_on_answers_and_errors(body: bytes) -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()), body, ("traceparent", TRACEPARENT))
    assert seen.headers["x-plano-trace-id"] == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    "traceparent", ["", "x", f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{'Z' * 32}-b7ad6b7169203331-01"]
)
async def test_without_a_valid_traceparent_a_trace_id_is_made(traceparent: str) -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()), chat(), ("traceparent", traceparent))
    assert re.fullmatch(r"(?!0{32})[0-9a-f]{32}", seen.headers["x-plano-trace-id"])


async def test_the_id_is_echoed_on_errors_that_come_before_the_decision() -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()), b"{", ID)
    assert (seen.status, seen.headers["x-model-affinity"]) == (400, "run-1")


async def test_no_preferences_of_its_own_asks_for_the_requests_model_and_nothing_else() -> None:
    upstream = MemoryUpstream()
    service = build_service(build_config(GPT, CLAUDE), upstream, strategy=Choose("talk"))
    seen = await ask(service, chat(model=GPT, routing_preferences=[]))
    assert (seen.headers["x-plano-model"], "x-plano-route" in seen.headers) == (GPT, False)
