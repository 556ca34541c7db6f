"""Requests that agents were seen to send, one of each shape, as files under ``recorded``.

``PLANO_RECORD_HARNESSES=1 scripts/test tests/harnesses`` writes them anew from the runs. Ids are replaced, each by the
same one everywhere; long texts are cut; a tool's definition stands once. pi, which no test runs, was recorded by hand
(1.6.0).
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harnesses.tap import Exchanged

FOLDER = Path(__file__).parent / "recorded"
IS_RECORDING = bool(os.environ.get("PLANO_RECORD_HARNESSES"))

_LEFT_OUT = re.compile(
    r"accept.*|connection|host|content-.*|authorization|x-api-key|x-stainless-.*|traceparent|anthropic-dangerous-.*"
)
_LONGEST = {"text": 100, "content": 100, "output": 100, "instructions": 100, "description": 20}
"""How much is kept of a text, by the name of its field."""
_IDS = re.compile(
    r"(?P<uuid>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    r"|(?P<hash>\b[0-9a-f]{64}\b)|(?P<agent>\ba[0-9a-f]{16}\b)|(?P<session>\bses_[A-Za-z0-9]{20,})"
)
_STAND_INS = {
    "uuid": "00000000-0000-4000-8000-{:012}",
    "hash": "{:064}",
    "agent": "a{:016}",
    "session": "ses_{:026}",
}


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request of an agent."""

    path: str
    """Its path."""
    headers: dict[str, str]
    """Its headers, by lower-case name; without those of the connection, and without keys."""
    body: dict[str, Any]
    """Its body."""


def read_recorded(name: str) -> list[RecordedRequest]:
    """Read a recording."""
    file = json.loads((FOLDER / f"{name}.json").read_text())
    requests = []
    for request in file["requests"]:
        body = request["body"]
        if "tools" in body:
            body["tools"] = [file["tools"][tool] for tool in body["tools"]]
        requests.append(RecordedRequest(**request))
    return requests


def write_recorded(name: str, exchanges: Iterable[Exchanged], folder: Path) -> None:
    """Write an agent's requests, one of each shape.

    Args:
        name: The recording's name.
        exchanges: What was asked.
        folder: Where it ran, which is left out.
    """
    tools: dict[str, Any] = {}
    requests: dict[object, Any] = {}
    for each in exchanges:
        body = _cut(each.body)
        if "tools" in body:
            body["tools"] = [_keep_tool(tools, tool) for tool in body["tools"]]
        headers = {key: value for key, value in each.request.items() if not _LEFT_OUT.fullmatch(key)}
        requests.setdefault(_tell_shape(headers, body), {"path": each.path, "headers": headers, "body": body})
    defined = ",\n".join(f"{_dump(tool)}: {_dump(definition)}" for tool, definition in tools.items())
    sent = ",\n".join(map(_dump, requests.values()))
    text = f'{{"tools": {{\n{defined}\n}}, "requests": [\n{sent}\n]}}'
    text = text.replace(str(folder), "/home/user")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(_replace_ids(text) + "\n")


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _keep_tool(tools: dict[str, Any], tool: dict[str, Any]) -> str:
    name = str(tool.get("function", tool).get("name") or tool["type"])
    while tools.setdefault(name, tool) != tool:
        name += "'"
    return name


def _cut(value: Any, name: str = "") -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _cut(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cut(inner, name) for inner in value]
    longest = _LONGEST.get(name)
    if isinstance(value, str) and longest is not None and len(value) > longest:
        return value[:longest] + "…"
    return value


def _tell_shape(headers: dict[str, str], body: dict[str, Any]) -> object:
    """Give what two requests of one shape have in common: names of headers and fields, kinds of parts, tools."""
    turns: Sequence[dict[str, Any]] = body.get("messages") or body["input"]
    return frozenset(headers), frozenset(body), frozenset(_find_kinds(turns)), tuple(body.get("tools", ()))


def _find_kinds(turns: Sequence[dict[str, Any]]) -> Iterator[object]:
    for turn in turns:
        content = turn.get("content")
        parts = content if isinstance(content, list) else [{"type": type(content).__name__}]
        for part in parts:
            yield turn.get("role"), turn.get("type"), frozenset(turn), part["type"]


def _replace_ids(text: str) -> str:
    seen: dict[str, str] = {}

    def replace(found: re.Match[str]) -> str:
        kind = str(found.lastgroup)
        return seen.setdefault(found[0], _STAND_INS[kind].format(len(seen) + 1))

    return _IDS.sub(replace, text)
