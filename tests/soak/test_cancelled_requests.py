"""Clients that leave, thousands of them: nothing of theirs stays open, and the router goes on answering."""

import asyncio
import json
import os
from collections.abc import Callable

import pytest

from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import CHUNKS, build_config, chat, run_router
from tests.router.raw_client import build_request, complete, open_to, talk

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

REQUESTS = 10_000
SESSION = "x-model-affinity: one-for-all"
"""Once its first turn is answered, all its turns are on the fast path."""
CLIENTS = 50


def count_open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts while they change


def count_tasks() -> int:
    return len(asyncio.all_tasks())


async def settle(count: Callable[[], int], most: int) -> int:
    """Wait until there are no more than that; give how many more there are."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while count() > most:  # noqa: ASYNC110 - what the system has open sets no event
            await asyncio.sleep(0)
    return max(0, count() - most)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_cancelled_requests_leave_nothing_open(
    streamed: bool,  # noqa: FBT001 - parametrized
    show: Callable[[str], None],
) -> None:
    """Every other stream is left after its first token, and the rest before it."""
    requests = iter(range(REQUESTS))
    asked: dict[int, asyncio.Event] = {}
    left = 0

    async def answer(exchange: UpstreamExchange) -> None:
        nonlocal left
        number = json.loads(exchange.body)["metadata"]
        if number not in asked:
            await complete(exchange)
            return
        if streamed:
            await exchange.start_stream()
            if number % 2:
                await exchange.chunk(CHUNKS[0])
        asked.pop(number).set()
        await exchange.gone()
        left += 1

    async def ask_and_leave(url: str) -> None:
        for number in requests:
            arrived = asked[number] = asyncio.Event()
            async with open_to(url) as (reader, writer):
                writer.write(build_request(chat(stream=streamed, metadata=number), SESSION))
                await arrived.wait()
                if streamed and number % 2:
                    await reader.readuntil(CHUNKS[0])

    async with FakeUpstream(answer) as provider, run_router(build_config(base_url=provider.url)) as url:
        stay = build_request(chat(metadata=-1), SESSION)
        assert (await talk(url, stay))[0] == 200
        files, tasks = count_open_files(), count_tasks()
        await asyncio.gather(*(ask_and_leave(url) for _ in range(CLIENTS)))
        # The connection kept before is one of those that were left: what is open may be as few a moment too early.
        await settle(lambda: REQUESTS - left, 0)
        files_left = await settle(count_open_files, files)
        tasks_left = await settle(count_tasks, tasks)
        closed, answered = left, [(await talk(url, stay))[0] for _ in range(5)]
    show(
        f"cancelled requests, {'streamed' if streamed else 'plain'}: {REQUESTS:,}, of which the provider saw "
        f"{closed:,} leave; files left open {files_left}, tasks left {tasks_left}, answered after {answered.count(200)}/5"
    )
    assert (closed, files_left, tasks_left, answered) == (REQUESTS, 0, 0, [200] * 5)
