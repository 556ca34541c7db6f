"""An OpenAI chat request as an Anthropic messages request.

What both wires can say is carried; what Anthropic's cannot is a 400 that names the field, never silence. Rules
that are choices, not renamings:

- System and developer messages, wherever they stand, go into ``system`` in their order: there they keep their
  authority on every Claude model.
- Tool results come first in their user turn, in the order given; neighbours of one role become one turn.
- Without ``max_tokens`` or ``max_completion_tokens``, `DEFAULT_MAX_TOKENS` is asked for: Anthropic needs a number.
- A transcript with tool calls but no ``tools`` gets the called tools declared, with ``tool_choice`` none.
"""

from collections.abc import Iterable, Iterator

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import anthropic_messages as anthropic
from plano_agents.protocol import openai_chat as openai

DEFAULT_MAX_TOKENS = 8192
"""Tokens asked for where the client names no limit; every Claude model since 3.5 can give as many."""

EMPTY_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{}}')

NEUTRAL: dict[str, tuple[object, ...]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": (),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "prediction": (),
    "presence_penalty": (0,),
    "seed": (),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
    "web_search_options": (),
}
"""Fields that Anthropic's wire cannot carry, with the values (besides null) that ask for nothing."""

IGNORABLE = frozenset(
    {"metadata", "prompt_cache_key", "prompt_cache_retention", "routing_preferences", "service_tier", "store"}
)
"""Fields that are about OpenAI's own storage and billing, or the router's: leaving them out changes no answer."""

EFFORTS = {"none": "low", "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "max"}
"""OpenAI's reasoning efforts in Anthropic's words."""


def encode_messages_request(body: bytes, model_id: str) -> bytes:
    """Translate a request body.

    Args:
        body: The client's OpenAI chat request, JSON.
        model_id: What Anthropic calls the model.

    Returns:
        The Anthropic messages request, JSON.

    Raises:
        RequestError: The body is no valid chat request.
        UnsupportedFieldError: A field cannot be carried; ``param`` names it.
    """
    _check_fields(openai.parse_fields(body))
    request = openai.parse_request(body)
    system, messages = _split_messages(request.messages)
    if not messages:
        raise RequestError(
            "At least one user or assistant message is needed besides system messages.", param="messages"
        )
    tools, tool_choice = _encode_tools(request)
    user_id = request.safety_identifier or request.user
    limit = request.max_completion_tokens or request.max_tokens
    return msgspec.json.encode(
        anthropic.Request(
            model=model_id,
            max_tokens=limit if limit is not None else DEFAULT_MAX_TOKENS,
            messages=messages,
            system=system or None,
            stream=request.stream or None,
            temperature=_check_temperature(request.temperature),
            top_p=request.top_p,
            stop_sequences=(request.stop,) if isinstance(request.stop, str) else request.stop,
            tools=tools,
            tool_choice=tool_choice,
            output_config=_encode_output_config(request),
            metadata=anthropic.Metadata(user_id) if user_id else None,
        )
    )


def _check_fields(fields: dict[str, msgspec.Raw]) -> None:
    """Refuse every field that would be lost."""
    for name, raw in fields.items():
        if name in openai.ChatRequest.__struct_fields__ or name in IGNORABLE:
            continue
        value = msgspec.json.decode(raw)
        if value is not None and value not in NEUTRAL.get(name, ()):
            raise UnsupportedFieldError(
                f"{name!r} cannot be carried to an Anthropic model. Leave it out, or route this request to an "
                "OpenAI-compatible model.",
                param=name,
            )


def _check_temperature(temperature: float | None) -> float | None:
    if temperature is not None and temperature > 1:
        raise UnsupportedFieldError(
            f"'temperature' is {temperature}; Anthropic models take 0 to 1.", param="temperature"
        )
    return temperature


def _encode_output_config(request: openai.ChatRequest) -> anthropic.OutputConfig | None:
    """Carry structured output and reasoning effort."""
    wanted = request.response_format
    output: anthropic.OutputFormat | None = None
    if wanted is not None and wanted.type != "text":
        if (
            wanted.type != "json_schema"
            or wanted.json_schema is None
            or wanted.json_schema.schema == openai.ABSENT
        ):
            raise UnsupportedFieldError(
                f"'response_format' of type {wanted.type!r} cannot be carried to an Anthropic model; use type "
                "'json_schema' with a schema.",
                param="response_format",
            )
        output = anthropic.OutputFormat(wanted.json_schema.schema)
    effort = request.reasoning_effort
    if effort is not None and effort not in EFFORTS:
        raise UnsupportedFieldError(
            f"'reasoning_effort' {effort!r} is not one of {', '.join(EFFORTS)}.", param="reasoning_effort"
        )
    if output is None and effort is None:
        return None
    return anthropic.OutputConfig(format=output, effort=EFFORTS[effort] if effort else None)


def _encode_tools(
    request: openai.ChatRequest,
) -> tuple[tuple[anthropic.Tool, ...] | None, anthropic.ToolChoice | None]:
    """Carry the tools offered and the choice among them, in its four forms."""
    if not request.tools:
        called = dict.fromkeys(
            call.function.name
            for message in request.messages
            if isinstance(message, openai.AssistantMessage)
            for call in message.tool_calls or ()
        )
        if not called:
            return None, None
        return tuple(anthropic.Tool(name, EMPTY_SCHEMA) for name in called), anthropic.ToolChoice("none")
    tools = tuple(
        anthropic.Tool(
            name=tool.function.name,
            input_schema=EMPTY_SCHEMA
            if tool.function.parameters == openai.ABSENT
            else tool.function.parameters,
            description=tool.function.description,
            strict=tool.function.strict,
        )
        for tool in request.tools
    )
    return tools, _encode_tool_choice(request)


def _encode_tool_choice(request: openai.ChatRequest) -> anthropic.ToolChoice | None:
    single = True if request.parallel_tool_calls is False else None
    match request.tool_choice:
        case openai.NamedToolChoice(function=function):
            return anthropic.ToolChoice("tool", function.name, single)
        case "none":
            return anthropic.ToolChoice("none")
        case "required":
            return anthropic.ToolChoice("any", None, single)
        case choice:
            return anthropic.ToolChoice("auto", None, single) if choice or single else None


def _split_messages(
    messages: tuple[openai.Message, ...],
) -> tuple[tuple[anthropic.TextBlock, ...], tuple[anthropic.Message, ...]]:
    """Part the system prompts from the turns, and join neighbours of one role."""
    system: list[anthropic.TextBlock] = []
    turns: list[tuple[str, list[anthropic.Block]]] = []
    for position, message in enumerate(messages):
        where = f"messages[{position}]"
        if isinstance(message, openai.SystemMessage | openai.DeveloperMessage):
            system.extend(_text_blocks(message.content, where))
            continue
        role = "assistant" if isinstance(message, openai.AssistantMessage) else "user"
        blocks = list(_message_blocks(message, where))
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((role, blocks))
    return tuple(system), tuple(
        anthropic.Message("user", tuple(_results_first(blocks)))
        if role == "user"
        else anthropic.Message("assistant", tuple(blocks))
        for role, blocks in turns
    )


def _results_first(blocks: list[anthropic.Block]) -> Iterable[anthropic.Block]:
    """Put tool results before everything else: Anthropic refuses a turn that answers calls after text."""
    return sorted(blocks, key=lambda block: not isinstance(block, anthropic.ToolResultBlock))


def _message_blocks(
    message: openai.UserMessage | openai.AssistantMessage | openai.ToolMessage, where: str
) -> Iterator[anthropic.Block]:
    if isinstance(message, openai.ToolMessage):
        content = tuple(_tool_result_parts(message.content, where))
        yield anthropic.ToolResultBlock(message.tool_call_id, content)
    elif isinstance(message, openai.UserMessage):
        yield from _content_blocks(message.content, where)
    else:
        yield from _text_blocks(message.content, where)
        if message.refusal:
            yield anthropic.TextBlock(message.refusal)
        for number, call in enumerate(message.tool_calls or ()):
            arguments = _parse_arguments(call, f"{where}.tool_calls[{number}].function.arguments")
            yield anthropic.ToolUseBlock(call.id, call.function.name, arguments)


def _parse_arguments(call: openai.ToolCall, where: str) -> msgspec.Raw:
    """Take a call's arguments as the JSON object that Anthropic wants, byte for byte."""
    text = call.function.arguments.strip() or "{}"
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RequestError(
            f"{where!r} is not a JSON object: {error}. Anthropic models take no other form.", param=where
        ) from error
    return msgspec.Raw(text.encode())


def _text_blocks(content: openai.Content, where: str) -> Iterator[anthropic.TextBlock]:
    """Carry content that may only be text; empty text is left out, for Anthropic refuses it."""
    for block in _content_blocks(content, where):
        if not isinstance(block, anthropic.TextBlock):
            raise UnsupportedFieldError(
                f"{where + '.content'!r} holds more than text, which an Anthropic model takes from users only.",
                param=f"{where}.content",
            )
        yield block


def _tool_result_parts(
    content: openai.Content, where: str
) -> Iterator[anthropic.TextBlock | anthropic.ImageBlock]:
    for block in _content_blocks(content, where):
        if not isinstance(block, anthropic.TextBlock | anthropic.ImageBlock):
            raise UnsupportedFieldError(
                f"{where + '.content'!r} holds a document, which a tool's result cannot carry.",
                param=f"{where}.content",
            )
        yield block


def _content_blocks(
    content: openai.Content, where: str
) -> Iterator[anthropic.TextBlock | anthropic.ImageBlock | anthropic.DocumentBlock]:
    """Carry content part by part."""
    parts = (openai.TextPart(content),) if isinstance(content, str) else content or ()
    for number, part in enumerate(parts):
        place = f"{where}.content[{number}]"
        match part:
            case openai.TextPart(text=text) | openai.RefusalPart(refusal=text):
                if text:
                    yield anthropic.TextBlock(text)
            case openai.ImagePart(image_url=image):
                yield anthropic.ImageBlock(_image_source(image.url, place))
            case openai.FilePart(file=file):
                yield _document_block(file, place)
            case _:
                raise UnsupportedFieldError(
                    f"{place!r} is audio, which Anthropic models do not take.", param=place
                )


def _image_source(url: str, where: str) -> anthropic.Base64Source | anthropic.UrlSource:
    if url.startswith("data:"):
        return _data_source(url, where)
    if url.startswith(("https://", "http://")):
        return anthropic.UrlSource(url)
    raise RequestError(
        f"{where!r} is neither a web address nor a base64 data URL. Write https://… or data:image/png;base64,…",
        param=where,
    )


def _document_block(file: openai.FileData, where: str) -> anthropic.DocumentBlock:
    if file.file_data is None:
        raise UnsupportedFieldError(
            f"{where!r} names an uploaded file, which only its own provider can read; send 'file_data'.",
            param=where,
        )
    return anthropic.DocumentBlock(_data_source(file.file_data, where), file.filename)


def _data_source(url: str, where: str) -> anthropic.Base64Source:
    """Take a ``data:`` URL (RFC 2397) apart."""
    head, comma, data = url.partition(",")
    media_type, _, encoding = head.removeprefix("data:").partition(";")
    if not (comma and head.startswith("data:") and media_type and encoding.endswith("base64")):
        raise RequestError(f"{where!r} is not a base64 data URL. Write data:image/png;base64,…", param=where)
    return anthropic.Base64Source(media_type, data)
