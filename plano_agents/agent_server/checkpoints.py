"""Checkpoint stores for threads: LangGraph's own checkpointers, chosen by URL.

=====================================  =================================================================
``sqlite:///threads.sqlite``           a file, relative to the working directory (four slashes: absolute)
``postgresql://user@host/database``    Postgres (extra ``postgres``), for any number of servers
``memory``                             this process's memory, gone when it ends
``none``                               nowhere
=====================================  =================================================================

A SQLite file is one server's; servers that share a Postgres keep each other's runs off a thread by its advisory locks.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plano_agents.agent_server.guarded import Guarded, GuardedMemory
from plano_agents.agent_server.serializer import StrictSerializer
from plano_agents.agent_server.state_types import TypeName
from plano_agents.errors import ConfigError
from plano_agents.extras import describe_missing

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

    saver: Guarded
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
    raise ValueError(f"{shown!r} is not a place for threads; write {_FORMS}")


def name_place(url: str) -> str:
    """Name a store without user, password and options."""
    if not url.startswith(POSTGRES):
        return url
    rest = url.partition("://")[2]
    return f"postgresql://{rest.rpartition('@')[2].partition('?')[0]}"


@asynccontextmanager
async def open_checkpoints(
    url: str, allowed: frozenset[TypeName] = frozenset()
) -> AsyncGenerator[Checkpoints | None, None]:
    """Open a store for as long as the context is.

    Args:
        url: One of the forms above.
        allowed: Types that threads' state may hold, beside the standard ones.

    Yields:
        The store; None for ``none``.

    Raises:
        ConfigError: It cannot be opened, or its package is not installed.
    """
    serializer = StrictSerializer(allowed)
    if url == "none":
        yield None
    elif url == "memory":
        yield Checkpoints(GuardedMemory(serde=serializer))
    elif url.startswith(POSTGRES):
        try:
            from plano_agents.agent_server.postgres import open_postgres  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise ConfigError(describe_missing("A postgresql:// checkpointer", "postgres", error.name)) from error
        async with open_postgres(url, serializer) as (saver, locks):
            yield Checkpoints(saver, locks)
    else:
        from plano_agents.agent_server.sqlite import open_sqlite  # noqa: PLC0415 - takes a moment

        async with open_sqlite(Path(url.removeprefix(SQLITE)), serializer) as saver:
            yield Checkpoints(saver)
