import pytest

from plano_agents.config.model import Config
from plano_agents.config.plano import parse_config
from plano_agents.config.starter import STARTERS, Starter, write_starter
from plano_agents.providers.profiles import find_known
from plano_agents.providers.target import build_target


def load(environ: dict[str, str], **ollama: object) -> Config:
    return parse_config(write_starter(environ, **ollama), source="config.yaml", environ=environ)  # type: ignore[arg-type]


@pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.provider)
def test_a_key_is_enough_for_a_configuration_that_serves(starter: Starter) -> None:
    config = load({starter.variables[-1]: "sk-any"})
    assert [model.provider for model in config.models] == [starter.provider] * len(config.models)
    assert [build_target(model) for model in config.models]
    assert config.models[0].default


@pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.provider)
def test_every_model_has_a_row_of_its_own(starter: Starter) -> None:
    names = {starter.small, starter.coder, starter.thinker}
    assert [name for name in names if find_known(name).context_window is None] == []


def test_the_first_provider_gives_the_default_and_each_preference_has_all() -> None:
    config = load({"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "b"})
    assert config.default_model is not None
    assert config.default_model.name == "openai/gpt-5.4-mini"
    assert [[name.partition("/")[0] for name in each.models] for each in config.preferences] == [
        ["anthropic", "openai"],
        ["openai", "anthropic"],
    ]


def test_a_local_ollama_is_served_alone() -> None:
    config = load({}, ollama_url="http://127.0.0.1:11434", ollama_models=["llama3.2:latest"])
    assert [(model.name, model.base_url) for model in config.models] == [
        ("ollama/llama3.2:latest", "http://127.0.0.1:11434")
    ]


def test_no_key_stands_in_the_file() -> None:
    assert "sk-secret" not in write_starter({"OPENAI_API_KEY": "sk-secret"})


def test_without_a_key_the_file_names_the_variables_of_the_largest_providers() -> None:
    text = write_starter({})
    assert all(variable in text for variable in ("$OPENAI_API_KEY", "$ANTHROPIC_API_KEY"))
