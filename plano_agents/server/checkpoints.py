"""Where threads are remembered: LangGraph's own checkpointers, by URL.

=====================================  =================================================================
``sqlite:///threads.sqlite``           a file, relative to the working directory (four slashes: absolute)
``postgresql://user@host/database``    Postgres (extra ``postgres``), for any number of servers
``memory``                             this process's memory, gone when it ends
``none``                               nowhere
=====================================  =================================================================

A SQLite file is one server's; servers that share a Postgres keep each other's runs off a thread by its advisory locks.
"""

import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from plano_agents.errors import ConfigError

DEFAULT_URL = "sqlite:///threads.sqlite"
"""Where threads are remembered if nothing else is said."""

SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgres://")
_FORMS = f"{DEFAULT_URL!r}, 'postgresql://user@host/database', 'memory' or 'none'"


class SharedLocks(Protocol):
    """Keeps the runs of other processes off a thread."""

    async def try_acquire(self, thread_id: str) -> bool:
        """Take a thread, unless another process has it."""

    async def release(self, thread_id: str) -> None:
        """Give it back."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """An open store of threads."""

    saver: BaseCheckpointSaver[Any]
    """Keeps the graph's state."""
    locks: SharedLocks | None = None
    """Keeps other processes' runs off a thread; None where no other process shares the store."""


def check_checkpoints_url(url: str) -> str:
    """See that a URL is one of the forms above.

    Raises:
        ValueError: It is not; a password in it is not repeated.
    """
    if url in {"memory", "none"} or url.startswith(POSTGRES):
        return url
    if url.startswith(SQLITE) and len(url) > len(SQLITE):
        return url
    shown = url.rpartition("@")[2]
    raise ValueError(f"{shown!r} is no place for threads; write {_FORMS}")


def name_place(url: str) -> str:
    """Name a store without user, password and options."""
    if not url.startswith(POSTGRES):
        return url
    rest = url.partition("://")[2]
    return f"postgresql://{rest.rpartition('@')[2].partition('?')[0]}"


@asynccontextmanager
async def open_checkpoints(url: str) -> AsyncGenerator[Checkpoints | None, None]:
    """Open a store for as long as the context is.

    Args:
        url: One of the forms above.

    Yields:
        The store; None for ``none``.

    Raises:
        ConfigError: It cannot be opened, or its package is not installed.
    """
    if url == "none":
        yield None
    elif url == "memory":
        yield Checkpoints(InMemorySaver())
    elif url.startswith(POSTGRES):
        try:
            from plano_agents.server.postgres import open_postgres  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"Threads in Postgres need the package {error.name!r}, which is not installed. Run: "
                "pip install 'plano-agents[postgres]' (in a clone: scripts/uv sync --extra postgres)."
            ) from error
        async with open_postgres(url) as opened:
            yield opened
    else:
        async with _open_sqlite(Path(url.removeprefix(SQLITE))) as saver:
            yield Checkpoints(saver)


@asynccontextmanager
async def _open_sqlite(path: Path) -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
    import aiosqlite  # noqa: PLC0415 - takes a moment
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # noqa: PLC0415

    try:
        # Conversations are nobody else's to read; what SQLite puts beside the file has the file's permissions.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = aiosqlite.connect(path)
        await connection
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(_explain(path, error)) from error
    try:
        saver = AsyncSqliteSaver(connection)
        try:
            await saver.setup()
            await connection.execute("PRAGMA synchronous=NORMAL")  # safe in the WAL mode that setup chose
        except sqlite3.Error as error:
            raise ConfigError(_explain(path, error)) from error
        yield saver
    finally:
        await connection.close()


def _explain(path: Path, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"Cannot keep threads in the SQLite file {str(path)!r}: {reason}. Name another place: {_FORMS}."
