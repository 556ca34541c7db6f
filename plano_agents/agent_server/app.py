"""The agent server: any LangGraph graph with a ``messages`` state, behind HTTP.

This module puts the surfaces together; each says which requests there are and how they are answered, ``runs`` what a
run is, ``connection`` what goes for all of them.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from plano_agents.affinity import AFFINITY_HEADER, AffinitySource, check_affinity_source
from plano_agents.agent_server.agent_surface import add_agent_surface
from plano_agents.agent_server.connection import (
    AffinityMiddleware,
    BodyLimitMiddleware,
    KeyMiddleware,
)
from plano_agents.agent_server.metrics import MetricsMiddleware
from plano_agents.agent_server.openai_surface import add_openai_surface
from plano_agents.agent_server.refusals import add_refusals
from plano_agents.agent_server.runs import Agent
from plano_agents.agent_server.settings import ServerSettings
from plano_agents.agent_server.tools import Graph
from plano_agents.agent_server.traces import TraceMiddleware, open_tracing
from plano_agents.errors import EndpointNotFoundError
from plano_agents.extras import describe_missing
from plano_agents.http.api_page import add_api_page
from plano_agents.http.health_page import HEALTH_PATHS, add_health_page
from plano_agents.http.origin import KeylessDoor
from plano_agents.http.server.budget import BufferBudget
from plano_agents.integrations.httpx import instrument
from plano_agents.observe import exposition


def create_app(
    graph: Graph,
    settings: ServerSettings | None = None,
    *,
    affinity: AffinitySource | None = None,
    buffered: BufferBudget | None = None,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> FastAPI:
    """Put a graph behind HTTP.

    The app's lifespan opens the place where threads are kept, and puts the affinity id on tools' own requests to the
    router; servers run it, an app that mounts this one enters
    ``router.lifespan_context`` in its own.

    Args:
        graph: A compiled graph with a ``messages`` state.
        settings: Names, keys, limits, and where threads are kept; all have defaults.
        affinity: What a run's affinity id comes from where its client sends none, ``run`` or ``thread``; the settings'
            where None.
        buffered: Counts the bytes that the app's server buffers for clients, for its metrics.
        clock: Seconds on a clock that never goes back, for durations.
        now: Unix time in seconds, for ``created``.

    Returns:
        The application; its pages are under ``/docs``.

    Raises:
        ConfigError: The graph is not compiled, or has no ``messages`` state.
        ValueError: ``affinity`` is neither ``run`` nor ``thread``.

    Example:
        >>> from langchain.agents import create_agent
        >>> from plano_agents import ChatPlano
        >>> app = create_app(create_agent(ChatPlano(model="gpt-4o-mini")), ServerSettings(name="scout"))
        >>> app.title
        'scout: an agent server'
    """
    settings = settings if settings is not None else ServerSettings()
    if affinity is not None:
        settings = settings.model_copy(update={"affinity": check_affinity_source(affinity)})
    agent = Agent(graph, settings, buffered=buffered, clock=clock)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None, None]:
        instrument(*settings.router_urls)
        async with agent.memory.open(), open_tracing(settings) as agent.tracing:
            yield

    app = FastAPI(
        title=f"{settings.name}: an agent server",
        description="Runs an agent. Every model call of a run carries one affinity id, so that the router keeps it "
        "on one model.",
        lifespan=lifespan,
        # Newer versions make spans of their own, and log what exceptions say, which may be a prompt.
        telemetry={"tracing": False, "logs": False},
        docs_url=None,
        redoc_url=None,
    )
    add_api_page(app)
    add_health_page(app)
    add_agent_surface(app, agent)
    add_openai_surface(app, agent, now=now)
    _add_ag_ui_surface(app, agent)

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Requests, runs and their durations, in Prometheus' text format."""
        await exposition.load()
        return Response(exposition.render(agent.metrics.tallies), media_type=exposition.CONTENT_TYPE)

    add_refusals(app)
    # What is added last is asked first.
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes)
    app.add_middleware(AffinityMiddleware)
    app.add_middleware(TraceMiddleware, agent=agent, open_paths=HEALTH_PATHS)
    door = KeylessDoor(settings.allowed_hosts, settings.cors_origins)
    app.add_middleware(KeyMiddleware, hashes=settings.api_keys, door=door)
    app.add_middleware(MetricsMiddleware, metrics=agent.metrics)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("*",),  # each SDK sends its own: x-stainless-…, openai-…, anthropic-…
            expose_headers=(AFFINITY_HEADER,),
        )
    return app


def _add_ag_ui_surface(app: FastAPI, agent: Agent) -> None:
    """Add AG-UI where its package is installed, or else what says that it is not."""
    try:
        from plano_agents.agent_server.ag_ui_surface import add_ag_ui_surface  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        missing = error.name

        @app.post("/ag-ui", include_in_schema=False)
        async def explain() -> None:
            raise EndpointNotFoundError(describe_missing("AG-UI", "ag-ui", missing))
    else:
        add_ag_ui_surface(app, agent)
