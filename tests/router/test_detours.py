"""``detour; reason=unsuitable``: what one request needs alone goes to another model, and the pin stays."""

import json
from typing import Any

import pytest

from plano_agents.config.model import Config, ModelProfile, Preference
from plano_agents.config.options import UnsupportedParams
from plano_agents.router.request.surfaces import CHAT, MESSAGES, RESPONSES, Endpoint, Surface
from plano_agents.router.request.trail import Trail
from plano_agents.router.watch.inspector.record import build_record
from plano_agents.router.watch.metrics import Metrics
from plano_agents.router.watch.request_log import Columns, RequestLine
from plano_agents.sessions.pin import SessionKey
from tests.router.conftest import Choose, Seen, ask, build_model, build_pinning, build_service
from tests.router.harness import ByWire

GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude-sonnet-4-6"
RUN = ("x-model-affinity", "run-1")
SCHEMA = {"name": "s", "schema": {"type": "object", "properties": {}}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}

PLAIN: dict[Surface, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    MESSAGES: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
    RESPONSES: {"input": "hi"},
}


class Run:
    """A run that is pinned to the first model of its route."""

    def __init__(
        self,
        *models: str,
        policy: UnsupportedParams = "adapt",
        profiles: dict[str, ModelProfile] | None = None,
    ) -> None:
        config = Config(
            models=tuple(map(build_model, models)),
            preferences=(Preference("work", "any work", models),),
            unsupported_params=policy,
            profiles=profiles or {},
        )
        self.pinning = build_pinning()
        self.upstream = ByWire()
        self.trails: list[Trail] = []
        self._service = build_service(
            config, self.upstream, strategy=Choose("work"), pinning=self.pinning, observe=self.trails.append
        )

    async def send(self, surface: Surface, *headers: tuple[str, str], **fields: object) -> Seen:
        body = json.dumps(PLAIN[surface] | fields).encode()
        return await ask(self._service, body, RUN, *headers, endpoint=Endpoint(surface))

    async def ask(self, surface: Surface, **fields: object) -> tuple[str, str]:
        seen = await self.send(surface, **fields)
        assert seen.status == 200, seen.body
        return seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]

    async def pinned(self) -> str:
        session, _ = await self.pinning.store.find(SessionKey("", "run-1"))
        assert session is not None
        return session.pin.model


NEVER_DROPPED: list[tuple[str, Surface, dict[str, object], str]] = [
    (CLAUDE, CHAT, {"n": 2}, "n"),
    (CLAUDE, CHAT, {"logprobs": True}, "logprobs"),
    (GPT, MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
]


@pytest.mark.parametrize(("pinned", "surface", "fields", "because"), NEVER_DROPPED)
async def test_what_must_not_be_dropped_is_a_detour(
    pinned: str, surface: Surface, fields: dict[str, object], because: str
) -> None:
    other = GPT if pinned == CLAUDE else CLAUDE
    run = Run(pinned, other)
    assert await run.ask(surface) == (pinned, "initialize; reason=first_turn")
    told = f"detour; reason=unsuitable; pinned={pinned}; because={because}"
    assert await run.ask(surface, **fields) == (other, told)
    assert await run.pinned() == pinned
    assert await run.ask(surface) == (pinned, "retain; reason=pinned")
    assert run.pinning.ledger.violations == 0


@pytest.mark.parametrize(("pinned", "surface", "fields", "because"), NEVER_DROPPED)
async def test_with_no_other_model_a_400_names_the_field(
    pinned: str, surface: Surface, fields: dict[str, object], because: str
) -> None:
    run = Run(pinned)
    await run.ask(surface)
    seen = await run.send(surface, **fields)
    assert (seen.status, seen.headers["x-plano-affinity"]) == (400, "retain; reason=pinned")
    assert because.partition("[")[0] in seen.body.decode()


@pytest.mark.parametrize("surface", PLAIN, ids=lambda surface: surface.path)
async def test_no_pin_moves_for_a_parameter(surface: Surface) -> None:
    run = Run(GPT, "openai/other", policy="move", profiles={GPT: ModelProfile(sampling="default")})
    await run.ask(surface)
    told = f"detour; reason=unsuitable; pinned={GPT}; because=temperature"
    for _ in range(2):
        assert await run.ask(surface, temperature=0.5) == ("openai/other", told)
    assert await run.pinned() == GPT


async def test_where_parameters_are_refused_no_other_model_is_asked_for_them() -> None:
    run = Run(GPT, "openai/other", policy="refuse", profiles={GPT: ModelProfile(sampling="default")})
    for decision in ("initialize; reason=first_turn", "retain; reason=pinned"):
        seen = await run.send(CHAT, temperature=0.5)
        assert (seen.status, seen.headers["x-plano-affinity"]) == (400, decision)
    assert run.upstream.requests == []


async def test_the_log_the_inspector_and_the_metrics_tell_of_a_detour() -> None:
    run = Run(CLAUDE, GPT)
    await run.ask(CHAT)
    await run.ask(CHAT, n=2)
    line = RequestLine(run.trails[-1], Columns(model=1, route=1))
    assert (line.fields()["because"], line.fields()["pinned"]) == ("n", CLAUDE)
    assert f"pinned={CLAUDE}  because n" in line.render(lambda text, _style: text)
    record = build_record(run.trails[-1], None)
    assert (record.decision, record.because, record.pinned, record.model) == ("detour", "n", CLAUDE, GPT)
    metrics = Metrics()
    metrics.observe([run.trails[-1]])
    counted = 'plano_affinity_decisions_total{decision="detour",degraded="",reason="unsuitable"} 1.0'
    assert counted in (await metrics.render()).decode()


async def test_content_that_cannot_be_carried_stays_in_the_transcript_so_the_pin_moves() -> None:
    run = Run(CLAUDE, GPT)
    await run.ask(CHAT)
    heard = [{"role": "user", "content": [{"type": "text", "text": "hi"}, AUDIO]}]
    told = "switch; reason=unsuitable; because=messages[0].content[1]"
    assert await run.ask(CHAT, messages=heard) == (GPT, told)
    assert await run.pinned() == GPT


async def test_a_hinted_model_that_cannot_be_sent_the_transcript_is_not_pinned_and_that_is_no_switch() -> None:
    run, hint = Run(CLAUDE, GPT), ("x-model-affinity-hint", CLAUDE)
    heard = [{"role": "user", "content": [{"type": "text", "text": "hi"}, AUDIO]}]
    seen = await run.send(CHAT, hint, messages=heard)
    assert (seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]) == (GPT, "initialize; reason=hint")
    assert await run.pinned() == GPT


async def test_a_hinted_model_that_cannot_serve_this_one_request_is_pinned_and_it_is_a_detour() -> None:
    run, hint = Run(CLAUDE, GPT), ("x-model-affinity-hint", CLAUDE)
    seen = await run.send(CHAT, hint, n=2)
    told = f"detour; reason=unsuitable; pinned={CLAUDE}; because=n"
    assert (seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]) == (GPT, told)
    assert await run.pinned() == CLAUDE


async def test_a_detour_that_its_own_fallback_fails_leaves_the_pin_too() -> None:
    run = Run(CLAUDE, GPT)
    await run.ask(CHAT)
    run.upstream.fails = {"gpt-4o"}
    seen = await run.send(CHAT, n=2)
    assert (seen.status, seen.headers["x-plano-affinity"]) == (400, "retain; reason=pinned")
    run.upstream.fails = ()
    assert await run.ask(CHAT) == (CLAUDE, "retain; reason=pinned")


async def test_a_request_without_a_session_that_another_model_serves_is_no_detour() -> None:
    run = Run(CLAUDE, GPT)
    body = json.dumps(PLAIN[CHAT] | {"n": 2}).encode()
    seen = await ask(run._service, body)
    assert (seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]) == (GPT, "none")
