"""An Anthropic answer as an answer of the hub, an OpenAI chat completion; or its error.

Prompt tokens are the sum of Anthropic's three kinds (new, read from cache, written to cache), for OpenAI counts
cached tokens among them. A stop reason without a counterpart is passed on in Anthropic's own word, never as
``stop``. Thinking is given twice: to be read, as ``reasoning_content``, and to be sent back, as ``thinking_blocks``,
byte for byte.
"""

from msgspec import UNSET

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import anthropic_reply as anthropic
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol.openai_chat import ErrorDetail, encode_error_detail
from plano_agents.protocol.openai_chat_request import FunctionCall, ToolCall

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Anthropic's stop reasons in OpenAI's words."""

THINKING = frozenset({"thinking", "redacted_thinking"})
"""The blocks that thinking comes in."""


def parse_completion(body: bytes, *, created: int) -> openai.Completion:
    """Read a whole answer into the hub.

    Args:
        body: Anthropic's message, JSON.
        created: Unix time in seconds, which Anthropic's form lacks.

    Returns:
        The chat completion; id and model are the upstream's own.

    Raises:
        UpstreamProtocolError: The body is not a message.
    """
    reply = anthropic.parse_reply(body)
    blocks = [(raw, anthropic.parse_block(raw)) for raw in reply.content]
    calls = tuple(
        ToolCall(block.id, FunctionCall(block.name, anthropic.read_input(block)))
        for _, block in blocks
        if block.type == "tool_use"
    )
    message = openai.ReplyMessage(
        content="".join(block.text for _, block in blocks if block.type == "text") or None,
        refusal=read_refusal(reply.stop_reason, reply.stop_details),
        tool_calls=calls or UNSET,
        reasoning_content="".join(block.thinking for _, block in blocks if block.type == "thinking") or UNSET,
        thinking_blocks=tuple(raw for raw, block in blocks if block.type in THINKING) or UNSET,
    )
    choice = openai.Choice(0, message, read_stop_reason(reply.stop_reason))
    return openai.Completion(reply.id, created, reply.model, (choice,), read_usage(reply.usage))


def encode_upstream_error(body: bytes, status: int) -> bytes:
    """Put an error body into OpenAI's form.

    Args:
        body: What the upstream said; its words are kept where it is in Anthropic's form.
        status: The HTTP status it said it with, for the message where it is not.
    """
    error = anthropic.parse_error(body) or anthropic.ErrorBody(
        message=f"The provider answered {status} without an error in its own form."
    )
    return encode_error_detail(read_error(error))


def read_error(error: anthropic.ErrorBody) -> ErrorDetail:
    """Take an error into the hub."""
    return ErrorDetail(error.message, error.type, None, error.type)


def read_stop_reason(stop_reason: str | None) -> str:
    """Say why the answer ended in OpenAI's words, or in Anthropic's where OpenAI has none.

    Raises:
        UpstreamProtocolError: There is no reason.
    """
    if stop_reason is None:
        raise UpstreamProtocolError("The provider's answer has no stop reason.")
    return FINISH_REASONS.get(stop_reason, stop_reason)


def read_refusal(stop_reason: str | None, details: anthropic.StopDetails | None) -> str | None:
    """Take the explanation of a refusal, where one is given."""
    return details.explanation if stop_reason == "refusal" and details is not None else None


def read_usage(usage: anthropic.Usage) -> openai.Usage:
    """Count as OpenAI does."""
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    prompt = (usage.input_tokens or 0) + read + written
    output = usage.output_tokens or 0
    details = usage.output_tokens_details
    return openai.Usage(
        prompt_tokens=prompt,
        completion_tokens=output,
        total_tokens=prompt + output,
        prompt_tokens_details=openai.PromptTokensDetails(read, written),
        completion_tokens_details=openai.CompletionTokensDetails(
            (details.thinking_tokens if details else None) or 0
        ),
    )
