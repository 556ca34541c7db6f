"""An agent server as a program: it says where it listens and what clients need, and serves until it is told to stop."""

import socket
from collections.abc import Callable

from fastapi import FastAPI
from fastapi.routing import APIRoute

from plano_agents.agent_server.settings import ServerSettings
from plano_agents.observe.log import writing_in_background
from plano_agents.processes import Site, serve, url_of

NO_AUTH_NEEDED = (
    "Give clients keys (plano-agents hash-key) and put their hashes under api_keys into the settings, or listen on "
    "127.0.0.1, or add --no-auth if that is meant."
)
"""The way out for who would listen where strangers could ask."""


async def serve_app(app: FastAPI, listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        app: What `create_app` made.
        listener: Where to listen.
        on_ready: Called once it does.

    Raises:
        ConfigError: The place where threads are kept cannot be opened.
    """
    with writing_in_background():
        await serve([Site(app, listener, budget=app.state.buffered)], on_ready=on_ready)


def describe(app: FastAPI, settings: ServerSettings, listener: socket.socket, place: str) -> str:
    """Say what is served and where, for the terminal.

    Args:
        app: What is served.
        settings: What is configured.
        listener: Where it listens.
        place: Where threads are kept.
    """
    answers = [
        route.path
        for route in app.routes
        if isinstance(route, APIRoute) and route.methods == {"POST"} and route.include_in_schema
    ]
    rows = [
        ("agent", settings.name),
        ("threads", place),
        ("keys", ", ".join(settings.api_keys) or "none: any client that reaches this address may ask"),
        ("answers", ", ".join(answers)),
    ]
    lines = [f"agent server listening on {url_of(listener)}"]
    lines += [f"  {name:<8} {value}" for name, value in rows]
    return "\n".join([*lines, f"API: {url_of(listener)}/docs   Ctrl-C stops it."])
