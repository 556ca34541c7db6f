"""Every client surface in front of every upstream, plain and streamed, with the official SDKs as clients."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from plano_agents.testing import offline_router

CONFIG = """
version: v0.4.0
listeners: [{type: model, name: m, port: 12000}]
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
  - {model: anthropic/claude-sonnet-4-6, access_key: $ANTHROPIC_API_KEY}
"""
UPSTREAMS = ["openai/gpt-4o", "anthropic/claude-sonnet-4-6"]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
    "required": ["city"],
}
QUESTION = "What is the weather in Paris and in Rome?"


@pytest.fixture(scope="module")
def router() -> Iterator[str]:
    with offline_router(CONFIG) as url:
        yield url


@pytest.fixture(scope="module")
def chat(router: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=router, api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def messages(router: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=router.removesuffix("/v1"), api_key="none", max_retries=0)


@pytest.mark.parametrize("model", UPSTREAMS)
@pytest.mark.parametrize("streamed", [False, True])
def test_chat_completions_calls_tools(chat: openai.OpenAI, model: str, *, streamed: bool) -> None:
    tool: Any = {
        "type": "function",
        "function": {"name": "weather", "description": "Weather in a city.", "parameters": WEATHER},
    }
    said: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    if streamed:
        with chat.chat.completions.stream(model=model, messages=said, tools=[tool]) as stream:
            message: Any = stream.get_final_completion().choices[0].message
    else:
        message = chat.chat.completions.create(model=model, messages=said, tools=[tool]).choices[0].message
    assert [json.loads(call.function.arguments)["city"] for call in message.tool_calls] == ["Paris", "Rome"]
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.function.name, "arguments": call.function.arguments},
        }
        for call in message.tool_calls
    ]
    said.append({"role": "assistant", "content": message.content, "tool_calls": calls})
    said += [{"role": "tool", "tool_call_id": call.id, "content": "18 degrees"} for call in message.tool_calls]
    answer = chat.chat.completions.create(model=model, messages=said, tools=[tool])
    assert "18 degrees" in (answer.choices[0].message.content or "")
    assert answer.model == model.partition("/")[2]


@pytest.mark.parametrize("model", UPSTREAMS)
@pytest.mark.parametrize("streamed", [False, True])
def test_messages_calls_tools(messages: anthropic.Anthropic, model: str, *, streamed: bool) -> None:
    tool: Any = {"name": "weather", "description": "Weather in a city.", "input_schema": WEATHER}
    said: list[Any] = [{"role": "user", "content": QUESTION}]
    asked: Any = {"model": model, "max_tokens": 1000, "system": "Be brief.", "tools": [tool]}
    if streamed:
        with messages.messages.stream(messages=said, **asked) as stream:
            message: Any = stream.get_final_message()
    else:
        message = messages.messages.create(messages=said, **asked)
    calls = [block for block in message.content if block.type == "tool_use"]
    assert (message.stop_reason, [call.input["city"] for call in calls]) == ("tool_use", ["Paris", "Rome"])
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"} for call in calls]
    said += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    answer: Any = messages.messages.create(messages=said, **asked)
    assert "18 degrees" in answer.content[0].text
    assert answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0) > 0


@pytest.mark.parametrize("model", UPSTREAMS)
@pytest.mark.parametrize("streamed", [False, True])
def test_responses_calls_tools(chat: openai.OpenAI, model: str, *, streamed: bool) -> None:
    tool: Any = {
        "type": "function",
        "name": "weather",
        "description": "Weather in a city.",
        "parameters": WEATHER,
        "strict": False,
    }
    said: list[Any] = [{"role": "user", "content": QUESTION}]
    asked: Any = {"model": model, "instructions": "Be brief.", "tools": [tool], "store": False}
    if streamed:
        with chat.responses.stream(input=said, **asked) as stream:
            response: Any = stream.get_final_response()
    else:
        response = chat.responses.create(input=said, **asked)
    calls = [item for item in response.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["city"] for call in calls] == ["Paris", "Rome"]
    said += [item.model_dump(exclude_none=True) for item in response.output]
    said += [{"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"} for call in calls]
    answer: Any = chat.responses.create(input=said, **asked)
    assert (answer.status, "18 degrees" in answer.output_text) == ("completed", True)


@pytest.mark.parametrize("path", ["chat/completions", "messages", "responses"])
def test_the_routing_endpoints_give_the_decision_alone(router: str, path: str) -> None:
    body = {
        "model": "gpt-4o",
        "max_tokens": 5,
        "input": "hi",
        "messages": [{"role": "user", "content": "Write a script"}],
    }
    body["routing_preferences"] = [
        {"name": "scripts", "description": "write a script", "models": ["claude-sonnet-4-6", "gpt-4o"]}
    ]
    if path == "responses":
        body["input"] = "Write a script"
        del body["messages"]
    request = urllib.request.Request(
        f"{router.removesuffix('/v1')}/routing/v1/{path}",
        json.dumps(body).encode(),
        {"content-type": "application/json", "x-model-affinity": f"decide-{path}"},
    )
    with urllib.request.urlopen(request) as answer:
        decision = json.load(answer)
    del decision["trace_id"]
    assert decision == {
        "models": ["anthropic/claude-sonnet-4-6", "openai/gpt-4o"],
        "route": "scripts",
        "session_id": f"decide-{path}",
        "pinned": False,
        "switched": False,
        "decision": "initialize",
        "reason": "first_turn",
        "because": None,
        "deployment": None,
    }


def test_errors_have_the_surfaces_own_form(messages: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        messages.messages.create(model="nobody", max_tokens=5, messages=[{"role": "user", "content": "hi"}])
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == "not_found_error"


def test_one_session_is_kept_over_all_surfaces(chat: openai.OpenAI, messages: anthropic.Anthropic) -> None:
    headers = {"X-Model-Affinity": "all-surfaces"}
    first = chat.chat.completions.with_raw_response.create(
        model=UPSTREAMS[1], messages=[{"role": "user", "content": "hi"}], extra_headers=headers
    )
    second = messages.messages.with_raw_response.create(
        model="gpt-4o", max_tokens=99, messages=[{"role": "user", "content": "hi"}], extra_headers=headers
    )
    third = chat.responses.with_raw_response.create(model="gpt-4o", input="hi", extra_headers=headers)
    assert [each.headers["x-plano-model"] for each in (first, second, third)] == [UPSTREAMS[1]] * 3
