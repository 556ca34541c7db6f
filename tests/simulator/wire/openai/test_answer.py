"""The official SDK is the oracle: it reads what the simulator writes."""

from collections.abc import Callable, Iterator

import openai
import pytest
from fastapi import FastAPI
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionAssistantMessageParam,
    ChatCompletionChunk,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
    ChatCompletionToolMessageParam,
)

from plano_agents.simulator.app import create_app
from plano_agents.simulator.settings import SimulatorSettings

TOOL: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Oslo", "Rome"]}},
            "required": ["city"],
        },
    },
}
MESSAGES: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Compare the weather in Paris and Oslo."},
]


@pytest.fixture(scope="module")
def client(serve: Callable[[FastAPI], str]) -> Iterator[openai.OpenAI]:
    app = create_app(wall_clock=lambda: 1_700_000_000)
    with openai.OpenAI(base_url=serve(app) + "/v1", api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture
def plain(client: openai.OpenAI) -> ChatCompletion:
    return client.chat.completions.create(model="m", messages=MESSAGES, tools=[TOOL])


@pytest.fixture
def chunks(client: openai.OpenAI) -> list[ChatCompletionChunk]:
    with client.chat.completions.create(
        model="m", messages=MESSAGES, tools=[TOOL], stream=True, stream_options={"include_usage": True}
    ) as stream:
        return list(stream)


def assemble(chunks: list[ChatCompletionChunk]) -> tuple[str, list[tuple[str, str, str]]]:
    """Join a stream's fragments: the words, and each call's id, name and arguments."""
    text = ""
    calls: dict[int, tuple[str, str, str]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for part in choice.delta.tool_calls or []:
                call_id, name, arguments = calls.get(part.index, ("", "", ""))
                assert part.function is not None
                calls[part.index] = (
                    call_id + (part.id or ""),
                    name + (part.function.name or ""),
                    arguments + (part.function.arguments or ""),
                )
    return text, [calls[index] for index in sorted(calls)]


def test_several_calls_come_beside_the_words_in_one_turn(plain: ChatCompletion) -> None:
    message = plain.choices[0].message
    assert message.content
    assert len(message.tool_calls or []) == 2
    assert plain.choices[0].finish_reason == "tool_calls"


def test_a_stream_assembled_is_the_plain_answer(plain: ChatCompletion, chunks: list[ChatCompletionChunk]) -> None:
    message = plain.choices[0].message
    calls = [
        (call.id, call.function.name, call.function.arguments)
        for call in message.tool_calls or []
        if isinstance(call, ChatCompletionMessageFunctionToolCall)
    ]
    assert assemble(chunks) == (message.content, calls)


def test_arguments_are_streamed_in_several_fragments(chunks: list[ChatCompletionChunk]) -> None:
    parts = [part for chunk in chunks for choice in chunk.choices for part in choice.delta.tool_calls or []]
    assert sum(part.index == 0 for part in parts) > 2


def test_one_chunk_says_why_the_stream_ends(chunks: list[ChatCompletionChunk]) -> None:
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert reasons == ["tool_calls"]


def test_the_usage_comes_once_in_a_last_chunk_without_choices(
    chunks: list[ChatCompletionChunk], plain: ChatCompletion
) -> None:
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == plain.usage


def test_a_stream_without_include_usage_has_none(client: openai.OpenAI) -> None:
    with client.chat.completions.create(model="m", messages=MESSAGES, stream=True) as stream:
        assert all(chunk.usage is None and chunk.choices for chunk in stream)


def test_the_usage_adds_up(plain: ChatCompletion) -> None:
    usage = plain.usage
    assert usage is not None
    assert usage.prompt_tokens + usage.completion_tokens == usage.total_tokens
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 0


def test_the_same_request_gets_the_same_answer(plain: ChatCompletion, client: openai.OpenAI) -> None:
    assert client.chat.completions.create(model="m", messages=MESSAGES, tools=[TOOL]) == plain


def test_an_answer_over_max_tokens_ends_for_length(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="m", messages=MESSAGES, max_completion_tokens=5)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5


def test_a_tool_loop_ends_with_an_answer(plain: ChatCompletion, client: openai.OpenAI) -> None:
    calls = [
        call
        for call in plain.choices[0].message.tool_calls or []
        if isinstance(call, ChatCompletionMessageFunctionToolCall)
    ]
    asked: ChatCompletionAssistantMessageParam = {
        "role": "assistant",
        "content": plain.choices[0].message.content,
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in calls
        ],
    }
    results: list[ChatCompletionToolMessageParam] = [
        {"role": "tool", "tool_call_id": call.id, "content": '{"sky": "hazy"}'} for call in calls
    ]
    done = client.chat.completions.create(model="m", messages=[*MESSAGES, asked, *results], tools=[TOOL])
    assert done.choices[0].finish_reason == "stop"
    assert "hazy" in (done.choices[0].message.content or "")


def test_the_models_are_listed(serve: Callable[[FastAPI], str]) -> None:
    url = serve(create_app(SimulatorSettings(models=("a", "b"))))
    with openai.OpenAI(base_url=url + "/v1", api_key="unused") as client:
        assert [model.id for model in client.models.list()] == ["a", "b"]
