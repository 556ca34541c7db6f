"""Plano's rules for ``model_providers``."""

from collections.abc import Callable

import pytest

from plano_agents.config import Config

Parse = Callable[..., Config]
Problems = Callable[..., tuple[str, ...]]


def write(*entries: str) -> str:
    """A file with these entries, the first of them in line 4."""
    return "version: v0.4.0\nlisteners: []\nmodel_providers:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries)


def test_a_model_is_split_at_its_first_slash(parse: Parse) -> None:
    (model,) = parse(write("model: together_ai/meta/llama")).models
    assert (model.provider, model.model_id, model.interface) == ("together_ai", "meta/llama", "together_ai")


def test_an_unknown_provider_speaks_the_interface_it_names(parse: Parse) -> None:
    (model,) = parse(write("model: mine/m, base_url: 'http://h:1/v1/', provider_interface: openai")).models
    assert (model.provider, model.interface, model.base_url) == ("mine", "openai", "http://h:1/v1")


def test_a_wildcard_declares_a_providers_models(parse: Parse) -> None:
    found = parse(write("model: openai/*")).find_model("openai/gpt-5")
    assert found is not None
    assert found.model_id == "gpt-5"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("model: gpt-4o", "the model 'gpt-4o' is not of the form <provider>/<model id>"),
        ("model: openai/", "the model 'openai/' is not of the form"),
        (f"model: openai/{'m' * 250}", "256 characters at most"),
        ("model: azure_openai/.., base_url: 'https://h'", "'..' of 'azure_openai/..' is a path segment"),
        ("model: azure_openai/., base_url: 'https://h'", "'.' of 'azure_openai/.' is a path segment"),
        ("model: 'openai/gpt 4o'", "the model 'openai/gpt'… is not of the form"),
        ("model: openai/*, default: true", "the wildcard 'openai/*' cannot be the default"),
        (
            "model: openai/*, routing_preferences: [{name: a, description: b}]",
            "the wildcard 'openai/*' cannot have routing_preferences",
        ),
        ("model: openrouter/meta/*", "Declare all of the provider's models with 'openrouter/*'"),
        ("model: opnai/x", "so the entry needs base_url and provider_interface; did you mean 'openai'?"),
        (
            "model: zzz/x, base_url: 'http://h'",
            "so the entry needs provider_interface. Known: amazon_bedrock, ",
        ),
        ("model: openai/x, provider_interface: openai", "'openai' is known. Remove it"),
        ("model: ollama/x", "the provider 'ollama' of 'ollama/x' has no address of its own. Set base_url"),
        ("model: openai/x, http_host: 'a b'", "the http_host 'a'… of 'openai/x' is not a host"),
        ("model: openai/x, headers: {'a b': c}", "the header name 'a'… of 'openai/x' is not one"),
        ("model: openai/x, access_key: ''", "cannot go into an HTTP header"),
        (
            "model: zzz/x, base_url: 'http://h', provider_interface: anthropic",
            "model_providers[0].provider_interface must be one of 'plano', ",
        ),
    ],
)
def test_a_wrong_entry_is_told_by_line_and_value(problems: Problems, entry: str, words: str) -> None:
    (problem,) = problems(write(entry))
    assert problem.startswith("config.yaml:4: ")
    assert words in problem


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://h",
        "http://",
        "http://h:99999",
        "http://[h",
        "http://a b",
        "http://a..b/v1",
        "http://.a",
        f"http://{'a' * 64}.example",
        f"http://{'a.' * 127}b",
        "http://h/?q",
        "$URL",
    ],
)
def test_a_base_url_without_scheme_or_host_is_refused(problems: Problems, url: str) -> None:
    (problem,) = problems(write(f"model: openai/x, base_url: '{url}'"))
    assert "is not an address. Write http:// or https://" in problem


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (("model: openai/x", "model: openai/x"), "5: the model 'openai/x' is already declared on line 4"),
        (("model: openai/x", "model: groq/x"), "5: the model 'x' is already declared on line 4"),
        (("model: openai/*", "model: openai/*"), "5: the model 'openai/*' is already declared on line 4"),
        (
            ("model: openai/x, name: n", "model: groq/y, name: n"),
            "5: the entry name 'n' is already on line 4",
        ),
        (
            ("model: openai/x, default: true", "model: groq/y, default: true"),
            "5: 'groq/y' is a second default, after 'openai/x'. Keep one.",
        ),
    ],
)
def test_what_must_be_unique_names_both(problems: Problems, entries: tuple[str, ...], words: str) -> None:
    (problem,) = problems(write(*entries))
    assert problem.startswith(f"config.yaml:{words}")


def test_all_problems_of_all_entries_are_told_at_once(problems: Problems) -> None:
    found = problems(write("model: x", "model: ollama/y", "model: openai/z, access_key: $UNSET"))
    assert [problem.split(":")[1] for problem in found] == ["4", "5", "6"]
