"""Events that differ in their text alone are written, without being read, as those that are read."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import anthropic_reply, openai_completion, sse
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.openai_completion import Chunk
from plano_agents.protocol.translation.calls import CallIds
from plano_agents.protocol.translation.chat_stream import ChatStreamReader, ChatStreamWriter
from plano_agents.protocol.translation.chat_stream_to_messages import MessagesStreamWriter
from plano_agents.protocol.translation.messages_stream_to_chat import MessagesStreamReader
from plano_agents.protocol.translation.repeat import ReadText
from plano_agents.protocol.translation.stream import Reader, StreamTranslator, Writer

START = {"id": "msg_1", "model": "claude", "usage": {"input_tokens": 3}}
Events = Sequence[tuple[str, str]]
"""Kinds of pieces, and the text of each."""
TEXTS = ["word", " a", "c1", "text", "text_delta", 'say "hi"\n', "\\n", "é", "日本", "\x7f", "\x01", "", "gpt", "null"]
KINDS = ["text", "text", "text", "text", "thinking", "call", "block", "more", "other id"]


def write_messages(kind: str, text: str) -> dict[str, object]:
    """A piece as Anthropic streams it."""
    delta = {
        "text": {"type": "text_delta", "text": text},
        "more": {"type": "text_delta", "text": text, "thinking": text},
        "other id": {"type": "text_delta", "text": text},
        "thinking": {"type": "thinking_delta", "thinking": text},
        "call": {"type": "input_json_delta", "partial_json": text},
    }
    if kind == "block":
        return {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": text}}
    return {"type": "content_block_delta", "index": int(kind == "other id"), "delta": delta[kind]}


def write_chat(kind: str, text: str) -> dict[str, object]:
    """A piece as OpenAI streams it."""
    delta: dict[str, dict[str, object]] = {
        "thinking": {"reasoning_content": text},
        "call": {"tool_calls": [{"index": 0, "id": "t1", "function": {"name": "f", "arguments": text}}]},
        "block": {"role": "assistant", "content": text},
        "more": {"content": text, "reasoning_content": text},
    }
    model = "other" if kind == "other id" else "gpt"
    choice = {"index": 0, "delta": delta.get(kind, {"content": text}), "finish_reason": None}
    return {"id": "c1", "model": model, "choices": [choice]}


WIRES: dict[
    str,
    tuple[Callable[[str, str], dict[str, object]], Callable[[], Reader], Callable[[], Writer], ReadText],
] = {
    "messages to chat": (
        write_messages,
        lambda: MessagesStreamReader(CallIds(), created=1),
        lambda: ChatStreamWriter(include_usage=True),
        anthropic_reply.read_text,
    ),
    "chat to messages": (write_chat, ChatStreamReader, MessagesStreamWriter, openai_completion.read_text),
    "chat to chat": (
        write_chat,
        ChatStreamReader,
        lambda: ChatStreamWriter(include_usage=False),
        openai_completion.read_text,
    ),
}


def translate(wire: str, pieces: Sequence[bytes], read_text: ReadText | None) -> list[bytes | str]:
    """Write a stream piece by piece, as far as it can be read."""
    _, build_reader, build_writer, _ = WIRES[wire]
    translator, written = StreamTranslator(build_reader(), build_writer(), read_text), []
    for piece in pieces:
        try:
            written.append(translator.feed(piece))
        except UpstreamProtocolError as error:
            return [*written, str(error)]
    return [*written, translator.finish()]


def encode(wire: str, events: Events, *, is_ascii: bool = False) -> bytes:
    start = sse.encode_event(json.dumps({"type": "message_start", "message": START}).encode())
    told = [json.dumps(WIRES[wire][0](*each), ensure_ascii=is_ascii).encode() for each in events]
    return (start if wire.startswith("messages") else b"") + b"".join(map(sse.encode_event, told))


@pytest.mark.parametrize("wire", WIRES)
@given(
    events=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(TEXTS)), max_size=12),
    is_ascii=st.booleans(),
    cuts=st.lists(st.integers(0, 2000), max_size=6),
    broken=st.sampled_from(
        [(b"", b""), (b"word", b"w\xffrd"), (b"word", b"w\\u0020"), (b"word", b'"w'), (b"data", b"\r\ndata")]
    ),
)
def test_what_is_repeated_is_written_as_what_is_read(
    wire: str,
    events: Events,
    is_ascii: bool,  # noqa: FBT001 - drawn
    cuts: list[int],
    broken: tuple[bytes, bytes],
) -> None:
    stream = encode(wire, events, is_ascii=is_ascii)
    last = stream.rfind(broken[0])
    stream = stream[:last] + stream[last:].replace(*broken) if broken[0] else stream
    whole = [*(event + b"\n\n" for event in stream.split(b"\n\n")[:-1])]
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    sliced = [stream[start:end] for start, end in pairwise(places) if end > start]
    for pieces in (whole, sliced):
        assert translate(wire, pieces, WIRES[wire][3]) == translate(wire, pieces, None)


@pytest.mark.parametrize("wire", WIRES)
def test_an_event_that_begins_and_ends_as_text_does_and_says_more_is_not_taken_for_text(wire: str) -> None:
    events = [(kind, "word") for kind in ("text", "text", "text", "more", "text")]
    whole = [event + b"\n\n" for event in encode(wire, events).split(b"\n\n")[:-1]]
    assert translate(wire, whole, WIRES[wire][3]) == translate(wire, whole, None)


@pytest.mark.parametrize("wire", WIRES)
def test_text_after_text_is_not_read(wire: str) -> None:
    """All but the first three events, of which two are learnt from."""
    read: list[bytes] = []

    class Seen:
        def __init__(self) -> None:
            self._reader = WIRES[wire][1]()

        finished = answered = False

        def feed(self, data: bytes) -> Iterator[Chunk | ErrorDetail]:
            read.append(data)
            return self._reader.feed(data)

    translator = StreamTranslator(Seen(), WIRES[wire][2](), WIRES[wire][3])
    stream = encode(wire, [("text", f"word {number} \n") for number in range(20)])
    assert translator.feed(stream).count(b"word") == 20
    assert len(read) <= 4
