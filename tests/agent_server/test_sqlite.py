"""An SQLite file that is full, read-only, broken, or another process' too."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.serializer import StrictSerializer
from plano_agents.agent_server.settings import build_settings
from plano_agents.agent_server.sqlite import GuardedSqlite, open_sqlite
from tests.agent_server.conftest import Script, build_graph, call_transport

RUN = {"input": "hi", "thread_id": "t-1"}
CHECKPOINT: Any = {
    "v": 4,
    "id": "1",
    "ts": "",
    "channel_values": {},
    "channel_versions": {},
    "versions_seen": {},
}
LATER: Any = {**CHECKPOINT, "id": "2"}
CONFIG: Any = {"configurable": {"thread_id": "t-1", "checkpoint_ns": ""}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "threads.sqlite"


class Pause:
    """Stops a connection where it begins to write, until it may go on."""

    def __init__(self, saver: GuardedSqlite) -> None:
        self._saver = saver
        self._loop = asyncio.get_running_loop()
        self._go_on = threading.Event()
        self.entered = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._saver.conn.set_trace_callback(self._see)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._go_on.set()
        await self._saver.conn.set_trace_callback(lambda _: None)

    def go_on(self) -> None:
        self._go_on.set()

    def _see(self, statement: str) -> None:
        if statement.startswith("INSERT"):
            self._loop.call_soon_threadsafe(self.entered.set)
            self._go_on.wait(60)


def lock_at_once(file: Path) -> None:
    """Take the file's lock as another process would, and give it back."""
    other = sqlite3.connect(file, timeout=0, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    finally:
        other.close()


async def test_a_cancelled_write_leaves_the_file_to_other_processes(file: Path) -> None:
    async with open_sqlite(file, StrictSerializer()) as saver, Pause(saver) as pause:
        writing = asyncio.create_task(saver.aput(CONFIG, CHECKPOINT, {}, {}))
        await pause.entered.wait()
        writing.cancel()
        pause.go_on()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await saver.conn.execute("SELECT 1")  # in line behind the write
        lock_at_once(file)


async def test_a_failed_write_leaves_the_file_to_other_processes(file: Path) -> None:
    async with open_sqlite(file, StrictSerializer()) as saver:
        await saver.aput(CONFIG, CHECKPOINT, {}, {})
        config: Any = {"configurable": {**CONFIG["configurable"], "checkpoint_id": "1"}}
        with pytest.raises(UnicodeEncodeError):
            await saver.aput_writes(config, [("channel", "a value"), ("half of a character \ud800", 1)], "task")
        lock_at_once(file)


async def test_a_write_waits_for_another_process_that_writes(file: Path) -> None:
    async with (
        open_sqlite(file, StrictSerializer()) as one,
        open_sqlite(file, StrictSerializer()) as two,
        Pause(one) as first,
        Pause(two) as second,
    ):
        writing = asyncio.create_task(one.aput(CONFIG, CHECKPOINT, {}, {}))
        await first.entered.wait()
        waiting = asyncio.create_task(two.aput(CONFIG, LATER, {}, {}))
        await second.entered.wait()
        second.go_on()
        first.go_on()
        await asyncio.gather(writing, waiting)
        latest = await one.aget_tuple(CONFIG)
    assert latest is not None
    assert latest.checkpoint["id"] == "2"


@asynccontextmanager
async def start(script: Script, file: Path) -> AsyncGenerator[tuple[httpx.AsyncClient, GuardedSqlite], None]:
    """A server, and its checkpointer."""
    app = create_app(build_graph(script, remember=False), build_settings(checkpoints=f"sqlite:///{file}"))
    opened: list[GuardedSqlite] = []

    @asynccontextmanager
    async def open_and_note(path: Path, serializer: StrictSerializer) -> AsyncGenerator[Any, None]:
        async with open_sqlite(path, serializer) as saver:
            opened.append(saver)
            yield saver

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plano_agents.agent_server.sqlite.open_sqlite", open_and_note)
        async with app.router.lifespan_context(app), call_transport(httpx.ASGITransport(app)) as client:
            yield client, opened[0]


async def fill(saver: GuardedSqlite) -> None:
    """Let the file grow no more."""
    await saver.conn.execute("PRAGMA max_page_count = 1")


async def refuse_writes(saver: GuardedSqlite) -> None:
    """Make the file as good as read-only."""
    await saver.conn.execute("PRAGMA query_only = ON")


@pytest.mark.parametrize("break_store", [fill, refuse_writes])
async def test_a_store_that_takes_nothing_is_a_503_and_no_model_is_asked(
    file: Path, break_store: Callable[[GuardedSqlite], Awaitable[None]]
) -> None:
    script = Script(("gpt-4o",))
    async with start(script, file) as (client, saver):
        assert (await client.post("/agent/run", json=RUN)).status_code == 200
        await saver.conn.execute("VACUUM")  # no page is free
        await break_store(saver)
        refused = await client.post("/agent/run", json=RUN)
        kept = await client.get("/threads/t-1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
    assert (kept.status_code, len(script.asked)) == (200, 1)


async def test_a_store_that_fills_while_a_run_is_on_is_a_503(file: Path) -> None:
    savers: list[GuardedSqlite] = []

    async def fill_now() -> None:
        await fill(savers[0])

    script = Script(("gpt-4o",), wait=fill_now)
    async with start(script, file) as (client, saver):
        savers.append(saver)
        body = {**RUN, "input": "long " * 100_000}
        refused = await client.post("/agent/run", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")


def overwrite(file: Path) -> None:
    file.write_bytes(b"x" * file.stat().st_size)


async def test_a_file_that_is_overwritten_is_a_503(file: Path) -> None:
    async with start(Script(("gpt-4o",)), file) as (client, saver):
        await client.post("/agent/run", json=RUN)
        await saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        overwrite(file)
        await saver.conn.execute("PRAGMA shrink_memory")
        answer = await client.get("/threads/t-1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
