"""The demo's bill."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from plano_agents.demos.bill import build_bill, word_bill
from plano_agents.demos.loop import Turn
from plano_agents.demos.report import Run, show_summary

GPT, CLAUDE = "gpt-4o", "claude-sonnet-4-6"


def turn(number: int, model: str, prompt: int, cached: int) -> Turn:
    return Turn(number, model, None, None, (), "The answer.", prompt, cached, None, None)


WITHOUT = [turn(1, GPT, 1_237, 0), turn(2, GPT, 2_550, 1_920), turn(3, CLAUDE, 2_877, 0), turn(4, CLAUDE, 3_134, 2_816)]
WITH = [turn(1, GPT, 1_237, 0), turn(2, GPT, 2_550, 1_920), turn(3, GPT, 2_901, 2_432), turn(4, GPT, 3_162, 2_816)]


def test_it_shows_the_switched_turn_in_which_affinity_read_most_from_the_cache() -> None:
    """gpt-4o takes $2.50 a million tokens and $1.25 where they are cached, Claude Sonnet 4.6 $3 and $0.30."""
    bill = build_bill(WITHOUT, WITH)
    assert bill is not None
    assert bill.turn == 3
    assert bill.without.usd == pytest.approx(2_877 * 3 / 1e6)
    assert bill.with_affinity.usd == pytest.approx((469 * 2.5 + 2_432 * 1.25) / 1e6)
    first_two = (1_237 * 2.5 + 630 * 2.5 + 1_920 * 1.25) / 1e6
    assert bill.without_usd == pytest.approx(first_two + (2_877 * 3 + 318 * 3 + 2_816 * 0.3) / 1e6)
    assert bill.with_affinity_usd == pytest.approx(
        first_two + (469 * 2.5 + 2_432 * 1.25 + 346 * 2.5 + 2_816 * 1.25) / 1e6
    )
    assert word_bill(bill, simulated=True) == (
        "The bill, of simulated models: turn 3 read 0 of 2,877 prompt tokens from the cache; with affinity 2,432 of "
        "2,901; at list price $0.0086 (claude-sonnet-4-6) against $0.0042 (gpt-4o). All prompts of the run: $0.0175 against $0.0157."
    )
    assert word_bill(bill, simulated=False).startswith("The bill: turn 3")


def test_a_turn_at_which_the_model_changed_is_shown_before_one_that_gained_more() -> None:
    cold = [*WITHOUT[:3], replace(WITHOUT[3], cached_tokens=0)]
    bill = build_bill(cold, WITH)
    assert bill is not None
    assert (bill.turn, bill.with_affinity.cached_tokens) == (3, 2_432)


def test_without_a_gain_it_says_so() -> None:
    assert build_bill(WITH, WITH) is None
    assert build_bill([], []) is None
    assert "no turn read more of its prompt from the cache" in word_bill(None, simulated=True)


def test_a_price_that_is_not_known_is_told_and_no_figure_is_made_up() -> None:
    own = [replace(each, model="our-own") for each in WITH]
    bill = build_bill(WITHOUT, own)
    assert bill is not None
    assert bill.with_affinity_usd is None
    told = word_bill(bill, simulated=False)
    assert told.endswith("with affinity 2,432 of 2,901. The list price of our-own is not known.")
    assert "$" not in told


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_demo_ends_with_it_in_80_columns(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width)
    show_summary(console, Run(None, WITHOUT), Run("id", WITH), simulated=True)
    shown = out.getvalue()
    bill = shown[shown.index("The bill") :]
    assert "turn 3 read 0 of 2,877 prompt tokens" in " ".join(bill.split())
    assert max(map(len, bill.splitlines())) < min(width, 80)
