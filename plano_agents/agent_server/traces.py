"""The agent server's tracing: whether, where to, and the context of a request, which goes on either way.

OpenTelemetry's SDK is loaded here, and only where the settings want traces. In an app that has set OpenTelemetry up
by itself, its provider makes the spans: where they go, and which, is then the app's.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_agents.agent_server.settings import ServerSettings
from plano_agents.observe.spans.destination import find_destination
from plano_agents.trace_context import inbound_trace, parse_trace_context

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from plano_agents.agent_server.tracing import Tracing


class Traced(Protocol):
    """The holder of an agent server's tracing."""

    tracing: "Tracing | None"
    """Makes its spans; None where nothing is traced."""


@asynccontextmanager
async def open_tracing(settings: ServerSettings) -> "AsyncGenerator[Tracing | None, None]":
    """Trace for as long as the context is open; None where the settings, or the environment, want no traces.

    Raises:
        ConfigError: The extra is missing, or the exporter refuses what the environment says.
    """
    apps_own = _find_provider() if settings.trace_sampling > 0 else None
    if apps_own is not None:
        from plano_agents.agent_server.tracing import Tracing  # noqa: PLC0415 - an extra

        yield Tracing(apps_own.get_tracer("plano_agents"), settings)
        return
    destination = find_destination(settings.trace_sampling, None, os.environ)
    if destination is None:
        yield None
        return
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415 - an extra

    from plano_agents.agent_server.tracing import Tracing  # noqa: PLC0415
    from plano_agents.observe.spans.export import Export  # noqa: PLC0415

    sampler = ParentBasedTraceIdRatio(settings.trace_sampling / 100)
    export = Export(destination, service="plano-agents-server", sampler=sampler)
    try:
        yield Tracing(export.tracer, settings)
    finally:
        await asyncio.to_thread(export.close)


def _find_provider() -> "TracerProvider | None":
    """Find the provider that the app has set up; None where nobody has loaded the SDK, or set one."""
    sdk, api = sys.modules.get("opentelemetry.sdk.trace"), sys.modules.get("opentelemetry.trace")
    provider = api.get_tracer_provider() if api is not None else None
    return provider if sdk is not None and isinstance(provider, sdk.TracerProvider) else None


class TraceMiddleware:
    """Has a request's own requests go on with the trace that it came with, and makes its span.

    Args:
        app: What serves.
        agent: Whose traces they are.
        open_paths: What is not traced.
    """

    def __init__(self, app: ASGIApp, *, agent: Traced, open_paths: tuple[str, ...]) -> None:
        self._app = app
        self._agent = agent
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].endswith(self._open_paths):
            await self._app(scope, receive, send)
            return
        parent = parse_trace_context(Headers(scope=scope))
        with inbound_trace(parent):
            if self._agent.tracing is None:
                await self._app(scope, receive, send)
            else:
                await self._agent.tracing.serve(self._app, parent, scope, receive, send)
