"""What the provider takes and the simulated models do not: each refusal says that it is theirs."""

import re
from collections.abc import Mapping

FIELDS: Mapping[str, str] = {
    "container": "run no code, so they take no container",
    "context_management": "do not edit their context",
    "diagnostics": "give no diagnostics",
    "mcp_servers": "do not call MCP servers",
}
"""What is wrong with a field of the body; words to follow ``the simulated models``."""

_TYPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"url|file"), "do not fetch documents; send a base64, text or content source"),
    (re.compile(r"container_upload|tool_reference|browser_state|search_result"), "do not read such blocks"),
    (
        re.compile(r"server_tool_use|[a-z_]+_tool_result|[a-z_]+_20\d{6}|mcp_toolset"),
        "do not run the provider's own tools; offer a tool with an `input_schema`",
    ),
)


def describe_type(kind: str) -> str | None:
    """What is wrong with a block, source or tool of a type; None where the provider does not know it either."""
    return next((words for pattern, words in _TYPES if pattern.fullmatch(kind)), None)
