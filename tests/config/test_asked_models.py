"""Names that clients ask for and the configuration does not declare."""

import re
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config import Config, Model
from plano_agents.config.asked_models import find_asked, word_unknown


def declare(*names: str, **patterns: str) -> Config:
    models = (
        Model(name, provider, model_id, provider) for name in names for provider, _, model_id in [name.partition("/")]
    )
    return Config(models=tuple(models), alias_patterns=MappingProxyType(patterns))


def find(config: Config, name: str) -> str | None:
    found = find_asked(config, name)
    return found.name if found is not None else None


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("anthropic", "claude-haiku-4-5-20251001"),
        ("openai", "gpt-5-mini"),
        ("openai", "o3"),
        ("openai", "o4-mini"),
        ("gemini", "gemini-3-pro"),
        ("mistral", "codestral-latest"),
        ("deepseek", "deepseek-chat"),
        ("xai", "grok-4"),
        ("moonshotai", "kimi-k2"),
        ("zhipu", "glm-4.6"),
        ("qwen", "qwen3-coder"),
        ("xiaomi", "mimo-v2"),
    ],
)
def test_a_bare_id_finds_its_vendors_wildcard(provider: str, name: str) -> None:
    assert find(declare("groq/*", f"{provider}/*"), name) == f"{provider}/{name}"


@pytest.mark.parametrize("name", ["gpt-4o", "llama3", "opus", "claude-", "claude-\u00e9"])
def test_another_bare_id_does_not_find_a_wildcard(name: str) -> None:
    assert find(declare("groq/*", "anthropic/*"), name) in {None, "anthropic/claude-"}


@pytest.mark.parametrize(
    ("declared", "asked"),
    [
        ("anthropic/claude-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("anthropic/claude-haiku-4-5", "anthropic/claude-haiku-4-5-20251001"),
        ("anthropic/claude-haiku-4-5", "claude-haiku-4-5@20251001"),
        ("openai/gpt-4o", "gpt-4o-2024-08-06"),
        ("openai/gpt-4o", "gpt-4o-latest"),
        ("anthropic/claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("anthropic/claude-haiku-4-5-20251001", "anthropic/claude-haiku-4-5"),
        ("anthropic/claude-haiku-4-5-20251001", "claude-haiku-4-5-latest"),
    ],
)
def test_a_snapshot_finds_the_declared_model(declared: str, asked: str) -> None:
    assert find(declare("openai/o3", declared), asked) == declared


@pytest.mark.parametrize(
    ("declared", "asked"),
    [
        ("anthropic/claude-haiku-4-5-20251001", "claude-haiku-4-5-20260101"),
        ("openai/gpt-4", "gpt-4-0613"),
        ("openai/gpt-4o", "gpt-4o-mini-2024-07-18"),
        ("openai/gpt-4o", "groq/gpt-4o-2024-08-06"),
    ],
)
def test_another_models_snapshot_finds_nothing(declared: str, asked: str) -> None:
    assert find(declare(declared), asked) is None


def test_the_first_pattern_that_matches_counts() -> None:
    config = declare("openai/gpt-5", "openai/o3", **{"claude-haiku-*": "openai/o3", "claude-*": "openai/gpt-5"})
    found = [find(config, name) for name in ("claude-haiku-4-5", "claude-opus-4-7", "my-claude-haiku-1")]
    assert found == ["openai/o3", "openai/gpt-5", None]


def test_only_an_asterisk_is_special_in_a_pattern() -> None:
    config = declare("openai/o3", **{"a.b*": "openai/o3"})
    assert [find(config, name) for name in ("a.b", "a.b/c", "axb")] == ["openai/o3", "openai/o3", None]


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_an_asterisk_stands_for_any_characters(pattern: str, name: str) -> None:
    matches = re.fullmatch(pattern.replace("*", ".*"), name) is not None
    assert (find(declare("openai/one", **{pattern: "openai/one"}), name) == "openai/one") is matches


def test_no_name_makes_a_pattern_search_for_ever() -> None:
    """Clients choose names: tried in every way in which the asterisks could share it, this one would take years."""
    assert find(declare("openai/one", **{"*a" * 20 + "*b": "openai/one"}), "a" * 256) is None


def test_a_declared_name_stands_above_a_pattern_and_a_pattern_above_a_guess() -> None:
    config = declare("openai/o3", "anthropic/claude-opus-4-7", "anthropic/*", **{"claude-*": "openai/o3"})
    found = [find(config, name) for name in ("claude-opus-4-7", "anthropic/claude-x", "claude-x")]
    assert found == ["anthropic/claude-opus-4-7", "anthropic/claude-x", "openai/o3"]


def test_an_unknown_name_is_told_with_the_nearest_one() -> None:
    assert word_unknown(declare("openai/gpt-4o"), "gpt-40") == (
        "The model 'gpt-40' is not configured; did you mean 'gpt-4o'? Configured are: openai/gpt-4o."
    )


def test_of_many_models_the_first_are_told() -> None:
    told = word_unknown(declare(*(f"groq/m{number}" for number in range(1_000))), "zzz")
    assert "groq/m19, … and 980 more." in told
    assert "groq/m20" not in told
