"""Hostile input: the result is bytes, or an error that names the sender's fault, never a crash.

``samples.json`` holds a good request, reply and stream of each wire, rich in fields. They are hurt byte by byte, and
value by value.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plano_agents.errors import RequestError, UpstreamProtocolError
from plano_agents.protocol import anthropic_messages, openai_chat, openai_responses
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.translation import Translation, translate_request
from plano_agents.providers.fit import Fitting, Rules

KeyPath = tuple[str | int, ...]
Oddity = tuple[float, bytes]

SAMPLES = json.loads((Path(__file__).parent / "samples.json").read_text())
REQUESTS = {Form(name): sample for name, sample in SAMPLES["requests"].items()}
REPLIES = {Form(name): sample for name, sample in SAMPLES["replies"].items()}
STREAMS = {Form(name): sample for name, sample in SAMPLES["streams"].items()}
PAIRS = [
    (Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES),
    (Form.ANTHROPIC_MESSAGES, Form.OPENAI_CHAT),
    (Form.OPENAI_RESPONSES, Form.OPENAI_CHAT),
    (Form.OPENAI_RESPONSES, Form.ANTHROPIC_MESSAGES),
    (Form.OPENAI_CHAT, Form.OPENAI_RESPONSES),
    (Form.ANTHROPIC_MESSAGES, Form.OPENAI_RESPONSES),
]
SURFACES = {
    Form.OPENAI_CHAT: openai_chat,
    Form.ANTHROPIC_MESSAGES: anthropic_messages,
    Form.OPENAI_RESPONSES: openai_responses,
}
UNREADABLE = [
    b"1e999",
    b"9" * 5_000,
    b"",
    b"NaN",
    b'"\xff"',
    rb'"\ud800"',
    rb'"\udc00\ud800"',
    b'{"\xff":1}',
    b"[" * 3_000 + b"]" * 3_000,
    b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
]
ODD = [
    *UNREADABLE,
    b"9" * 25,
    b"-1",
    b"0",
    b"1.5",
    b"true",
    b"null",
    b'""',
    b'"x"',
    b"[]",
    b"[null]",
    b"{}",
    b'{"type":"x"}',
]
DAMAGE = st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=4) | st.sampled_from([b"\xff", b"null"]))
ODDITIES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(ODD)), max_size=3)


def damage(body: bytes, where: float, size: int, put: bytes) -> bytes:
    start = int(where * len(body))
    return body[:start] + put + body[start + size :]


def list_places(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every place of a value, and in each mapping one that is new."""
    if path:
        yield path
    if isinstance(value, dict):
        yield (*path, "unknown")
        for key, inner in value.items():
            yield from list_places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from list_places(inner, (*path, index))


def put(value: object, path: KeyPath, marker: str) -> object:
    """A copy with a marker in one place; unchanged where another marker has taken it away."""
    if not path:
        return marker
    step, *rest = path
    if isinstance(value, dict):
        return {**value, step: put(value.get(step), tuple(rest), marker)}
    if isinstance(value, list) and isinstance(step, int):
        return [*value[:step], put(value[step], tuple(rest), marker), *value[step + 1 :]]
    return value


def write(value: object, *hurt: tuple[KeyPath, bytes]) -> bytes:
    """JSON with odd values in some places."""
    for number, (path, _) in enumerate(hurt):
        value = put(value, path, f"<odd {number}>")
    body = json.dumps(value).encode()
    for number, (_, odd) in enumerate(hurt):
        body = body.replace(f'"<odd {number}>"'.encode(), odd)
    return body


def place(value: object, oddities: list[Oddity]) -> list[tuple[KeyPath, bytes]]:
    places = list(list_places(value))
    return [(places[int(where * len(places))], odd) for where, odd in oddities]


def ask(surface: Form, upstream: Form, body: bytes) -> Translation:
    return translate_request(surface, upstream, body, "m", created=7)


def ask_well(surface: Form, upstream: Form) -> Translation:
    return ask(surface, upstream, write(REQUESTS[surface]))


def reply(translation: Translation, body: bytes) -> None:
    """Translate a reply; what comes of it is JSON."""
    msgspec.json.decode(translation.encode_reply(body).decode(), type=msgspec.Raw)


def stream(translation: Translation, *events: bytes) -> None:
    """Translate a stream to its end."""
    translator = translation.build_stream()
    for event in events:
        translator.feed(b"data: " + event + b"\n\n")
    translator.finish()
    translator.close()


def stream_with(translation: Translation, events: list[object], *hurt: tuple[KeyPath, bytes]) -> None:
    stream(
        translation,
        *(
            write(event, *((path[1:], odd) for path, odd in hurt if path[0] == number))
            for number, event in enumerate(events)
        ),
    )


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_the_samples_are_good(surface: Form, upstream: Form) -> None:
    translation = ask_well(surface, upstream)
    reply(translation, write(REPLIES[upstream]))
    stream_with(translation, STREAMS[upstream])


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
@given(hurt=DAMAGE)
def test_a_damaged_request_is_translated_or_a_client_error(
    surface: Form, upstream: Form, hurt: tuple[float, int, bytes]
) -> None:
    with contextlib.suppress(RequestError):
        ask(surface, upstream, damage(write(REQUESTS[surface]), *hurt))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_a_request_of_bytes_that_are_no_text_is_a_client_error(surface: Form, upstream: Form) -> None:
    body = write(REQUESTS[surface])
    for start in range(len(body)):
        with pytest.raises(RequestError):
            ask(surface, upstream, body[:start] + b"\xff" + body[start + 1 :])


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd[:12]))
@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_a_request_with_an_odd_value_is_translated_or_a_client_error(surface: Form, upstream: Form, odd: bytes) -> None:
    for path in list_places(REQUESTS[surface]):
        with contextlib.suppress(RequestError):
            ask(surface, upstream, write(REQUESTS[surface], (path, odd)))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
@given(oddities=ODDITIES)
def test_a_request_with_odd_values_is_translated_or_a_client_error(
    surface: Form, upstream: Form, oddities: list[Oddity]
) -> None:
    with contextlib.suppress(RequestError):
        ask(surface, upstream, write(REQUESTS[surface], *place(REQUESTS[surface], oddities)))


@pytest.mark.parametrize("odd", UNREADABLE, ids=lambda odd: repr(odd[:12]))
@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_an_unknown_field_that_cannot_be_read_is_a_client_error(surface: Form, upstream: Form, odd: bytes) -> None:
    with pytest.raises(RequestError):
        ask(surface, upstream, write(REQUESTS[surface], (("unknown",), odd)))


@pytest.mark.parametrize("surface", SURFACES)
@given(oddities=ODDITIES)
def test_a_head_with_odd_values_is_read_or_a_client_error(surface: Form, oddities: list[Oddity]) -> None:
    with contextlib.suppress(RequestError):
        SURFACES[surface].parse_head(write(REQUESTS[surface], *place(REQUESTS[surface], oddities)))


@pytest.mark.parametrize("surface", SURFACES)
@given(oddities=ODDITIES)
def test_a_request_with_odd_values_is_addressed_or_a_client_error(surface: Form, oddities: list[Oddity]) -> None:
    with contextlib.suppress(RequestError):
        body = write(REQUESTS[surface], *place(REQUESTS[surface], oddities))
        Fitting("m", Rules(surface)).fit(split_fields(body))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
@given(hurt=DAMAGE)
@example(hurt=(0.5, 1, b"\xff"))
def test_a_damaged_answer_is_translated_or_the_upstreams_error(
    surface: Form, upstream: Form, hurt: tuple[float, int, bytes]
) -> None:
    with contextlib.suppress(UpstreamProtocolError):
        reply(ask_well(surface, upstream), damage(write(REPLIES[upstream]), *hurt))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_an_answer_of_bytes_that_are_no_text_is_the_upstreams_error(surface: Form, upstream: Form) -> None:
    translation, body = ask_well(surface, upstream), write(REPLIES[upstream])
    for start in range(len(body)):
        with pytest.raises(UpstreamProtocolError):
            reply(translation, body[:start] + b"\xff" + body[start + 1 :])


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd[:12]))
@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_an_answer_with_an_odd_value_is_translated_or_the_upstreams_error(
    surface: Form, upstream: Form, odd: bytes
) -> None:
    translation = ask_well(surface, upstream)
    for path in list_places(REPLIES[upstream]):
        with contextlib.suppress(UpstreamProtocolError):
            reply(translation, write(REPLIES[upstream], (path, odd)))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
@given(st.lists(st.binary(max_size=20), max_size=3))
def test_a_stream_of_any_bytes_is_translated_or_the_upstreams_error(
    surface: Form, upstream: Form, events: list[bytes]
) -> None:
    with contextlib.suppress(UpstreamProtocolError):
        stream(ask_well(surface, upstream), *events)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd[:12]))
@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_a_stream_with_an_odd_value_is_translated_or_the_upstreams_error(
    surface: Form, upstream: Form, odd: bytes
) -> None:
    translation = ask_well(surface, upstream)
    for path in list_places(STREAMS[upstream]):
        with contextlib.suppress(UpstreamProtocolError):
            stream_with(translation, STREAMS[upstream], (path, odd))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
@given(oddities=ODDITIES)
def test_a_stream_with_odd_values_is_translated_or_the_upstreams_error(
    surface: Form, upstream: Form, oddities: list[Oddity]
) -> None:
    events = STREAMS[upstream]
    with contextlib.suppress(UpstreamProtocolError):
        stream_with(ask_well(surface, upstream), events, *place(events, oddities))
