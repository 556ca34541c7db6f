"""Texts and helpers that the tests of the configuration share."""

from collections.abc import Callable

import pytest

from plano_agents.config import Config, parse_config
from plano_agents.errors import ConfigError

SECRET = "sk-do-not-show-0123456789"
"""A literal key; no message may hold it."""

MINIMAL = """\
version: v0.4.0
listeners: []
model_providers:
  - model: openai/gpt-4o
"""

Parse = Callable[..., Config]
Problems = Callable[..., tuple[str, ...]]


@pytest.fixture
def minimal() -> str:
    return MINIMAL


@pytest.fixture
def secret() -> str:
    return SECRET


@pytest.fixture
def parse() -> Parse:
    """Parse a text as config.yaml, with no variables set unless given."""

    def parse_text(text: str, **options: object) -> Config:
        return parse_config(text, **({"source": "config.yaml", "environ": {}} | options))  # type: ignore[arg-type]  # options are the test's own

    return parse_text


@pytest.fixture
def problems(parse: Parse) -> Problems:
    """The problems that a text has; none for a good one."""

    def find_problems(text: str, **options: object) -> tuple[str, ...]:
        try:
            parse(text, **options)
        except ConfigError as error:
            return error.problems
        return ()

    return find_problems
