"""Threads in Postgres: LangGraph's checkpointer on a pool, and locks that all servers on the database see.

The locks are Postgres' session-level advisory locks, held on one connection for each server; where that breaks they
are gone with it, and taken anew for the runs that follow.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString

import psycopg
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from plano_agents.agent_server.guarded import Guarded
from plano_agents.agent_server.serializer import StrictSerializer
from plano_agents.errors import ConfigError

POOL_SIZE = 10
"""How many connections the checkpointer opens at most; steps wait for one, and need it for milliseconds."""
OPEN_SECONDS = 10.0
"""How long Postgres may take to answer at the start, and a step may wait for a connection."""

SETUP_POLL_SECONDS = 0.1
"""How often a server that starts looks whether another is done with the tables."""

_SETUP_LOCK = "plano-agents setup"


class GuardedPostgres(Guarded, AsyncPostgresSaver):
    """Threads in a database."""

    store_errors = (psycopg.Error, OSError)

    async def select_idle(self, moment: str, thread_id: str | None) -> list[str]:
        """See `Guarded.list_idle`."""
        async with self._cursor() as cursor:
            await cursor.execute(
                "SELECT thread_id FROM checkpoints WHERE thread_id = coalesce(%s, thread_id) "
                'GROUP BY thread_id HAVING max(checkpoint_id COLLATE "C") < %s',
                (thread_id, moment),
            )
            return [str(row["thread_id"]) for row in await cursor.fetchall()]


@asynccontextmanager
async def open_postgres(
    url: str, serializer: StrictSerializer
) -> AsyncGenerator[tuple[GuardedPostgres, "AdvisoryLocks"], None]:
    """Open a database for as long as the context is; its tables are made, or brought up to date.

    Args:
        url: A ``postgresql://`` URL, with libpq's options.
        serializer: Reads and writes the threads' state.

    Yields:
        The checkpointer, and the locks that all servers on the database see.

    Raises:
        ConfigError: It does not answer, or refuses.
    """
    place = _name_database(url)
    locks = AdvisoryLocks(url)
    pool: AsyncConnectionPool[psycopg.AsyncConnection[DictRow]] = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=POOL_SIZE,
        timeout=OPEN_SECONDS,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        open=False,
        check=AsyncConnectionPool.check_connection,
    )
    try:
        try:
            saver = await _set_up(pool, locks, serializer)
        except (psycopg.Error, PoolTimeout, OSError) as error:
            raise ConfigError(
                f"Cannot keep threads in Postgres at {place}: {_explain(error)}. Start it, or name another database "
                "or place."
            ) from error
        yield saver, locks
    finally:
        await locks.close()
        await pool.close()


async def _set_up(
    pool: AsyncConnectionPool[psycopg.AsyncConnection[DictRow]],
    locks: "AdvisoryLocks",
    serializer: StrictSerializer,
) -> GuardedPostgres:
    """Connect, and make the tables; servers that start together take turns."""
    # Not by waiting for the lock: the index that setup builds concurrently would wait for a process that waits so.
    while not await locks.try_acquire(_SETUP_LOCK):  # noqa: ASYNC110 - other processes set no event
        await asyncio.sleep(SETUP_POLL_SECONDS)
    try:
        await pool.open(wait=True, timeout=OPEN_SECONDS)
        saver = GuardedPostgres(pool, serde=serializer)
        await saver.setup()
    finally:
        await locks.release(_SETUP_LOCK)
    return saver


class AdvisoryLocks:
    """Locks by name, of this server among all on the database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._connecting = asyncio.Lock()

    async def try_acquire(self, thread_id: str) -> bool:
        """Take a thread's lock, unless another server has it."""
        return await self._ask("SELECT pg_try_advisory_lock(%s)", thread_id) is True

    async def release(self, thread_id: str) -> None:
        """Give it back; without a connection there is nothing left to give."""
        with suppress(psycopg.Error):
            await self._ask("SELECT pg_advisory_unlock(%s)", thread_id)

    async def close(self) -> None:
        """Give everything back."""
        if self._connection is not None:
            await self._connection.close()

    async def _ask(self, question: LiteralString, name: str) -> object:
        try:
            connection = await self._connect()
            cursor = await connection.execute(question, (_number(name),))
        except psycopg.OperationalError:
            # That a connection was lost while nobody used it is noticed by its next use.
            connection = await self._connect()
            cursor = await connection.execute(question, (_number(name),))
        row = await cursor.fetchone()
        return row[0] if row is not None else None

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, prepare_threshold=0, connect_timeout=round(OPEN_SECONDS)
                )
            return self._connection


def _number(name: str) -> int:
    """The 64 bits that Postgres names a lock by."""
    digest = hashlib.sha256(f"plano-agents {name}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], signed=True)


def _name_database(url: str) -> str:
    """Name a database without user and password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise ConfigError(
            "The URL of the threads' database is not a Postgres URL. Write one such as 'postgresql://user@host:5432/database'."
        ) from None
    return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"


def _explain(error: Exception) -> str:
    """The first line of what went wrong, which names the server's own reason and no password."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
