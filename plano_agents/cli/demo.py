"""The demo as a command: ``plano-agents demo``, and ``demo.py`` in a checkout."""

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from plano_agents.affinity import new_affinity_id, parse_affinity_id
from plano_agents.demos.child import LEAVE_LIVE_OUT, ChildNotStartedError, local_router
from plano_agents.demos.terminal import announcing, exit_without_output, interruptible
from plano_agents.errors import PlanoError
from plano_agents.integrations.router_address import build_base_url, find_router


def find_config() -> Path:
    """Find the demo's ``config.yaml``: a wheel has it in the demos' folder, a checkout at its root."""
    package = Path(__file__).parents[1]
    packaged = package / "demos" / "config.yaml"
    return packaged if packaged.exists() else package.parent / "config.yaml"


@click.command("demo", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The router's config.yaml  [default: the project's own]",
)
@click.option("--affinity-id", help="The second run's affinity id  [default: a new UUID]")
@click.option("--model", help="The model to ask for where no preference matches  [default: the router's own]")
@click.option(
    "--max-turns",
    type=click.IntRange(1),
    default=24,
    show_default=True,
    help="Stop a run after this many turns.",
)
@click.option(
    "--answer", "shows_answers", is_flag=True, help="Also print what the agent wrote: the recommendation first."
)
@click.option(
    "--loops",
    "act",
    flag_value="loops",
    help="Instead show five agents' jobs as strips: which model each turn would go to.",
)
@click.option(
    "--failures",
    "act",
    flag_value="failures",
    help="Instead run once with affinity while providers fail and the router restarts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable trace instead.")
@click.option("--live", is_flag=True, help="Use real providers; their keys are read from the environment.")
@click.option("--fast", is_flag=True, help="Simulated models answer at once.")
def demo_command(
    *,
    config: Path | None,
    affinity_id: str | None,
    model: str | None,
    max_turns: int,
    shows_answers: bool,
    act: str | None,
    as_json: bool,
    live: bool,
    fast: bool,
) -> None:
    """Run one job twice, without and with affinity.

    The models are simulated and nothing leaves this machine, unless --live is given or PLANO_BASE_URL (or PLANO_URL)
    names a router, or a Plano, that is already running.
    """
    try:
        affinity_id = parse_affinity_id(affinity_id) if affinity_id is not None else new_affinity_id()
        running = find_router()
        if running and (live or config is not None):
            raise click.UsageError(
                "PLANO_BASE_URL names a router that runs already; --config and --live are for one's own."
            )
        if act is not None and (as_json or shows_answers):
            raise click.UsageError(f"--{act} is another act; leave --json and --answer out.")
        if act == "failures" and (running or live):
            raise click.UsageError(
                "--failures breaks simulated models; leave --live out and unset PLANO_BASE_URL and PLANO_URL."
            )
        if act == "failures":
            with interruptible():
                from plano_agents.demos.comparison import fail_and_restart  # noqa: PLC0415 - takes a moment

                fail_and_restart(config or find_config(), affinity_id=affinity_id, model=model, fast=fast)
            return
        with interruptible(), ExitStack() as stack:
            with announcing("Starting the router and the simulated models …"):
                router = running or stack.enter_context(
                    local_router(
                        config or find_config(), offline=not live, fast=fast and not live, words=LEAVE_LIVE_OUT
                    )
                )
            with announcing("Loading the OpenAI SDK …"):
                from plano_agents.demos.comparison import Options, compare, compare_loops  # noqa: PLC0415 - takes a moment
            if act == "loops":
                compare_loops(build_base_url(router), model=model)
                return
            options = Options(
                affinity_id=affinity_id,
                model=model,
                max_turns=max_turns,
                simulated=not live and not running,
                as_json=as_json,
                shows_answers=shows_answers,
            )
            compare(build_base_url(router), options)
    except ChildNotStartedError:
        sys.exit(1)  # it has said why
    except (PlanoError, ValueError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        exit_without_output(error)
    except KeyboardInterrupt:
        click.echo("\ninterrupted", err=True)
        sys.exit(130)
