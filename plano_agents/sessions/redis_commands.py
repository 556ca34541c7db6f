"""Commands to Redis: what goes in, what comes out, and which of it is a failure.

An error that comes of what somebody else wrote to a key is a reply like any other: what is stored there counts as
absent. Every other error says that the store does not do what is asked of it.
"""

from collections.abc import Sequence
from typing import Protocol

from redis.exceptions import AskError, MovedError, ResponseError

Argument = bytes | str | int | float
Command = tuple[Argument, ...]
Reply = bytes | int | list["Reply"] | Exception | None

REASON_CHARACTERS = 200
"""How much of an error's message is told."""


class StoreFailedError(Exception):
    """The store did not answer, or not with what was asked for; the message says why and holds no secret."""


class Connection(Protocol):
    """Sends commands to a store, be it one server or several.

    A store's data lives in one or several *shards*, each with a master. A shard is named by a tag: a key that ends with
    the tag in braces stands where the keys of that shard do. One server's only shard has an empty tag.
    """

    is_sharded: bool
    """True if the data may lie in several shards."""

    async def call(self, *command: Argument) -> Reply:
        """Send a command; see `call_many`.

        Returns:
            Its reply; the error itself where the key holds a value that the command is not for.
        """

    async def call_many(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands, those of one shard in order, though not in one step.

        Raises:
            StoreFailedError: One of them had no reply in time, or failed.
        """

    async def call_shard(self, tag: str, *command: Argument) -> Reply:
        """Send a command that has no key to one shard; see `call`."""

    async def list_shards(self) -> Sequence[str]:
        """List the shards' tags.

        Raises:
            StoreFailedError: No server tells.
        """

    def find_shard(self, key: bytes) -> str:
        """Give the tag of a key's shard; another shard may have the same key's data later."""

    def find_node(self, key: bytes) -> str:
        """Name the server that the key's data was last read from or written to; empty before any was."""

    def list_masters(self) -> Sequence[str]:
        """Name the servers that commands go to, as far as they are known."""

    async def aclose(self) -> None:
        """Close the connections; what still waits fails."""


def check_replies(replies: Sequence[Reply]) -> None:
    """See that no command failed, but for what somebody else wrote to its key.

    Raises:
        StoreFailedError: One did.
    """
    for reply in replies:
        if isinstance(reply, Exception) and not _is_of_the_value(reply):
            raise StoreFailedError(explain(reply)) from reply


def is_of_the_server(reply: Exception) -> bool:
    """Check whether a server refused a command that another might take, or the same one later."""
    return not (_is_of_the_value(reply) or isinstance(reply, AskError))


def _is_of_the_value(reply: Exception) -> bool:
    """Check whether a command failed only because of what somebody else wrote to its key."""
    return isinstance(reply, ResponseError) and str(reply).startswith(
        ("WRONGTYPE", "hash value is not an integer", "increment or decrement would overflow")
    )


def explain(error: Exception) -> str:
    """Say what went wrong; redis-py's messages name hosts and reasons, and never a password."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, MovedError):
        return "this is a Redis Cluster. Write redis+cluster:// in place of redis:// in the store's url"
    if isinstance(error, ResponseError) and reason.startswith(("syntax error", "unknown command")):
        return f"{reason.partition(',')[0]}: Redis 7.0 or newer is needed"
    return reason[:REASON_CHARACTERS]
