"""The number of a text's JSON values, counted without decoding it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import BodyTooLargeError
from plano_agents.protocol import openai_chat
from plano_agents.protocol.request_body import RequestBody
from plano_agents.protocol.values import MAX_VALUES, has_more_values

TEXTS = st.text(alphabet='",{[\\\\]}: x\n', max_size=12)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(TEXTS, inner, min_size=1, max_size=4),
    max_leaves=20,
)


def count(value: object) -> int:
    """Count a value and those within it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, inner))


@given(VALUES, st.sampled_from([None, 1]), st.integers(0, 30))
def test_values_are_counted_whatever_stands_in_texts(value: object, indent: int | None, most: int) -> None:
    """The outermost value follows nothing and is not counted; a text too short for so many is not looked at."""
    text = json.dumps(value, indent=indent).encode()
    assert has_more_values(text, most) == (count(value) - 1 > most and len(text) > 2 * most)


CRAFTED = {
    "numbers": b"1,",
    "texts": b'"",',
    "messages": b'{"role":"user","content":""},',
    "arrays": b"[[[]]],",
    "objects": b'{"":1},',
    "escaped quotes": b'"\\"",',
}


@pytest.mark.parametrize("piece", CRAFTED.values(), ids=CRAFTED)
def test_a_request_of_too_many_values_is_refused_before_it_is_decoded(piece: bytes) -> None:
    body = b'{"messages":[' + piece * (MAX_VALUES + 2) + b"1]}"
    with pytest.raises(BodyTooLargeError, match="over 100,000 JSON values"):
        RequestBody(body, openai_chat.parse_head)


def test_a_request_of_too_many_fields_is_refused_before_it_is_decoded() -> None:
    body = b"{" + b",".join(b'"%d":1' % number for number in range(MAX_VALUES + 2)) + b"}"
    with pytest.raises(BodyTooLargeError):
        RequestBody(body, openai_chat.parse_head)


def test_a_long_text_of_commas_and_braces_is_one_value() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": ', {[\\"' * MAX_VALUES}]}).encode()
    assert RequestBody(body, openai_chat.parse_head).model is None
