"""A request of the hub as an OpenAI responses request.

Rules that are choices, not renamings:

- System messages at the beginning become ``instructions``; later ones stay where they stand, as the developer's, which
  ChatGPT's backend takes alone ("System messages are not allowed", router-for-me/CLIProxyAPI PR 1121).
- An assistant's message becomes its reasoning, its words and its calls, an item each. Of its thinking that goes back
  which a provider encrypted on this wire (`sealed_reasoning`); other providers' is left out.
- A failed tool's result says so in words. Images and documents stay within their result.
- Nothing is stored: ``store`` is false, and what the model reasoned is asked for encrypted, to be sent back.
- Tools are not ``strict`` unless they say so, as on chat completions; this wire's default is another.
- Stop sequences, which this wire does not know, are left out and reported.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol.adjustment import Tell, dropped, ignore
from plano_agents.protocol.decoding import ABSENT
from plano_agents.protocol.sealed_reasoning import unseal_reasoning
from plano_agents.protocol.translation.chat_request_to_upstream import FAILED

SHARED = frozenset(
    {"metadata", "moderation", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "service_tier"}
)
"""Fields of a chat request that this wire has too, as they are."""

TARGET = "OpenAI's responses"
"""What messages call this wire."""

ENCRYPTED = "reasoning.encrypted_content"
"""What ``include`` asks for, so that reasoning can be sent back."""

_NO_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{}}')
_UNNAMED = "answer"
"""The name of a schema that has none; this wire wants one."""

_Object = dict[str, Any]


def build_responses_request(request: openai.ChatRequest, model_id: str, tell: Tell = ignore) -> _Object:
    """Translate a request of the hub.

    Args:
        request: The request.
        model_id: What the upstream calls the model.
        tell: Called for what is left out or said otherwise.

    Returns:
        The request's fields.

    Raises:
        RequestError: It holds nothing to answer.
        UnsupportedFieldError: A field cannot be carried; ``param`` names it.
    """
    instructions, begin = _split_instructions(request.messages)
    items = [item for place in range(begin, len(request.messages)) for item in _build_items(request, place)]
    if not items:
        if instructions is None:
            raise RequestError("At least one message with content is required.", param="messages")
        items = [{"role": "developer", "content": [_write_text(instructions)]}]
        instructions = None
    if request.stop:
        tell(dropped("stop"))
    if request.thinking != ABSENT:
        tell(dropped("thinking"))
    if request.cache_control != ABSENT:
        tell(dropped("cache_control"))
    fields: _Object = {
        "model": model_id,
        "instructions": instructions,
        "input": items,
        "store": False,
        "include": [ENCRYPTED],
        "stream": request.stream or None,
        "max_output_tokens": openai.find_limit(request),
        "temperature": request.temperature,
        "top_p": request.top_p,
        "tools": [_build_tool(tool) for tool in request.tools] if request.tools else None,
        "tool_choice": _build_tool_choice(request),
        "parallel_tool_calls": request.parallel_tool_calls if request.tools else None,
        "text": _build_text(request),
        "reasoning": {"effort": request.reasoning_effort} if request.reasoning_effort else None,
        "user": request.user,
        "safety_identifier": request.safety_identifier,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _split_instructions(messages: tuple[openai.Message, ...]) -> tuple[str | None, int]:
    """Part the system messages at the beginning from what follows; give where that begins."""
    texts: list[str] = []
    for place, message in enumerate(messages):
        if not isinstance(message, openai.SystemMessage | openai.DeveloperMessage):
            return "\n\n".join(texts) or None, place
        texts += [part["text"] for part in _write_content(message.content, f"messages[{place}].content")]
    return "\n\n".join(texts) or None, len(messages)


def _build_items(request: openai.ChatRequest, place: int) -> Iterator[_Object]:
    message, where = request.messages[place], f"messages[{place}]"
    match message:
        case openai.AssistantMessage():
            yield from _build_assistant(message, where)
        case openai.ToolMessage():
            yield {
                "type": "function_call_output",
                "call_id": message.tool_call_id or "",
                "output": _write_result(message, f"{where}.content"),
            }
        case openai.UserMessage(content=content):
            if parts := _write_content(content, f"{where}.content"):
                yield {"role": "user", "content": parts}
        case openai.SystemMessage(content=content) | openai.DeveloperMessage(content=content):
            if parts := _write_content(content, f"{where}.content"):
                yield {"role": "developer", "content": parts}


def _build_assistant(message: openai.AssistantMessage, where: str) -> Iterator[_Object]:
    for name in ("audio", "function_call"):
        if getattr(message, name) != ABSENT:
            raise UnsupportedFieldError(f"{where}.{name} cannot be carried to {TARGET}.", param=f"{where}.{name}")
    for block in message.thinking_blocks or ():
        reasoning = unseal_reasoning(block)
        if reasoning is not None:
            summary = [{"type": "summary_text", "text": reasoning.summary}] if reasoning.summary else []
            yield {"type": "reasoning", "summary": summary, "encrypted_content": reasoning.encrypted_content}
    said, refused = "".join(_list_texts(message.content)), "".join(_list_refusals(message))
    if refused:
        words = [{"type": "output_text", "text": said}] if said else []
        yield {"type": "message", "role": "assistant", "content": [*words, {"type": "refusal", "refusal": refused}]}
    elif said:
        yield {"role": "assistant", "content": said}
    for call in message.tool_calls or ():
        arguments = call.function.arguments
        text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments or {}).decode()
        yield {"type": "function_call", "call_id": call.id or "", "name": call.function.name, "arguments": text}


def _list_texts(content: openai.Content) -> list[str]:
    if not isinstance(content, tuple):
        return [content] if content else []
    return [part.text for part in content if isinstance(part, openai.TextPart) and part.text]


def _list_refusals(message: openai.AssistantMessage) -> list[str]:
    parts = message.content if isinstance(message.content, tuple) else ()
    refusals = [part.refusal for part in parts if isinstance(part, openai.RefusalPart)]
    return [text for text in (*refusals, message.refusal) if text]


def _write_result(message: openai.ToolMessage, where: str) -> str | list[_Object]:
    mark = FAILED if message.is_error else ""
    parts = _write_content(message.content, where)
    if any(part["type"] != "input_text" for part in parts):
        return [_write_text(mark.rstrip()), *parts] if mark else parts
    return mark + "\n".join(part["text"] for part in parts)


def _write_content(content: openai.Content, where: str) -> list[_Object]:
    if not isinstance(content, tuple):
        return [_write_text(content)] if content else []
    return [_write_part(part, f"{where}[{number}]") for number, part in enumerate(content)]


def _write_text(text: str) -> _Object:
    return {"type": "input_text", "text": text}


def _write_part(part: openai.Part, where: str) -> _Object:
    match part:
        case openai.TextPart(text=text):
            return _write_text(text)
        case openai.RefusalPart(refusal=refusal):
            return _write_text(refusal)
        case openai.ImagePart(image_url=image):
            address = openai.ImageUrl(image) if isinstance(image, str) else image
            detail = {"detail": address.detail} if address.detail else {}
            return {"type": "input_image", "image_url": address.url, **detail}
        case openai.FilePart(file=file):
            known = msgspec.structs.asdict(file)
            return {"type": "input_file", **{name: value for name, value in known.items() if value is not None}}
        case _:
            raise UnsupportedFieldError(f"{where!r} is a recording, which cannot be carried to {TARGET}.", param=where)


def _build_tool(tool: openai.Tool) -> _Object:
    function = tool.function
    described = {"description": function.description} if function.description is not None else {}
    parameters = _NO_SCHEMA if function.parameters == ABSENT else function.parameters
    return {
        "type": "function",
        "name": function.name,
        **described,
        "parameters": parameters,
        "strict": bool(function.strict),
    }


def _build_tool_choice(request: openai.ChatRequest) -> str | _Object | None:
    if not request.tools:
        openai.resolve_tool_choice(request)  # which refuses a call that must be made of no tool
        return None
    match request.tool_choice:
        case openai.NamedToolChoice(function=function):
            return {"type": "function", "name": function.name}
        case openai.AllowedToolsChoice(allowed_tools=allowed):
            tools = [{"type": "function", "name": tool.function.name} for tool in allowed.tools]
            return {"type": "allowed_tools", "mode": allowed.mode, "tools": tools}
        case choice:
            return choice


def _build_text(request: openai.ChatRequest) -> _Object | None:
    """Carry structured output and verbosity."""
    text: _Object = {"verbosity": request.verbosity} if request.verbosity else {}
    wanted = request.response_format
    if wanted is not None and wanted.type == "json_schema":
        schema = wanted.json_schema
        if schema is None or schema.schema == ABSENT:
            raise UnsupportedFieldError(
                "'response_format' of type 'json_schema' has no schema. Send it in 'json_schema'.",
                param="response_format",
            )
        known = msgspec.structs.asdict(schema)
        given = {name: value for name, value in known.items() if value is not None}
        text["format"] = {"type": "json_schema", **given, "name": schema.name or _UNNAMED}
    elif wanted is not None:
        text["format"] = {"type": wanted.type}
    return text or None
