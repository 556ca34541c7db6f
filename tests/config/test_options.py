"""The options' defaults, and every key of both files, against ``docs/configuration.md``."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from plano_agents.config import Breaker, Limits, Retries, Timeouts
from plano_agents.config.schema import PlanoFile
from plano_agents.config.sections import Section
from plano_agents.config.settings import SettingsFile

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def read_keys(heading: str) -> set[str]:
    """The first column's keys under a heading, ``[]`` left out; ``.b`` continues the key before it."""
    keys: set[str] = set()
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for line in section.splitlines():
        parent = ""
        for key in re.findall(r"`([^`]+)`", line.split("|")[1]) if line.startswith("| `") else ():
            full = f"{parent}{key}" if key.startswith(".") else key
            parent = full.rpartition(".")[0]
            keys.add(re.sub(r"\[\]|\.<\w+>", "", full))
    return keys


def list_keys(kind: type[Section], prefix: str = "") -> Iterator[str]:
    """The keys of a section that hold values, sections within it included."""
    for name, field in kind.model_fields.items():
        inner = list(find_sections(field.annotation))
        if not inner:
            yield f"{prefix}{name}"
        for section in inner:
            yield from list_keys(section, f"{prefix}{name}.")


def find_sections(annotation: object) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from find_sections(argument)


@pytest.mark.parametrize(
    ("heading", "kind"), [("config.yaml", PlanoFile), ("plano-agents.yaml", SettingsFile)]
)
def test_every_key_is_documented(heading: str, kind: type[Section]) -> None:
    documented = read_keys(heading)
    missing = [
        key
        for key in list_keys(kind)
        if not any(key == told or key.startswith(f"{told}.") for told in documented)
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("heading", "kind"), [("config.yaml", PlanoFile), ("plano-agents.yaml", SettingsFile)]
)
def test_only_keys_that_exist_are_documented(heading: str, kind: type[Section]) -> None:
    keys = set(list_keys(kind))
    assert [
        told
        for told in read_keys(heading)
        if not any(key == told or key.startswith(f"{told}.") for key in keys)
    ] == []


@pytest.mark.parametrize(
    ("section", "rules"),
    [("timeouts", Timeouts()), ("retries", Retries()), ("breaker", Breaker()), ("limits", Limits())],
)
def test_the_documented_defaults_are_the_rules(
    section: str, rules: Timeouts | Retries | Breaker | Limits
) -> None:
    page = PAGE.read_text()
    for field in fields(rules):
        value = getattr(rules, field.name)
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        assert f"| `{section}.{field.name}` | `{shown}` |" in page
