"""The state of one server, as its connections share it: limits, budget, tasks, and which connections are open."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from plano_agents.http.server.answer_head import Beginnings
from plano_agents.http.server.budget import BufferBudget
from plano_agents.http.server.limits import HttpLimits


class Member(Protocol):
    """A connection, as a server that stops sees it."""

    def finish(self) -> None:
        """Close, once the request that is being answered is done, or the next one, if it comes soon."""

    def interrupt(self) -> None:
        """End what is served without a task, and tell its client so."""

    def abandon(self) -> None:
        """Close, whatever is being answered."""


class ServerState:
    """The state of one server, as its connections share it.

    Args:
        limits: What one client may take.
        budget: Where buffered bytes count; None for one of its own.
        on_refused: Gets the error's code of every request that could not be read, or its answer not be kept.
    """

    __slots__ = (
        "_emptied",
        "beginnings",
        "budget",
        "idle_seconds",
        "is_stopping",
        "least_body_bytes",
        "least_sent_bytes",
        "limits",
        "members",
        "on_refused",
        "tasks",
    )

    def __init__(
        self,
        limits: HttpLimits | None = None,
        budget: BufferBudget | None = None,
        on_refused: Callable[[str], None] = lambda _code: None,
    ) -> None:
        self.limits = limits = limits if limits is not None else HttpLimits()
        """What one client may take."""
        self.least_body_bytes = limits.count_least(limits.body_seconds)
        """How much of a body has to come in its time."""
        self.least_sent_bytes = limits.count_least(limits.send_seconds)
        """How much of an answer has to be taken in its time."""
        self.budget = budget if budget is not None else BufferBudget()
        """Where buffered bytes count."""
        self.on_refused = on_refused
        """Gets the code of what was refused."""
        self.beginnings = Beginnings()
        """How answers begin, by their status."""
        self.tasks: set[asyncio.Task[None]] = set()
        """The tasks that serve requests."""
        self.members: set[Member] = set()
        """The connections that are open."""
        self.is_stopping = False
        """True if the server stops: each connection gets one more answer, which says that it closes."""
        self.idle_seconds = limits.keep_alive_seconds
        """How long a connection may be idle between requests; shorter once the server stops."""
        self._emptied: asyncio.Event | None = None

    def stop(self) -> None:
        """Have every connection close: after the answer that it waits for, or the next one, or a moment of silence."""
        self.is_stopping = True
        self.idle_seconds = self.limits.farewell_seconds
        for member in list(self.members):
            member.finish()

    def hold(self, task: "asyncio.Task[None]") -> None:
        """Wait, as the server stops, for a task that may outlast its request."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def leave(self, member: Member) -> None:
        """Take a connection out that is lost."""
        self.members.discard(member)
        if self._emptied is not None and not self.members:
            self._emptied.set()

    async def wait_until_left(self) -> None:
        """Wait until no connection is open and no task serves."""
        if self.members:
            self._emptied = asyncio.Event()
            await self._emptied.wait()
        if self.tasks:
            await asyncio.wait(set(self.tasks))
