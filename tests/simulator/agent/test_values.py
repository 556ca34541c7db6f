import pytest
from pydantic import JsonValue

from plano_agents.simulator.agent.values import UnwritableError, fill_arguments


@pytest.mark.parametrize(
    ("name", "schema", "text", "value"),
    [
        ("unit", {"type": "string", "enum": ["celsius", "kelvin"]}, "in Kelvin please", "kelvin"),
        ("unit", {"type": "string", "enum": ["celsius", "kelvin"]}, "how warm is it", "celsius"),
        ("workload", {"type": "string", "enum": ["read_heavy", "mixed"]}, "for read heavy use", "read_heavy"),
        ("days", {"type": "integer"}, "for the next 5 days", 5),
        ("days", {"type": "integer", "minimum": 3}, "for some days", 3),
        ("limit", {"type": "integer", "default": 10}, "show it", 10),
        ("city", {"type": "string"}, "What is the weather in Paris?", "Paris"),
        ("city", {"type": "string"}, "Is it raining in New York today?", "New York"),
        ("title", {"type": "string"}, 'Find the book "The Trial" for me', "The Trial"),
        ("url", {"type": "string"}, "Fetch https://example.com/a.", "https://example.com/a"),
        ("query", {"type": "string"}, "Find papers on Raft", "Find papers on Raft"),
        ("verbose", {"type": "boolean"}, "show it", True),
        ("cities", {"type": "array", "items": {"type": "string"}}, "It rains in Oslo", ["Oslo"]),
        ("kinds", {"type": "array", "items": {"enum": ["a1", "b2", "c3"]}}, "c3 and a1", ["c3", "a1"]),
    ],
)
def test_a_required_value_is_taken_from_the_text_or_the_schema(
    name: str, schema: JsonValue, text: str, value: JsonValue
) -> None:
    tool: dict[str, JsonValue] = {"type": "object", "properties": {name: schema}, "required": [name]}
    assert fill_arguments(tool, text) == {name: value}


def test_an_optional_value_is_left_out_unless_the_text_names_it() -> None:
    tool: dict[str, JsonValue] = {"type": "object", "properties": {"unit": {"enum": ["celsius", "kelvin"]}}}
    assert [fill_arguments(tool, text) for text in ("hot?", "kelvin?")] == [{}, {"unit": "kelvin"}]


def test_an_object_is_filled_member_by_member() -> None:
    place: JsonValue = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool: dict[str, JsonValue] = {"type": "object", "properties": {"place": place}, "required": ["place"]}
    assert fill_arguments(tool, "Weather in Rome") == {"place": {"city": "Rome"}}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Multiply 6 by 7", [6, 7]),
        ("Add 12 and 30, then tell me", [12, 30]),
        ("Double 8", [8, 8]),
    ],
)
def test_each_number_of_the_text_is_one_parameters(text: str, values: list[int]) -> None:
    numbers: JsonValue = {"first": {"type": "integer"}, "second": {"type": "integer"}}
    tool: dict[str, JsonValue] = {"type": "object", "properties": numbers, "required": ["first", "second"]}
    assert list(fill_arguments(tool, text).values()) == values


def test_a_number_with_a_default_takes_none_from_the_text() -> None:
    members: JsonValue = {"digits": {"type": "integer", "default": 2}, "number": {"type": "integer"}}
    tool: dict[str, JsonValue] = {"type": "object", "properties": members, "required": ["digits", "number"]}
    assert fill_arguments(tool, "Round 6 and 7") == {"digits": 2, "number": 6}


def test_the_texts_words_fill_what_stands_beside_numbers() -> None:
    members: JsonValue = {
        "low": {"type": "integer"},
        "city": {"type": "string"},
        "high": {"type": "number"},
    }
    tool: dict[str, JsonValue] = {
        "type": "object",
        "properties": members,
        "required": ["low", "city", "high"],
    }
    filled = fill_arguments(tool, "Flats in Oslo from 900 to 1200.5 euros")
    assert filled == {"low": 900, "city": "Oslo", "high": 1200.5}


def test_parameters_with_a_keyword_that_is_not_written_are_refused_by_its_name() -> None:
    tool: dict[str, JsonValue] = {
        "properties": {"zip": {"type": "string", "pattern": "^.{5}$"}},
        "required": ["zip"],
    }
    with pytest.raises(UnwritableError, match="the schema keyword 'pattern'"):
        fill_arguments(tool, "Oslo")
