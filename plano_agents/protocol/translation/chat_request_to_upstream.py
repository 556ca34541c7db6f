"""A request of the hub as an OpenAI-compatible upstream takes it: OpenAI's chat wire without the hub's extensions.

- Anthropic's thinking blocks, and their text, are left out: a signature is only valid at its own provider. Reasoning
  without blocks was made by an OpenAI-compatible provider and goes back as ``reasoning_content``.
- Developer messages are sent as system messages, which every provider knows.
- A failed tool's result says so in words. Images and documents of tool results, which OpenAI takes from users only,
  follow their results in a user message.
- Allowed tools are the only ones offered.
- A streamed answer always reports its usage.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from plano_agents.errors import UnsupportedFieldError
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol.decoding import ABSENT

LimitField = Literal["max_tokens", "max_completion_tokens"]
"""How an upstream spells the limit: OpenAI's newest models take only the second, many others only the first."""

FAILED = "Error: "
"""What a failed tool's result begins with."""


def encode_chat_request(request: openai.ChatRequest, model_id: str, *, limit_field: LimitField = "max_tokens") -> bytes:
    """Write a request for an OpenAI-compatible upstream.

    Args:
        request: The hub's request.
        model_id: What the upstream calls the model.
        limit_field: How the upstream spells the limit of tokens.

    Raises:
        RequestError: A tool must be called, and none is offered.
        UnsupportedFieldError: It holds a document by address, which OpenAI's chat wire cannot say.
    """
    request = openai.resolve_tool_choice(request)
    limit = openai.find_limit(request)
    by_name = limit_field == "max_tokens"
    return msgspec.json.encode(
        msgspec.structs.replace(
            request,
            model=model_id,
            messages=tuple(_plain_messages(request.messages)),
            max_tokens=limit if by_name else None,
            max_completion_tokens=None if by_name else limit,
            stream_options=openai.StreamOptions(include_usage=True) if request.stream else None,
            tools=tuple(map(_unmark_tool, request.tools)) if request.tools else None,
            tool_choice=request.tool_choice if request.tools else None,
            parallel_tool_calls=request.parallel_tool_calls if request.tools else None,
            thinking=ABSENT,
            cache_control=ABSENT,
        )
    )


def _plain_messages(messages: tuple[openai.Message, ...]) -> Iterator[openai.Message]:
    shown: list[openai.Part] = []
    for message in messages:
        if not isinstance(message, openai.ToolMessage) and shown:
            yield openai.UserMessage(tuple(shown))
            shown = []
        match message:
            case openai.ToolMessage():
                text, media = _split_result(message)
                shown.extend(media)
                yield openai.ToolMessage(message.tool_call_id or "", text)
            case openai.DeveloperMessage(content=content) | openai.SystemMessage(content=content):
                yield openai.SystemMessage(_unmarked(content))
            case openai.UserMessage(content=content):
                _refuse_addresses(content)
                yield openai.UserMessage(_unmarked(content))
            case openai.AssistantMessage():
                yield _plain_assistant(message)
    if shown:
        yield openai.UserMessage(tuple(shown))


def _plain_assistant(message: openai.AssistantMessage) -> openai.AssistantMessage:
    content = message.content
    return openai.AssistantMessage(
        content="" if content is None and not message.tool_calls else _unmarked(content),
        tool_calls=message.tool_calls or None,
        refusal=message.refusal,
        reasoning_content=None if message.thinking_blocks else message.reasoning_content,
    )


def _split_result(message: openai.ToolMessage) -> tuple[str, list[openai.Part]]:
    """Part a result's text from what only a user may send."""
    mark = FAILED if message.is_error else ""
    if not isinstance(message.content, tuple):
        return mark + (message.content or ""), []
    _refuse_addresses(message.content)
    text = "\n".join(part.text for part in message.content if isinstance(part, openai.TextPart))
    parts = _unmark(message.content)
    media: list[openai.Part] = [part for part in parts if not isinstance(part, openai.TextPart)]
    if not media:
        return mark + text, []
    label = openai.TextPart(f"Shown by the tool call {message.tool_call_id or 'above'}:")
    return mark + (text or "The result follows in the next user message."), [label, *media]


def _unmarked(content: openai.Content) -> openai.Content:
    """Leave out marks for Anthropic's cache: other providers cache by themselves, and some refuse unknown fields."""
    return _unmark(content) if isinstance(content, tuple) else content


def _unmark(parts: tuple[openai.Part, ...]) -> tuple[openai.Part, ...]:
    return tuple(
        msgspec.structs.replace(part, cache_control=ABSENT)
        if isinstance(part, openai.CacheMarked) and part.cache_control is not ABSENT
        else part
        for part in parts
    )


def _unmark_tool(tool: openai.Tool) -> openai.Tool:
    function = tool.function
    if tool.cache_control is ABSENT and function.cache_control is ABSENT:
        return tool
    return openai.Tool(msgspec.structs.replace(function, cache_control=ABSENT))


def _refuse_addresses(content: openai.Content) -> None:
    for part in content if isinstance(content, tuple) else ():
        if isinstance(part, openai.FilePart) and part.file.file_url is not None:
            raise UnsupportedFieldError(
                "A document by address ('url' or 'file_url') cannot be carried to an OpenAI-compatible model. Send its "
                "bytes.",
                param="file_url",
            )
