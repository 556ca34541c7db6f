from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from plano_agents.simulator.schema import resolve, walk_schema

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["type", "properties", "items", "$ref", "anyOf", "enum", "x"]), inner)
    ),
)


@given(json_values)
def test_any_json_can_be_read_as_a_schema(source: JsonValue) -> None:
    resolve(source, {})


def test_a_reference_is_followed_and_what_stands_beside_it_is_kept() -> None:
    root: dict[str, JsonValue] = {"$defs": {"K": {"type": "string", "enum": ["a", "b"]}}}
    found = resolve({"$ref": "#/$defs/K", "description": "mine"}, root)
    assert found == {"type": "string", "enum": ["a", "b"], "description": "mine"}


def test_of_alternatives_the_first_that_is_not_null_counts() -> None:
    assert resolve({"anyOf": [{"type": "null"}, {"type": "number"}]}, {}) == {"type": "number"}


def test_a_reference_to_itself_ends() -> None:
    resolve({"$ref": "#"}, {"$ref": "#"})


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
