"""An agent server as a program: it says where it listens and what clients need, and serves until it is told to stop."""

import socket
from collections.abc import Callable
from typing import cast

from fastapi import FastAPI
from fastapi.routing import APIRoute

from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import ServerSettings
from plano_agents.agent_server.tools import Graph
from plano_agents.http.server.budget import BufferBudget
from plano_agents.observe.log import writing_in_background
from plano_agents.processes import Site, say_open, serve, url_of

NO_AUTH_NEEDED = (
    "Give clients keys (plano-agents hash-key) and put their hashes under api_keys into the settings, or listen on "
    "127.0.0.1, or add --no-auth if that is meant."
)
"""The way out for who would listen where strangers could ask."""


def build_site(graph: Graph, settings: ServerSettings, listener: socket.socket) -> Site:
    """Put a graph behind HTTP on a socket, with a bound on what is buffered for its clients.

    Args:
        graph: A compiled graph with a ``messages`` state.
        settings: What is configured.
        listener: Where to listen.

    Raises:
        ConfigError: The graph is not compiled, or has no ``messages`` state.
    """
    buffered = BufferBudget(settings.max_buffered_bytes)
    return Site(create_app(graph, settings, buffered=buffered), listener, budget=buffered)


async def serve_site(site: Site, *, on_ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        site: What `build_site` made.
        on_ready: Called once it listens.

    Raises:
        ConfigError: The place where threads are kept cannot be opened.
    """
    with writing_in_background():
        await serve([site], on_ready=on_ready)


def describe(site: Site, settings: ServerSettings, place: str) -> str:
    """Say what is served and where, for the terminal.

    Args:
        site: What is served, and where.
        settings: What is configured.
        place: Where threads are kept.
    """
    answers = [
        route.path
        for route in cast("FastAPI", site.app).routes
        if isinstance(route, APIRoute) and route.methods == {"POST"} and route.include_in_schema
    ]
    rows = [
        ("agent", settings.name),
        ("threads", place),
        ("keys", ", ".join(settings.api_keys) or "none: any client that reaches this address may ask"),
        ("answers", ", ".join(answers)),
    ]
    if (opened := say_open(site.listener)) is not None:
        rows.append(("open", opened))
    lines = [f"agent server listening on {url_of(site.listener)}"]
    lines += [f"  {name:<8} {value}" for name, value in rows]
    return "\n".join([*lines, f"API: {url_of(site.listener)}/docs   Ctrl-C stops it."])
