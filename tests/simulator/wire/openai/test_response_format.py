"""The official SDK is the oracle: it asks for JSON by pydantic models, and parses what comes."""

import json
from collections.abc import Callable, Iterator
from typing import Literal

import openai
import pytest
from fastapi import FastAPI
from openai import pydantic_function_tool
from pydantic import BaseModel, JsonValue

from plano_agents.simulator.app import create_app
from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.openai.request import parse_openai_request


class Guest(BaseModel):
    name: str
    age: int
    meal: Literal["fish", "soup"]


class Party(BaseModel):
    guests: list[Guest]
    host: Guest | None


class Lookup(BaseModel):
    """Look a guest up."""

    name: str


@pytest.fixture(scope="module")
def client(serve: Callable[[FastAPI], str]) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=serve(create_app()) + "/v1", api_key="unused", max_retries=0) as client:
        yield client


def test_the_sdk_parses_the_answer_into_the_model(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="m",
        messages=[{"role": "user", "content": "Say: Ada is 36 and wants soup"}],
        response_format=Guest,
    )
    assert answer.choices[0].message.parsed == Guest(name="Ada", age=36, meal="soup")


def test_nested_models_are_parsed_too(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="m", messages=[{"role": "user", "content": "A party for Ada"}], response_format=Party
    )
    parsed = answer.choices[0].message.parsed
    assert parsed is not None
    assert parsed.guests[0].name == "Ada"


def test_a_streamed_answer_is_parsed_into_the_model(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="m",
        messages=[{"role": "user", "content": "Say: Ada is 36 and wants soup"}],
        response_format=Guest,
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Guest(name="Ada", age=36, meal="soup")


def test_a_turn_that_calls_tools_has_no_words_beside_them(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="m",
        messages=[{"role": "user", "content": "Look up the guest Ada"}],
        tools=[pydantic_function_tool(Lookup)],
        response_format=Guest,
    )
    message = answer.choices[0].message
    assert (message.content, len(message.tool_calls or [])) == (None, 1)


def test_any_json_is_an_object(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "Answer in JSON: why do cats purr"}],
        response_format={"type": "json_object"},
    )
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


def test_a_schema_that_cannot_be_answered_is_refused_as_the_simulators_limit(client: openai.OpenAI) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"x": {"pattern": "^q{9}$"}},
        "required": ["x"],
    }
    with pytest.raises(
        openai.BadRequestError,
        match="The simulated models cannot write a value for the schema keyword 'pattern'",
    ):
        client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "hi"}],
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        )


def ask(response_format: JsonValue, text: str = "hi") -> None:
    messages: JsonValue = [{"role": "user", "content": text}]
    parse_openai_request(json.dumps({"model": "m", "messages": messages, "response_format": response_format}).encode())


def strict(schema: JsonValue) -> JsonValue:
    return {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}}


OPEN: JsonValue = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED: JsonValue = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "additionalProperties": False,
}
PARTIAL: JsonValue = {
    "type": "object",
    "properties": {"b": {"type": "array", "items": CLOSED}},
    "required": ["b"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("response_format", "message", "param"),
    [
        (
            {"type": "json_object"},
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "messages",
        ),
        (
            {"type": "json_schema"},
            "Missing required parameter: 'response_format.json_schema'.",
            "response_format.json_schema",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "n"}},
            "Missing required parameter: 'response_format.json_schema.schema'.",
            "response_format.json_schema.schema",
        ),
        ({"type": "yaml"}, "Invalid value: 'yaml'.", "response_format.type"),
        (
            strict(OPEN),
            (
                "Invalid schema for response_format 'n': In context=(), 'additionalProperties' is required to be supplied "
                "and to be false."
            ),
            "response_format",
        ),
        (
            strict(PARTIAL),
            (
                "Invalid schema for response_format 'n': In context=('properties', 'b', 'items'), 'required' is required "
                "to be supplied and to be an array including every key in properties. Missing 'a'."
            ),
            "response_format",
        ),
        (
            strict({"type": "array"}),
            (
                "Invalid schema for response_format 'n': schema must be a JSON Schema of 'type: \"object\"', got 'type: "
                '"array"\'.'
            ),
            "response_format",
        ),
    ],
)
def test_a_bad_format_is_refused_in_the_providers_words(response_format: JsonValue, message: str, param: str) -> None:
    with pytest.raises(Refusal) as caught:
        ask(response_format)
    assert caught.value.message.startswith(message)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_a_schema_that_is_not_strict_may_be_open() -> None:
    ask({"type": "json_schema", "json_schema": {"name": "n", "schema": OPEN}})
