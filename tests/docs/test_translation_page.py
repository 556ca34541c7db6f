"""The page about translation shows what the code holds."""

from plano_agents.protocol import openai_completion
from scripts.site.translation import ENDS, PAGE, render_page


def test_the_page_shows_the_tables_of_the_code() -> None:
    assert render_page(PAGE.read_text()) == PAGE.read_text(), "Run scripts/docs, which writes the tables."


def test_every_word_that_is_read_is_shown() -> None:
    assert set(openai_completion.NATIVE_FINISH_REASONS) | openai_completion.FINISH_REASONS >= set(ENDS)
    assert set(openai_completion.NATIVE_FINISH_REASONS) - {"max_output_tokens"} <= set(ENDS)
