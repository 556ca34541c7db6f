"""The router as one ASGI application: the proxied endpoints as plain ASGI, everything else as FastAPI."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

import plano_agents
from plano_agents.config.model import Config
from plano_agents.errors import EndpointNotFoundError, MethodNotAllowedError
from plano_agents.protocol import openai_chat
from plano_agents.router.choice import Chooser
from plano_agents.router.dispatch import Dispatcher, Health
from plano_agents.router.hot_path import HotPath
from plano_agents.router.measurements import Fetch, Measurements
from plano_agents.router.openapi import describe_endpoints
from plano_agents.router.service import Service
from plano_agents.router.upstream import Upstream
from plano_agents.routing.lexical import LexicalStrategy
from plano_agents.routing.strategy import Strategy
from plano_agents.sessions.build import build_store
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pinning import Pinning

LEDGER_ENTRIES = 20_000
"""Of how many sessions the last dispatch is remembered: twice as many as pins are held in memory."""


class Router:
    """The whole router: one ASGI application, whose configuration can be exchanged while it serves.

    Args:
        config: What is configured.
        upstream: Sends to the providers.
        fetch: Asks the sources of measurements; None leaves them alone.
        strategy: Says which preference a request matches; None for the embedded one.
        clock: Monotonic time in seconds, by which pins expire.

    Raises:
        ConfigError: A configured model cannot be served.
    """

    def __init__(
        self,
        config: Config,
        upstream: Upstream,
        *,
        fetch: Fetch | None = None,
        strategy: Strategy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._fetch = fetch
        self._strategy = strategy or LexicalStrategy()
        self._watching: asyncio.Task[None] | None = None
        store = build_store(config.routing, clock=clock)
        ledger = Ledger(max_entries=LEDGER_ENTRIES, is_shared=store.is_shared)
        if isinstance(store, MemorySessionStore):
            store.on_end = ledger.forget
        self._pinning = Pinning(store, ledger)
        self._serving = self._start(config)

    def configure(self, config: Config) -> None:
        """Exchange the configuration: new requests get the new one, those in flight finish on the old one.

        Pins stay; what is known of the providers' health starts anew.

        Raises:
            ConfigError: A configured model cannot be served; the old configuration stays.
        """
        self._serving = self._start(config)
        self._pinning.store.configure(max_entries=config.routing.session_max_entries)

    async def aclose(self) -> None:
        """Stop asking the sources of measurements, and let go of the session store."""
        self._stop_watching()
        await self._pinning.store.aclose()

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI has it."""
        await self._serving(scope, receive, send)

    def _start(self, config: Config) -> ASGIApp:
        """Build what serves a configuration, and let its measurements take the old ones' place."""
        measurements = Measurements(config.metrics_sources, self._fetch) if self._fetch is not None else None
        service = Service(
            config,
            chooser=Chooser(
                config,
                self._strategy,
                (lambda: measurements.metrics) if measurements is not None else dict,
            ),
            pinning=self._pinning,
            dispatcher=Dispatcher(config, self._upstream, Health(config)),
        )
        self._stop_watching()
        if measurements is not None and config.metrics_sources:
            self._watching = asyncio.get_running_loop().create_task(measurements.watch())
        return HotPath(create_pages(config), service, config)


class _Pages(FastAPI):
    """FastAPI, whose document also describes the proxied endpoints, which it does not serve."""

    def openapi(self) -> dict[str, Any]:
        """Write the OpenAPI document, once."""
        if self.openapi_schema is None:
            self.openapi_schema = describe_endpoints(super().openapi())
        return self.openapi_schema


def create_pages(config: Config) -> FastAPI:
    """Put together what is served beside the proxied endpoints.

    Args:
        config: What is configured; listed at ``/v1/models``.
    """
    app = _Pages(title="plano-agents router", version=plano_agents.__version__, redirect_slashes=False)

    @app.exception_handler(HTTPException)
    async def answer_http_error(request: Request, error: HTTPException) -> Response:
        kind = (
            MethodNotAllowedError
            if error.status_code == MethodNotAllowedError.status_code
            else EndpointNotFoundError
        )
        failure = kind(f"{request.method} {request.url.path} is not served here. See /docs for what is.")
        content = openai_chat.encode_error(failure)
        return Response(content, kind.status_code, media_type="application/json", headers=error.headers)

    @app.get("/healthz", summary="Is the process alive?")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="May requests be sent here?")
    async def readyz() -> dict[str, str]:
        return {"status": "ready"}

    @app.get("/v1/models", summary="Configured models and aliases, in OpenAI's form")
    async def models() -> JSONResponse:
        return JSONResponse({"object": "list", "data": list_models(config)})

    return app


def list_models(config: Config) -> list[dict[str, str | int]]:
    """List what clients may name as ``model``, in OpenAI's form: the default, other models, then aliases."""
    models = sorted(config.models, key=lambda model: model != config.default_model)
    declared = {model.name: model.provider for model in models}
    aliases = {
        alias: declared.get(target, target.partition("/")[0]) for alias, target in config.aliases.items()
    }
    return [
        {"id": name, "object": "model", "created": 0, "owned_by": owner}
        for name, owner in (declared | aliases).items()
    ]
