"""A real router process that is told to stop, or to read its configuration again."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.faults.router_process import RouterProcess, start_router, until_refused, write_config
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import CHUNKS, GPT, chat
from tests.router.raw_client import COMPLETION, build_request, complete, open_to, talk


class Held:
    """A provider's answers that go on when they are released: a stream from its middle, or a body."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.release = asyncio.Event()

    async def stream(self, exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        await exchange.chunk(CHUNKS[0])
        await self._wait()
        await exchange.chunk(CHUNKS[1])
        await exchange.chunk(b"")

    async def body(self, exchange: UpstreamExchange) -> None:
        await self._wait()
        await complete(exchange)

    async def _wait(self) -> None:
        self.asked.set()
        await self.release.wait()


@asynccontextmanager
async def process(
    folder: Path, answer: Callable[[UpstreamExchange], Awaitable[None]], **limits: float
) -> AsyncGenerator[RouterProcess, None]:
    """A router process in front of a provider."""
    async with (
        FakeUpstream(answer) as provider,
        start_router(write_config(folder, {GPT: provider.url}, limits=limits)) as router,
    ):
        yield router


@pytest.mark.parametrize("streamed", [False, True])
async def test_told_to_stop_it_takes_no_more_requests_and_finishes_those_it_has(
    tmp_path: Path,
    streamed: bool,  # noqa: FBT001 - parametrized
) -> None:
    held = Held()
    async with process(tmp_path, held.stream if streamed else held.body) as router:
        asking = asyncio.create_task(talk(router.url, build_request(chat(stream=streamed), close=not streamed)))
        await held.asked.wait()
        router.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await until_refused(router.url)
        assert not asking.done()
        held.release.set()
        status, _, body = await asking
        code, errors = await router.stop()
    assert (status, code, errors) == (200, 0, "")
    assert body.endswith(CHUNKS[1] + b"\r\n0\r\n\r\n" if streamed else COMPLETION)


async def test_a_stream_that_is_not_done_in_the_grace_period_gets_an_error_event(tmp_path: Path) -> None:
    held = Held()
    async with process(tmp_path, held.stream, shutdown_grace_seconds=0.2) as router:
        async with open_to(router.url) as (reader, writer):
            writer.write(build_request(chat(stream=True), close=False))
            await reader.readuntil(CHUNKS[0])
            code, errors = await router.stop()
            rest = await reader.read(-1)
        held.release.set()
    assert (code, errors) == (0, "")
    assert b'data: {"error":{"message":"The server stops' in rest
    assert b'"code":"shutting_down"' in rest
    assert not rest.endswith(b"0\r\n\r\n")


async def test_a_request_that_is_not_done_in_the_grace_period_gets_a_503(tmp_path: Path) -> None:
    held = Held()
    async with process(tmp_path, held.body, shutdown_grace_seconds=0.2) as router:
        asking = asyncio.create_task(talk(router.url, build_request(chat())))
        await held.asked.wait()
        code, errors = await router.stop()
        status, _, body = await asking
        held.release.set()
    assert (code, errors) == (0, "")
    assert (status, json.loads(body)["error"]["code"]) == (503, "shutting_down")


async def test_a_new_configuration_serves_new_requests_and_the_old_one_those_in_flight(
    tmp_path: Path,
) -> None:
    held = Held()
    async with (
        FakeUpstream(held.stream) as old,
        FakeUpstream(complete) as new,
        start_router(write_config(tmp_path, {GPT: old.url})) as router,
        open_to(router.url) as (reader, writer),
    ):
        writer.write(build_request(chat(stream=True)))
        await held.asked.wait()
        write_config(tmp_path, {GPT: new.url})
        router.process.send_signal(signal.SIGHUP)
        await router.read_until("configuration reloaded")
        status, _, body = await talk(router.url, build_request(chat()))
        assert (status, body) == (200, COMPLETION)
        held.release.set()
        assert (await reader.read(-1)).endswith(CHUNKS[1] + b"\r\n0\r\n\r\n")
        assert (len(old.exchanges), len(new.exchanges)) == (1, 1)


async def test_signals_that_who_starts_a_router_ignores_are_heeded_all_the_same(tmp_path: Path) -> None:
    """As under ``nohup``, or in a script's background."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGINT)}
    try:
        async with (
            FakeUpstream(complete) as provider,
            start_router(write_config(tmp_path, {GPT: provider.url})) as router,
        ):
            router.process.send_signal(signal.SIGHUP)
            await router.read_until("configuration reloaded")
            router.process.send_signal(signal.SIGINT)
            await router.read_until("stopped")
            assert await router.process.wait() == 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def test_a_configuration_that_cannot_be_used_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    async with process(tmp_path, complete) as router:
        (tmp_path / "config.yaml").write_text("version: v0.4.0\nmodel_provider: []\n")
        router.process.send_signal(signal.SIGHUP)
        said = await router.read_errors_until("the old configuration stays")
        status, _, _ = await talk(router.url, build_request(chat()))
    assert "'model_provider'" in said
    assert "Traceback" not in said
    assert status == 200


async def test_requests_that_finish_on_an_old_configuration_still_take_their_places(tmp_path: Path) -> None:
    held = Held()
    limits = {"max_concurrent_requests": 1}
    async with (
        FakeUpstream(held.body, complete) as provider,
        start_router(write_config(tmp_path, {GPT: provider.url}, limits=limits)) as router,
    ):
        asking = asyncio.create_task(talk(router.url, build_request(chat())))
        await held.asked.wait()
        router.process.send_signal(signal.SIGHUP)
        await router.read_until("configuration reloaded")
        status, _, body = await talk(router.url, build_request(chat()))
        held.release.set()
        answered, _, _ = await asking
    assert (status, json.loads(body)["error"]["code"]) == (503, "overloaded")
    assert answered == 200


async def test_a_model_that_is_left_alone_is_so_over_a_new_configuration(tmp_path: Path) -> None:
    async def fail(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"{}", status=500)

    settings = {"retries": {"max_per_candidate": 0}, "breaker": {"failures": 1, "open_seconds": 900}}
    async with (
        FakeUpstream(fail) as provider,
        start_router(write_config(tmp_path, {GPT: provider.url}, **settings)) as router,
    ):
        first, _, _ = await talk(router.url, build_request(chat()))
        router.process.send_signal(signal.SIGHUP)
        await router.read_until("configuration reloaded")
        second, _, _ = await talk(router.url, build_request(chat()))
    assert (first, second, len(provider.exchanges)) == (500, 503, 1)
