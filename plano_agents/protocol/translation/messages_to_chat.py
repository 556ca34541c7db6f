"""An Anthropic answer as an OpenAI chat completion: whole, streamed, or an error.

Prompt tokens are the sum of Anthropic's three kinds (new, read from cache, written to cache), for OpenAI counts
cached tokens among them. A stop reason without a counterpart is passed on in Anthropic's own word, never as
``stop``.
"""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import anthropic_messages as anthropic
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol import sse
from plano_agents.protocol.openai_chat import FunctionCall, ToolCall

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Anthropic's stop reasons in OpenAI's words."""


def encode_completion(body: bytes, *, created: int) -> bytes:
    """Translate a whole answer.

    Args:
        body: Anthropic's message, JSON.
        created: Unix time in seconds, which Anthropic's form lacks.

    Returns:
        The chat completion, JSON; id and model are the upstream's own.

    Raises:
        UpstreamProtocolError: The body is not a message.
    """
    reply = anthropic.parse_reply(body)
    text = "".join(block.text for block in reply.content if block.type == "text")
    calls = tuple(
        ToolCall(block.id, FunctionCall(block.name, bytes(block.input).decode()))
        for block in reply.content
        if block.type == "tool_use"
    )
    choice = openai.Choice(
        index=0,
        message=openai.ReplyMessage(content=text or None, tool_calls=calls or UNSET),
        finish_reason=_finish_reason(reply.stop_reason),
    )
    return msgspec.json.encode(
        openai.Completion(reply.id, created, reply.model, (choice,), _encode_usage(reply.usage))
    )


def encode_upstream_error(body: bytes, status: int) -> bytes:
    """Put an error body into OpenAI's form.

    Args:
        body: What the upstream said; its words are kept where it is in Anthropic's form.
        status: The HTTP status it said it with, for the message where it is not.
    """
    error = anthropic.parse_error(body) or anthropic.ErrorBody(
        message=f"The provider answered {status} without an error in its own form."
    )
    return _encode_error(error)


def _encode_error(error: anthropic.ErrorBody) -> bytes:
    return msgspec.json.encode(
        {"error": {"message": error.message, "type": error.type, "param": None, "code": error.type}}
    )


def _finish_reason(stop_reason: str | None) -> str:
    if stop_reason is None:
        raise UpstreamProtocolError("The provider's answer has no stop reason.")
    return FINISH_REASONS.get(stop_reason, stop_reason)


def _encode_usage(usage: anthropic.Usage) -> openai.Usage:
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    prompt = (usage.input_tokens or 0) + read + written
    output = usage.output_tokens or 0
    details = usage.output_tokens_details
    return openai.Usage(
        prompt_tokens=prompt,
        completion_tokens=output,
        total_tokens=prompt + output,
        prompt_tokens_details=openai.PromptTokensDetails(read, written),
        completion_tokens_details=openai.CompletionTokensDetails(
            (details.thinking_tokens if details else None) or 0
        ),
    )


class ChatStreamEncoder:
    """Turns one Anthropic stream into one OpenAI stream; made anew for each answer.

    Args:
        created: Unix time in seconds, the same on every chunk.
        include_usage: Whether the client asked for the usage chunk.
    """

    def __init__(self, *, created: int, include_usage: bool) -> None:
        self._created = created
        self._include_usage = include_usage
        self._events = sse.EventDecoder()
        self._id = ""
        self._model = ""
        self._usage = anthropic.Usage()
        self._tools: dict[int, int] = {}
        self._unfilled: set[int] = set()
        self.finished = False
        """Whether the answer has ended, well or with the provider's own error event."""
        self.failed = False
        """Whether it ended with the provider's own error event."""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the Anthropic stream.

        Returns:
            The bytes of the OpenAI stream that they make; empty where they make none yet.

        Raises:
            UpstreamProtocolError: The bytes are no stream in Anthropic's form.
        """
        return b"".join(
            piece
            for event in self._events.feed(chunk)
            if not self.finished
            for piece in self._translate(anthropic.parse_event(event.data))
        )

    def close(self) -> None:
        """Check, at the end of the Anthropic stream, that the answer had ended.

        Raises:
            UpstreamProtocolError: It was cut.
        """
        if not self.finished:
            raise UpstreamProtocolError("The provider's stream ended before the answer did.")

    def _translate(self, event: anthropic.StreamEvent) -> Iterator[bytes]:
        match event.type:
            case "message_start" if event.message is not None:
                self._id, self._model = event.message.id, event.message.model
                self._usage = event.message.usage
                yield self._chunk(openai.Delta(role="assistant", content=""))
            case "content_block_start" if event.content_block is not None:
                yield from self._start_block(event.index, event.content_block)
            case "content_block_delta" if event.delta is not None:
                yield from self._add_to_block(event.index, event.delta)
            case "content_block_stop" if event.index in self._unfilled:
                yield self._arguments(event.index, "{}")
            case "message_delta":
                self._merge_usage(event.usage)
                if event.delta is not None and event.delta.stop_reason is not None:
                    yield self._chunk(openai.Delta(), _finish_reason(event.delta.stop_reason))
            case "message_stop":
                self.finished = True
                if self._include_usage:
                    yield self._encode((), _encode_usage(self._usage))
                yield sse.DONE
            case "error":
                self.finished = self.failed = True
                yield sse.encode_event(_encode_error(event.error or anthropic.ErrorBody()))
            case _:
                return

    def _start_block(self, index: int, block: anthropic.ReplyBlock) -> Iterator[bytes]:
        if block.type == "text" and block.text:
            yield self._chunk(openai.Delta(content=block.text))
        elif block.type == "tool_use":
            self._tools[index] = len(self._tools)
            self._unfilled.add(index)
            function = openai.FunctionDelta(name=block.name, arguments="")
            call = openai.ToolCallDelta(self._tools[index], block.id, "function", function)
            yield self._chunk(openai.Delta(tool_calls=(call,)))
            whole = bytes(block.input).decode()
            if whole.strip() not in {"{}", ""}:
                yield self._arguments(index, whole)

    def _add_to_block(self, index: int, delta: anthropic.StreamDelta) -> Iterator[bytes]:
        if delta.type == "text_delta":
            yield self._chunk(openai.Delta(content=delta.text))
        elif delta.type == "input_json_delta" and delta.partial_json and index in self._tools:
            yield self._arguments(index, delta.partial_json)

    def _arguments(self, index: int, text: str) -> bytes:
        self._unfilled.discard(index)
        function = openai.FunctionDelta(arguments=text)
        call = openai.ToolCallDelta(self._tools[index], function=function)
        return self._chunk(openai.Delta(tool_calls=(call,)))

    def _merge_usage(self, later: anthropic.Usage | None) -> None:
        """Let the counts that the later report names replace the earlier ones."""
        if later is not None:
            named = {
                name: value for name, value in msgspec.structs.asdict(later).items() if value is not None
            }
            self._usage = msgspec.structs.replace(self._usage, **named)

    def _chunk(self, delta: openai.Delta, finish_reason: str | None = None) -> bytes:
        return self._encode((openai.ChunkChoice(0, delta, finish_reason),), None)

    def _encode(self, choices: tuple[openai.ChunkChoice, ...], usage: openai.Usage | None) -> bytes:
        shown = usage if self._include_usage else UNSET
        return sse.encode_event(
            msgspec.json.encode(openai.Chunk(self._id, self._created, self._model, choices, shown))
        )
