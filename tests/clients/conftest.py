"""Fixtures of the client tests: a router whose models fail on demand, and SDKs set up once per checkout.

Setting up asks package indexes; where that fails, ``tests/installing.py`` says what follows.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plano_agents.demos.child import local_router, running_server
from tests.installing import alone_in, find_node, install_packages, set_up

HERE = Path(__file__).parent
SIMULATOR_READY = re.compile(r"simulated models on (\S+)")
PROVIDERS = ("openai", "anthropic")
FAULTS = {
    "steady": None,
    "limited": "status=429;retry-after=7",
    "cut": "cut-after=900",
    "stalled": "stall-after=900",
}
"""What models do, by name; `<provider>/<provider>-<name>` is one."""

PLACES = 4
"""How many requests the router has in flight at most: a client that keeps a place soon finds none."""


@pytest.fixture(scope="session")
def faulty_router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a router in front of simulated models, some of which fail."""
    folder = tmp_path_factory.mktemp("faulty")
    config = folder / "config.yaml"
    with running_server(["-m", "plano_agents", "simulate", "--port", "0"], SIMULATOR_READY) as simulator:
        models = [_declare(provider, name, simulator) for provider in PROVIDERS for name in FAULTS]
        listener = "listeners: [{type: model, name: m, port: 12000}]"
        config.write_text("\n".join(["version: v0.4.0", listener, "model_providers:", *models]))
        (folder / "plano-agents.yaml").write_text(
            f"retries: {{max_per_candidate: 0}}\nlimits: {{max_concurrent_requests: {PLACES}}}\n"
        )
        with local_router(config, offline=False, fast=False) as url:
            yield url


def _declare(provider: str, name: str, simulator: str) -> str:
    fault = FAULTS[name]
    headers = f", headers: {{x-simulate-fault: '{fault}'}}" if fault is not None else ""
    return f"  - {{model: {provider}/{provider}-{name}, base_url: '{simulator}', access_key: none{headers}}}"


@pytest.fixture(scope="session")
def node() -> Path:
    """Node, with the SDKs that ``package.json`` names installed beside the scripts."""
    node, _ = find_node()
    installed, wanted = HERE / "node_modules" / ".package-lock.json", HERE / "package.json"
    with alone_in(HERE):
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            install_packages(HERE, "--engine-strict")
            installed.touch()
    return Path(node)


@pytest.fixture(scope="session")
def openai_2(root: Path) -> Path:
    """A Python with what the project needs, and with version 2 of the OpenAI SDK."""
    return (
        _fill(".openai-2", root, "--requirement", str(root / "pyproject.toml"), "--extra", "all", "openai<3") / "python"
    )


@pytest.fixture(scope="session")
def langgraph_cli(root: Path) -> Path:
    """LangGraph's command line with its own server, beside the project: it needs older versions of what tests need."""
    return _fill(".langgraph-dev", root, "langgraph-cli[inmem]>=0.4,<1", "--editable", f"{root}[all]") / "langgraph"


def _fill(name: str, root: Path, *requirements: str) -> Path:
    """Set up an environment whose versions are not the project's (``--no-config``); give the folder of its programs."""
    folder = HERE / name
    mark, wanted, uv = folder / "complete", root / "pyproject.toml", str(root / "scripts" / "uv")
    with alone_in(HERE):
        if not mark.exists() or mark.stat().st_mtime < wanted.stat().st_mtime:
            set_up([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], folder=HERE)
            into = ["--quiet", "--no-config", "--python", str(folder / "bin" / "python")]
            set_up([uv, "pip", "install", *into, *requirements], folder=HERE)
            mark.touch()
    return folder / "bin"
