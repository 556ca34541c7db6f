"""An OpenAI responses request as a request of the hub. Stateless: nothing of an earlier response is remembered.

Rules that are choices, not renamings:

- ``instructions`` become the first system message.
- Neighbouring assistant items (reasoning, message, calls) become one assistant message; a call's output stands right
  after the calls, before what the user said in between.
- A reasoning item gives back the thinking blocks that were sealed into it; unsealed ones are another provider's, whose
  encryption nobody else reads, and are left out.
- Which tools ``allowed_tools`` allows is kept by offering those alone.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol import openai_responses_request as responses
from plano_agents.protocol.adjustment import ADVISORY, Tell, ignore
from plano_agents.protocol.decoding import refuse_unknown
from plano_agents.protocol.openai_responses import unseal_thinking
from plano_agents.protocol.thought_signature import unseal_call_id

NEUTRAL: dict[str, Collection[object]] = {
    "access_programs": (),
    "background": (False,),
    "context_management": ([],),
    "conversation": (),
    "image": (),
    "moderation": (),
    "previous_response_id": (),
    "prompt": (),
    "store": (False,),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
"""Fields that need OpenAI's own service, with the values (besides null) that ask for nothing."""

KNOWN = (frozenset(responses.ClientRequest.__struct_fields__) - {"metadata"}) | {"routing_preferences"}
"""Fields that are carried, and the router's."""

DROPPABLE = ADVISORY
"""Fields about OpenAI's own tools, storage and billing: they are left out, which is told."""

INCLUDABLE = frozenset({"reasoning.encrypted_content"})
"""What ``include`` may ask for; it is always included."""


def check_fields(body: bytes, tell: Tell = ignore) -> Mapping[str, msgspec.Raw]:
    """Refuse a request that needs OpenAI's own service; give its top-level fields.

    Args:
        body: The request, JSON.
        tell: Is told what is left out.

    Raises:
        RequestError: The body is not a JSON object.
        UnsupportedFieldError: A field cannot be carried; ``param`` names it.
    """
    return refuse_unknown(
        body,
        known=KNOWN,
        neutral=NEUTRAL,
        target="a model behind another API",
        droppable=DROPPABLE,
        tell=tell,
    )


def read_responses_request(request: responses.ClientRequest) -> openai.ChatRequest:
    """Read a responses client's request into the hub.

    Raises:
        RequestError: It is no valid responses request.
        UnsupportedFieldError: It holds what only OpenAI's service can carry; ``param`` names it.
    """
    wanted = next((name for name in request.include or () if name not in INCLUDABLE), None)
    if wanted is not None:
        raise UnsupportedFieldError(f"'include' asks for {wanted!r}, which cannot be given.", param="include")
    text = request.text or responses.Text()
    return openai.ChatRequest(
        messages=tuple(_read_messages(request)),
        model=request.model,
        stream=request.stream,
        stream_options=openai.StreamOptions(include_usage=True) if request.stream else None,
        max_completion_tokens=request.max_output_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        tools=tuple(_read_tools(request.tools)) or None if request.tools else None,
        tool_choice=_read_tool_choice(request.tool_choice),
        parallel_tool_calls=request.parallel_tool_calls,
        response_format=_read_format(text.format),
        verbosity=text.verbosity,
        reasoning_effort=request.reasoning.effort if request.reasoning else None,
        user=request.user,
        safety_identifier=request.safety_identifier,
    )


def _read_tools(tools: tuple[responses.Tool, ...]) -> Iterator[openai.Tool]:
    for number, tool in enumerate(tools):
        if tool.type != "function":
            raise _unsupported(f"tools[{number}].type", tool.type)
        yield openai.Tool(
            openai.FunctionDefinition(tool.name, tool.description, tool.parameters, tool.strict)
        )


def _read_tool_choice(choice: str | responses.ToolChoice | None) -> openai.ToolChoice | None:
    match choice:
        case None | "none" | "auto" | "required":
            return choice
        case str():
            raise RequestError(
                f"'tool_choice' {choice!r} is not one of none, auto, required.", param="tool_choice"
            )
        case responses.ToolChoice(type="function", name=name):
            return openai.NamedToolChoice(openai.NamedFunction(name))
        case responses.ToolChoice(type="allowed_tools", mode="auto" | "required" as mode, tools=tools):
            other = next((tool.type for tool in tools if tool.type != "function"), None)
            if other is not None:
                raise _unsupported("tool_choice.tools", other)
            allowed = tuple(openai.AllowedTool(openai.NamedFunction(tool.name)) for tool in tools)
            return openai.AllowedToolsChoice(openai.AllowedTools(mode, allowed))
        case _:
            raise _unsupported("tool_choice.type", choice.type)


def _read_format(wanted: responses.Format | None) -> openai.ResponseFormat | None:
    if wanted is None:
        return None
    if wanted.type != "json_schema":
        return openai.ResponseFormat(wanted.type)
    schema = openai.JsonSchema(
        name=wanted.name, description=wanted.description, schema=wanted.schema, strict=wanted.strict
    )
    return openai.ResponseFormat("json_schema", schema)


@dataclass(slots=True)
class _Assistant:
    """An assistant message, gathered from neighbouring items."""

    parts: list[openai.Part] = field(default_factory=list)
    calls: list[openai.ToolCall] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    blocks: list[msgspec.Raw] = field(default_factory=list)

    def build(self) -> openai.AssistantMessage:
        texts = [part.text for part in self.parts if isinstance(part, openai.TextPart)]
        refusals = [part.refusal for part in self.parts if isinstance(part, openai.RefusalPart)]
        return openai.AssistantMessage(
            content="".join(texts) or None,
            refusal="".join(refusals) or None,
            tool_calls=tuple(self.calls) or None,
            reasoning_content="".join(self.thoughts) or None,
            thinking_blocks=tuple(self.blocks) or None,
        )


def _read_messages(request: responses.ClientRequest) -> Iterable[openai.Message]:
    said: list[openai.Message] = []  # since the last calls or results; those that follow go before it
    if request.instructions:
        said.append(openai.SystemMessage(request.instructions))
    if isinstance(request.input, str):
        return (*said, openai.UserMessage(request.input))
    messages: list[openai.Message] = []
    pending: _Assistant | None = None
    for position, item in enumerate(request.input):
        where = f"input[{position}]"
        if item.type in {"reasoning", "function_call"} or item.role == "assistant":
            pending = pending or _Assistant()
            _gather(pending, item, where)
            continue
        if pending is not None:
            messages += (*said, pending.build())
            said, pending = [], None
        message = _read_item(item, where)
        if not isinstance(message, openai.ToolMessage):
            said.append(message)
        elif messages:
            messages.append(message)
        else:
            messages += (*said, message)
            said = []
    messages += said
    if pending is not None:
        messages.append(pending.build())
    return (message for message in messages if message != openai.AssistantMessage())


def _gather(message: _Assistant, item: responses.Item, where: str) -> None:
    if item.type == "reasoning":
        blocks = unseal_thinking(item.encrypted_content)
        if blocks is not None:
            message.blocks.extend(blocks)
            message.thoughts.extend(piece.text for piece in item.summary)
    elif item.type == "function_call":
        call = openai.FunctionCall(item.name, item.arguments)
        call_id, extra_content = unseal_call_id(_call_id(item, where))
        message.calls.append(openai.ToolCall(call_id, call, extra_content=extra_content))
    else:
        content = _read_content(item.content, f"{where}.content")
        message.parts.extend((openai.TextPart(content),) if isinstance(content, str) else content)


def _read_item(item: responses.Item, where: str) -> openai.Message:
    match item:
        case responses.Item(type="function_call_output"):
            content = _read_content(item.output, f"{where}.output")
            return openai.ToolMessage(unseal_call_id(_call_id(item, where))[0], content)
        case responses.Item(type=None | "message", role="user"):
            return openai.UserMessage(_read_content(item.content, f"{where}.content"))
        case responses.Item(type=None | "message", role="system"):
            return openai.SystemMessage(_read_content(item.content, f"{where}.content"))
        case responses.Item(type=None | "message", role="developer"):
            return openai.DeveloperMessage(_read_content(item.content, f"{where}.content"))
        case responses.Item(type=None | "message"):
            raise RequestError(f"{where!r} has no role that is known: {item.role!r}.", param=f"{where}.role")
        case _:
            raise _unsupported(f"{where}.type", item.type)


def _call_id(item: responses.Item, where: str) -> str:
    if item.call_id is None:
        raise RequestError(f"{where!r} has no 'call_id'.", param=f"{where}.call_id")
    return item.call_id


def _read_content(content: responses.Content, where: str) -> str | tuple[openai.Part, ...]:
    if content is None or isinstance(content, str):
        return content or ""
    parts = tuple(_read_part(part, f"{where}[{number}]") for number, part in enumerate(content))
    match parts:
        case (openai.TextPart(text=text),):
            return text
        case _:
            return parts


def _read_part(part: responses.Part, where: str) -> openai.Part:
    match part.type:
        case "input_text" | "output_text" | "text":
            return openai.TextPart(part.text)
        case "refusal":
            return openai.RefusalPart(part.refusal)
        case "input_image" if part.image_url is not None:
            return openai.ImagePart(openai.ImageUrl(part.image_url, part.detail))
        case "input_file" if part.file_url is not None or part.file_data is not None:
            return openai.FilePart(
                openai.FileData(part.filename, file_data=part.file_data, file_url=part.file_url)
            )
        case "input_image" | "input_file":
            raise UnsupportedFieldError(
                f"{where!r} names an uploaded file, which only its own provider can read; send its bytes.",
                param=f"{where}.file_id",
            )
        case _:
            raise _unsupported(f"{where}.type", part.type)


def _unsupported(param: str, kind: str | None) -> UnsupportedFieldError:
    return UnsupportedFieldError(
        f"{param!r} is {kind!r}, which cannot be carried to a model behind another API. Leave it out, or route this "
        "request to a model that OpenAI serves.",
        param=param,
    )
