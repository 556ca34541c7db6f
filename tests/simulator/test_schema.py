from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from plano_agents.simulator.schema import parse_schema, walk_schema

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "$ref", "anyOf", "enum", "x"]), inner
        )
    ),
)


@given(json_values)
def test_any_json_can_be_read_as_a_schema(source: JsonValue) -> None:
    parse_schema(source)


def test_a_reference_is_followed() -> None:
    schema = parse_schema({"$ref": "#/$defs/Kind", "$defs": {"Kind": {"type": "string", "enum": ["a", "b"]}}})
    assert schema.choices == ("a", "b")


def test_what_stands_beside_a_reference_is_kept() -> None:
    schema = parse_schema({"$ref": "#/$defs/K", "description": "mine", "$defs": {"K": {"type": "integer"}}})
    assert (schema.type, schema.description) == ("integer", "mine")


def test_an_optional_value_has_its_own_type() -> None:
    assert parse_schema({"anyOf": [{"type": "null"}, {"type": "number"}]}).type == "number"


def test_a_schema_that_holds_itself_ends() -> None:
    source: JsonValue = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    schema = parse_schema(source)
    depth = 0
    while schema.properties:
        schema, depth = schema.properties[0].schema, depth + 1
    assert depth == 4


def test_every_schema_inside_a_schema_is_walked_with_its_path() -> None:
    leaf: JsonValue = {"type": "string"}
    source: dict[str, JsonValue] = {
        "properties": {"a": {"items": leaf}},
        "$defs": {"B": {"anyOf": [leaf, {"type": "null"}]}},
    }
    assert [path for path, _ in walk_schema(source)] == [
        (),
        ("properties", "a"),
        ("properties", "a", "items"),
        ("$defs", "B"),
        ("$defs", "B", "anyOf", "0"),
        ("$defs", "B", "anyOf", "1"),
    ]
