"""Routes, from both of Plano's forms."""

from collections.abc import Callable

import pytest

from plano_agents.config import Config

Parse = Callable[..., Config]
Problems = Callable[..., tuple[str, ...]]

INLINE = """\
version: v0.3.0
listeners: []
model_providers:
  - model: openai/gpt-4o
    routing_preferences:
      - {name: code, description: writes code}
      - {name: chat, description: small talk}
  - model: anthropic/claude-sonnet-4-6
    routing_preferences:
      - {name: code, description: something else}
"""

TOP = """\
version: v0.4.0
listeners: []
model_providers: [{model: openai/gpt-4o}, {model: groq/*}]
routing_preferences:
  - name: code
    description: writes code
    models: [%s]
"""


def test_inline_preferences_of_one_name_become_one_route(parse: Parse) -> None:
    assert {entry.name: entry.models for entry in parse(INLINE).preferences} == {
        "code": ("openai/gpt-4o", "anthropic/claude-sonnet-4-6"),
        "chat": ("openai/gpt-4o",),
    }


def test_the_first_inline_description_counts_with_a_warning(parse: Parse) -> None:
    config = parse(INLINE)
    assert config.preferences[0].description == "writes code"
    assert config.warnings == (
        "config.yaml:10: the preference 'code' has another description above; the first one counts",
    )


def test_a_top_level_preference_wins_over_an_inline_one(parse: Parse) -> None:
    config = parse(INLINE + "routing_preferences: [{name: code, description: top, models: [gpt-4o]}]\n")
    assert [(entry.name, entry.description) for entry in config.preferences] == [
        ("code", "top"),
        ("chat", "small talk"),
    ]


def test_from_v0_4_0_on_inline_preferences_are_not_read_and_that_is_told(parse: Parse) -> None:
    config = parse(INLINE.replace("v0.3.0", "v0.4.0"))
    assert config.preferences == ()
    assert [line.split(":")[1] for line in config.warnings] == ["5", "9"]


def test_models_are_provider_qualified_whatever_their_spelling(parse: Parse) -> None:
    (preference,) = parse(TOP % "gpt-4o, groq/llama, openai/gpt-4o").preferences
    assert preference.models == ("openai/gpt-4o", "groq/llama")


def test_an_undeclared_model_is_told_with_the_nearest_and_all(problems: Problems) -> None:
    assert problems(TOP % "openai/gpt-4") == (
        (
            "config.yaml:7: the preference 'code' names the model 'openai/gpt-4', which is not declared; "
            "did you mean 'openai/gpt-4o'? Declared: openai/gpt-4o, groq/*"
        ),
    )


def test_a_preference_declared_twice_is_refused(problems: Problems) -> None:
    twice = TOP % "gpt-4o" + "  - {name: code, description: x, models: [gpt-4o]}\n"
    assert problems(twice) == ("config.yaml:8: the preference 'code' is declared twice. Merge them, or rename one.",)


def test_a_name_that_no_header_carries_is_refused(problems: Problems) -> None:
    (problem,) = problems((TOP % "gpt-4o").replace("name: code", 'name: "a\\nb"'))
    assert problem.startswith(r"config.yaml:5: the preference name 'a'… does not fit into a header.")


SOURCES = """\
model_metrics_sources:
  - {type: cost, provider: models.dev}
  - {type: latency, provider: prometheus, url: "http://p", query: up}
"""


@pytest.mark.parametrize("policy", ["cheapest", "fastest", "none"])
def test_a_selection_policy_is_read(parse: Parse, policy: str) -> None:
    text = TOP % "gpt-4o" + f"    selection_policy: {{prefer: {policy}}}\n" + SOURCES
    assert parse(text).preferences[0].prefer == policy


@pytest.mark.parametrize(("policy", "source"), [("cheapest", "cost"), ("fastest", "latency")])
def test_a_policy_without_the_source_it_ranks_by_is_refused(problems: Problems, policy: str, source: str) -> None:
    text = TOP % "gpt-4o" + f"    selection_policy: {{prefer: {policy}}}\n"
    assert problems(text) == (
        (
            f"config.yaml:8: the preference 'code' prefers the {policy} model, and model_metrics_sources has no source "
            f"of type '{source}'. Add one, or remove the selection_policy."
        ),
    )


def test_a_name_longer_than_a_pin_holds_is_refused(problems: Problems) -> None:
    (problem,) = problems((TOP % "gpt-4o").replace("name: code", f"name: {'c' * 257}"))
    assert "256 characters at most" in problem


def alias(name: str, *models: str) -> str:
    entries = ", ".join(f"{{model: {model}}}" for model in models)
    return (
        f"version: v0.4.0\nlisteners: []\nmodel_providers: [{entries}]\n"
        f"model_aliases:\n  {name}: {{target: gpt-4o-mini}}\n"
    )


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("gpt-4o-mini", "openai/gpt-4o-mini"),
        ("groq/llama", "groq/llama"),
        ("groq/*", "groq/*"),
    ],
)
def test_an_alias_that_a_model_goes_by_is_refused(problems: Problems, name: str, model: str) -> None:
    (problem,) = problems(alias(name, "openai/gpt-4o", "openai/gpt-4o-mini", "groq/*"))
    assert problem.startswith(f"config.yaml:5: the alias '{name}' is a name of the declared model '{model}'.")


@pytest.mark.parametrize("name", ["a b", "é", '"a\\nb"', '""', "a" * 257])
def test_an_alias_that_no_request_can_name_is_refused(problems: Problems, name: str) -> None:
    (problem,) = problems(alias(name, "openai/gpt-4o-mini"))
    assert "is not a valid name. Write 1 to 256 visible ASCII characters." in problem


def test_of_many_declared_models_the_first_are_listed(problems: Problems) -> None:
    (problem,) = problems(alias("quick", *(f"openai/zz{number}" for number in range(100))))
    assert problem.endswith("openai/zz19, … and 80 more")
