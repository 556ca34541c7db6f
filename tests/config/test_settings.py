"""``plano-agents.yaml``."""

import pytest

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.config import Breaker, Limits, Model, Retries, Timeouts, parse_config
from plano_agents.config import settings as module
from plano_agents.config.client_keys import build_client_key
from plano_agents.config.options import ModelSettings
from plano_agents.config.settings import KeyedSettings, parse_settings
from plano_agents.errors import ConfigError

PLANO = """\
version: v0.4.0
listeners: [{type: model, name: l}]
model_providers: [{model: ollama/llama3, base_url: "http://127.0.0.1:1"}]
routing_preferences: [{name: code, description: writing code, models: [ollama/llama3]}]
"""


TOLD_OF_FILES = "admin_token: a secret is text, $VAR, or 'file:' and the path of the file that it stands in."


def fail(text: str, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, source="s.yaml", environ=environ)
    return caught.value.problems


def test_an_empty_file_says_nothing() -> None:
    assert parse_settings("", source="s.yaml", environ={}) == KeyedSettings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model_providers: []", "the key 'model_providers' at the top level"),
        ("routing: {session_ttl_seconds: 60}", "the key 'session_ttl_seconds' in routing"),
    ],
)
def test_a_key_of_the_other_file_is_told_to_belong_there(text: str, told: str) -> None:
    assert fail(text) == (f"s.yaml:1: {told} belongs in config.yaml. Move it there.",)


def test_an_alias_may_be_a_pattern_of_names() -> None:
    config = parse_config(
        PLANO, source="c.yaml", environ={}, settings_text='model_aliases: {"claude-haiku-*": ollama/llama3}'
    )
    assert config.alias_patterns == {"claude-haiku-*": "ollama/llama3"}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            "'claude-*': ollama/lama3",
            "targets 'ollama/lama3', which is not declared in model_providers; did you mean",
        ),
        ("'claude-*': zzz", "Declared are: ollama/llama3"),
        (
            "llama3: ollama/llama3",
            "'llama3' is a name of a declared model, which serves it. Remove the alias.",
        ),
        ("'two words': ollama/llama3", "is not a valid name or pattern. Write it in visible ASCII."),
    ],
)
def test_an_alias_that_can_serve_nothing_is_a_problem(entry: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(
            PLANO,
            source="c.yaml",
            environ={},
            settings_text=f"\nmodel_aliases: {{{entry}}}",
            settings_source="s.yaml",
        )
    [problem] = caught.value.problems
    assert problem.startswith("s.yaml:2: ")
    assert told in problem


def test_every_key_is_read() -> None:
    settings = parse_settings(
        "routing: {affinity_headers: [X-Session-Id, x-run], affinity_fields: [user, metadata.user_id], "
        "harness_sessions: false}\n"
        "models: {openai/gpt-4o: {context_window: 1, images: false, tools: true}, ollama/*: {}}\n"
        "timeouts: {connect_seconds: 1, first_byte_seconds: 2, between_bytes_seconds: 3.5, total_seconds: 4}\n"
        "retries: {max_per_candidate: 0, base_seconds: 0, max_delay_seconds: 1, budget_ratio: 0.5, budget_min: 0}\n"
        "breaker: {failures: 1, open_seconds: 0.1}\n"
        "limits: {max_body_bytes: 1, max_concurrent_requests: 2, max_buffered_bytes: 7, header_seconds: 3, "
        "body_seconds: 4, min_bytes_per_second: 8, "
        "keepalive_comment_seconds: 5, shutdown_grace_seconds: 0, worker_hang_seconds: 9, max_header_bytes: 6, "
        "allowed_hosts: [Router, '*.Example.test']}\n"
        "proxy_from_environment: true\n"
        "client_keys: [$A, literal]\nadmin_token: ${B}\n",
        source="s.yaml",
        environ={"A": "a", "B": "b"},
    )
    assert settings.routing.affinity_headers == ("x-session-id", "x-run")
    assert settings.routing.affinity_fields == ("user", "metadata.user_id")
    assert settings.routing.harness_sessions is False
    assert settings.models == {
        "openai/gpt-4o": ModelSettings(1, images=False, tools=True),
        "ollama/*": ModelSettings(),
    }
    assert settings.timeouts == Timeouts(1, 2, 3.5, 4)
    assert settings.retries == Retries(0, 0, 1, 0.5, 0)
    assert settings.breaker == Breaker(1, 0.1)
    assert settings.limits == Limits(1, 2, 7, 3, 4, 8, 5, 0, 9, 6, ("router", "*.example.test"))
    assert settings.proxy_from_environment is True
    assert settings.known_clients == (build_client_key("a"), build_client_key("literal"))
    assert settings.admin_token is not None
    assert settings.admin_token.get_secret_value() == "b"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("'x y'", "'x'… is not a header name"),
        ("''", "'' is not a header name"),
        ("Authorization", "'Authorization' does not tell one run from another"),
        ("content-type", "'content-type' does not tell one run from another"),
        ("X-Model-Affinity", "'X-Model-Affinity' is always read, and first"),
        ("X-OK", "'X-OK' stands twice"),
    ],
)
def test_a_header_that_cannot_hold_an_id_is_refused(name: str, words: str) -> None:
    (problem,) = fail(f"routing:\n  affinity_headers:\n    - x-ok\n    - {name}\n")
    assert problem.startswith(f"s.yaml:4: the affinity header {words}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("'x y'", "'x'… is not a field's path"),
        ("''", "'' is not a field's path"),
        ("a..b", "'a..b' is not a field's path"),
        ("model", "'model' does not tell one run from another"),
        ("messages.0", "'messages.0' does not tell one run from another"),
        ("user", "'user' stands twice"),
    ],
)
def test_a_field_that_cannot_hold_an_id_is_refused(name: str, words: str) -> None:
    (problem,) = fail(f"routing:\n  affinity_fields:\n    - user\n    - {name}\n")
    assert problem.startswith(f"s.yaml:4: the affinity field {words}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("limit: {}", "unknown key 'limit' at the top level; did you mean 'limits'?"),
        ("limits: {max_body: 1}", "unknown key 'max_body' in limits; did you mean 'max_body_bytes'?"),
        (
            "models: {openai/gpt-4o: {image: true}}",
            "unknown key 'image' in models['openai/gpt-4o']; did you mean 'images'?",
        ),
        (
            "models: {openai/gpt-4o: {apis: [image]}}",
            "models['openai/gpt-4o'].apis[0] must be one of 'chat', 'messages' or 'responses', not 'image'; did you mean 'messages'?",
        ),
        (
            "models: {openai/gpt-4o: {apis: []}}",
            "models['openai/gpt-4o'].apis: names no API. Write chat, messages or responses, or leave it out.",
        ),
        (
            "models: {openai/gpt-4o: {context_window: 0}}",
            "models['openai/gpt-4o'].context_window must be at least 1, not 0",
        ),
        ("models: {openai/gpt-4o: 1}", "models['openai/gpt-4o'] must be a mapping"),
        ("limits: {max_body_bytes: 0}", "limits.max_body_bytes must be at least 1, not 0"),
        (
            "timeouts: {total_seconds: 0}",
            "timeouts.total_seconds must be more than 0, not 0",
        ),
        ("timeouts: {total_seconds: .inf}", "timeouts.total_seconds must be a finite number, not inf"),
        ("timeouts: {total_seconds: 100000}", "timeouts.total_seconds must be at most 86400, not 100000"),
        ("timeouts: {total_seconds: 30s}", "timeouts.total_seconds must be a number, not '30s'"),
        ("routing: {observe: yes}", "routing.observe must be a number, not true"),
        ("routing: {threshold: 1}", "routing.threshold must be less than 1, not 1"),
        ("admin_token: {files: t}", TOLD_OF_FILES),
        (
            f"preferences: {{a: {{examples: [{'x ' * 2_001}]}}}}",
            "preferences.a.examples[0] must have at most 4,000 characters, not 4,001",
        ),
        (
            f"preferences: {{a: {{examples: [{'x, ' * 65}]}}}}",
            "preferences.a.examples must have at most 64 entries, not 65",
        ),
        (
            "timeouts: {total_second: 1}",
            "unknown key 'total_second' in timeouts; did you mean 'total_seconds'?",
        ),
        ("retries: {budget_ratio: 20}", "retries.budget_ratio must be at most 1, not 20"),
        ("retries: {max_per_candidate: -1}", "retries.max_per_candidate must be at least 0, not -1"),
        ("breaker: {failures: 0}", "breaker.failures must be at least 1, not 0"),
        (
            "limits: {max_concurrent_requests: true}",
            "limits.max_concurrent_requests must be a whole number, not true",
        ),
        ("proxy_from_environment: 1", "proxy_from_environment must be true or false, not 1"),
        ("client_keys: []", "client_keys is empty. Give it a value."),
        ("client_keys: [1]", "client_keys[0] must be text; put it into quotes"),
        (
            "admin_token: $T",
            "$T is not set (needed by admin_token). Export it, or remove the line that names it.",
        ),
    ],
)
def test_a_wrong_key_or_value_is_told(text: str, problem: str) -> None:
    assert fail(text) == (f"s.yaml:1: {problem}",)


DECLARED = [
    Model("openai/gpt-4o", "openai", "gpt-4o", "openai"),
    Model("groq/*", "groq", "*", "groq"),
]


@pytest.mark.parametrize("name", ["openai/gpt-4o", "groq/*", "groq/any/thing"])
def test_a_declared_model_and_each_of_a_wildcards_can_be_described(name: str) -> None:
    text = f"models: {{{name}: {{images: false}}}}"
    settings = parse_settings(text, source="s.yaml", environ={}, models=DECLARED)
    assert settings.models == {name: ModelSettings(images=False)}


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("openai/gpt4o", "; did you mean 'openai/gpt-4o'?"),
        ("gpt-4o", "; did you mean 'openai/gpt-4o'?"),
        ("openai/*", "; did you mean 'openai/gpt-4o'?"),
        ("groq/", "; did you mean 'groq/*'?"),
        ("x", ". Declared are: openai/gpt-4o, groq/*"),
    ],
)
def test_a_model_that_is_not_declared_is_told_with_the_nearest(name: str, way_out: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(f"models:\n  {name}: {{}}\n", source="s.yaml", environ={}, models=DECLARED)
    assert caught.value.problems == (f"s.yaml:2: the model {name!r} is not declared in model_providers{way_out}",)


@pytest.mark.parametrize("value", ["two words", "ümlaut", ""])
def test_a_key_of_other_than_visible_ascii_is_refused_and_not_shown(value: str) -> None:
    (problem,) = fail(f"client_keys: ['{value}']")
    assert "Give it as visible ASCII" in problem
    assert not value or value not in problem


def test_the_header_that_is_always_read_is_the_affinity_modules() -> None:
    """The layers keep `config` from importing it."""
    assert AFFINITY_HEADER.lower() == module.AFFINITY_HEADER


def test_examples_reach_their_preference() -> None:
    config = parse_config(
        PLANO,
        source="config.yaml",
        environ={},
        settings_text="preferences: {code: {examples: [write a loop, add a test]}}\nrouting: {threshold: 0.7}\n",
    )
    assert config.preferences[0].examples == ("write a loop", "add a test")
    assert config.routing.threshold == 0.7


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            "preferences: {cod: {examples: [a]}}",
            "the preference 'cod' is not configured; did you mean 'code'?",
        ),
        ("preferences: {code: {examples: ['']}}", "preferences.code.examples[0]"),
        ("preferences: {code: {example: [a]}}", "did you mean 'examples'?"),
        ("routing: {threshold: 1}", "routing.threshold"),
        ("routing: {observe: 5}", "routing.observe"),
        ("routing: {observe: -0.1}", "routing.observe"),
        ("routing: {model_timeout_seconds: 0}", "routing.model_timeout_seconds"),
    ],
)
def test_what_is_wrong_with_routings_settings_is_told_with_its_line(settings: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(PLANO, source="config.yaml", environ={}, settings_text=settings)
    (problem,) = caught.value.problems
    assert told in problem
    assert problem.startswith("plano-agents.yaml:1")


@pytest.mark.parametrize("given", ["a:1", "*", "http://x", ""])
def test_an_allowed_host_that_is_not_a_name_is_refused_with_the_way_out(given: str) -> None:
    (problem,) = fail(f"limits: {{allowed_hosts: [{given!r}]}}")
    assert f"limits.allowed_hosts[0]: {given!r} is not the name of a host. Write one without a port" in problem


@pytest.mark.parametrize("given", ["Authorization", "messages", "a b", "", "x:y"])
def test_a_cache_key_that_is_no_header_or_field_is_refused_with_the_way_out(given: str) -> None:
    (problem,) = fail(f"models: {{openai/gpt-4o: {{cache_key: {given!r}}}}}")
    told = f"models['openai/gpt-4o'].cache_key: {given!r} is not a header or field for a key. Write one such as 'x-session-"
    assert told in problem
