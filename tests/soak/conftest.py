"""Fixtures of the long tests: the router's event loop, room for many connections, a place for their figures."""

import asyncio
import resource
from collections.abc import Callable

import pytest
import uvloop

OPEN_FILES = 8192
"""How many file descriptors the tests, and the routers that they start, may have open."""


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True, scope="session")
def many_open_files() -> None:
    """Some systems allow 1,024 unless asked for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a figure, whatever is captured."""

    def print_figure(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}")  # noqa: T201 - figures are what these tests are run for

    return print_figure
