"""The same agent loop twice, without and with model affinity: `uv run demo.py`."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to stop, it ends without a word

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

CONFIG = Path(__file__).with_name("config.yaml")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=CONFIG,
    help="The router's config.yaml  [default: the one beside this file]",
)
@click.option("--affinity-id", help="The second run's affinity id  [default: a new UUID]")
@click.option("--model", help="The model to ask for where no preference matches  [default: the router's own]")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable trace instead.")
@click.option("--live", is_flag=True, help="Use real providers; their keys are read from the environment.")
@click.option("--fast", is_flag=True, help="Simulated models answer at once.")
def main(*, config: Path, affinity_id: str | None, model: str | None, as_json: bool, live: bool, fast: bool) -> None:
    """Run one agent loop twice, without and with model affinity, and compare.

    The models are simulated and nothing leaves this machine, unless --live is given or PLANO_BASE_URL names a
    router, or a Plano, that is already running.
    """
    try:
        affinity_id = parse_affinity_id(affinity_id) if affinity_id is not None else new_affinity_id()
        running = os.environ.get("PLANO_BASE_URL")
        if running and (live or config != CONFIG):
            raise click.UsageError(
                "PLANO_BASE_URL names a router that runs already; --config and --live are for one's own."
            )
        with (
            interruptible(),
            nullcontext(running)
            if running
            else local_router(config, offline=not live, fast=fast and not live, words=LEAVE_LIVE_OUT) as router,
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


if __name__ == "__main__":
    main()
