"""Router and agent server together: what ``./start_agents.sh`` runs.

Both are processes of their own; they stop together, on Ctrl-C, on SIGTERM, or when one of them ends.
"""

import http.client
import json
import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from plano_agents.demos.child import (
    AGENT_READY,
    LEAVE_LIVE_OUT,
    ChildNotStartedError,
    local_router,
    running_server,
)
from plano_agents.demos.terminal import exit_without_output, interruptible
from plano_agents.errors import ConfigError, PlanoError
from plano_agents.integrations.router_address import VARIABLES, build_base_url, name_url
from plano_agents.processes import bind

ROOT = Path(__file__).parents[2]
QUESTION = "Compare PostgreSQL and MongoDB for our shop, weigh the trade-offs, decide."
CHECK_SECONDS = 5
"""How long a router that runs already may take to answer."""

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
    envvar=VARIABLES,
    help="A router, or a Plano, that runs already; none is started then.",
)
def main(*, config: Path, live: bool, fast: bool, router_port: int, agent_port: int, router_url: str | None) -> None:
    """Start the router and the agent server, and stop both on Ctrl-C.

    The models are simulated and nothing leaves this machine, unless --live or --router-url is given. Ports and the
    router's address are also read from ROUTER_PORT, AGENT_PORT and PLANO_BASE_URL (or PLANO_URL).
    """
    one_ended = threading.Event()
    if sys.stdout.isatty():
        os.environ.setdefault("FORCE_COLOR", "1")  # the servers' lines go through here
    try:
        _check_port(agent_port)
        with (
            interruptible(),
            _router(router_url, config, port=router_port, live=live, fast=fast, on_exit=one_ended.set) as router,
            running_server(
                [str(ROOT / "agent.py"), "--port", str(agent_port), "--router-url", router],
                AGENT_READY,
                words={"--port": "--agent-port"},
                show=click.echo,
                on_exit=one_ended.set,
            ) as agent,
        ):
            click.echo(describe(agent, offline=router_url is None and not live))
            one_ended.wait()
    except KeyboardInterrupt:
        sys.exit(0)
    except ChildNotStartedError:
        sys.exit(1)  # it has said why
    except (PlanoError, ValueError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        exit_without_output(error)
    click.echo("error: A server ended by itself; see above for its reason.", err=True)
    sys.exit(1)


def _check_port(port: int) -> None:
    """Look whether the agent server's port is free, before the router starts.

    Raises:
        ConfigError: It is not.
    """
    try:
        bind("127.0.0.1", port).close()
    except ConfigError as error:
        raise ConfigError(error.message.replace("--port", "--agent-port")) from error


def describe(agent: str, *, offline: bool) -> str:
    """Say what runs and how to ask it.

    Args:
        agent: The agent server's address.
        offline: Whether the models are simulated.
    """
    body = json.dumps({"input": QUESTION})
    models = "The models are simulated, the routing is real; nothing leaves this machine.\n" if offline else ""
    return (
        f"{models}Try (add -H 'Accept: text/event-stream' to see it as it happens):\n\n"
        f"  curl -s {agent}/agent/run -H 'Content-Type: application/json' \\\n"
        f"    -H 'X-Model-Affinity: my-first-run' \\\n    -d '{body}'\n\nAPI: {agent}/docs   Ctrl-C stops both."
    )


@contextmanager
def _router(
    url: str | None, config: Path, *, port: int, live: bool, fast: bool, on_exit: Callable[[], None]
) -> Iterator[str]:
    """Use the router that runs already, or run one."""
    if url:
        yield _check_router(build_base_url(url))
        return
    with local_router(
        config,
        port=port,
        offline=not live,
        fast=fast and not live,
        words={"--port": "--router-port", **LEAVE_LIVE_OUT},
        show=click.echo,
        on_exit=on_exit,
    ) as started:
        yield started


def _check_router(url: str) -> str:
    """See that a router answers at an address, and give it back.

    Raises:
        RouterMissingError: None does.
    """
    try:
        with urllib.request.urlopen(f"{url}/models", timeout=CHECK_SECONDS) as answer:  # noqa: S310 - http or https, as checked
            if answer.headers.get_content_subtype() != "json":
                raise RouterMissingError(
                    f"What answers at {name_url(url)} is not a router: its list of models is {answer.headers.get_content_type()}. "
                    "Give the address of one, or leave out --router-url, PLANO_BASE_URL and PLANO_URL."
                )
            return url
    except urllib.error.HTTPError:
        return url  # it answers; whether it lets us in is shown by the first run
    except (OSError, http.client.HTTPException) as error:
        raise RouterMissingError(
            f"No router answers at {name_url(url)} ({getattr(error, 'reason', error)}). Start it, or leave out --router-url, "
            "PLANO_BASE_URL and PLANO_URL."
        ) from error


class RouterMissingError(PlanoError):
    """The router that is said to run does not."""

    code = "router_missing"
