"""Changes of tools within a conversation, for Claudes that know none: the tools are offered as the changes leave them.

Anthropic's models that take system turns take ``tool_addition`` and ``tool_removal`` in them too.
"""

import msgspec

from plano_agents.protocol.adjustment import rewritten
from plano_agents.protocol.decoding import ABSENT
from plano_agents.protocol.form import Form
from plano_agents.protocol.tool_changes import KINDS, Outcome, ToolChange, apply_changes, say_changes
from plano_agents.providers.fit.document import Document, Pieces, is_list, pack, read_text, split, split_list
from plano_agents.providers.fit.rules import Rules
from plano_agents.providers.fit.system_turns import are_in_place

_TYPES = frozenset({"tool_addition", "tool_removal"})


def fit_tool_changes(document: Document, rules: Rules) -> None:
    """Change the tools themselves where the model takes no change within the conversation, and say it there."""
    profile = rules.profile
    if rules.wire is not Form.ANTHROPIC_MESSAGES or profile.thinking is None:
        return
    if not document.contains("messages", KINDS):
        return
    if profile.system_turns is True and are_in_place(split_list(document.fields["messages"])):
        return
    changes: list[ToolChange] = []
    document.edit_list("messages", lambda turns: [_say(turn, changes) for turn in turns])
    if changes:
        _change_tools(document, apply_changes(changes))
        document.tell(rewritten("tools", "changed as the conversation says"))


def _say(turn: Pieces, changes: list[ToolChange]) -> Pieces:
    """Say a turn's changes in words, and list them."""
    content = turn.get("content")
    if read_text(turn.get("role")) != "system" or not is_list(content):
        return turn
    blocks: list[Pieces] = []
    for block in split_list(content):
        if read_text(block.get("type")) not in _TYPES:
            blocks.append(block)
            continue
        change = msgspec.json.decode(msgspec.json.encode(block), type=ToolChange)
        changes.append(change)
        said = say_changes([change])
        if said:
            rest = {name: raw for name, raw in block.items() if name == "cache_control"}
            blocks.append({"type": pack("text"), "text": pack(said), **rest})
    return {**turn, "content": pack(blocks)}


def _change_tools(document: Document, outcome: Outcome) -> None:
    raw = document.fields.get("tools")
    tools = {read_text(tool.get("name")) or "": tool for tool in (split_list(raw) if is_list(raw) else [])}
    for name, definition in outcome.added.items():
        if definition != ABSENT:
            tools[name] = split(definition)
        elif name in tools:
            tools[name] = {field: value for field, value in tools[name].items() if field != "defer_loading"}
    kept = [tool for name, tool in tools.items() if name not in outcome.removed]
    if kept:
        document.write("tools", kept)
    else:
        document.drop("tools")
