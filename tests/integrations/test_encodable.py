"""A model's words, made fit for UTF-8."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.integrations.encodable import clean_object, clean_text, clean_value

ANY_TEXT = st.text(st.characters(codec=None))


def test_two_halves_become_their_character() -> None:
    assert clean_text("a\ud83d\ude00") == "a\U0001f600"


def test_a_half_alone_becomes_the_replacement_character() -> None:
    assert clean_text("a\ud83d b") == "a\ufffd b"


@given(st.text())
def test_a_text_that_utf_8_can_say_is_kept(text: str) -> None:
    assert clean_text(text) == text


@given(ANY_TEXT)
def test_whatever_is_cleaned_can_be_encoded(text: str) -> None:
    clean_text(text).encode()


@given(
    st.dictionaries(
        ANY_TEXT,
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
            max_leaves=12,
        ),
        max_size=4,
    )
)
def test_any_arguments_can_be_written_as_json(arguments: dict[str, object]) -> None:
    msgspec.json.encode(clean_object(arguments))


def test_what_is_no_json_stays_as_it_is() -> None:
    value = object()
    assert clean_value([value]) == [value]
