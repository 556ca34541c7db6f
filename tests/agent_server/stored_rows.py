"""Rows of a thread's store, written past the server as somebody would who can reach the store."""

import sqlite3
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from tests.agent_server.hostile_rows import Serialized

THREAD = "t-1"
"""The thread whose rows are changed."""

_SQLITE: dict[str, LiteralString] = {
    "state": "UPDATE checkpoints SET type = ?, checkpoint = ? WHERE thread_id = ?",
    "write": "INSERT OR REPLACE INTO writes (type, value, thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, "
    "channel) SELECT ?, ?, thread_id, checkpoint_ns, checkpoint_id, 'task', '', 0, 'messages' "
    "FROM checkpoints WHERE thread_id = ?",
}
_POSTGRES: dict[str, LiteralString] = {
    "state": "UPDATE checkpoint_blobs SET type = %s, blob = %s WHERE thread_id = %s AND channel = 'messages'",
    "write": "INSERT INTO checkpoint_writes (type, blob, thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, "
    "channel) SELECT %s, %s, thread_id, checkpoint_ns, checkpoint_id, 'task', '', 0, 'messages' FROM checkpoints "
    "WHERE thread_id = %s ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET type = "
    "EXCLUDED.type, blob = EXCLUDED.blob",
}


def execute(url: str, statement: LiteralString, *values: Any) -> None:  # noqa: ANN401 - SQL's
    """Run one statement."""
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        connection = sqlite3.connect(file)
        with connection:
            connection.execute(statement, values)
        connection.close()
    else:
        with psycopg.connect(url, autocommit=True) as database:
            database.execute(statement, values)


def tamper(url: str, where: str, value: Serialized) -> None:
    """Put a value into a thread's state, or into what its last step wrote."""
    statements = _SQLITE if url.startswith("sqlite") else _POSTGRES
    execute(url, statements[where], *value, THREAD)


def set_metadata(url: str, metadata: str) -> None:
    """Replace the metadata of a thread's checkpoints, by JSON."""
    if url.startswith("sqlite"):
        execute(url, "UPDATE checkpoints SET metadata = ? WHERE thread_id = ?", metadata.encode(), THREAD)
    else:
        execute(url, "UPDATE checkpoints SET metadata = %s WHERE thread_id = %s", metadata, THREAD)
