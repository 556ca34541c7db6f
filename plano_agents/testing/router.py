"""A router for as long as a test needs one: a process of its own, whose providers are simulated or fake."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from plano_agents.config.settings import SETTINGS_NAME
from plano_agents.demos.child import local_router

CONFIG = """\
version: v0.4.0
listeners: [{type: model, name: model_listener, port: 12000}]
model_providers:
  - {model: openai/gpt-4o-mini, default: true}
  - {model: openai/gpt-4o}
  - {model: anthropic/claude-sonnet-4-6}
routing_preferences:
  - name: code_generation
    description: generating new code snippets, functions, schemas or boilerplate
    models: [anthropic/claude-sonnet-4-6, openai/gpt-4o]
  - name: complex_reasoning
    description: deep analysis, weighing trade-offs, mathematical problem solving and logical reasoning
    models: [openai/gpt-4o, anthropic/claude-sonnet-4-6]
"""
"""The configuration of a router that a test gives none."""


@contextmanager
def offline_router(
    config: Path | str = CONFIG, *, settings: str | None = None, upstream: str | None = None
) -> Iterator[str]:
    """Run a router that asks no provider, until the ``with`` ends.

    Args:
        config: A ``config.yaml``: its path, or its text. By default three models and two preferences.
        settings: The text of a ``plano-agents.yaml``; by default the one beside ``config``, if that is a path.
        upstream: The address that serves every model, such as a `FakeUpstream`'s ``url``; by default the models are
            simulated, and answer at once.

    Yields:
        The router's base URL, ``/v1`` included: what ``PLANO_BASE_URL`` takes.

    Raises:
        ChildNotStartedError: It did not start, for a reason that stands on standard error.

    Example:
        >>> from plano_agents.openai import OpenAI
        >>> from plano_agents.testing import offline_router
        >>> with offline_router() as url, OpenAI(base_url=url, affinity_id="run-1") as client:
        ...     answers = [
        ...         client.chat.completions.create(
        ...             model="gpt-4o-mini", messages=[{"role": "user", "content": text}]
        ...         )
        ...         for text in ("Write a function that sorts a list.", "Thanks!")
        ...     ]
        >>> [answer.model for answer in answers]
        ['claude-sonnet-4-6', 'claude-sonnet-4-6']
    """
    if isinstance(config, Path) and settings is None and upstream is None:
        with local_router(config, offline=True, fast=True) as url:
            yield url
        return
    with TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        text = config.read_text("utf-8") if isinstance(config, Path) else config
        path.write_text(text if upstream is None else _send_to(upstream, text), "utf-8")
        if settings is None and isinstance(config, Path) and config.with_name(SETTINGS_NAME).exists():
            settings = config.with_name(SETTINGS_NAME).read_text("utf-8")
        if settings is not None:
            path.with_name(SETTINGS_NAME).write_text(settings, "utf-8")
        with local_router(path, offline=upstream is None, fast=upstream is None) as url:
            yield url


def _send_to(upstream: str, text: str) -> str:
    """Put one address behind every provider of a configuration, and ask nobody else, such as for prices."""
    document = yaml.safe_load(text)
    document.pop("model_metrics_sources", None)
    for entry in document.get("model_providers") or document.get("llm_providers") or ():
        entry |= {"base_url": upstream, "access_key": "fake"}
    return json.dumps(document)
