"""Fixtures of the client tests: a router whose models fail on demand, and SDKs set up once per checkout.

Setting up asks package indexes. Where that fails its tests are skipped; with ``PLANO_REQUIRE_CLIENTS`` set, as CI
sets it, they fail.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from plano_agents.demos.child import local_router, running_server
from tests.patience import PATIENCE_SECONDS

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
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        give_up("node and npm are needed; the dev group brings them: scripts/uv sync --group dev")
    installed, wanted = HERE / "node_modules" / ".package-lock.json", HERE / "package.json"
    with _alone():
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            command = [npm, "install", "--engine-strict", "--no-package-lock", "--no-audit", "--no-fund"]
            # Trust what the system trusts, as behind a company's proxy; and do not try for minutes what fails.
            environ = {"PATH": path, "NODE_OPTIONS": "--use-system-ca", "npm_config_fetch_retries": "1"}
            _set_up(command, environ)
            installed.touch()
    return Path(node)


@pytest.fixture(scope="session")
def openai_2(root: Path) -> Path:
    """A Python with what the project needs, and with version 2 of the OpenAI SDK."""
    return _fill(".openai-2", root, "--requirement", str(root / "pyproject.toml"), "openai<3") / "python"


@pytest.fixture(scope="session")
def langgraph_cli(root: Path) -> Path:
    """LangGraph's command line with its own server, beside the project: it needs older versions of what tests need."""
    return (
        _fill(".langgraph-dev", root, "langgraph-cli[inmem]>=0.4,<1", "--editable", str(root)) / "langgraph"
    )


def _fill(name: str, root: Path, *requirements: str) -> Path:
    """Set up an environment whose versions are not the project's (``--no-config``); give the folder of its programs."""
    folder = HERE / name
    mark, wanted, uv = folder / "complete", root / "pyproject.toml", str(root / "scripts" / "uv")
    with _alone():
        if not mark.exists() or mark.stat().st_mtime < wanted.stat().st_mtime:
            _set_up([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
            into = ["--quiet", "--no-config", "--python", str(folder / "bin" / "python")]
            _set_up([uv, "pip", "install", *into, *requirements])
            mark.touch()
    return folder / "bin"


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time set up; the folder itself is the lock."""
    folder = os.open(HERE, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _set_up(command: list[str], environ: dict[str, str] | None = None) -> None:
    environ = {**os.environ, **(environ or {})}
    ended = subprocess.run(
        command, cwd=HERE, env=environ, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    if ended.returncode:
        give_up(f"{' '.join(command)} failed: {ended.stderr.strip()[-500:]}")


def give_up(reason: str) -> NoReturn:
    """Skip a test whose client cannot be set up; fail it where clients must be there."""
    if os.environ.get("PLANO_REQUIRE_CLIENTS"):
        pytest.fail(reason)
    pytest.skip(reason)
