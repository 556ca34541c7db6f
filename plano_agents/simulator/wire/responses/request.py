"""Requests of OpenAI's responses endpoint, read or refused as it does."""

from collections.abc import Iterator

from pydantic import JsonValue, ValidationError

from plano_agents.simulator.conversation import (
    PAGE_PLACEHOLDER,
    AnswerFormat,
    Conversation,
    Message,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from plano_agents.simulator.pdf import count_pages
from plano_agents.simulator.wire.exchange import Request
from plano_agents.simulator.wire.openai.refusals import describe_problem, refuse
from plano_agents.simulator.wire.openai.request import NOT_JSON
from plano_agents.simulator.wire.openai.response_format import SchemaFormat, build_format
from plano_agents.simulator.wire.reading import ANY_JSON, build_foreign_tool, build_tool, parse_body
from plano_agents.simulator.wire.responses import body
from plano_agents.simulator.wire.responses.rules import check_rules

REPEATED = {
    *("instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "reasoning", "store", "temperature"),
    *("text", "tool_choice", "tools", "top_p", "user"),
}
"""Fields that an answer repeats; SDKs look there for the form that was asked for."""


def parse_responses_request(source: bytes) -> Request:
    """Check a request as the provider would.

    Args:
        source: The request's body.

    Raises:
        Refusal: With the provider's status, words and code.
    """
    asked = parse_body(body.Body, source, describe=describe_problem, not_json=refuse(NOT_JSON))
    _check_choice(asked)
    check_rules(asked)
    return Request(
        model=asked.model,
        conversation=_build_conversation(asked),
        stream=bool(asked.stream),
        max_tokens=asked.max_output_tokens,
        cache_key=asked.prompt_cache_key or "",
        echo=asked.model_dump(mode="json", by_alias=True, exclude_none=True, include=REPEATED),
    )


def _check_choice(asked: body.Body) -> None:
    choice, tools = asked.tool_choice, asked.tools or []
    if isinstance(choice, body.NamedChoice) and all(tool.name != choice.name for tool in tools):
        raise refuse(f"Tool choice '{choice.name}' not found in 'tools' parameter.", "tool_choice")
    if choice == "required" and not tools:
        raise refuse("Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice")


def _build_conversation(asked: body.Body) -> Conversation:
    items: list[body.Item] = (
        [body.Said(role="user", content=asked.input)] if isinstance(asked.input, str) else asked.input
    )
    begins = next(
        (at for at, item in enumerate(items) if not (isinstance(item, body.Said) and item.role != "user")), len(items)
    )
    said = [item.content for item in items[:begins] if isinstance(item, body.Said)]
    system = [asked.instructions] if asked.instructions else []
    return Conversation(
        messages=tuple(_join_turns(_build_messages(items, begins))),
        system="\n".join((*system, *map(_join, said))),
        tools=tuple(_build_tool(tool) for tool in asked.tools or ()),
        choice=_build_choice(asked),
        format=_build_format(asked, items),
    )


def _build_format(asked: body.Body, items: list[body.Item]) -> AnswerFormat | None:
    wanted = asked.text.format if asked.text is not None else None
    if isinstance(wanted, body.SchemaFormat):
        named = wanted.model_dump(by_alias=True, exclude={"type"})
        return build_format(SchemaFormat.model_validate({"type": "json_schema", "json_schema": named}), "")
    texts = [_join(item.content) for item in items if isinstance(item, body.Said | body.Answered)]
    return build_format(wanted, "\n".join((asked.instructions or "", *texts)))


def _build_messages(items: list[body.Item], begins: int) -> Iterator[Message]:
    for at, item in enumerate(items[begins:], begins):
        match item:
            case body.Said(role="user"):
                parts = [] if isinstance(item.content, str) else item.content
                images = sum(isinstance(part, body.InputImage) for part in parts)
                documents = tuple(
                    _read_file(part, f"input[{at}].content[{place}].file_data")
                    for place, part in enumerate(parts)
                    if isinstance(part, body.InputFile)
                )
                yield Message("user", _join(item.content), images=images, documents=documents)
            case body.Said():
                yield Message("system", _join(item.content))
            case body.Answered():
                yield Message("assistant", _join(item.content))
            case body.Call():
                call = ToolCall(item.call_id, item.name, _parse_arguments(item.arguments))
                yield Message("assistant", calls=(call,))
            case body.CustomCall():
                yield Message("assistant", calls=(ToolCall(item.call_id, item.name, {"input": item.input}),))
            case body.CallOutput():
                parts = [] if isinstance(item.output, str) else item.output
                images = sum(isinstance(part, body.InputImage) for part in parts)
                yield Message("user", results=(ToolResult(item.call_id, _join(item.output)),), images=images)
            case _:
                continue


def _join_turns(messages: Iterator[Message]) -> Iterator[Message]:
    """Join the model's neighbouring items into one turn, as the other wires have them."""
    turn: Message | None = None
    for message in messages:
        if turn is not None and message.role == "assistant":
            text = "\n".join(filter(None, (turn.text, message.text)))
            turn = Message("assistant", text, calls=(*turn.calls, *message.calls))
            continue
        if turn is not None:
            yield turn
        turn = message if message.role == "assistant" else None
        if turn is None:
            yield message
    if turn is not None:
        yield turn


def _build_tool(tool: body.Function | body.OtherTool) -> Tool:
    if isinstance(tool, body.OtherTool):
        return build_foreign_tool(tool.name or tool.type, tool)
    return build_tool(tool.name, tool.description, tool.parameters or {})


def _build_choice(asked: body.Body) -> ToolChoice:
    parallel = asked.parallel_tool_calls is not False
    if isinstance(asked.tool_choice, body.NamedChoice):
        return ToolChoice("named", asked.tool_choice.name, parallel=parallel)
    return ToolChoice(asked.tool_choice or "auto", parallel=parallel)


def _join(content: str | list[body.InputPart] | list[body.OutputPart]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content if isinstance(part, body.InputText | body.OutputText))


def _parse_arguments(source: str) -> dict[str, JsonValue]:
    try:
        value = ANY_JSON.validate_json(source)
    except ValidationError:
        return {}
    return value if isinstance(value, dict) else {}


def _read_file(part: body.InputFile, path: str) -> str:
    """The text that a file adds to the prompt."""
    _, is_pdf, data = part.file_data.partition("data:application/pdf;base64,")
    pages = count_pages(data) if is_pdf else None
    if pages is None:
        raise refuse(
            f"Invalid '{path}'. Expected a base64-encoded data URL with an application/pdf MIME type.",
            path,
            "invalid_value",
        )
    return "\n".join(text for text in (part.filename, PAGE_PLACEHOLDER * pages) if text)
