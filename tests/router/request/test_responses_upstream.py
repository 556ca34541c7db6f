"""Upstreams that are spoken to on OpenAI's responses API: the newest models' tools, and servers of one's own."""

import json
from typing import Any

import pytest

from plano_agents.config.model import ModelProfile
from plano_agents.router.request.service import Service
from plano_agents.router.request.surfaces import CHAT, COMPACT, MESSAGES, RESPONSES, Endpoint
from plano_agents.testing.wires import Reply, ToolCall, encode_events, encode_reply
from tests.router.conftest import SSE, MemoryResponse, MemoryUpstream, ask, build_config, build_service

NEW, OWN = "openai/gpt-5.5", "openai/mine"
OPENAI = "https://api.openai.com/v1"
REPLY = Reply("Adding.", calls=[ToolCall("add", {"a": 1})])
HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
TOOL = {"name": "add", "description": "Adds."}
CHAT_TOOLS = [{"type": "function", "function": {**TOOL, "parameters": {"type": "object", "properties": {}}}}]
MESSAGES_TOOLS = [{**TOOL, "input_schema": {"type": "object", "properties": {}}}]


def answer(*, streams: bool = False) -> MemoryUpstream:
    if streams:
        return MemoryUpstream(MemoryResponse(headers=SSE, pieces=encode_events("responses", REPLY, "gpt")))
    return MemoryUpstream(MemoryResponse(pieces=(encode_reply("responses", REPLY, "gpt"),)))


def build(upstream: MemoryUpstream, name: str = NEW, **profile: Any) -> Service:  # noqa: ANN401 - fields of a profile
    base_url = "http://127.0.0.1:9/v1" if name == OWN else None
    profiles = {name: ModelProfile(**profile)} if profile else {}
    return build_service(build_config(name, base_url=base_url, profiles=profiles), upstream)


def body(**fields: object) -> bytes:
    return json.dumps({"messages": HI, **fields}).encode()


async def test_tools_with_an_effort_reach_a_new_model_of_openais_in_responses() -> None:
    upstream = answer()
    asked = body(model=NEW, tools=CHAT_TOOLS, reasoning_effort="high", seed=1, prompt_cache_key="k")
    seen = await ask(build(upstream), asked)
    [request] = upstream.requests
    sent = json.loads(request.body)
    assert request.url == f"{OPENAI}/responses"
    assert (sent["model"], sent["reasoning"], sent["prompt_cache_key"]) == ("gpt-5.5", {"effort": "high"}, "k")
    assert [tool["name"] for tool in sent["tools"]] == ["add"]
    assert seen.headers["x-plano-adjusted"] == "tools sent on the responses API, seed dropped"
    (choice,) = json.loads(seen.body)["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Adding.", "tool_calls")
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 1}'}


async def test_a_stream_of_them_comes_back_as_chunks() -> None:
    asked = body(model=NEW, tools=CHAT_TOOLS, stream=True)
    seen = await ask(build(answer(streams=True)), asked)
    assert (seen.status, seen.broken) == (200, False)
    assert b'"finish_reason":"tool_calls"' in seen.body
    assert seen.body.endswith(b"data: [DONE]\n\n")


async def test_a_messages_clients_tools_reach_it_in_responses_without_a_word() -> None:
    upstream = answer()
    asked = body(model=NEW, max_tokens=50, tools=MESSAGES_TOOLS)
    seen = await ask(build(upstream), asked, endpoint=Endpoint(MESSAGES))
    assert upstream.requests[0].url == f"{OPENAI}/responses"
    assert "x-plano-adjusted" not in seen.headers
    text, use = json.loads(seen.body)["content"]
    assert (text["text"], use["name"], use["input"]) == ("Adding.", "add", {"a": 1})


@pytest.mark.parametrize(
    ("profile", "fields"),
    [
        ({}, {}),
        ({}, {"tools": [], "reasoning_effort": "high"}),
        ({}, {"tools": CHAT_TOOLS, "reasoning_effort": "none"}),
        ({"responses_for": "tools_with_effort"}, {"tools": CHAT_TOOLS}),
        ({"responses_for": "none"}, {"tools": CHAT_TOOLS, "reasoning_effort": "high"}),
    ],
)
async def test_what_chat_completions_takes_goes_there(profile: dict[str, Any], fields: dict[str, Any]) -> None:
    upstream = MemoryUpstream()
    await ask(build(upstream, **profile), body(model=NEW, **fields))
    assert upstream.requests[0].url == f"{OPENAI}/chat/completions"


async def test_no_effort_is_none_for_a_model_that_always_reasons() -> None:
    upstream = answer()
    asked = body(model="openai/gpt-6", tools=CHAT_TOOLS, reasoning_effort="none")
    await ask(build(upstream, "openai/gpt-6"), asked)
    assert upstream.requests[0].url == f"{OPENAI}/responses"


async def test_a_model_of_responses_alone_is_asked_there() -> None:
    upstream = answer()
    await ask(build(upstream, "openai/gpt-5-pro"), body(model="openai/gpt-5-pro"))
    assert upstream.requests[0].url == f"{OPENAI}/responses"


async def test_elsewhere_a_new_model_is_spoken_to_as_it_is_configured() -> None:
    """A server of unknown make may translate by itself, or know no other API."""
    upstream = MemoryUpstream()
    await ask(build(upstream, OWN, responses_for="all"), body(model=OWN))
    assert upstream.requests[0].url == "http://127.0.0.1:9/v1/chat/completions"


async def test_what_responses_cannot_carry_is_refused_by_name() -> None:
    seen = await ask(build(answer()), body(model=NEW, tools=CHAT_TOOLS, n=2))
    assert (seen.status, seen.error["param"]) == (400, "n")


@pytest.mark.parametrize(
    ("surface", "fields"),
    [
        (CHAT, {"messages": HI}),
        (MESSAGES, {"messages": HI, "max_tokens": 50}),
        (RESPONSES, {"input": HI}),
    ],
    ids=["chat", "messages", "responses"],
)
async def test_a_server_of_responses_at_an_address_of_ones_own_serves_every_client(
    surface: Any,  # noqa: ANN401 - a surface
    fields: dict[str, Any],
) -> None:
    upstream = answer()
    service = build(upstream, OWN, apis=("responses",))
    seen = await ask(service, json.dumps({"model": OWN, **fields}).encode(), endpoint=Endpoint(surface))
    assert (seen.status, upstream.requests[0].url) == (200, "http://127.0.0.1:9/v1/responses")
    assert b"Adding." in seen.body


async def test_a_transcript_is_compacted_there_by_a_summary() -> None:
    upstream = answer()
    asked = json.dumps({"model": OWN, "input": HI}).encode()
    seen = await ask(build(upstream, OWN, apis=("responses",)), asked, endpoint=COMPACT)
    assert upstream.requests[0].url == "http://127.0.0.1:9/v1/responses"
    assert [item["type"] for item in json.loads(seen.body)["output"]] == ["message", "compaction"]


async def test_a_failure_is_told_in_the_clients_form() -> None:
    error = {"error": {"message": "Slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    upstream = MemoryUpstream(MemoryResponse(status=400, pieces=(json.dumps(error).encode(),)))
    asked = body(model=NEW, max_tokens=50, tools=MESSAGES_TOOLS)
    seen = await ask(build(upstream), asked, endpoint=Endpoint(MESSAGES))
    assert (seen.status, json.loads(seen.body)["type"], seen.error["message"]) == (400, "error", "Slow down")


@pytest.mark.parametrize(("name", "asks"), [("openai/gpt-4.1", False), ("openai/o3", True)])
async def test_only_a_model_that_reasons_is_asked_for_its_reasoning(name: str, asks: bool) -> None:  # noqa: FBT001 - a case
    """OpenAI refuses others: "Encrypted content is not supported with this model"."""
    upstream = answer()
    await ask(build(upstream, name, responses_for="all"), body(model=name))
    assert ("include" in json.loads(upstream.requests[0].body)) is asks


async def test_a_limit_below_openais_least_is_raised_to_it() -> None:
    upstream = answer()
    seen = await ask(build(upstream, responses_for="all"), body(model=NEW, max_tokens=1))
    assert json.loads(upstream.requests[0].body)["max_output_tokens"] == 16
    assert seen.headers["x-plano-adjusted"] == "tools sent on the responses API, max_output_tokens=16 (was 1)"


CHATGPT = "chatgpt/gpt-5.5"


@pytest.mark.parametrize("streams", [True, False])
async def test_a_chatgpt_subscription_serves_a_messages_client(streams: bool) -> None:  # noqa: FBT001 - a case
    """Its backend streams alone, stores nothing, and refuses what Codex does not send."""
    upstream = answer(streams=True)
    asked = body(model=CHATGPT, max_tokens=50, temperature=1, tools=MESSAGES_TOOLS, stream=streams)
    seen = await ask(build(upstream, CHATGPT), asked, endpoint=Endpoint(MESSAGES))
    sent = json.loads(upstream.requests[0].body)
    assert upstream.requests[0].url == "https://chatgpt.com/backend-api/codex/responses"
    assert (sent["stream"], sent["store"], sent["instructions"]) == (True, False, "You are a helpful assistant.")
    assert not {"max_output_tokens", "temperature"} & sent.keys()
    assert seen.headers["x-plano-adjusted"].startswith("max_output_tokens dropped")
    assert (seen.status, b"Adding" in seen.body, seen.body.startswith(b"event:")) == (200, True, streams)


async def test_a_responses_client_of_a_chatgpt_subscription_gets_what_it_asked_for() -> None:
    upstream = answer(streams=True)
    asked = json.dumps({"model": CHATGPT, "input": HI, "store": True}).encode()
    seen = await ask(build(upstream, CHATGPT), asked, endpoint=Endpoint(RESPONSES))
    assert (seen.headers["x-plano-adjusted"], json.loads(seen.body)["status"]) == ("store sent as false", "completed")
