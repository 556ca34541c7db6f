import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from plano_agents.cli.main import Commands, cli
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


def test_the_garbage_collector_does_not_look_at_what_is_loaded() -> None:
    """There is no garbage in it, and 150 looks take a twentieth of the start."""
    program = (
        "import gc, sys\n"
        "from plano_agents.__main__ import main\n"
        "sys.argv = ['plano-agents', 'up', '--help']\n"
        "looks = []\n"
        "gc.callbacks.append(lambda phase, _: looks.append(phase))\n"
        "try: main()\n"
        "finally: print(f'\\n{len(looks)}')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "0"


class Interrupted(Commands):
    """The program, whose user presses Ctrl-C at once."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        def press() -> None:
            raise KeyboardInterrupt

        return click.Command(cmd_name, callback=press)


def test_ctrl_c_is_told_in_a_word_and_ends_with_a_shells_status() -> None:
    ended = CliRunner().invoke(Interrupted(), ["launch"])
    assert (ended.exit_code, ended.stderr.split()) == (130, ["interrupted"])


def test_a_misspelt_command_is_told_with_the_nearest() -> None:
    ended = CliRunner().invoke(cli, ["lauch", "claude"])
    assert (ended.exit_code, "There is no command 'lauch'; did you mean 'launch'?" in ended.stderr) == (2, True)
