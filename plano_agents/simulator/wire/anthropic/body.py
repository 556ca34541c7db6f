"""The body of Anthropic's messages endpoint, as its API reference gives it ("Create a Message").

What the reference knows and this lacks is refused, as is what neither knows; ``limits`` tells the two apart. Tools that
the provider runs are accepted, and their blocks: the simulated models do without. Betas that Claude Code uses are taken
without their header.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue

from plano_agents.simulator.wire.anthropic.documents import CacheControl, Document
from plano_agents.simulator.wire.anthropic.thinking import RedactedThought, Thinking, Thought
from plano_agents.simulator.wire.reading import Lenient, Strict

MAX_USER_ID = 256
"""How long ``metadata.user_id`` may be, in characters."""


class Block(Strict):
    """The base of all blocks."""

    cache_control: CacheControl | None = None


class Text(Block):
    """A piece of text."""

    type: Literal["text"]
    text: str
    citations: list[JsonValue] | None = None


class Image(Block):
    """An image."""

    type: Literal["image"]
    source: dict[str, JsonValue]


class ToolUse(Block):
    """A call that the model made."""

    type: Literal["tool_use"]
    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    input: dict[str, JsonValue]
    caller: dict[str, JsonValue] | None = None


class ToolReference(Block):
    """A tool that a search for tools has found."""

    type: Literal["tool_reference"]
    tool_name: str


class SearchResult(Lenient):
    """A result of a search, to be cited."""

    type: Literal["search_result"]
    cache_control: CacheControl | None = None


ResultPart: TypeAlias = Text | Image | Document | ToolReference | SearchResult


class ToolResult(Block):
    """A tool's result."""

    type: Literal["tool_result"]
    tool_use_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
    content: str | list[Annotated[ResultPart, Field(discriminator="type")]] = ""
    is_error: bool | None = None


class ProviderBlock(Lenient):
    """A call of a tool that the provider runs, or its result."""

    type: Literal[
        "server_tool_use",
        "mcp_tool_use",
        "mcp_tool_result",
        "advisor_tool_result",
        "bash_code_execution_tool_result",
        "code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "web_fetch_tool_result",
        "web_search_tool_result",
    ]
    cache_control: CacheControl | None = None


class Tool(Block):
    """A tool that may be called."""

    type: Literal["custom"] | None = None
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    description: str | None = None
    input_schema: dict[str, JsonValue]
    strict: bool | None = None
    input_examples: list[dict[str, JsonValue]] | None = None
    eager_input_streaming: bool | None = None
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None


class ProviderTool(Lenient):
    """A tool that the provider defines, such as ``web_search_20250305``; most of them it also runs."""

    type: Annotated[str, Field(pattern=r"^[a-z0-9_]+_20\d{6}$")]
    name: str
    cache_control: CacheControl | None = None


class NamedTool(Strict):
    """A tool of a change, by its name."""

    type: Literal["tool_reference"]
    name: str


class DefinedTool(Strict):
    """A tool of a change, by value."""

    type: Literal["tool_definition"]
    definition: Tool | ProviderTool


class McpTools(Lenient):
    """Tools of an MCP server that the provider asks."""

    type: Literal["mcp_tool_reference", "mcp_toolset_reference"]


class ToolAddition(Block):
    """From here on the tool may be called (BetaRequestToolAdditionBlockParam)."""

    type: Literal["tool_addition"]
    tool: Annotated[NamedTool | DefinedTool | McpTools, Field(discriminator="type")]


class ToolRemoval(Block):
    """From here on it may not (BetaRequestToolRemovalBlockParam)."""

    type: Literal["tool_removal"]
    tool: Annotated[NamedTool | McpTools, Field(discriminator="type")]


AnyBlock: TypeAlias = (
    Text
    | Image
    | Document
    | SearchResult
    | ToolUse
    | ToolResult
    | Thought
    | RedactedThought
    | ToolAddition
    | ToolRemoval
    | ProviderBlock
)


class Message(Strict):
    """One turn, or instructions between turns."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Annotated[AnyBlock, Field(discriminator="type")]]
    clear_at: Literal["next_user_message", "never"] | None = None
    output_config: dict[str, JsonValue] | None = None

    @property
    def blocks(self) -> list[AnyBlock]:
        """The content as blocks, whichever way it was sent."""
        if isinstance(self.content, str):
            return [Text(type="text", text=self.content)]
        return self.content

    @property
    def documents(self) -> list[tuple[str, Document]]:
        """The documents, also those in tool results, with their places inside the message."""
        return [
            (f"content.{at}{f'.content.{inner}' if part is not block else ''}", part)
            for at, block in enumerate(self.blocks)
            for inner, part in enumerate(
                block.content if isinstance(block, ToolResult) and isinstance(block.content, list) else [block]
            )
            if isinstance(part, Document)
        ]


class Auto(Strict):
    """The model chooses, or must choose, a tool."""

    type: Literal["auto", "any"]
    disable_parallel_tool_use: bool = False


class Named(Strict):
    """The demand for one tool."""

    type: Literal["tool"]
    name: str
    disable_parallel_tool_use: bool = False


class NoTool(Strict):
    """No tool may be called."""

    type: Literal["none"]


class JsonFormat(Strict):
    """JSON that is valid for a schema."""

    type: Literal["json_schema"]
    definition: Annotated[dict[str, JsonValue], Field(alias="schema")]


class OutputConfig(Strict):
    """The settings of the answer's output."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None
    task_budget: dict[str, JsonValue] | None = None


class Body(Strict):
    """The whole request."""

    model: str
    max_tokens: Annotated[int, Field(ge=1)]
    messages: list[Message]
    system: str | list[Text] = ""
    tools: list[Tool | ProviderTool] = Field(default_factory=list)
    tool_choice: Annotated[Auto | Named | NoTool, Field(discriminator="type")] | None = None
    stream: bool = False
    stop_sequences: list[str] | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    metadata: dict[str, JsonValue] | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    cache_control: CacheControl | None = None
    context_management: dict[str, JsonValue] | None = None
    inference_geo: str | None = None
    speed: Literal["standard", "fast"] | None = None
    user_profile_id: str | None = None

    @property
    def cache_marks(self) -> int:
        """The number of blocks marked with ``cache_control``."""
        return sum(_find_mark(block) is not None for _, block in self._list_blocks())

    def find_marks(self) -> Iterator[tuple[str, float]]:
        """Find what is marked for the cache.

        Yields:
            Each place, as `render_blocks` names it, and its time to live in seconds; a mark at the top stands for one
            at the last block.
        """
        for place, block in self._list_blocks():
            mark = _find_mark(block)
            if mark is not None:
                yield place, mark.ttl_seconds
        if self.cache_control is not None:
            yield f"messages.{len(self.messages) - 1}", self.cache_control.ttl_seconds

    def _list_blocks(self) -> Iterator[tuple[str, object]]:
        for at, tool in enumerate(self.tools):
            yield f"tools.{at}", tool
        for text in [] if isinstance(self.system, str) else self.system:
            yield "system", text
        for at, message in enumerate(self.messages):
            for block in message.blocks:
                yield f"messages.{at}", block
                for part in block.content if isinstance(block, ToolResult) and isinstance(block.content, list) else []:
                    yield f"messages.{at}", part


def _find_mark(block: object) -> CacheControl | None:
    mark: CacheControl | None = getattr(block, "cache_control", None)
    return mark
