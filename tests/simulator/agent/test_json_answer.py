"""The simulated agent's JSON answers, judged by jsonschema, which the simulator does not use."""

import json
import re
from enum import Enum
from typing import Annotated, Literal, Optional

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue

from plano_agents.simulator.agent.json_answer import write_json
from plano_agents.simulator.agent.values import REFUSED, UnwritableError
from plano_agents.simulator.conversation import AnswerFormat

KEYS = st.sampled_from(["name", "kind", "summary", "count", "next"])
TEXTS = st.text(alphabet='ab é"\\', max_size=4)


def write(schema: dict[str, JsonValue], words: str = "") -> JsonValue:
    value: JsonValue = json.loads(write_json(AnswerFormat(schema), words, "the answer"))
    return value


def member(schema: JsonValue, words: str) -> JsonValue:
    """Write an object with one member, and give the member."""
    value = write({"type": "object", "properties": {"it": schema}, "required": ["it"]}, words)
    assert isinstance(value, dict)
    return value["it"]


def build_range(kind: str, low: int, width: int) -> dict[str, JsonValue]:
    return {"type": kind, "minimum": low, "maximum": low + width}


def build_object(members: dict[str, JsonValue], required: set[str], extra: bool) -> dict[str, JsonValue]:  # noqa: FBT001 - drawn by hypothesis
    return {
        "type": "object",
        "properties": members,
        "required": [*sorted(required & members.keys())],
        "additionalProperties": extra,
    }


small = st.integers(0, 4)
numbers = st.integers(-50, 50)
leaves: st.SearchStrategy[JsonValue] = st.one_of(
    st.builds(build_range, st.sampled_from(["integer", "number"]), numbers, small),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + 1}, numbers),
    st.builds(lambda low: {"type": "integer", "exclusiveMinimum": low}, numbers),
    st.builds(lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more}, small, small),
    st.sampled_from(["boolean", "null", "string", "integer"]).map(lambda kind: {"type": kind}),
    st.sampled_from(["date", "date-time", "email", "uuid", "ipv4"]).map(lambda f: {"type": "string", "format": f}),
    st.lists(TEXTS | numbers | st.booleans() | st.none(), min_size=1, max_size=4).map(lambda v: {"enum": v}),
    (TEXTS | numbers).map(lambda value: {"const": value}),
    st.just({"$ref": "#/$defs/Node"}),
)
schemas: st.SearchStrategy[JsonValue] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(build_object, st.dictionaries(KEYS, inner, max_size=4), st.sets(KEYS), st.booleans()),
        st.builds(
            lambda items, low, more: {
                "type": "array",
                "items": items,
                "minItems": low,
                "maxItems": low + more,
            },
            inner,
            small,
            small,
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
    ),
    max_leaves=8,
)
NODE: JsonValue = {
    "type": "object",
    "properties": {
        "value": {"type": "integer"},
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
    },
    "required": ["value", "next", "children"],
    "additionalProperties": False,
}


@given(st.dictionaries(KEYS, schemas, max_size=4), st.sampled_from(["", "Ada is 36", "ab -7.5 “é” 2024-02-30"]))
def test_an_answer_is_valid_for_whatever_schema_is_asked_for(members: dict[str, JsonValue], words: str) -> None:
    schema = build_object(members, set(members), extra=False) | {"$defs": {"Node": NODE}}
    jsonschema.validate(write(schema, words), schema, format_checker=jsonschema.FormatChecker())


class Level(Enum):
    LOW = "low"
    HIGH = "high"


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: Annotated[float, Field(gt=0)]


class Square(BaseModel):
    kind: Literal["square"]
    side: Annotated[int, Field(ge=2, le=9)]


class Report(BaseModel):
    title: Annotated[str, Field(min_length=3, max_length=20)]
    level: Level
    shape: Annotated[Circle | Square, Field(discriminator="kind")]
    tags: Annotated[set[str], Field(min_length=1, max_length=3)]
    scores: dict[str, int]
    parent: Optional["Report"]
    parts: list["Report"]


def test_a_pydantic_models_schema_is_answered_with_such_a_model() -> None:
    text = write_json(AnswerFormat(Report.model_json_schema()), "A high circle of 5 for “Atlas”", "")
    report = Report.model_validate_json(text)
    assert (report.level, report.shape, report.parent) == (Level.HIGH, Circle(kind="circle", radius=5), None)
    assert report.title == "Atlas"


def test_the_same_words_give_the_same_answer() -> None:
    wanted = AnswerFormat(Report.model_json_schema())
    assert write_json(wanted, "low", "") == write_json(wanted, "low", "")


@pytest.mark.parametrize(
    ("schema", "words", "value"),
    [
        ({"type": "string", "enum": ["red", "green"]}, "paint it green", "green"),
        ({"type": "integer"}, "for 25 people", 25),
        ({"type": "integer", "maximum": 10}, "for 25 people", 10),
        ({"type": "number"}, "it is 36.6 degrees", 36.6),
        ({"type": "string", "format": "email"}, "mail somebody", "user@example.com"),
        ({"type": "array", "items": {"enum": ["a1", "b2", "c3"]}}, "c3 and a1", ["c3", "a1"]),
        ({"type": ["null", "integer"]}, "5", 5),
        ({"allOf": [{"type": "integer", "minimum": 3}]}, "1", 3),
    ],
)
def test_values_are_taken_from_the_words(schema: JsonValue, words: str, value: JsonValue) -> None:
    assert member(schema, words) == value


def test_an_optional_member_is_left_out_unless_the_words_name_it() -> None:
    schema: dict[str, JsonValue] = {"type": "object", "properties": {"unit": {"enum": ["celsius", "kelvin"]}}}
    assert [write(schema, words) for words in ("hot", "kelvin")] == [{}, {"unit": "kelvin"}]


def test_any_object_holds_the_answer_in_words() -> None:
    assert json.loads(write_json(AnswerFormat(), "words", "the answer")) == {"answer": "the answer"}


def test_any_object_has_the_keys_that_the_words_ask_for() -> None:
    words = "Say 'hello'. Return JSON with 'setup' and `punchline` keys."
    assert json.loads(write_json(AnswerFormat(), words, "ha")) == {"setup": "ha", "punchline": "ha"}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$ref": "#/$defs/Nowhere"}, "does not define"),
        ({"$ref": "#"}, "holds itself without end"),
        (False, "allows none"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "within the bounds"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "within the lengths"),
        ({"type": "array", "uniqueItems": True, "minItems": 3}, "'uniqueItems' with a 'minItems' above 1"),
        ({"allOf": [{"minimum": 3}, {"minimum": 7}]}, "'allOf' with several branches"),
        ({"minimum": 3, "anyOf": [{"minimum": 7}]}, "says 'minimum' twice"),
        ({"enum": []}, "allows none"),
        ({"type": "array", "minItems": 10**9}, "1000 is the most"),
    ],
)
def test_what_cannot_be_written_is_refused_as_the_simulators_limit(schema: JsonValue, why: str) -> None:
    with pytest.raises(UnwritableError, match=r"^The simulated models cannot write") as caught:
        member(schema, "words")
    assert why in str(caught.value)


@pytest.mark.parametrize("keyword", sorted(REFUSED))
def test_a_keyword_that_no_answer_is_written_for_is_refused_by_its_name(keyword: str) -> None:
    with pytest.raises(UnwritableError, match=f"the schema keyword '{re.escape(keyword)}'; leave it out"):
        member({"type": "object", keyword: {}}, "words")
