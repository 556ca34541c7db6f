"""The configuration's files."""

import re
from pathlib import Path

import pytest

from plano_agents.config import load_config
from plano_agents.errors import ConfigError


@pytest.fixture
def path(tmp_path: Path, minimal: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(minimal)
    return path


def fail(path: Path, settings_path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, settings_path=settings_path, environ={})
    (problem,) = caught.value.problems
    return problem


def test_a_file_alone_is_enough(path: Path) -> None:
    assert load_config(path, environ={}).models[0].name == "openai/gpt-4o"


def test_a_byte_order_mark_is_no_obstacle(path: Path, minimal: str) -> None:
    path.write_text(minimal, encoding="utf-8-sig")
    assert load_config(str(path), environ={}).models


def test_settings_beside_the_file_are_read(path: Path) -> None:
    path.with_name("plano-agents.yaml").write_text("limits: {max_body_bytes: 9}")
    assert load_config(path, environ={}).limits.max_body_bytes == 9


def test_given_settings_are_read_instead(path: Path, tmp_path: Path) -> None:
    path.with_name("plano-agents.yaml").write_text("limits: {max_body_bytes: 9}")
    given = tmp_path / "mine.yaml"
    given.write_text("limits: {max_body_bytes: 8}")
    assert load_config(path, settings_path=given, environ={}).limits.max_body_bytes == 8


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "absent.yaml"
    assert fail(path) == f"{path}: there is no such file. Give the path of a config.yaml in Plano's schema."


def test_missing_settings_that_were_asked_for_are_told(path: Path, tmp_path: Path) -> None:
    assert "absent.yaml: there is no such file." in fail(path, tmp_path / "absent.yaml")


def test_a_directory_is_told(tmp_path: Path) -> None:
    assert "this is a directory, not a file" in fail(tmp_path)


def test_a_file_that_is_not_utf_8_is_told_by_its_line(path: Path) -> None:
    path.write_bytes(b"a: 1\nb: \xff\n")
    assert re.search(r"config\.yaml:2: the file is not UTF-8", fail(path))


def test_a_path_that_cannot_be_one_is_told(path: Path) -> None:
    assert "the file cannot be read" in fail(path / "below")
    assert "the file cannot be read" in fail(Path("a\0b"))
