"""OpenAI's chat completion answers, as a proxy writes them: whole, and in chunks.

Shapes are those of OpenAI's API reference, "The chat completion object" and "The chat completion chunk object".
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from plano_agents.protocol.openai_chat import ToolCall


class PromptTokensDetails(Struct, frozen=True):
    """Where the prompt's tokens came from."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class CompletionTokensDetails(Struct, frozen=True):
    """What the completion's tokens were spent on."""

    reasoning_tokens: int = 0


class Usage(Struct, frozen=True):
    """Tokens of one answer; ``prompt_tokens`` counts cached ones too."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails = CompletionTokensDetails()


class ReplyMessage(Struct, frozen=True):
    """The assistant's message in an answer."""

    content: str | None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] | UnsetType = UNSET
    role: Literal["assistant"] = "assistant"


class Choice(Struct, frozen=True):
    """One answer of a completion."""

    index: int
    message: ReplyMessage
    finish_reason: str
    logprobs: None = None


class Completion(Struct, frozen=True):
    """A whole answer, not streamed."""

    id: str
    created: int
    """Unix time in seconds."""
    model: str
    choices: tuple[Choice, ...]
    usage: Usage
    object: Literal["chat.completion"] = "chat.completion"


class FunctionDelta(Struct, frozen=True):
    """A piece of a function call."""

    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class ToolCallDelta(Struct, frozen=True):
    """A piece of one tool call; ``index`` says of which."""

    index: int
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET
    function: FunctionDelta | UnsetType = UNSET


class Delta(Struct, frozen=True):
    """What a chunk adds to the message."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    tool_calls: tuple[ToolCallDelta, ...] | UnsetType = UNSET


class ChunkChoice(Struct, frozen=True):
    """What a chunk adds to one choice."""

    index: int
    delta: Delta
    finish_reason: str | None = None
    logprobs: None = None


class Chunk(Struct, frozen=True):
    """One event of a streamed answer."""

    id: str
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: Usage | UnsetType | None = UNSET
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
