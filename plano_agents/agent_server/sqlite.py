"""Threads in an SQLite file: LangGraph's checkpointer on one connection."""

import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from plano_agents.agent_server.guarded import Guarded
from plano_agents.agent_server.serializer import StrictSerializer
from plano_agents.errors import ConfigError

BUSY_SECONDS = 30.0
"""How long a statement waits for another process that writes: an old server that ends while a new one starts."""


class GuardedSqlite(Guarded, AsyncSqliteSaver):
    """Threads in a file."""

    store_errors = (sqlite3.Error, OSError)

    async def select_idle(self, moment: str, thread_id: str | None) -> list[str]:
        """See `Guarded.list_idle`."""
        question = (
            "SELECT thread_id FROM checkpoints WHERE thread_id = coalesce(?, thread_id) "
            "GROUP BY thread_id HAVING max(checkpoint_id) < ?"
        )
        async with self.lock, self.conn.execute(question, (thread_id, moment)) as cursor:
            return [str(row[0]) for row in await cursor.fetchall()]

    async def recover(self) -> None:
        """Give the file's lock back: a statement that fails leaves its transaction open."""
        async with self.lock:
            await self.conn.rollback()


@asynccontextmanager
async def open_sqlite(path: Path, serializer: StrictSerializer) -> AsyncGenerator[GuardedSqlite, None]:
    """Open a file for as long as the context is.

    Args:
        path: The file, which is made if there is none.
        serializer: Reads and writes the threads' state.

    Raises:
        ConfigError: It cannot be opened.
    """
    try:
        # Conversations are nobody else's to read; what SQLite puts beside the file has the file's permissions.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = aiosqlite.connect(path, timeout=BUSY_SECONDS)
        await connection
    except (OSError, sqlite3.Error) as error:
        raise _explain(path, error) from error
    try:
        saver = GuardedSqlite(connection, serde=serializer)
        try:
            await saver.setup()
            await connection.execute("PRAGMA synchronous=NORMAL")  # safe in the WAL mode that setup chose
        except sqlite3.Error as error:
            raise _explain(path, error) from error
        yield saver
    finally:
        await connection.close()


def _explain(path: Path, error: Exception) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ConfigError(
        f"Cannot keep threads in the SQLite file {str(path)!r}: {reason}. Name another place under 'checkpoints'."
    )
