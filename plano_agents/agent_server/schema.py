"""The agent server's request bodies, checked at the edge, and the examples of the OpenAPI pages.

Answers need no schema here: ``events`` describes the agent's own, OpenAI's reference the other.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.json_schema import SkipJsonSchema

MAX_THREAD_ID = 256
"""How many characters a thread's id may have."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, use_attribute_docstrings=True)


class TextPart(_Model):
    """A piece of text."""

    type: Literal["text"] = "text"
    """Always ``text``."""
    text: str
    """The text."""


class ImageAddress(_Model):
    """The address of an image."""

    url: str
    """An ``https`` address or a base64 ``data:`` URL."""
    detail: Literal["auto", "low", "high", "original"] | None = None
    """How closely the model looks."""


class ImagePart(_Model):
    """An image."""

    type: Literal["image_url"]
    """Always ``image_url``."""
    image_url: ImageAddress
    """Where the image is."""


class FileSource(_Model):
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


class FilePart(_Model):
    """A file, such as a PDF."""

    type: Literal["file"]
    """Always ``file``."""
    file: FileSource
    """The file."""


# The OpenAPI pages leave files out: only a provider can say which files it reads, and its 400 is a 502 here.
Part = Annotated[TextPart | ImagePart | SkipJsonSchema[FilePart], Field(discriminator="type")]

CONTENT_TAGS = ("<text>", "<parts>")
UNION_TAGS = frozenset({*CONTENT_TAGS, "user", "assistant", "system", "developer"})
"""What stands in an error's path for the branch taken, and is no field."""


def _tag_content(value: object) -> str:
    """Read content by its own kind, so that its errors are told and not the other kind's."""
    return CONTENT_TAGS[isinstance(value, list | tuple)]


Text = Annotated[str, Tag(CONTENT_TAGS[0])]
TextContent = Annotated[
    Text | Annotated[list[TextPart], Field(min_length=1), Tag(CONTENT_TAGS[1])], Discriminator(_tag_content)
]
Content = Annotated[
    Text | Annotated[list[Part], Field(min_length=1), Tag(CONTENT_TAGS[1])], Discriminator(_tag_content)
]


class UserInput(_Model):
    """A user's message."""

    role: Literal["user"]
    """Who speaks."""
    content: Content
    """Text, or parts of text, images and files."""

    def to_langchain(self) -> AnyMessage:
        """Convert to LangChain's message of the same role."""
        return HumanMessage(_convert(self.content))


class OtherInput(_Model):
    """A message of the developer or the model: text alone, for not every model takes more there."""

    role: Literal["system", "developer", "assistant"]
    """Who speaks."""
    content: TextContent
    """Text, or parts of text."""

    def to_langchain(self) -> AnyMessage:
        """Convert to LangChain's message of the same role."""
        kind = AIMessage if self.role == "assistant" else SystemMessage
        return kind(_convert(self.content))


def _convert(content: str | Sequence[_Model]) -> str | list[str | dict[str, object]]:
    return content if isinstance(content, str) else [part.model_dump(exclude_none=True) for part in content]


InputMessage = Annotated[UserInput | OtherInput, Field(discriminator="role")]
"""One message of the conversation."""


class RunBody(_Model):
    """The body of ``POST /agent/run``: ``input`` or ``messages``, not both."""

    model_config = ConfigDict(extra="forbid")

    input: Annotated[str, Field(min_length=1)] | None = None
    """What the user says."""
    messages: Annotated[list[InputMessage], Field(min_length=1)] | None = None
    """What is new in the conversation, in order; for who has more than one message to send."""
    thread_id: Annotated[str, Field(min_length=1, max_length=MAX_THREAD_ID)] | None = None
    """The conversation to go on with; a new one is begun, and named in the answer, where it is left out. Refused by
    an agent that remembers nothing."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_stream(cls, value: object) -> object:
        if isinstance(value, dict) and "stream" in value:
            raise ValueError("there is no 'stream' here; for events send the header 'Accept: text/event-stream'")
        return value

    @model_validator(mode="after")
    def _check_one_input(self) -> "RunBody":
        if (self.input is None) == (self.messages is None):
            given = "neither" if self.input is None else "both"
            raise ValueError(f"give either 'input' (text) or 'messages' (a list); got {given}")
        return self

    def to_langchain(self) -> tuple[AnyMessage, ...]:
        """The messages to run the graph on."""
        if self.messages is None:
            return (HumanMessage(self.input or ""),)
        return tuple(message.to_langchain() for message in self.messages)


class StreamOptions(_Model):
    """Options of a streamed completion."""

    include_usage: bool | None = False
    """Whether a last chunk tells the tokens used."""


class ChatBody(_Model):
    """The body of ``POST /v1/chat/completions``; other fields are the agent's own affair, and ignored."""

    messages: Annotated[list[InputMessage], Field(min_length=1)]
    """The whole conversation; this endpoint remembers nothing."""
    model: str | None = None
    """The agent's name, which it is where it is left out."""
    stream: bool | None = False
    """Whether to answer with server-sent events."""
    stream_options: StreamOptions | None = None
    """Options of a streamed answer."""
    n: Literal[1] | None = None
    """How many answers; an agent gives one."""

    def to_langchain(self) -> tuple[AnyMessage, ...]:
        """The messages to run the graph on."""
        return tuple(message.to_langchain() for message in self.messages)


class ErrorDetail(_Model):
    """An error."""

    message: str
    """What failed, the value, and the way out."""
    type: str
    """The kind, e.g. ``invalid_request_error``."""
    param: str | None
    """The field at fault."""
    code: str | None
    """The machine-readable code, e.g. ``thread_busy``."""


class ErrorBody(_Model):
    """Any error, in OpenAI's form."""

    error: ErrorDetail
    """What went wrong."""


RUN_EXAMPLE = {
    "input": "PostgreSQL or MongoDB for an e-commerce platform?",
    "thread_id": "t-42",
}

ANSWER_EXAMPLE = {
    "run_id": "run_6b1f0a52c2d94f0f8d3f6c0f5f1b7c11",
    "thread_id": "t-42",
    "affinity_id": "thread-3d1f0a5e9c2b47d08a6e5c4b3a291807",
    "output": "Use PostgreSQL …",
    "turns": [
        {
            "turn": 1,
            "model": "gpt-4o",
            "route": "complex_reasoning",
            "decision": "initialize",
            "reason": "first_turn",
            "tool_calls": ["get_db_benchmarks", "get_db_benchmarks"],
            "duration_ms": 812,
        }
    ],
    "switches": 0,
    "usage": {"input_tokens": 2210, "output_tokens": 431, "cache_read_tokens": 1536},
}

EVENTS_EXAMPLE = (
    'event: token\ndata: {"turn":1,"text":"I compare"}\n\n'
    'event: turn\ndata: {"turn":1,"model":"gpt-4o","route":"complex_reasoning","decision":"initialize",'
    '"reason":"first_turn","tool_calls":["get_db_benchmarks"],"duration_ms":812}\n\n'
    'event: tool\ndata: {"turn":1,"name":"get_db_benchmarks","arguments":{"database":"PostgreSQL"},'
    '"result":"{…}"}\n\n'
    'event: done\ndata: {"run_id":"run_6b1f…", …}\n\n'
)

THREAD_EXAMPLE = {
    "thread_id": "t-42",
    "affinity_id": "thread-3d1f0a5e9c2b47d08a6e5c4b3a291807",
    "updated_at": "2026-01-01T00:00:00+00:00",
    "is_running": False,
    "messages": [
        {
            "id": "5f0c…",
            "role": "user",
            "content": RUN_EXAMPLE["input"],
            "model": None,
            "tool_calls": [],
            "tool_call_id": None,
            "name": None,
            "is_error": False,
        }
    ],
}

CHAT_EXAMPLE = {"messages": [{"role": "user", "content": RUN_EXAMPLE["input"]}]}

COMPLETION_EXAMPLE = {
    "id": "chatcmpl-6b1f0a52c2d94f0f8d3f6c0f5f1b7c11",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "agent",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Use PostgreSQL …", "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {
        "prompt_tokens": 2210,
        "completion_tokens": 431,
        "total_tokens": 2641,
        "prompt_tokens_details": {"cached_tokens": 1536},
    },
}
