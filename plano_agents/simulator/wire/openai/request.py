"""Requests of OpenAI's chat completions endpoint, read or refused as it does."""

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
from plano_agents.simulator.wire.exchange import Refusal, Request
from plano_agents.simulator.wire.openai import body
from plano_agents.simulator.wire.openai.refusals import describe_problem, refuse
from plano_agents.simulator.wire.openai.response_format import build_format
from plano_agents.simulator.wire.openai.rules import check_rules
from plano_agents.simulator.wire.reading import ANY_JSON, build_foreign_tool, build_tool, parse_body

NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
)
"""What a body that is not JSON gets."""


def parse_openai_request(source: bytes) -> Request:
    """Check a request as the provider would.

    Args:
        source: The request's body.

    Raises:
        Refusal: With the provider's status, words and code.
    """
    asked = parse_body(body.Body, source, describe=describe_problem, not_json=refuse(NOT_JSON))
    _check_settings(asked)
    _check_calls(asked.messages)
    check_rules(asked)
    stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    return Request(
        model=asked.model,
        conversation=_build_conversation(asked, build_format(asked.response_format, _read_texts(asked))),
        stream=bool(asked.stream),
        include_usage=asked.stream_options is not None and asked.stream_options.include_usage,
        max_tokens=asked.max_completion_tokens or asked.max_tokens,
        stop=tuple(stop),
        cache_key=asked.prompt_cache_key or "",
    )


def _check_settings(asked: body.Body) -> None:
    for name in ("tool_choice", "parallel_tool_calls"):
        if getattr(asked, name) is not None and asked.tools is None:
            raise refuse(f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", name)
    if isinstance(asked.tool_choice, body.NamedChoice) and asked.tools is not None:
        wanted = asked.tool_choice.function.name
        if all(isinstance(tool, body.CustomTool) or tool.function.name != wanted for tool in asked.tools):
            raise refuse(f"Tool choice '{wanted}' not found in 'tools' parameter.", "tool_choice")
    if asked.stream_options is not None and not asked.stream:
        raise refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if asked.max_tokens is not None and asked.max_completion_tokens is not None:
        raise refuse(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            "max_tokens",
            "invalid_parameter_combination",
        )


def _check_calls(messages: list[body.Message]) -> None:
    """Refuse tool results without their calls, and calls without their results."""
    offered: list[str] = []
    missing: list[str] = []
    for at, message in enumerate(messages):
        if isinstance(message, body.ToolAnswer):
            _check_tool_answer(message, offered, at)
            missing = [call_id for call_id in missing if call_id != message.tool_call_id]
            continue
        if missing:
            raise _unanswered(missing, f"messages.[{at}].role")
        calls = (message.tool_calls or []) if isinstance(message, body.Assistant) else []
        if isinstance(message, body.Assistant) and not calls and message.content is None and message.refusal is None:
            raise refuse("Invalid value for 'content': expected a string, got null.", f"messages.[{at}].content")
        offered = [call.id for call in calls]
        missing = list(offered)
    if missing:
        raise _unanswered(missing, "messages")


def _check_tool_answer(message: body.ToolAnswer, offered: list[str], at: int) -> None:
    if not offered:
        raise refuse(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
            "'tool_calls'.",
            f"messages.[{at}].role",
        )
    if message.tool_call_id not in offered:
        raise refuse(
            f"Invalid parameter: 'tool_call_id' of '{message.tool_call_id}' not found in 'tool_calls' of previous "
            "message.",
            f"messages.[{at}].tool_call_id",
        )


def _unanswered(missing: list[str], param: str) -> Refusal:
    return refuse(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(missing)}",
        param,
    )


def _read_texts(asked: body.Body) -> str:
    return "\n".join(_join(message.content or "") for message in asked.messages)


def _build_conversation(asked: body.Body, answer_format: AnswerFormat | None) -> Conversation:
    begins = next((at for at, each in enumerate(asked.messages) if not isinstance(each, body.System)), None)
    system = [_join(message.content or "") for message in asked.messages[:begins]]
    return Conversation(
        messages=tuple(
            _build_message(message, at)
            for at, message in enumerate(asked.messages)
            if begins is not None and at >= begins
        ),
        system="\n".join(system),
        tools=tuple(_build_tool(tool) for tool in asked.tools or ()),
        choice=_build_choice(asked),
        format=answer_format,
    )


def _build_tool(tool: body.Tool | body.CustomTool) -> Tool:
    if isinstance(tool, body.CustomTool):
        return build_foreign_tool(tool.custom.name, tool)
    return build_tool(tool.function.name, tool.function.description, tool.function.parameters or {})


def _build_message(message: body.Message, at: int) -> Message:
    if isinstance(message, body.System):
        return Message("system", _join(message.content))
    if isinstance(message, body.ToolAnswer):
        return Message("user", results=(ToolResult(message.tool_call_id, _join(message.content)),))
    if isinstance(message, body.User):
        parts = [] if isinstance(message.content, str) else message.content
        images = sum(isinstance(part, body.Image) for part in parts)
        documents = tuple(
            _read_file(part.file, f"messages[{at}].content[{place}].file.file_data")
            for place, part in enumerate(parts)
            if isinstance(part, body.File)
        )
        return Message("user", _join(message.content), images=images, documents=documents)
    calls = (_build_call(call) for call in message.tool_calls or ())
    return Message("assistant", _join(message.content or message.refusal or ""), calls=tuple(calls))


def _build_call(call: body.Call | body.CustomCall) -> ToolCall:
    if isinstance(call, body.CustomCall):
        return ToolCall(call.id, call.custom.name, {"input": call.custom.input})
    return ToolCall(call.id, call.function.name, _parse_arguments(call.function.arguments))


def _read_file(file: body.FileData, path: str) -> str:
    """The text that a file adds to the prompt."""
    _, is_pdf, data = file.file_data.partition("data:application/pdf;base64,")
    pages = count_pages(data) if is_pdf else None
    if pages is None:
        raise refuse(
            f"Invalid '{path}'. Expected a base64-encoded data URL with an application/pdf MIME type (e.g. "
            "'data:application/pdf;base64,aW1nIGJ5dGVzIGhlcmU=').",
            path,
            "invalid_value",
        )
    return "\n".join(part for part in (file.filename, PAGE_PLACEHOLDER * pages) if part)


def _join(
    content: str | list[body.Text] | list[body.Text | body.Image | body.File] | list[body.Text | body.RefusalPart],
) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content if isinstance(part, body.Text))


def _parse_arguments(source: str) -> dict[str, JsonValue]:
    try:
        value = ANY_JSON.validate_json(source)
    except ValidationError:
        return {}
    return value if isinstance(value, dict) else {}


def _build_choice(asked: body.Body) -> ToolChoice:
    parallel = asked.parallel_tool_calls is not False
    if isinstance(asked.tool_choice, body.NamedChoice):
        return ToolChoice("named", asked.tool_choice.function.name, parallel=parallel)
    return ToolChoice(asked.tool_choice or "auto", parallel=parallel)
