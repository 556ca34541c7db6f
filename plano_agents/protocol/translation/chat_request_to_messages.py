"""An OpenAI chat request as an Anthropic messages request.

What both wires can say is carried; what Anthropic's cannot is a 400 that names the field, never silence. Rules
that are choices, not renamings:

- System and developer messages, wherever they stand, go into ``system`` in their order: there they keep their
  authority on every Claude model.
- Tool results come first in their user turn, in the order given; neighbours of one role become one turn.
- Thinking blocks come first in their assistant turn, byte for byte; reasoning without blocks is left out, for it has
  no signature that Anthropic could check.
- Without ``max_tokens`` or ``max_completion_tokens``, `DEFAULT_MAX_TOKENS` is asked for, and thinking's budget on top:
  Anthropic needs a number.
- A transcript with tool calls but no ``tools`` gets the called tools declared, with ``tool_choice`` none.
"""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import anthropic_request as anthropic
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol.decoding import ABSENT, refuse_unknown
from plano_agents.protocol.translation.chat_content_to_messages import build_content, build_text

DEFAULT_MAX_TOKENS = 8192
"""Tokens asked for where the client names no limit; every Claude model since 3.5 can give as many."""

EMPTY_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{}}')

NEUTRAL: dict[str, Collection[object]] = {
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
    "web_search_options": (),
}
"""Fields that Anthropic's wire cannot carry, with the values (besides null) that ask for nothing."""

KNOWN = frozenset(openai.ChatRequest.__struct_fields__) | {
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "routing_preferences",
    "service_tier",
    "store",
}
"""Fields that are carried, and those about OpenAI's own storage and billing, or the router's: they change no answer."""

EFFORTS = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
"""OpenAI's reasoning efforts in Anthropic's words."""


def parse_chat_request(body: bytes) -> openai.ChatRequest:
    """Read a chat client's request into the hub.

    Raises:
        RequestError: The body is no valid chat request.
        UnsupportedFieldError: It holds a field that only OpenAI's wire can carry; ``param`` names it.
    """
    refuse_unknown(body, known=KNOWN, neutral=NEUTRAL, target="an Anthropic model")
    return openai.parse_request(body)


def build_messages_request(request: openai.ChatRequest, model_id: str) -> anthropic.Request:
    """Translate a request of the hub.

    Args:
        request: The request.
        model_id: What Anthropic calls the model.

    Raises:
        RequestError: It is no valid request.
        UnsupportedFieldError: A field cannot be carried; ``param`` names it.
    """
    request = openai.resolve_tool_choice(request)
    system, messages = _split_messages(request.messages)
    if not messages:
        raise RequestError(
            "At least one user or assistant message is needed besides system messages.", param="messages"
        )
    if request.verbosity not in {None, "medium"}:
        raise UnsupportedFieldError(
            f"'verbosity' {request.verbosity!r} cannot be carried to an Anthropic model. Leave it out.",
            param="verbosity",
        )
    tools, tool_choice = _build_tools(request)
    user_id = request.safety_identifier or request.user
    return anthropic.Request(
        model=model_id,
        max_tokens=_find_limit(request),
        messages=messages,
        system=system or None,
        stream=request.stream or None,
        temperature=_check_temperature(request.temperature),
        top_p=request.top_p,
        stop_sequences=(request.stop,) if isinstance(request.stop, str) else request.stop,
        tools=tools,
        tool_choice=tool_choice,
        output_config=_build_output_config(request),
        thinking=ABSENT if request.thinking == ABSENT else request.thinking,
        cache_control=ABSENT if request.cache_control == ABSENT else request.cache_control,
        metadata=anthropic.Metadata(user_id) if user_id else None,
    )


def _find_limit(request: openai.ChatRequest) -> int:
    """Find how many tokens may be given; thinking's budget counts among them."""
    limit = openai.find_limit(request)
    if limit is not None:
        return limit
    if request.thinking == ABSENT:
        return DEFAULT_MAX_TOKENS
    return DEFAULT_MAX_TOKENS + (anthropic.parse_thinking(request.thinking).budget_tokens or 0)


def _check_temperature(temperature: float | None) -> float | None:
    if temperature is not None and temperature > 1:
        raise UnsupportedFieldError(
            f"'temperature' is {temperature}; Anthropic models take 0 to 1.", param="temperature"
        )
    return temperature


def _build_output_config(request: openai.ChatRequest) -> anthropic.OutputConfig | None:
    """Carry structured output and reasoning effort."""
    wanted = request.response_format
    output: anthropic.OutputFormat | None = None
    if wanted is not None and wanted.type != "text":
        if wanted.type != "json_schema" or wanted.json_schema is None or wanted.json_schema.schema == ABSENT:
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


def _build_tools(
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
        declared = tuple(anthropic.Tool(name=name, input_schema=EMPTY_SCHEMA) for name in called)
        return declared, anthropic.ToolChoice("none")
    tools = tuple(
        anthropic.Tool(
            name=tool.function.name,
            input_schema=EMPTY_SCHEMA if tool.function.parameters == ABSENT else tool.function.parameters,
            description=tool.function.description,
            strict=tool.function.strict,
        )
        for tool in request.tools
    )
    return tools, _build_tool_choice(request)


def _build_tool_choice(request: openai.ChatRequest) -> anthropic.ToolChoice | None:
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
    turns: list[tuple[str, list[anthropic.Block | msgspec.Raw]]] = []
    for position, message in enumerate(messages):
        where = f"messages[{position}]"
        if isinstance(message, openai.SystemMessage | openai.DeveloperMessage):
            system.extend(build_text(message.content, where))
            continue
        role = "assistant" if isinstance(message, openai.AssistantMessage) else "user"
        blocks = list(_build_blocks(message, where))
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


def _results_first(
    blocks: list[anthropic.Block | msgspec.Raw],
) -> Iterable[anthropic.Block | msgspec.Raw]:
    """Put tool results before everything else: Anthropic refuses a turn that answers calls after text."""
    return sorted(blocks, key=lambda block: not isinstance(block, anthropic.ToolResultBlock))


def _build_blocks(
    message: openai.UserMessage | openai.AssistantMessage | openai.ToolMessage, where: str
) -> Iterator[anthropic.Block | msgspec.Raw]:
    if isinstance(message, openai.ToolMessage):
        content = tuple(build_content(message.content, where))
        yield anthropic.ToolResultBlock(
            tool_use_id=message.tool_call_id, content=content, is_error=message.is_error or None
        )
    elif isinstance(message, openai.UserMessage):
        yield from build_content(message.content, where)
    else:
        yield from _build_assistant_blocks(message, where)


def _build_assistant_blocks(
    message: openai.AssistantMessage, where: str
) -> Iterator[anthropic.Block | msgspec.Raw]:
    for name in ("audio", "function_call"):
        if getattr(message, name) != ABSENT:
            raise UnsupportedFieldError(
                f"{where}.{name} cannot be carried to an Anthropic model.", param=f"{where}.{name}"
            )
    for number, block in enumerate(message.thinking_blocks or ()):
        if not bytes(block).startswith(b"{"):
            place = f"{where}.thinking_blocks[{number}]"
            raise RequestError(
                f"{place!r} is not a JSON object. Send thinking blocks as they came.", param=place
            )
        yield block
    yield from build_text(message.content, where)
    if message.refusal:
        yield anthropic.TextBlock(text=message.refusal)
    for number, call in enumerate(message.tool_calls or ()):
        arguments = _parse_arguments(call, f"{where}.tool_calls[{number}].function.arguments")
        yield anthropic.ToolUseBlock(id=call.id, name=call.function.name, input=arguments)


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
