"""The transcript of a responses request as the hub's messages.

- Neighbouring assistant items (reasoning, message, calls) become one assistant message; a call's output stands right
  after the calls, before what the user said in between.
- A reasoning item gives back the thinking blocks that were sealed into it; unsealed ones are another provider's, whose
  encryption nobody else reads, and are left out.
- Calls of custom tools, of a local shell and of the client's search of tools are calls of their functions.
- What OpenAI's own tools did (`LEFT_OUT`) is left out and reported: the answer's text says it. So is OpenAI's
  compaction, which nobody else can decrypt; one made here is read (`responses_compaction`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol import openai_responses_request as responses
from plano_agents.protocol.adjustment import Tell, dropped_within
from plano_agents.protocol.openai_responses import unseal_thinking
from plano_agents.protocol.thought_signature import unseal_call_id
from plano_agents.protocol.tool_names import ClientTool, ClientTools
from plano_agents.protocol.translation.client_calls import KINDS, read_arguments
from plano_agents.protocol.translation.responses_compaction import COMPACTED, list_kept
from plano_agents.protocol.translation.responses_tools_to_chat import list_client_tools, refuse_kind

LEFT_OUT = frozenset(
    {
        "code_interpreter_call",
        *COMPACTED,
        "file_search_call",
        "image_generation_call",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "web_search_call",
    }
)
"""Items about what OpenAI itself did."""

SETTINGS = frozenset({"additional_tools", "configuration_update"})
"""Items that are not words: the tools that are offered, and settings, are read apart."""

STORED_REASONING = "rs_"
"""How the ids of reasoning items begin, which nobody but OpenAI reads anyway."""


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


def read_messages(request: responses.ClientRequest, tools: ClientTools, tell: Tell) -> Iterable[openai.Message]:
    """Read a request's instructions and transcript.

    Args:
        request: The client's request.
        tools: Knows the functions that the client's tools are.
        tell: Called for what is left out.

    Raises:
        RequestError: An item is not in its form.
        UnsupportedFieldError: An item holds what only OpenAI's service can carry; ``param`` names it.
    """
    said: list[openai.Message] = []  # since the last calls or results; those that follow go before it
    if request.instructions:
        said.append(openai.SystemMessage(request.instructions))
    if isinstance(request.input, str):
        return (*said, openai.UserMessage(request.input))
    messages: list[openai.Message] = []
    pending: _Assistant | None = None
    for where, item in _list_carried(request.input, tell):
        if item.type == "reasoning" or item.type in KINDS or item.role == "assistant":
            pending = pending or _Assistant()
            _gather(pending, item, where, tools)
            continue
        if pending is not None:
            messages += (*said, pending.build())
            said, pending = [], None
        message = _read_item(item, where, tools)
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


def _gather(message: _Assistant, item: responses.Item, where: str, tools: ClientTools) -> None:
    if item.type == "reasoning":
        blocks = unseal_thinking(item.encrypted_content)
        if blocks is not None:
            message.blocks.extend(blocks)
            message.thoughts.extend(piece.text for piece in item.summary)
    elif item.type in KINDS:
        kind = KINDS[item.type]
        name = tools.send(ClientTool(kind, item.name or kind, item.namespace))
        call = openai.FunctionCall(name, read_arguments(item))
        call_id, extra_content = unseal_call_id(_call_id(item, where))
        message.calls.append(openai.ToolCall(call, call_id, extra_content=extra_content))
    else:
        content = _read_content(item.content, f"{where}.content")
        message.parts.extend((openai.TextPart(content),) if isinstance(content, str) else content)


def _read_item(item: responses.Item, where: str, tools: ClientTools) -> openai.Message:
    match item:
        case responses.Item(type="tool_search_output"):
            names = [tools.send(tool) for tool in list_client_tools(item.tools)]
            text = f"These tools can be called now: {', '.join(names)}" if names else "No tool was found."
            return openai.ToolMessage(unseal_call_id(_call_id(item, where))[0], text)
        case responses.Item(type="function_call_output", call_id=None) if item.name:
            # Codex tells the model its goal as the output of a call that nobody made.
            content = _read_content(item.output, f"{where}.output")
            parts = (openai.TextPart(content),) if isinstance(content, str) else content
            return openai.UserMessage((openai.TextPart(f"{item.name}:"), *parts))
        case responses.Item(type="function_call_output" | "custom_tool_call_output" | "local_shell_call_output"):
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
        case responses.Item(type="item_reference"):
            raise UnsupportedFieldError(
                f"{where!r} refers to an item that OpenAI stores, and nothing is stored for this model. Send the item "
                "itself; clients do so with 'store' false.",
                param=f"{where}.type",
            )
        case _:
            raise refuse_kind(f"{where}.type", item.type)


def _list_carried(items: tuple[responses.Item, ...], tell: Tell) -> Iterator[tuple[str, responses.Item]]:
    """List the items that are carried, with their paths."""
    for position, item in list_kept(items):
        if _is_left_out(item):
            tell(dropped_within("input", str(item.type), alters=True))
        elif item.type not in SETTINGS:
            yield f"input[{position}]", item


def _is_left_out(item: responses.Item) -> bool:
    """Check whether an item is about what OpenAI itself did, and says nothing to another model."""
    if item.type in {"tool_search_call", "tool_search_output"}:
        return item.call_id is None
    return item.type in LEFT_OUT or (item.type == "item_reference" and (item.id or "").startswith(STORED_REASONING))


def _call_id(item: responses.Item, where: str) -> str:
    call_id = item.call_id
    if call_id is None and str(item.type).startswith("local_shell_call"):
        call_id = item.id
    if call_id is None:
        raise RequestError(f"{where!r} has no 'call_id'.", param=f"{where}.call_id")
    return call_id


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
            return openai.FilePart(openai.FileData(part.filename, file_data=part.file_data, file_url=part.file_url))
        case "input_image" | "input_file":
            raise UnsupportedFieldError(
                f"{where!r} names an uploaded file, which only the provider that stores it can read; send its bytes.",
                param=f"{where}.file_id",
            )
        case _:
            raise refuse_kind(f"{where}.type", part.type)
