"""The ASGI layer by itself, and a server that stops in the middle of runs."""

import asyncio
import json
from collections.abc import Iterable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from plano_agents.affinity import AFFINITY_HEADER, parse_affinity_id
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.connection import BodyLimitMiddleware, read_affinity_id
from plano_agents.errors import InvalidAffinityIdError
from plano_agents.processes import Site, bind, running, url_of
from plano_agents.protocol.sse import Event, EventDecoder
from tests.agent_server.conftest import USER, Script, build_graph
from tests.patience import PATIENCE_SECONDS

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


async def test_a_body_that_claims_to_be_over_the_limit_is_refused_unread() -> None:
    """A client that waits for ``100 Continue`` never sends it."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("it is not asked for")

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("it is not asked")

    scope = {**SCOPE, "headers": [(b"content-length", b"6")]}
    await BodyLimitMiddleware(app, max_bytes=5)(scope, receive, send)
    assert sent[0]["status"] == 413


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


async def ask_server_that_stops(path: str, body: dict[str, object], *, accept: str = "*/*") -> tuple[int, bytes]:
    """Ask for a run that never ends, of a server that stops meanwhile; a cut answer is given as far as it came."""
    entered = asyncio.Event()

    async def hang() -> None:
        entered.set()
        await asyncio.Event().wait()

    async def ask() -> tuple[int, bytes]:
        content = bytearray()
        async with (
            httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client,
            client.stream("POST", url + path, json=body, headers={"accept": accept}) as response,
        ):
            try:
                async for piece in response.aiter_raw():
                    content += piece
            except httpx.RemoteProtocolError:
                assert content
        return response.status_code, bytes(content)

    listener = bind("127.0.0.1", 0)
    url = url_of(listener)
    async with running([Site(create_app(build_graph(Script(wait=hang))), listener, grace_seconds=0.05)]):
        asked = asyncio.create_task(ask())
        await entered.wait()
    return await asked


@pytest.mark.parametrize(
    ("path", "body"),
    [("/agent/run", {"input": "hi"}), ("/v1/chat/completions", {"messages": [USER]})],
    ids=["run", "completion"],
)
async def test_a_run_that_a_stopping_server_cuts_is_an_error_in_our_form(path: str, body: dict[str, object]) -> None:
    status, content = await ask_server_that_stops(path, body)
    assert (status, json.loads(content)["error"]["code"]) == (503, "shutting_down")


async def test_events_that_a_stopping_server_cuts_end_with_an_error() -> None:
    _, content = await ask_server_that_stops("/agent/run", {"input": "hi"}, accept="text/event-stream")
    last = EventDecoder().feed(content)[-1]
    assert (last.name, json.loads(last.data)["code"]) == ("error", "shutting_down")


async def test_chunks_that_a_stopping_server_cuts_end_with_an_error() -> None:
    body = {"messages": [USER], "stream": True}
    _, content = await ask_server_that_stops("/v1/chat/completions", body)
    events: list[Event] = EventDecoder().feed(content)
    assert json.loads(events[-1].data)["error"]["code"] == "shutting_down"


@pytest.mark.filterwarnings("ignore::langgraph.warnings.LangGraphDeprecatedSinceV10")
async def test_ag_uis_events_that_a_stopping_server_cuts_end_with_an_error() -> None:
    body: dict[str, object] = {"threadId": "t-1", "runId": "r-1", "messages": [{"id": "m-1", **USER}]}
    _, content = await ask_server_that_stops("/ag-ui", body)
    last = json.loads(EventDecoder().feed(content)[-1].data)
    assert (last["type"], last["code"]) == ("RUN_ERROR", "shutting_down")
