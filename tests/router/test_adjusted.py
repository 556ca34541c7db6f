"""Requests that were fitted to their model: what goes up, what comes back, and that it is told."""

import json

import pytest

from plano_agents.config.model import Preference
from plano_agents.router.request.surfaces import CHAT, MESSAGES, Endpoint
from plano_agents.router.request.trail import Trail
from plano_agents.router.watch.metrics import Metrics
from plano_agents.router.watch.request_log import Columns, RequestLine
from tests.router.conftest import (
    CLAUDE,
    COMPLETION,
    GPT,
    MESSAGE,
    SSE,
    MemoryResponse,
    MemoryUpstream,
    ask,
    build_config,
    build_model,
    build_service,
    chat,
)

NAME = "mcp__plugin_context_engine_server__search_the_documentation_of_packages_v2"
TOOL = {"type": "function", "function": {"name": NAME, "parameters": {"type": "object"}}}
BOTH = Preference("both", "any task", (CLAUDE, GPT))


def call(name: str) -> bytes:
    """An answer that calls a tool."""
    function = {"name": name, "arguments": "{}"}
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
    }
    return json.dumps(
        {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    ).encode()


def call_in_chunks(name: str) -> tuple[bytes, ...]:
    """The same, streamed, the name cut in two on the wire."""
    piece = {"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}}
    chunks = [
        {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": None}]},
        {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    ]
    whole = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks) + b"data: [DONE]\n\n"
    return whole[:90], whole[90:]


def sent_name(upstream: MemoryUpstream) -> str:
    name: str = json.loads(upstream.requests[0].body)["tools"][0]["function"]["name"]
    return name


async def test_an_answer_tells_what_was_changed() -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()), chat(max_tokens=32_000, user="u" * 70))
    assert seen.headers["x-plano-adjusted"] == "max_tokens=16384 (was 32000), user hashed"


async def test_an_answer_to_an_unchanged_request_tells_nothing() -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()), chat(max_tokens=3, temperature=0.5))
    assert "x-plano-adjusted" not in seen.headers


async def test_a_long_list_of_changes_is_cut_in_the_header() -> None:
    upstream = MemoryUpstream()
    config = build_config(models=(build_model("mistral/mistral-large-latest"),))
    seen = await ask(build_service(config, upstream), chat(**{f"field_{n}": n for n in range(200)}))
    assert len(seen.headers["x-plano-adjusted"]) == 1_000


async def test_a_shortened_name_comes_back_as_the_clients() -> None:
    upstream = MemoryUpstream()
    await ask(build_service(build_config(), upstream), chat(tools=[TOOL]))
    short = sent_name(upstream)
    assert len(short) == 64
    seen = await ask(
        build_service(build_config(), MemoryUpstream(MemoryResponse(pieces=(call(short),)))),
        chat(tools=[TOOL]),
    )
    assert json.loads(seen.body) == json.loads(call(NAME))


async def test_a_shortened_name_comes_back_as_the_clients_within_a_stream() -> None:
    upstream = MemoryUpstream()
    await ask(build_service(build_config(), upstream), chat(tools=[TOOL]))
    streamed = MemoryResponse(headers=SSE, pieces=call_in_chunks(sent_name(upstream)))
    seen = await ask(build_service(build_config(), MemoryUpstream(streamed)), chat(tools=[TOOL], stream=True))
    assert seen.body == b"".join(call_in_chunks(NAME))
    assert not seen.broken


async def test_a_shortened_name_comes_back_as_the_clients_on_another_surface() -> None:
    body = {
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": NAME, "input_schema": {"type": "object"}}],
    }
    upstream = MemoryUpstream()
    messages = Endpoint(MESSAGES)
    await ask(build_service(build_config(), upstream), json.dumps(body).encode(), endpoint=messages)
    answer = MemoryResponse(pieces=(call(sent_name(upstream)),))
    seen = await ask(
        build_service(build_config(), MemoryUpstream(answer)), json.dumps(body).encode(), endpoint=messages
    )
    assert json.loads(seen.body)["content"][0]["name"] == NAME


@pytest.mark.parametrize("policy", ["refuse", "move"])
async def test_a_parameter_that_the_model_does_not_take_is_a_400_where_it_may_not_be_adapted(
    policy: str,
) -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    config = build_config(models=(build_model(CLAUDE),), unsupported_params=policy)
    seen = await ask(build_service(config, upstream), chat(seed=1))
    assert (seen.status, seen.error["code"], seen.error["param"]) == (400, "unsupported_field", "seed")
    assert upstream.requests == []


async def test_a_parameter_that_changes_no_answer_is_left_out_even_where_others_are_refused() -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    config = build_config(models=(build_model(CLAUDE),), unsupported_params="refuse")
    seen = await ask(build_service(config, upstream), chat(metadata={"a": "b"}))
    assert (seen.status, seen.headers["x-plano-adjusted"]) == (200, "metadata dropped")


@pytest.mark.parametrize(("policy", "asked"), [("adapt", ["claude-sonnet-4-6"]), ("move", ["gpt-4o"]), ("refuse", [])])
async def test_the_policy_says_who_serves_a_request_with_a_parameter_that_the_model_does_not_take(
    policy: str, asked: list[str]
) -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE if policy == "adapt" else COMPLETION,)))
    models = (build_model(CLAUDE, default=True), build_model(GPT))
    config = build_config(models=models, preferences=(BOTH,), unsupported_params=policy)
    hint = ("x-model-affinity-hint", CLAUDE)
    await ask(build_service(config, upstream), chat(seed=1), ("x-model-affinity", "run-1"), hint)
    assert upstream.models == asked


@pytest.mark.parametrize("field", [{"n": 2}, {"logprobs": True}])
async def test_what_may_not_be_dropped_is_served_by_another_model_of_the_route(
    field: dict[str, object],
) -> None:
    upstream = MemoryUpstream()
    models = (build_model(CLAUDE, default=True), build_model(GPT))
    config = build_config(models=models, preferences=(BOTH,))
    hint = ("x-model-affinity-hint", CLAUDE)
    await ask(build_service(config, upstream), chat(**field), ("x-model-affinity", "run-1"), hint)
    assert upstream.models == ["gpt-4o"]


async def test_changes_are_in_the_log_and_counted_by_field() -> None:
    trails: list[Trail] = []
    service = build_service(build_config(), MemoryUpstream(), observe=trails.append)
    await ask(service, chat(max_tokens=32_000, thinking={"type": "enabled"}), endpoint=Endpoint(CHAT))
    (trail,) = trails
    line = RequestLine(trail, Columns(model=1, route=1))
    assert line.fields()["adjusted"] == ["max_tokens=16384 (was 32000)", "thinking dropped"]
    assert "adjusted: thinking dropped" in line.render(lambda text, _style: text)
    metrics = Metrics()
    metrics.observe([trail])
    rendered = (await metrics.render()).decode()
    assert 'plano_request_adjustments_total{field="max_tokens",kind="clamped"} 1.0' in rendered
    assert 'plano_request_adjustments_total{field="thinking",kind="dropped"} 1.0' in rendered


async def test_a_field_that_a_client_invented_is_counted_without_its_name() -> None:
    trails: list[Trail] = []
    config = build_config(models=(build_model("mistral/mistral-large-latest"),))
    await ask(build_service(config, MemoryUpstream(), observe=trails.append), chat(invented=1))
    metrics = Metrics()
    metrics.observe([trails[0]])
    rendered = (await metrics.render()).decode()
    assert "invented" not in rendered
    assert 'plano_request_adjustments_total{field="other",kind="dropped"} 1.0' in rendered


@pytest.mark.parametrize(
    ("model", "sent", "told"),
    [
        ("anthropic/claude-haiku-4-5", "effort-2025-11-24", "betas: context-1m-2025-08-07 dropped"),
        ("anthropic/claude-opus-5-5", "context-1m-2025-08-07,effort-2025-11-24", None),
        ("openai/gpt-4o", None, None),
    ],
)
async def test_a_beta_feature_that_the_model_lacks_is_left_out_and_told(
    model: str, sent: str | None, told: str | None
) -> None:
    """A harness names the features of the model that it asks for, and another serves the request."""
    upstream = MemoryUpstream(MemoryResponse(pieces=(COMPLETION if sent is None else MESSAGE,)))
    body = json.dumps({"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}).encode()
    betas = ("anthropic-beta", "context-1m-2025-08-07,effort-2025-11-24")
    service = build_service(build_config(model), upstream)
    seen = await ask(service, body, betas, endpoint=Endpoint(MESSAGES))
    assert upstream.requests[0].headers.get("anthropic-beta") == sent
    assert seen.headers.get("x-plano-adjusted") == told
