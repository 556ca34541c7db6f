"""One request's translation, there and back: a client's surface in front of an upstream of another wire.

The request is read into the hub once and written for the upstream; what the answer needs of it is kept. Where surface
and upstream speak the same form, the request passes as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import anthropic_reply, openai_completion
from plano_agents.protocol import openai_chat_request as hub
from plano_agents.protocol import openai_responses_request as responses
from plano_agents.protocol.adjustment import Adjustment, Tell
from plano_agents.protocol.decoding import ABSENT, split_fields
from plano_agents.protocol.first_look import looks_like_events
from plano_agents.protocol.form import Form
from plano_agents.protocol.openai_chat import ErrorDetail, encode_error_detail
from plano_agents.protocol.openai_completion import Chunk, Completion
from plano_agents.protocol.openai_response import Response
from plano_agents.protocol.provider_error import CONTEXT_CODE, TOO_LONG, is_too_long, read_any_error
from plano_agents.protocol.signature_mark import mark_message
from plano_agents.protocol.tool_names import ClientTools
from plano_agents.protocol.translation import (
    chat_reply_to_messages,
    messages_reply_to_chat,
    responses_reply_to_chat,
)
from plano_agents.protocol.translation.calls import CallIds
from plano_agents.protocol.translation.chat_custom_tools import write_completion
from plano_agents.protocol.translation.chat_reply import read_completion
from plano_agents.protocol.translation.chat_reply_to_responses import build_frame, encode_response
from plano_agents.protocol.translation.chat_request_to_messages import (
    build_messages_request,
    parse_chat_request,
)
from plano_agents.protocol.translation.chat_request_to_responses import (
    SHARED,
    TARGET,
    build_responses_request,
)
from plano_agents.protocol.translation.chat_request_to_upstream import LimitField, encode_chat_request
from plano_agents.protocol.translation.chat_stream import ChatStreamReader, ChatStreamWriter
from plano_agents.protocol.translation.chat_stream_to_messages import MessagesStreamWriter
from plano_agents.protocol.translation.chat_stream_to_responses import ResponsesStreamWriter
from plano_agents.protocol.translation.messages_request_to_chat import parse_messages_request
from plano_agents.protocol.translation.messages_stream_to_chat import MessagesStreamReader
from plano_agents.protocol.translation.responses_compaction import (
    CompactionStreamWriter,
    asks_for_compaction,
    encode_compaction,
)
from plano_agents.protocol.translation.responses_request_to_chat import (
    check_fields,
    read_responses_request,
)
from plano_agents.protocol.translation.responses_stream_to_chat import ResponsesStreamReader
from plano_agents.protocol.translation.stream import Reader, StreamTranslator, Writer
from plano_agents.protocol.translation.whole import join_chunks, split_completion

_TEXT_READERS = {Form.OPENAI_CHAT: openai_completion.read_text, Form.ANTHROPIC_MESSAGES: anthropic_reply.read_text}


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated request, and how its answer is translated back."""

    surface: Form
    """What the client speaks."""
    upstream: Form
    """What the upstream speaks."""
    request_body: bytes = field(repr=False)
    """The request in the upstream's form."""
    _created: int
    """Unix time in seconds."""
    _include_usage: bool
    """True if a chat client asked for the usage chunk."""
    _frame: Response | None = field(repr=False)
    """What a response repeats of its request; None on other surfaces."""
    _called: frozenset[str] = field(repr=False)
    """The ids of the calls that stand in the request."""
    adjustments: tuple[Adjustment, ...] = ()
    """What was left out of the request, or said otherwise, on the way to the other wire."""
    _tools: ClientTools = field(default_factory=ClientTools, repr=False)
    """Which of the client's tools the functions are."""
    _compacts: bool = False
    """True if the answer is a summary that a compaction item seals."""
    _signature_mark: str = ""
    """What the upstream's signatures of thinking are marked with."""

    def encode_reply(self, body: bytes) -> bytes:
        """Translate a whole answer into the client's form.

        Raises:
            UpstreamProtocolError: It is not an answer in the upstream's form.
        """
        return self._encode_completion(self._parse_reply(body))

    def _encode_completion(self, completion: Completion) -> bytes:
        if self.surface is Form.ANTHROPIC_MESSAGES:
            return chat_reply_to_messages.encode_message(completion)
        if self._frame is not None and self._compacts:
            return encode_compaction(completion, self._frame)
        if self._frame is not None:
            return encode_response(completion, self._frame, self._tools)
        return write_completion(completion, self._tools)

    def convert(self, body: bytes, *, streams: bool) -> bytes:
        """Translate a whole answer of the upstream, JSON or all events of a stream, into what the client asked for.

        Args:
            body: All of it.
            streams: Whether the client asked for a stream.

        Raises:
            UpstreamProtocolError: It is not an answer in the upstream's form, or it was cut.
        """
        if not looks_like_events(body):
            return self._write_stream(body) if streams else self.encode_reply(body)
        if not streams:
            return self._encode_completion(join_chunks(self._read_chunks(body)))
        stream = self.build_stream()
        written = stream.feed(body) + stream.finish()
        stream.close()
        return written

    def encode_error(self, body: bytes, status: int) -> bytes:
        """Translate an error body into the client's form.

        Args:
            body: What the upstream said.
            status: The HTTP status it said it with.
        """
        error = read_any_error(body, status)
        if error.code is None and self.upstream is Form.ANTHROPIC_MESSAGES:
            error = msgspec.structs.replace(error, code=error.type)  # Anthropic has types alone
        return _encode_error(error, status, self.surface)

    def build_stream(self) -> StreamTranslator:
        """Build the translator of one streamed answer."""
        # A response's last event repeats its text, and its events are numbered.
        is_remembered = self.surface is Form.OPENAI_RESPONSES
        read_text = None if is_remembered else _TEXT_READERS.get(self.upstream)
        return StreamTranslator(self._build_reader(), self._build_writer(), read_text)

    def _write_stream(self, body: bytes) -> bytes:
        writer = self._build_writer()
        return b"".join([*map(writer.write, split_completion(self._parse_reply(body))), writer.finish()])

    def _read_chunks(self, body: bytes) -> list[Chunk]:
        reader = self._build_reader()
        chunks: list[Chunk] = []
        for item in reader.feed(body):
            if isinstance(item, ErrorDetail):
                raise UpstreamProtocolError(f"The provider's stream failed: {item.message}")
            chunks.append(item)
        if not (reader.finished or reader.answered):
            raise UpstreamProtocolError("The provider's stream ended before the answer did.")
        return chunks

    def _parse_reply(self, body: bytes) -> Completion:
        ids, mark = self._build_ids(), self._signature_mark
        match self.upstream:
            case Form.OPENAI_CHAT:
                return read_completion(body, ids)
            case Form.ANTHROPIC_MESSAGES:
                return messages_reply_to_chat.parse_completion(mark_message(body, mark), ids, created=self._created)
            case Form.OPENAI_RESPONSES:
                return responses_reply_to_chat.parse_completion(body, ids, signature_mark=mark)

    def _build_reader(self) -> Reader:
        ids, mark = self._build_ids(), self._signature_mark
        match self.upstream:
            case Form.OPENAI_CHAT:
                return ChatStreamReader(ids)
            case Form.ANTHROPIC_MESSAGES:
                return MessagesStreamReader(ids, created=self._created, signature_mark=mark)
            case Form.OPENAI_RESPONSES:
                return ResponsesStreamReader(ids, signature_mark=mark)

    def _build_ids(self) -> CallIds:
        return CallIds(self.request_body, self._called)

    def _build_writer(self) -> Writer:
        if self.surface is Form.ANTHROPIC_MESSAGES:
            return MessagesStreamWriter()
        if self._frame is not None and self._compacts:
            return CompactionStreamWriter(self._frame)
        if self._frame is not None:
            return ResponsesStreamWriter(self._frame, self._tools)
        return ChatStreamWriter(include_usage=self._include_usage, tools=self._tools)


def say_too_long(body: bytes, status: int, surface: Form) -> bytes:
    """Say that a request is too long in the words that the surface's clients act on.

    Args:
        body: The error of a provider that speaks the client's wire.
        status: The HTTP status it said it with.
        surface: What the client speaks.

    Returns:
        The same where it says so in these words, or says something else.
    """
    error = read_any_error(body, status)
    is_said = TOO_LONG in error.message if surface is Form.ANTHROPIC_MESSAGES else error.code == CONTEXT_CODE
    return body if is_said or not is_too_long(error) else _encode_error(error, status, surface)


def _encode_error(error: ErrorDetail, status: int, surface: Form) -> bytes:
    if surface is Form.ANTHROPIC_MESSAGES:
        return chat_reply_to_messages.encode_upstream_error(error, status)
    code = CONTEXT_CODE if is_too_long(error) else error.code
    return encode_error_detail(msgspec.structs.replace(error, code=code))


def build_mirror(form: Form, body: bytes, *, created: int) -> Translation:
    """Build a translation whose upstream speaks the client's own form, chat or messages: an answer is converted alone.

    Args:
        form: What both speak.
        body: The client's request, JSON.
        created: Unix time in seconds, for the answer.
    """
    options = hub.read_stream_options(body)
    return Translation(form, form, body, created, bool(options and options.include_usage), None, frozenset())


def translate_request(
    surface: Form,
    upstream: Form,
    body: bytes,
    model_id: str,
    *,
    created: int,
    limit_field: LimitField = "max_tokens",
    signature_mark: str = "",
) -> Translation:
    """Translate a request.

    Args:
        surface: What the client speaks.
        upstream: What the upstream speaks; the client's own form only for a compaction of responses.
        body: The client's request, JSON.
        model_id: What the upstream calls the model.
        created: Unix time in seconds, for the answer.
        limit_field: How an OpenAI-compatible upstream spells the limit of tokens.
        signature_mark: What the upstream's signatures of thinking are marked with; see `signature_mark`.

    Raises:
        RequestError: The body is not a valid request of its surface.
        UnsupportedFieldError: A field cannot be carried; ``param`` names it.
    """
    assert surface is not upstream or surface is Form.OPENAI_RESPONSES, "passed through, not translated"  # noqa: S101 - a bug
    frame: Response | None = None
    told: list[Adjustment] = []
    tools = ClientTools()
    compacts = False
    shared: dict[str, msgspec.Raw] = {}
    match surface:
        case Form.OPENAI_CHAT if upstream is Form.OPENAI_RESPONSES:
            request = parse_chat_request(body, told.append, tools, carried=SHARED, target=TARGET)
            shared = {name: raw for name, raw in split_fields(body).items() if name in SHARED and raw != ABSENT}
        case Form.OPENAI_CHAT:
            request = parse_chat_request(body, told.append, tools)
        case Form.ANTHROPIC_MESSAGES:
            request = parse_messages_request(body, told.append)
        case Form.OPENAI_RESPONSES:
            fields = check_fields(body, told.append)
            read = responses.parse_request(body)
            compacts = asks_for_compaction(fields)
            frame = build_frame(fields, read, created=created)
            request = read_responses_request(read, tools, told.append, fields=fields)
    return Translation(
        surface,
        upstream,
        _encode_request(request, upstream, model_id, limit_field=limit_field, tell=told.append, shared=shared),
        created,
        hub.wants_usage(request),
        frame,
        hub.list_call_ids(request),
        tuple(told),
        tools,
        compacts,
        signature_mark,
    )


def _encode_request(
    request: hub.ChatRequest,
    upstream: Form,
    model_id: str,
    *,
    limit_field: LimitField,
    tell: Tell,
    shared: Mapping[str, msgspec.Raw],
) -> bytes:
    match upstream:
        case Form.OPENAI_CHAT:
            return encode_chat_request(request, model_id, limit_field=limit_field)
        case Form.ANTHROPIC_MESSAGES:
            return msgspec.json.encode(build_messages_request(request, model_id, tell))
        case Form.OPENAI_RESPONSES:
            return msgspec.json.encode({**build_responses_request(request, model_id, tell), **shared})
