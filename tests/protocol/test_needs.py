"""A request's needs of a model, read from every surface's bytes."""

import base64
import json
from bisect import bisect_left
from typing import Any, SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import RequestError
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.needs import CHARACTERS_PER_TOKEN, PAYLOAD_BYTES, Needs

DATA = base64.b64encode(bytes(range(256)) * 400).decode()
URL = f"data:image/png;base64,{DATA}"
SOURCE = {"type": "base64", "media_type": "image/png", "data": DATA}
IMAGE = {"type": "image", "source": SOURCE}
RESULT = {"type": "tool_result", "tool_use_id": "t"}

SHOWING = {
    "chat": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]}]},
    "chat, by address": {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/i.png"}}]}]
    },
    "chat, a tool's result": {
        "messages": [{"role": "tool", "content": [{"type": "image_url", "image_url": {"url": URL}}]}]
    },
    "messages": {"messages": [{"role": "user", "content": [IMAGE]}]},
    "messages, a tool's result": {"messages": [{"role": "user", "content": [RESULT | {"content": [IMAGE]}]}]},
    "messages, a document": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "document", "source": {"type": "content", "content": [IMAGE]}}],
            }
        ]
    },
    "responses": {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}]},
    "responses, a call's output": {
        "input": [{"type": "function_call_output", "output": [{"type": "input_image", "image_url": URL}]}]
    },
}

SHOWING_NONE = {
    "chat": {"messages": [{"role": "user", "content": 'a text that says "image" and "image_url"'}]},
    "a tool's schema": {
        "messages": [],
        "tools": [{"function": {"name": "f", "parameters": {"properties": {"type": {"const": "image"}}}}}],
    },
    "a call's arguments": {
        "messages": [
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "input": {"type": "image", "content": []}}],
            }
        ]
    },
    "a type that is not text": {"messages": [{"content": [{"type": ["image"]}, {"type": {"image": 1}}]}]},
}

TEXTS = st.text() | st.text(alphabet='"\\u \n{}data:signature', max_size=200)


def write(value: object, **options: bool) -> bytes:
    return json.dumps(value, **options).encode("utf-8", "surrogatepass")  # type: ignore[arg-type]  # json's own options


def read(body: bytes) -> Needs:
    """Read a body's needs as a request's are; what is not an object has no fields."""
    try:
        return Needs(body, split_fields(body))
    except RequestError:
        return Needs(body, {})


def estimate(body: bytes) -> int:
    """Find the smallest window that a body fits into, in tokens."""
    return bisect_left(range(len(body)), True, key=read(body).fits)


class CountingBytes(bytes):
    """Bytes that count how many of them are taken out."""

    taken = 0

    def __getitem__(self, place: SupportsIndex | slice) -> Any:  # noqa: ANN401 - as bytes have it
        if isinstance(place, slice):
            self.taken += len(super().__getitem__(place))
        return super().__getitem__(place)


@pytest.mark.parametrize("case", SHOWING)
def test_an_image_is_seen_wherever_a_surface_shows_one(case: str) -> None:
    assert read(write(SHOWING[case])).images


@pytest.mark.parametrize("case", SHOWING_NONE)
def test_what_is_only_called_an_image_is_none(case: str) -> None:
    assert not read(write(SHOWING_NONE[case])).images


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"image"', b'{"messages": "image"}', b'{"tools": 1'])
def test_what_is_no_request_needs_nothing(body: bytes) -> None:
    needs = read(body)
    assert (needs.images, needs.tools) == (False, False)


def test_an_image_as_deep_as_json_goes_is_no_crash() -> None:
    depth = 100_000
    read(b'{"messages":' + b'[{"content":' * depth + b'{"type":"image"}' + b"}]" * depth + b"}").images  # noqa: B018 - that it comes back


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        ({"tools": [{"type": "function"}]}, True),
        ({"functions": [{"name": "f"}]}, True),
        ({"tools": []}, False),
        ({"tools": None}, False),
        ({"messages": [{"role": "user", "content": "the word tools"}]}, False),
        ({"metadata": {"tools": ["x"]}}, False),
    ],
)
def test_tools_are_needed_where_some_are_offered(fields: dict[str, object], offered: bool) -> None:  # noqa: FBT001 - parametrized
    assert read(write(fields)).tools is offered


@pytest.mark.parametrize("case", SHOWING)
def test_an_images_bytes_are_no_tokens(case: str) -> None:
    assert estimate(write(SHOWING[case])) < 60


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"format": "wav", "data": DATA}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{DATA}"}},
        {"type": "reasoning", "encrypted_content": DATA},
        {"type": "thinking", "thinking": "", "signature": DATA},
        {"type": "image_url", "image_url": {"url": URL.replace("/", "\\/")}},
    ],
)
def test_what_comes_by_value_is_no_tokens(part: dict[str, object]) -> None:
    body = write({"messages": [{"role": "user", "content": [part]}]}).replace(b"\\\\/", b"\\/")
    assert estimate(body) < 60


def test_a_document_of_plain_text_is_tokens() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "so many words " * 1_000}
    body = write({"messages": [{"role": "user", "content": [{"type": "document", "source": source}]}]})
    assert estimate(body) > 2_800


@pytest.mark.parametrize("text", ["слово и дело ", "人人生而自由 ", "naïve café "])
def test_an_escaped_letter_counts_as_the_letter(text: str) -> None:
    content = {"messages": [{"role": "user", "content": text * 100}]}
    assert estimate(write(content)) == estimate(write(content, ensure_ascii=False))


@given(TEXTS, st.booleans())
def test_an_estimate_is_never_negative_and_never_more_than_the_bytes_allow(text: str, escaped: bool) -> None:  # noqa: FBT001 - drawn
    body = write({"messages": [{"role": "user", "content": text}]}, ensure_ascii=escaped)
    assert 0 <= estimate(body) <= len(body) / CHARACTERS_PER_TOKEN


@given(st.binary(max_size=300), st.integers(1, 100))
def test_a_body_that_fits_fits_into_a_larger_window(body: bytes, window: int) -> None:
    assert read(body).fits(window + 1) >= read(body).fits(window)


def test_a_body_that_fits_by_its_bytes_is_not_read() -> None:
    body = CountingBytes(b"x" * 500)
    assert Needs(body, {}).fits(100)
    assert body.taken == 0


@pytest.mark.parametrize(
    "piece",
    [b"x", b'"data:a/b,"', b'"data":"' + b"A" * (PAYLOAD_BYTES - 1) + b'"'],
    ids=["text", "short URLs", "short data"],
)
def test_of_a_body_no_more_is_read_than_shows_that_it_does_not_fit(piece: bytes) -> None:
    body = CountingBytes(piece * (4_000_000 // len(piece)))
    assert not Needs(body, {}).fits(100_000)
    assert body.taken <= 100_000 * CHARACTERS_PER_TOKEN + 2**17


def test_of_what_comes_by_value_nothing_is_read() -> None:
    body = CountingBytes(write({"messages": [{"role": "user", "content": [SHOWING["chat"]] * 50}]}))
    assert Needs(body, {}).fits(8_000)
    assert body.taken < len(body) / 50


@pytest.mark.parametrize("start", range(65_530, 65_540))
def test_what_comes_by_value_is_left_out_wherever_it_begins(start: int) -> None:
    assert estimate(b"x" * start + b'"data":"' + b"A" * 1_000_000 + b'"') < 66_000 // CHARACTERS_PER_TOKEN
