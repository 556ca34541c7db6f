"""`ChatPlano` reads the provider's JSON itself, and makes of it what `ChatOpenAI` makes of the SDK's models."""

import json
from collections.abc import Sequence
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_openai import ChatOpenAI

from plano_agents import ChatPlano
from plano_agents.integrations.http_clients import load_library

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": None,
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
LOGPROBS = {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}], "refusal": None}

MESSAGES: dict[str, dict[str, Any]] = {
    "words": {"content": "hello"},
    "nothing": {"content": None},
    "a refusal": {"content": None, "refusal": "I will not."},
    "a tool call": {"content": None, "tool_calls": [CALL]},
    "arguments that are not JSON": {
        "tool_calls": [CALL | {"function": {"name": "weather", "arguments": "{"}}],
    },
    "members that nobody knows": {"content": "hello", "vendor_note": "hm", "annotations": []},
}
ODD: dict[str, dict[str, Any]] = {
    "all members": {"system_fingerprint": "fp_1", "service_tier": "default"},
    "no usage": {"usage": None},
    "no id": {"id": None},
}


def build_models(body: bytes, media_type: str) -> tuple[ChatOpenAI, ChatPlano]:
    def answer(_: object) -> Any:  # noqa: ANN401 - the HTTP library's
        return load_library().Response(200, headers={"content-type": media_type}, content=body)

    transport = load_library().MockTransport(answer)
    options: dict[str, Any] = {
        "model": "gpt-4o",
        "api_key": "none",
        "base_url": "http://127.0.0.1:9/v1",
        "stream_usage": True,
        "http_client": openai.DefaultHttpxClient(transport=transport),
        "http_async_client": openai.DefaultAsyncHttpxClient(transport=transport),
    }
    return ChatOpenAI(use_responses_api=False, **options), ChatPlano(**options)


def drop_empty(value: object) -> object:
    """Leave out what is empty: the SDK's models fill in members that the provider did not send."""
    if isinstance(value, dict):
        return {name: kept for name, item in value.items() if (kept := drop_empty(item)) not in (None, "", {}, [])}
    return value


def describe(message: AIMessage) -> object:
    """Tell a message, less what names the integration or this very call."""
    told = message.model_dump()
    told["response_metadata"].pop("model_provider")
    return drop_empty(told | {"id": None if str(message.id).startswith("lc_run-") else message.id})


def merge(chunks: Sequence[AIMessageChunk]) -> AIMessageChunk:
    first, *others = chunks
    return first.__add__(others)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
async def test_a_whole_answer_says_the_same(message: dict[str, Any], odd: dict[str, Any]) -> None:
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": "stop",
        "logprobs": LOGPROBS,
    }
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [choice],
        "usage": USAGE,
    } | odd
    stock, ours = build_models(json.dumps(body).encode(), "application/json")
    expected = describe(stock.invoke("hello"))
    assert describe(ours.invoke("hello")) == expected
    assert describe(await ours.ainvoke("hello")) == expected


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
async def test_a_streamed_answer_says_the_same(message: dict[str, Any]) -> None:
    calls = [{"index": index, **call} for index, call in enumerate(message.get("tool_calls", []))]
    delta = message | ({"tool_calls": calls} if calls else {})
    deltas = [{"role": "assistant", "content": ""}, delta, {}]
    events = [
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "delta": each, "finish_reason": None if each else "stop"}],
        }
        for each in deltas
    ]
    events.append({**events[0], "choices": [], "usage": USAGE})
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    stock, ours = build_models(body.encode(), "text/event-stream")
    expected = describe(merge(list(stock.stream("hello"))))
    assert describe(merge(list(ours.stream("hello")))) == expected
    assert describe(merge([chunk async for chunk in ours.astream("hello")])) == expected


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b'{"error": {"message": "overloaded"}}', "application/json"),
        (b'{"id": "chatcmpl-1", "choices": null}', "application/json"),
        (b"{}", "application/json"),
        (b"[]", "application/json"),
        (b"<html>no router</html>", "text/html"),
    ],
)
def test_what_is_no_answer_fails_too(body: bytes, media_type: str) -> None:
    for model in build_models(body, media_type):
        with pytest.raises((KeyError, TypeError, ValueError), match=r"choices|overloaded|Unexpected response"):
            model.invoke("hello")


def test_an_error_within_a_stream_is_raised() -> None:
    body = b'data: {"error": {"message": "overloaded"}}\n\ndata: [DONE]\n\n'
    for model in build_models(body, "text/event-stream"):
        with pytest.raises(openai.APIError, match="overloaded"):
            list(model.stream("hello"))
