"""Requests of Anthropic's messages endpoint, read or refused as it does."""

import re

from plano_agents.simulator.conversation import (
    AnswerFormat,
    Conversation,
    Message,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from plano_agents.simulator.schema import walk_schema
from plano_agents.simulator.wire.anthropic import body
from plano_agents.simulator.wire.anthropic.documents import Document, read_document
from plano_agents.simulator.wire.anthropic.refusals import describe_problem, refuse
from plano_agents.simulator.wire.anthropic.rules import check_rules
from plano_agents.simulator.wire.anthropic.thinking import (
    RedactedThought,
    Thought,
    check_thinking,
    check_thought,
)
from plano_agents.simulator.wire.exchange import Refusal, Request
from plano_agents.simulator.wire.reading import build_foreign_tool, build_tool, parse_body

MAX_CACHE_MARKS = 4

_ALLOWED = {
    "user": (body.Text, body.Image, Document, body.SearchResult, body.ToolResult, body.ProviderBlock),
    "assistant": (body.Text, body.ToolUse, Thought, RedactedThought, body.ProviderBlock),
    "system": (body.Text, body.ToolAddition, body.ToolRemoval),
}
"""The blocks that a message of each role may hold."""

_JSON_ALONE = re.compile(r"\bone JSON object and nothing else\b", re.IGNORECASE)


def parse_anthropic_request(source: bytes) -> Request:
    """Check a request as the provider would.

    Args:
        source: The request's body.

    Raises:
        Refusal: With the provider's status and words.
    """
    not_json = refuse("The request body is not valid JSON")
    asked = parse_body(body.Body, source, describe=describe_problem, not_json=not_json)
    _check_messages(asked.messages)
    if asked.cache_marks > MAX_CACHE_MARKS:
        raise refuse(
            f"A maximum of {MAX_CACHE_MARKS} blocks with cache_control may be provided. Found {asked.cache_marks}."
        )
    _check_calls(asked.messages)
    _check_choice(asked)
    check_rules(asked)
    thoughts = check_thinking(
        asked.thinking,
        max_tokens=asked.max_tokens,
        forced_tool=isinstance(asked.tool_choice, body.Named) or getattr(asked.tool_choice, "type", "") == "any",
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
    )
    return Request(
        model=asked.model,
        conversation=Conversation(
            messages=tuple(_build_message(message, at) for at, message in enumerate(asked.messages)),
            system=_join(asked.system),
            tools=tuple(_build_tool(tool) for tool in _list_tools(asked)),
            choice=_build_choice(asked.tool_choice),
            format=_build_format(asked.output_config) or _read_demand(_join(asked.system)),
        ),
        stream=asked.stream,
        max_tokens=asked.max_tokens,
        stop=tuple(asked.stop_sequences or ()),
        thoughts=thoughts,
        cache_marks=dict(asked.find_marks()),
    )


def _check_messages(messages: list[body.Message]) -> None:
    if not messages:
        raise refuse("messages: at least one message is required")
    if messages[0].role == "system":
        raise refuse(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an '
            "input message role."
        )
    if messages[0].role != "user":
        raise refuse('messages: first message must use the "user" role')
    for at, message in enumerate(messages):
        _check_text(message, at, is_last=at == len(messages) - 1)
        _check_instructions(messages, at)
        allowed = _ALLOWED[message.role]
        for place, block in enumerate(message.blocks):
            path = f"messages.{at}.content.{place}"
            if not isinstance(block, allowed):
                raise refuse(f"{path}: `{block.type}` blocks are not allowed in `{message.role}` messages")
            if isinstance(block, Thought | RedactedThought):
                check_thought(block, path)


def _check_instructions(messages: list[body.Message], at: int) -> None:
    """Check instructions between turns: their place, and fields of their own (BetaSystemMessageParam)."""
    message = messages[at]
    if message.role == "system":
        if messages[at - 1].role == "assistant":
            raise refuse(f"messages.{at}: role 'system' messages must immediately follow a 'user' message")
        if at + 1 < len(messages) and messages[at + 1].role == "user":  # stdapi-ai/stdapi.ai#104
            raise refuse(f"messages.{at}: role 'system' must precede an 'assistant' message or end the array")
        return
    for field in ("output_config", "clear_at"):
        if getattr(message, field) is not None:
            raise refuse(f"messages.{at}.{field}: Extra inputs are not permitted")


def _check_text(message: body.Message, at: int, *, is_last: bool) -> None:
    sets_effort = message.role == "system" and bool(message.output_config)  # BetaSystemMessageOutputConfigParam
    if not message.content and not sets_effort and not (is_last and message.role == "assistant"):
        raise refuse(
            f"messages.{at}: all messages must have non-empty content except for the optional final assistant message"
        )
    if isinstance(message.content, str):
        return
    texts = [block.text for block in message.content if isinstance(block, body.Text)]
    if not all(texts):
        raise refuse("messages: text content blocks must be non-empty")
    if any(not text.strip() for text in texts):  # anomalyco/opencode#31259, anthropics/claude-code#23440
        raise refuse("messages: text content blocks must contain non-whitespace text")
    if is_last and message.role == "assistant" and texts and texts[-1] != texts[-1].rstrip():
        raise refuse("messages: final assistant content cannot end with trailing whitespace")


def _check_calls(messages: list[body.Message]) -> None:
    """Refuse calls without their results right after, results without their calls, and ids used twice."""
    used: set[str] = set()
    calls: list[str] = []
    for at, message in enumerate(messages):
        answered = {block.tool_use_id for block in message.blocks if isinstance(block, body.ToolResult)}
        missing = [call_id for call_id in calls if call_id not in answered]
        if missing:
            raise _unanswered(at - 1, missing)
        for place, block in enumerate(message.blocks):
            if isinstance(block, body.ToolResult) and block.tool_use_id not in calls:
                raise refuse(
                    f"messages.{at}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{block.tool_use_id}. Each `tool_result` block must have a corresponding `tool_use` block in the "
                    "previous message."
                )
            if isinstance(block, body.ToolUse) and block.id in used:
                raise refuse(f"messages.{at}.content.{place}: `tool_use` ids must be unique")
            used |= {block.id} if isinstance(block, body.ToolUse) else set()
        calls = [block.id for block in message.blocks if isinstance(block, body.ToolUse)]
    if calls:
        raise _unanswered(len(messages) - 1, calls)


def _unanswered(at: int, missing: list[str]) -> Refusal:
    return refuse(
        f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _check_choice(asked: body.Body) -> None:
    names = [tool.name for tool in asked.tools]
    if len(set(names)) < len(names):
        raise refuse("tools: Tool names must be unique.")
    if asked.tool_choice is not None and not names:
        raise refuse("tool_choice may only be specified while providing tools")
    if isinstance(asked.tool_choice, body.Named) and asked.tool_choice.name not in names:
        raise refuse(f"Tool '{asked.tool_choice.name}' not found in provided tools")


def _build_format(asked: body.OutputConfig | None) -> AnswerFormat | None:
    if asked is None or asked.format is None:
        return None
    for _, found in walk_schema(asked.format.definition):
        if found.get("type") == "object" and found.get("additionalProperties") is not False:
            raise refuse(
                "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
            )
    return AnswerFormat(asked.format.definition)


def _read_demand(system: str) -> AnswerFormat | None:
    """Read a system prompt's demand for an answer in JSON, as those write it whose own API has a mode for that."""
    return AnswerFormat() if _JSON_ALONE.search(system) is not None else None


def _build_message(message: body.Message, at: int) -> Message:
    blocks = message.blocks
    return Message(
        role=message.role,
        text="\n".join(block.text for block in blocks if isinstance(block, body.Text)),
        calls=tuple(ToolCall(b.id, b.name, b.input) for b in blocks if isinstance(b, body.ToolUse)),
        results=tuple(
            ToolResult(b.tool_use_id, _join(b.content), b.is_error or False)
            for b in blocks
            if isinstance(b, body.ToolResult)
        ),
        images=sum(isinstance(block, body.Image) for block in blocks),
        documents=tuple(read_document(found, f"messages.{at}.{place}") for place, found in message.documents),
    )


def _list_tools(asked: body.Body) -> list[body.Tool | body.ProviderTool]:
    """List the tools that may be called, as the conversation's changes leave them."""
    declared = {tool.name: tool for tool in asked.tools}
    offered = dict(declared)
    for at, message in enumerate(asked.messages):
        for place, block in enumerate(message.blocks):
            if not isinstance(block, body.ToolAddition | body.ToolRemoval) or isinstance(block.tool, body.McpTools):
                continue
            if isinstance(block.tool, body.DefinedTool):
                tool = block.tool.definition
                declared[tool.name] = offered[tool.name] = tool
                continue
            name = block.tool.name
            if name not in declared:
                raise refuse(f"messages.{at}.content.{place}.tool.name: no tool is called '{name}'")
            if isinstance(block, body.ToolAddition):
                offered[name] = declared[name]
            else:
                offered.pop(name, None)
    return [*offered.values()]


def _build_tool(tool: body.Tool | body.ProviderTool) -> Tool:
    if isinstance(tool, body.ProviderTool):
        return build_foreign_tool(tool.name, tool)
    return build_tool(tool.name, tool.description, tool.input_schema)


def _join(content: str | list[body.Text] | list[body.ResultPart]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.text for block in content if isinstance(block, body.Text))


def _build_choice(choice: body.Auto | body.Named | body.NoTool | None) -> ToolChoice:
    if choice is None:
        return ToolChoice()
    if isinstance(choice, body.NoTool):
        return ToolChoice("none")
    parallel = not choice.disable_parallel_tool_use
    if isinstance(choice, body.Named):
        return ToolChoice("named", choice.name, parallel=parallel)
    return ToolChoice("required" if choice.type == "any" else "auto", parallel=parallel)
