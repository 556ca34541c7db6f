"""Messages of a conversation as clients send them, checked at the edge, and LangChain's in their place.

A transcript's calls and its tools' answers must belong together (`check_tool_messages`), as providers demand.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import msgspec
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.json_schema import SkipJsonSchema

from plano_agents.protocol.decoding import BAD_JSON


class EdgeModel(BaseModel):
    """A part of a body that clients send."""

    model_config = ConfigDict(frozen=True, strict=True, use_attribute_docstrings=True)


class TextPart(EdgeModel):
    """A piece of text."""

    type: Literal["text"] = "text"
    """Always ``text``."""
    text: str
    """The text."""


class ImageAddress(EdgeModel):
    """The address of an image."""

    url: str
    """An ``https`` address or a base64 ``data:`` URL."""
    detail: Literal["auto", "low", "high", "original"] | None = None
    """How closely the model looks."""


class ImagePart(EdgeModel):
    """An image."""

    type: Literal["image_url"]
    """Always ``image_url``."""
    image_url: ImageAddress
    """Where the image is."""


class FileSource(EdgeModel):
    """A file: its content, or the id of one that the provider has."""

    filename: str | None = None
    """Its name."""
    file_data: str | None = Field(None, min_length=1)
    """A base64 ``data:`` URL."""
    file_id: str | None = Field(None, min_length=1)
    """The id of a file at the provider."""

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.file_data is None and self.file_id is None:
            raise ValueError("a file needs 'file_data' or 'file_id'")
        return self


class FilePart(EdgeModel):
    """A file, such as a PDF."""

    type: Literal["file"]
    """Always ``file``."""
    file: FileSource
    """The file."""


# The OpenAPI pages leave files out: only a provider can say which files it reads, and its 400 is a 502 here.
Part = Annotated[TextPart | ImagePart | SkipJsonSchema[FilePart], Field(discriminator="type")]

CONTENT_TAGS = ("<text>", "<parts>")
UNION_TAGS = frozenset({*CONTENT_TAGS, "user", "assistant", "system", "developer", "tool"})
"""What stands in an error's path for the branch taken, and is not a field."""


def _tag_content(value: object) -> str:
    """Read content by its own kind, so that its errors are reported and not the other kind's."""
    return CONTENT_TAGS[isinstance(value, list | tuple)]


Text = Annotated[str, Tag(CONTENT_TAGS[0])]
TextContent = Annotated[
    Text | Annotated[list[TextPart], Field(min_length=1), Tag(CONTENT_TAGS[1])], Discriminator(_tag_content)
]
Content = Annotated[
    Text | Annotated[list[Part], Field(min_length=1), Tag(CONTENT_TAGS[1])], Discriminator(_tag_content)
]


class UserInput(EdgeModel):
    """A user's message."""

    role: Literal["user"]
    """Who speaks."""
    content: Content
    """Text, or parts of text, images and files."""

    def to_langchain(self) -> AnyMessage:
        """Convert to LangChain's message of the same role."""
        return HumanMessage(_convert(self.content))


class DeveloperInput(EdgeModel):
    """A message of the developer: text alone, for not every model takes more there."""

    role: Literal["system", "developer"]
    """Who speaks."""
    content: TextContent
    """Text, or parts of text."""

    def to_langchain(self) -> AnyMessage:
        """Convert to LangChain's message of the same role."""
        return SystemMessage(_convert(self.content))


class CalledFunction(EdgeModel):
    """The function of a tool call."""

    name: Annotated[str, Field(min_length=1)]
    """The tool."""
    arguments: str
    """What it was called with, as JSON."""


class CallInput(EdgeModel):
    """A tool call that a model made before."""

    id: Annotated[str, Field(min_length=1)]
    """Its id, which the tool's message names."""
    type: Literal["function"] = "function"
    """Always ``function``."""
    function: CalledFunction
    """The tool and its arguments."""


class AssistantInput(EdgeModel):
    """A message of the model: text, tool calls, or both."""

    role: Literal["assistant"]
    """Who speaks."""
    content: TextContent | None = None
    """Text, or parts of text; null where the model only called tools."""
    tool_calls: list[CallInput] | None = None
    """The tools that it called; a message of each tool's follows."""

    def to_langchain(self) -> AnyMessage:
        """Convert to LangChain's message of the same role."""
        calls: list[ToolCall] = []
        wrong: list[InvalidToolCall] = []
        for call in self.tool_calls or ():
            name, text = call.function.name, call.function.arguments
            arguments = _read_arguments(text)
            if arguments is not None:
                calls.append(ToolCall(name=name, args=arguments, id=call.id, type="tool_call"))
            else:
                wrong.append(InvalidToolCall(name=name, args=text, id=call.id, error=None, type="invalid_tool_call"))
        content = "" if self.content is None else _convert(self.content)
        return AIMessage(content, tool_calls=calls, invalid_tool_calls=wrong)


class ToolInput(EdgeModel):
    """A tool's answer to a call."""

    role: Literal["tool"]
    """Who speaks."""
    content: TextContent
    """Text, or parts of text."""
    tool_call_id: str
    """The call that it answers."""

    def to_langchain(self) -> AnyMessage:
        """Convert to LangChain's message of the same role."""
        return ToolMessage(_convert(self.content), tool_call_id=self.tool_call_id)


def _read_arguments(text: str) -> dict[str, Any] | None:
    """Read a call's arguments; None where they are not a JSON object, as models write now and then."""
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except BAD_JSON:
        return None


def _convert(content: str | Sequence[EdgeModel]) -> str | list[str | dict[str, object]]:
    return content if isinstance(content, str) else [part.model_dump(exclude_none=True) for part in content]


def check_tool_messages(messages: Sequence[EdgeModel]) -> None:
    """Refuse calls and tools' messages that do not belong together, as providers do.

    Raises:
        ValueError: A tool's message answers no call of the assistant's before it, or a call has no answer after it.
    """
    called, calls = 0, list[str]()
    for place, message in enumerate(messages):
        if isinstance(message, ToolInput):
            if message.tool_call_id not in calls:
                raise ValueError(
                    f"messages[{place}] has the tool_call_id {message.tool_call_id!r}, which is not a call of the assistant's "
                    "message before it; send that message with its 'tool_calls', or leave this one out"
                )
            calls.remove(message.tool_call_id)
            continue
        if calls:
            break
        if isinstance(message, AssistantInput):
            called, calls = place, [call.id for call in message.tool_calls or ()]
    if calls:
        raise ValueError(
            f"messages[{called}] has the tool call {calls[0]!r}, which no message answers; send its result with the role "
            "'tool' after it, or leave the call out"
        )


InputMessage = Annotated[UserInput | DeveloperInput | AssistantInput | ToolInput, Field(discriminator="role")]
"""One message of the conversation."""
