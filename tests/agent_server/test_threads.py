"""A busy thread: who is refused, who waits, and that nobody is forgotten."""

import asyncio

import pytest

from plano_agents.agent_server.threads import ThreadLocks
from plano_agents.errors import ThreadBusyError
from tests.agent_server.conftest import Script, build_graph, call_app


async def test_runs_in_line_come_in_the_order_of_their_coming() -> None:
    locks, order = ThreadLocks(max_waiting=3), []
    await locks.acquire("t", "a")

    async def run(name: str) -> None:
        await locks.acquire("t", name)
        order.append(name)
        locks.release("t", name)

    waiting = [asyncio.create_task(run(name)) for name in "bcd"]
    await asyncio.sleep(0)
    locks.release("t", "a")
    await asyncio.gather(*waiting)
    assert (order, locks.is_busy("t")) == (["b", "c", "d"], False)


async def test_a_line_has_an_end() -> None:
    locks = ThreadLocks(max_waiting=1)
    await locks.acquire("t", "a")
    second = asyncio.create_task(locks.acquire("t", "b"))
    await asyncio.sleep(0)
    with pytest.raises(ThreadBusyError, match="1 more wait"):
        await locks.acquire("t", "c")
    locks.release("t", "a")
    await second


async def test_who_leaves_the_line_is_passed_over() -> None:
    locks = ThreadLocks(max_waiting=2)
    await locks.acquire("t", "a")
    second, third = (asyncio.create_task(locks.acquire("t", name)) for name in "bc")
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    locks.release("t", "a")
    await third
    locks.release("t", "c")
    assert not locks.is_busy("t")


async def test_who_leaves_in_the_moment_of_its_turn_hands_it_on() -> None:
    locks = ThreadLocks(max_waiting=2)
    await locks.acquire("t", "a")
    second, third = (asyncio.create_task(locks.acquire("t", name)) for name in "bc")
    await asyncio.sleep(0)
    locks.release("t", "a")
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    await third


async def test_a_queued_run_goes_on_where_the_first_ended() -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        entered.set()
        await go_on.wait()

    script = Script(("gpt-4o",), wait=pause)
    async with call_app(build_graph(script), busy_threads="queue") as client:
        first = asyncio.create_task(client.post("/agent/run", json={"input": "one", "thread_id": "t"}))
        await entered.wait()
        second = asyncio.create_task(client.post("/agent/run", json={"input": "two", "thread_id": "t"}))
        go_on.set()
        answers = [await first, await second]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [message.text for message in script.asked[-1].messages] == ["one", "Oslo, says gpt-4o", "two"]
