from hypothesis import given
from hypothesis import strategies as st

from plano_agents.simulator.tokens import count_tokens, split_tokens


@given(st.text())
def test_the_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(split_tokens(text)) == text


def test_english_has_about_four_characters_a_token() -> None:
    text = "The order and its payment are written in one transaction, so that they never disagree. " * 20
    assert 3.5 < len(text) / count_tokens(text) < 5.5


def test_code_has_about_four_characters_a_token() -> None:
    text = "CREATE TABLE orders (id bigint PRIMARY KEY, total_cents bigint NOT NULL CHECK (total_cents >= 0));\n" * 9
    assert 3 < len(text) / count_tokens(text) < 5.5
