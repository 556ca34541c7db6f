"""The models' table is refreshed from a catalog of models.dev's shape."""

from datetime import date

import pytest

from plano_agents.providers.list_prices import ListPrice, parse_lists
from plano_agents.providers.profiles import TABLE, parse_rows
from scripts.update_models import PRICES_TABLE, refresh, refresh_prices
from scripts.update_models import TABLE as PATH

ROW = """\
# A comment.

[[models]]
ids = ["gpt-9", "gpt-9.1"]
context_window = 100_000
images = true
efforts = ["low"]
source = "a page"
read = 2026-01-01
"""
TODAY = date(2026, 11, 28)
GPT = {"limit": {"context": 200_000, "output": 50_000}, "cost": {"input": 2, "cache_read": 0.5, "output": 8}}


def test_windows_and_limits_are_the_catalogs() -> None:
    (row,) = parse_rows(refresh(ROW, {"openai": {"models": {"gpt-9": GPT}}}, TODAY))
    profile = row.profile
    assert (profile.context_window, profile.max_output_tokens) == (200_000, 50_000)
    assert (row.source, row.read) == ("models.dev; a page", TODAY)


def test_what_the_catalog_does_not_say_stays() -> None:
    (row,) = parse_rows(refresh(ROW, {"openai": {"models": {"gpt-9": GPT}}}, TODAY))
    assert (row.profile.images, row.profile.efforts) == (True, ("low",))


def test_the_largest_figure_of_a_rows_models_stands() -> None:
    small = {"limit": {"context": 150_000, "output": 60_000}}
    catalog = {"openai": {"models": {"gpt-9": GPT, "gpt-9.1": small}}}
    (row,) = parse_rows(refresh(ROW, catalog, TODAY))
    assert (row.profile.context_window, row.profile.max_output_tokens) == (200_000, 60_000)


@pytest.mark.parametrize(
    "catalog",
    [
        {},
        {"reseller": {"models": {"gpt-9": GPT}}},
        {"openai": {"models": {"gpt-9-mini": GPT}}},
        {"openai": {"models": {"gpt-9": {"limit": {"context": 100_000}, "cost": {"input": 1}}}}},
    ],
)
def test_a_row_of_which_the_catalog_says_nothing_new_is_untouched(catalog: dict[str, object]) -> None:
    assert refresh(ROW, catalog, TODAY) == ROW


def test_the_table_that_ships_can_be_refreshed() -> None:
    assert PATH.name == TABLE
    catalog = {"openai": {"models": {"gpt-4o": {"limit": {"context": 1}}}}}
    rows = parse_rows(refresh(PATH.read_text(), catalog, TODAY))
    assert next(row for row in rows if "gpt-4o" in row.ids).profile.context_window == 1


PRICES = """\
[[lists]]
source = "a page"
read = 2026-01-01

[lists.prices]
"gpt-9" = { input = 1.0, output = 2.0 }
"gpt-9-mini" = { input = 0.1, output = 0.2 }
"""


def test_prices_that_the_catalog_says_otherwise_get_its_name_and_date() -> None:
    before, news = parse_lists(refresh_prices(PRICES, {"openai": {"models": {"gpt-9": GPT}}}, TODAY))
    assert before.prices == {"gpt-9-mini": ListPrice(0.1, 0.2)}
    assert (news.source, news.read, news.prices) == ("models.dev", TODAY, {"gpt-9": ListPrice(2.0, 8.0, 0.5)})


@pytest.mark.parametrize(
    "catalog",
    [
        {},
        {"reseller": {"models": {"gpt-9": GPT}}},
        {"openai": {"models": {"gpt-9": {"cost": {"input": 1, "output": 2}}}}},
        {"openai": {"models": {"gpt-9": {"cost": {"input": 7}}}}},
    ],
)
def test_prices_of_which_the_catalog_says_nothing_new_are_untouched(catalog: dict[str, object]) -> None:
    assert refresh_prices(PRICES, catalog, TODAY) == PRICES


def test_the_prices_that_ship_can_be_refreshed() -> None:
    changed = refresh_prices(PRICES_TABLE.read_text(), {"openai": {"models": {"gpt-4o": GPT}}}, TODAY)
    assert parse_lists(changed)[-1].prices == {"gpt-4o": ListPrice(2.0, 8.0, 0.5)}
