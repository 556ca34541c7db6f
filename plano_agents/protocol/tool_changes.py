"""Changes of tools within a conversation: ``tool_addition`` and ``tool_removal`` of Anthropic's system turns.

Shapes are those of Anthropic's beta types (`BetaSystemMessageParam`, "Mid-conversation system messages and tool
changes"): a tool is named by reference, or comes by value. Where no other wire has a place for them, they become the
tools that are offered in the end, and words where they stand.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from plano_agents.protocol.decoding import ABSENT, BAD_JSON

KINDS = (b'"tool_addition"', b'"tool_removal"')
"""The bytes that every request with a change has."""


class ChangedTool(Struct, frozen=True):
    """The tool of a change; one of an MCP server that Anthropic asks has no name that others could know."""

    type: str = "tool_reference"
    name: str = ""
    definition: msgspec.Raw = ABSENT
    """The tool itself, as it would stand in ``tools``, where it comes by value."""
    server_name: str = ""
    """The MCP server's."""

    @property
    def own_name(self) -> str | None:
        """The name of a tool that the client offers; None for any other."""
        match self.type:
            case "tool_reference":
                return self.name or None
            case "tool_definition":
                return read_name(self.definition)
            case _:
                return None


class ToolAddition(Struct, frozen=True, tag_field="type", tag="tool_addition"):
    """From here on the model may call the tool."""

    tool: ChangedTool
    cache_control: msgspec.Raw = ABSENT


class ToolRemoval(Struct, frozen=True, tag_field="type", tag="tool_removal"):
    """From here on the model may not call the tool."""

    tool: ChangedTool
    cache_control: msgspec.Raw = ABSENT


ToolChange = ToolAddition | ToolRemoval


class Outcome(NamedTuple):
    """The outcome of a conversation's changes."""

    added: dict[str, msgspec.Raw]
    """The tools that were added last, by name, each with its definition; `ABSENT` where it came by reference."""
    removed: frozenset[str]
    """The tools that were removed last."""


class _Named(Struct, frozen=True):
    name: str = ""


def read_name(definition: msgspec.Raw) -> str | None:
    """Read a tool's name; None where it has none."""
    try:
        named = msgspec.json.decode(definition, type=_Named | None)
    except BAD_JSON:
        return None
    return (named.name if named is not None else "") or None


def apply_changes(changes: Iterable[ToolChange]) -> Outcome:
    """Find what a conversation's changes come to; the last of a tool holds.

    Args:
        changes: In order.
    """
    added: dict[str, msgspec.Raw] = {}
    removed: set[str] = set()
    for change in changes:
        name = change.tool.own_name
        if name is None:
            continue
        if isinstance(change, ToolRemoval):
            removed.add(name)
            continue
        removed.discard(name)
        if change.tool.definition != ABSENT or name not in added:
            added[name] = change.tool.definition
    return Outcome({name: tool for name, tool in added.items() if name not in removed}, frozenset(removed))


def say_changes(changes: Sequence[ToolChange]) -> str:
    """Say changes in words; empty where they are of tools that others do not know."""
    return "\n".join(
        f"The tool {name} can {'be called now' if isinstance(change, ToolAddition) else 'no longer be called'}."
        for change in changes
        if (name := change.tool.own_name) is not None
    )
