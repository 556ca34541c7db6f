"""The link to a Redis server by redis-py: at a fixed address, or at the one where Sentinels say that the master is.

A link to a master asks the Sentinels each time that it connects, so a failover is followed as soon as the old master's
connection is gone. All are asked at once: one after the other, a Sentinel whose host is gone would use up the time
that a batch has.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection, ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from plano_agents.config.store_url import Node, StoreUrl

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


def build_link(address: StoreUrl) -> "tuple[ConnectionPool, AbstractConnection, Sentinels | None]":
    """Build a link, which connects nothing yet.

    Args:
        address: Of one server, or of Sentinels.

    Returns:
        The pool that connects it, the link, and the Sentinels that are to be closed with it.

    Raises:
        ValueError: The address has an option that redis-py does not know, or a path that is not a database.
    """
    options: dict[str, Any] = {**parse_url(address.for_server(address.nodes[0])), **_OPTIONS}
    if address.path and "db" not in options:
        raise ValueError("the URL's path is not a database's number")
    sentinels = None
    try:
        if address.kind == "sentinel":
            sentinels = Sentinels(address, options)
            options |= {
                "connection_class": SentinelManagedSSLConnection if address.is_tls else SentinelManagedConnection
            }
            pool: ConnectionPool = SentinelConnectionPool(address.service, sentinels, **options)  # type: ignore[no-untyped-call] # redis-py's
        else:
            pool = ConnectionPool(**options)
        # Connects nothing, but refuses what no connection can be made with.
        return pool, pool.make_connection(), sentinels  # type: ignore[no-untyped-call] # redis-py's
    except (TypeError, RedisError) as error:
        raise ValueError("the URL has an option that redis-py does not know") from error


class Sentinels:
    """The Sentinels of a service, each asked by redis-py; in the place of its `Sentinel`.

    Args:
        address: Theirs, and what they want to know of who asks.
        options: The master's, of which those of TLS are theirs too. Those that say where are taken out.
    """

    def __init__(self, address: StoreUrl, options: dict[str, Any]) -> None:
        for name in ("host", "port"):
            del options[name]
        own = {name: value for name, value in options.items() if name in _OPTIONS or name.startswith("ssl_")}
        del own["retry_on_timeout"]  # deprecated for clients, though not for links
        own |= {"ssl": address.is_tls, **dict(address.sentinel_options)}
        self._address = address
        self.found = ""
        """The address of the master that was named last; empty before one was."""
        self._sentinels: Sequence[Sentinel] = [
            Sentinel([(node.host, node.port)], sentinel_kwargs=own)  # type: ignore[no-untyped-call] # redis-py's
            for node in address.nodes
        ]

    async def discover_master(self, service: str) -> tuple[str, int]:
        """Take the first answer of a Sentinel that knows a working master.

        Raises:
            MasterNotFoundError: None does; or none answers, and then it says what the last failed of.
        """
        asking = [asyncio.ensure_future(_ask(each, service)) for each in self._sentinels]
        last: Exception | None = None
        try:
            for answer in asyncio.as_completed(asking):
                try:
                    found = self._address.reach(await answer)
                except (RedisError, OSError) as error:
                    last = error
                else:
                    self.found = str(found)
                    return found.host, found.port
        finally:
            for each in asking:
                each.cancel()
            await asyncio.wait(asking)
        raise MasterNotFoundError(f"no Sentinel names a working master {service!r}: {last}")

    async def aclose(self) -> None:
        """Close the connections to them."""
        for each in self._sentinels:
            for client in each.sentinels:
                await client.aclose()


async def _ask(sentinel: Sentinel, service: str) -> Node:
    """Ask one Sentinel for the master; redis-py's own way tells nothing of an error but who met it."""
    (client,) = sentinel.sentinels
    masters = await client.sentinel_masters()
    state = masters.get(service) if isinstance(masters, dict) else None
    if state is None or not sentinel.check_master_state(state, service):
        raise MasterNotFoundError("it knows of none")
    return Node(state["ip"], state["port"])
