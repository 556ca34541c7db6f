"""Custom tools of a chat client, whose input is free text: as the hub's functions, and their calls back.

Shapes are those of OpenAI's API reference, "Create chat completion". A custom tool is a function with one text, its
input; its grammar stands in its description. The client's transcript and the answer's calls are written over likewise.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from plano_agents.protocol.adjustment import Tell, rewritten
from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.protocol.openai_completion import Chunk, Completion
from plano_agents.protocol.openai_responses_request import Tool, ToolFormat
from plano_agents.protocol.tool_names import ClientTool, ClientTools
from plano_agents.protocol.translation.client_calls import INPUT, build_function, read_input
from plano_agents.protocol.translation.custom_input import CustomInput

KIND: Final = "custom"

_Object = dict[str, Any]


def read_custom_tools(fields: Mapping[str, msgspec.Raw], tools: ClientTools, tell: Tell) -> Mapping[str, msgspec.Raw]:
    """Write a request's custom tools, their calls and a choice of one as functions.

    Args:
        fields: The request's top-level fields.
        tools: Takes the names of the tools.
        tell: Called when they were written otherwise.

    Returns:
        The same, or others where something was written over. What is not in its form stays for the reader to refuse.
    """
    written: dict[str, object] = {}
    for name, write in (("tools", _write_tool), ("messages", _write_message)):
        pieces = _read(fields.get(name))
        if isinstance(pieces, list) and any(map(_has_custom, pieces)):
            written[name] = [write(piece, tools) if _has_custom(piece) else piece for piece in pieces]
    choice = _read(fields.get("tool_choice"))
    if isinstance(choice, dict) and _has_custom(choice):
        written["tool_choice"] = _write_choice(choice, tools)
    if not written:
        return fields
    tell(rewritten("tools", "custom sent as a function"))
    return {**fields, **{name: msgspec.Raw(msgspec.json.encode(value)) for name, value in written.items()}}


def write_completion(completion: Completion, tools: ClientTools) -> bytes:
    """Write a whole answer with its calls of custom tools as the client knows them."""
    body = msgspec.json.encode(completion)
    if not tools.has_own:
        return body
    whole = msgspec.json.decode(body)
    for choice in whole["choices"]:
        message = choice["message"]
        if message.get("tool_calls"):
            message["tool_calls"] = [_write_call(call, tools) for call in message["tool_calls"]]
    return msgspec.json.encode(whole)


class CustomCalls:
    """The calls of custom tools of one streamed answer; made anew for each.

    Args:
        tools: Knows which of the client's tools the functions are.
    """

    def __init__(self, tools: ClientTools) -> None:
        self._tools = tools
        self._growing: dict[int, CustomInput] = {}
        self._arguments: dict[int, str] = {}

    def write(self, chunk: Chunk) -> bytes:
        """Write a chunk with its pieces of calls as the client knows them."""
        whole = msgspec.json.decode(msgspec.json.encode(chunk))
        for choice in whole["choices"]:
            delta = choice["delta"]
            pieces = [self._write_piece(piece) for piece in delta.get("tool_calls") or ()]
            if choice.get("finish_reason"):
                pieces += self._write_rest()
            if pieces:
                delta["tool_calls"] = pieces
        return msgspec.json.encode(whole)

    def _write_piece(self, piece: _Object) -> _Object:
        index, function = piece["index"], piece.get("function") or {}
        tool = self._tools.find(function.get("name") or "")
        arguments = function.get("arguments") or ""
        if tool.kind == KIND:
            self._growing[index], self._arguments[index] = CustomInput(), ""
            said = self._add(index, arguments)
            rest = {name: value for name, value in piece.items() if name != "function"}
            return {**rest, "type": KIND, "custom": {"name": tool.name, "input": said}}
        if index not in self._growing:
            return piece
        return {"index": index, "custom": {"input": self._add(index, arguments)}}

    def _add(self, index: int, arguments: str) -> str:
        said = self._growing[index].feed(arguments)
        # What was said comes off; arguments of another form are said whole at the end.
        self._arguments[index] = "" if said else self._arguments[index] + arguments
        return said

    def _write_rest(self) -> list[_Object]:
        """Give the inputs of calls whose arguments are in another form."""
        rest = [
            {"index": index, "custom": {"input": read_input(self._arguments[index])}}
            for index, growing in self._growing.items()
            if not growing.has_started and self._arguments[index]
        ]
        self._growing.clear()
        return rest


def _read(raw: msgspec.Raw | None) -> object:
    try:
        return msgspec.json.decode(raw) if raw is not None else None
    except BAD_JSON:
        return None


def _has_custom(piece: object) -> bool:
    """Check whether a tool, a choice or a message is, or holds, one of a custom tool."""
    if not isinstance(piece, dict):
        return False
    if piece.get("type") == KIND:
        return isinstance(piece.get(KIND), dict)
    allowed = piece.get("allowed_tools")
    held = allowed.get("tools") if isinstance(allowed, dict) else piece.get("tool_calls")
    return isinstance(held, list) and any(map(_has_custom, held))


def _write_tool(tool: _Object, tools: ClientTools) -> _Object:
    own = tool[KIND]
    given = own.get("format")
    grammar = given.get("grammar") if isinstance(given, dict) else None
    name, description = str(own.get("name") or ""), own.get("description")
    described = Tool(
        KIND,
        name,
        description if isinstance(description, str) else None,
        format=ToolFormat(KIND, str(grammar.get("syntax")), str(grammar.get("definition")))
        if isinstance(grammar, dict)
        else None,
    )
    function = build_function(described, KIND, tools.send(ClientTool(KIND, name)))
    rest = {key: value for key, value in tool.items() if key != KIND}
    return {**rest, "type": "function", "function": function}


def _write_message(message: _Object, tools: ClientTools) -> _Object:
    calls = [_write_function_call(call, tools) if _has_custom(call) else call for call in message["tool_calls"]]
    return {**message, "tool_calls": calls}


def _write_function_call(call: _Object, tools: ClientTools) -> _Object:
    own = call[KIND]
    arguments = msgspec.json.encode({INPUT: own.get("input") or ""}).decode()
    function = {"name": tools.send(ClientTool(KIND, str(own.get("name") or ""))), "arguments": arguments}
    rest = {key: value for key, value in call.items() if key != KIND}
    return {**rest, "type": "function", "function": function}


def _write_choice(choice: _Object, tools: ClientTools) -> _Object:
    if choice.get("type") == KIND:
        name = tools.send(ClientTool(KIND, str(choice[KIND].get("name") or "")))
        return {"type": "function", "function": {"name": name}}
    allowed = choice["allowed_tools"]
    named = [_write_choice(each, tools) if _has_custom(each) else each for each in allowed["tools"]]
    return {**choice, "allowed_tools": {**allowed, "tools": named}}


def _write_call(call: _Object, tools: ClientTools) -> _Object:
    tool = tools.find(call["function"]["name"])
    if tool.kind != KIND:
        return call
    rest = {name: value for name, value in call.items() if name != "function"}
    return {
        **rest,
        "type": KIND,
        "custom": {"name": tool.name, "input": read_input(call["function"]["arguments"])},
    }
