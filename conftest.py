"""What all tests share: the project's root, a real router on simulated models, and the docstrings' examples."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.rest import DocTestParser

from plano_agents.demos.child import local_router

ROOT = Path(__file__).parent

settings.register_profile(
    "any machine", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

_DOCSTRINGS = Sybil(
    parsers=[DocTestParser()],
    patterns=["plano_agents/*.py", "plano_agents/**/*.py"],
    document_types={".py": PythonDocStringDocument},
    fixtures=["reader"],
)
pytest_collect_file = _DOCSTRINGS.pytest()


def pytest_configure() -> None:
    """Ignore what the caller ignores (``nohup``, a shell's background) by handlers, which no program of a test inherits."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def offline_router() -> Iterator[str]:
    """The base URL of a router process on the project's own configuration, every provider simulated."""
    with local_router(ROOT / "config.yaml", offline=True, fast=True) as url:
        yield url


@pytest.fixture(scope="module")
def reader(offline_router: str) -> Iterator[None]:
    """A reader who types a docstring's example beside a running router."""
    before = os.environ.get("PLANO_BASE_URL")
    os.environ["PLANO_BASE_URL"] = offline_router
    yield
    if before is None:
        del os.environ["PLANO_BASE_URL"]
    else:
        os.environ["PLANO_BASE_URL"] = before
