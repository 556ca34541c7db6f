"""What all tests share: the project's root, a real router on simulated models, and the docstrings' examples."""

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.doctest import DoctestItem, DoctestModule
from hypothesis import HealthCheck, settings

from plano_agents import testing

ROOT = Path(__file__).parent

NAMED_MODELS = """\
version: v0.4.0
listeners: [{type: model, name: model_listener, port: 12000}]
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
  - {model: openai/gpt-4o-mini, access_key: $OPENAI_API_KEY}
  - {model: anthropic/claude-sonnet-4-6, access_key: $ANTHROPIC_API_KEY}
  - {model: anthropic/claude-haiku-4-5, access_key: $ANTHROPIC_API_KEY}
"""

settings.register_profile("any machine", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("coverage", settings.get_profile("any machine"), max_examples=10)  # lines need no more
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Ignore the caller's ignored signals (``nohup``, a shell's background) by handlers, which no child inherits."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the examples of the package's docstrings, each docstring a test."""
    if file_path.suffix == ".py" and file_path.is_relative_to(ROOT / "plano_agents"):
        return DoctestModule.from_parent(parent, path=file_path)
    return None


def pytest_collection_finish() -> None:
    """Leave what collecting the tests made out of every garbage collection: a million objects, a second each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def plano_config() -> Path:
    """The project's own configuration, which the kit's ``offline_router`` serves."""
    return ROOT / "config.yaml"


@pytest.fixture(scope="session")
def named_router() -> Iterator[str]:
    """The base URL of a router process without preferences, every provider simulated: the model asked for answers."""
    with testing.offline_router(NAMED_MODELS) as url:
        yield url


@pytest.fixture(autouse=True)
def beside_a_router(request: pytest.FixtureRequest) -> None:
    """Run a docstring's example as its reader types it: beside a running router."""
    if isinstance(request.node, DoctestItem):
        monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        monkeypatch.setenv("PLANO_BASE_URL", request.getfixturevalue("offline_router"))
