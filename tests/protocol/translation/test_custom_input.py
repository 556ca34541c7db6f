import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol.translation.custom_input import CustomInput

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text('\\"/\n\u00e9\U0001f600u')


def read(pieces: list[str]) -> str:
    reader = CustomInput()
    return "".join(reader.feed(piece) for piece in pieces)


@given(TEXTS, st.booleans(), st.booleans())
def test_an_input_is_read_from_arguments_cut_anywhere(text: str, ascii_only: bool, is_last: bool) -> None:  # noqa: FBT001 - cases
    fields = {"input": text} if is_last else {"input": text, "why": '"x'}
    arguments = json.dumps(fields, ensure_ascii=ascii_only)
    assert read(list(arguments)) == text
    assert read([arguments]) == text
    assert all(read([arguments[:place], arguments[place:]]) == text for place in range(len(arguments)))


def test_an_input_is_given_as_it_grows() -> None:
    reader = CustomInput()
    assert [reader.feed(piece) for piece in ('{"inp', 'ut": "ab\\', "nc", '"}')] == ["", "ab", "\nc", ""]


@pytest.mark.parametrize(
    "arguments", ['{"patch": "ab"}', '{"input": 1}', "[]", '{"why": "%s", "input": "x"}' % ("y" * 70)]
)
def test_arguments_of_another_form_give_nothing(arguments: str) -> None:
    assert read(list(arguments)) == ""
