"""An Anthropic messages request as a request of the hub.

Rules that are choices, not renamings:

- ``system`` becomes the first message; system messages within the conversation stay where they are.
- A system turn that is to be cleared with the user's next is left out once there is one; its changes of tools hold.
- Tool results become tool messages right after their calls, before the user's text.
- Thinking becomes ``thinking_blocks``; blocks without a signature are another provider's ``reasoning_content``.
- ``thinking`` of type ``enabled`` becomes a reasoning effort by its budget (`EFFORT_BUDGETS`), one that is turned off
  the effort ``none``, unless ``output_config.effort`` names one; ``adaptive`` leaves the model at its own default.
- A compaction's summary stands for all before it. Blocks of tools that Anthropic ran are left out: the text says it.
- Cache markers are left out: other providers cache by themselves.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import get_args

import msgspec

from plano_agents.protocol import anthropic_request as anthropic
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol.adjustment import ADVISORY, Tell, dropped, dropped_within, ignore
from plano_agents.protocol.anthropic_server_blocks import (
    Compaction,
    ServerBlock,
    ToolSearchResult,
    Unread,
    name_block,
)
from plano_agents.protocol.decoding import ABSENT, refuse_unknown
from plano_agents.protocol.thought_signature import unseal_call_id
from plano_agents.protocol.translation.arguments import read_input
from plano_agents.protocol.translation.messages_content_to_chat import (
    Block,
    read_instructions,
    read_part,
    read_result,
    refuse_block,
    simplify,
)
from plano_agents.protocol.translation.messages_tools_to_chat import (
    read_tool_choice,
    read_tools,
    tell_unknown_fields,
)
from plano_agents.protocol.unknown_fields import FieldFinder

NEUTRAL: dict[str, Collection[object]] = {
    "mcp_servers": ([],),
    "speed": ("standard",),
}
"""Fields that OpenAI's wire cannot carry, with the values (besides null) that ask for nothing."""

KNOWN = frozenset(anthropic.ClientRequest.__struct_fields__) | {"cache_control", "routing_preferences"}
"""Fields that are carried, the mark for Anthropic's own cache, and the router's."""

DROPPABLE = ADVISORY | {"container", "mcp_servers", "speed", "top_k"}
"""Fields that are left out, and named: they ask for a likelihood or a favour, or offer tools that Anthropic runs."""

SUMMARY = "Summary of the conversation so far:\n\n"
"""What a compacted conversation begins with."""

BILLING = "x-anthropic-billing-header:"
"""How the block begins that Claude Code puts before its system prompt, with a checksum that may change each turn."""

_OFF = ("disabled", "between_tools")
_UNTIL_NEXT = "next_user_message"

EFFORT_BUDGETS = ((4_096, "low"), (16_384, "medium"))
"""Thinking budgets, in tokens, below which a reasoning effort is asked for; ``high`` from the last on."""


_FINDER = FieldFinder(
    anthropic.ClientRequest,
    ("system", "messages", "metadata", "thinking"),
    harmless=frozenset({"display"}),
    opaque=get_args(ServerBlock),
)
"""Finds what is lost below the top level where no type refuses it, but for how thinking is shown."""


def parse_messages_request(body: bytes, tell: Tell = ignore) -> openai.ChatRequest:
    """Read a messages client's request into the hub.

    Args:
        body: The client's Anthropic messages request, JSON.
        tell: Called for what is left out.

    Raises:
        RequestError: The body is not a valid messages request.
        UnsupportedFieldError: It holds what only Anthropic's wire can carry; ``param`` names it.
    """
    fields = refuse_unknown(
        body,
        known=KNOWN,
        neutral=NEUTRAL,
        target="an OpenAI-compatible model",
        droppable=DROPPABLE,
        tell=tell,
    )
    request = anthropic.parse_request(body)
    _tell_left_out(request, tell)
    _FINDER.tell(fields, tell)
    tell_unknown_fields(body, request, tell)
    choice, parallel = read_tool_choice(request.tool_choice)
    return openai.ChatRequest(
        messages=tuple(_read_messages(request, tell)),
        model=request.model,
        stream=request.stream,
        stream_options=openai.StreamOptions(include_usage=True) if request.stream else None,
        max_completion_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        stop=request.stop_sequences or None,
        tools=read_tools(request, tell),
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_format=_read_format(request),
        reasoning_effort=_read_effort(request),
        user=request.metadata.user_id if request.metadata else None,
    )


def _tell_left_out(request: anthropic.ClientRequest, tell: Tell) -> None:
    """Tell of nested fields that are left out; clearing of thinking is not told, for none is sent on anyway."""
    edits = request.context_management.edits if request.context_management else ()
    if any(not edit.type.startswith("clear_thinking") for edit in edits):
        tell(dropped("context_management", alters=False))
    if request.output_config is not None and request.output_config.task_budget != ABSENT:
        tell(dropped_within("output_config", "task_budget"))


def _read_format(request: anthropic.ClientRequest) -> openai.ResponseFormat | None:
    given = request.output_config.format if request.output_config is not None else None
    wanted = given or request.output_format
    if wanted is None:
        return None
    schema = openai.JsonSchema(name="output", schema=wanted.schema, strict=True)
    return openai.ResponseFormat("json_schema", schema)


def _read_effort(request: anthropic.ClientRequest) -> str | None:
    for turn in reversed(request.messages):
        if turn.output_config is not None and turn.output_config.effort is not None:
            return turn.output_config.effort
    if request.output_config is not None and request.output_config.effort is not None:
        return request.output_config.effort
    thinking = request.thinking
    if thinking is not None and thinking.type in _OFF:
        return "none"
    if thinking is None or thinking.type != "enabled" or thinking.budget_tokens is None:
        return None
    return next((effort for below, effort in EFFORT_BUDGETS if thinking.budget_tokens < below), "high")


def _read_messages(request: anthropic.ClientRequest, tell: Tell) -> Iterator[openai.Message]:
    given = request.system or ""
    system = given if isinstance(given, str) else _join_text(block.text for block in given)
    last = max((at for at, turn in enumerate(request.messages) if turn.role == "user"), default=0)
    if system:
        yield openai.SystemMessage(system)
    summary, start, first = _find_compaction(request.messages)
    if summary is not None:
        yield openai.UserMessage(SUMMARY + summary)
    for position, turn in enumerate(request.messages[start:], start):
        where = f"messages[{position}]"
        content = turn.content
        if position == start and not isinstance(content, str):
            content = content[first:]
        if turn.role == "system":
            text = content if isinstance(content, str) else _join_text(read_instructions(content, where, tell))
            is_cleared = turn.clear_at == _UNTIL_NEXT and position < last
            if text and not is_cleared:
                yield openai.SystemMessage(text)
        elif isinstance(content, str):
            yield (openai.UserMessage(content) if turn.role == "user" else openai.AssistantMessage(content=content))
        elif turn.role == "user":
            yield from _read_user_turn(content, where, tell)
        else:
            message = _read_assistant_turn(content, where, tell)
            if message != openai.AssistantMessage():
                yield message


def _find_compaction(turns: tuple[anthropic.Turn, ...]) -> tuple[str | None, int, int]:
    """Find the last summary that stands for all before it; give it, its turn, and the block that follows in that."""
    for position in range(len(turns) - 1, -1, -1):
        content = turns[position].content
        for number, block in enumerate(content if not isinstance(content, str) else ()):
            if isinstance(block, Compaction) and block.content:
                return block.content, position, number + 1
    return None, 0, 0


def _join_text(texts: Iterable[str]) -> str:
    """Make one text of a system prompt's, less Claude Code's billing; not every provider takes several."""
    return "\n\n".join(text for text in texts if not text.startswith(BILLING))


def _read_user_turn(blocks: tuple[Block, ...], where: str, tell: Tell) -> Iterator[openai.Message]:
    parts: list[openai.Part] = []
    for number, block in enumerate(blocks):
        place = f"{where}.content[{number}]"
        if isinstance(block, anthropic.ToolResultBlock):
            yield read_result(block, place, tell)
        elif isinstance(block, Unread):
            tell(dropped_within("messages", name_block(block), alters=True))
        else:
            parts.extend(read_part(block, place, tell))
    if parts:
        yield openai.UserMessage(simplify(tuple(parts)))


def _read_assistant_turn(blocks: tuple[Block, ...], where: str, tell: Tell) -> openai.AssistantMessage:
    texts: list[str] = []
    calls: list[openai.ToolCall] = []
    signed: list[msgspec.Raw] = []
    thoughts: list[str] = []
    for number, block in enumerate(blocks):
        match block:
            case anthropic.TextBlock(text=text):
                texts.append(text)
            case anthropic.ToolUseBlock(id=call_id, name=name, input=arguments):
                text = bytes(read_input(arguments)).decode()
                own_id, extra_content = unseal_call_id(call_id or "")
                function = openai.FunctionCall(name, text)
                calls.append(openai.ToolCall(function, own_id, extra_content=extra_content))
            case anthropic.ThinkingBlock(thinking=thinking, signature=signature):
                thoughts.append(thinking)
                if signature:
                    signed.append(msgspec.Raw(msgspec.json.encode(block)))
            case anthropic.RedactedThinkingBlock():
                signed.append(msgspec.Raw(msgspec.json.encode(block)))
            case _ if isinstance(block, Unread | ToolSearchResult):
                tell(dropped_within("messages", name_block(block)))
            case Compaction():
                pass  # it failed: it holds nothing
            case _:
                refuse_block(f"{where}.content[{number}]")
    return openai.AssistantMessage(
        content="".join(texts) or None,
        tool_calls=tuple(calls) or None,
        reasoning_content="".join(thoughts) or None,
        thinking_blocks=tuple(signed) or None,
    )
