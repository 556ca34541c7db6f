"""The kit's fixtures, in a project that has nothing but the package installed."""

import subprocess
import sys
from pathlib import Path

import pytest

PLAIN = ["-p", "no:cacheprovider", "-q"]


def run_pytest(folder: Path, source: str, *options: str) -> "subprocess.CompletedProcess[str]":
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", *PLAIN, *options, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_fixtures_are_found_without_a_word_in_a_conftest(tmp_path: Path) -> None:
    source = """
from plano_agents.openai import OpenAI
from plano_agents.testing import call_tool

def ask(url):
    with OpenAI(base_url=url) as client:
        return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])

def test_a_router(offline_router):
    assert ask(offline_router).choices[0].message.content

def test_an_upstream(fake_upstream):
    assert ask(fake_upstream.url).choices[0].message.content == "Hello."
    fake_upstream.answer_with(call_tool("look_up"))
    assert ask(fake_upstream.url).choices[0].message.tool_calls[0].function.name == "look_up"
    assert len(fake_upstream.exchanges) == 2
"""
    done = run_pytest(tmp_path, source)
    assert "2 passed" in done.stdout, done.stdout


def test_a_projects_own_configuration_is_the_routers(tmp_path: Path) -> None:
    source = """
import json, urllib.request
import pytest

@pytest.fixture(scope="session")
def plano_config():
    return "{version: v0.4.0, listeners: [{type: model, name: m, port: 1}], model_providers: [{model: openai/mine}]}"

def test_a_router(offline_router):
    models = json.load(urllib.request.urlopen(f"{offline_router}/models"))["data"]
    assert [model["id"] for model in models] == ["openai/mine"]
"""
    done = run_pytest(tmp_path, source)
    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("options", [[], ["-p", "no:plano_agents"]])
def test_projects_that_do_not_use_them_load_nothing(tmp_path: Path, options: list[str]) -> None:
    source = """
import sys

def test_it():
    found = sorted(name for name in sys.modules if name.startswith("plano_agents"))
    assert set(found) <= {"plano_agents", "plano_agents.testing", "plano_agents.testing.plugin"}
"""
    done = run_pytest(tmp_path, source, *options)
    assert "1 passed" in done.stdout, done.stdout


def test_the_suite_of_session_stores_is_collected_from_a_subclass(tmp_path: Path) -> None:
    source = """
from contextlib import asynccontextmanager
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.store import Held
from plano_agents.testing import SessionStoreSuite

class Forgetful(MemorySessionStore):
    async def get(self, key):
        return Held(None)

class TestForgetful(SessionStoreSuite):
    @asynccontextmanager
    async def open_store(self):
        yield Forgetful(max_entries=100)
"""
    done = run_pytest(tmp_path, source)
    assert "TestForgetful::test_a_pin_is_found_again" in done.stdout
    assert "assert None == Pin(" in done.stdout
