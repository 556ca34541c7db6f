"""``plano-agents serve``: any LangGraph graph behind the agent server."""

import os
from pathlib import Path

import click

from plano_agents import processes
from plano_agents.cli.options import log_options
from plano_agents.integrations.router_address import VARIABLES
from plano_agents.observe.log import Form, announce, configure_log


@click.command("serve")
@click.argument("graph", metavar="MODULE:GRAPH")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="PLANO_AGENT_CONFIG",
    help="The server's settings, a YAML file: keys, limits, origins.  [env: PLANO_AGENT_CONFIG]",
)
@click.option("--name", help="The agent's name, which OpenAI clients ask for as the model  [default: agent]")
@click.option(
    "--checkpoints",
    metavar="URL",
    envvar="PLANO_AGENT_CHECKPOINTS",
    help="Where threads are kept: sqlite:///FILE, postgresql://…, memory or none  [default: where the graph's own "
    "checkpointer does, else sqlite:///threads.sqlite]  [env: PLANO_AGENT_CHECKPOINTS]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    envvar="AGENT_PORT",
    help="Port to listen on; 0 takes a free one.  [env: AGENT_PORT]",
)
@click.option(
    "--router-url",
    envvar=VARIABLES,
    help="The router that models are asked through  [default: http://127.0.0.1:12000/v1]  [env: PLANO_BASE_URL, PLANO_URL]",
)
@log_options
@click.option("--no-auth", is_flag=True, help="Listen beyond this machine although clients need no key.")
def serve_command(
    *,
    graph: str,
    config: Path | None,
    name: str | None,
    checkpoints: str | None,
    host: str,
    port: int,
    router_url: str | None,
    log_level: str,
    log_format: Form,
    no_auth: bool,
) -> None:
    """Serve a LangGraph graph over HTTP.

    Its endpoints are POST /agent/run, OpenAI's chat completions and AG-UI.

    MODULE:GRAPH is a compiled graph with a 'messages' state, or a function without arguments that returns one, in a
    module that Python finds from here: my_agent:graph, or by its file, ./my_agent.py:graph.

    Where a service manager passes a listening socket (LISTEN_FDS), the server takes that; --host and --port count for
    nothing then.
    """
    from plano_agents.agent_server import loading, run  # noqa: PLC0415
    from plano_agents.agent_server.memory import describe_place  # noqa: PLC0415
    from plano_agents.agent_server.settings import build_settings, load_settings  # noqa: PLC0415
    from plano_agents.integrations.router_address import build_base_url  # noqa: PLC0415 - these take a moment

    if router_url:
        try:
            os.environ["PLANO_BASE_URL"] = build_base_url(router_url)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    given = load_settings(config) if config is not None else {}
    given |= {"name": name} if name is not None else {}
    given |= {"checkpoints": checkpoints} if checkpoints else {}
    settings = build_settings(**given)
    configure_log(log_level, log_format, log_content=settings.log_content, environ=os.environ)
    loaded = loading.load_graph(graph, Path.cwd())
    (listener,) = processes.open_listeners(
        host, port, 1, environ=os.environ, is_guarded=no_auth or bool(settings.api_keys), way_out=run.NO_AUTH_NEEDED
    )
    site = run.build_site(loaded, settings, listener)
    said = run.describe(site, settings, describe_place(loaded, settings))

    def tell_ready() -> None:
        announce(said)
        processes.tell_ready(os.environ)

    processes.run(run.serve_site(site, on_ready=tell_ready))
    announce("stopped")
