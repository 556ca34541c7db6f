"""Blocks of what Anthropic itself did in a conversation: tools that it ran, and its compaction.

They stand in transcripts, and only Anthropic's wire has a place for them. Where no other does, their fields are not
read.
"""

from msgspec import Struct

from plano_agents.protocol.tool_changes import ToolChange


class ServerToolUse(Struct, frozen=True, tag_field="type", tag="server_tool_use"):
    """A call of a tool that Anthropic runs."""


class WebSearchResult(Struct, frozen=True, tag_field="type", tag="web_search_tool_result"):
    """The result of Anthropic's web search."""


class WebFetchResult(Struct, frozen=True, tag_field="type", tag="web_fetch_tool_result"):
    """The result of Anthropic's web fetch."""


class CodeResult(Struct, frozen=True, tag_field="type", tag="code_execution_tool_result"):
    """The result of Anthropic's code execution."""


class ShellResult(Struct, frozen=True, tag_field="type", tag="bash_code_execution_tool_result"):
    """The result of Anthropic's shell."""


class EditorResult(Struct, frozen=True, tag_field="type", tag="text_editor_code_execution_tool_result"):
    """The result of Anthropic's text editor."""


class AdvisorResult(Struct, frozen=True, tag_field="type", tag="advisor_tool_result"):
    """The answer of Anthropic's advisor."""


class McpUse(Struct, frozen=True, tag_field="type", tag="mcp_tool_use"):
    """A call of a tool of an MCP server that Anthropic asks."""


class McpResult(Struct, frozen=True, tag_field="type", tag="mcp_tool_result"):
    """The result of an MCP server's tool."""


class McpListing(Struct, frozen=True, tag_field="type", tag="mcp_tool_listing"):
    """The tools that an MCP server offered."""


class ContainerUpload(Struct, frozen=True, tag_field="type", tag="container_upload"):
    """A file for Anthropic's container."""


class FallbackMark(Struct, frozen=True, tag_field="type", tag="fallback"):
    """The mark of a fallback to another of Anthropic's models."""


class FoundTool(Struct, frozen=True):
    """A tool that a search of tools found."""

    tool_name: str = ""


class ToolSearchFindings(Struct, frozen=True):
    """The content of a search of tools; one that failed found nothing."""

    tool_references: tuple[FoundTool, ...] = ()


class ToolSearchResult(Struct, frozen=True, tag_field="type", tag="tool_search_tool_result"):
    """The result of Anthropic's tool search."""

    content: ToolSearchFindings = ToolSearchFindings()


class Compaction(Struct, frozen=True, tag_field="type", tag="compaction"):
    """The summary that stands for all before it."""

    content: str | None = None
    """The summary; None where it failed."""
    tool_changes: tuple[ToolChange, ...] | None = None
    """What became of tools in what it summarizes."""


Unread = (
    ServerToolUse
    | WebSearchResult
    | WebFetchResult
    | CodeResult
    | ShellResult
    | EditorResult
    | AdvisorResult
    | McpUse
    | McpResult
    | McpListing
    | ContainerUpload
    | FallbackMark
)
"""Blocks of which nothing is read."""

ServerBlock = Unread | ToolSearchResult | Compaction


def name_block(block: Unread | ToolSearchResult) -> str:
    """Give a block's type, as it stands in the request."""
    return str(block.__struct_config__.tag)
