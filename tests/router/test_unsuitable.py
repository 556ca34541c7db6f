"""``switch; reason=unsuitable``: requests that their model cannot serve, on every surface."""

import json
from collections.abc import Mapping, Sequence

import pytest

from plano_agents.config.model import Breaker, Config, ModelProfile, Preference
from plano_agents.router.request.service import Service
from plano_agents.router.request.surfaces import CHAT, ENDPOINTS, MESSAGES, RESPONSES, Endpoint, Surface
from tests.router.conftest import (
    CHUNKS,
    SSE,
    Choose,
    MemoryResponse,
    MemoryUpstream,
    Seen,
    ask,
    build_config,
    build_model,
    build_service,
    chat,
)

SMALL, LARGE, OTHER = "openai/small", "openai/large", "openai/other"
LIMITED = {SMALL: ModelProfile(1_000, images=False, tools=False)}
ID = ("x-model-affinity", "run-1")
PIXEL = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {}}
LONG = "word " * 2_000

PLAIN: dict[Surface, dict[str, object]] = {
    CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    MESSAGES: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
    RESPONSES: {"input": "hi"},
}
SHOWN: dict[Surface, dict[str, object]] = {
    CHAT: {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}],
    },
    MESSAGES: {
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [
                            {
                                "type": "image",
                                "source": {
                                    "type": "base64",
                                    "media_type": "image/png",
                                    "data": "iVBORw0KGgo=",
                                },
                            }
                        ],
                    }
                ],
            },
        ],
        "max_tokens": 9,
    },
    RESPONSES: {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PIXEL}]}]},
}
OFFERED: dict[Surface, dict[str, object]] = {
    CHAT: PLAIN[CHAT] | {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]},
    MESSAGES: PLAIN[MESSAGES] | {"tools": [{"name": "f", "input_schema": SCHEMA}]},
    RESPONSES: PLAIN[RESPONSES] | {"tools": [{"type": "function", "name": "f", "parameters": SCHEMA}]},
}
TALKED: dict[Surface, dict[str, object]] = {
    CHAT: {"messages": [{"role": "user", "content": LONG}]},
    MESSAGES: {"messages": [{"role": "user", "content": LONG}], "max_tokens": 9},
    RESPONSES: {"input": LONG},
}
DEMANDING = {"an image": SHOWN, "tools": OFFERED, "length": TALKED}

COMPLETION = json.dumps(
    {
        "id": "c",
        "model": "m",
        "created": 1,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"},
        ],
    }
).encode()
ITEMS = json.dumps({"id": "r", "object": "response", "status": "completed", "model": "m", "output": []}).encode()
STREAM = (
    b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
    CHUNKS[-1],
)
EVENTS = (b'event: response.completed\ndata: {"type":"response.completed"}\n\n',)
TOO_LONG = MemoryResponse(400, pieces=(b'{"error": {"code": "context_length_exceeded", "message": "too long"}}',))


def routed(*models: str, profiles: Mapping[str, ModelProfile] | None = None, breaker: Breaker | None = None) -> Config:
    """One preference, "work", over the models."""
    return build_config(
        models=tuple(map(build_model, models)),
        preferences=(Preference("work", "any work", models),),
        profiles=profiles or {},
        breaker=breaker or Breaker(),
    )


def serve(config: Config, *answers: MemoryResponse) -> tuple[Service, MemoryUpstream]:
    upstream = MemoryUpstream(*answers)
    return build_service(config, upstream, strategy=Choose("work")), upstream


def told(seen: Seen) -> tuple[int, str, str]:
    decision = seen.headers["x-plano-affinity"].partition("; because=")[0]
    return seen.status, seen.headers["x-plano-model"], decision


def because(seen: Seen) -> str:
    return seen.headers["x-plano-affinity"].partition("; because=")[2]


def good_answer(surface: Surface, *, streamed: bool) -> MemoryResponse:
    if not streamed:
        return MemoryResponse(pieces=(ITEMS if surface is RESPONSES else COMPLETION,))
    return MemoryResponse(headers=SSE, pieces=EVENTS if surface is RESPONSES else STREAM)


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        ("an image", "images"),
        ("tools", "tools"),
        ("length", f"context_window {LIMITED[SMALL].context_window}"),
    ],
)
async def test_a_switch_tells_what_the_model_does_not_take(demand: str, words: str) -> None:
    service, _ = serve(routed(SMALL, LARGE, profiles=LIMITED))
    await ask(service, chat(), ID)
    assert because(await ask(service, json.dumps(DEMANDING[demand][CHAT]).encode(), ID)) == words


async def test_a_switch_tells_that_the_provider_found_it_too_long() -> None:
    service, _ = serve(routed(SMALL, LARGE), MemoryResponse(), TOO_LONG, MemoryResponse())
    await ask(service, chat(), ID)
    assert because(await ask(service, chat(), ID)) == "context_window"


@pytest.mark.parametrize("surface", [CHAT, MESSAGES, RESPONSES], ids=lambda surface: surface.path)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("demand", DEMANDING)
async def test_what_the_pinned_model_cannot_serve_goes_to_one_that_can_and_the_pin_moves(
    surface: Surface,
    streamed: bool,  # noqa: FBT001 - parametrized
    demand: str,
) -> None:
    service, upstream = serve(routed(SMALL, LARGE, profiles=LIMITED), good_answer(surface, streamed=streamed))
    bodies = [PLAIN[surface], DEMANDING[demand][surface], PLAIN[surface]]
    seen = [
        await ask(service, json.dumps(body | {"stream": streamed}).encode(), ID, endpoint=Endpoint(surface))
        for body in bodies
    ]
    assert [told(each) for each in seen] == [
        (200, SMALL, "initialize; reason=first_turn"),
        (200, LARGE, "switch; reason=unsuitable"),
        (200, LARGE, "retain; reason=pinned"),
    ]
    assert upstream.models == ["small", "large", "large"]
    assert not any(each.broken for each in seen)


@pytest.mark.parametrize("surface", [CHAT, MESSAGES, RESPONSES], ids=lambda surface: surface.path)
@pytest.mark.parametrize("demand", DEMANDING)
async def test_a_first_turn_is_pinned_to_a_model_that_can_serve_it(surface: Surface, demand: str) -> None:
    service, upstream = serve(routed(SMALL, LARGE, profiles=LIMITED), good_answer(surface, streamed=False))
    body = json.dumps(DEMANDING[demand][surface]).encode()
    seen = await ask(service, body, ID, endpoint=Endpoint(surface))
    assert told(seen) == (200, LARGE, "initialize; reason=first_turn")
    assert upstream.models == ["large"]


async def test_a_request_without_an_id_goes_to_a_model_that_can_serve_it() -> None:
    service, _ = serve(routed(SMALL, LARGE, profiles=LIMITED))
    assert told(await ask(service, json.dumps(TALKED[CHAT]).encode())) == (200, LARGE, "none")


async def test_where_none_can_the_pinned_model_is_asked_all_the_same() -> None:
    limited = LIMITED | {LARGE: ModelProfile(images=False)}
    service, upstream = serve(routed(SMALL, LARGE, profiles=limited))
    await ask(service, chat(), ID)
    seen = await ask(service, json.dumps(SHOWN[CHAT]).encode(), ID)
    assert told(seen) == (200, SMALL, "retain; reason=pinned")
    assert upstream.models == ["small", "small"]


async def test_a_model_thought_unsuitable_is_still_tried_when_the_others_fail() -> None:
    down = MemoryResponse(503)
    config = routed(SMALL, LARGE, profiles=LIMITED)
    service, upstream = serve(config, MemoryResponse(), down, down, down, MemoryResponse())
    await ask(service, chat(), ID)
    seen = await ask(service, json.dumps(OFFERED[CHAT]).encode(), ID)
    assert told(seen) == (200, SMALL, "retain; reason=pinned")
    assert upstream.models == ["small", "large", "large", "large", "small"]


async def test_the_first_reason_is_told_where_a_stand_in_fails_too() -> None:
    down = MemoryResponse(503)
    config = routed(SMALL, LARGE, OTHER, profiles=LIMITED)
    service, upstream = serve(config, MemoryResponse(), down, down, down, MemoryResponse())
    await ask(service, chat(), ID)
    seen = await ask(service, json.dumps(OFFERED[CHAT]).encode(), ID)
    assert told(seen) == (200, OTHER, "switch; reason=unsuitable")
    assert upstream.models == ["small", "large", "large", "large", "other"]


async def test_the_table_that_ships_is_used_where_the_settings_say_nothing() -> None:
    service, _ = serve(routed("openai/o3-mini", "openai/gpt-4o"))
    await ask(service, chat(), ID)
    seen = await ask(service, json.dumps(SHOWN[CHAT]).encode(), ID)
    assert told(seen) == (200, "openai/gpt-4o", "switch; reason=unsuitable")


async def test_what_the_settings_say_goes_before_the_table() -> None:
    profiles = {"openai/o3-mini": ModelProfile(images=True)}
    service, _ = serve(routed("openai/o3-mini", "openai/gpt-4o", profiles=profiles))
    seen = await ask(service, json.dumps(SHOWN[CHAT]).encode(), ID)
    assert told(seen) == (200, "openai/o3-mini", "initialize; reason=first_turn")


@pytest.mark.parametrize("name", ["openai/*", "openai/tiny"])
async def test_a_wildcards_models_have_limits_too(name: str) -> None:
    """The models are named by the request's own preferences alone."""
    profiles = {name: ModelProfile(images=False), "openai/big": ModelProfile(images=True)}
    service, _ = serve(build_config("openai/*", profiles=profiles))
    own = [{"name": "work", "description": "any work", "models": ["openai/tiny", "openai/big"]}]
    wanted = {"routing_preferences": own, "model": "openai/tiny"}
    await ask(service, chat(**wanted), ID)
    seen = await ask(service, json.dumps(SHOWN[CHAT] | wanted).encode(), ID)
    assert told(seen) == (200, "openai/big", "switch; reason=unsuitable")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
async def test_the_decision_alone_moves_the_pin_too(path: str) -> None:
    decided = ENDPOINTS[f"/routing{path}"]
    service, upstream = serve(routed(SMALL, LARGE, profiles=LIMITED))
    await ask(service, json.dumps(PLAIN[decided.surface]).encode(), ID, endpoint=decided)
    body = json.dumps(SHOWN[decided.surface]).encode()
    seen = [await ask(service, body, ID, endpoint=decided) for _ in range(2)]
    assert [told(each)[1:] for each in seen] == [
        (LARGE, "switch; reason=unsuitable"),
        (LARGE, "retain; reason=pinned"),
    ]
    assert [json.loads(each.body)["models"] for each in seen] == [[LARGE, SMALL]] * 2
    assert not upstream.requests


@pytest.mark.parametrize("surface", [CHAT, MESSAGES, RESPONSES], ids=lambda surface: surface.path)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
async def test_a_provider_that_says_that_it_is_too_long_is_left_for_one_that_takes_it(
    surface: Surface,
    streamed: bool,  # noqa: FBT001 - parametrized
) -> None:
    good = good_answer(surface, streamed=streamed)
    service, upstream = serve(routed(SMALL, LARGE), good, TOO_LONG, good)
    body = json.dumps(PLAIN[surface] | {"stream": streamed}).encode()
    seen = [await ask(service, body, ID, endpoint=Endpoint(surface)) for _ in range(3)]
    assert [told(each) for each in seen] == [
        (200, SMALL, "initialize; reason=first_turn"),
        (200, LARGE, "switch; reason=unsuitable"),
        (200, LARGE, "retain; reason=pinned"),
    ]
    assert upstream.models == ["small", "small", "large", "large"]


@pytest.mark.parametrize("models", [(SMALL,), (SMALL, LARGE, OTHER)])
async def test_with_no_model_left_the_providers_own_words_are_answered(models: Sequence[str]) -> None:
    config = routed(*models, breaker=Breaker(failures=1))
    service, upstream = serve(config, MemoryResponse(), TOO_LONG)
    await ask(service, chat(), ID)
    for _ in range(2):
        seen = await ask(service, chat(), ID)
        assert told(seen) == (400, SMALL, "retain; reason=pinned")
        assert seen.body == TOO_LONG.pieces[0]
    assert len(upstream.requests) == 1 + 2 * len(models)
