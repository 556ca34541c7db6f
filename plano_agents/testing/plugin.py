"""Fixtures for pytest, which finds them by itself: ``-p no:plano_agents`` leaves them out."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plano_agents.testing.upstream import FakeUpstream

pytest.register_assert_rewrite("plano_agents.testing.session_store")


@pytest.fixture(scope="session")
def plano_config() -> Path | str:
    """The configuration of `offline_router`, a path or a text; override it with your own."""
    from plano_agents.testing.router import CONFIG  # noqa: PLC0415 - loads where it is asked for

    return CONFIG


@pytest.fixture(scope="session")
def offline_router(plano_config: Path | str) -> Iterator[str]:
    """The base URL of a router on simulated models, one for all tests."""
    from plano_agents.testing.router import offline_router  # noqa: PLC0415 - loads where it is asked for

    with offline_router(plano_config) as url:
        yield url


@pytest.fixture
def fake_upstream() -> "Iterator[FakeUpstream]":
    """A provider on loopback, which says hello until ``fake_upstream.answer_with(…)`` says otherwise."""
    from plano_agents.testing.upstream import FakeUpstream  # noqa: PLC0415 - loads where it is asked for

    with FakeUpstream() as upstream:
        yield upstream
