"""The tools of a messages request, and the choice among them, as the hub's.

- Tools that Anthropic runs, or that its models know by their type, are left out beside others, which is reported. Where
  one of them is demanded, or nothing else is offered, the request is about them, and is refused.
- Deferred tools are offered once the conversation names them: a result refers to them (``tool_reference``), they were
  called, or they must be. All are offered where only Anthropic could have searched them, or nothing else is offered.
- Tools that the conversation removes are left out; those that it adds are offered, by their last definition.
- Fields of a tool that the hub does not have are left out and reported.
"""

from collections.abc import Iterator

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import anthropic_request as anthropic
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol.adjustment import Tell, dropped_within, rewritten
from plano_agents.protocol.anthropic_server_blocks import Compaction, ToolSearchResult
from plano_agents.protocol.decoding import ABSENT, decode_request
from plano_agents.protocol.tool_changes import Outcome, ToolAddition, ToolChange, ToolRemoval, apply_changes

SEARCH = "tool_search_tool_"
"""How the types of Anthropic's own searches of tools begin."""


_PIECE = dict[str, msgspec.Raw] | None
_OFFERED = msgspec.json.Decoder(anthropic.OfferedTool)


class _Pieces(msgspec.Struct):
    """A request's tools, their fields untouched."""

    tools: tuple[dict[str, msgspec.Raw], ...] = ()


def read_tools(request: anthropic.ClientRequest, tell: Tell) -> tuple[openai.Tool, ...] | None:
    """Read the tools that the hub offers; None where there are none.

    Args:
        request: The client's request.
        tell: Called for what is left out.

    Raises:
        RequestError: A tool has no schema.
        UnsupportedFieldError: Only tools that Anthropic runs are offered, or one of them is demanded.
    """
    outcome = apply_changes(_list_changes(request))
    given = _with_changes(request.tools or (), outcome)
    own = [tool for tool in given if _is_own(tool)]
    hosted = [tool for tool in given if not _is_own(tool)]
    _check_hosted(request, own, hosted)
    for kind in dict.fromkeys(tool.type for tool in hosted):
        tell(dropped_within("tools", str(kind), alters=True))
    offered = own
    if any(tool.defer_loading for tool in own):
        is_searched = any(str(tool.type).startswith(SEARCH) for tool in hosted)
        named = frozenset(_list_named(request)) | outcome.added.keys()
        loaded = [tool for tool in own if not tool.defer_loading or tool.name in named]
        if loaded and not is_searched:
            offered = loaded
        if len(offered) < len(own):
            tell(rewritten("tools", f"deferred until named: {len(own) - len(offered)}"))
    return tuple(_read_tool(tool, given.index(tool)) for tool in offered) or None


def _list_changes(request: anthropic.ClientRequest) -> Iterator[ToolChange]:
    """List the changes of tools that the conversation holds, in order."""
    for turn in request.messages:
        for block in turn.content if not isinstance(turn.content, str) else ():
            if isinstance(block, Compaction):
                yield from block.tool_changes or ()
            elif isinstance(block, ToolAddition | ToolRemoval):
                yield block


def _with_changes(tools: tuple[anthropic.OfferedTool, ...], outcome: Outcome) -> tuple[anthropic.OfferedTool, ...]:
    """Give the tools as the conversation's changes leave them: less those removed, with those that came by value."""
    defined = {name: decode_request(_OFFERED, bytes(tool)) for name, tool in outcome.added.items() if tool != ABSENT}
    kept = tuple(defined.pop(tool.name, tool) for tool in tools if tool.name not in outcome.removed)
    return (*kept, *defined.values())


def tell_unknown_fields(body: bytes, request: anthropic.ClientRequest, tell: Tell) -> None:
    """Tell the fields of the client's own tools that the hub does not have; each once.

    Args:
        body: The request.
        request: The same, read.
        tell: Called for what is left out.
    """
    known = anthropic.OfferedTool.__struct_fields__
    tools = [
        *(msgspec.json.decode(body, type=_Pieces).tools if request.tools else ()),
        *(msgspec.json.decode(change.tool.definition, type=_PIECE) or {} for change in _list_changes(request)),
    ]
    own = (tool for tool in tools if tool.get("type", ABSENT) in (ABSENT, b'"custom"'))
    unknown = (name for tool in own for name, raw in tool.items() if name not in known and raw != ABSENT)
    for name in dict.fromkeys(unknown):
        tell(dropped_within("tools", name))


def read_tool_choice(choice: anthropic.ToolChoice | None) -> tuple[openai.ToolChoice | None, bool | None]:
    """Read the choice, and whether calls may be parallel."""
    if choice is None:
        return None, None
    parallel = False if choice.disable_parallel_tool_use else None
    match choice.type:
        case "tool":
            return openai.NamedToolChoice(openai.NamedFunction(choice.name or "")), parallel
        case "any":
            return "required", parallel
        case kind:
            return kind, parallel


def _is_own(tool: anthropic.OfferedTool) -> bool:
    return tool.type in {None, "custom"}


def _check_hosted(
    request: anthropic.ClientRequest,
    own: list[anthropic.OfferedTool],
    hosted: list[anthropic.OfferedTool],
) -> None:
    choice = request.tool_choice
    for tool in hosted:
        if choice is not None and choice.type == "tool" and choice.name == tool.name:
            raise UnsupportedFieldError(
                f"'tool_choice' demands {tool.name!r}, a tool of type {tool.type!r}, which only Anthropic's models have. "
                "Leave the choice out, or name a model that Anthropic serves.",
                param="tool_choice",
            )
    if hosted and not own and (choice is None or choice.type != "none"):
        raise UnsupportedFieldError(
            f"'tools' offers tools that only Anthropic's models have, and no other: {hosted[0].type!r}. Offer tools of "
            "your own, or name a model that Anthropic serves.",
            param="tools[0].type",
        )


def _list_named(request: anthropic.ClientRequest) -> Iterator[str]:
    """List the tools that the request names outside of its tools."""
    if request.tool_choice is not None and request.tool_choice.name is not None:
        yield request.tool_choice.name
    for turn in request.messages:
        for block in turn.content if not isinstance(turn.content, str) else ():
            match block:
                case anthropic.ToolUseBlock(name=name):
                    yield name
                case anthropic.ToolResultBlock(content=tuple(parts)):
                    yield from (part.tool_name for part in parts if isinstance(part, anthropic.ToolReferenceBlock))
                case ToolSearchResult(content=found):
                    yield from (tool.tool_name for tool in found.tool_references)


def _read_tool(tool: anthropic.OfferedTool, number: int) -> openai.Tool:
    if tool.input_schema == ABSENT:
        param = f"tools[{number}].input_schema"
        raise RequestError(f"{param!r} is missing. Send a JSON Schema of type object.", param=param)
    return openai.Tool(openai.FunctionDefinition(tool.name, tool.description, tool.input_schema, tool.strict))
