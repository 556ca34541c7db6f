"""The body of Anthropic's messages endpoint, as its API reference gives it ("Create a Message").

What the reference knows and this lacks is refused, as is what neither knows: documents, server tools, answers in JSON
(``output_config.format``) and system messages between the turns. ``thinking`` is accepted, and no thought is shown.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Wire(BaseModel):
    """Nothing but the fields named, of the types named."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Block(Wire):
    """What all blocks have in common."""

    cache_control: dict[str, JsonValue] | None = None


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


class ToolResult(Block):
    """What a tool answered."""

    type: Literal["tool_result"]
    tool_use_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
    content: str | list[Annotated[Text | Image, Field(discriminator="type")]] = ""
    is_error: bool | None = None


class Thinking(Wire):
    """A model's earlier thought."""

    type: Literal["thinking"]
    thinking: str
    signature: str


AnyBlock = Annotated[Text | Image | ToolUse | ToolResult | Thinking, Field(discriminator="type")]


class Message(Wire):
    """One turn."""

    role: Literal["user", "assistant"]
    content: str | list[AnyBlock]

    @property
    def blocks(self) -> list[Text | Image | ToolUse | ToolResult | Thinking]:
        """The content as blocks, whichever way it was sent."""
        if isinstance(self.content, str):
            return [Text(type="text", text=self.content)]
        return self.content


class Tool(Block):
    """A tool that may be called."""

    type: Literal["custom"] | None = None
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    description: str | None = None
    input_schema: dict[str, JsonValue]
    strict: bool | None = None


class Auto(Wire):
    """The model chooses, or must choose, a tool."""

    type: Literal["auto", "any"]
    disable_parallel_tool_use: bool = False


class Named(Wire):
    """The demand for one tool."""

    type: Literal["tool"]
    name: str
    disable_parallel_tool_use: bool = False


class NoTool(Wire):
    """No tool may be called."""

    type: Literal["none"]


class OutputConfig(Wire):
    """How the answer is written."""

    effort: str | None = None


class Body(Wire):
    """The whole request."""

    model: str
    max_tokens: Annotated[int, Field(ge=1)]
    messages: list[Message]
    system: str | list[Text] = ""
    tools: list[Tool] = []
    tool_choice: Annotated[Auto | Named | NoTool, Field(discriminator="type")] | None = None
    stream: bool = False
    stop_sequences: list[str] | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    metadata: dict[str, JsonValue] | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    thinking: dict[str, JsonValue] | None = None
    output_config: OutputConfig | None = None
    cache_control: dict[str, JsonValue] | None = None
