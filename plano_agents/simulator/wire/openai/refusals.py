"""OpenAI's refusals: pydantic's findings in the provider's terms."""

from typing import TYPE_CHECKING

from pydantic import JsonValue, ValidationError

from plano_agents.simulator.wire.events import encode_json
from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.openai import limits
from plano_agents.simulator.wire.reading import pick_problem, trace_path

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a decimal",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "none_required": "null",
}
_LIMITS = {
    "greater_than_equal": ("below minimum", ">=", "below_min", "ge"),
    "less_than_equal": ("above maximum", "<=", "above_max", "le"),
}


def encode_openai_refusal(refusal: Refusal) -> bytes:
    """Write the error body."""
    return encode_json(
        {
            "error": {
                "message": refusal.message,
                "type": refusal.kind,
                "param": refusal.param,
                "code": refusal.code,
            }
        }
    )


def refuse(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> Refusal:
    """Build a refusal of the kind that bad requests get."""
    return Refusal(status, "invalid_request_error", message, param=param, code=code)


def refuse_model(model: str) -> Refusal:
    """Refuse a model that is not served."""
    message = f"The model `{model}` does not exist or you do not have access to it."
    return refuse(message, code="model_not_found", status=404)


def refuse_key(*, given: bool) -> Refusal:
    """Refuse a missing or a wrong key; the real one repeats part of it, this one never does."""
    if given:
        return refuse("Incorrect API key provided.", code="invalid_api_key", status=401)
    return refuse(
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
        "(i.e. Authorization: Bearer YOUR_KEY).",
        status=401,
    )


def build_openai_fault(status: int) -> Refusal:
    """The error that goes with a status, for faults on demand."""
    kind, message, code = {
        401: ("invalid_request_error", "Incorrect API key provided.", "invalid_api_key"),
        403: ("invalid_request_error", "Country, region, or territory not supported.", "unsupported_country"),
        404: (
            "invalid_request_error",
            "The model does not exist or you do not have access to it.",
            "model_not_found",
        ),
        408: ("server_error", "The request timed out.", None),
        429: ("requests", "Rate limit reached for requests. Please try again later.", "rate_limit_exceeded"),
        503: ("server_error", "The engine is currently overloaded, please try again later.", None),
    }.get(status, ("server_error", "The server had an error while processing your request.", None))
    if 400 <= status < 500 and kind == "server_error" and status != 408:  # noqa: PLR2004 - HTTP's own numbers
        kind, message = "invalid_request_error", "The request could not be processed."
    return Refusal(status, kind, message, code=code)


def describe_problem(problems: ValidationError, raw: JsonValue) -> Refusal:
    """Turn the most specific of pydantic's findings into the provider's words.

    Args:
        problems: What did not fit.
        raw: The request's body; tells the steps of a path from pydantic's names of union members.
    """
    if isinstance(raw, dict) and "model" not in raw:
        return refuse("you must provide a model parameter")
    problem = pick_problem(problems)
    path = trace_path(problem, raw)
    return _find_limit(problem, path) or _describe(problem, _spell_path(path) or "body")


def _find_limit(problem: "ErrorDetails", path: list[str | int]) -> Refusal | None:
    """Refuse what the provider would take, and only the simulator does not."""
    kind, found = problem["type"], problem["input"]
    limit = None
    if kind == "union_tag_invalid":
        limit = limits.TYPES.get(str(problem.get("ctx", {}).get("tag")))
    elif kind == "literal_error" and path[-1:] == ["type"]:
        limit = limits.TYPES.get(str(found))
    elif kind == "extra_forbidden" or (kind in {"less_than_equal", "literal_error"} and len(path) <= 2):  # noqa: PLR2004 - a field, or a member of its list
        limit = limits.FIELDS.get(str(path[0])) if path else None
    return None if limit is None else refuse(f"The simulated models {limit}.", _spell_path(path))


def _describe(problem: "ErrorDetails", path: str) -> Refusal:  # noqa: PLR0911 - one for each kind of finding
    kind, found, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "missing":
        return refuse(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    if kind == "union_tag_not_found":
        path = f"{path}.{str(context['discriminator']).strip(chr(39))}"
        return refuse(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    if kind == "extra_forbidden":
        return refuse(f"Unknown parameter: '{path}'.", path, "unknown_parameter")
    if kind == "union_tag_invalid":
        path = f"{path}.{str(context['discriminator']).strip(chr(39))}"
        values = context["expected_tags"]
        return refuse(f"Invalid value: '{context['tag']}'. Supported values are: {values}.", path, "invalid_value")
    if kind == "literal_error" and isinstance(found, str):
        return refuse(f"Invalid value: '{found}'. Supported values are: {context['expected']}.", path, "invalid_value")
    if kind == "too_short":
        expected = "Expected an array with minimum length 1, but got an empty array instead."
        return refuse(f"Invalid '{path}': empty array. {expected}", path, "empty_array")
    if kind == "too_long":
        expected = (
            f"Expected an array with maximum length {context['max_length']}, but got an array with length "
            f"{context['actual_length']} instead."
        )
        return refuse(f"Invalid '{path}': array too long. {expected}", path, "array_above_max_length")
    if kind == "string_pattern_mismatch":
        expected = f"Expected a string that matches the pattern '{context['pattern']}'."
        return refuse(f"Invalid '{path}': string does not match pattern. {expected}", path, "invalid_value")
    if kind in _LIMITS:
        words, sign, code, key = _LIMITS[kind]
        name = "integer" if isinstance(found, int) else "decimal"
        expected = f"Expected a value {sign} {context[key]}, but got {found} instead."
        return refuse(f"Invalid '{path}': {name} {words} value. {expected}", path, f"{name}_{code}_value")
    expected = _EXPECTED.get(kind, "another value")
    return refuse(
        f"Invalid type for '{path}': expected {expected}, but got {_name_type(found)} instead.",
        path,
        "invalid_type",
    )


def _spell_path(path: list[str | int]) -> str:
    """Spell a path as the provider does: ``messages[0].content``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _name_type(value: object) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")
