"""Anthropic's refusals: pydantic's own findings, after the path to what they are about."""

from typing import TYPE_CHECKING

from pydantic import JsonValue, ValidationError

from plano_agents.simulator.wire.anthropic import limits
from plano_agents.simulator.wire.events import encode_json
from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.reading import pick_problem, trace_path

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_FAULTS = {
    429: "This request would exceed your rate limit. Please try again later.",
    500: "Internal server error",
    529: "Overloaded",
}


def encode_anthropic_refusal(refusal: Refusal, request_id: str) -> bytes:
    """Write the error body."""
    error = {"type": refusal.kind, "message": refusal.message}
    return encode_json({"type": "error", "error": error, "request_id": request_id})


def refuse(message: str, status: int = 400) -> Refusal:
    """Build a refusal of the kind that goes with its status."""
    default = "api_error" if status >= 500 else "invalid_request_error"  # noqa: PLR2004 - HTTP's server errors
    return Refusal(status, _KINDS.get(status, default), message)


def refuse_model(model: str) -> Refusal:
    """Refuse a model that is not served."""
    return refuse(f"model: {model}", status=404)


def refuse_key(*, given: bool) -> Refusal:
    """Refuse a missing or a wrong key."""
    return refuse("invalid x-api-key" if given else "x-api-key header is required", status=401)


def build_anthropic_fault(status: int) -> Refusal:
    """The error that goes with a status, for faults on demand."""
    return refuse(_FAULTS.get(status, "The request could not be processed."), status=status)


def describe_problem(problems: ValidationError, raw: JsonValue) -> Refusal:
    """Turn the most specific of pydantic's findings into the provider's words.

    Args:
        problems: What did not fit.
        raw: The request's body; tells the steps of a path from pydantic's names of union members.
    """
    problem = pick_problem(problems)
    steps = trace_path(problem, raw)
    path = ".".join(str(step) for step in steps)
    if limit := _find_limit(problem, steps):
        return refuse(f"{path}: The simulated models {limit}.")
    words = {"missing": "Field required", "extra_forbidden": "Extra inputs are not permitted"}
    message = words.get(problem["type"], problem["msg"])
    return refuse(f"{path}: {message}" if path else message)


def _find_limit(problem: "ErrorDetails", path: list[str | int]) -> str | None:
    """Build the refusal of what the provider would take and the simulated models do not."""
    if problem["type"] == "union_tag_invalid":
        return limits.describe_type(str(problem.get("ctx", {}).get("tag")))
    if problem["type"] == "literal_error" and path[-1:] == ["type"]:
        return limits.describe_type(str(problem["input"]))
    return limits.FIELDS.get(str(path[0])) if problem["type"] == "extra_forbidden" and path else None
