"""The price of a configured model: who says it, and who is believed."""

from collections.abc import Mapping

import pytest

from plano_agents.config.model import Config, ModelProfile
from plano_agents.router.watch.prices import NO_METRICS, Prices
from plano_agents.routing.candidates import ModelMetrics
from tests.router.conftest import build_config


def prices_of(config: Config, metrics: Mapping[str, ModelMetrics] = NO_METRICS) -> Prices:
    return Prices(config, lambda: metrics)


def test_a_models_prices_are_those_of_the_table() -> None:
    prices = prices_of(build_config("openai/gpt-4o"))["openai/gpt-4o"]
    assert (prices.input_usd_per_million, prices.cached_usd_per_million, prices.output_usd_per_million) == (
        2.5,
        1.25,
        10.0,
    )


def test_a_wildcards_model_has_prices_too() -> None:
    prices = prices_of(build_config("openai/*"))
    assert prices
    assert prices.get("openai/gpt-4o") is not None


def test_the_configuration_stands_above_the_table() -> None:
    profiles = {"openai/gpt-4o": ModelProfile(input_price=1.0)}
    prices = prices_of(build_config("openai/gpt-4o", profiles=profiles))["openai/gpt-4o"]
    assert (prices.input_usd_per_million, prices.output_usd_per_million) == (1.0, 10.0)


@pytest.mark.parametrize(("name", "base_url"), [("openai/gpt-4o", "http://me"), ("openai/nobody-knows", None)])
def test_what_is_not_known_has_no_price(name: str, base_url: str | None) -> None:
    prices = prices_of(build_config(name, base_url=base_url))
    assert prices.get(name) is None
    assert not prices


def test_the_operators_prices_hold_at_an_address_of_ones_own_too() -> None:
    profiles = {"vllm/*": ModelProfile(input_price=1.0, output_price=2.0), "vllm/llama": ModelProfile(output_price=3.0)}
    prices = prices_of(build_config("vllm/llama", base_url="http://me", profiles=profiles))
    assert prices["vllm/llama"] == ModelMetrics(1.0, 3.0)
    assert prices


def test_one_price_alone_is_none() -> None:
    profiles = {"vllm/llama": ModelProfile(input_price=1.0)}
    assert prices_of(build_config("vllm/llama", base_url="http://me", profiles=profiles)).get("vllm/llama") is None


@pytest.mark.parametrize("name", ["openai/gpt-4o", "gpt-4o"])
def test_a_source_stands_above_the_table_for_the_models_that_it_names(name: str) -> None:
    prices = prices_of(build_config("openai/gpt-4o", "openai/gpt-4o-mini"), {name: ModelMetrics(7.0, 8.0)})
    assert prices["openai/gpt-4o"] == ModelMetrics(7.0, 8.0)
    assert prices["openai/gpt-4o-mini"].input_usd_per_million == 0.15


def test_a_source_of_latencies_hides_no_price() -> None:
    prices = prices_of(build_config("openai/gpt-4o"), {"openai/gpt-4o": ModelMetrics(latency=2.0)})
    assert prices["openai/gpt-4o"].input_usd_per_million == 2.5


def test_the_configuration_stands_above_a_source() -> None:
    profiles = {"openai/gpt-4o": ModelProfile(cached_price=0.5)}
    config = build_config("openai/gpt-4o", profiles=profiles)
    prices = prices_of(config, {"openai/gpt-4o": ModelMetrics(7.0, 8.0)})
    assert prices["openai/gpt-4o"] == ModelMetrics(7.0, 8.0, cached_usd_per_million=0.5)


def test_what_a_source_says_later_counts_from_then_on() -> None:
    said: list[Mapping[str, ModelMetrics]] = [NO_METRICS]
    prices = Prices(build_config("openai/nobody-knows"), lambda: said[-1])
    assert not prices
    said.append({"nobody-knows": ModelMetrics(7.0, 8.0)})
    assert prices
    assert prices["openai/nobody-knows"] == ModelMetrics(7.0, 8.0)
    said.append({})
    assert prices.get("openai/nobody-knows") is None


def test_a_simulator_has_the_prices_of_what_it_stands_in_for() -> None:
    config = build_config("openai/gpt-4o").offline("http://127.0.0.1:9")
    assert prices_of(config)["openai/gpt-4o"].input_usd_per_million == 2.5
    own = build_config("openai/gpt-4o", base_url="http://me").offline("http://127.0.0.1:9")
    assert prices_of(own).get("openai/gpt-4o") is None
