"""OpenAI's chat completion answers, whole and in chunks: the hub that answers are translated through.

Shapes are those of OpenAI's API reference, "The chat completion object" and "The chat completion chunk object", with
the two extensions that carry thinking: ``reasoning_content``, as several compatible providers write it, and
``thinking_blocks``. Answers are read leniently: providers leave out much of what OpenAI writes, and write null where
there is nothing, or a list of pieces where a text is expected.
"""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol.decoding import ABSENT, decode_upstream
from plano_agents.protocol.lenience import mend_chat


class PromptTokensDetails(Struct, frozen=True):
    """The details of the prompt's tokens."""

    cached_tokens: int | None = 0
    cache_write_tokens: int | None = 0
    audio_tokens: int | UnsetType | None = UNSET


class CompletionTokensDetails(Struct, frozen=True):
    """The details of the completion's tokens."""

    reasoning_tokens: int | None = 0
    audio_tokens: int | UnsetType | None = UNSET


class Usage(Struct, frozen=True):
    """Tokens of one answer; ``prompt_tokens`` counts cached ones too."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: PromptTokensDetails | None = PromptTokensDetails()
    completion_tokens_details: CompletionTokensDetails | None = CompletionTokensDetails()

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens read from the cache."""
        return (self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens) or 0

    @property
    def cache_write_tokens(self) -> int:
        """Prompt tokens written to the cache."""
        return (self.prompt_tokens_details and self.prompt_tokens_details.cache_write_tokens) or 0

    @property
    def reasoning_tokens(self) -> int:
        """Completion tokens spent on thinking."""
        return (self.completion_tokens_details and self.completion_tokens_details.reasoning_tokens) or 0


class ReplyFunction(Struct, frozen=True):
    """The function that a provider's call names."""

    name: str = ""
    arguments: str = ""
    """JSON text, as the model wrote it."""


class ReplyCall(Struct, frozen=True):
    """One call of a function tool as a provider writes it."""

    id: str = ""
    function: ReplyFunction = ReplyFunction()
    type: str = "function"
    extra_content: msgspec.Raw | UnsetType = UNSET
    """What Gemini adds: the call's thought signature; see `thought_signature`."""


class ReplyMessage(Struct, frozen=True):
    """The assistant's message in an answer."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ReplyCall, ...] | UnsetType | None = UNSET
    role: str = "assistant"
    reasoning_content: str | UnsetType | None = UNSET
    thinking_blocks: tuple[msgspec.Raw, ...] | UnsetType | None = UNSET
    reasoning: str | UnsetType | None = UNSET
    """``reasoning_content`` as OpenRouter, Groq and vLLM spell it; read, never written."""
    function_call: ReplyFunction | UnsetType | None = UNSET
    """A call as it was written before tool calls; read, never written."""


class Choice(Struct, frozen=True):
    """One answer of a completion."""

    index: int = 0
    message: ReplyMessage = ReplyMessage()
    finish_reason: str | None = None
    logprobs: msgspec.Raw = ABSENT
    native_finish_reason: str | UnsetType = UNSET
    """The provider's own word, where it is none of OpenAI's; under OpenRouter's name for it."""


class Completion(Struct, frozen=True):
    """A whole answer, not streamed."""

    id: str = ""
    created: int = 0
    """Unix time in seconds."""
    model: str = ""
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    object: str = "chat.completion"


class FunctionDelta(Struct, frozen=True):
    """A piece of a function call."""

    name: str | UnsetType | None = UNSET
    arguments: str | UnsetType | None = UNSET


class ToolCallDelta(Struct, frozen=True):
    """A piece of one tool call; ``index`` says of which."""

    index: int = 0
    id: str | UnsetType | None = UNSET
    type: str | UnsetType | None = UNSET
    function: FunctionDelta | UnsetType | None = UNSET
    extra_content: msgspec.Raw | UnsetType = UNSET
    """See `ReplyCall.extra_content`."""


class Delta(Struct, frozen=True):
    """The part of the message that a chunk adds."""

    role: str | UnsetType | None = UNSET
    content: str | UnsetType | None = UNSET
    tool_calls: tuple[ToolCallDelta, ...] | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType | None = UNSET
    thinking_blocks: tuple[msgspec.Raw, ...] | UnsetType | None = UNSET
    """Blocks that are whole now; their text came as ``reasoning_content``."""
    reasoning: str | UnsetType | None = UNSET
    """``reasoning_content`` as OpenRouter, Groq and vLLM spell it; read, never written."""
    function_call: FunctionDelta | UnsetType | None = UNSET
    """See `ReplyMessage.function_call`."""


class ChunkChoice(Struct, frozen=True):
    """The part of one choice that a chunk adds."""

    index: int = 0
    delta: Delta = Delta()
    finish_reason: str | None = None
    logprobs: msgspec.Raw = ABSENT
    native_finish_reason: str | UnsetType = UNSET
    """See `Choice.native_finish_reason`."""
    message: Delta | UnsetType | None = UNSET
    """A whole message in place of a delta, as some gateways stream; read, never written."""


class Chunk(Struct, frozen=True):
    """One event of a streamed answer."""

    id: str = ""
    created: int = 0
    """Unix time in seconds, the same on every chunk."""
    model: str = ""
    choices: tuple[ChunkChoice, ...] = ()
    usage: Usage | UnsetType | None = UNSET
    object: str = "chat.completion.chunk"
    error: msgspec.Raw | UnsetType = UNSET
    """What stands in a stream that failed; a provider's own, read only."""


FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
"""OpenAI's finish reasons; its SDKs' types know no other."""

NATIVE_FINISH_REASONS = {
    "abort": "length",
    "end_turn": "stop",
    "eos": "stop",
    "insufficient_system_resource": "length",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "model_length": "length",
    "pause_turn": "stop",
    "prohibited_content": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "spii": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}
"""Finish reasons of DeepSeek, Gemini, Mistral, vLLM and Zhipu, in lower case, in OpenAI's words."""

_COMPLETION = msgspec.json.Decoder(Completion)
_CHUNK = msgspec.json.Decoder(Chunk)


def parse_completion(body: bytes) -> Completion:
    """Read a whole answer.

    Raises:
        UpstreamProtocolError: It is not a completion in OpenAI's form.
    """
    completion = decode_upstream(_COMPLETION, body, "chat completion", mend_chat)
    if not completion.choices:
        raise UpstreamProtocolError("The provider's chat completion has no choices.")
    return completion


def parse_chunk(data: bytes) -> Chunk:
    """Read one event of a stream.

    Raises:
        UpstreamProtocolError: It is not a chunk in OpenAI's form.
    """
    return decode_upstream(_CHUNK, data, "chat completion chunk", mend_chat)


def read_text(data: bytes) -> str | None:
    """Read the text of a chunk that adds to its one answer's text; None where it adds anything else.

    Raises:
        UpstreamProtocolError: It is not a chunk in OpenAI's form.
    """
    chunk = parse_chunk(data)
    if len(chunk.choices) != 1 or chunk.error is not UNSET:
        return None
    choice = chunk.choices[0]
    text = choice.delta.content or None
    adds = Delta(role=choice.delta.role, content=choice.delta.content)
    return text if choice.delta == adds and not (choice.finish_reason or choice.message) else None


def read_finish_reason(native: str, *, calls: bool) -> str:
    """Say why an answer ended in OpenAI's words.

    Args:
        native: The provider's word.
        calls: Whether tools are called: then an unknown reason is that.
    """
    if native in FINISH_REASONS:
        return native
    return NATIVE_FINISH_REASONS.get(native.lower(), "tool_calls" if calls else "stop")
