"""Commands to a Redis server, batched: all that is asked while one batch is under way goes out as the next.

So a thousand concurrent requests cost a few round trips instead of a thousand connections; and a caller that stops
waiting leaves its answer to nobody, for the batch reads every reply and gives each to the command that asked for it. A
batch that is not answered in time fails, and with it all that waits behind it. Time counts from when a batch goes
out: a crowd that waits for its turn is this process's business, and no sign that the server is out.

Nothing is sent twice. A connection that was closed while nobody used it is opened anew, but a command whose answer got
lost may have been carried out, and once more could undo what others did meanwhile: bring back a pin that was dropped.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import hiredis
from redis.asyncio.connection import AbstractConnection, ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import MovedError, RedisError, ResponseError

Argument = bytes | str | int | float
Command = tuple[Argument, ...]
Reply = bytes | int | list["Reply"] | Exception | None

MAX_BATCH = 512
"""How many commands go out together."""

LATE_PASSES = 20
"""How often the event loop still looks for an answer once time is over: if it was busy, one may lie in the socket."""

REASON_CHARACTERS = 200
"""How much of an error's message is told."""

_OPTIONS: dict[str, Any] = {
    "protocol": 2,
    "decode_responses": False,
    "socket_timeout": None,
    "socket_connect_timeout": None,
    "retry": Retry(NoBackoff(), 0),
    "retry_on_timeout": False,
    "health_check_interval": 0,
}
"""What the URL has no say in: how replies are read, and who keeps the time."""


class StoreFailedError(Exception):
    """The store did not answer, or not with what was asked for; the message says why and holds no secret."""


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
    """One server, by its URL.

    Args:
        url: ``redis://`` or ``rediss://``, with user, password, database and redis-py's ``ssl_*`` options.
        timeout_seconds: How long the server may take to answer, connecting included.

    Raises:
        ValueError: The URL is none of Redis', or has an option that redis-py does not know.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 0.25) -> None:
        self._pool, self._link = _build_link(url)
        self._timeout_seconds = timeout_seconds
        self._asked: list[_Asked] = []
        self._flushing: asyncio.Task[None] | None = None
        self._timer: asyncio.Handle

    async def call(self, *command: Argument) -> Reply:
        """Send a command.

        Returns:
            Its reply; the error itself where the key holds a value that the command is not for.

        Raises:
            StoreFailedError: There was no reply in time, or another error.
        """
        return (await self.call_many([command]))[0]

    async def call_many(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands in order, though not in one step; see `call`.

        Raises:
            StoreFailedError: One of them failed.
        """
        if not commands:
            return []
        asked = _Asked(commands)
        self._asked.append(asked)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        replies = await asked.replies
        if isinstance(replies, StoreFailedError):
            raise replies
        for reply in replies:
            if isinstance(reply, Exception) and not _is_of_the_value(reply):
                raise StoreFailedError(_explain(reply)) from reply
        return replies

    async def aclose(self) -> None:
        """Close the connections; what still waits fails."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.wait({self._flushing})
            self._flushing = None
        self._fail_waiting("the router stops")  # a task that is cancelled before it began does nothing itself
        await self._link.disconnect()

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
            raise StoreFailedError(late if limit.expired() else _explain(error)) from error

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
            return [await _read(link) for _ in commands]
        except BaseException:
            await link.disconnect(nowait=True)
            raise


def _pack(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type] # its stub means tuples of one
    return packed


async def _read(link: AbstractConnection) -> Reply:
    try:
        reply: Reply = await link.read_response(disable_decoding=True)
    except ResponseError as error:
        return error
    return reply


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


def _build_link(url: str) -> tuple[ConnectionPool, AbstractConnection]:
    options: dict[str, Any] = {**parse_url(url), **_OPTIONS}
    if urlsplit(url).path.strip("/") and "db" not in options:
        raise ValueError("the URL's path is no database's number")
    pool = ConnectionPool(**options)
    try:
        # Connects nothing, but refuses what no connection can be made with.
        return pool, pool.make_connection()  # type: ignore[no-untyped-call] # redis-py's
    except (TypeError, RedisError) as error:
        raise ValueError("the URL has an option that redis-py does not know") from error


def _is_of_the_value(reply: Exception) -> bool:
    """Whether a command failed only because of what somebody else wrote to its key."""
    return isinstance(reply, ResponseError) and str(reply).startswith(
        ("WRONGTYPE", "hash value is not an integer", "increment or decrement would overflow")
    )


def _explain(error: Exception) -> str:
    """Say what went wrong; redis-py's messages name hosts and reasons, and never a password."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, MovedError):
        return "this is a Redis Cluster, and a single server is needed"
    if isinstance(error, ResponseError) and reason.startswith(("syntax error", "unknown command")):
        return f"{reason.partition(',')[0]}: Redis 7.0 or newer is needed"
    return reason[:REASON_CHARACTERS]
