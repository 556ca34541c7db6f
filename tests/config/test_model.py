"""The configuration's values, once read."""

from collections.abc import Callable

import pytest

from plano_agents.config import Config

Parse = Callable[..., Config]


def test_offline_nothing_is_fetched_from_anywhere(parse: Parse, minimal: str) -> None:
    text = minimal + (
        "model_metrics_sources: [{type: cost, provider: models.dev}]\noverrides: {upstream_tls_ca_path: /etc/ca.pem}\n"
    )
    config = parse(text, settings_text="proxy_from_environment: true").offline("http://127.0.0.1:9")
    assert config.metrics_sources == ()
    assert config.proxy_from_environment is False
    assert config.overrides.upstream_tls_ca_path is None
    assert {model.base_url for model in config.models} == {"http://127.0.0.1:9"}


def declare(*models: str, aliases: str = "{}") -> str:
    entries = ", ".join(f"{{model: {model}}}" for model in models)
    return f"version: v0.4.0\nlisteners: []\nmodel_providers: [{entries}]\nmodel_aliases: {aliases}\n"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("openai/o3", "openai/o3"),
        ("openrouter/openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("meta/llama", "openrouter/meta/llama"),
        ("llama3", "groq/llama3"),
        ("four", "openrouter/openai/gpt-4o"),
        ("openai/*", None),
        ("openai/", None),
        ("openai/.", None),
        ("openai/..", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_a_qualified_name_comes_before_a_wildcard_and_that_before_a_bare_id(
    parse: Parse, name: str, found: str | None
) -> None:
    config = parse(
        declare(
            "openai/*",
            "openrouter/openai/gpt-4o",
            "openrouter/meta/llama",
            "groq/llama3",
            aliases="{four: {target: openrouter/openai/gpt-4o}}",
        )
    )
    model = config.find_model(name)
    assert (model and model.name) == found


def test_without_its_wildcard_a_bare_id_with_a_slash_is_found(parse: Parse) -> None:
    model = parse(declare("openrouter/openai/gpt-4o")).find_model("openai/gpt-4o")
    assert model is not None
    assert model.name == "openrouter/openai/gpt-4o"
