import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol.envelopes import strip_envelopes


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("hello", "hello"),
        ("<system-reminder>be kind</system-reminder>hello", "hello"),
        ("a<system-reminder>x</system-reminder>b<system-reminder>\ny\n</system-reminder>c", "abc"),
        ("a<system-reminder>never closed", "a<system-reminder>never closed"),
        ("<system-reminder>never closed", ""),
        ("\n <system-reminder>x</system-reminder>\n<system-reminder>never closed", "\n \n"),
        ("<user-prompt-submit-hook>Success</user-prompt-submit-hook>", ""),
        ("</system-reminder>a", "</system-reminder>a"),
        ("<system-reminder><system-reminder>x</system-reminder>y</system-reminder>a", "a"),
        ("<other>x</other>", "<other>x</other>"),
    ],
)
def test_what_a_harness_wraps_is_none_of_the_users_words(text: str, own: str) -> None:
    assert strip_envelopes(text) == own


@given(st.text())
def test_text_without_envelopes_is_as_it_was(text: str) -> None:
    assert strip_envelopes(text) == text
