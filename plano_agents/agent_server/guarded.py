"""LangGraph's checkpointers, with errors that name the thread or the store, and operations that are not cut in two.

An operation that began is finished though its run is cancelled: half of a transaction would stay open, and keep every
other process off an SQLite file.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.memory import InMemorySaver

from plano_agents.agent_server.serializer import RefusedTypeError
from plano_agents.errors import PlanoError, StoreUnavailableError, ThreadUnreadableError
from plano_agents.observe.log import Fault, quote

PROBE_BYTES = 16 * 1024
"""How much is written to see that a store takes a run's first checkpoint."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Guarded(BaseCheckpointSaver[Any]):
    """Mixed in before one of LangGraph's checkpointers."""

    store_errors: ClassVar[tuple[type[Exception], ...]] = ()
    """What is raised where the store cannot be reached, or refuses."""

    async def check_writable(self) -> None:
        """Write something, and delete it.

        Raises:
            StoreUnavailableError: The store does not take it: it is full, read-only or gone.
        """
        thread_id = f"plano-agents/probe/{uuid.uuid4()}"
        place = {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": "probe"}
        await self.aput_writes({"configurable": place}, [("probe", bytes(PROBE_BYTES))], "probe")
        await self.adelete_thread(thread_id)

    async def list_idle(self, moment: str, thread_id: str | None = None) -> list[str]:
        """List the threads without a step since a moment.

        Args:
            moment: See `plano_agents.agent_server.lifetime.encode_moment`.
            thread_id: The only thread to look at; None for all.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        with self._reaching():
            return await self._finish(self.select_idle(moment, thread_id))

    async def select_idle(self, moment: str, thread_id: str | None) -> list[str]:
        """Do what `list_idle` says, in a store."""
        raise NotImplementedError

    async def recover(self) -> None:
        """Undo what a failed operation left behind."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `BaseCheckpointSaver`."""
        with self._reading(config):
            return await self._finish(super().aget_tuple(config))

    async def alist(  # noqa: D102 - LangGraph's
        self,
        config: RunnableConfig | None,
        **options: Any,  # noqa: ANN401 - LangGraph's
    ) -> AsyncIterator[CheckpointTuple]:
        with self._reading(config):
            async for found in super().alist(config, **options):
                yield found

    async def aget_delta_channel_history(  # noqa: D102 - LangGraph's
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        with self._reading(config):
            return await self._finish(super().aget_delta_channel_history(config=config, channels=channels))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `BaseCheckpointSaver`."""
        with self._writing():
            return await self._finish(super().aput(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """See `BaseCheckpointSaver`."""
        with self._writing():
            await self._finish(super().aput_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """See `BaseCheckpointSaver`."""
        with self._writing():
            await self._finish(super().adelete_thread(thread_id))

    async def _finish(self, operation: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(self._run(operation))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    async def _run(self, operation: Coroutine[Any, Any, T]) -> T:
        try:
            return await operation
        except Exception:
            await self.recover()
            raise

    @contextmanager
    def _reading(self, config: RunnableConfig | None) -> Iterator[None]:
        try:
            with self._reaching():
                yield
        except PlanoError:
            raise
        except Exception as error:
            thread_id = (config or {}).get("configurable", {}).get("thread_id")
            raise build_unreadable(thread_id, error) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._reaching():
                yield
        except RefusedTypeError as error:
            _log.error("a run's state holds a type that is not allowed: %s", error.name)
            raise PlanoError(
                f"The agent's state holds a value of a type that threads may not hold: {error.name}. Name it under "
                "'checkpoint_types' in the server's settings."
            ) from error

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except self.store_errors as error:
            raise build_unavailable(error) from error


class GuardedMemory(Guarded, InMemorySaver):
    """Threads in this process's memory."""

    async def select_idle(self, moment: str, thread_id: str | None) -> list[str]:
        """See `Guarded.list_idle`."""
        latest = {
            name: max((checkpoint for space in spaces.values() for checkpoint in space), default=moment)
            for name, spaces in self.storage.items()
            if thread_id in {None, name}
        }
        return [name for name, checkpoint in latest.items() if checkpoint < moment]


def build_unreadable(thread_id: str | None, error: Exception) -> ThreadUnreadableError:
    """Log that a thread cannot be read, and build the client's error."""
    if isinstance(error, RefusedTypeError):
        _log.error(
            "thread %s cannot be read: its state names a type that is not allowed: %s", quote(thread_id), error.name
        )
    else:
        _log.error(Fault(f"thread {quote(thread_id)} cannot be read", error))
    return ThreadUnreadableError(
        f"The thread {thread_id!r} cannot be read: what is stored is not the state of a conversation that this server "
        "would have written. Use another thread_id; the server's log says what was refused.",
        param="thread_id",
    )


def build_unavailable(error: Exception) -> StoreUnavailableError:
    """Log that the store cannot be reached, and build the client's error."""
    _log.error(Fault("threads cannot be reached", error))
    return StoreUnavailableError(
        "The thread store does not answer or is full. Send the request again; the server's log says why."
    )
