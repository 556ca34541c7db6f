"""Tool names as every provider takes them, and the names that a client's own kinds of tool have in the hub.

A name that has to change ends in a hash of itself, so it stays apart from every other and is always the same.

The hub has functions alone. A client of responses also offers tools in namespaces, tools whose input is free text (so
does one of chat), and tools that it runs under a name of the API's; each becomes a function under a name that every
provider takes, and a call of that function is given back as the client's own kind (`ClientTools`). A plain function
keeps its name; where a provider does not take it, the fitting to that provider shortens it and puts it back
(`providers.fit.names`).
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

LONGEST = 64
"""How many characters of a tool's name every provider takes."""

_HASH_DIGITS = 8
_OTHER = re.compile(r"[^a-zA-Z0-9_-]")
_FITS = re.compile(rf"[a-zA-Z0-9_-]{{1,{LONGEST}}}")

Kind = Literal["function", "custom", "local_shell", "tool_search"]
"""The kinds of tool that a client runs itself."""


def shorten_name(name: str, length: int, apart_by: str = "") -> str:
    """Write a tool's name in letters, digits, hyphens and underscores, always alike.

    Args:
        name: The client's.
        length: How many characters it may have.
        apart_by: Tells it from others of that name.
    """
    digest = hashlib.sha256(f"{name}{apart_by}".encode(errors="surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{_OTHER.sub('_', name)[: length - _HASH_DIGITS - 1]}_{digest}"


@dataclass(frozen=True, slots=True)
class ClientTool:
    """A tool as its client knows it."""

    kind: Kind
    """Its kind."""
    name: str
    """Its name; a kind without names has its own."""
    namespace: str | None = None
    """The namespace that it stands in."""


class ClientTools:
    """The tools of one request, and the functions that they are in the hub."""

    def __init__(self) -> None:
        self._sent: dict[ClientTool, str] = {}
        self._own: dict[str, ClientTool] = {}

    def __contains__(self, tool: ClientTool) -> bool:
        return tool in self._sent

    @property
    def has_own(self) -> bool:
        """True if a tool was sent under a name."""
        return bool(self._own)

    def send(self, tool: ClientTool) -> str:
        """Give the name of a tool's function: always the same, and another for each tool."""
        if tool not in self._sent:
            name = self._choose(tool)
            self._sent[tool] = name
            self._own[name] = tool
        return self._sent[tool]

    def find(self, name: str) -> ClientTool:
        """Find the tool that is called; a plain function where none has the name."""
        return self._own.get(name) or ClientTool("function", name)

    def _choose(self, tool: ClientTool) -> str:
        name = tool.name if tool.namespace is None else f"{tool.namespace.rstrip('_')}__{tool.name}"
        is_plain = tool.kind == "function" and tool.namespace is None
        if name in self._own or not (is_plain or _FITS.fullmatch(name)):
            return shorten_name(name, LONGEST, f" {tool.kind} {tool.namespace}")
        return name
