import subprocess
import sys

import pytest

from tests.cli.conftest import run


@pytest.mark.parametrize("arguments", [("--help",), ("up", "--help"), ("simulate", "-h"), ("--version",)])
def test_help_is_there(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).returncode == 0


def test_the_metrics_library_is_not_loaded_before_somebody_asks_for_metrics() -> None:
    program = (
        "import sys, plano_agents.cli.main, plano_agents.cli.up, plano_agents.router.run\n"
        "print(*[name for name in sys.modules if name.startswith('prometheus_client')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
