"""The suites that start routers as processes, run by the story alone: they run by the fast path everywhere else.

Those with the router in the test's own process take every way by themselves (`tests.router.ways`).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITES = (
    "tests/end_to_end/test_surfaces.py",
    "tests/end_to_end/test_restart.py",
    "tests/end_to_end/test_agents.py",
    "tests/end_to_end/test_agent_server.py",
    "tests/end_to_end/test_threads.py",
    "tests/router/test_failures_signals.py",
    "tests/replicas/test_first_turns.py",
)
STORY_ALONE = """\
import sys
from importlib.util import find_spec


class StoryAlone:
    def find_spec(self, name, path=None, target=None):
        if name != "plano_agents.router.app":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            module.Router.__init__.__kwdefaults__["takes_fast_path"] = False

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, StoryAlone())
"""
IS_OFF = "from plano_agents.router.app import Router; print(Router.__init__.__kwdefaults__['takes_fast_path'])"


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_holds_without_the_fast_path(suite: str, tmp_path: Path) -> None:
    """A folder whose `sitecustomize` switches the fast path off in each Python process that is started with it."""
    (tmp_path / "sitecustomize.py").write_text(STORY_ALONE)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{ran.stdout[-4_000:]} {ran.stderr[-1_000:]}"
        return ran.stdout

    assert run("-c", IS_OFF) == "False\n"
    run("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", suite)
