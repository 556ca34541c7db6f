"""An agent server as a program: it says where it listens and what goes for clients, and serves until it is told to stop."""

import logging
import socket
from collections.abc import Callable

from fastapi import FastAPI
from fastapi.routing import APIRoute

from plano_agents.server.log import OneLineFormatter
from plano_agents.server.settings import ServerSettings
from plano_agents.serving import Site, serve, url_of

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
    # Entered here already, for a server tells a failed start of its own by a traceback.
    async with app.router.lifespan_context(app):
        await serve([Site(app, listener)], on_ready=on_ready)


def configure_log(level: int, *, log_content: bool) -> None:
    """Have every log record written as one line on standard error; other libraries' from warnings on.

    Args:
        level: The least that is told of our own.
        log_content: Whether what is said may be told.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(OneLineFormatter(log_content=log_content))
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.getLogger("plano_agents").setLevel(level)
    logging.captureWarnings(capture=True)


def describe(app: FastAPI, settings: ServerSettings, listener: socket.socket) -> str:
    """Say what is served and where, for the terminal.

    Args:
        app: What is served.
        settings: What is configured.
        listener: Where it listens.
    """
    answers = [
        route.path for route in app.routes if isinstance(route, APIRoute) and route.methods == {"POST"}
    ]
    rows = [
        ("agent", settings.name),
        ("threads", app.state.threads),
        ("keys", ", ".join(settings.api_keys) or "none: whoever reaches this address may ask"),
        ("answers", ", ".join(answers)),
    ]
    lines = [f"agent server listening on {url_of(listener)}"]
    lines += [f"  {name:<8} {value}" for name, value in rows]
    return "\n".join([*lines, f"API: {url_of(listener)}/docs   Ctrl-C stops it."])
