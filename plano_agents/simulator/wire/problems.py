"""Finding in a request's body what pydantic complains about."""

from typing import TYPE_CHECKING

from pydantic import JsonValue, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


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
