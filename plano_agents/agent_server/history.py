"""The conversation that ``GET /threads/{id}`` returns, as frozen values whose fields are those of the JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolMessage
from pydantic import ConfigDict

from plano_agents.integrations.encodable import clean_object, clean_text

_DOCUMENTED = ConfigDict(use_attribute_docstrings=True)

Role = Literal["system", "user", "assistant", "tool", "other"]

_ROLES: dict[str, Role] = {"system": "system", "human": "user", "ai": "assistant", "tool": "tool"}


@dataclass(frozen=True, slots=True)
class ThreadToolCall:
    """A tool call that a model asked for."""

    __pydantic_config__: ClassVar[ConfigDict] = _DOCUMENTED

    id: str | None
    """Its id, which the answer names as ``tool_call_id``."""
    name: str
    """The tool."""
    arguments: Mapping[str, object]
    """What it was called with."""


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """One message of a conversation."""

    __pydantic_config__: ClassVar[ConfigDict] = _DOCUMENTED

    id: str | None
    """The message's own id."""
    role: Role
    """Who speaks."""
    content: str
    """The text; images are left out."""
    model: str | None = None
    """The model that said it, as it calls itself."""
    tool_calls: tuple[ThreadToolCall, ...] = ()
    """The tools that the model asked for."""
    tool_call_id: str | None = None
    """The call that a tool's message answers."""
    name: str | None = None
    """The tool."""
    is_error: bool = False
    """True if the tool failed."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation, as far as it was kept."""

    __pydantic_config__: ClassVar[ConfigDict] = _DOCUMENTED

    thread_id: str
    """The conversation."""
    affinity_id: str
    """What its latest run's model calls carried as ``X-Model-Affinity``."""
    updated_at: str | None
    """When its latest step was kept, in ISO 8601."""
    is_running: bool
    """True if a run on it is under way in the process that was asked."""
    messages: tuple[ThreadMessage, ...]
    """The messages, oldest first."""


def describe_messages(messages: Sequence[AnyMessage]) -> tuple[ThreadMessage, ...]:
    """Describe a conversation's messages."""
    return tuple(_describe(message) for message in messages)


def _describe(message: BaseMessage) -> ThreadMessage:
    role = _ROLES.get(message.type, "other")
    content = clean_text(str(message.text))
    if isinstance(message, AIMessage):
        model: Any = message.response_metadata.get("model_name")
        calls = tuple(
            ThreadToolCall(call["id"], clean_text(call["name"]), clean_object(call["args"]))
            for call in message.tool_calls
        )
        named = clean_text(model) if isinstance(model, str) else None
        return ThreadMessage(message.id, role, content, model=named, tool_calls=calls)
    if isinstance(message, ToolMessage):
        return ThreadMessage(
            message.id,
            role,
            content,
            tool_call_id=message.tool_call_id,
            name=message.name,
            is_error=message.status == "error",
        )
    return ThreadMessage(message.id, role, content)
