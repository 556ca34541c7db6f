"""An answer of the hub, an OpenAI chat completion, as an OpenAI response.

Thinking becomes a reasoning item: its text as the summary, its blocks sealed. A finish reason that is no good end makes
the response incomplete, one without a counterpart in its own word. Ids of items are made of the answer's own id, so
the same answer is always the same response.
"""

from collections.abc import Mapping

import msgspec

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol import openai_response as response
from plano_agents.protocol import openai_responses_request as responses
from plano_agents.protocol.decoding import ABSENT
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.openai_responses import seal_thinking
from plano_agents.protocol.provider_error import CONTEXT_CODE, is_too_long
from plano_agents.protocol.thought_signature import seal_call_id
from plano_agents.protocol.tool_names import ClientTools
from plano_agents.protocol.translation.client_calls import ITEM_IDS, build_call_item

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""OpenAI's chat finish reasons that leave a response incomplete, in the responses' words."""

WHOLE = frozenset({"stop", "tool_calls", "function_call"})
"""Finish reasons of a whole answer."""


_CODES = (("insufficient_quota", "insufficient_quota"), ("rate_limit", "rate_limit_exceeded"))
"""Codes of a failed response, by what an error's type or code holds; others are the server's."""


def build_frame(
    fields: Mapping[str, msgspec.Raw], request: responses.ClientRequest, *, created: int
) -> response.Response:
    """Write what a response repeats of its request.

    Args:
        fields: The request's top-level fields.
        request: The same, read.
        created: Unix time in seconds.

    Returns:
        A response in progress, without id, model and output.
    """
    given = msgspec.json.decode(fields["tools"], type=tuple[msgspec.Raw, ...]) if request.tools else ()
    tools = tuple(
        response.FunctionTool(tool.name, tool.description, tool.parameters, tool.strict)
        if tool.type == "function"
        else raw
        for tool, raw in zip(request.tools or (), given, strict=True)
    )
    return response.Response(
        created_at=created,
        instructions=request.instructions,
        max_output_tokens=request.max_output_tokens,
        metadata=request.metadata or {},
        reasoning=fields.get("reasoning", ABSENT),
        text=response.PLAIN_TEXT if request.text is None else fields["text"],
        tool_choice=response.AUTO if request.tool_choice is None else fields["tool_choice"],
        parallel_tool_calls=request.parallel_tool_calls is not False,
        temperature=request.temperature,
        tools=tools,
        top_p=request.top_p,
        user=request.user,
    )


def encode_response(completion: openai.Completion, frame: response.Response, tools: ClientTools | None = None) -> bytes:
    """Write a whole answer as a response.

    Args:
        completion: The answer; its first choice is what a response has room for.
        frame: What the response repeats of its request.
        tools: Knows which of the client's tools the functions are; all are plain functions where None.

    Raises:
        UpstreamProtocolError: It has no finish reason.
    """
    choice = completion.choices[0]
    started = start_response(frame, completion.id, completion.model)
    return msgspec.json.encode(
        end_response(
            started,
            choice.finish_reason,
            _build_items(choice.message, completion.id, item_status(choice.finish_reason), tools or ClientTools()),
            completion.usage,
        )
    )


def start_response(frame: response.Response, reply_id: str, model: str) -> response.Response:
    """Name a response after the upstream's answer."""
    return msgspec.structs.replace(frame, id=f"resp_{reply_id}", model=model)


def end_response(
    started: response.Response,
    finish_reason: str | None,
    output: tuple[response.Item, ...],
    usage: openai.Usage | None,
) -> response.Response:
    """Complete a response, or end it incomplete.

    Raises:
        UpstreamProtocolError: There is no finish reason.
    """
    if finish_reason is None:
        raise UpstreamProtocolError("The provider's answer has no finish reason.")
    incomplete = finish_reason not in WHOLE
    reason = INCOMPLETE.get(finish_reason, finish_reason)
    return msgspec.structs.replace(
        started,
        status="incomplete" if incomplete else "completed",
        incomplete_details=response.IncompleteDetails(reason) if incomplete else None,
        output=output,
        usage=_build_usage(usage),
    )


def fail_response(started: response.Response, failure: response.Failure) -> response.Response:
    """End a response without an answer."""
    return msgspec.structs.replace(started, status="failed", error=failure)


def build_failure(error: ErrorDetail) -> response.Failure:
    """Say why there is no answer, under a code that clients of responses act on."""
    said = f"{error.type} {error.code}"
    code = next((code for words, code in _CODES if words in said), "server_error")
    return response.Failure(CONTEXT_CODE if is_too_long(error) else code, error.message)


def item_status(finish_reason: str | None) -> str:
    """Say whether what was being written at the end is whole."""
    return "completed" if finish_reason in WHOLE else "incomplete"


def _build_items(
    message: openai.ReplyMessage, reply_id: str, status: str, tools: ClientTools
) -> tuple[response.Item, ...]:
    items: list[response.Item] = []
    thinking = message.reasoning_content or message.reasoning
    if thinking or message.thinking_blocks:
        summary = (response.SummaryText(thinking),) if thinking else ()
        sealed = seal_thinking(message.thinking_blocks or ())
        items.append(response.ReasoningItem(f"rs_{reply_id}_0", "completed", summary, sealed))
    texts = (response.OutputText(message.content),) if message.content else ()
    refusals = (response.Refusal(message.refusal),) if message.refusal else ()
    if texts or refusals:
        items.append(response.MessageItem(f"msg_{reply_id}_{len(items)}", status, (*texts, *refusals)))
    for call in message.tool_calls or ():
        tool, arguments = tools.find(call.function.name), call.function.arguments
        call_id = seal_call_id(call.id, call.extra_content)
        items.append(
            build_call_item(tool, f"{ITEM_IDS[tool.kind]}_{reply_id}_{len(items)}", status, call_id, arguments)
        )
    return tuple(items)


def _build_usage(usage: openai.Usage | None) -> response.Usage | None:
    if usage is None:
        return None
    return response.Usage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=response.InputTokensDetails(usage.cached_tokens, usage.cache_write_tokens),
        output_tokens=usage.completion_tokens,
        output_tokens_details=response.OutputTokensDetails(usage.reasoning_tokens),
        total_tokens=usage.total_tokens or usage.prompt_tokens + usage.completion_tokens,
    )
