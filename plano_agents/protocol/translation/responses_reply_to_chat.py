"""An OpenAI response as an answer of the hub, an OpenAI chat completion.

Reasoning is given twice: its summary, or its text where the provider shows it, to be read as ``reasoning_content``;
what is encrypted of it to be sent back, as one of ``thinking_blocks`` (`sealed_reasoning`). Items of tools that the
provider runs are left out: the answer's text says what they found.
"""

import msgspec
from msgspec import UNSET

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol import openai_response_reply as responses
from plano_agents.protocol.sealed_reasoning import seal_reasoning
from plano_agents.protocol.translation.calls import CallIds, name_calls

_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""Why a response is incomplete, in chat's words."""


def parse_completion(body: bytes, ids: CallIds, *, signature_mark: str = "") -> openai.Completion:
    """Read a whole answer into the hub.

    Args:
        body: The response, JSON.
        ids: Gives the answer's calls their ids.
        signature_mark: What encrypted reasoning is marked with; see `signature_mark`.

    Raises:
        UpstreamProtocolError: The body is not a response that came to its end.
    """
    response = responses.parse_response(body)
    items = response.output or ()
    calls = tuple(
        openai.ReplyCall(item.call_id or "", openai.ReplyFunction(item.name or "", item.arguments_json))
        for item in items
        if item.type == "function_call"
    )
    thinking = "\n\n".join(text for item in items if (text := read_thinking(item)))
    message = openai.ReplyMessage(
        content="".join(item.join("output_text") for item in items) or None,
        refusal="".join(item.join("refusal") for item in items) or None,
        tool_calls=name_calls(calls, ids) or UNSET,
        reasoning_content=thinking or UNSET,
        thinking_blocks=tuple(block for item in items if (block := seal_item(item, signature_mark))) or UNSET,
    )
    reason, native = read_end(response, calls=bool(calls))
    choice = openai.Choice(0, message, reason, native_finish_reason=native)
    created = int(response.created_at or 0)
    return openai.Completion(response.id, created, response.model or "", (choice,), read_usage(response.usage))


def read_thinking(item: responses.ReplyItem) -> str:
    """Read what a reasoning item tells: its summary, part by part, else its text."""
    if item.type != "reasoning":
        return ""
    return "\n\n".join(part.text for part in item.summary or ()) or item.join("reasoning_text")


def seal_item(item: responses.ReplyItem, mark: str) -> msgspec.Raw | None:
    """Write a reasoning item as what is sent back of it; None where nothing is encrypted."""
    if item.type != "reasoning" or not item.encrypted_content:
        return None
    return seal_reasoning(read_thinking(item), mark + item.encrypted_content)


def read_end(response: responses.ReplyResponse, *, calls: bool) -> tuple[str, str | msgspec.UnsetType]:
    """Say why the answer ended in chat's words, and in the provider's own where chat has none.

    Args:
        response: The response at its end.
        calls: Whether tools are called.

    Raises:
        UpstreamProtocolError: It did not come to an end, or failed.
    """
    match response.status:
        case "incomplete":
            reason = (response.incomplete_details and response.incomplete_details.reason) or "max_output_tokens"
            return (_REASONS[reason], UNSET) if reason in _REASONS else ("length", reason)
        case "completed" | None:
            return ("tool_calls" if calls else "stop"), UNSET
        case status:
            raise UpstreamProtocolError(
                f"The provider's response has the status {status!r}, which is not an answer's end."
            )


def read_usage(usage: responses.ReplyUsage | None) -> openai.Usage | None:
    """Count as chat does."""
    if usage is None:
        return None
    prompt, output = usage.input_tokens or 0, usage.output_tokens or 0
    given, made = usage.input_tokens_details, usage.output_tokens_details
    return openai.Usage(
        prompt_tokens=prompt,
        completion_tokens=output,
        total_tokens=usage.total_tokens or prompt + output,
        prompt_tokens_details=openai.PromptTokensDetails(
            (given and given.cached_tokens) or 0, (given and given.cache_write_tokens) or 0
        ),
        completion_tokens_details=openai.CompletionTokensDetails((made and made.reasoning_tokens) or 0),
    )
