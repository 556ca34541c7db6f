"""Commands to one Redis server, batched: all that is asked while one batch is under way goes out as the next.

So a thousand concurrent requests cost a few round trips instead of a thousand connections; and a caller that stops
waiting leaves its answer to nobody, for the batch reads every reply and gives each to the command that asked for it. A
batch that is not answered in time fails, and with it all that waits behind it. Time counts from when a batch goes
out: a crowd that waits for its turn is this process's business, and no sign that the server is out.

Nothing is sent twice. A connection that was closed while nobody used it is opened anew, but a command whose answer got
lost may have been carried out, and once more could undo what others did meanwhile: bring back a pin that was dropped.

A server that answers with an error, as one does that loads its data or is a replica by now, is left: the next batch
connects anew, by the name that the address has then, or to the master that the Sentinels name then.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from plano_agents.config.store_url import StoreUrl, parse_store_url
from plano_agents.sessions.redis_commands import (
    Argument,
    Command,
    Reply,
    StoreFailedError,
    check_replies,
    explain,
    is_of_the_server,
)
from plano_agents.sessions.redis_link import build_link

MAX_BATCH = 512
"""How many commands go out together."""

LATE_PASSES = 20
"""How often the event loop still looks for an answer once time is over: if it was busy, one may lie in the socket."""


def _new_future() -> "asyncio.Future[list[Reply] | StoreFailedError]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class _Asked:
    """Commands that somebody waits for."""

    commands: Sequence[Command]
    """In order."""
    replies: "asyncio.Future[list[Reply] | StoreFailedError]" = field(default_factory=_new_future)
    """What came of them. A failure is a result too: a caller that stopped waiting need not have seen it."""


class RedisConnection:
    """One server, by its URL: a fixed one, or the master that Sentinels name.

    Args:
        address: See `plano_agents.config.store_url`, or such a URL; user, password, database and redis-py's ``ssl_*``
            options stand in it.
        timeout_seconds: How long the server may take to answer, finding it and connecting included.

    Raises:
        ValueError: The URL is none of Redis', or has an option that redis-py does not know.
    """

    is_sharded = False

    def __init__(self, address: str | StoreUrl, *, timeout_seconds: float = 0.25) -> None:
        self._address = parse_store_url(address) if isinstance(address, str) else address
        self._pool, self._link, self._sentinels = build_link(self._address)
        self._timeout_seconds = timeout_seconds
        self._asked: list[_Asked] = []
        self._flushing: asyncio.Task[None] | None = None
        self._is_refused = False
        self._fixed_node = str(self._address.nodes[0]) if self._sentinels is None else ""
        self._timer: asyncio.Handle

    async def call(self, *command: Argument) -> Reply:
        """See `Connection.call`."""
        return (await self.call_many([command]))[0]

    async def call_many(self, commands: Sequence[Command]) -> list[Reply]:
        """See `Connection.call_many`."""
        replies = await self.ask(commands) if commands else []
        check_replies(replies)
        return replies

    async def ask(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands in order; each one's error is its reply.

        Args:
            commands: At least one.

        Raises:
            StoreFailedError: There was no reply in time.
        """
        asked = _Asked(commands)
        self._asked.append(asked)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        replies = await asked.replies
        if isinstance(replies, StoreFailedError):
            raise replies
        return replies

    async def call_shard(self, tag: str, *command: Argument) -> Reply:  # noqa: ARG002 - there is one
        """See `Connection.call_shard`."""
        return await self.call(*command)

    async def list_shards(self) -> Sequence[str]:
        """See `Connection.list_shards`."""
        return ("",)

    def find_shard(self, key: bytes) -> str:  # noqa: ARG002 - there is one
        """See `Connection.find_shard`."""
        return ""

    def find_node(self, key: bytes) -> str:  # noqa: ARG002 - there is one
        """See `Connection.find_node`."""
        return self.node

    def list_masters(self) -> Sequence[str]:
        """See `Connection.list_masters`."""
        return (self.node,) if self.node else ()

    @property
    def node(self) -> str:
        """The server's address; empty as long as no Sentinel has told it."""
        return self._fixed_node if self._sentinels is None else self._sentinels.found

    async def aclose(self) -> None:
        """See `Connection.aclose`."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.wait({self._flushing})
            self._flushing = None
        self._fail_waiting("the router stops")  # a task that is cancelled before it began does nothing itself
        await self._link.disconnect()
        if self._sentinels is not None:
            await self._sentinels.aclose()

    async def _flush(self) -> None:
        """Send batch after batch until nobody waits."""
        batch: list[_Asked] = []
        try:
            while self._asked:
                batch = self._take_batch()
                try:
                    replies = await self._send(batch)
                except StoreFailedError as error:
                    _fail(batch, str(error))
                    self._fail_waiting(str(error))
                else:
                    _deliver(batch, replies)
        finally:
            self._flushing = None
            _fail(batch, "the router stops")

    def _fail_waiting(self, reason: str) -> None:
        waiting, self._asked = self._asked, []
        _fail(waiting, reason)

    def _take_batch(self) -> list[_Asked]:
        batch: list[_Asked] = []
        size = 0
        while self._asked and (not batch or size + len(self._asked[0].commands) <= MAX_BATCH):
            batch.append(self._asked.pop(0))
            size += len(batch[-1].commands)
        return batch

    async def _send(self, batch: Sequence[_Asked]) -> list[Reply]:
        commands = [command for asked in batch for command in asked.commands]
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._timer = asyncio.get_running_loop().call_later(
                    self._timeout_seconds, self._expire, limit, LATE_PASSES
                )
                try:
                    return await self._exchange(commands)
                finally:
                    self._timer.cancel()
        except Exception as error:
            late = f"no answer within {self._timeout_seconds * 1000:.0f} ms"
            reason = late if limit.expired() else explain(error)
            raise StoreFailedError(f"{self.node}: {reason}" if self._sentinels and self.node else reason) from error

    def _expire(self, limit: asyncio.Timeout, passes: int) -> None:
        """End a batch whose time is over, once the event loop has looked for its replies so many times more."""
        if passes:
            self._timer = asyncio.get_running_loop().call_soon(self._expire, limit, passes - 1)
        else:
            limit.reschedule(0)

    async def _exchange(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands and read their replies, without redis-py's pipeline: it costs three times as much."""
        link = self._link
        try:
            await self._pool.ensure_connection(link)
            await link.send_packed_command(b"".join(map(_pack, commands)), check_health=False)
            replies = [await self._read(link) for _ in commands]
        except BaseException:
            self._is_refused = False
            await link.disconnect(nowait=True)
            raise
        if self._is_refused:
            self._is_refused = False
            await link.disconnect(nowait=True)
        return replies

    async def _read(self, link: AbstractConnection) -> Reply:
        try:
            reply: Reply = await link.read_response(disable_decoding=True)
        except ResponseError as error:
            self._is_refused |= is_of_the_server(error)
            return error
        return reply


def _pack(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type] # its stub means tuples of one
    return packed


def _deliver(batch: Sequence[_Asked], replies: Sequence[Reply]) -> None:
    start = 0
    for asked in batch:
        end = start + len(asked.commands)
        if not asked.replies.done():
            asked.replies.set_result(list(replies[start:end]))
        start = end


def _fail(batch: Sequence[_Asked], reason: str) -> None:
    for asked in batch:
        if not asked.replies.done():
            asked.replies.set_result(StoreFailedError(reason))
