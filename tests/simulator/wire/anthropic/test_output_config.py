"""The official SDK is the oracle: it asks for JSON by pydantic models, and parses what comes."""

import json
from collections.abc import Callable, Iterator
from typing import Literal

import anthropic
import pytest
from anthropic.types.message_create_params import MessageCreateParamsBase
from fastapi import FastAPI
from pydantic import BaseModel, JsonValue

from plano_agents.simulator.app import create_app
from plano_agents.simulator.wire.anthropic.body import Body
from plano_agents.simulator.wire.anthropic.limits import FIELDS
from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request
from plano_agents.simulator.wire.exchange import Refusal

USER: JsonValue = {"role": "user", "content": "hi"}


class Guest(BaseModel):
    name: str
    age: int
    meal: Literal["fish", "soup"]


@pytest.fixture(scope="module")
def client(serve: Callable[[FastAPI], str]) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=serve(create_app()), api_key="unused", max_retries=0) as client:
        yield client


def test_the_sdk_parses_the_answer_into_the_model(client: anthropic.Anthropic) -> None:
    answer = client.messages.parse(
        model="m",
        max_tokens=500,
        messages=[{"role": "user", "content": "Say: Ada is 36 and wants soup"}],
        output_format=Guest,
    )
    assert answer.parsed_output == Guest(name="Ada", age=36, meal="soup")


def test_a_streamed_answer_is_parsed_into_the_model(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model="m",
        max_tokens=500,
        messages=[{"role": "user", "content": "Say: Ada is 36 and wants soup"}],
        output_format=Guest,
    ) as stream:
        assert stream.get_final_message().parsed_output == Guest(name="Ada", age=36, meal="soup")


def parse(**fields: JsonValue) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [USER], **fields}
    parse_anthropic_request(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("output_format", "message"),
    [
        ({"type": "json_schema"}, "output_config.format.schema: Field required"),
        ({"type": "json_object"}, "output_config.format.type: Input should be 'json_schema'"),
        (
            {"type": "json_schema", "schema": {"type": "object"}},
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
        ),
    ],
)
def test_a_bad_format_is_refused_in_the_providers_words(output_format: JsonValue, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(output_config={"format": output_format})
    assert (caught.value.status, caught.value.message) == (400, message)


def test_every_field_of_the_sdk_is_taken_or_named_as_a_limit() -> None:
    in_headers = {"workspace_id"}
    assert set(MessageCreateParamsBase.__annotations__) <= Body.model_fields.keys() | FIELDS.keys() | in_headers


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"container": "c"}, "container: The simulated models run no code"),
        (
            {"tools": [{"type": "mcp_toolset", "mcp_server_name": "m"}]},
            "tools.0.type: The simulated models do not call MCP servers",
        ),
        ({"stream_options": {}}, "stream_options: Extra inputs are not permitted"),
    ],
)
def test_a_limit_of_the_simulator_says_so(fields: dict[str, JsonValue], message: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(**fields)
    assert caught.value.message.startswith(message)


def mark(count: int) -> JsonValue:
    return [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}} for _ in range(count)]


def test_four_blocks_may_be_marked_for_the_cache() -> None:
    parse(system=mark(2), messages=[{"role": "user", "content": mark(2)}], cache_control={"type": "ephemeral"})
    with pytest.raises(Refusal, match=r"may be provided\. Found 5\."):
        parse(system=mark(3), messages=[{"role": "user", "content": mark(2)}])
