"""An answer of the hub, an OpenAI chat completion, as an Anthropic message; or its error.

Rules that are choices, not renamings:

- Reasoning without Anthropic's blocks becomes a thinking block with an empty signature: it can be read, and sent back.
- A refusal is the answer's text, and the stop reason says ``refusal``.
- An answer with tool calls stops for ``tool_use``, also where the provider wrote ``stop``.
- A call that the token limit cut in its arguments is left out: Anthropic's form has no half input. Any other call whose
  arguments are not a JSON object gets them as text within one (`arguments`), so that the model can be told.
"""

from collections.abc import Iterator

import msgspec

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import anthropic_events, anthropic_messages
from plano_agents.protocol import anthropic_request as anthropic
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol.anthropic_reply import OutputTokensDetails, Usage, parse_block
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.provider_error import TOO_LONG, is_too_long
from plano_agents.protocol.thought_signature import seal_call_id
from plano_agents.protocol.translation.arguments import is_object, read_object

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""OpenAI's finish reasons in Anthropic's words."""

ERROR_TYPES = {
    "invalid_request_error": "invalid_request_error",
    "rate_limit_error": "rate_limit_error",
    "rate_limit_exceeded": "rate_limit_error",
    "insufficient_quota": "rate_limit_error",
    "overloaded_error": "overloaded_error",
    "server_overloaded": "overloaded_error",
}
"""Types and codes of errors within streams, where no status tells, in Anthropic's words; others are API errors."""


def encode_message(completion: openai.Completion) -> bytes:
    """Write a whole answer as an Anthropic message.

    Args:
        completion: The answer; its first choice is what Anthropic's form has room for.

    Returns:
        The message, JSON; id and model are the upstream's own.

    Raises:
        UpstreamProtocolError: It has no finish reason, or its thinking is not a block.
    """
    choice = completion.choices[0]
    message = choice.message
    calls = tuple(message.tool_calls or ())
    reason = build_stop_reason(choice.finish_reason, calls=bool(calls), refused=bool(message.refusal))
    answer = anthropic_events.Answer(
        id=completion.id,
        model=completion.model,
        content=(*_build_thinking(message), *_build_text(message), *_build_calls(calls, reason)),
        stop_reason=reason,
        native_finish_reason=choice.native_finish_reason,
        usage=build_usage(completion.usage),
    )
    return msgspec.json.encode(answer)


def encode_upstream_error(error: ErrorDetail, status: int) -> bytes:
    """Put an error into Anthropic's form.

    Args:
        error: What the provider said.
        status: The HTTP status it said it with.
    """
    if is_too_long(error):
        return _encode_too_long(error)
    return anthropic_messages.encode_error_detail(error.message, status)


def encode_stream_error(error: ErrorDetail) -> bytes:
    """Put an error that came within a stream into Anthropic's form."""
    if is_too_long(error):
        return _encode_too_long(error)
    kind = ERROR_TYPES.get(error.code or "") or ERROR_TYPES.get(error.type, "api_error")
    return anthropic_messages.encode_error_detail(error.message, 500, kind)


def _encode_too_long(error: ErrorDetail) -> bytes:
    """Say that the request is too long in the words that Anthropic's clients act on, the provider's own after them."""
    said = error.message
    words = said if TOO_LONG in said.lower() else f"{TOO_LONG}: {said}"
    return anthropic_messages.encode_error_detail(words, 400, "invalid_request_error")


def build_stop_reason(finish_reason: str | None, *, calls: bool, refused: bool) -> str:
    """Say why the answer ended in Anthropic's words.

    Raises:
        UpstreamProtocolError: There is no reason.
    """
    if finish_reason is None:
        raise UpstreamProtocolError("The provider's answer has no finish reason.")
    if refused:
        return "refusal"
    if calls and finish_reason == "stop":
        return "tool_use"
    return STOP_REASONS[finish_reason]


def build_usage(usage: openai.Usage | None) -> Usage:
    """Count as Anthropic does: cached tokens apart from new ones."""
    if usage is None:
        return Usage(input_tokens=0, output_tokens=0)
    read, written = usage.cached_tokens, usage.cache_write_tokens
    return Usage(
        input_tokens=max(usage.prompt_tokens - read - written, 0),
        output_tokens=usage.completion_tokens,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        output_tokens_details=OutputTokensDetails(usage.reasoning_tokens) if usage.reasoning_tokens else None,
    )


def _build_thinking(message: openai.ReplyMessage) -> Iterator[anthropic.Block | msgspec.Raw]:
    text = message.reasoning_content or message.reasoning
    if message.thinking_blocks:
        for raw in message.thinking_blocks:
            parse_block(raw)  # what is not a block is the provider's error, not the client's to find
            yield raw
    elif text:
        yield anthropic.ThinkingBlock(text)


def _build_text(message: openai.ReplyMessage) -> Iterator[anthropic.TextBlock]:
    for text in (message.content, message.refusal):
        if text:
            yield anthropic.TextBlock(text=text)


def _build_calls(calls: tuple[openai.ReplyCall, ...], reason: str) -> Iterator[anthropic.ToolUseBlock]:
    for call in calls:
        text = call.function.arguments
        if reason == "max_tokens" and not is_object(text):
            continue
        call_id = seal_call_id(call.id, call.extra_content)
        yield anthropic.ToolUseBlock(id=call_id, name=call.function.name, input=read_object(text))
