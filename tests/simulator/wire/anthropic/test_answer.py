"""The official SDK is the oracle: it reads what the simulator writes."""

from collections.abc import Callable, Iterator

import anthropic
import pytest
from anthropic.types import (
    Message,
    MessageParam,
    RawMessageStreamEvent,
    TextBlock,
    ToolParam,
    ToolResultBlockParam,
    ToolUseBlock,
)
from fastapi import FastAPI

from plano_agents.simulator.app import create_app
from plano_agents.simulator.settings import SimulatorSettings

TOOL: ToolParam = {
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris", "Oslo", "Rome"]}},
        "required": ["city"],
    },
}
MESSAGES: list[MessageParam] = [{"role": "user", "content": "Compare the weather in Paris and Oslo."}]


@pytest.fixture(scope="module")
def client(serve: Callable[[FastAPI], str]) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=serve(create_app()), api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture
def plain(client: anthropic.Anthropic) -> Message:
    return client.messages.create(model="m", max_tokens=500, messages=MESSAGES, tools=[TOOL])


@pytest.fixture
def events(client: anthropic.Anthropic) -> list[RawMessageStreamEvent]:
    with client.messages.create(model="m", max_tokens=500, messages=MESSAGES, tools=[TOOL], stream=True) as stream:
        return list(stream)


def test_words_and_several_calls_come_in_one_turn(plain: Message) -> None:
    assert [block.type for block in plain.content] == ["text", "tool_use", "tool_use"]
    assert plain.stop_reason == "tool_use"


def test_a_stream_assembled_is_the_plain_answer(plain: Message, client: anthropic.Anthropic) -> None:
    with client.messages.stream(model="m", max_tokens=500, messages=MESSAGES, tools=[TOOL]) as stream:
        final = stream.get_final_message()
    assert final.model_dump() == plain.model_dump()


def test_a_stream_has_the_documented_events_in_order(events: list[RawMessageStreamEvent]) -> None:
    kinds = [event.type for event in events]
    told = [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert told == ["message_start", *block * 3, "message_delta", "message_stop"]


def test_a_ping_comes_early(client: anthropic.Anthropic) -> None:
    with client.messages.with_streaming_response.create(
        model="m", max_tokens=500, messages=MESSAGES, stream=True
    ) as response:
        names = [line for line in response.iter_lines() if line.startswith("event: ")]
    assert names[:3] == ["event: message_start", "event: content_block_start", "event: ping"]


def test_blocks_are_numbered_in_order(events: list[RawMessageStreamEvent]) -> None:
    assert [event.index for event in events if event.type == "content_block_start"] == [0, 1, 2]


def test_inputs_are_streamed_in_several_fragments(events: list[RawMessageStreamEvent]) -> None:
    parts = [event for event in events if event.type == "content_block_delta" and event.index == 1]
    assert len(parts) > 2
    assert all(part.delta.type == "input_json_delta" for part in parts)


def test_the_last_usage_is_that_of_the_whole_answer(events: list[RawMessageStreamEvent], plain: Message) -> None:
    deltas = [event for event in events if event.type == "message_delta"]
    assert [(d.usage.output_tokens, d.usage.input_tokens) for d in deltas] == [
        (plain.usage.output_tokens, plain.usage.input_tokens)
    ]


def test_an_answer_over_max_tokens_ends_for_it(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(model="m", max_tokens=5, messages=MESSAGES)
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 5)


def test_a_stop_sequence_ends_the_answer(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(
        model="m", max_tokens=500, messages=[{"role": "user", "content": "Hello"}], stop_sequences=["help"]
    )
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "help")


def test_a_tool_loop_ends_with_an_answer(plain: Message, client: anthropic.Anthropic) -> None:
    ids = [block.id for block in plain.content if isinstance(block, ToolUseBlock)]
    results: list[ToolResultBlockParam] = [
        {"type": "tool_result", "tool_use_id": call_id, "content": '{"sky": "hazy"}'} for call_id in ids
    ]
    done = client.messages.create(
        model="m",
        max_tokens=500,
        messages=[
            *MESSAGES,
            {"role": "assistant", "content": plain.content},
            {"role": "user", "content": results},
        ],
        tools=[TOOL],
    )
    assert done.stop_reason == "end_turn"
    assert isinstance(done.content[0], TextBlock)
    assert "hazy" in done.content[0].text


def test_the_models_are_listed(serve: Callable[[FastAPI], str]) -> None:
    url = serve(create_app(SimulatorSettings(models=("a", "b"))))
    with anthropic.Anthropic(base_url=url, api_key="unused") as client:
        assert [model.id for model in client.models.list()] == ["a", "b"]
