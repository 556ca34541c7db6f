"""Pins in Redis are linearizable per key for as long as one master lives, whatever happens to connections and process.

Clients read, pin, move and drop at random, while connections are killed, the server is frozen for shorter and for
longer than anybody waits, or is killed and starts again with all that it had answered for on its disk. Each client
notes what it was told; what it was not told may have happened at any time since, or never. Every key's history must
then be one that a single pin could have had.

What a store permits that was lost with its data is this and no more: once per loss, its pins are gone. Pins end
otherwise only where that is out of reach here: no idle time passes.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from plano_agents.sessions.redis import RedisPins
from plano_agents.sessions.redis_connection import RedisConnection
from tests.faults.proxy import Fault, FaultProxy
from tests.faults.redis_server import RedisServer
from tests.sessions.conftest import A, build_pin
from tests.sessions.history import CLIENTS, STEPS, Drop, Get, History, Loss, Move, Step, Write
from tests.sessions.linearizability import Operation

TIMEOUT_SECONDS = 0.1
ON_DISK = ("--appendonly", "yes", "--appendfsync", "always")


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[list[RedisPins]]:
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(CLIENTS):
            clients.append(RedisPins(RedisConnection(url, timeout_seconds=TIMEOUT_SECONDS)))
            stack.push_async_callback(clients[-1].aclose)
        yield clients


async def kill_connections(server: RedisServer, history: History) -> None:
    await server.tell("CLIENT", "KILL", "TYPE", "normal")


async def freeze_for_a_moment(server: RedisServer, history: History) -> None:
    """Until all clients wait."""
    server.freeze()
    await history.reach(lambda: history.under_way == CLIENTS - history.count["over"])
    server.thaw()


async def freeze_for_long(server: RedisServer, history: History) -> None:
    """Until a client has given up."""
    failed = history.count["failed"]
    history.pause()
    server.freeze()
    await history.reach(lambda: history.count["failed"] > failed)
    server.thaw()
    history.resume()


async def kill_and_restart(server: RedisServer, history: History) -> None:
    history.pause()
    await server.kill()
    await server.start()
    history.resume()


async def lose(server: RedisServer, history: History) -> None:
    began = history.now()
    await kill_and_restart(server, history)
    history.note(Loss(), began)


Event = Callable[[RedisServer, History], Awaitable[None]]


async def run(server: RedisServer, history: History, faults: Sequence[Event] = (), *, url: str | None = None) -> None:
    """Let clients work, and let a fault come each time that some of their work is done."""
    async with connect(url or server.url) as clients:
        working = asyncio.create_task(history.run(clients))
        for number, fault in enumerate(faults, 1):
            share = CLIENTS * STEPS * number // (len(faults) + 1)
            await history.reach(lambda: history.count["begun"] >= share)  # noqa: B023 - awaited here
            await fault(server, history)
        await working


@pytest.mark.parametrize("fault", [kill_connections, freeze_for_a_moment, freeze_for_long, kill_and_restart, None])
@pytest.mark.parametrize("seed", [1, 2])
async def test_while_one_master_lives_pins_are_linearizable(tmp_path: Path, fault: Event | None, seed: int) -> None:
    """None: all faults, in any order."""
    history = History(seed)
    all_faults = [kill_connections, freeze_for_a_moment, freeze_for_long, kill_and_restart]
    faults = [fault] * 8 if fault is not None else history.random.choices(all_faults, k=12)
    async with RedisServer(tmp_path, *ON_DISK) as server:
        await run(server, history, faults)
    assert history.is_linearizable()
    assert all(history.count[step.__name__] > 0 for step in (Get, Write, Move, Drop))
    assert history.count["failed"] > 0 or fault in {kill_connections, freeze_for_a_moment}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_where_answers_get_lost_pins_are_linearizable(tmp_path: Path, seed: int) -> None:
    """Commands are carried out, and the connection breaks somewhere in the answer."""
    history = History(seed)
    breaks = (Fault(cut_after=history.random.randint(100, 2_000), ending="reset") for _ in itertools.count())
    async with RedisServer(tmp_path) as server, FaultProxy(server.url, answers=breaks) as proxy:
        await run(server, history, url=proxy.url.replace("http", "redis"))
    assert history.is_linearizable()
    assert history.count["failed"] > 20


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_store_that_loses_its_data_loses_its_pins_once_and_does_nothing_else(tmp_path: Path, seed: int) -> None:
    history = History(seed)
    async with RedisServer(tmp_path) as server:
        await run(server, history, [lose, kill_connections, lose, freeze_for_long, lose])
    assert history.is_linearizable()


P, Q = build_pin("m/1"), build_pin("m/2", lineage="2")
MOVED = P.move("m/3", "r", "unsuitable", 1.0)


@pytest.mark.parametrize(
    "steps",
    [
        [Write(P, P), Get(None)],
        [Write(P, P), Write(Q, Q)],
        [Write(P, P), Drop(dropped=False)],
        [Write(P, P), Drop(dropped=True), Get(P)],
        [Write(P, P), Move(P, MOVED, MOVED), Get(P)],
        [Write(P, P), Move(Q, MOVED, MOVED)],
        [Drop(dropped=True)],
        [Move(P, MOVED, MOVED)],
        [Write(P, P), Loss(), Get(P)],
    ],
    ids=lambda steps: ", ".join(type(step).__name__ for step in steps),
)
def test_what_no_single_pin_can_do_is_found(steps: list[Step]) -> None:
    history = History(0)
    for step in steps:
        history.operations[A].append(Operation((step, True), history.now(), history.now()))
    assert not history.is_linearizable()
