"""The wheel alone, without a checkout, with each of its extras: what a user installs."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.children import running
from tests.installing import set_up

FULL = frozenset({"fastapi", "langchain", "langgraph", "numpy", "uvicorn"})
"""What the parts bring, and the base does not."""

ASK = """
from plano_agents import model_affinity
from plano_agents.openai import OpenAI
with OpenAI() as client, model_affinity("from-the-wheel"):
    for text in ("Write a function that sorts a list.", "Thanks!"):
        print(client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": text}]).model)
"""

ASK_BY_LANGCHAIN = """
from plano_agents import ChatPlano, model_affinity
with model_affinity("from-the-wheel-by-langchain"):
    for text in ("Write a function that sorts a list.", "Thanks!"):
        print(ChatPlano(model="gpt-4o-mini").invoke(text).response_metadata["plano"]["decision"])
"""

GRAPH = """
from langchain.agents import create_agent
from plano_agents import ChatPlano
graph = create_agent(ChatPlano(model="gpt-4o-mini"))
"""

RUN = """
import json, sys, urllib.request
body = json.dumps({"input": "What is 2 + 3?"}).encode()
request = urllib.request.Request(sys.argv[1] + "/agent/run", body, {"Content-Type": "application/json"})
with urllib.request.urlopen(request) as answer:
    print(json.load(answer)["switches"])
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """A fresh environment with the wheel and one of its extras."""

    folder: Path
    """The environment's folder, and where its programs run."""
    router: str
    """The base URL of a router, the tests' own."""

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python code, or ``plano-agents``."""
        command = [program] if program == "plano-agents" else ["python", "-c", program]
        return subprocess.run(
            self.command(*command, *arguments),
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, program: str, *arguments: str) -> Sequence[str]:
        """A program of the environment, with arguments."""
        return [str(self.folder / "bin" / program), *arguments]

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its programs, with nothing of the checkout."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PLANO_BASE_URL": self.router}

    def packages(self) -> set[str]:
        """The packages of `FULL` that are there."""
        return {each for each in FULL if any(self.folder.glob(f"lib/python*/site-packages/{each}"))}


@pytest.fixture(scope="module")
def install(root: Path, tmp_path_factory: pytest.TempPathFactory, offline_router: str) -> Callable[[str], Installed]:
    """Build the wheel once, and install it with an extra, each extra once."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = str(root / "scripts" / "uv")
    build = [uv, "build", "--quiet", "--wheel", "--out-dir", str(folder), str(root)]
    set_up(build, folder=root, environ={"GITHUB_REPOSITORY": "owner/name", "GITHUB_SHA": "abc123"})
    (wheel,) = folder.glob("*.whl")

    @cache
    def install_with(extra: str) -> Installed:
        place = folder / (extra or "base")
        set_up([uv, "venv", "--quiet", "--python", sys.executable, str(place)], folder=folder)
        needs = f"{wheel}[{extra}]" if extra else str(wheel)
        into = ["--quiet", "--python", str(place / "bin" / "python"), "--constraint", str(root / "constraints.txt")]
        set_up([uv, "pip", "install", *into, needs], folder=folder)
        return Installed(place, offline_router)

    return install_with


def test_an_index_page_shows_the_readmes_pictures_and_follows_its_links(install: Callable[[str], Installed]) -> None:
    ended = install("").run("from importlib.metadata import metadata; print(metadata('plano-agents').get_payload())")
    assert "(https://github.com/owner/name/raw/abc123/docs/images/demo.svg)" in ended.stdout
    assert "(https://github.com/owner/name/blob/abc123/docs/affinity.md)" in ended.stdout
    assert re.findall(r"\]\((?!https?://)[^)]*\)", ended.stdout) == []


def test_the_base_keeps_the_model_of_openai_clients(install: Callable[[str], Installed]) -> None:
    base = install("")
    assert base.packages() == set()
    ended = base.run(ASK)
    assert ended.stdout.split() == ["claude-sonnet-4-6", "claude-sonnet-4-6"], ended.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(["up", "--offline"], "router"), (["demo"], "router"), (["serve", "my_agent:graph"], "server")],
)
def test_the_base_names_the_extra_of_a_command_and_the_wheel_that_has_it(
    arguments: list[str], extra: str, install: Callable[[str], Installed]
) -> None:
    ended = install("").run("plano-agents", *arguments)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert f"The extra '{extra}' brings it. Run: pip install 'plano-agents[{extra}] @ file:///" in line
    assert line.endswith("-py3-none-any.whl'")


def test_the_command_that_the_base_names_installs_the_extra(install: Callable[[str], Installed], root: Path) -> None:
    """Run by uv, as pip would; the environment becomes one with the extra."""
    place = install("langchain")
    program = "from plano_agents.extras import write_command; print(write_command('server'))"
    _, _, needs = place.run(program).stdout.strip().partition("pip install ")
    uv, python = str(root / "scripts" / "uv"), str(place.folder / "bin" / "python")
    set_up([uv, "pip", "install", "--quiet", "--dry-run", "--python", python, needs.strip("'")], folder=place.folder)


def test_langchain_alone_keeps_the_model_of_a_chain(install: Callable[[str], Installed]) -> None:
    langchain = install("langchain")
    assert langchain.packages() == {"langchain", "langgraph"}
    ended = langchain.run(ASK_BY_LANGCHAIN)
    assert ended.stdout.split() == ["initialize", "retain"], ended.stderr


def test_the_router_alone_runs_the_demo(install: Callable[[str], Installed]) -> None:
    router = install("router")
    assert router.packages() == {"fastapi", "numpy"}
    ended = router.run("plano-agents", "demo", "--fast", "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)


@pytest.mark.parametrize("extra", ["server", "all"])
def test_the_server_runs_an_agent(extra: str, install: Callable[[str], Installed]) -> None:
    server = install(extra)
    assert server.packages() == (FULL if extra == "all" else FULL - {"numpy"})
    (server.folder / "my_agent.py").write_text(GRAPH)
    serve = server.command("plano-agents", "serve", "my_agent:graph", "--port", "0", "--checkpoints", "none")
    with running(serve, cwd=server.folder, environ=server.environ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stdout.readline()
        assert said.startswith("agent server listening on "), process.stderr.read()
        ended = server.run(RUN, said.split()[-1])
    assert ended.stdout.split() == ["0"], ended.stderr


def test_all_lists_every_command_with_its_purpose(install: Callable[[str], Installed]) -> None:
    ended = install("all").run("plano-agents", "--help")
    assert ended.returncode == 0, ended.stderr
    assert "needs the extra" not in ended.stdout
