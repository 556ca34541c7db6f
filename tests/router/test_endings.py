"""Every way a request can end: with the collector off, nothing of it outlives its end.

What stays is counted, not measured by the process: objects of the kinds that a request is made of, and the bytes that
Python holds. So a reference cycle is found, wherever it is.
"""

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from plano_agents import processes
from plano_agents.config.client_keys import build_client_key
from plano_agents.config.model import Breaker, Limits, Retries, Timeouts
from plano_agents.http.client import UpstreamRequest
from plano_agents.http.client.client import HttpUpstream
from plano_agents.http.client.connection import Connection
from plano_agents.http.client.response import HttpResponse
from plano_agents.http.server.connection import ServerConnection
from plano_agents.http.server.exchange import Exchange as ServedExchange
from plano_agents.protocol.request_body import RequestBody
from plano_agents.protocol.translation.translation import Translation
from plano_agents.router.app import Router
from plano_agents.router.request.candidates import Draft, ModelCandidate, Opened
from plano_agents.router.request.choice import Choice
from plano_agents.router.request.dispatch import Sent
from plano_agents.router.request.fast_turn import FastTurn
from plano_agents.router.request.story import ProxyRequest, Story
from plano_agents.router.request.streams import Stream
from plano_agents.router.request.trail import Trail
from plano_agents.router.request.upstream_answer import StreamedAnswer, WholeAnswer
from plano_agents.sessions.pinning import Turn
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.leftovers import collector_off, count_left, leave_out_what_is_there, wait_until_gone
from tests.router.conftest import CHUNKS, COMPLETION, GPT, build_config, chat
from tests.router.raw_client import build_request, complete, open_to, stream, talk
from tests.router.test_failures import unaccepting
from tests.router.ways import Way, dress

pytestmark = pytest.mark.usefixtures("every_way")

BODY_BYTES = 1_000_000
"""More than the sockets between client, router and provider hold."""
TIMES = 3

OF_REQUESTS = (
    Choice,
    Connection,
    Draft,
    FastTurn,
    ServerConnection,
    HttpResponse,
    ModelCandidate,
    Opened,
    ProxyRequest,
    RequestBody,
    Sent,
    ServedExchange,
    Story,
    Stream,
    StreamedAnswer,
    Trail,
    Translation,
    Turn,
    UpstreamRequest,
    WholeAnswer,
)
"""What a request is made of."""
OF_FIRST_TURNS = frozenset({"404 of a model", "404 of a path"})
"""The endings of first turns alone: a pinned turn goes to its session's model, whatever model it names."""
KINDS = (asyncio.Task, *OF_REQUESTS)

Answer = Callable[[UpstreamExchange], Awaitable[None]]


@dataclass
class Scene:
    """A router and its provider, and what a client does."""

    url: str
    path: str
    body_bytes: int = BODY_BYTES
    """The size of a request's body."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the provider has a request."""

    def request(self, *headers: str, streamed: bool = False, body: bytes | None = None, close: bool = True) -> bytes:
        content = chat(stream=streamed, max_tokens=9) if body is None else body
        return build_request(content.ljust(self.body_bytes), *headers, path=self.path, close=close)


Client = Callable[[Scene], Awaitable[int]]
"""Asks, in its way; the status that it got, 0 where it got none."""


async def ask(scene: Scene) -> int:
    return (await talk(scene.url, scene.request()))[0]


async def ask_and_leave(scene: Scene) -> int:
    """Read the answer that comes before the body is there."""
    async with open_to(scene.url) as (reader, writer):
        writer.write(scene.request(close=False))
        head = await reader.readuntil(b"\r\n\r\n")
        return int(head[9:12])


async def ask_for_decision(scene: Scene) -> int:
    return await ask(replace(scene, path=f"/routing{scene.path}"))


async def ask_for_stream(scene: Scene) -> int:
    return (await talk(scene.url, scene.request(streamed=True)))[0]


async def ask_badly(scene: Scene) -> int:
    return (await talk(scene.url, scene.request(body=b"{")))[0]


async def ask_for_no_model(scene: Scene) -> int:
    return (await talk(scene.url, scene.request(body=chat(model="nobody/nothing"))))[0]


async def ask_elsewhere(scene: Scene) -> int:
    elsewhere = replace(scene, path="/nowhere")
    return await ask_and_leave(elsewhere)


async def ask_in_chunks(scene: Scene) -> int:
    head = f"POST {scene.path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    return (await talk(scene.url, head.encode() + b"%x\r\n" % scene.body_bytes + b" " * scene.body_bytes))[0]


async def stop_within_body(scene: Scene) -> int:
    return (await talk(scene.url, scene.request()[:-9]))[0]


async def ask_twice(scene: Scene) -> int:
    """On one connection, which stays open to the test's end."""
    async with open_to(scene.url) as (reader, writer):
        for _ in range(2):
            writer.write(scene.request(close=False))
            await reader.readuntil(b'"hello"')
        return 200


async def leave_within_head(scene: Scene) -> int:
    async with open_to(scene.url) as (_, writer):
        writer.write(scene.request()[:30])
    return 0


async def leave_within_body(scene: Scene) -> int:
    async with open_to(scene.url) as (reader, writer):
        head, _, body = scene.request("expect: 100-continue").partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        await reader.readuntil(b"100 Continue\r\n\r\n")
        writer.write(body[:-9])
        await writer.drain()
    return 0


async def leave_while_waiting(scene: Scene) -> int:
    async with open_to(scene.url) as (_, writer):
        writer.write(scene.request())
        await scene.asked.wait()
    return 0


async def leave_while_connecting(scene: Scene) -> int:
    async with open_to(scene.url) as (_, writer):
        writer.write(scene.request())
        while not count_left((Connection,)):  # noqa: ASYNC110 - a connection that begins sets no event
            await asyncio.sleep(0)
    return 0


async def leave_within_stream(scene: Scene) -> int:
    async with open_to(scene.url) as (reader, writer):
        writer.write(scene.request(streamed=True))
        await reader.readuntil(b"data: ")
    return 200


async def hang(exchange: UpstreamExchange) -> None:
    await exchange.gone()


async def fail(exchange: UpstreamExchange) -> None:
    await exchange.answer(b'{"error": {"message": "no"}}', status=500)


async def busy(exchange: UpstreamExchange) -> None:
    await exchange.answer(b"{}", status=503, headers={"retry-after": "30"})


async def too_long(exchange: UpstreamExchange) -> None:
    await exchange.answer(b"{}", status=413)


async def babble(exchange: UpstreamExchange) -> None:
    await exchange.send(b"220 mail.example ESMTP\r\n")
    await exchange.gone()


async def frame_twice(exchange: UpstreamExchange) -> None:
    await exchange.answer(COMPLETION, headers={"transfer-encoding": "chunked"})
    await exchange.gone()


async def break_off(exchange: UpstreamExchange) -> None:
    exchange.reset()


async def end_early(exchange: UpstreamExchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    exchange.close()


async def start_answer(exchange: UpstreamExchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    await exchange.gone()


async def start_stream(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(CHUNKS[0])
    await exchange.gone()


async def promise_stream(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.gone()


async def empty_stream(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(b"")


async def cut_stream(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(CHUNKS[0])
    exchange.close()


async def fail_in_stream(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(CHUNKS[0])
    await exchange.chunk(b'data: {"error": {"message": "no"}}\n\n')
    await exchange.chunk(b"")


async def babble_in_stream(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(CHUNKS[0])
    await exchange.send(b"no chunk\r\n")
    await exchange.gone()


@dataclass(frozen=True)
class Ending:
    """A way to end."""

    status: int
    """What the client gets; 0 for nothing."""
    client: Client = ask
    """What it does."""
    answers: tuple[Answer, ...] = (complete,)
    """What the provider does, request by request."""
    config: Mapping[str, object] = field(default_factory=dict)
    """What is configured."""
    limits: processes.HttpLimits = field(default_factory=processes.HttpLimits)
    """The connection's."""
    base_url: str | None = None
    """Where no provider is."""


PATIENT = Breaker(failures=1000)
AT_ONCE = {"retries": Retries(base_seconds=0, budget_min=1000)}
SMALL = {"limits": Limits(max_body_bytes=BODY_BYTES - 1)}

ENDINGS: Mapping[str, Ending] = {
    "200": Ending(200),
    "200 of a decision": Ending(200, ask_for_decision),
    "200 on a kept connection": Ending(200, ask_twice),
    "200 after a failure": Ending(200, answers=(fail, complete) * 9, config=AT_ONCE),
    "200 streamed": Ending(200, ask_for_stream, (stream,)),
    "400": Ending(400, ask_badly),
    "401": Ending(401, ask_and_leave, config={"client_keys": (build_client_key("k-1"),)}),
    "404 of a model": Ending(404, ask_for_no_model),
    "404 of a path": Ending(404, ask_elsewhere),
    "408": Ending(408, stop_within_body, limits=processes.HttpLimits(body_seconds=0.1)),
    "413 declared": Ending(413, ask_and_leave, config=SMALL),
    "413 counted": Ending(413, ask_in_chunks, config=SMALL),
    "413 of the provider": Ending(413, answers=(too_long,)),
    "500 of the provider": Ending(500, answers=(fail,), config=AT_ONCE),
    "502 unreachable": Ending(502, base_url="http://127.0.0.1:1", config=AT_ONCE),
    "502 unreachable by name": Ending(502, base_url="http://localhost:1", config=AT_ONCE),
    "502 unknown host": Ending(502, base_url="http://nowhere.invalid", config=AT_ONCE),
    "502 no HTTP": Ending(502, answers=(babble,), config=AT_ONCE),
    "502 two framings": Ending(502, answers=(frame_twice,), config=AT_ONCE),
    "502 broken connection": Ending(502, answers=(break_off,), config=AT_ONCE),
    "502 half an answer": Ending(502, answers=(end_early,), config=AT_ONCE),
    "502 a stream without a beginning": Ending(502, ask_for_stream, (empty_stream,), config=AT_ONCE),
    "503 overloaded": Ending(503, ask_and_leave, config={"limits": Limits(max_concurrent_requests=0)}),
    "503 breaker": Ending(503, answers=(fail,), config={"breaker": Breaker(failures=1, open_seconds=900)}),
    "504 no connection": Ending(
        504, base_url="unaccepting", config={**AT_ONCE, "timeouts": Timeouts(connect_seconds=0.05)}
    ),
    "504 no answer": Ending(504, answers=(hang,), config={**AT_ONCE, "timeouts": Timeouts(first_byte_seconds=0.1)}),
    "504 half an answer": Ending(
        504,
        answers=(start_answer,),
        config={**AT_ONCE, "timeouts": Timeouts(between_bytes_seconds=0.1)},
    ),
    "504 no end": Ending(504, answers=(start_answer,), config={**AT_ONCE, "timeouts": Timeouts(total_seconds=0.2)}),
    "a stream that falls silent": Ending(
        200, ask_for_stream, (start_stream,), config={"timeouts": Timeouts(between_bytes_seconds=0.1)}
    ),
    "a stream that has no end": Ending(
        200, ask_for_stream, (start_stream,), config={"timeouts": Timeouts(total_seconds=0.2)}
    ),
    "a stream that is cut": Ending(200, ask_for_stream, (cut_stream,)),
    "a stream that fails": Ending(200, ask_for_stream, (fail_in_stream,)),
    "a stream that is none": Ending(200, ask_for_stream, (babble_in_stream,)),
    "the client leaves within the head": Ending(0, leave_within_head),
    "the client leaves within the body": Ending(0, leave_within_body),
    "the client leaves while the provider takes no connection": Ending(
        0, leave_while_connecting, base_url="unaccepting"
    ),
    "the client leaves while it waits": Ending(0, leave_while_waiting, (hang,)),
    "the client leaves between two tries": Ending(0, leave_while_waiting, (busy,)),
    "the client leaves before the first token": Ending(0, leave_while_waiting, (promise_stream,)),
    "the client leaves within the stream": Ending(200, leave_within_stream, (start_stream,)),
}

PATHS = ("/v1/chat/completions", "/v1/messages")
"""Passed on as it is, and translated."""


@asynccontextmanager
async def run_scene(ending: Ending, path: str) -> AsyncGenerator[Scene, None]:
    """A router, its provider, which keeps nothing, and no collector."""
    scene = Scene("", path)

    def forget_request(answer: Answer) -> Answer:
        async def forget(exchange: UpstreamExchange) -> None:
            exchange.body = b""
            provider.exchanges.clear()
            scene.asked.set()
            await answer(exchange)

        return forget

    with unaccepting() as silent:
        async with FakeUpstream(*map(forget_request, ending.answers)) as provider:
            base_url = {None: provider.url, "unaccepting": silent}.get(ending.base_url, ending.base_url)
            config = build_config(GPT, base_url=base_url, **{"breaker": PATIENT, **ending.config})
            config, options = dress(config, {})
            upstream = HttpUpstream()
            listener = processes.bind("127.0.0.1", 0)
            scene.url = processes.url_of(listener)
            try:
                site = processes.Site(Router(config, upstream, **options), listener, 0.1, ending.limits)
                async with processes.running([site]):
                    yield scene
            finally:
                await upstream.close()


@pytest.fixture
def without_collector() -> Iterator[None]:
    with collector_off():
        yield


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("way", ENDINGS)
async def test_nothing_of_a_request_outlives_its_end(way: str, path: str, every_way: Way) -> None:
    ending = ENDINGS[way]
    async with run_scene(ending, path) as scene:
        await ending.client(scene)  # what is loaded and kept once
        leave_out_what_is_there()
        tracemalloc.start()
        statuses = set()
        for _ in range(TIMES):
            scene.asked.clear()
            statuses.add(await ending.client(scene))
        stays = await wait_until_gone(KINDS)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert dict(stays) == {}
    assert statuses == {ending.status} or (way in OF_FIRST_TURNS and every_way != "no session")
    assert held < BODY_BYTES


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("way", ["the client leaves while it waits", "the client leaves within the stream"])
async def test_nothing_of_a_request_outlives_the_servers_end(way: str, path: str) -> None:
    ending = ENDINGS[way]
    leave_out_what_is_there()
    async with run_scene(ending, path) as scene:
        streamed = ending.answers == (start_stream,)
        reader, writer = await asyncio.open_connection(*scene.url.removeprefix("http://").split(":"))
        writer.write(scene.request(streamed=streamed))
        await scene.asked.wait()
        if streamed:
            await reader.readuntil(b"data: ")
    assert b"The server stops" in await reader.read(-1)
    writer.close()
    del reader, writer, scene
    assert await wait_until_gone(OF_REQUESTS) == {}
