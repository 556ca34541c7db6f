"""The router as one ASGI application: the proxied endpoints as plain ASGI, everything else as FastAPI."""

import time
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

import plano_agents
from plano_agents.config.model import Config
from plano_agents.errors import EndpointNotFoundError, MethodNotAllowedError
from plano_agents.protocol import openai_chat
from plano_agents.router.hot_path import HotPath
from plano_agents.router.service import ChatService
from plano_agents.router.upstream import Upstream
from plano_agents.routing.lexical import LexicalStrategy
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pinning import Pinning


def build_router(
    config: Config, upstream: Upstream, *, clock: Callable[[], float] = time.monotonic
) -> ASGIApp:
    """Put a whole router together, with its pins in memory.

    Args:
        config: What is configured.
        upstream: Sends to the providers.
        clock: Monotonic time in seconds, by which pins expire.

    Returns:
        The application, for any ASGI server.

    Raises:
        ConfigError: A configured model cannot be served.
    """
    store = MemorySessionStore(
        ttl_seconds=config.routing.session_ttl_seconds,
        max_entries=config.routing.session_max_entries,
        clock=clock,
    )
    service = ChatService(config, strategy=LexicalStrategy(), pinning=Pinning(store), upstream=upstream)
    return create_app(config, service)


def create_app(config: Config, service: ChatService) -> ASGIApp:
    """Put the router's endpoints together.

    Args:
        config: What is configured; listed at ``/v1/models``.
        service: Answers chat requests.

    Returns:
        The application, for any ASGI server.
    """
    app = FastAPI(title="plano-agents router", version=plano_agents.__version__)

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

    @app.get("/v1/models", summary="Configured models and aliases, in OpenAI's form")
    async def models() -> JSONResponse:
        return JSONResponse({"object": "list", "data": list_models(config)})

    return HotPath(app, service, config)


def list_models(config: Config) -> list[dict[str, str | int]]:
    """List what clients may name as ``model``: declared models, then aliases, in OpenAI's form."""
    declared = {model.name: model.provider for model in config.models}
    aliases = {
        alias: declared.get(target, target.partition("/")[0]) for alias, target in config.aliases.items()
    }
    return [
        {"id": name, "object": "model", "created": 0, "owned_by": owner}
        for name, owner in (declared | aliases).items()
    ]
