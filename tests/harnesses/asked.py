"""A request as a scripted model looks at it, on each of the three wires."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from plano_agents.testing import UpstreamExchange

Json = dict[str, Any]
CallKind = Literal["function", "custom", "tool_search"]


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a request that a script looks at."""

    tools: tuple[str, ...]
    """The offered tools' names."""
    words: tuple[str, ...]
    """What users' messages say, in order, with `CALLED` for each turn of an assistant that makes calls."""
    wants_json: bool
    """True if the answer has a schema."""
    text: str
    """The whole request, as JSON."""
    kinds: Mapping[str, tuple[CallKind, str | None]] = field(default_factory=dict)
    """The kinds of tools that responses alone have, and those in namespaces: kind and namespace, by name."""


CALLED = "\0called"


def read_request(exchange: UpstreamExchange) -> Asked:
    """Read a request on the wire that it came by."""
    body: Json = exchange.json
    tools = [tool.get("function", tool).get("name") or tool["type"] for tool in body.get("tools") or ()]
    kinds = dict(_read_kinds(body)) if exchange.wire == "responses" else {}
    words = _read_items(body["input"]) if exchange.wire == "responses" else _read_messages(body["messages"])
    form = body.get("response_format") or (body.get("text") or {}).get("format")
    form = form or (body.get("output_config") or {}).get("format") or {}
    wants_json = form.get("type") in {"json_schema", "json_object"}
    return Asked((*tools, *kinds), tuple(words), wants_json, exchange.body.decode(), kinds)


def _read_kinds(body: Json) -> Iterator[tuple[str, tuple[CallKind, str | None]]]:
    """List the tools that are not plain functions; found ones stand in the transcript."""
    found = [tool for item in body["input"] if isinstance(item, dict) for tool in item.get("tools") or ()]
    for tool in (*(body.get("tools") or ()), *found):
        if tool["type"] == "namespace":
            yield from ((inner["name"], ("function", tool["name"])) for inner in tool["tools"])
        elif tool["type"] in {"custom", "tool_search"}:
            yield tool.get("name") or tool["type"], (tool["type"], None)
        elif tool in found:
            yield tool["name"], ("function", None)


def _read_messages(messages: list[Json]) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
        if message["role"] == "user":
            yield "\n".join(block["text"] for block in blocks if block["type"] == "text")
        elif message["role"] == "assistant" and (
            message.get("tool_calls") or any(block["type"] == "tool_use" for block in blocks)
        ):
            yield CALLED


def _read_items(items: str | list[Json]) -> Iterator[str]:
    calling = False
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        if item.get("role") == "user":
            content = item["content"]
            yield content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
        is_call = str(item.get("type")).endswith("_call")
        if is_call and not calling:
            yield CALLED
        calling = is_call
