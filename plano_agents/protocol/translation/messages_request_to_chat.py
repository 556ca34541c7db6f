"""An Anthropic messages request as a request of the hub.

Rules that are choices, not renamings:

- ``system`` becomes the first message; system messages within the conversation stay where they are.
- Tool results become tool messages right after their calls, before the user's text.
- Thinking becomes ``thinking_blocks``; blocks without a signature are another provider's ``reasoning_content``.
- ``thinking`` of type ``enabled`` becomes a reasoning effort by its budget (`EFFORT_BUDGETS`), unless
  ``output_config.effort`` names one; ``adaptive`` and ``disabled`` leave the model at its own default.
- Plain-text documents become text. Cache markers are left out: other providers cache by themselves.
"""

from collections.abc import Collection, Iterator

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import anthropic_request as anthropic
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol.adjustment import ADVISORY, Tell, ignore
from plano_agents.protocol.decoding import refuse_unknown
from plano_agents.protocol.thought_signature import unseal_call_id

NEUTRAL: dict[str, Collection[object]] = {
    "mcp_servers": ([],),
    "speed": ("standard",),
}
"""Fields that OpenAI's wire cannot carry, with the values (besides null) that ask for nothing."""

KNOWN = frozenset(anthropic.ClientRequest.__struct_fields__) | {"cache_control", "routing_preferences"}
"""Fields that are carried, the mark for Anthropic's own cache, and the router's."""

DROPPABLE = ADVISORY | {"speed", "top_k"}
"""Fields that are left out, which is told: they ask for a likelihood or for a favour."""

BILLING = "x-anthropic-billing-header:"
"""How the block begins that Claude Code puts before its system prompt, with a checksum that may change each turn."""

EFFORT_BUDGETS = ((4_096, "low"), (16_384, "medium"))
"""Thinking budgets, in tokens, below which a reasoning effort is asked for; ``high`` from the last on."""


def parse_messages_request(body: bytes, tell: Tell = ignore) -> openai.ChatRequest:
    """Read a messages client's request into the hub.

    Args:
        body: The client's Anthropic messages request, JSON.
        tell: Is told what is left out.

    Raises:
        RequestError: The body is no valid messages request.
        UnsupportedFieldError: It holds what only Anthropic's wire can carry; ``param`` names it.
    """
    refuse_unknown(
        body,
        known=KNOWN,
        neutral=NEUTRAL,
        target="an OpenAI-compatible model",
        droppable=DROPPABLE,
        tell=tell,
    )
    request = anthropic.parse_request(body)
    _check_edits(request.context_management)
    choice, parallel = _read_tool_choice(request.tool_choice)
    return openai.ChatRequest(
        messages=tuple(_read_messages(request)),
        model=request.model,
        stream=request.stream,
        stream_options=openai.StreamOptions(include_usage=True) if request.stream else None,
        max_completion_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        stop=request.stop_sequences or None,
        tools=tuple(_read_tool(tool) for tool in request.tools) if request.tools else None,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_format=_read_format(request.output_config),
        reasoning_effort=_read_effort(request),
        user=request.metadata.user_id if request.metadata else None,
    )


def _check_edits(management: anthropic.ContextManagement | None) -> None:
    """Let the clearing of thinking pass, which is not sent on anyway; refuse every other edit."""
    for number, edit in enumerate(management.edits if management else ()):
        if not edit.type.startswith("clear_thinking"):
            param = f"context_management.edits[{number}]"
            raise UnsupportedFieldError(
                f"{param!r} of type {edit.type!r} cannot be carried to an OpenAI-compatible model.",
                param=param,
            )


def _read_tool(tool: anthropic.Tool) -> openai.Tool:
    return openai.Tool(openai.FunctionDefinition(tool.name, tool.description, tool.input_schema, tool.strict))


def _read_tool_choice(choice: anthropic.ToolChoice | None) -> tuple[openai.ToolChoice | None, bool | None]:
    if choice is None:
        return None, None
    parallel = False if choice.disable_parallel_tool_use else None
    match choice.type:
        case "tool":
            return openai.NamedToolChoice(openai.NamedFunction(choice.name or "")), parallel
        case "any":
            return "required", parallel
        case kind:
            return kind, parallel


def _read_format(config: anthropic.OutputConfig | None) -> openai.ResponseFormat | None:
    if config is None or config.format is None:
        return None
    schema = openai.JsonSchema(name="output", schema=config.format.schema, strict=True)
    return openai.ResponseFormat("json_schema", schema)


def _read_effort(request: anthropic.ClientRequest) -> str | None:
    if request.output_config is not None and request.output_config.effort is not None:
        return request.output_config.effort
    thinking = request.thinking
    if thinking is None or thinking.type != "enabled" or thinking.budget_tokens is None:
        return None
    return next((effort for below, effort in EFFORT_BUDGETS if thinking.budget_tokens < below), "high")


def _read_messages(request: anthropic.ClientRequest) -> Iterator[openai.Message]:
    system = _join_text(request.system or "")
    if system:
        yield openai.SystemMessage(system)
    for position, turn in enumerate(request.messages):
        where = f"messages[{position}]"
        content = turn.content
        if turn.role == "system":
            yield openai.SystemMessage(_join_text(_text_only(content, where)))
        elif isinstance(content, str):
            yield (
                openai.UserMessage(content)
                if turn.role == "user"
                else openai.AssistantMessage(content=content)
            )
        elif turn.role == "user":
            yield from _read_user_turn(content, where)
        else:
            yield _read_assistant_turn(content, where)


def _text_only(
    content: str | tuple[anthropic.Block, ...], where: str
) -> str | tuple[anthropic.TextBlock, ...]:
    if isinstance(content, str):
        return content
    return tuple(
        block if isinstance(block, anthropic.TextBlock) else _refuse(f"{where}.content[{number}]")
        for number, block in enumerate(content)
    )


def _refuse(where: str) -> anthropic.TextBlock:
    raise UnsupportedFieldError(f"{where!r} cannot stand in a turn of this role.", param=where)


def _join_text(content: str | tuple[anthropic.TextBlock, ...]) -> str:
    """Make one text of a system prompt's blocks, less Claude Code's billing; not every provider takes several."""
    if isinstance(content, str):
        return content
    return "\n\n".join(block.text for block in content if not block.text.startswith(BILLING))


def _read_user_turn(blocks: tuple[anthropic.Block, ...], where: str) -> Iterator[openai.Message]:
    parts: list[openai.Part] = []
    for number, block in enumerate(blocks):
        place = f"{where}.content[{number}]"
        if isinstance(block, anthropic.ToolResultBlock):
            yield _read_result(block, place)
        else:
            parts.extend(_read_part(block, place))
    if parts:
        yield openai.UserMessage(_simplify(tuple(parts)))


def _read_result(block: anthropic.ToolResultBlock, where: str) -> openai.ToolMessage:
    if isinstance(block.content, str):
        return openai.ToolMessage(unseal_call_id(block.tool_use_id)[0], block.content, block.is_error)
    parts = tuple(
        part
        for number, piece in enumerate(block.content)
        for part in _read_part(piece, f"{where}.content[{number}]")
    )
    return openai.ToolMessage(unseal_call_id(block.tool_use_id)[0], _simplify(parts), block.is_error)


def _simplify(parts: tuple[openai.Part, ...]) -> str | tuple[openai.Part, ...]:
    """Write one text as a string, which every provider takes."""
    match parts:
        case ():
            return ""
        case (openai.TextPart(text=text),):
            return text
        case _:
            return parts


def _read_assistant_turn(blocks: tuple[anthropic.Block, ...], where: str) -> openai.AssistantMessage:
    texts: list[str] = []
    calls: list[openai.ToolCall] = []
    signed: list[msgspec.Raw] = []
    thoughts: list[str] = []
    for number, block in enumerate(blocks):
        match block:
            case anthropic.TextBlock(text=text):
                texts.append(text)
            case anthropic.ToolUseBlock(id=call_id, name=name, input=arguments):
                text = _read_input(arguments, f"{where}.content[{number}].input")
                own_id, extra_content = unseal_call_id(call_id)
                function = openai.FunctionCall(name, text)
                calls.append(openai.ToolCall(own_id, function, extra_content=extra_content))
            case anthropic.ThinkingBlock(thinking=thinking, signature=signature):
                thoughts.append(thinking)
                if signature:
                    signed.append(msgspec.Raw(msgspec.json.encode(block)))
            case anthropic.RedactedThinkingBlock():
                signed.append(msgspec.Raw(msgspec.json.encode(block)))
            case _:
                _refuse(f"{where}.content[{number}]")
    return openai.AssistantMessage(
        content="".join(texts) or None,
        tool_calls=tuple(calls) or None,
        reasoning_content="".join(thoughts) or None,
        thinking_blocks=tuple(signed) or None,
    )


def _read_input(arguments: msgspec.Raw, where: str) -> str:
    text = bytes(arguments).decode()
    if not text.startswith("{"):
        raise RequestError(f"{where!r} is not a JSON object. Send one; {{}} for no arguments.", param=where)
    return text


def _read_part(block: anthropic.Block, where: str) -> Iterator[openai.Part]:
    match block:
        case anthropic.TextBlock(text=text):
            yield openai.TextPart(text)
        case anthropic.ImageBlock(source=source):
            yield openai.ImagePart(openai.ImageUrl(_write_source(source)))
        case anthropic.DocumentBlock(source=source, title=title):
            yield from _read_document(source, title, where)
        case _:
            _refuse(where)


def _read_document(
    source: anthropic.Base64Source
    | anthropic.UrlSource
    | anthropic.PlainTextSource
    | anthropic.ContentSource,
    title: str | None,
    where: str,
) -> Iterator[openai.Part]:
    match source:
        case anthropic.UrlSource(url=url):
            yield openai.FilePart(openai.FileData(filename=title, file_url=url))
        case anthropic.Base64Source():
            name = title or "document.pdf"
            yield openai.FilePart(openai.FileData(filename=name, file_data=_write_source(source)))
        case anthropic.PlainTextSource(data=text) | anthropic.ContentSource(content=str(text)):
            yield openai.TextPart(f"{title}\n\n{text}" if title else text)
        case anthropic.ContentSource(content=blocks):
            if title:
                yield openai.TextPart(title)
            for block in blocks:
                assert not isinstance(block, str)  # noqa: S101 - the case above took it
                yield from _read_part(block, where)


def _write_source(source: anthropic.Base64Source | anthropic.UrlSource) -> str:
    """Write bytes as a ``data:`` URL; an address stays one, for whom it may concern to fetch."""
    if isinstance(source, anthropic.UrlSource):
        return source.url
    return f"data:{source.media_type};base64,{source.data}"
