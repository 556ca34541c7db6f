"""An OpenAI chat request as an Anthropic messages request.

What both wires can say is carried; what Anthropic's cannot is a 400 that names the field, never silence. Rules
that are choices, not renamings:

- System and developer messages at the beginning go into ``system``; later ones stay where they stand, as turns of
  their own, so that what came before them stays the same (`providers.fit` says them as the model takes them).
- System messages alone, which OpenAI's wire takes, become the user's turn.
- Tool results come first in their user turn, in the order given; neighbours of one role become one turn.
- Thinking blocks come first in their assistant turn, byte for byte; reasoning without blocks is left out, for it has
  no signature that Anthropic could check.
- Limits, temperatures and efforts are carried as they are: what the model takes is known to `providers.fit`.
- JSON mode becomes an instruction, for Anthropic's wire has none.
- Arguments that are not a JSON object, as a limit of tokens cuts them, are wrapped into one (`arguments`).
- Custom tools become functions (`chat_custom_tools`).
- A transcript with tool calls but no ``tools`` gets the called tools declared, with ``tool_choice`` none.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Literal

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import anthropic_request as anthropic
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol.adjustment import ADVISORY, Tell, dropped, ignore, rewritten
from plano_agents.protocol.decoding import ABSENT, refuse_unknown
from plano_agents.protocol.tool_names import ClientTools
from plano_agents.protocol.translation.arguments import read_object
from plano_agents.protocol.translation.chat_content_to_messages import build_content, build_text
from plano_agents.protocol.translation.chat_custom_tools import read_custom_tools
from plano_agents.protocol.unknown_fields import FieldFinder

_Role = Literal["user", "assistant", "system"]

EMPTY_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{}}')

NEUTRAL: dict[str, Collection[object]] = {
    "frequency_penalty": (0,),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "store": (False,),
    "top_logprobs": (0,),
}
"""Fields that Anthropic's wire cannot carry, with the values (besides null) that ask for nothing."""

KNOWN = frozenset(openai.ChatRequest.__struct_fields__) | {"routing_preferences"}
"""Fields that are carried, and the router's."""

DROPPABLE = ADVISORY | {"frequency_penalty", "logit_bias", "presence_penalty", "seed"}
"""Fields that are left out and reported: they ask for a likelihood at most."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""The reasoning efforts that there are."""

JSON_MODE = "Answer with one JSON object and nothing else: no prose, no Markdown."
"""What the system prompt says where JSON mode is asked for."""


_FINDER = FieldFinder(
    openai.ChatRequest,
    ("messages", "tools", "response_format", "tool_choice"),
    harmless=frozenset({"annotations", "index", "parsed", "reasoning", "reasoning_details"}),
)
"""Finds what is lost of a request below its top level, but for what docs/translation.md lists."""


def parse_chat_request(
    body: bytes,
    tell: Tell = ignore,
    tools: ClientTools | None = None,
    *,
    carried: Collection[str] = (),
    target: str = "an Anthropic model",
) -> openai.ChatRequest:
    """Read a chat client's request into the hub.

    Args:
        body: The request, JSON.
        tell: Called for what is left out.
        tools: Takes the names of its custom tools, for the answer.
        carried: Further fields that reach the target, beside the hub.
        target: Whom the request is for, for messages.

    Raises:
        RequestError: The body is not a valid chat request.
        UnsupportedFieldError: It holds a field that only OpenAI's wire can carry; ``param`` names it.
    """
    fields = refuse_unknown(
        body, known=KNOWN.union(carried), neutral=NEUTRAL, target=target, droppable=DROPPABLE, tell=tell
    )
    if b'"custom"' in body:
        written = read_custom_tools(fields, tools or ClientTools(), tell)
        body = body if written is fields else msgspec.json.encode(written)
        fields = {**written}
    request = openai.parse_request(body)
    _FINDER.tell(fields, tell)
    return request


def build_messages_request(request: openai.ChatRequest, model_id: str, tell: Tell = ignore) -> anthropic.Request:
    """Translate a request of the hub.

    Args:
        request: The request.
        model_id: What Anthropic calls the model.
        tell: Called for what is left out or said otherwise.

    Raises:
        RequestError: It is not a valid request.
        UnsupportedFieldError: A field cannot be carried; ``param`` names it.
    """
    request = openai.resolve_tool_choice(request)
    system, messages = _split_messages(request.messages)
    if system and not messages:
        system, messages = (), (anthropic.Message("user", system),)
        tell(rewritten("messages", "system messages sent as the user's"))
    if not messages:
        raise RequestError("At least one message with content is required.", param="messages")
    if request.verbosity not in {None, "medium"}:
        tell(dropped("verbosity"))
    if request.response_format is not None and request.response_format.type == "json_object":
        system = (*system, anthropic.TextBlock(text=JSON_MODE))
        tell(rewritten("response_format", "sent as an instruction"))
    tools, tool_choice = _build_tools(request)
    user_id = request.safety_identifier or request.user
    return anthropic.Request(
        model=model_id,
        max_tokens=openai.find_limit(request),
        messages=messages,
        system=system or None,
        stream=request.stream or None,
        temperature=request.temperature,
        top_p=request.top_p,
        stop_sequences=(request.stop,) if isinstance(request.stop, str) else request.stop,
        tools=tools,
        tool_choice=tool_choice,
        output_config=_build_output_config(request),
        thinking=ABSENT if request.thinking == ABSENT else request.thinking,
        cache_control=ABSENT if request.cache_control == ABSENT else request.cache_control,
        metadata=anthropic.Metadata(user_id) if user_id else None,
    )


def _build_output_config(request: openai.ChatRequest) -> anthropic.OutputConfig | None:
    """Carry structured output and reasoning effort."""
    wanted = request.response_format
    output: anthropic.OutputFormat | None = None
    if wanted is not None and wanted.type not in {"text", "json_object"}:
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
    return anthropic.OutputConfig(format=output, effort=effort)


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
            cache_control=_cache_mark(tool),
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
    turns: list[tuple[_Role, list[anthropic.Block | msgspec.Raw]]] = []
    for position, message in enumerate(messages):
        where = f"messages[{position}]"
        if isinstance(message, openai.SystemMessage | openai.DeveloperMessage):
            texts = build_text(message.content, where, message.cache_control)
            if turns:
                turns.append(("system", list(texts)))
            else:
                system.extend(texts)
            continue
        role: _Role = "assistant" if isinstance(message, openai.AssistantMessage) else "user"
        blocks = list(_build_blocks(message, where))
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((role, blocks))
    return tuple(system), tuple(
        anthropic.Message("user", tuple(_results_first(blocks)))
        if role == "user"
        else anthropic.Message(role, tuple(blocks))
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
            tool_use_id=message.tool_call_id or "",
            content=content,
            is_error=message.is_error or None,
            cache_control=message.cache_control,
        )
    elif isinstance(message, openai.UserMessage):
        yield from build_content(message.content, where, message.cache_control)
    else:
        yield from _build_assistant_blocks(message, where)


def _build_assistant_blocks(message: openai.AssistantMessage, where: str) -> Iterator[anthropic.Block | msgspec.Raw]:
    for name in ("audio", "function_call"):
        if getattr(message, name) != ABSENT:
            raise UnsupportedFieldError(
                f"{where}.{name} cannot be carried to an Anthropic model.", param=f"{where}.{name}"
            )
    for number, block in enumerate(message.thinking_blocks or ()):
        if not bytes(block).startswith(b"{"):
            place = f"{where}.thinking_blocks[{number}]"
            raise RequestError(f"{place!r} is not a JSON object. Send thinking blocks as they came.", param=place)
        yield block
    yield from build_text(message.content, where, message.cache_control)
    if message.refusal:
        yield anthropic.TextBlock(text=message.refusal)
    for call in message.tool_calls or ():
        arguments = read_object(call.function.arguments)
        mark = ABSENT if call.cache_control is msgspec.UNSET else call.cache_control
        yield anthropic.ToolUseBlock(id=call.id or "", name=call.function.name, input=arguments, cache_control=mark)


def _cache_mark(tool: openai.Tool) -> msgspec.Raw:
    return tool.function.cache_control if tool.cache_control == ABSENT else tool.cache_control
