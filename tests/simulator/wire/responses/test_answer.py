"""The official SDK is the oracle: it reads what the simulator writes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from fastapi import FastAPI
from openai.types.responses import FunctionToolParam, Response, ResponseFunctionToolCall

from plano_agents.simulator.app import create_app

TOOL: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris", "Oslo", "Rome"]}},
        "required": ["city"],
    },
}
ASKED: list[Any] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "Compare the weather in Paris and Oslo."},
]


@pytest.fixture(scope="module")
def client(serve: Callable[[FastAPI], str]) -> Iterator[openai.OpenAI]:
    app = create_app(wall_clock=lambda: 1_700_000_000)
    with openai.OpenAI(base_url=serve(app) + "/v1", api_key="unused", max_retries=0) as client:
        yield client


def list_calls(response: Response) -> list[tuple[str, object]]:
    return [
        (item.name, json.loads(item.arguments))
        for item in response.output
        if isinstance(item, ResponseFunctionToolCall)
    ]


def test_a_model_calls_the_tools_that_the_words_ask_for(client: openai.OpenAI) -> None:
    response = client.responses.create(model="gpt-5.5", input=ASKED, tools=[TOOL])
    assert (response.status, response.created_at) == ("completed", 1_700_000_000)
    assert list_calls(response) == [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Oslo"})]
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0


def test_a_stream_is_the_whole_answer(client: openai.OpenAI) -> None:
    whole = client.responses.create(model="gpt-5.5", input=ASKED, tools=[TOOL])
    with client.responses.stream(model="gpt-5.5", input=ASKED, tools=[TOOL]) as events:
        kinds = [event.type for event in events]
        streamed = events.get_final_response()
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert list_calls(streamed) == list_calls(whole)
    assert streamed.output_text == whole.output_text


def test_a_loop_ends_in_words(client: openai.OpenAI) -> None:
    first = client.responses.create(model="gpt-5.5", input=ASKED, tools=[TOOL])
    calls: list[Any] = [item.model_dump(exclude_none=True) for item in first.output]
    results: list[Any] = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": "9 degrees"}
        for call in calls
        if call["type"] == "function_call"
    ]
    second = client.responses.create(model="gpt-5.5", input=[*ASKED, *calls, *results], tools=[TOOL])
    assert (list_calls(second), "written by gpt-5.5" in second.output_text) == ([], True)


def test_an_answer_that_is_cut_is_incomplete(client: openai.OpenAI) -> None:
    response = client.responses.create(model="m", input="Tell me a long story about the sea", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


def test_an_answer_in_json_is_written_for_its_schema(client: openai.OpenAI) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    form: Any = {"format": {"type": "json_schema", "name": "n", "strict": True, "schema": schema}}
    response = client.responses.create(model="m", input="Where?", text=form)
    assert isinstance(json.loads(response.output_text)["city"], str)
    assert response.text is not None
    assert response.text.format is not None
    assert response.text.format.type == "json_schema"
