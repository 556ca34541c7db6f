"""The demo as a command: ``plano-agents demo``, and ``demo.py`` in a checkout."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import click

from plano_agents.affinity import new_affinity_id, parse_affinity_id
from plano_agents.demos.child import LEAVE_LIVE_OUT, ChildNotStartedError, local_router
from plano_agents.demos.terminal import exit_without_output, interruptible
from plano_agents.errors import PlanoError
from plano_agents.integrations.router_address import build_base_url


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
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable trace instead.")
@click.option("--live", is_flag=True, help="Use real providers; their keys are read from the environment.")
@click.option("--fast", is_flag=True, help="Simulated models answer at once.")
def demo_command(
    *, config: Path | None, affinity_id: str | None, model: str | None, as_json: bool, live: bool, fast: bool
) -> None:
    """Run one agent loop twice, without and with model affinity, and compare.

    The models are simulated and nothing leaves this machine, unless --live is given or PLANO_BASE_URL names a
    router, or a Plano, that is already running.
    """
    try:
        affinity_id = parse_affinity_id(affinity_id) if affinity_id is not None else new_affinity_id()
        running = os.environ.get("PLANO_BASE_URL")
        if running and (live or config is not None):
            raise click.UsageError(
                "PLANO_BASE_URL names a router that runs already; --config and --live are for one's own."
            )
        with (
            interruptible(),
            nullcontext(running)
            if running
            else local_router(
                config or find_config(), offline=not live, fast=fast and not live, words=LEAVE_LIVE_OUT
            ) as router,
        ):
            from plano_agents.demos.comparison import compare  # noqa: PLC0415 - loads while the router starts

            simulated = not live and not running
            compare(
                build_base_url(router),
                affinity_id=affinity_id,
                model=model,
                simulated=simulated,
                as_json=as_json,
            )
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
