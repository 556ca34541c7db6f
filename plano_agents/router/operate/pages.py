"""The pages beside the proxied endpoints, as FastAPI: models and documentation; operators' are added to them."""

import uuid
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

import plano_agents
from plano_agents.config.model import Config
from plano_agents.errors import EndpointNotFoundError, MethodNotAllowedError, PlanoError, RequestError
from plano_agents.http.api_page import add_api_page
from plano_agents.http.server.methods import find_methods
from plano_agents.router.operate.gate import build_response
from plano_agents.router.operate.models import list_models, retrieve_model
from plano_agents.router.operate.openapi import describe_endpoints
from plano_agents.router.request.addresses import explain_unserved
from plano_agents.router.request.answer import answer_error
from plano_agents.router.request.bugs import report_bug
from plano_agents.router.request.surfaces import choose_error_form, speaks_anthropic

MAX_SHOWN = 60
"""How much of a refused value an error shows."""


class _Pages(FastAPI):
    """FastAPI, whose document also describes what it does not serve: the proxied endpoints and the probes."""

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
    app = _Pages(
        title="plano-agents router",
        version=plano_agents.__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    add_api_page(app)

    @app.exception_handler(HTTPException)
    async def answer_http_error(request: Request, error: HTTPException) -> Response:
        asked = f"{request.method} {request.url.path} is not served here."
        if error.status_code == MethodNotAllowedError.status_code:
            allow = find_methods(app, request.scope)
            return _answer(MethodNotAllowedError(f"{asked} See /docs for what is.", allow=allow), request)
        way_out = explain_unserved(request.url.path, request.headers.get("host", ""))
        return _answer(EndpointNotFoundError(f"{asked} {way_out}"), request)

    @app.exception_handler(PlanoError)
    async def answer_failure(request: Request, error: PlanoError) -> Response:
        return _answer(error, request)

    @app.exception_handler(RequestValidationError)
    async def answer_invalid_request(request: Request, error: RequestValidationError) -> Response:
        return _answer(_explain(error), request)

    @app.exception_handler(Exception)
    async def answer_bug(request: Request, error: Exception) -> Response:
        return _answer(report_bug(error, uuid.uuid4().hex), request)

    @app.get("/v1/models", summary="Configured models and aliases, in OpenAI's form or Anthropic's")
    async def models(request: Request) -> JSONResponse:
        return JSONResponse(list_models(config, for_anthropic=speaks_anthropic(request.headers)))

    @app.get(
        "/v1/models/{name:path}",
        summary="One model, in OpenAI's form or Anthropic's",
        responses={404: {"description": "The model is not configured."}},
    )
    async def model(name: str, request: Request) -> JSONResponse:
        return JSONResponse(retrieve_model(config, name, for_anthropic=speaks_anthropic(request.headers)))

    return app


def _answer(error: PlanoError, request: Request) -> Response:
    return build_response(answer_error(error, None, choose_error_form(request.headers)))


def _explain(error: RequestValidationError) -> RequestError:
    """Name the first parameter at fault; only query parameters are checked by FastAPI here."""
    first = error.errors()[0]
    name = str(first["loc"][-1])
    if first["type"] == "extra_forbidden":
        return RequestError(f"There is no parameter {name!r} here. See /docs for what there is.", param=name)
    given = str(first["input"])[:MAX_SHOWN]
    return RequestError(f"The parameter {name!r} is {given!r}: {first['msg'].lower()}.", param=name)
