"""Serve the database-selection agent: its graph, behind the agent server."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until it serves, it ends without a word

import os
import sys

import click
from fastapi import FastAPI

from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.run import build_site, serve_site
from plano_agents.agent_server.settings import ServerSettings, build_settings
from plano_agents.agent_server.tools import Graph
from plano_agents.demos.database_agent import NAME, build_graph
from plano_agents.errors import ConfigError
from plano_agents.integrations.router_address import VARIABLES, build_base_url, find_router
from plano_agents.observe.log import announce, configure_log
from plano_agents.processes import bind, check_exposure, run, url_of

ROUTER_URL = "http://127.0.0.1:12000/v1"
CHECKPOINTS = "sqlite:///threads.sqlite"


def build_agent(router_url: str, *, model: str, checkpoints: str) -> tuple[Graph, ServerSettings]:
    """Build the agent's graph, and the settings that it is served by.

    Raises:
        ConfigError: ``checkpoints`` names no place that is known.
        ValueError: ``router_url`` is no address.
    """
    router = build_base_url(router_url)
    settings = build_settings(name=NAME, checkpoints=checkpoints, router_urls=[router])
    return build_graph(base_url=router, model=model), settings


def __getattr__(name: str) -> FastAPI:
    """Build ``app`` when it is asked for, so that ``uvicorn agent:app`` serves the agent as well."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    router_url = find_router() or ROUTER_URL
    checkpoints = os.environ.get("PLANO_AGENT_CHECKPOINTS", CHECKPOINTS)
    return create_app(*build_agent(router_url, model="", checkpoints=checkpoints))


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    envvar="AGENT_PORT",
    show_envvar=True,
    help="The port; 0 takes any that is free.",
)
@click.option(
    "--router-url",
    default=ROUTER_URL,
    envvar=VARIABLES,
    show_envvar=True,
    help="The router (or Plano) that models are asked through.",
)
@click.option("--model", default="", help="The model to ask for where no route matches; the router's own if not given.")
@click.option(
    "--checkpoints",
    metavar="URL",
    default=CHECKPOINTS,
    envvar="PLANO_AGENT_CHECKPOINTS",
    show_envvar=True,
    help="Where threads are kept: a SQLite file, postgresql://…, memory or none.",
)
@click.option("--no-auth", is_flag=True, help="Listen beyond this machine although clients need no key.")
def main(*, host: str, port: int, router_url: str, model: str, checkpoints: str, no_auth: bool) -> None:
    """Serve the database-selection agent.

    POST /agent/run runs it, POST /v1/chat/completions does so for OpenAI clients, /docs describes both. Any other
    graph is served by: plano-agents serve module:graph
    """
    configure_log("info", environ=os.environ)
    try:
        graph, settings = build_agent(router_url, model=model, checkpoints=checkpoints)
        check_exposure(host, is_guarded=no_auth, way_out="Listen on 127.0.0.1, or add --no-auth if that is meant.")
        site = build_site(graph, settings, bind(host, port))
        line = f"agent server listening on {url_of(site.listener)}"
        run(serve_site(site, on_ready=lambda: announce(line)))
    except (ConfigError, ValueError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
