"""A request's content, read from any wire without the code under test: texts, images, calls, results, tools."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from plano_agents.protocol.form import Form

Body = dict[str, Any]

_ANTHROPICS = ("web_search_", "web_fetch_", "code_execution_")
_OPENAIS = frozenset({"web_search", "file_search", "code_interpreter", "image_generation", "mcp"})
_BILLING = "x-anthropic-billing-header:"
_DATA_URL = re.compile(r"data:[^;]+;base64,")


@dataclass
class Told:
    """A request's content."""

    texts: list[str] = field(default_factory=list)
    """All that anybody says, in order, results of tools apart."""
    images: list[str] = field(default_factory=list)
    """Their data."""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """Names and arguments, in order."""
    answers: list[tuple[int, str]] = field(default_factory=list)
    """For each result the number of its call, and its text."""
    tools: set[str] = field(default_factory=set)
    """The tools that may be called."""
    ids: list[str] = field(default_factory=list)
    """The calls' ids, in order."""

    def answer(self, call_id: str, text: str) -> None:
        self.answers.append((self.ids.index(call_id), text))

    def call(self, call_id: str, name: str, arguments: Any) -> None:  # noqa: ANN401 - JSON
        self.ids.append(call_id)
        self.calls.append((name, arguments))


def read_told(form: Form, body: Body) -> Told:
    """Read a request of a wire."""
    told = Told()
    match form:
        case Form.OPENAI_CHAT:
            _read_chat(body, told)
        case Form.ANTHROPIC_MESSAGES:
            _read_messages(body, told)
        case Form.OPENAI_RESPONSES:
            _read_responses(body, told)
    told.texts = [text.strip() for text in told.texts if text.strip() and not text.startswith(_BILLING)]
    return told


def _parts(content: object) -> Sequence[Body]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else []


def _read_parts(content: object, told: Told) -> list[str]:
    """Read parts of any wire: note images, and give the texts."""
    texts = []
    for part in _parts(content):
        url = part.get("image_url")
        if part["type"] == "image":
            told.images.append(part["source"]["data"])
        elif url is not None:
            told.images.append(_DATA_URL.sub("", url["url"] if isinstance(url, dict) else url))
        elif part["type"] == "tool_reference":
            texts.append(part["tool_name"])
        elif "text" in part:
            texts.append(part["text"])
    return texts


def _read_chat(body: Body, told: Told) -> None:
    for message in body["messages"]:
        if message["role"] == "tool":
            told.answer(message["tool_call_id"], "\n".join(_read_parts(message["content"], told)))
            continue
        told.texts += _read_parts(message.get("content"), told)
        for call in message.get("tool_calls") or ():
            told.call(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
    told.tools = {tool["function"]["name"] for tool in body.get("tools") or ()}


def _read_messages(body: Body, told: Told) -> None:
    told.texts += [part["text"] for part in _parts(body.get("system"))]
    found: set[str] = set()
    for turn in body["messages"]:
        for block in _parts(turn["content"]):
            if block["type"] == "tool_use":
                told.call(block["id"], block["name"], block["input"])
            elif block["type"] == "tool_result":
                found |= {
                    part["tool_name"] for part in _parts(block.get("content")) if part["type"] == "tool_reference"
                }
                told.answer(block["tool_use_id"], "\n".join(_read_parts(block.get("content"), told)))
            else:
                told.texts += _read_parts([block], told)
    told.tools = {
        tool["name"]
        for tool in body.get("tools") or ()
        if not str(tool.get("type")).startswith(_ANTHROPICS)
        and (not tool.get("defer_loading") or tool["name"] in found or tool["name"] in {name for name, _ in told.calls})
    }


def _read_responses(body: Body, told: Told) -> None:
    told.texts.append(body.get("instructions") or "")
    tools = [*body.get("tools", ())]
    items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
    for item in items:
        match item.get("type", "message"):
            case "message":
                told.texts += _read_parts(item["content"], told)
            case "function_call":
                name = "__".join(filter(None, (item.get("namespace"), item["name"])))
                told.call(item["call_id"], name, json.loads(item["arguments"]))
            case "custom_tool_call":
                told.call(item["call_id"], item["name"], {"input": item["input"]})
            case "tool_search_call":
                told.call(item["call_id"], "tool_search", item["arguments"])
            case "function_call_output" | "custom_tool_call_output":
                told.answer(item["call_id"], "\n".join(_read_parts(item["output"], told)))
            case "tool_search_output":
                told.answer(item["call_id"], "")
                tools += item["tools"]
    told.tools = {*_name_tools(tools)}


def _name_tools(tools: Sequence[Body], namespace: str = "") -> Iterator[str]:
    for tool in tools:
        if tool["type"] == "namespace":
            yield from _name_tools(tool["tools"], tool["name"] + "__")
        elif tool["type"] == "tool_search":
            yield "tool_search"
        elif tool["type"] not in _OPENAIS:
            yield namespace + tool["name"]
