"""A whole ``config.yaml`` to a `Config`."""

from collections.abc import Callable, Mapping

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config import Config, Listener, ModelProfile, Retries, Routing, Timeouts, parse_config
from plano_agents.errors import ConfigError

Parse = Callable[..., Config]
Problems = Callable[..., tuple[str, ...]]


@pytest.mark.parametrize(
    ("listeners", "expected"),
    [
        ("[]", Listener("127.0.0.1", 12_000)),
        ("{}", Listener("127.0.0.1", 12_000)),
        ("[{type: agent, name: a, port: 1}, {type: model, name: m, port: 0}]", Listener("127.0.0.1", 0)),
        ("{egress_traffic: {address: 0.0.0.0, port: 99}}", Listener("0.0.0.0", 99)),
    ],
)
def test_the_model_listener_says_where(parse: Parse, minimal: str, listeners: str, expected: Listener) -> None:
    assert parse(minimal.replace("[]", listeners)).listener == expected


def test_a_second_model_listener_is_named_in_a_warning_and_the_first_is_served(parse: Parse, minimal: str) -> None:
    config = parse(minimal.replace("[]", "[{type: model, name: a, port: 1}, {type: model, name: b, port: 2}]"))
    assert config.listener == Listener("127.0.0.1", 1)
    (warning,) = config.warnings
    assert warning.startswith("config.yaml:2: 'b' is a second listener of type 'model'; plano-agents serves the first")


def test_routing_is_read(parse: Parse, minimal: str) -> None:
    text = minimal + (
        "routing: {session_ttl_seconds: 5, session_max_entries: 7, route_on_user_only: true, model: m, "
        "llm_provider: p}\n"
    )
    assert parse(text).routing == Routing(
        session_ttl_seconds=5, session_max_entries=7, route_on_user_only=True, model="m", llm_provider="p"
    )


LISTENERS = [
    "[{type: model, name: m, timeout: 300s, max_retries: 4}]",
    "{egress_traffic: {timeout: 300s}}",
]


@pytest.mark.parametrize("listeners", LISTENERS)
def test_the_listeners_timeout_is_the_total(parse: Parse, minimal: str, listeners: str) -> None:
    assert parse(minimal.replace("[]", listeners)).timeouts == Timeouts(total_seconds=300)


def test_the_listeners_retries_are_those_of_a_candidate(parse: Parse, minimal: str) -> None:
    assert parse(minimal.replace("[]", LISTENERS[0])).retries == Retries(max_per_candidate=4)


def test_the_upstream_connect_timeout_is_read(parse: Parse, minimal: str) -> None:
    text = minimal + "overrides: {upstream_connect_timeout: 0.25s}\n"
    assert parse(text).timeouts == Timeouts(connect_seconds=0.25)


def test_the_settings_win_over_planos_timeouts_and_retries(parse: Parse, minimal: str) -> None:
    text = minimal.replace("[]", LISTENERS[0]) + "overrides: {upstream_connect_timeout: 9s}\n"
    config = parse(text, settings_text="timeouts: {total_seconds: 10}\nretries: {max_per_candidate: 0}\n")
    assert config.timeouts == Timeouts(connect_seconds=9, total_seconds=10)
    assert config.retries == Retries(max_per_candidate=0)


@pytest.mark.parametrize("timeout", ["0s", "300", "5ms", "-1s", "1m", "s", "1e3s"])
def test_what_is_no_duration_is_refused(problems: Problems, minimal: str, timeout: str) -> None:
    text = minimal.replace("[]", f"[{{type: model, name: m, timeout: '{timeout}'}}]")
    assert problems(text) == (
        (
            f"config.yaml:2: listeners[0].timeout '{timeout}' is not a duration above zero. "
            "Write seconds, such as '300s'."
        ),
    )


def test_llm_providers_is_the_old_name_of_model_providers(parse: Parse, minimal: str) -> None:
    assert parse(minimal.replace("model_providers", "llm_providers")).models == parse(minimal).models


def test_both_names_together_are_refused(problems: Problems, minimal: str) -> None:
    (problem,) = problems(minimal + "llm_providers: [{model: groq/x}]\n")
    assert problem.startswith("config.yaml:5: llm_providers is the old name of model_providers, and both")


@pytest.mark.parametrize("models", ["", "model_providers: []\n", "llm_providers: []\n"])
def test_a_file_without_models_is_refused(problems: Problems, models: str) -> None:
    (problem,) = problems("version: v0.4.0\nlisteners: []\n" + models)
    assert "no models are declared" in problem


def test_an_alias_is_provider_qualified(parse: Parse, minimal: str) -> None:
    assert dict(parse(minimal + "model_aliases: {quick: {target: gpt-4o}}\n").aliases) == {"quick": "openai/gpt-4o"}


def test_an_alias_to_an_undeclared_model_is_refused(problems: Problems, minimal: str) -> None:
    assert problems(minimal + "model_aliases:\n  quick:\n    target: gpt-4\n") == (
        (
            "config.yaml:7: the alias 'quick' targets 'gpt-4', which is not declared; "
            "did you mean 'gpt-4o'? Declared: openai/gpt-4o"
        ),
    )


def test_what_the_settings_say_of_a_model_is_part_of_the_configuration(parse: Parse, minimal: str) -> None:
    config = parse(minimal, settings_text="models: {openai/gpt-4o: {context_window: 7}}")
    assert config.profiles == {"openai/gpt-4o": ModelProfile(context_window=7)}


def test_models_that_could_not_be_read_make_no_second_problem(problems: Problems, minimal: str) -> None:
    found = problems(minimal + "modes: llm\n", settings_text="models: {openai/gpt-5: {tools: false}}")
    assert len(found) == 1


def test_problems_of_both_files_are_told_together(problems: Problems, minimal: str) -> None:
    found = problems(minimal + "modes: llm\n", settings_text="limit: {}\n", settings_source="s.yaml")
    assert [problem.split(":")[0] for problem in found] == ["config.yaml", "s.yaml"]


def find_problems(data: Mapping[str, object], *, offline: bool = False) -> tuple[str, ...]:
    try:
        parse_config(yaml.safe_dump(data), source="c.yaml", environ={"X": "x"}, offline=offline)
    except ConfigError as error:
        return error.problems
    return ()


keys = st.sampled_from(
    [
        "version",
        "listeners",
        "model_providers",
        "model",
        "access_key",
        "headers",
        "routing_preferences",
        "name",
        "models",
        "model_aliases",
        "target",
        "routing",
        "session_ttl_seconds",
        "port",
        "type",
        "base_url",
        "default",
        "provider",
        "url",
        "session_cache",
        "opentracing_grpc_endpoint",
    ]
)
words = st.sampled_from(
    [
        "v0.4.0",
        "v0.3.0",
        "openai/gpt-4o",
        "openai/*",
        "model",
        "cost",
        "latency",
        "models.dev",
        "$X",
        "http://[",
    ]
) | st.text(max_size=5)
values = st.recursive(
    words | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
)


@given(
    data=st.fixed_dictionaries(
        {"version": words, "listeners": values, "model_providers": values},
        optional={
            "routing_preferences": values,
            "model_aliases": values,
            "routing": values,
            "tracing": values,
            "overrides": values,
            "prompt_caching": values,
            "model_metrics_sources": values,
        },
    ),
    offline=st.booleans(),
)
def test_any_data_is_a_configuration_or_a_configuration_error(data: dict[str, object], *, offline: bool) -> None:
    assert all(problem.startswith("c.yaml:") for problem in find_problems(data, offline=offline))


entries = st.dictionaries(
    st.sampled_from(["access_key", "base_url", "default", "headers", "name", "passthrough_auth", "provider_interface"]),
    words | st.booleans() | st.dictionaries(st.text(max_size=3), words, max_size=2),
    max_size=3,
)


@given(st.lists(st.tuples(words, entries), max_size=4))
def test_any_entries_are_models_or_a_configuration_error(pairs: list[tuple[str, dict[str, object]]]) -> None:
    data = {
        "version": "v0.4.0",
        "listeners": [],
        "model_providers": [{"model": m} | entry for m, entry in pairs],
    }
    assert all(len(problem.splitlines()) == 1 for problem in find_problems(data))


@pytest.mark.parametrize("key", ["routing: {session_ttl_seconds: %s}", "prompt_caching: {session_ttl_seconds: %s}"])
def test_a_session_lives_ten_years_at_most(problems: Problems, minimal: str, key: str) -> None:
    assert problems(minimal + key % 315_360_000) == ()
    (problem,) = problems(minimal + key % 315_360_001)
    assert "session_ttl_seconds must be at most 315360000, not 315360001" in problem


@pytest.mark.parametrize("host", ["''", "a..b", "a" * 64])
def test_an_address_that_cannot_be_bound_is_refused(problems: Problems, host: str) -> None:
    text = (
        f"version: v0.4.0\nlisteners: [{{type: model, name: m, address: {host}}}]\n"
        "model_providers: [{model: openai/gpt-4o}]\n"
    )
    (problem,) = problems(text)
    assert problem.startswith("config.yaml:2: ")


BUDGET = """\
version: v0.4.0
listeners: [{type: model, name: m}]
model_providers: [{model: openai/a, access_key: k}]
routing: {routing_budget: {max_switch_spend_pct: 20%s}}
"""


@pytest.mark.parametrize(
    ("more", "settings", "told"),
    [
        ("", None, ["routing.routing_budget"]),
        ("", "routing: {scope: user_turn}", []),
        (", replenish_on_rebind: false", "routing: {scope: user_turn}", ["routing.routing_budget.replenish_on_rebind"]),
    ],
)
def test_a_budget_that_weighs_nothing_is_told(more: str, settings: str | None, told: list[str]) -> None:
    config = parse_config(BUDGET % more, source="config.yaml", environ={}, settings_text=settings)
    assert [line.split("'")[1] for line in config.warnings] == told
    assert config.routing.routing_budget is not None
    assert config.routing.routing_budget.max_switch_spend_pct == 20


def test_a_budget_needs_its_percentage() -> None:
    with pytest.raises(ConfigError, match="max_switch_spend_pct"):
        parse_config(BUDGET.replace("max_switch_spend_pct: 20%s", "cache_read_discount: 0.2"), source="c", environ={})
