"""2,000 calls at once, of runs that use every way to ask: none goes out under another run's id, none without one."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from plano_agents import ChatPlano, bind_context, current_affinity_id, model_affinity
from plano_agents.testing import FakeUpstream
from tests.integrations.conftest import read_prompt

RUNS = 100
CALLS_PER_RUN = 20
RUNS_AT_ONCE = 16
SEED = 7
LANES = ("researcher", "writer", "critic")


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


class Run:
    """One run's ways to ask. Each call's prompt is the id that it must go out under.

    Args:
        router: Who is asked.
        pool: Bare threads, shared by all runs.
        affinity_id: The run's id.
    """

    def __init__(self, router: FakeUpstream, pool: ThreadPoolExecutor, affinity_id: str) -> None:
        self._llm = ChatPlano(base_url=router.url)
        self._flaky = ChatPlano(base_url=f"{router.url}/flaky")
        self._pool = pool
        self._id = affinity_id

    async def go(self, order: random.Random) -> None:
        """Do all of them, in some order, in the run's scope."""
        ways: list[Callable[[], Awaitable[object]]] = [
            self.gather,
            self.use_threads,
            self.interleave_streams,
            self.delegate,
            self.retry,
        ]
        order.shuffle(ways)
        async with model_affinity(self._id):
            await asyncio.gather(*(way() for way in ways[:2]))
            for way in ways[2:]:
                await way()
            assert current_affinity_id() == self._id

    async def gather(self) -> None:
        """5 calls, as tasks."""
        await asyncio.gather(*(self._llm.ainvoke(self._id) for _ in range(5)))

    async def use_threads(self) -> None:
        """3 calls, in bare threads that other runs use too."""
        loop = asyncio.get_running_loop()
        ask = bind_context(lambda: self._llm.invoke(self._id))
        await asyncio.gather(*(loop.run_in_executor(self._pool, ask) for _ in range(3)))

    async def interleave_streams(self) -> None:
        """3 calls, streams that are read in turns, one of them in the scope of another."""
        own = [self._llm.astream(self._id), self._llm.astream(self._id)]
        other = f"{self._id}/aside"
        async with model_affinity(other):
            streams: list[AsyncIterator[object]] = [*own, self._llm.astream(other)]
            while streams:
                pieces = await asyncio.gather(*(anext(stream, None) for stream in streams))
                streams = [stream for stream, piece in zip(streams, pieces, strict=True) if piece is not None]

    async def delegate(self) -> None:
        """6 calls, of three sub-agents in lanes of their own."""
        await asyncio.gather(*(self._work(lane) for lane in LANES))

    async def _work(self, lane: str) -> None:
        async with model_affinity(lane=lane) as affinity_id:
            for _ in range(2):
                await self._llm.ainvoke(affinity_id)

    async def retry(self) -> None:
        """3 calls that fail the first time: 6 requests."""
        await asyncio.gather(*(self._flaky.ainvoke(self._id) for _ in range(3)))


async def test_2000_interleaved_calls_keep_their_runs_apart(router: FakeUpstream, pool: ThreadPoolExecutor) -> None:
    room = asyncio.Semaphore(RUNS_AT_ONCE)

    async def run(number: int) -> None:
        async with room:
            await Run(router, pool, f"run-{number}").go(random.Random(SEED + number))

    await asyncio.gather(*(run(number) for number in range(RUNS)))
    # Each call arrives; how often one is sent anew, a connection that breaks on a busy machine has a say in too.
    assert len(router.exchanges) >= RUNS * CALLS_PER_RUN
    crossed = Counter((read_prompt(each), each.affinity_id) for each in router.exchanges)
    assert {pair for pair in crossed if pair[0] != pair[1]} == set()
    assert crossed["run-0", "run-0"] >= 5 + 3 + 2 + 3
    assert crossed["run-0/critic", "run-0/critic"] >= 2
