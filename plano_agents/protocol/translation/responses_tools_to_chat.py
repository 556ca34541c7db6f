"""The tools of a responses request, and the choice among them, as the hub's functions.

- Tools that the client runs become functions, those in namespaces too; `ClientTools` knows the way back.
- Tools that OpenAI runs are left out beside others, which is reported. Where one of them is demanded, or nothing else
  is offered, the request is about them, and is refused.
- Deferred tools are offered once a search by the client has found them; where the client does not search, they are
  offered from the start.
- Which tools ``allowed_tools`` allows is kept by offering those alone.
"""

from collections.abc import Iterable, Iterator

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol import openai_responses_request as responses
from plano_agents.protocol.adjustment import Tell, dropped_within, rewritten
from plano_agents.protocol.tool_names import ClientTool, ClientTools, Kind
from plano_agents.protocol.translation.client_calls import build_function

_Choice = str | responses.ToolChoice | None


def read_tools(request: responses.ClientRequest, tools: ClientTools, tell: Tell) -> tuple[openai.Tool, ...] | None:
    """Read the tools that the hub offers; None where there are none.

    Args:
        request: The client's request.
        tools: Takes the names of each.
        tell: Called for what is left out, or said otherwise.

    Raises:
        UnsupportedFieldError: Only tools that OpenAI runs are offered.
    """
    given = request.tools or ()
    loaded = [] if isinstance(request.input, str) else [tool for item in request.input for tool in item.tools]
    is_searched = any(find_kind(tool) == "tool_search" for tool in given)
    found = [*_read_tools(given, tools, tell, with_deferred=not is_searched)]
    found += _read_tools(loaded, tools, tell, with_deferred=True)
    if given and not found and request.tool_choice != "none":
        raise refuse_kind("tools[0].type", given[0].type)
    return tuple({tool.function.name: tool for tool in found}.values()) or None


def read_tool_choice(choice: _Choice, tools: ClientTools, tell: Tell) -> openai.ToolChoice | None:
    """Read the choice.

    Args:
        choice: The client's.
        tools: Knows the tools that are offered.
        tell: Called for what is left out.

    Raises:
        RequestError: It is not known.
        UnsupportedFieldError: It demands a tool that OpenAI runs; ``param`` names it.
    """
    match choice:
        case None | "none" | "auto" | "required":
            return choice
        case str():
            raise RequestError(f"'tool_choice' {choice!r} is not one of none, auto, required.", param="tool_choice")
        case responses.ToolChoice(type="allowed_tools", mode="auto" | "required" as mode, tools=allowed):
            names = [_name_chosen(tool, tools) for tool in allowed]
            for tool, name in zip(allowed, names, strict=True):
                if name is None:
                    tell(dropped_within("tool_choice", tool.type, alters=True))
            kept = tuple(openai.AllowedTool(openai.NamedFunction(name)) for name in names if name is not None)
            if allowed and not kept:
                raise refuse_kind("tool_choice.tools", allowed[0].type)
            return openai.AllowedToolsChoice(openai.AllowedTools(mode, kept))
        case _:
            name = _name_chosen(choice, tools)
            if name is None:
                raise refuse_kind("tool_choice.type", choice.type)
            return openai.NamedToolChoice(openai.NamedFunction(name))


def find_kind(tool: responses.Tool) -> Kind | None:
    """Find a tool's kind; None where the client does not run it."""
    match tool.type:
        case "function" | "custom" | "local_shell" as kind:
            return kind
        case "tool_search" if tool.execution == "client":
            return "tool_search"
        case _:
            return None


def list_client_tools(given: Iterable[responses.Tool]) -> Iterator[ClientTool]:
    """List the tools that the client runs, those in namespaces too."""
    for tool, namespace, _ in _flatten(given):
        kind = find_kind(tool)
        if kind is not None:
            yield ClientTool(kind, tool.name or kind, namespace)


def refuse_kind(param: str, kind: str | None) -> UnsupportedFieldError:
    """Build the refusal of a kind of thing that only OpenAI knows.

    Args:
        param: Its path.
        kind: Its ``type``.
    """
    return UnsupportedFieldError(
        f"{param!r} is {kind!r}, which cannot be carried to a model behind another API. Leave it out, or route this "
        "request to a model that OpenAI serves.",
        param=param,
    )


def _flatten(given: Iterable[responses.Tool]) -> Iterator[tuple[responses.Tool, str | None, bool]]:
    """List tools with their namespace, and whether they are deferred."""
    for tool in given:
        if tool.type == "namespace":
            deferred = bool(tool.defer_loading)
            yield from ((inner, tool.name, deferred or bool(inner.defer_loading)) for inner in tool.tools)
        else:
            yield tool, None, bool(tool.defer_loading)


def _read_tools(
    given: Iterable[responses.Tool], tools: ClientTools, tell: Tell, *, with_deferred: bool
) -> Iterator[openai.Tool]:
    told = set()
    hidden = 0
    for tool, namespace, deferred in _flatten(given):
        kind = find_kind(tool)
        if kind is None:
            told.add(dropped_within("tools", tool.type, alters=True))
        elif deferred and not with_deferred:
            hidden += 1
        else:
            if kind != "function":
                told.add(rewritten("tools", f"{kind} sent as a function"))
            if namespace is not None:
                told.add(rewritten("tools", "namespaces flattened"))
            name = tools.send(ClientTool(kind, tool.name or kind, namespace))
            yield openai.Tool(build_function(tool, kind, name))
    if hidden:
        told.add(rewritten("tools", f"deferred until found: {hidden}"))
    for each in sorted(told, key=lambda each: each.text):
        tell(each)


def _name_chosen(chosen: responses.ChosenTool | responses.ToolChoice, tools: ClientTools) -> str | None:
    """Give the function of a tool that a choice names; None where no such tool is offered."""
    match chosen.type:
        case "function" | "custom" | "local_shell" | "tool_search" as kind:
            tool = ClientTool(kind, chosen.name or kind, chosen.namespace)
            return tools.send(tool) if kind == "function" or tool in tools else None
        case _:
            return None
