"""The price of a configured model, where no source of metrics says it."""

import pytest

from plano_agents.config.model import ModelProfile
from plano_agents.router.watch.prices import KnownPrices
from tests.router.conftest import build_config


def test_a_models_prices_are_those_of_the_table() -> None:
    prices = KnownPrices(build_config("openai/gpt-4o"))["openai/gpt-4o"]
    assert (prices.input_usd_per_million, prices.cached_usd_per_million, prices.output_usd_per_million) == (
        2.5,
        1.25,
        10.0,
    )


def test_a_wildcards_model_has_prices_too() -> None:
    prices = KnownPrices(build_config("openai/*"))
    assert prices
    assert prices.get("openai/gpt-4o") is not None


def test_the_configuration_stands_above_the_table() -> None:
    profiles = {"openai/gpt-4o": ModelProfile(input_price=1.0)}
    prices = KnownPrices(build_config("openai/gpt-4o", profiles=profiles))["openai/gpt-4o"]
    assert (prices.input_usd_per_million, prices.output_usd_per_million) == (1.0, 10.0)


@pytest.mark.parametrize(("name", "base_url"), [("openai/gpt-4o", "http://me"), ("openai/nobody-knows", None)])
def test_what_is_not_known_has_no_price(name: str, base_url: str | None) -> None:
    prices = KnownPrices(build_config(name, base_url=base_url))
    assert prices.get(name) is None
    assert not prices
