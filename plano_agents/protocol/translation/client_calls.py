"""Calls of a responses client's own kinds of tool: as the hub's calls of functions, and back.

A custom tool's input is the one text of its function's arguments; a local shell's action and a search's arguments are
that object itself.
"""

from typing import Any

import msgspec
from msgspec import UNSET

from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol import openai_response as response
from plano_agents.protocol import openai_responses_request as responses
from plano_agents.protocol.decoding import ABSENT, BAD_JSON
from plano_agents.protocol.tool_names import ClientTool, Kind

KINDS: dict[str | None, Kind] = {
    "function_call": "function",
    "custom_tool_call": "custom",
    "local_shell_call": "local_shell",
    "tool_search_call": "tool_search",
}
"""The types of the items that call a tool of each kind."""

ITEM_IDS: dict[Kind, str] = {"function": "fc", "custom": "ctc", "local_shell": "lsh", "tool_search": "tsc"}
"""How the ids of those items begin."""

INPUT = "input"
"""The argument that holds a custom tool's input."""

_CUSTOM = msgspec.Raw(
    b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}'
)
_SHELL = msgspec.Raw(
    b'{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"description":"The program and '
    b'its arguments."},"working_directory":{"type":"string"},"timeout_ms":{"type":"integer"}},"required":["command"]}'
)
_SEARCH = msgspec.Raw(b'{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}')


def build_function(tool: responses.Tool, kind: Kind, name: str) -> openai.FunctionDefinition:
    """Write a tool of the client's as a function.

    Args:
        tool: The tool.
        kind: Its kind.
        name: What the function is called.
    """
    match kind:
        case "function":
            return openai.FunctionDefinition(name, tool.description, tool.parameters, tool.strict)
        case "custom":
            return openai.FunctionDefinition(name, _describe_input(tool), _CUSTOM)
        case "local_shell":
            return openai.FunctionDefinition(name, "Runs a command in the user's own shell.", _SHELL)
        case "tool_search":
            described = tool.description or "Searches for tools that can be called then."
            return openai.FunctionDefinition(name, described, _SEARCH if tool.parameters == ABSENT else tool.parameters)


def read_arguments(item: responses.Item) -> str:
    """Read a call in a transcript as a function's arguments, JSON text."""
    arguments: object
    match item.type:
        case "custom_tool_call":
            arguments = {INPUT: item.input}
        case "local_shell_call":
            arguments = {name: value for name, value in (item.action or {}).items() if name != "type"}
        case _:
            arguments = item.arguments or ""
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()


def build_call_item(tool: ClientTool, item_id: str, status: str, call_id: str, arguments: str) -> response.AnyCallItem:
    """Write a call of a function as a call of the client's own tool.

    Args:
        tool: The tool.
        item_id: The item's id.
        status: Its status.
        call_id: The call's own id.
        arguments: The function's, JSON text as far as it has come.
    """
    namespace = tool.namespace or UNSET
    match tool.kind:
        case "function":
            return response.CallItem(item_id, status, call_id, tool.name, arguments, namespace)
        case "custom":
            text = read_input(arguments)
            return response.CustomCallItem(item_id, status, call_id, tool.name, text, namespace)
        case "local_shell":
            action = {"type": "exec", "command": [], "env": {}, **_read(arguments)}
            return response.ShellCallItem(item_id, status, call_id, action)
        case "tool_search":
            return response.SearchCallItem(item_id, status, call_id, _read(arguments))


def read_input(arguments: str) -> str:
    """Read a custom tool's input; arguments of another form are taken as it."""
    found = _read(arguments)
    text = found.get(INPUT, next(iter(found.values())) if len(found) == 1 else None)
    return text if isinstance(text, str) else arguments


def _read(arguments: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except BAD_JSON:
        return {}


def _describe_input(tool: responses.Tool) -> str:
    """Describe a custom tool's input in words, its grammar within."""
    said = [tool.description] if tool.description else []
    said.append(f"'{INPUT}' is the tool's whole input as plain text; the text itself is not JSON.")
    if tool.format is not None and tool.format.definition:
        said.append(f"It must match this {tool.format.syntax} grammar:\n{tool.format.definition}")
    return "\n\n".join(said)
