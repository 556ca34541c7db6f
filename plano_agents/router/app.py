"""The router as one ASGI application: the proxied endpoints as plain ASGI, everything else as FastAPI."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

import plano_agents
from plano_agents.config.model import Config
from plano_agents.errors import EndpointNotFoundError, MethodNotAllowedError, PlanoError, RequestError
from plano_agents.protocol import openai_chat
from plano_agents.router.bugs import report_bug
from plano_agents.router.choice import Chooser
from plano_agents.router.dispatch import Dispatcher, Health
from plano_agents.router.hot_path import HotPath
from plano_agents.router.inspector.answers import OwnInspector
from plano_agents.router.inspector.seam import Inspector, build_observer
from plano_agents.router.inspector.site import InspectorSite
from plano_agents.router.measurements import Fetch, Measurements
from plano_agents.router.metrics import Metrics
from plano_agents.router.openapi import describe_endpoints
from plano_agents.router.operators import build_operators_api
from plano_agents.router.service import Service
from plano_agents.router.strategies import build_strategy
from plano_agents.router.trail import compose_observers
from plano_agents.router.upstream import Upstream
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.strategy import Strategy
from plano_agents.serving.methods import find_methods
from plano_agents.sessions.build import build_store
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.store import SessionStore

logger = logging.getLogger(__name__)

MAX_SHOWN = 60
"""How much of a refused value an error shows."""

LEDGER_ENTRIES = 20_000
"""Of how many sessions the last dispatch is remembered: twice as many as pins are held in memory."""


class Router:
    """The whole router: one ASGI application, whose configuration can be exchanged while it serves.

    Args:
        config: What is configured.
        upstream: Sends to the providers.
        store: Keeps the sessions' pins; None for the one that is configured.
        fetch: Asks the sources of measurements; None leaves them alone.
        strategy: Says which preference a request matches; None for the embedded one.
        inspector: Remembers requests for the page at ``/inspector``; None for this process's own memory.
        clock: Monotonic time in seconds, by which pins expire.

    Raises:
        ConfigError: A configured model cannot be served, or the store cannot be used.
    """

    def __init__(
        self,
        config: Config,
        upstream: Upstream,
        *,
        store: SessionStore | None = None,
        fetch: Fetch | None = None,
        strategy: Strategy | None = None,
        inspector: Inspector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = config.routing.session_cache
        self._upstream = upstream
        self._fetch = fetch
        self._strategy = strategy
        self._watching: asyncio.Task[None] | None = None
        self._warm_up: Callable[[], Awaitable[None]] | None = None
        self._metrics = Metrics()
        self._inspector = inspector if inspector is not None else OwnInspector()
        store = store if store is not None else build_store(config.routing, clock=clock)
        ledger = Ledger(
            max_entries=LEDGER_ENTRIES,
            is_shared=store.is_shared,
            on_violation=self._count_violation,
        )
        if isinstance(store, MemorySessionStore):
            store.on_end = ledger.forget
        self._pinning = Pinning(store, ledger)
        self._serving = self._start(config)

    def configure(self, config: Config) -> None:
        """Exchange the configuration: new requests get the new one, those in flight finish on the old one.

        Pins stay, and the store that holds them; what is known of the providers' health starts anew.

        Raises:
            ConfigError: A configured model cannot be served; the old configuration stays.
        """
        self._serving = self._start(config)
        self._pinning.store.configure(max_entries=config.routing.session_max_entries)
        cache = config.routing.session_cache
        if (cache.type, cache.url) != (self._cache.type, self._cache.url):
            logger.warning(
                "routing.session_cache has changed: pins stay where they are until the router is restarted"
            )

    async def connect(self) -> None:
        """Look whether the session store answers; one that does not is told, and requests go on without it."""
        await self._pinning.store.connect()

    async def warm_up(self) -> None:
        """Load what routing needs before a request does; without preferences nothing is."""
        if self._warm_up is not None:
            await self._warm_up()

    def stop(self) -> None:
        """End the answers that have no end of their own: the router stops."""
        self._inspector.close()

    async def aclose(self) -> None:
        """Stop asking the sources of measurements, and let go of the session store."""
        self._stop_watching()
        await self._pinning.store.aclose()

    def _count_violation(self) -> None:
        self._metrics.count_violation()
        self._inspector.count_violation()

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI has it."""
        await self._serving(scope, receive, send)

    def _start(self, config: Config) -> ASGIApp:
        """Build what serves a configuration, and let its measurements take the old ones' place."""
        measurements = Measurements(config.metrics_sources, self._fetch) if self._fetch is not None else None

        def read_metrics() -> Mapping[str, ModelMetrics]:
            return measurements.metrics if measurements is not None else {}

        strategy, health = self._strategy or build_strategy(config, self._upstream), Health(config)
        service = Service(
            config,
            chooser=Chooser(
                config,
                strategy,
                read_metrics,
                is_down=health.is_down,
            ),
            pinning=self._pinning,
            dispatcher=Dispatcher(config, self._upstream, health),
            observe=compose_observers(self._metrics.observe, build_observer(self._inspector, read_metrics)),
        )
        self._warm_up = partial(strategy.warm_up, config.preferences) if config.preferences else None
        self._stop_watching()
        if measurements is not None and config.metrics_sources:
            self._watching = asyncio.get_running_loop().create_task(measurements.watch())
        pages = create_pages(config)
        pages.include_router(build_operators_api(config, self._pinning.store, self._metrics))
        return HotPath(InspectorSite(pages, self._inspector, config), service, config)


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
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if kind is MethodNotAllowedError:
            headers["allow"] = find_methods(app, request.scope)
        content = openai_chat.encode_error(failure)
        return Response(content, kind.status_code, media_type="application/json", headers=headers)

    @app.exception_handler(PlanoError)
    async def answer_error(_request: Request, error: PlanoError) -> Response:
        return _answer(error)

    @app.exception_handler(RequestValidationError)
    async def answer_invalid_request(_request: Request, error: RequestValidationError) -> Response:
        return _answer(_explain(error))

    @app.exception_handler(Exception)
    async def answer_bug(_request: Request, error: Exception) -> Response:
        return _answer(report_bug(error, uuid.uuid4().hex))

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


def _answer(error: PlanoError) -> Response:
    return Response(openai_chat.encode_error(error), error.status_code, media_type="application/json")


def _explain(error: RequestValidationError) -> RequestError:
    """Name the first parameter at fault; only query parameters are checked by FastAPI here."""
    first = error.errors()[0]
    name = str(first["loc"][-1])
    if first["type"] == "extra_forbidden":
        return RequestError(f"There is no parameter {name!r} here. See /docs for what there is.", param=name)
    given = str(first["input"])[:MAX_SHOWN]
    return RequestError(f"The parameter {name!r} is {given!r}: {first['msg'].lower()}.", param=name)


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
