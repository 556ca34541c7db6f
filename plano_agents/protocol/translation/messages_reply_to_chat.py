"""An Anthropic answer as an answer of the hub, an OpenAI chat completion; or its error.

Prompt tokens are the sum of Anthropic's three kinds (new, read from cache, written to cache), for OpenAI counts
cached tokens among them. Anthropic's own word stands beside a stop reason without a counterpart. Thinking is given
twice: to be read, as ``reasoning_content``, and to be sent back, as ``thinking_blocks``, byte for byte.
"""

import msgspec
from msgspec import UNSET, UnsetType

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import anthropic_reply as anthropic
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol.decoding import ABSENT
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.provider_error import read_provider_error
from plano_agents.protocol.translation.calls import CallIds, name_calls

_COUNTERPARTS = frozenset({"end_turn", "stop_sequence", "max_tokens", "tool_use", "refusal"})
"""Anthropic's stop reasons that OpenAI's words say as well."""

THINKING = frozenset({"thinking", "redacted_thinking"})
"""The blocks that thinking comes in."""


def parse_completion(body: bytes, ids: CallIds, *, created: int) -> openai.Completion:
    """Read a whole answer into the hub.

    Args:
        body: Anthropic's message, JSON.
        ids: Gives the answer's calls their ids.
        created: Unix time in seconds, which Anthropic's form lacks.

    Returns:
        The chat completion; id and model are the upstream's own.

    Raises:
        UpstreamProtocolError: The body is not a message.
    """
    reply = anthropic.parse_reply(body)
    if not (reply.content or reply.stop_reason):
        raise UpstreamProtocolError("The provider's message has neither content nor a stop reason.")
    blocks = [(raw, anthropic.parse_block(raw)) for raw in reply.content if raw != ABSENT]
    calls = tuple(
        openai.ReplyCall(block.id, openai.ReplyFunction(block.name, anthropic.read_input(block)))
        for _, block in blocks
        if block.type == "tool_use"
    )
    message = openai.ReplyMessage(
        content="".join(block.text for _, block in blocks if block.type == "text") or None,
        refusal=read_refusal(reply.stop_reason, reply.stop_details),
        tool_calls=name_calls(calls, ids) or UNSET,
        reasoning_content="".join(block.thinking for _, block in blocks if block.type == "thinking") or UNSET,
        thinking_blocks=tuple(raw for raw, block in blocks if block.type in THINKING) or UNSET,
    )
    reason, native = read_stop_reason(reply.stop_reason, calls=bool(calls))
    choice = openai.Choice(0, message, reason, native_finish_reason=native)
    return openai.Completion(reply.id, created, reply.model, (choice,), read_usage(reply.usage))


def read_error(body: bytes) -> ErrorDetail:
    """Take an error body, or an event that is one, into the hub; Anthropic's types stand for codes too."""
    error = read_provider_error(body) or ErrorDetail("The provider reported an error.", "api_error")
    return msgspec.structs.replace(error, code=error.code or error.type)


def read_stop_reason(stop_reason: str | None, *, calls: bool) -> tuple[str, str | UnsetType]:
    """Say why the answer ended in OpenAI's words, and in Anthropic's own where OpenAI has none.

    Args:
        stop_reason: Anthropic's word; without one the content shows it.
        calls: Whether tools are called.
    """
    reason = openai.read_finish_reason(stop_reason or "", calls=calls)
    reason = "tool_calls" if calls and reason == "stop" else reason
    return reason, UNSET if not stop_reason or stop_reason in _COUNTERPARTS else stop_reason


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
        completion_tokens_details=openai.CompletionTokensDetails((details.thinking_tokens if details else None) or 0),
    )
