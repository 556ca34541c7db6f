"""Wrong keys and types, in our words."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.findings import format_path, format_value

Problems = Callable[..., tuple[str, ...]]

HEAD = "version: v0.4.0\nlisteners: []\n"
MODEL = HEAD + "model_providers:\n  - model: openai/gpt-4o\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            MODEL + "    defualt: true\n",
            "5: unknown key 'defualt' in model_providers[0]; did you mean 'default'?",
        ),
        (
            MODEL + "modle_aliases: {}\n",
            "5: unknown key 'modle_aliases' at the top level; did you mean 'model_aliases'?",
        ),
        (
            MODEL + "model_aliases:\n  a:\n    tagret: gpt-4o\n    target: gpt-4o\n",
            "7: unknown key 'tagret' in model_aliases.a; did you mean 'target'?",
        ),
        (
            MODEL + "routing:\n  qqq: 1\n",
            (
                "6: unknown key 'qqq' in routing; valid keys: llm_provider, model, route_on_user_only, routing_budget, "
                "session_cache, session_max_entries, session_ttl_seconds"
            ),
        ),
        (
            MODEL + "client_keys: [a]\n",
            "5: the key 'client_keys' at the top level belongs in plano-agents.yaml. Move it there.",
        ),
        (
            MODEL + "routing:\n  threshold: 0.4\n",
            "6: the key 'threshold' in routing belongs in plano-agents.yaml. Move it there.",
        ),
        (
            MODEL + "    client_keys: [a]\n",
            (
                "5: unknown key 'client_keys' in model_providers[0]; valid keys: access_key, base_url, default, headers, "
                "http_host, model, name, passthrough_auth, provider_interface, routing_preferences"
            ),
        ),
        (
            HEAD + "model_providers:\n  - name: x\n",
            "4: the key 'model' is missing in model_providers[0]. Add it.",
        ),
        (MODEL + "    default: 'yes'\n", "5: model_providers[0].default must be true or false, not 'yes'"),
        (MODEL + "    name: 5\n", "5: model_providers[0].name must be text; put it into quotes"),
        (
            MODEL + "routing: {session_max_entries: 10001}\n",
            "5: routing.session_max_entries must be at most 10000, not 10001",
        ),
        (
            MODEL + "routing: {session_ttl_seconds: 0}\n",
            "5: routing.session_ttl_seconds must be at least 1, not 0",
        ),
        (
            MODEL + "routing: {session_ttl_seconds: true}\n",
            "5: routing.session_ttl_seconds must be a whole number, not true",
        ),
        (MODEL + "routing_preferences: []\nmodel_aliases: x\n", "6: model_aliases must be a mapping"),
        (
            MODEL + "routing_preferences:\n  - {name: a, description: b, models: []}\n",
            "6: routing_preferences[0].models is empty. Give it a value.",
        ),
        (HEAD + "model_providers: openai/gpt-4o\n", "3: model_providers must be a list"),
        (
            MODEL + "model_metrics_sources: [{type: costs, provider: models.dev}]\n",
            "5: model_metrics_sources[0].type must be one of 'cost', 'latency', not 'costs'; did you mean 'cost'?",
        ),
        (
            MODEL + "model_metrics_sources: [{provider: models.dev}]\n",
            "5: the key 'type' is missing in model_metrics_sources[0]. Add it.",
        ),
        (MODEL + "model_metrics_sources: [models.dev]\n", "5: model_metrics_sources[0] must be a mapping"),
        (
            MODEL.replace("[]", "[{type: model, name: m, prot: 1}]"),
            "2: unknown key 'prot' in listeners[0]; did you mean 'port'?",
        ),
    ],
)
def test_a_problem_names_line_place_value_and_way_out(problems: Problems, text: str, problem: str) -> None:
    assert problems(text) == (f"config.yaml:{problem}",)


def test_a_port_in_quotes_is_refused(problems: Problems) -> None:
    text = MODEL.replace("[]", '[{type: model, name: m, port: "12000"}]')
    assert problems(text) == ("config.yaml:2: listeners[0].port must be a whole number, not '12000'",)


def test_a_key_of_the_legacy_listeners_is_told_by_its_own_name(problems: Problems) -> None:
    text = MODEL.replace("[]", "{egress_trafic: {port: 1}}")
    assert problems(text) == (
        "config.yaml:2: unknown key 'egress_trafic' in listeners; did you mean 'egress_traffic'?",
    )


def test_an_unknown_version_lists_the_known_ones(problems: Problems) -> None:
    (problem,) = problems(MODEL.replace("v0.4.0", "v0.4"))
    assert problem.startswith("config.yaml:1: version must be one of 'v0.1', ")
    assert problem.endswith(", not 'v0.4'; did you mean 'v0.4.0'?")


def test_an_empty_file_names_what_is_missing(problems: Problems) -> None:
    assert problems("") == (
        "config.yaml:1: the key 'version' is missing at the top level. Add it.",
        "config.yaml:1: the key 'listeners' is missing at the top level. Add it.",
    )


def test_a_key_given_twice_or_without_a_value_hides_no_other_problem(problems: Problems) -> None:
    found = problems(MODEL + "    default: true\n    default: true\n  - model:\nrouting: {qqq: 1}\n")
    assert [problem.split(":")[1] for problem in found] == ["6", "7", "8"]


def test_an_unknown_key_hides_no_other_problem(problems: Problems) -> None:
    found = problems(MODEL + "    defualt: true\nmodel_aliases: {a: {target: gpt-5}}\n")
    assert [problem.split(":")[1] for problem in found] == ["5", "6"]


@pytest.mark.parametrize(
    "entry",
    [
        "access_key: [{0}]",
        "access_key: {{{0}: 1}}",
        "acess_key: {0}",
        "headers: {0}",
        "headers: {{X-Key: [{0}]}}",
        "default: false access_key {0}",
        "{{access_key:{0}}}: x",
        "name: {{access_key:{0}}}",
        "access_key: *{0}",
        "access_key: {0}\n    access_key: {0}",
        "access_key: 'two words {0}'",
        "access_key: '$-{0}'",
        "base_url: https://{0}@host",
        "base_url: https://host/?key={0}",
    ],
)
def test_a_mistake_beside_a_key_does_not_show_the_key(problems: Problems, secret: str, entry: str) -> None:
    found = problems(MODEL + "    " + entry.format(secret) + "\n")
    assert found
    assert secret not in "\n".join(found)


@pytest.mark.parametrize("shape", ["- {0}", "- access_key={0}", "- model: openai/x\n      access_key {0}"])
def test_a_malformed_entry_does_not_show_its_key(problems: Problems, secret: str, shape: str) -> None:
    found = problems(HEAD + "model_providers:\n  " + shape.format(secret) + "\n")
    assert found
    assert secret not in "\n".join(found)


@given(st.text())
def test_a_value_is_shown_on_one_line(value: str) -> None:
    assert len(format_value(value).splitlines()) == 1


@given(st.lists(st.text() | st.integers(0, 9)))
def test_a_place_is_shown_on_one_line(path: list[str | int]) -> None:
    assert len(format_path(tuple(path)).splitlines()) <= 1
