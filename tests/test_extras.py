"""Extras: each missing package is told with the extra that brings it, and a command that asks nobody for our name."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from plano_agents.extras import PARTS, build_command, write_command

WHEEL = "file:///home/me/plano_agents-0.1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        ({"url": WHEEL, "archive_info": {}}, f"pip install 'plano-agents[otel] @ {WHEEL}'"),
        ({"url": "file:///src/clone", "dir_info": {}}, "pip install 'plano-agents[otel] @ file:///src/clone'"),
        (
            {"url": "https://git.example.org/plano", "vcs_info": {"vcs": "git", "commit_id": "ab12"}},
            "pip install 'plano-agents[otel] @ git+https://git.example.org/plano@ab12'",
        ),
        ({"url": "file:///src/my%20clone", "dir_info": {"editable": True}}, "pip install -e '/src/my clone[otel]'"),
        ({"url": "file:///here", "dir_info": {"editable": True}}, "scripts/uv sync --inexact --extra otel"),
        ({}, "pip install 'plano-agents[otel]'"),
    ],
)
def test_the_command_installs_from_where_plano_agents_came(origin: dict[str, Any], command: str) -> None:
    assert build_command("otel", origin, Path("/here/.venv")) == command


def test_in_a_clone_the_command_is_the_clones() -> None:
    assert write_command("otel") == "scripts/uv sync --inexact --extra otel"


def test_every_package_of_a_part_is_known_as_one(root: Path) -> None:
    """But for uvicorn, which nothing imports."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    needs = {
        Requirement(each).name
        for part in ("langchain", "router", "server")
        for each in project["optional-dependencies"][part]
    }
    brought = {
        module
        for module, sources in packages_distributions().items()
        if needs & {source.lower().replace("_", "-") for source in sources} and not module.startswith("_")
    }
    assert brought - {"langgraph_checkpoint_sqlite", "plano_agents", "uvicorn"} <= PARTS


def run_without(package: str, program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own in which a package cannot be imported."""
    program = f"import sys; sys.modules[{package!r}] = None\n{program}"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["ChatPlano", "ModelAffinityMiddleware", "ModelAffinityMixin"])
def test_a_public_name_without_its_package_names_the_extra(name: str) -> None:
    ended = run_without("langchain_core", f"from plano_agents import {name}")
    assert f"{name} needs the package 'langchain_core" in ended.stderr
    assert "The extra 'langchain' brings it. Run: " in ended.stderr


def test_the_anthropic_clients_name_their_extra() -> None:
    ended = run_without("anthropic", "import plano_agents.anthropic")
    assert "The extra 'anthropic' brings it. Run: " in ended.stderr


def test_the_test_kit_names_the_extra_that_its_router_needs() -> None:
    ended = run_without("yaml", "from plano_agents.testing import offline_router")
    assert "offline_router needs the package 'yaml'" in ended.stderr
    assert "The extra 'router' brings it. Run: " in ended.stderr


def test_the_agent_server_as_a_library_names_its_extra() -> None:
    ended = run_without("langgraph", "from plano_agents.agent_server.app import create_app")
    assert "The agent server needs the package 'langgraph" in ended.stderr
    assert "The extra 'server' brings it. Run: " in ended.stderr


RUN_COMMAND = "from plano_agents.__main__ import main; sys.argv[1:] = {arguments!r}; main()"


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (["up", "--offline"], "yaml", "router"),
        (["up", "--offline", "--port", "0"], "httptools", "router"),
        (["demo", "--fast"], "rich", "router"),
        (["serve", "agent:graph"], "langgraph", "server"),
    ],
)
def test_a_command_without_its_packages_names_the_extra_in_a_line(
    arguments: list[str], package: str, extra: str
) -> None:
    ended = run_without(package, RUN_COMMAND.format(arguments=arguments))
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert f"'plano-agents {arguments[0]}' needs the package '{package}" in line
    assert f"The extra '{extra}' brings it. Run: " in line


def test_the_help_lists_commands_whose_packages_are_missing() -> None:
    ended = run_without("yaml", RUN_COMMAND.format(arguments=["--help"]))
    assert ended.returncode == 0, ended.stderr
    assert "(needs the extra 'router')" in ended.stdout
