"""An MCP server on standard input and output that offers a second tool once its first was called."""

import json
import sys
from typing import Any

FIRST, LATE = "unlock", "late_tool"
_SCHEMA = {"type": "object", "properties": {}}


def describe(name: str) -> dict[str, Any]:
    return {"name": name, "description": f"The tool {name}.", "inputSchema": _SCHEMA}


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def serve() -> None:
    offered = [FIRST]
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        result: dict[str, Any] = {}
        if request["method"] == "initialize":
            result = {
                "protocolVersion": request["params"]["protocolVersion"],
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "late", "version": "1"},
            }
        elif request["method"] == "tools/list":
            result = {"tools": [describe(name) for name in offered]}
        elif request["method"] == "tools/call":
            result = {"content": [{"type": "text", "text": "done"}]}
            if LATE not in offered:
                offered.append(LATE)
                say({"method": "notifications/tools/list_changed"})
        say({"id": request["id"], "result": result})


if __name__ == "__main__":
    serve()
