"""The directory where several processes share their counts."""

import os
from pathlib import Path

import pytest

from plano_agents import serving


def test_the_directory_of_shared_metrics_is_named_while_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/before")
    with serving.shared_metrics():
        named = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        assert list(named.iterdir()) == []
    assert (named.exists(), os.environ["PROMETHEUS_MULTIPROC_DIR"]) == (False, "/before")
