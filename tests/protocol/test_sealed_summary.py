import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol import openai_responses
from plano_agents.protocol.sealed_summary import SEAL, seal_summary, unseal_summary


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_summary_is_read_as_it_was_sealed(text: str) -> None:
    said = unseal_summary(seal_summary(text))
    assert said is not None
    assert said.endswith(f"\n\n{text}")


@pytest.mark.parametrize("content", [None, "", "gAAAA", openai_responses.seal_thinking(()), f"{SEAL}*", f"{SEAL}/w=="])
def test_what_is_no_summary_of_ours_is_not_read(content: str | None) -> None:
    assert unseal_summary(content) is None


def test_a_summary_is_no_thinking_but_found_by_the_same_mark() -> None:
    sealed = seal_summary("x")
    assert openai_responses.unseal_thinking(sealed) is None
    assert sealed.startswith(openai_responses.SEAL)
