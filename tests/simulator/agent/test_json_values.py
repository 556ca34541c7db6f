import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from plano_agents.simulator.agent.json_values import UnwritableError, order_choices, write_number, write_text

small = st.integers(0, 20)


@given(st.integers(-30, 30), small, st.integers(1, 6), st.booleans())
def test_numbers_differ_until_the_range_is_used_up(low: int, width: int, step: int, whole: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    source: dict[str, JsonValue] = {"minimum": low, "maximum": low + width, "multipleOf": step}
    allowed = {number for number in range(low, low + width + 1) if number % step == 0}
    written = {write_number(source, "7", nth, whole=whole) for nth in range(len(allowed))}
    assert written == allowed
    with pytest.raises(UnwritableError):
        write_number(source, "7", len(allowed), whole=whole)


@given(st.text(max_size=9), small, small, small)
def test_a_text_keeps_to_its_lengths(words: str, least: int, more: int, nth: int) -> None:
    source: dict[str, JsonValue] = {"minLength": least, "maxLength": least + more + 3}
    assert least <= len(write_text(source, "name", words, nth)) <= least + more + 3


def test_a_choice_that_the_words_name_comes_first() -> None:
    assert [order_choices(["a1", "b2", 3], None, "the b2", nth) for nth in range(3)] == ["b2", "a1", 3]


def test_a_choice_of_another_type_is_none() -> None:
    assert order_choices([True, "x", 5], "integer", "", 0) == 5
