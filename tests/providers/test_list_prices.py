from datetime import date
from importlib import resources

import msgspec
import pytest

from plano_agents.providers.list_prices import TABLE, ListPrice, load_prices, parse_lists
from plano_agents.providers.profiles import find_known

LISTS = parse_lists(resources.files("plano_agents.providers").joinpath(TABLE).read_text())


@pytest.mark.parametrize(
    ("model_id", "prices"),
    [
        ("gpt-4o", (2.5, 1.25, None, 10.0)),
        ("gpt-4o-2024-08-06", (2.5, 1.25, None, 10.0)),
        ("gpt-4o-mini", (0.15, 0.075, None, 0.6)),
        ("openai/gpt-4o-mini-2024-07-18", (0.15, 0.075, None, 0.6)),
        ("gpt-5-nano", (0.05, 0.005, None, 0.4)),
        ("claude-sonnet-4-6-20260217", (3.0, 0.3, 3.75, 15.0)),
        ("gemini-2.5-flash-lite", (0.1, 0.01, None, 0.4)),
        ("gpt-4o2", (None, None, None, None)),
        ("llama-3.3-70b", (None, None, None, None)),
    ],
)
def test_a_model_costs_what_the_longest_id_says(model_id: str, prices: tuple[float | None, ...]) -> None:
    found = find_known(model_id)
    assert (found.input_price, found.cached_price, found.written_price, found.output_price) == prices


def test_a_variant_takes_what_its_family_does_and_costs_what_it_costs() -> None:
    mini, whole = find_known("gpt-4o-mini"), find_known("gpt-4o")
    assert (mini.context_window, mini.tools) == (whole.context_window, whole.tools)
    assert mini.input_price != whole.input_price


@pytest.mark.parametrize("model_id", load_prices())
def test_reading_costs_at_most_what_input_does_and_writing_at_least(model_id: str) -> None:
    price = load_prices()[model_id]
    assert 0 <= (price.cached or 0) <= price.input <= (price.written or price.input)
    assert price.output >= 0


def test_each_list_says_where_and_when_it_was_read_and_no_id_stands_in_two() -> None:
    ids = [model_id for each in LISTS for model_id in each.prices]
    assert len(set(ids)) == len(ids)
    for each in LISTS:
        assert each.source
        assert date(2026, 1, 1) <= each.read


def test_a_table_with_an_unknown_key_is_refused() -> None:
    price = "{ input = 1.0, output = 1.0, tax = 1.0 }"
    text = f'[[lists]]\nsource = "s"\nread = 2026-01-01\n[lists.prices]\n"m" = {price}\n'
    with pytest.raises(msgspec.ValidationError, match="tax"):
        parse_lists(text)
    assert parse_lists(text.replace(", tax = 1.0", ""))[0].prices == {"m": ListPrice(1.0, 1.0)}
