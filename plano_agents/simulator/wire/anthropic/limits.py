"""The simulator's own limits: what the provider takes and it does not; each refusal says so."""

import re
from collections.abc import Mapping

FIELDS: Mapping[str, str] = {
    "container": "run no code, so they take no container",
    "diagnostics": "give no diagnostics",
    "mcp_servers": "do not call MCP servers",
}
"""What is wrong with a field of the body; words to follow ``the simulated models``."""

_TYPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"url|file"), "do not fetch documents; send a base64, text or content source"),
    (re.compile(r"container_upload|browser_state"), "do not read such blocks"),
    (re.compile(r"mcp_toolset"), "do not call MCP servers"),
)


def describe_type(kind: str) -> str | None:
    """Explain why a block, source or tool of a type is refused; None where the provider does not know it either."""
    return next((words for pattern, words in _TYPES if pattern.fullmatch(kind)), None)
