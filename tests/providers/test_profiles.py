"""Models' profiles: the table, and the operator's settings above it."""

from dataclasses import replace
from importlib import resources

import pytest

from plano_agents.config.model import Model, ModelProfile
from plano_agents.providers.profiles import find_known, find_profile, load_known, parse_rows

UNKNOWN = ModelProfile()


def build_model(name: str) -> Model:
    provider, _, model_id = name.partition("/")
    return Model(name, provider, model_id, provider)


@pytest.mark.parametrize(
    ("model_id", "profile"),
    [
        ("gpt-4o", ModelProfile(128_000, images=True, tools=True)),
        ("gpt-4o-2024-08-06", ModelProfile(128_000, images=True, tools=True)),
        ("gpt-4", ModelProfile(8_192, images=False, tools=True)),
        ("gpt-4.1-mini", ModelProfile(1_047_576, images=True, tools=True)),
        ("gpt-5-mini", ModelProfile(272_000, images=True, tools=True)),
        ("o3-mini-2025-01-31", ModelProfile(200_000, images=False, tools=True)),
        ("claude-haiku-4-5-20251001", ModelProfile(200_000, images=True, tools=True)),
        ("claude-sonnet-4-6", ModelProfile(1_000_000, images=True, tools=True)),
        ("accounts/fireworks/models/gpt-oss-120b", ModelProfile(131_072, images=False, tools=True)),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo", ModelProfile(131_072, images=False)),
        ("qwen3:8b", ModelProfile(262_144, images=False)),
        ("qwen3-vl-plus", ModelProfile(262_144, images=True)),
    ],
)
def test_a_model_is_known_by_the_beginning_of_its_id(model_id: str, profile: ModelProfile) -> None:
    found = find_known(model_id)
    assert ModelProfile(found.context_window, found.images, found.tools) == profile


@pytest.mark.parametrize("model_id", ["gpt-4o2", "gpt-4o.5", "gpt-50", "my-gpt-4o", "o", "", "claude-opus-4-9"])
def test_a_model_that_only_looks_like_a_known_one_is_not_known(model_id: str) -> None:
    assert find_known(model_id) == UNKNOWN


@pytest.mark.parametrize("model_id", load_known())
def test_every_row_is_found_by_its_own_id(model_id: str) -> None:
    prices = dict.fromkeys(("input_price", "cached_price", "written_price", "output_price"))
    assert replace(find_known(model_id), **prices) == load_known()[model_id]


def test_what_the_operator_says_of_a_model_goes_before_its_wildcard_and_both_before_the_table() -> None:
    settings = {
        "openai/*": ModelProfile(context_window=5_000, tools=False),
        "openai/gpt-4o": ModelProfile(context_window=9_000),
    }
    gpt, o3 = (find_profile(build_model(name), settings) for name in ("openai/gpt-4o", "openai/o3-mini"))
    assert (gpt.context_window, gpt.images, gpt.tools) == (9_000, True, False)
    assert (o3.context_window, o3.images, o3.tools) == (5_000, False, False)
    assert find_profile(build_model("groq/gpt-oss-20b"), settings) == find_known("gpt-oss-20b")


def test_the_operator_can_say_yes_where_the_table_says_no() -> None:
    settings = {"openai/o3-mini": ModelProfile(images=True)}
    assert find_profile(build_model("openai/o3-mini"), settings).images is True


def test_no_id_stands_in_two_rows() -> None:
    text = resources.files("plano_agents.providers").joinpath("models.toml").read_text()
    ids = [model_id for row in parse_rows(text) for model_id in row.ids]
    assert len(ids) == len(set(ids))


def test_a_row_with_an_unknown_key_is_refused_by_name() -> None:
    text = '[[models]]\nids = ["m"]\nsource = "s"\nread = 2026-11-28\ncontext = 5\n'
    with pytest.raises(ValueError, match=r"'m'.*'context'"):
        parse_rows(text)
