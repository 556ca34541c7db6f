"""The demo's bill."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from plano_agents.demos.bill import build_bill, word_bill
from plano_agents.demos.loop import Turn
from plano_agents.demos.report import Run, show_bill

GPT, CLAUDE = "gpt-4o", "claude-sonnet-4-6"


def turn(number: int, model: str, prompt: int, cached: int) -> Turn:
    return Turn(number, "schema", model, None, None, (), "The answer.", prompt, cached, 40.0, None)


WITHOUT = [turn(1, GPT, 1_237, 0), turn(2, GPT, 2_550, 1_920), turn(3, CLAUDE, 2_877, 0), turn(4, CLAUDE, 3_134, 2_816)]
WITH = [turn(1, GPT, 1_237, 0), turn(2, GPT, 2_550, 1_920), turn(3, GPT, 2_901, 2_432), turn(4, GPT, 3_162, 2_816)]


def test_a_prompt_costs_its_fresh_and_its_cached_tokens_at_the_models_list_prices() -> None:
    """gpt-4o takes $2.50 a million tokens and $1.25 where they are cached, Claude Sonnet 4.6 $3 and $0.30."""
    bill = build_bill(WITHOUT)
    assert bill.usd == pytest.approx(
        (1_237 * 2.5 + 630 * 2.5 + 1_920 * 1.25) / 1e6 + (2_877 * 3 + 318 * 3 + 2_816 * 0.3) / 1e6
    )
    assert (bill.prompt_tokens, bill.cached_tokens, bill.unpriced) == (9_798, 4_736, ())


def test_two_runs_are_compared_by_tokens_prices_and_time() -> None:
    fast = [replace(each, routing_ms=0.3) for each in WITH]
    assert word_bill(build_bill(WITHOUT), build_bill(fast), simulated=True) == (
        "The bill, of simulated models: 4,736 of 9,798 prompt tokens from the cache; with affinity 7,168 of 9,850. List price of "
        "the prompts: $0.0175; with affinity $0.0157. Routing a turn: 40.0 ms; with affinity 0.3 ms."
    )


def test_real_models_are_not_called_simulated() -> None:
    assert word_bill(build_bill(WITHOUT), build_bill(WITH), simulated=False).startswith("The bill: 4,736 of 9,798")


def test_the_time_is_left_out_where_the_router_does_not_say() -> None:
    silent = build_bill([replace(each, routing_ms=None) for each in WITH])
    assert silent.routing_ms is None
    assert "Routing" not in word_bill(silent, silent, simulated=False)


def test_a_price_that_is_not_known_is_told_and_no_figure_is_made_up() -> None:
    own = build_bill([replace(each, model="our-own") for each in WITH])
    assert (own.usd, own.unpriced) == (None, ("our-own",))
    told = word_bill(build_bill(WITHOUT), own, simulated=False)
    assert "The list price of our-own is not known." in told
    assert "$" not in told


def test_a_run_without_turns_costs_nothing() -> None:
    assert build_bill([]).usd == 0


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_bill_breaks_no_word(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    show_bill(console, Run(None, WITHOUT), Run("id", WITH), simulated=True)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    told = word_bill(build_bill(WITHOUT), build_bill(WITH), simulated=True)
    assert " ".join(lines).split() == told.split()
