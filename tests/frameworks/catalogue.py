"""The frameworks that are tested, as their modules describe themselves; nothing of theirs is imported.

A module's first line is ``NAME: HOW.``, its second paragraph ``Not covered: WHAT.``, if there is anything.
"""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
INSTALLED = ("langgraph", "openai_agents", "pydantic_ai")
"""In the project's own development environment; the others get one each."""

IN_CI = (*INSTALLED, "llama_index", "crewai")
"""Run with all other tests; the others by ``scripts/test-integrations``."""

BAR = "\\|"
"""A bar inside a table's cell."""

ALL = (
    *IN_CI,
    *("smolagents", "strands", "google_adk", "haystack", "agno", "dspy", "autogen", "agent_framework"),
)


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework."""

    module: str
    """Its module's name here."""
    title: str
    """What it is called."""
    how: str
    """What carries the id."""
    not_covered: str
    """What does not; empty for nothing that is known."""
    needs: tuple[str, ...]
    """The requirements to install, the framework first."""


def load_framework(module: str) -> Framework:
    """Read a framework's module."""
    tree = ast.parse((HERE / f"{module}.py").read_text())
    first, _, rest = (ast.get_docstring(tree) or "").partition("\n")
    title, _, how = first.rstrip(".").partition(": ")
    not_covered = " ".join(rest.split()).removeprefix("Not covered: ").rstrip(".")
    return Framework(module, title, how, not_covered, tuple(_find_constant(tree, "NEEDS")))


def _find_constant(tree: ast.Module, name: str) -> Any:  # noqa: ANN401 - whatever the module says
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise LookupError(f"{name!r} is not set")


def render_table(versions: dict[str, str]) -> str:
    """Write the table of ``docs/integrations.md``.

    Args:
        versions: The version that was tested, by module.
    """
    rows = ["| framework | version | how | not covered |", "|---|---|---|---|"]
    for module in ALL:
        each = load_framework(module)
        title = each.title if module in IN_CI else f"{each.title} *"
        cells = (title, versions[module], each.how, each.not_covered or "-")
        rows.append(f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |")
    return "\n".join(rows)
