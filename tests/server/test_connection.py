"""The ASGI layer by itself."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from plano_agents.affinity import AFFINITY_HEADER, parse_affinity_id
from plano_agents.errors import InvalidAffinityIdError
from plano_agents.server.connection import BodyLimitMiddleware, read_affinity_id

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}


async def post(chunks: Iterable[bytes], *, max_bytes: int) -> tuple[list[bytes], list[Message]]:
    """Send a body in chunks; return what the application read, and what was answered."""
    incoming = iter(chunks)
    read: list[bytes] = []
    sent: list[Message] = []

    async def receive() -> Message:
        chunk = next(incoming, None)
        if chunk is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        message = await receive()
        read.append(message["body"])
        assert not message["more_body"]

    await BodyLimitMiddleware(app, max_bytes=max_bytes)(SCOPE, receive, send)
    return read, sent


async def test_a_body_of_exactly_the_limit_passes_whole() -> None:
    assert await post([b"abc", b"", b"de"], max_bytes=5) == ([b"abcde"], [])


async def test_a_body_over_the_limit_never_reaches_the_application() -> None:
    read, sent = await post([b"abc", b"def"], max_bytes=5)
    assert (read, sent[0]["status"]) == ([], 413)


async def test_a_client_that_leaves_within_its_body_is_not_answered() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("not reached")

    await BodyLimitMiddleware(app, max_bytes=5)(SCOPE, receive, send)
    assert sent == []


@given(st.binary(max_size=300))
def test_a_header_is_read_exactly_when_it_is_an_affinity_id(value: bytes) -> None:
    headers = Headers(raw=[(AFFINITY_HEADER.lower().encode(), value)])
    text = value.decode("latin-1")
    try:
        expected = parse_affinity_id(text)
    except InvalidAffinityIdError:
        with pytest.raises(InvalidAffinityIdError):
            read_affinity_id(headers)
    else:
        assert read_affinity_id(headers) == expected
