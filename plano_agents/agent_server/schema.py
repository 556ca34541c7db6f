"""The agent server's request bodies, checked at the edge, and the examples of the OpenAPI pages.

Answers need no schema here: ``events`` describes the agent's own, OpenAI's reference the other.
"""

from typing import Annotated, Literal

from langchain_core.messages import AnyMessage, HumanMessage
from pydantic import ConfigDict, Field, model_validator

from plano_agents.agent_server.input_messages import EdgeModel, InputMessage, check_tool_messages

MAX_THREAD_ID = 256
"""How many characters a thread's id may have."""


class RunBody(EdgeModel):
    """The body of ``POST /agent/run``: ``input`` or ``messages``, not both."""

    model_config = ConfigDict(extra="forbid")

    input: Annotated[str, Field(min_length=1)] | None = None
    """What the user says."""
    messages: Annotated[list[InputMessage], Field(min_length=1)] | None = None
    """What is new in the conversation, in order; for who has more than one message to send."""
    thread_id: Annotated[str, Field(min_length=1, max_length=MAX_THREAD_ID)] | None = None
    """The conversation to begin or to go on with. Refused by an agent that remembers nothing."""
    keep_thread: bool = False
    """True to begin a conversation that can be gone on with: the answer names its thread. Without it, and without a
    `thread_id`, nothing is kept of the run."""

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
        if self.messages is not None and self.thread_id is None:
            check_tool_messages(self.messages)
        return self

    def to_langchain(self) -> tuple[AnyMessage, ...]:
        """The messages to run the graph on."""
        if self.messages is None:
            return (HumanMessage(self.input or ""),)
        return tuple(message.to_langchain() for message in self.messages)


class StreamOptions(EdgeModel):
    """Options of a streamed completion."""

    include_usage: bool | None = False
    """True if a last chunk tells the tokens used."""


class ChatBody(EdgeModel):
    """The body of ``POST /v1/chat/completions``; other fields are the agent's own affair, and ignored.

    Tools are refused: the agent has its own, and a client whose tools are never called would wait for them in vain.
    """

    messages: Annotated[list[InputMessage], Field(min_length=1)]
    """The whole conversation; this endpoint remembers nothing."""
    model: str | None = None
    """The agent's name, which it is where it is left out."""
    stream: bool | None = False
    """True to answer with server-sent events."""
    stream_options: StreamOptions | None = None
    """Options of a streamed answer."""
    n: Literal[1] | None = None
    """How many answers; an agent gives one."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_tools(cls, value: object) -> object:
        given = [name for name in ("tools", "functions") if isinstance(value, dict) and value.get(name)]
        if given:
            raise ValueError(
                f"leave {given[0]!r} out: this agent calls tools of its own, and none of its client's. For a model that "
                "calls the client's tools, ask the model router"
            )
        return value

    @model_validator(mode="after")
    def _check_answers(self) -> "ChatBody":
        check_tool_messages(self.messages)
        return self

    def to_langchain(self) -> tuple[AnyMessage, ...]:
        """The messages to run the graph on."""
        return tuple(message.to_langchain() for message in self.messages)


class ErrorDetail(EdgeModel):
    """An error."""

    message: str
    """What failed, the value, and the way out."""
    type: str
    """The kind, e.g. ``invalid_request_error``."""
    param: str | None
    """The field at fault."""
    code: str | None
    """The machine-readable code, e.g. ``thread_busy``."""


class ErrorBody(EdgeModel):
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
    "session_id": "run-7",
    "routing_trace": [
        {"task": "get_db_benchmarks, get_db_benchmarks", "model": "gpt-4o"},
        {"task": "answer", "model": "gpt-4o"},
    ],
}
