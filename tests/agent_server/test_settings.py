"""Settings from YAML: checked at once, all problems told, secrets kept."""

from pathlib import Path

import pytest

from plano_agents.agent_server.settings import build_settings, load_settings
from plano_agents.errors import ConfigError


def test_defaults_are_those_that_the_documentation_names() -> None:
    settings = build_settings()
    assert (settings.max_body_bytes, settings.run_seconds, settings.tool_seconds) == (2**25, 600, 60)
    assert (settings.recursion_limit, settings.cors_origins, settings.log_content) == (50, (), False)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("name: scout\nbusy_threads: queue\ncors_origins: ['https://app.example.com']\n")
    settings = build_settings(**load_settings(path))
    assert (settings.name, settings.max_waiting) == ("scout", 16)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("naem: scout", "'naem' is not a setting. The settings are: name, "),
        ("run_seconds: 0", "run_seconds: input should be greater than 0; got 0"),
        ("busy_threads: wait", "busy_threads: input should be 'reject' or 'queue'; got 'wait'"),
        ("cors_origins: [app.example.com]", "'app.example.com' is not an origin"),
        ("allowed_hosts: ['agents.example.com:8000']", "'agents.example.com:8000' is not the name of a host"),
        ("api_keys: {'a b': sha256:00}", "api_keys"),
        ("checkpoints: mysql://me:secret@host/db", "'host/db' is not a place for threads"),
        ("[1]", "settings are a mapping; got list"),
        ("name: [", ":2: this is not YAML"),
    ],
)
def test_what_does_not_fit_is_told_with_the_file_and_no_secret(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(text + "\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert told in caught.value.message
    assert str(path) in caught.value.message
    assert "secret" not in caught.value.message


def test_every_problem_is_told(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("run_seconds: -1\ntool_seconds: -1\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert len(caught.value.problems) == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml.*No such file"):
        load_settings(tmp_path / "nowhere.yaml")


def test_a_postgres_password_is_not_in_the_repr() -> None:
    assert "secret" not in repr(build_settings(checkpoints="postgresql://me:secret@host/db"))
