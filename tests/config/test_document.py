"""YAML to plain data with lines."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.document import MAX_CHARACTERS, MAX_INTEGER, parse_document
from plano_agents.errors import ConfigError


def fail(text: str) -> str:
    problems = find_problems(text)
    assert problems
    return "\n".join(problems)


def find_problems(text: str) -> tuple[str, ...]:
    try:
        return parse_document(text, "c.yaml").findings.problems
    except ConfigError as error:
        return error.problems


def test_each_key_and_item_knows_its_line() -> None:
    document = parse_document("a:\n  - b: 1\n    c: 2\n\n  - d: 3\n", "c.yaml")
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("a", 0): 2,
        ("a", 0, "b"): 2,
        ("a", 0, "c"): 3,
        ("a", 1): 5,
        ("a", 1, "d"): 5,
    }


def test_a_file_of_comments_is_an_empty_mapping() -> None:
    assert parse_document("# nothing yet\n", "c.yaml").data == {}


def test_a_key_given_twice_names_both_lines() -> None:
    assert fail("a: 1\nb: 2\na: 3\n") == "c.yaml:3: the key 'a' is also on line 1. Keep one."


def test_all_structural_problems_are_told_together() -> None:
    assert [line.split(" ")[0] for line in fail("a: 1\na: 2\nb:\n3: x\n").splitlines()] == [
        "c.yaml:2:",
        "c.yaml:3:",
        "c.yaml:4:",
    ]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "12"])
def test_a_root_that_is_no_mapping_is_refused(text: str) -> None:
    assert fail(text).startswith("c.yaml:1: the file is not a mapping.")


def test_a_key_without_a_value_is_refused() -> None:
    assert fail("a:\n  b:\n") == "c.yaml:2: a.b has no value. Give it one, or remove the line."


def test_a_syntax_error_is_one_line_with_its_line() -> None:
    message = fail("a: 1\nb: [1, 2\nc: 3\n")
    assert message.startswith("c.yaml:3: this is not valid YAML: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    ["access_key: *SECRET\n", "access_key: !SECRET!x y\n", "access_key: !SECRET x\n", "k: 'SECRET\n"],
    ids=["alias", "handle", "tag", "quote"],
)
def test_a_syntax_error_quotes_nothing_of_the_file(text: str) -> None:
    assert "SECRET" not in fail(text)


def test_anchors_aliases_and_merge_keys_work() -> None:
    document = parse_document("base: &base {x: 1, y: 2}\nmore:\n  <<: *base\n  y: 3\nsame: *base\n", "c.yaml")
    assert document.data == {"base": {"x": 1, "y": 2}, "more": {"x": 1, "y": 3}, "same": {"x": 1, "y": 2}}


def test_an_anchor_within_itself_is_refused() -> None:
    assert "an anchor contains itself" in fail("a: &a\n  b: *a\n")


@pytest.mark.parametrize("shape", ["[{}]", "{{<<: [{}]}}"], ids=["lists", "merges"])
def test_aliases_of_aliases_do_not_fill_the_memory(shape: str) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} " + shape.format(", ".join([f"*a{n - 1}"] * 10)) for n in range(1, 12)]
    assert "more than 50,000 values" in fail("\n".join(lines))


@pytest.mark.parametrize("keys", [1, 100])
def test_a_mapping_merged_over_and_over_does_not_take_the_time(keys: int) -> None:
    base = ", ".join(f"k{number}: 1" for number in range(keys))
    text = f"a: &a {{{base}}}\nb: {{<<: [{', '.join(['*a'] * 30_000)}]}}"
    assert "more than 50,000 values" in fail(text)


def test_of_merged_mappings_the_first_one_counts() -> None:
    text = "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n"
    assert parse_document(text, "c.yaml").data["c"] == {"x": 1, "y": 2}


@pytest.mark.parametrize("number", ["9223372036854775808", "-9223372036854775808", "0x" + "f" * 5_000])
def test_a_number_beyond_64_bits_is_refused(number: str) -> None:
    assert fail(f"a: {number}") == "c.yaml:1: a is beyond 64 bits. Write a smaller number."


def test_deep_nesting_is_refused() -> None:
    assert "nested too deeply" in fail("a: " + "[" * 10_000)


def test_a_huge_file_is_refused_unread() -> None:
    assert "1,048,576 are read at most" in fail("#" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize(
    "text",
    [
        "a: \x01",
        'a: "\\UFFFFFFFF"',
        'a: "\\uD800"',
        "a: !!int x",
        'a: !!int ""',
        "a: !!bool x",
        "a: !!set {b}",
    ],
)
def test_what_trips_the_yaml_library_is_still_one_clear_line(text: str) -> None:
    assert fail(text).startswith("c.yaml:1: ")


@given(st.text())
def test_any_text_parses_or_is_refused(text: str) -> None:
    assert all(problem.startswith("c.yaml:") for problem in find_problems(text))


@given(st.text(alphabet="ab: -[]{}&*!<>|'\"\\#\n\t?,%@0x.~", max_size=60))
def test_any_yaml_like_text_parses_or_is_refused(text: str) -> None:
    assert all(len(problem.splitlines()) == 1 for problem in find_problems(text))


values = st.recursive(
    st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=20), values, max_size=4))
def test_what_yaml_dumps_is_read_back(data: dict[str, object]) -> None:
    assert parse_document(yaml.safe_dump(data), "c.yaml").data == data
