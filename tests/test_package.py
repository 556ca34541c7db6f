"""The package itself: light to import, with every public name in its place."""

import subprocess
import sys
from types import ModuleType

import pytest

import plano_agents
import plano_agents.anthropic
import plano_agents.openai

HEAVY = [
    "aiohttp",
    "fastapi",
    "langchain",
    "langchain_core",
    "langchain_openai",
    "langgraph",
    "numpy",
    "openai",
]
HEAVY += ["pydantic"]


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = f"import sys, plano_agents; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_importing_the_test_kit_loads_nothing_heavy() -> None:
    program = (
        f"import sys, plano_agents.testing; print(*[name for name in {[*HEAVY, 'pytest']!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_opening_a_scope_loads_nothing_heavy() -> None:
    program = (
        "import sys, plano_agents\n"
        "with plano_agents.model_affinity(): pass\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", plano_agents.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(plano_agents, name).__name__ == name
    assert name in dir(plano_agents)


PUBLIC = [
    *[(plano_agents, name) for name in plano_agents.__all__],
    *[(plano_agents.openai, name) for name in plano_agents.openai.__all__],
    *[(plano_agents.anthropic, name) for name in plano_agents.anthropic.__all__],
]


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=lambda value: getattr(value, "__name__", value))
def test_every_public_name_has_an_example(module: ModuleType, name: str) -> None:
    """They run with the other tests, as pytest collects them from the docstrings."""
    assert ">>> " in (getattr(module, name).__doc__ or "")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'ChatPlanet'"):
        _ = plano_agents.ChatPlanet


def test_starting_the_router_loads_neither_pydantic_nor_a_web_framework() -> None:
    names = ["fastapi", "numpy", "openai", "pydantic"]
    program = (
        "import sys, plano_agents.cli.up, plano_agents.router.run\n"
        f"print(*[name for name in {names!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
