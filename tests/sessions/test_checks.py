"""Looks at pins, many at once."""

import asyncio
from collections.abc import Sequence

from plano_agents.sessions.checks import Checks
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.redis import NOTHING_READ, Looked, Sought


class Store:
    """Answers a look when it is let."""

    def __init__(self) -> None:
        self.looks: list[list[str]] = []
        self.answers: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def look(self, sought: Sequence[Sought]) -> Sequence[Looked | None]:
        self.looks.append([each.key.affinity_id for each in sought])
        error = await self.answers.get()
        if error is not None:
            raise error
        return [NOTHING_READ] * len(sought)


def ask(checks: Checks, name: str, shard: str = "") -> "asyncio.Future[Looked | None]":
    heard: asyncio.Future[Looked | None] = asyncio.get_running_loop().create_future()
    checks.add(shard, Sought(SessionKey("", name), 60), heard.set_result)
    return heard


async def test_what_comes_while_a_look_is_under_way_goes_out_as_the_next() -> None:
    store = Store()
    checks = Checks(store.look)
    first = ask(checks, "a")
    await asyncio.sleep(0)
    rest = [ask(checks, name) for name in "bc"]
    store.answers.put_nowait(None)
    store.answers.put_nowait(None)
    await asyncio.gather(first, *rest)
    assert store.looks == [["a"], ["b", "c"]]


async def test_shards_do_not_wait_for_each_other() -> None:
    store = Store()
    checks = Checks(store.look)
    ask(checks, "a", "here")
    ask(checks, "b", "there")
    await asyncio.sleep(0)
    assert store.looks == [["a"], ["b"]]
    await checks.aclose()


async def test_who_waits_as_it_closes_hears_of_nothing() -> None:
    store = Store()
    checks = Checks(store.look)
    asked = ask(checks, "a")
    await asyncio.sleep(0)
    waits = ask(checks, "b")
    await checks.aclose()
    assert [await asked, await waits] == [None, None]


async def test_a_bug_in_a_look_leaves_nobody_waiting() -> None:
    store = Store()
    checks = Checks(store.look)
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    asked = ask(checks, "a")
    await asyncio.sleep(0)
    waits = ask(checks, "b")
    store.answers.put_nowait(ValueError("a bug"))
    assert [await asked, await waits] == [None, None]
    store.answers.put_nowait(None)
    assert await ask(checks, "c") is NOTHING_READ
