"""The agent server's memory: its threads, the owner of each, and the run that holds it.

A thread belongs to whose API key made it, as its checkpoints' metadata says; to everybody else there is no such
thread. How the state is kept is LangGraph's checkpointers' business, where they keep it ``checkpoints``'.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, cast

from langchain_core.messages import AnyMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import StateSnapshot

from plano_agents.affinity import CONFIGURABLE_KEY, SOURCE_KEY, derive_affinity_id
from plano_agents.agent_server.checkpoints import DEFAULT_URL, SharedLocks, name_place, open_checkpoints
from plano_agents.agent_server.guarded import Guarded, build_unavailable, build_unreadable
from plano_agents.agent_server.history import Thread, ThreadMessage, describe_messages
from plano_agents.agent_server.lifetime import sweep
from plano_agents.agent_server.settings import ServerSettings
from plano_agents.agent_server.state_types import find_state_types, load_types
from plano_agents.agent_server.threads import ThreadLocks
from plano_agents.agent_server.tools import Graph
from plano_agents.errors import (
    ConfigError,
    PlanoError,
    RequestError,
    ThreadBusyError,
    ThreadNotFoundError,
)
from plano_agents.integrations.encodable import clean_text

OWNER_KEY = "plano_owner"
"""The key of a checkpoint's metadata that names whose thread it is."""

SHARED_POLL_SECONDS = 0.1
"""How often a run in line looks whether another process is done with its thread."""


class HeldThread:
    """A thread that a run has to itself.

    Args:
        graph: The graph to run; where there is no thread, one that keeps nothing.
        state: The thread's state as the run finds it; None where there is no thread.
        held: What lets the next run have the thread.
    """

    def __init__(self, graph: Graph, state: StateSnapshot | None, held: AsyncExitStack) -> None:
        self.graph = graph
        """The graph to run."""
        self._state = state
        self._held = held

    def take_messages(self) -> Sequence[AnyMessage]:
        """Give the conversation as the run finds it, once: it is not kept while the run goes on."""
        state, self._state = self._state, None
        return state.values.get("messages", []) if state is not None else []

    async def release(self) -> None:
        """Let the next run have the thread; nothing happens the second time."""
        await self._held.aclose()


class Memory:
    """A graph's threads.

    Args:
        graph: The graph; its own checkpointer is used unless the settings name a place.
        settings: Where threads are kept, and what becomes of a run on a busy one.
    """

    def __init__(self, graph: Graph, settings: ServerSettings) -> None:
        self._url = _choose_url(graph, settings)
        if self._url is None and settings.threads.ttl is not None:
            raise ConfigError(
                "threads.ttl: the graph keeps its threads in a checkpointer of its own, which this server does not "
                "clear. Name a place under 'checkpoints', or leave threads.ttl out."
            )
        self._forgetful = graph.copy(update={"checkpointer": None})
        self._graph = graph if self._url is None else self._forgetful
        self._is_open = self._url is None or self._url == "none"
        self._settings = settings
        self._allowed = find_state_types(graph).union(*map(load_types, settings.checkpoint_types))
        self._locks = ThreadLocks(max_waiting=settings.max_waiting)
        self._saver: Guarded | None = None  # None for the graph's own
        self._shared: SharedLocks | None = None
        self._changes = 0  # how often a run began or ended here

    @property
    def remembers(self) -> bool:
        """True if threads can be continued."""
        return self._url != "none"

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None, None]:
        """Open the place where threads are kept, for as long as the context is; it may be open already.

        Raises:
            ConfigError: It cannot be opened.
        """
        if self._is_open or self._url is None:
            yield
            return
        async with open_checkpoints(self._url, self._allowed) as opened:
            assert opened is not None  # noqa: S101 - it is none of those that are open from the start
            self._graph = self._forgetful.copy(update={"checkpointer": opened.saver})
            self._saver, self._shared, self._is_open = opened.saver, opened.locks, True
            ttl_seconds = self._settings.threads.ttl
            sweeping = asyncio.create_task(sweep(self.forget, ttl_seconds)) if ttl_seconds is not None else None
            try:
                yield
            finally:
                if sweeping is not None:
                    sweeping.cancel()
                    await asyncio.wait([sweeping])
                self._graph, self._is_open = self._forgetful, False
                self._saver = self._shared = None

    @asynccontextmanager
    async def hold(self, thread_id: str | None, *, run_id: str, owner: str) -> AsyncGenerator[HeldThread, None]:
        """Keep other runs off a thread until the context ends, or the run releases it before.

        Raises:
            RequestError: The agent remembers no threads.
            ThreadBusyError: Another run has it, and there is no place in line.
            ThreadNotFoundError: It is somebody else's.
            StoreUnavailableError: What is kept cannot be read.
        """
        if thread_id is None:
            yield HeldThread(self._forgetful, None, AsyncExitStack())
            return
        if not self.remembers:
            raise RequestError(
                f"This agent keeps no threads, so there is no thread {thread_id!r} to continue. Leave thread_id "
                "out, or have the server started with another place for 'checkpoints' than 'none'.",
                param="thread_id",
            )
        if not _can_be_kept(thread_id):
            raise RequestError(
                f"A thread_id may not contain NUL or half of a surrogate pair; got {thread_id!r}.", param="thread_id"
            )
        changes = self._changes
        # Before a place in line, which would tell that a run is on.
        state = await self._load_own(thread_id, owner)
        async with AsyncExitStack() as held:
            await self._locks.acquire(thread_id, run_id)
            held.callback(self._locks.release, thread_id, run_id)
            await self._acquire_shared(thread_id, held)
            if self._shared is not None or self._changes != changes:  # a run may have come between
                state = await self._load_own(thread_id, owner)
            if self._saver is not None:  # before a model is asked for what could not be kept
                await self._saver.check_writable()
            self._note_change()
            held.callback(self._note_change)
            thread = HeldThread(self._graph, state, held)
            del state  # the run takes it, and lets go of it
            yield thread

    def _note_change(self) -> None:
        self._changes += 1

    async def _load_own(self, thread_id: str, owner: str) -> StateSnapshot:
        """Read a thread's state, unless it is somebody else's."""
        state = await self.load(thread_id)
        if state.metadata is not None and _owner(state.metadata) != owner:
            raise _not_found(thread_id, "Use another thread_id.")
        return state

    async def load(self, thread_id: str) -> StateSnapshot:
        """Read a thread's state, of any owner.

        Raises:
            StoreUnavailableError: The store does not answer.
            ThreadUnreadableError: What is stored is not a conversation's state.
        """
        if not self._is_open:
            raise PlanoError(
                "The agent server has not opened its thread store, because its lifespan did not run. An app "
                "that mounts it has to enter create_app(…).router.lifespan_context in its own lifespan."
            )
        try:
            state = await self._graph.aget_state({"configurable": {"thread_id": thread_id}})
        except PlanoError:
            raise
        except Exception as error:
            # A guarded store has told its own errors already; what is left is LangGraph's, of what it read there.
            build = build_unavailable if self._saver is None else partial(build_unreadable, thread_id)
            raise build(error) from error
        _check_state(thread_id, state)
        return state

    async def read(self, thread_id: str, owner: str) -> Thread:
        """Tell a conversation.

        Raises:
            ThreadNotFoundError: There is none, or it is somebody else's.
            StoreUnavailableError: It cannot be read.
        """
        state = await self._find(thread_id, owner)
        metadata = cast("dict[str, Any]", state.metadata or {})
        return Thread(
            thread_id=thread_id,
            affinity_id=str(metadata.get(CONFIGURABLE_KEY) or derive_affinity_id(thread_id)),
            updated_at=state.created_at,
            is_running=self._locks.is_busy(thread_id),
            messages=_describe(thread_id, state),
        )

    async def delete(self, thread_id: str, *, run_id: str, owner: str) -> None:
        """Forget a conversation.

        Raises:
            ThreadNotFoundError: There is none, or it is somebody else's.
            ThreadBusyError: A run is on it.
            StoreUnavailableError: It cannot be reached.
        """
        await self._find(thread_id, owner)
        async with self.hold(thread_id, run_id=run_id, owner=owner):
            saver = cast("BaseCheckpointSaver[Any]", self._graph.checkpointer)
            try:
                await saver.adelete_thread(thread_id)
            except PlanoError:
                raise
            except Exception as error:
                raise build_unavailable(error) from error

    async def forget(self, moment: str) -> int:
        """Forget the threads without a step since a moment, of any owner, unless a run is on them.

        Args:
            moment: See `plano_agents.agent_server.lifetime.encode_moment`.

        Returns:
            How many were forgotten.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        saver, count = self._saver, 0
        if saver is None:
            return count
        sweep_id = f"sweep-{moment}"
        for thread_id in await saver.list_idle(moment):
            if self._locks.is_busy(thread_id):
                continue
            async with AsyncExitStack() as held:
                await self._locks.acquire(thread_id, sweep_id)
                held.callback(self._locks.release, thread_id, sweep_id)
                if self._shared is not None:
                    if not await self._try_shared(self._shared, thread_id):
                        continue
                    held.push_async_callback(_release_shared, self._shared, thread_id)
                if await saver.list_idle(moment, thread_id):  # a run may have come between
                    await saver.adelete_thread(thread_id)
                    count += 1
        return count

    async def _find(self, thread_id: str, owner: str) -> StateSnapshot:
        if self.remembers and _can_be_kept(thread_id):
            state = await self.load(thread_id)
            if state.metadata is not None and _owner(state.metadata) == owner:
                return state
        raise _not_found(thread_id, "A run with this thread_id begins it.")

    async def _acquire_shared(self, thread_id: str, held: AsyncExitStack) -> None:
        """Keep the runs of other processes off a thread, too, for as long as it is held."""
        if self._shared is None:
            return
        while not await self._try_shared(self._shared, thread_id):
            if not self._settings.max_waiting:
                raise ThreadBusyError(
                    f"A run on the thread {thread_id!r} is under way on another server. Wait for its answer, or use "
                    "another thread_id.",
                    param="thread_id",
                )
            await asyncio.sleep(SHARED_POLL_SECONDS)
        held.push_async_callback(_release_shared, self._shared, thread_id)

    async def _try_shared(self, locks: SharedLocks, thread_id: str) -> bool:
        try:
            return await locks.try_acquire(thread_id)
        except Exception as error:
            raise build_unavailable(error) from error


async def _release_shared(locks: SharedLocks, thread_id: str) -> None:
    await asyncio.shield(locks.release(thread_id))


def build_config(
    settings: ServerSettings, *, affinity_id: str, thread_id: str | None, owner: str, has_own_id: bool
) -> RunnableConfig:
    """Build the configuration of a run: its ids, and its limit of steps.

    Args:
        settings: The limit of steps.
        affinity_id: The run's affinity id.
        thread_id: Its thread; None for none.
        owner: Whose API key asked.
        has_own_id: Whether the affinity id was made for this run alone, so that earlier runs decide nothing for it.
    """
    config: RunnableConfig = {
        "recursion_limit": settings.recursion_limit,
        "configurable": {CONFIGURABLE_KEY: affinity_id},
        "metadata": {OWNER_KEY: owner},
    }
    if thread_id is not None:
        config["configurable"]["thread_id"] = thread_id
    if has_own_id:
        config["configurable"][SOURCE_KEY] = "run"
    return config


def describe_place(graph: Graph, settings: ServerSettings) -> str:
    """Name where a graph's threads are kept, without user and password."""
    url = _choose_url(graph, settings)
    return "the graph's own checkpointer" if url is None else name_place(url)


def _choose_url(graph: Graph, settings: ServerSettings) -> str | None:
    """Choose where threads are kept; None for the graph's own checkpointer."""
    if settings.checkpoints is not None:
        return settings.checkpoints.get_secret_value()
    if isinstance(graph.checkpointer, BaseCheckpointSaver):
        return None
    return "none" if graph.checkpointer is False else DEFAULT_URL


def _can_be_kept(thread_id: str) -> bool:
    """Check whether every store can hold an id: Postgres has no NUL, and none has half of a surrogate pair."""
    return "\0" not in thread_id and clean_text(thread_id) == thread_id


def _check_state(thread_id: str, state: StateSnapshot) -> None:
    """See that what was stored has the form of a conversation's state."""
    metadata: object = state.metadata
    messages = state.values.get("messages", []) if isinstance(state.values, Mapping) else None
    if (
        not isinstance(metadata, Mapping | None)
        or not isinstance(messages, list)
        or not all(isinstance(each, BaseMessage) and isinstance(each.content, str | list) for each in messages)
    ):
        raise build_unreadable(thread_id, TypeError())


def _describe(thread_id: str, state: StateSnapshot) -> tuple[ThreadMessage, ...]:
    try:
        return describe_messages(state.values.get("messages", []))
    except Exception as error:
        raise build_unreadable(thread_id, error) from error


def _owner(metadata: Mapping[str, Any]) -> str:
    return str(metadata.get(OWNER_KEY, ""))


def _not_found(thread_id: str, way_out: str) -> ThreadNotFoundError:
    return ThreadNotFoundError(f"There is no thread {thread_id!r}. {way_out}", param="thread_id")
