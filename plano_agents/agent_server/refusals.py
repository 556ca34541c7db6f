"""Answers to requests that fail before a run: every one in OpenAI's form, none with what the client said."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from plano_agents.agent_server import input_messages
from plano_agents.agent_server.connection import error_response
from plano_agents.errors import EndpointNotFoundError, MethodNotAllowedError, PlanoError, RequestError
from plano_agents.http.server.methods import find_methods
from plano_agents.observe.log import Fault

_log = logging.getLogger(__name__)


def add_refusals(app: FastAPI) -> None:
    """Have an app answer its errors so."""
    app.add_exception_handler(PlanoError, _answer_failure)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_bug)


async def _answer_failure(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PlanoError)  # noqa: S101 - what it is registered for
    return error_response(error)


async def _answer_bug(_request: Request, error: Exception) -> Response:
    """Answer an exception that nobody foresaw; the log names its place, and neither says what it says."""
    _log.error(Fault("unexpected error", error))
    return error_response(PlanoError("The agent server failed on this request. Its log has the details."))


async def _answer_http(request: Request, error: Exception) -> Response:
    """Answer what FastAPI refuses by itself: an unknown path or method, an unreadable body."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    see = "See /docs for what there is."
    asked = f"{request.method} {request.url.path} is not served here."
    if error.status_code == MethodNotAllowedError.status_code:
        allow = find_methods(request.app, request.scope)
        return error_response(MethodNotAllowedError(f"{asked} {see}", allow=allow))
    if error.status_code == EndpointNotFoundError.status_code:
        base = f"Set the base address of OpenAI's SDKs to {request.base_url}v1."
        return error_response(EndpointNotFoundError(f"{asked} {base} {see}"))
    return error_response(RequestError(f"{error.detail}. {see}"), error.status_code)


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    """Answer a body that does not fit: the first problem, its field, and never the value, which may be a prompt."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    # FastAPI's frame holds what it raises, and the body: a cycle.
    error.__traceback__ = error.__cause__ = error.__context__ = None
    problem = error.errors()[0]
    if problem["type"] == "json_invalid":
        what = problem.get("ctx", {}).get("error", "")
        return error_response(RequestError(f"The body is not valid JSON: {what} at character {problem['loc'][-1]}."))
    fields = [part for part in problem["loc"][1:] if part not in input_messages.UNION_TAGS]
    if problem.get("ctx", {}).get("discriminator") == "'role'":
        fields.append("role")
    path = "".join(f"[{field}]" if isinstance(field, int) else f".{field}" for field in fields)
    param = path.removeprefix(".") or None
    if param is None and problem["type"] in {"model_attributes_type", "missing"}:
        return error_response(
            RequestError("The body is not a JSON object. Send one, with `Content-Type: application/json`.")
        )
    if problem["type"] == "extra_forbidden":
        return error_response(
            RequestError(f"There is no field {param!r} here. See /docs for those there are.", param=param)
        )
    place = f" in {param!r}" if param else ""
    what = str(problem["msg"]).removeprefix("Value error, ")
    return error_response(RequestError(f"Invalid request{place}: {what}.", param=param))
