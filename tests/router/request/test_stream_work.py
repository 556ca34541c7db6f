"""The work that a provider's stream makes, over every decoder: linear in its bytes, and refused beyond the limits.

Work is counted, not timed: the lines of our code that run, and the bytes that each feed allocates, which is what a
buffer costs that is put together anew for each piece.
"""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.form import Form
from plano_agents.protocol.openai_responses_request import parse_request
from plano_agents.protocol.translation.calls import CallIds
from plano_agents.protocol.translation.chat_reply_to_responses import build_frame
from plano_agents.protocol.translation.chat_stream import ChatStreamReader, ChatStreamWriter
from plano_agents.protocol.translation.chat_stream_to_messages import MessagesStreamWriter
from plano_agents.protocol.translation.chat_stream_to_responses import ResponsesStreamWriter
from plano_agents.protocol.translation.messages_stream_to_chat import MessagesStreamReader
from plano_agents.protocol.translation.stream import Reader, StreamTranslator, Writer
from plano_agents.protocol.usage import UsageMeter
from plano_agents.router.request.stream_encoders import SameStream
from plano_agents.router.request.surfaces import SURFACES, Surface
from tests.work import count_lines, keep_others_out

REQUEST = b'{"model":"m","input":"x"}'

Feed = Callable[[bytes], object]


def build_responses_writer() -> ResponsesStreamWriter:
    return ResponsesStreamWriter(build_frame(split_fields(REQUEST), parse_request(REQUEST), created=0))


READERS: dict[Form, Callable[[], Reader]] = {
    Form.OPENAI_CHAT: ChatStreamReader,
    Form.ANTHROPIC_MESSAGES: lambda: MessagesStreamReader(CallIds(), created=0),
}
WRITERS: dict[Form, Callable[[], Writer]] = {
    Form.OPENAI_CHAT: lambda: ChatStreamWriter(include_usage=True),
    Form.ANTHROPIC_MESSAGES: MessagesStreamWriter,
    Form.OPENAI_RESPONSES: build_responses_writer,
}


def build_translator(upstream: Form, surface: Form) -> Feed:
    return StreamTranslator(READERS[upstream](), WRITERS[surface]()).feed


def build_same(surface: Surface) -> Feed:
    return SameStream(surface.end_mark, surface.encode_error_event).feed


TRANSLATED: dict[str, Callable[[], Feed]] = {
    f"{upstream.value} to {surface.value}": partial(build_translator, upstream, surface)
    for upstream in READERS
    for surface in WRITERS
}
DECODERS: dict[str, Callable[[], Feed]] = {
    "events": lambda: sse.EventDecoder().feed,
    **{f"{surface.form.value} as it is": partial(build_same, surface) for surface in SURFACES},
    **TRANSLATED,
    "usage": lambda: UsageMeter().note,
}


def write_chat(delta: dict[str, object]) -> bytes:
    return sse.encode_event(json.dumps({"id": "a", "model": "m", "choices": [{"index": 0, "delta": delta}]}).encode())


def write_messages(delta: dict[str, object]) -> bytes:
    return sse.encode_event(json.dumps({"type": "content_block_delta", "index": 0, "delta": delta}).encode())


CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "x"}}
EVENTS: dict[str, bytes] = {
    "a chat's text": write_chat({"content": "word"}),
    "a chat's call": write_chat({"tool_calls": [CALL]}),
    "a chat's thoughts": write_chat({"reasoning_content": "word"}),
    "a message's text": write_messages({"type": "text_delta", "text": "word"}),
    "a message's thoughts": sse.encode_event(
        b'{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"x"}}'
    )
    + write_messages({"type": "thinking_delta", "thinking": "word"}),
}
PIECES: dict[str, bytes] = {
    "empty data lines": b"data:\n",
    "data lines": b"data: x\n",
    "comments": b": waiting\n",
    "names": b"event: x\n",
    "carriage returns": b"data: x\r",
    "both line ends": b"data: x\r\n",
    "one long line": b"x",
    "blank lines": b"\n",
    **EVENTS,
}


def count_work(feed: Feed, stream: bytes, size: int) -> int:
    """Count the lines run and the bytes allocated while a stream comes in slices of a size."""
    allocated = 0

    def feed_all() -> None:
        nonlocal allocated
        for start in range(0, len(stream), size):
            tracemalloc.reset_peak()
            current = tracemalloc.get_traced_memory()[0]
            feed(stream[start : start + size])
            allocated += tracemalloc.get_traced_memory()[1] - current

    tracemalloc.start()
    try:
        with keep_others_out():
            return 100 * count_lines(feed_all) + allocated
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [7, 100])
@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("name", DECODERS)
def test_twice_the_stream_is_at_most_twice_the_work(name: str, piece: str, size: int) -> None:
    once = PIECES[piece] * (size * 50 // len(PIECES[piece]))
    try:
        work, twice = (count_work(DECODERS[name](), once * times, size) for times in (4, 8))
    except UpstreamProtocolError:
        return  # these bytes are not a stream of that wire, and the first event of them is refused
    assert twice <= 2.2 * work


def feed_on(feed: Feed, piece: bytes, most: int) -> Iterator[int]:
    """Feed the same piece again and again; give the bytes fed so far."""
    for number in range(most // len(piece) + 2):
        feed(piece)
        yield number * len(piece)


@pytest.mark.parametrize("line", [b"data:\n", b": waiting\n", b"event: x\n", b"data: x\r\n", b"id\r"], ids=repr)
@pytest.mark.parametrize("name", ["events", *TRANSLATED])
def test_an_event_of_lines_without_end_is_refused(name: str, line: bytes) -> None:
    """A blank line never comes, so the event holds every line; those without data count too."""
    fed = feed_on(DECODERS[name](), line * 1_000, 2 * sse.MAX_EVENT_LINES * len(line))
    with pytest.raises(UpstreamProtocolError, match=f"over {sse.MAX_EVENT_LINES} lines"):
        list(fed)


@pytest.mark.parametrize("piece", [b"x" * 65_536, (b": " + b"x" * 65_533 + b"\n")], ids=["line", "comments"])
@pytest.mark.parametrize("name", [name for name in DECODERS if name != "usage"])
def test_an_event_of_bytes_without_end_is_refused(name: str, piece: bytes) -> None:
    fed = feed_on(DECODERS[name](), piece, 2 * sse.MAX_EVENT_BYTES)
    with pytest.raises(UpstreamProtocolError, match=f"over {sse.MAX_EVENT_BYTES} bytes"):
        list(fed)


def test_an_event_just_below_the_limit_is_read() -> None:
    data = b"x" * (sse.MAX_EVENT_BYTES - len(b"data: \n\n"))
    decoder = sse.EventDecoder()
    (event,) = decoder.feed(b"data: " + data + b"\n\n")
    assert event.data == data


def test_the_limit_is_each_events_own() -> None:
    decoder = sse.EventDecoder()
    for _ in range(3):
        decoder.feed(b"data: x\n" * (sse.MAX_EVENT_LINES - 1) + b"\n")


def test_the_usage_of_a_stream_with_too_large_an_event_is_not_known() -> None:
    meter = UsageMeter()
    meter.note(b'data: {"usage":{"prompt_tokens":1}}\n' * (sse.MAX_EVENT_LINES + 1) + b"\n")
    assert not any(meter.read())
