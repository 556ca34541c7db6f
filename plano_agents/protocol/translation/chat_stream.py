"""OpenAI chat streams: read into the hub's chunks, and written from them."""

from collections.abc import Callable, Iterator

import msgspec
from msgspec import UNSET

from plano_agents.errors import PlanoError, UpstreamProtocolError
from plano_agents.protocol import openai_chat, sse
from plano_agents.protocol.decoding import ABSENT
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.openai_completion import (
    Chunk,
    ChunkChoice,
    ToolCallDelta,
    parse_chunk,
    read_finish_reason,
)
from plano_agents.protocol.provider_error import read_provider_error
from plano_agents.protocol.tool_names import ClientTools
from plano_agents.protocol.translation.calls import CallIds, CallStream
from plano_agents.protocol.translation.chat_custom_tools import CustomCalls

_DONE = b"[DONE]"


class ChatStreamReader:
    """Reads one stream of an OpenAI-compatible provider; made anew for each answer.

    Args:
        ids: Gives the answer's calls their ids.
    """

    def __init__(self, ids: CallIds | None = None) -> None:
        self._events = sse.EventDecoder()
        self._ids = ids or CallIds()
        self._calls: dict[int, CallStream] = {}
        self._has_unnamed_end = False
        self.finished = False
        """See `stream.Reader`."""
        self.answered = False
        """See `stream.Reader`."""

    def feed(self, data: bytes) -> Iterator[Chunk | ErrorDetail]:
        """See `stream.Reader`."""
        for event in self._events.feed(data):
            if event.data == _DONE:
                if not self.answered:
                    yield self._end()
                self.finished = True
                return
            chunk = self._parse(event.data)
            if isinstance(chunk, ErrorDetail):
                self.finished = True
                yield chunk
                return
            choices = tuple(map(self._read_choice, chunk.choices))
            self.answered = self.answered or any(choice.finish_reason for choice in choices)
            yield chunk if choices == chunk.choices else msgspec.structs.replace(chunk, choices=choices)

    def _end(self) -> Chunk:
        """Name the end of an answer that has come to one with an empty reason."""
        if not self._has_unnamed_end:
            raise UpstreamProtocolError("The provider's stream ended without a finish reason.")
        reason = read_finish_reason("", calls=bool(self._calls))
        return Chunk(choices=(ChunkChoice(finish_reason=reason),))

    def _parse(self, data: bytes) -> Chunk | ErrorDetail:
        """Read an event: a chunk, or an error in any form."""
        try:
            chunk = parse_chunk(data)
        except UpstreamProtocolError:
            error = read_provider_error(data)
            if error is None:
                raise
            return error
        if chunk.choices and (chunk.error is UNSET or chunk.error == ABSENT):
            return chunk
        return read_provider_error(data) or chunk

    def _read_choice(self, choice: ChunkChoice) -> ChunkChoice:
        """Put the choice's calls in order, and its finish reason into OpenAI's words."""
        if choice.message:
            choice = msgspec.structs.replace(choice, delta=choice.message, message=UNSET)
        if choice.delta.function_call:
            old = ToolCallDelta(function=choice.delta.function_call)
            delta = msgspec.structs.replace(choice.delta, tool_calls=(old,), function_call=UNSET)
            choice = msgspec.structs.replace(choice, delta=delta)
        calls = self._calls.get(choice.index)
        pieces = choice.delta.tool_calls
        if pieces:
            if calls is None:
                calls = self._calls[choice.index] = CallStream(self._ids)
            delta = msgspec.structs.replace(choice.delta, tool_calls=tuple(calls.feed(pieces)) or UNSET)
            choice = msgspec.structs.replace(choice, delta=delta)
        native = choice.finish_reason
        if not native:
            self._has_unnamed_end = self._has_unnamed_end or native == ""
            return choice
        if calls is not None:
            calls.check()
        reason = read_finish_reason(native, calls=calls is not None)
        if reason == native:
            return choice
        return msgspec.structs.replace(choice, finish_reason=reason, native_finish_reason=native)


class ChatStreamWriter:
    """Writes one OpenAI stream; made anew for each answer.

    Args:
        include_usage: Whether the client asked for the usage chunk.
        tools: Knows which of the client's tools the functions are; all are plain functions where None.
    """

    def __init__(self, *, include_usage: bool, tools: ClientTools | None = None) -> None:
        self._include_usage = include_usage
        self._encode: Callable[[Chunk], bytes] = msgspec.json.encode
        if tools is not None and tools.has_own:
            self._encode = CustomCalls(tools).write

    def write(self, chunk: Chunk) -> bytes:
        """See `stream.Writer`."""
        if self._include_usage:
            shown = msgspec.structs.replace(chunk, usage=None) if chunk.usage is UNSET else chunk
        elif chunk.choices:
            shown = chunk
        else:
            return b""
        return sse.encode_event(self._encode(shown))

    def finish(self) -> bytes:
        """See `stream.Writer`."""
        return sse.DONE

    def fail(self, error: ErrorDetail) -> bytes:
        """See `stream.Writer`."""
        return sse.encode_event(openai_chat.encode_error_detail(error))

    def break_off(self, error: PlanoError) -> bytes:
        """See `stream.Writer`."""
        return openai_chat.encode_error_event(error)
