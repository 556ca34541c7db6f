"""Router and agent server together: what ``./start_agents.sh`` runs.

Both are processes of their own; they stop together, on Ctrl-C, on SIGTERM, or when one of them ends.
"""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from plano_agents.demos.child import AGENT_READY, local_router, running_server
from plano_agents.errors import PlanoError
from plano_agents.integrations.router_address import build_base_url

ROOT = Path(__file__).parents[2]
QUESTION = "PostgreSQL or MongoDB for an e-commerce platform with consistent orders and flexible products?"
PORT = click.IntRange(0, 65535)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=ROOT / "config.yaml",
    help="The router's config.yaml  [default: the project's]",
)
@click.option("--live", is_flag=True, help="Use real providers; their keys are read from the environment.")
@click.option("--fast", is_flag=True, help="Simulated models answer at once.")
@click.option(
    "--router-port",
    type=PORT,
    envvar="ROUTER_PORT",
    default=12_000,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--agent-port",
    type=PORT,
    envvar="AGENT_PORT",
    default=8_000,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--router-url",
    envvar="PLANO_BASE_URL",
    help="A router, or a Plano, that runs already; none is started then.",
)
def main(
    *, config: Path, live: bool, fast: bool, router_port: int, agent_port: int, router_url: str | None
) -> None:
    """Start the router and the agent server, and stop both on Ctrl-C.

    The models are simulated and nothing leaves this machine, unless --live or --router-url is given. Ports and the
    router's address are also read from ROUTER_PORT, AGENT_PORT and PLANO_BASE_URL.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    ended: list[str] = []

    def note_end() -> None:
        if not stop.is_set():
            ended.append("error: a server ended by itself; see above for its reason.")
            stop.set()

    try:
        with (
            _router(router_url, config, port=router_port, live=live, fast=fast, on_exit=note_end) as router,
            running_server(
                [str(ROOT / "agent.py"), "--port", str(agent_port), "--router-url", router],
                AGENT_READY,
                show=click.echo,
                on_exit=note_end,
            ) as agent,
        ):
            click.echo(describe(agent, offline=router_url is None and not live))
            stop.wait()
            stop.set()
    except (PlanoError, ValueError) as error:
        if not stop.is_set():
            ended.append(f"error: {error}")
    for line in ended:
        click.echo(line, err=True)
    sys.exit(1 if ended else 0)


def describe(agent: str, *, offline: bool) -> str:
    """Say what runs and how to ask it.

    Args:
        agent: The agent server's address.
        offline: Whether the models are simulated.
    """
    body = json.dumps({"input": QUESTION})
    models = (
        "The models are simulated, the routing is real; nothing leaves this machine.\n" if offline else ""
    )
    return (
        f"{models}Try:\n\n  curl -s {agent}/agent/run -H 'Content-Type: application/json' \\\n"
        f"    -H 'X-Model-Affinity: my-first-run' -d '{body}'\n\nAPI: {agent}/docs   Ctrl-C stops both."
    )


@contextmanager
def _router(
    url: str | None, config: Path, *, port: int, live: bool, fast: bool, on_exit: Callable[[], None]
) -> Iterator[str]:
    """Use the router that runs already, or run one."""
    if url:
        yield build_base_url(url)
        return
    with local_router(
        config, port=port, offline=not live, fast=fast and not live, show=click.echo, on_exit=on_exit
    ) as started:
        yield started


if __name__ == "__main__":
    main()
