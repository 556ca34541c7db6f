"""Many requests one after another, and many streams at once, on a router process: its memory and its answers."""

import asyncio
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.faults.router_process import RouterProcess, start_router, write_config
from tests.faults.wires import CHAT_STREAM, stream_for
from tests.router.conftest import CHUNKS, CLAUDE, GPT, MESSAGE, chat
from tests.router.raw_client import COMPLETION, build_request, open_to, talk
from tests.soak.fast_share import read_fast_share

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

MIB = 1024 * 1024
REQUESTS = 20_000
WARM_UP = 2_000
CLIENTS = 32
TURNS = 10
"""How many requests are of one session."""
STREAMS = 1_000


async def answer_as_asked(exchange: UpstreamExchange) -> None:
    if b'"stream":true' in exchange.body.replace(b" ", b""):
        await exchange.start_stream()
        await exchange.chunk(stream_for(exchange))
        await exchange.chunk(b"")
    else:
        await exchange.answer(MESSAGE if exchange.wire == "messages" else COMPLETION)


async def ask_all(router: RouterProcess, numbers: Iterable[int]) -> int:
    """Ask once for every number, ten to a session; how many were answered well."""
    waiting = iter(numbers)
    answered = 0

    async def ask() -> None:
        nonlocal answered
        async with open_to(router.url) as (reader, writer):
            for number in waiting:
                block, place = divmod(number, CLIENTS * TURNS)  # a session's turns follow each other
                turn, client = divmod(place, CLIENTS)
                session, streamed = block * CLIENTS + client, turn % 2 == 0
                model = CLAUDE if session % 4 == 0 else GPT
                body = chat(model=model, stream=streamed)
                writer.write(build_request(body, f"x-model-affinity: run-{session}", close=False))
                head = await reader.readuntil(b"\r\n\r\n")
                answered += head.startswith(b"HTTP/1.1 200 ")
                if streamed:
                    await reader.readuntil(b"\r\n0\r\n\r\n")
                else:
                    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                    await reader.readexactly(int(length))

    await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    return answered


async def test_memory_does_not_grow_with_requests(tmp_path: Path, show: Callable[[str], None]) -> None:
    """Plain and streamed, passed on and translated, by the fast path and by the story; pins are counted in."""
    async with (
        FakeUpstream(answer_as_asked) as provider,
        start_router(write_config(tmp_path, {GPT: provider.url, CLAUDE: provider.url})) as router,
    ):
        await ask_all(router, range(WARM_UP))
        before = router.resident_bytes
        answered = await ask_all(router, range(WARM_UP, WARM_UP + REQUESTS))
        growth = (router.resident_bytes - before) / MIB
        share = await read_fast_share(router.url)
        code, errors = await router.stop()
    show(
        f"memory: {before / MIB:.1f} MiB after {WARM_UP:,} requests, {growth:+.1f} MiB after {REQUESTS:,} more; "
        f"finished by the fast path {share.finished:.0%}"
    )
    assert answered == REQUESTS
    assert share.finished > 0.5
    assert growth <= 20
    assert (code, errors) == (0, "")


async def test_a_thousand_streams_run_at_once(tmp_path: Path, show: Callable[[str], None]) -> None:
    """No stream goes on before every one of them has its first token."""
    everybody = asyncio.Barrier(STREAMS)

    async def answer(exchange: UpstreamExchange) -> None:
        if not exchange.json.get("stream"):
            await exchange.answer(COMPLETION)
            return
        await exchange.start_stream()
        await exchange.chunk(CHUNKS[0])
        await everybody.wait()
        await exchange.chunk(CHAT_STREAM)
        await exchange.chunk(b"")

    async def read(url: str, first: "asyncio.Queue[None]") -> bool:
        async with open_to(url) as (reader, writer):
            writer.write(build_request(chat(stream=True), "x-model-affinity: one-for-all"))
            await reader.readuntil(CHUNKS[0])
            first.put_nowait(None)
            return (await reader.read(-1)).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")

    first: asyncio.Queue[None] = asyncio.Queue()
    async with (
        FakeUpstream(answer) as provider,
        start_router(write_config(tmp_path, {GPT: provider.url})) as router,
    ):
        await talk(router.url, build_request(chat(), "x-model-affinity: one-for-all"))  # pins it
        idle, files = router.resident_bytes, router.open_files
        reading = [asyncio.create_task(read(router.url, first)) for _ in range(STREAMS)]
        for _ in itertools.repeat(None, STREAMS):
            await first.get()
        each = (router.resident_bytes - idle) / STREAMS / 1024
        whole = sum(await asyncio.gather(*reading))
        kept, share = router.open_files - files, await read_fast_share(router.url)
        code, errors = await router.stop()
    show(
        f"streams at once: {STREAMS:,}, whole {whole:,}, {each:.0f} KiB each, {kept:,} connections kept "
        f"for later; finished by the fast path {share.finished:.0%}"
    )
    assert (whole, code, errors) == (STREAMS, 0, "")
    assert share.finished > 0.95
