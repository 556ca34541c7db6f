"""Reading a request's body, on either wire: strictly, and with the place of what does not fit."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from plano_agents.simulator.conversation import Tool
from plano_agents.simulator.wire.events import encode_json
from plano_agents.simulator.wire.exchange import Refusal

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Strict(BaseModel):
    """Nothing but the fields named, of the types named."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Lenient(Strict):
    """The fields named, and others that change nothing here."""

    model_config = ConfigDict(extra="allow")


W = TypeVar("W", bound=Strict)
ANY_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


def parse_body(
    kind: type[W],
    source: bytes,
    *,
    describe: Callable[[ValidationError, JsonValue], Refusal],
    not_json: Refusal,
) -> W:
    """Read a request's body.

    Args:
        kind: What it must be.
        source: The body.
        describe: Words pydantic's findings about it.
        not_json: The refusal of what is not JSON.

    Raises:
        Refusal: It is not that.
    """
    try:
        return kind.model_validate_json(source)
    except ValidationError as problems:
        try:
            raw = ANY_JSON.validate_json(source)
        except ValidationError:
            raise not_json from None
        raise describe(problems, raw) from None


def build_tool(name: str, description: str | None, parameters: dict[str, JsonValue]) -> Tool:
    """Build a tool of what its definition says."""
    definition = {"name": name, "description": description, "parameters": parameters}
    return Tool(name, description or "", parameters, encode_json(definition).decode())


def build_foreign_tool(name: str, definition: Strict) -> Tool:
    """Build a tool that the simulated models take, and never call: the provider runs it, or it takes free text."""
    source = encode_json(definition.model_dump(exclude_none=True)).decode()
    return Tool(name, "", {}, source, is_callable=False)


def pick_problem(problems: ValidationError) -> "ErrorDetails":
    """The most specific finding: of a union's branches, the one that got furthest."""
    return max(problems.errors(include_url=False), key=lambda found: len(found["loc"]))


def trace_path(problem: "ErrorDetails", raw: JsonValue) -> list[str | int]:
    """The keys and indices that lead to a finding.

    Args:
        problem: What did not fit; its location also names members of unions, which are left out.
        raw: The request's body.
    """
    path: list[str | int] = []
    at: JsonValue = raw
    steps = problem["loc"]
    for place, step in enumerate(steps):
        if isinstance(at, dict) and isinstance(step, str) and step in at:  # noqa: SIM114 - mypy narrows each branch by itself
            at = at[step]
        elif isinstance(at, list) and isinstance(step, int) and step < len(at):
            at = at[step]
        elif place < len(steps) - 1 or problem["type"] != "missing":
            continue
        path.append(step)
    return path
