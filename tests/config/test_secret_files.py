"""Secrets in files of their own: read with the settings, told without their words, and looked at for changes."""

import os
from pathlib import Path

import pytest

from plano_agents.config import Config, load_config, render_config
from plano_agents.config.client_keys import build_client_key
from plano_agents.config.secret_files import LOOK_SECONDS, SecretChanges, find_stamp
from plano_agents.errors import ConfigError

KEYED = """\
version: v0.4.0
listeners: []
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY}
"""


def load(folder: Path, settings: str, *, environ: dict[str, str] | None = None, offline: bool = False) -> Config:
    (folder / "config.yaml").write_text(KEYED)
    (folder / "plano-agents.yaml").write_text(settings)
    return load_config(folder / "config.yaml", environ=environ or {}, offline=offline)


def read_key(config: Config) -> str | None:
    key = config.models[0].access_key
    return None if key is None else key.get_secret_value()


MODEL = "models: {openai/gpt-4o: {access_key: {file: key}}}"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_models_key_stands_in_a_file_beside_the_settings(tmp_path: Path, end: str) -> None:
    (tmp_path / "key").write_text(f"sk-in-a-file{end}")
    config = load(tmp_path, MODEL)
    assert read_key(config) == "sk-in-a-file"
    assert "sk-in-a-file" not in render_config(config)


def test_a_path_may_be_absolute(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere"
    path.write_text("sk-elsewhere")
    assert read_key(load(tmp_path, f"models: {{openai/gpt-4o: {{access_key: {{file: {path}}}}}}}")) == "sk-elsewhere"


def test_a_models_key_of_the_settings_may_come_from_the_environment(tmp_path: Path) -> None:
    config = load(tmp_path, "models: {openai/gpt-4o: {access_key: $OTHER}}", environ={"OTHER": "sk-other"})
    assert read_key(config) == "sk-other"


def test_deployments_client_keys_and_the_admin_token_stand_in_files_too(tmp_path: Path) -> None:
    for name in ("east", "client", "admin"):
        (tmp_path / name).write_text(f"sk-{name}\n")
    deployments = "[{name: east, access_key: {file: east}}]"
    config = load(
        tmp_path,
        f"models: {{openai/gpt-4o: {{deployments: {deployments}}}}}\n"
        "client_keys: [{file: client}]\nadmin_token: {file: admin}",
    )
    found = [config.models[0].deployments[0].access_key, config.admin_token]
    assert [secret and secret.get_secret_value() for secret in found] == ["sk-east", "sk-admin"]
    assert config.client_keys == (build_client_key("sk-client"),)
    assert [path.name for path in config.secret_files] == ["client", "east", "admin"]


def test_offline_no_providers_file_is_read(tmp_path: Path) -> None:
    config = load(tmp_path, MODEL, offline=True)
    assert (read_key(config), config.secret_files) == (None, {})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "the secret of openai/gpt-4o cannot be read. {path}: there is no such file. Write the secret into it."),
        ("\n", "the file 'key', with the secret of openai/gpt-4o, is empty."),
        ("sk-one\nsk-two", "the secret of openai/gpt-4o, from the file 'key', cannot go into an HTTP header."),
    ],
)
def test_a_file_without_a_secret_is_told_by_its_line_and_never_shown(
    tmp_path: Path, content: str | None, told: str
) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, MODEL)
    assert f"plano-agents.yaml:1: {told.format(path=tmp_path / 'key')}" in caught.value.message
    assert "sk-" not in caught.value.message


@pytest.mark.parametrize("given", ["{path: sk-x}", "{file: key, mode: sk-x}", "{file: ''}", "{file: [sk-x]}"])
def test_what_is_neither_text_nor_a_file_is_refused_and_not_repeated(tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigError, match="a secret is text, ") as caught:
        load(tmp_path, f"models: {{openai/gpt-4o: {{access_key: {given}}}}}")
    assert "sk-x" not in caught.value.message


@pytest.mark.parametrize(
    "deployments",
    [
        "[{name: a, access_key: sk-a}, {name: b, access_key: sk-b}]",
        "[{name: a, access_key: sk-a}, {name: b, base_url: 'http://b.example'}]",
    ],
)
def test_a_model_whose_deployments_all_have_keys_or_hosts_of_their_own_needs_none(
    tmp_path: Path, deployments: str
) -> None:
    config = load(tmp_path, f"models: {{openai/gpt-4o: {{deployments: {deployments}}}}}")
    assert read_key(config) is None


def test_a_deployment_that_uses_the_models_key_still_needs_it(tmp_path: Path) -> None:
    deployments = "[{name: a, access_key: sk-a}, {name: b}]"
    with pytest.raises(ConfigError, match=r"\$OPENAI_API_KEY is not set \(needed by openai/gpt-4o\)"):
        load(tmp_path, f"models: {{openai/gpt-4o: {{deployments: {deployments}}}}}")


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def watch(*paths: Path) -> tuple[SecretChanges, Clock]:
    clock = Clock()
    return SecretChanges({path: find_stamp(path) for path in paths}, clock=clock), clock


def look(changes: SecretChanges, clock: Clock, times: int = 3) -> list[bool]:
    """Look several times, each when it is due."""
    found = []
    for _ in range(times):
        clock.now += LOOK_SECONDS
        found.append(changes.look())
    return found


def test_a_written_file_is_told_once_when_it_is_the_same_for_two_looks(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("one")
    changes, clock = watch(tmp_path / "key")
    assert look(changes, clock) == [False] * 3
    (tmp_path / "key").write_text("two, which is longer")
    assert look(changes, clock) == [False, True, False]


def test_a_file_that_is_still_written_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("one")
    changes, clock = watch(tmp_path / "key")
    (tmp_path / "key").write_text("")
    assert look(changes, clock, 1) == [False]
    (tmp_path / "key").write_text("two, which is longer")
    assert look(changes, clock) == [False, True, False]


def test_a_link_that_leads_elsewhere_is_a_change(tmp_path: Path) -> None:
    """As Kubernetes exchanges a mounted secret."""
    for name in ("old", "new"):
        (tmp_path / name).write_text("same")
    os.utime(tmp_path / "new", ns=(0, (tmp_path / "old").stat().st_mtime_ns))
    (tmp_path / "key").symlink_to("old")
    changes, clock = watch(tmp_path / "key")
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").replace(tmp_path / "key")
    assert look(changes, clock) == [False, True, False]


def test_between_looks_no_file_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("one")
    changes, clock = watch(tmp_path / "key")
    (tmp_path / "key").write_text("two, which is longer")
    assert look(changes, clock, 1) == [False]
    assert [changes.look() for _ in range(3)] == [False] * 3


def test_what_was_read_meanwhile_is_no_change(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("one")
    changes, clock = watch(tmp_path / "key")
    (tmp_path / "key").write_text("two, which is longer")
    changes.follow({tmp_path / "key": find_stamp(tmp_path / "key")})
    assert look(changes, clock) == [False] * 3
