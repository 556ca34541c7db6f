"""Failures of a provider, end to end: real sockets, real waits, short limits."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from email.utils import formatdate

import pytest

from plano_agents import processes
from plano_agents.config.model import Breaker, Config, Limits, Preference, Retries, Timeouts
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.router.conftest import CHUNKS, GPT, JSON, MINI, build_config, build_model, chat, run_router
from tests.router.raw_client import build_request, complete, connect, talk

pytestmark = pytest.mark.usefixtures("every_way")

AT_ONCE = Retries(base_seconds=0.001)
NEVER = Retries(max_per_candidate=0)
ENDPOINTS = ["/v1/chat/completions", "/v1/messages", "/v1/responses"]


async def fail(exchange: UpstreamExchange) -> None:
    await exchange.answer(b"{}", status=500)


async def hang(exchange: UpstreamExchange) -> None:
    await exchange.gone()


async def hang_in_a_stream(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(CHUNKS[0])
    await exchange.gone()


async def hang_in_a_body(exchange: UpstreamExchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{")
    await exchange.gone()


async def drip(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    left = asyncio.ensure_future(exchange.gone())
    while not left.done():
        await exchange.chunk(CHUNKS[0])
        await asyncio.wait({left}, timeout=0.02)


def two_models(first: str, second: str, **fields: object) -> Config:
    """Two models at their addresses, one route to both."""
    models = (build_model(GPT, base_url=first), build_model(MINI, base_url=second))
    return Config(models, (Preference("any", "any request", (GPT, MINI)),), **fields)  # type: ignore[arg-type]  # the test names fields


def find_header(head: str, name: str) -> str | None:
    lines = (line.partition(": ") for line in head.split("\r\n"))
    return next((value for found, _, value in lines if found == name), None)


@asynccontextmanager
async def routed(
    *answers: Callable[[UpstreamExchange], Awaitable[None]], **fields: object
) -> AsyncGenerator[tuple[str, FakeUpstream], None]:
    """A router in front of one provider: its address, and the provider."""
    async with (
        FakeUpstream(*answers) as provider,
        run_router(build_config(base_url=provider.url, **fields)) as url,
    ):
        yield url, provider


async def test_a_failed_model_is_stood_in_for_and_the_pin_follows() -> None:
    request = build_request(chat(), "x-model-affinity: run-1")
    async with (
        FakeUpstream(fail) as first,
        FakeUpstream(complete) as second,
        run_router(two_models(first.url, second.url, retries=AT_ONCE)) as url,
    ):
        answers = [await talk(url, request) for _ in range(2)]
    assert [status for status, _, _ in answers] == [200, 200]
    assert [find_header(head, "x-plano-affinity") for _, head, _ in answers] == [
        "switch; reason=upstream_failed; because=status 500",
        "retain; reason=pinned",
    ]
    assert [find_header(head, "x-plano-model") for _, head, _ in answers] == [MINI, MINI]
    assert (len(first.exchanges), len(second.exchanges)) == (3, 2)


@pytest.mark.parametrize(("name", "wait"), [("retry-after-ms", "60"), ("retry-after", "0.06")])
async def test_a_provider_is_left_alone_for_as_long_as_it_asks(name: str, wait: str) -> None:
    clock = asyncio.get_running_loop().time
    asked: list[float] = []

    async def refuse(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"{}", status=429, headers={name: wait})
        asked.append(clock())

    async def answer(exchange: UpstreamExchange) -> None:
        asked.append(clock())
        await complete(exchange)

    async with routed(refuse, answer, retries=AT_ONCE) as (url, _):
        status, _, _ = await talk(url, build_request(chat()))
    assert status == 200
    assert asked[1] - asked[0] >= 0.05


@pytest.mark.parametrize("wait", ["61", formatdate(4e9, usegmt=True)])
async def test_a_provider_that_asks_for_too_long_is_stood_in_for_at_once(wait: str) -> None:
    async def refuse(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"{}", status=429, headers={"retry-after": wait})

    async with (
        FakeUpstream(refuse) as first,
        FakeUpstream(complete) as second,
        run_router(two_models(first.url, second.url)) as url,
    ):
        status, head, _ = await talk(url, build_request(chat()))
    assert (status, find_header(head, "x-plano-model"), len(first.exchanges)) == (200, MINI, 1)


async def test_an_outage_adds_at_most_a_fifth_to_the_load() -> None:
    async with routed(fail, retries=AT_ONCE, breaker=Breaker(failures=10**6)) as (url, provider):
        for _ in range(30):
            await asyncio.gather(*(talk(url, build_request(chat())) for _ in range(10)))
    assert 300 < len(provider.exchanges) <= 360


async def test_a_model_that_fails_over_and_over_is_left_alone_and_then_probed_once() -> None:
    """Between opening and probing nothing reaches the provider, however often it is asked for."""
    breaker = Breaker(failures=3, open_seconds=1)
    async with routed(fail, fail, fail, complete, retries=NEVER, breaker=breaker) as (url, provider):
        for _ in range(3):
            status, _, _ = await talk(url, build_request(chat()))
            assert status == 500
        status, head, body = await talk(url, build_request(chat()))
        assert (status, json.loads(body)["error"]["code"]) == (503, "upstream_unavailable")
        assert find_header(head, "retry-after") == "1"
        while status == 503:
            assert len(provider.exchanges) == 3
            status, _, _ = await talk(url, build_request(chat()))
        assert (status, len(provider.exchanges)) == (200, 4)


@contextmanager
def unaccepting() -> Iterator[str]:
    """An address whose queue is full: the system does not answer those who connect."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        queued = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            queued.append(client)
        yield processes.url_of(listener)
        for client in queued:
            client.close()


async def test_a_provider_that_takes_no_connection_in_time_is_a_connect_timeout() -> None:
    timeouts = Timeouts(connect_seconds=0.1)
    with unaccepting() as base_url:
        config = build_config(base_url=base_url, retries=NEVER, timeouts=timeouts)
        async with run_router(config) as url:
            status, _, body = await talk(url, build_request(chat()))
    assert (status, json.loads(body)["error"]["code"]) == (504, "upstream_connect_timeout")


@pytest.mark.parametrize(
    ("answer", "timeouts", "code"),
    [
        (hang, Timeouts(first_byte_seconds=0.1), "upstream_first_byte_timeout"),
        (hang_in_a_body, Timeouts(between_bytes_seconds=0.1), "upstream_silence_timeout"),
        (hang_in_a_body, Timeouts(total_seconds=0.1), "upstream_total_timeout"),
    ],
)
async def test_an_answer_that_is_late_is_told_by_its_own_code(
    answer: Callable[[UpstreamExchange], Awaitable[None]], timeouts: Timeouts, code: str
) -> None:
    async with routed(answer, retries=NEVER, timeouts=timeouts) as (url, _):
        status, _, body = await talk(url, build_request(chat()))
    assert (status, json.loads(body)["error"]["code"]) == (504, code)


@pytest.mark.parametrize(
    ("answer", "timeouts", "code"),
    [
        (hang_in_a_stream, Timeouts(between_bytes_seconds=0.1), b"upstream_silence_timeout"),
        (drip, Timeouts(total_seconds=1), b"upstream_total_timeout"),
    ],
)
async def test_a_stream_that_is_late_ends_with_its_own_code_and_never_well(
    answer: Callable[[UpstreamExchange], Awaitable[None]], timeouts: Timeouts, code: bytes
) -> None:
    async with routed(answer, timeouts=timeouts) as (url, _):
        status, _, body = await talk(url, build_request(chat(stream=True), close=False))
    assert status == 200
    assert code in body
    assert not body.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_what_is_too_much_is_refused_at_once_in_the_surfaces_form(path: str) -> None:
    asked = asyncio.Event()

    async def wait(exchange: UpstreamExchange) -> None:
        asked.set()
        await exchange.gone()

    async with (
        FakeUpstream(wait) as provider,
        connect(provider, limits=Limits(max_concurrent_requests=1)) as (_, writer),
    ):
        writer.write(build_request(chat()))
        await asked.wait()
        host, port = writer.get_extra_info("peername")
        status, head, body = await talk(f"http://{host}:{port}", build_request(b"{}", path=path))
    assert (status, find_header(head, "retry-after")) == (503, "1")
    error = json.loads(body)["error"]
    assert "requests are in flight" in error["message"]
    assert find_header(head, "content-type") == JSON["content-type"]
    assert len(provider.exchanges) == 1


@pytest.mark.parametrize("every_way", ["no session"], indirect=True)
async def test_one_hung_provider_does_not_hold_the_others_up() -> None:
    """All of one model's requests are answered while 50 of another's hang, and those are answered after."""
    release, hanging = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(exchange: UpstreamExchange) -> None:
        hanging.release()
        await release.wait()
        await complete(exchange)

    def ask_for(model: str) -> bytes:
        return build_request(chat(model=model, routing_preferences=[]))

    async with (
        FakeUpstream(wait) as hung,
        FakeUpstream(complete) as well,
        run_router(two_models(hung.url, well.url)) as url,
    ):
        held = [asyncio.create_task(talk(url, ask_for(GPT))) for _ in range(50)]
        for _ in held:
            await hanging.acquire()
        passed = await asyncio.gather(*(talk(url, ask_for(MINI)) for _ in range(50)))
        assert not any(each.done() for each in held)
        release.set()
        answered = await asyncio.gather(*held)
    assert {status for status, _, _ in [*passed, *answered]} == {200}
