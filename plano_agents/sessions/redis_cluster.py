"""Commands to a Redis Cluster: each to the node that serves its key's slot, by one batching connection a node.

The map of slots is asked of all known nodes at once, and the first answer is taken. It is asked for anew where a node
fails, and in the background where a node says that a slot has moved; the command goes to the place that the node names
meanwhile, which it may, for a redirected command was not carried out. (Redis Cluster specification, "MOVED Redirection"
and "ASK redirection".) redis-py has a cluster client too, but sends each command by itself.

A cluster is out where any of its masters is: by default it then serves no slot at all.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError

from plano_agents.config.store_url import Node, StoreUrl
from plano_agents.sessions.redis_commands import Argument, Command, Connection, Reply, StoreFailedError, check_replies
from plano_agents.sessions.redis_connection import RedisConnection

REDIRECTIONS = 5
"""How often one command is sent on; a slot on its way moves once, or twice."""

_FOREIGN = ". The Cluster announces this address, and none of the url's; if it is not reached from here, add ?nat=announced=reachable"
"""What is said of a node of a Cluster that knows its nodes by other addresses than we do, as behind NAT."""

Owners = list[Node | None]
"""The master of each slot; None for a slot that none serves."""


class ClusterConnection:
    """A Redis Cluster, by some of its nodes.

    Args:
        address: See `plano_agents.config.store_url`.
        timeout_seconds: How long a node may take to answer, connecting included.

    Raises:
        ValueError: The address has an option that redis-py does not know.
    """

    is_sharded = True

    def __init__(self, address: StoreUrl, *, timeout_seconds: float = 0.25) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._nodes = {node: self._build(node) for node in address.nodes}
        self._owners: Owners | None = None
        self._is_foreign = False
        self._learning: asyncio.Task[Owners | StoreFailedError] | None = None
        list_tags()  # takes a moment

    async def call(self, *command: Argument) -> Reply:
        """See `Connection.call`."""
        return (await self.call_many([command]))[0]

    async def call_many(self, commands: Sequence[Command]) -> list[Reply]:
        """See `Connection.call_many`."""
        if not commands:
            return []
        owners = self._owners or await self._learn()
        places = [_find_owner(owners, _find_slot(command)) for command in commands]
        replies = await self._ask(commands, places)
        for _ in range(REDIRECTIONS):
            astray = [number for number, reply in enumerate(replies) if isinstance(reply, AskError)]
            if not astray:
                break
            for number in astray:
                places[number] = self._redirect(replies[number], places[number])
            is_asking = [not isinstance(replies[number], MovedError) for number in astray]
            again = await self._ask(
                *([commands[number] for number in astray], [places[number] for number in astray], is_asking)
            )
            for number, reply in zip(astray, again, strict=True):
                replies[number] = reply
        check_replies(replies)
        return replies

    async def call_shard(self, tag: str, *command: Argument) -> Reply:
        """See `Connection.call_shard`."""
        node = _find_owner(self._owners or await self._learn(), key_slot(tag.encode()))
        replies = await self._ask([command], [node])
        check_replies(replies)
        return replies[0]

    async def list_shards(self) -> Sequence[str]:
        """See `Connection.list_shards`; in the order of their slots."""
        owners = self._owners or await self._learn()
        first = {node: slot for slot, node in reversed([*enumerate(owners)]) if node is not None}
        return [list_tags()[slot] for slot in sorted(first.values())]

    def find_shard(self, key: bytes) -> str:
        """See `Connection.find_shard`; a slot counts as a shard here, for it may move to another master."""
        return list_tags()[key_slot(key)]

    def find_node(self, key: bytes) -> str:
        """See `Connection.find_node`."""
        owner = self._owners[key_slot(key)] if self._owners is not None else None
        return str(owner) if owner is not None else ""

    def list_masters(self) -> Sequence[str]:
        """See `Connection.list_masters`."""
        return [str(each) for each in dict.fromkeys(self._owners or ()) if each is not None]

    async def aclose(self) -> None:
        """See `Connection.aclose`."""
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.wait({self._learning})
        for connection in self._nodes.values():
            await connection.aclose()

    def _build(self, node: Node) -> RedisConnection:
        return RedisConnection(self._address.for_server(node), timeout_seconds=self._timeout_seconds)

    def _redirect(self, reply: Reply, asked: Node) -> Node:
        """Read where a command is to go instead; where its slot has moved for good, go by that from now on."""
        assert isinstance(reply, AskError)  # noqa: S101 - its caller's condition
        node = self._address.reach(Node(str(reply.host) or asked.host, int(reply.port)))
        if isinstance(reply, MovedError):
            if self._owners is not None:
                self._owners[int(reply.slot_id)] = node
            if self._learning is None:
                self._learning = asyncio.create_task(self._read_owners())
        return node

    async def _ask(
        self, commands: Sequence[Command], places: Sequence[Node], is_asking: Sequence[bool] = ()
    ) -> list[Reply]:
        """Send commands to their nodes, all nodes at once; each one's error is its reply."""
        nodes = dict.fromkeys(places)
        if len(nodes) == 1 and not any(is_asking):
            return await self._ask_node(places[0], commands)
        shares = {node: [number for number, place in enumerate(places) if place == node] for node in nodes}
        asked = [self._ask_node(node, [*_prefix(commands, numbers, is_asking)]) for node, numbers in shares.items()]
        replies: list[Reply] = [None] * len(commands)
        failed: BaseException | None = None
        for numbers, found in zip(shares.values(), await asyncio.gather(*asked, return_exceptions=True), strict=True):
            if isinstance(found, BaseException):
                failed = found
                continue
            rest = iter(found)
            for number in numbers:
                if is_asking and is_asking[number]:
                    next(rest)
                replies[number] = next(rest)
        if failed is not None:
            raise failed
        return replies

    async def _ask_node(self, node: Node, commands: Sequence[Command]) -> list[Reply]:
        connection = self._nodes.get(node)
        if connection is None:
            connection = self._nodes[node] = self._build(node)
        try:
            return await connection.ask(commands)
        except StoreFailedError as error:
            self._owners = None
            hint = _FOREIGN if self._is_foreign else ""
            raise StoreFailedError(f"{node}: {error}{hint}") from error

    async def _learn(self) -> Owners:
        """Ask for the map of slots; of many who need it at once, one asks."""
        if self._learning is None:
            self._learning = asyncio.create_task(self._read_owners())
        found = await asyncio.shield(self._learning)
        if isinstance(found, StoreFailedError):
            raise found
        return found

    async def _read_owners(self) -> Owners | StoreFailedError:
        known = [*self._nodes]
        asking = [asyncio.create_task(self._read_map(node)) for node in known]
        failed = StoreFailedError("no node of the cluster is known")
        try:
            for answer in asyncio.as_completed(asking):
                try:
                    self._owners = await answer
                except StoreFailedError as error:
                    failed = error
                else:
                    self._is_foreign = not {*self._owners} & {*self._address.nodes}
                    await self._leave(known, self._owners)
                    return self._owners
            return failed
        finally:
            self._learning = None
            for each in asking:
                each.cancel()
            await asyncio.wait(asking)

    async def _read_map(self, node: Node) -> Owners:
        try:
            replies = await self._nodes[node].ask([("CLUSTER", "SLOTS")])
            check_replies(replies)
        except StoreFailedError as error:
            raise StoreFailedError(f"{node}: {error}") from error
        owners = read_owners(replies[0], node.host, self._address.reach)
        if not any(owners):
            raise StoreFailedError(f"{node}: it serves no slot, nor knows who does")
        return owners

    async def _leave(self, known: Iterable[Node], owners: Owners) -> None:
        """Close the connections to nodes that have no slot any more, but for those that the address names."""
        kept = {*owners, *self._address.nodes}
        for node in known:
            if node not in kept:
                await self._nodes.pop(node).aclose()


def build_connection(address: StoreUrl, *, timeout_seconds: float) -> Connection:
    """Build the connection that an address asks for; nothing is connected yet.

    Args:
        address: A store's.
        timeout_seconds: How long a server may take to answer, connecting included.

    Raises:
        ValueError: The address has an option that redis-py does not know.
    """
    build = ClusterConnection if address.kind == "cluster" else RedisConnection
    return build(address, timeout_seconds=timeout_seconds)


def read_owners(reply: Reply, asked: str, reach: Callable[[Node], Node] = lambda node: node) -> Owners:
    """Read ``CLUSTER SLOTS``: ranges of slots, each with its master first.

    Args:
        reply: What a node answered.
        asked: The node's host, which stands where it does not know its own.
        reach: Gives the address by which a node is reached that announces another.
    """
    owners: Owners = [None] * SLOTS
    for row in reply if isinstance(reply, list) else []:
        match row:
            case [int() as first, int() as last, [host, int() as port, *_], *_]:
                name = host.decode() if isinstance(host, bytes) else ""
                owners[first : last + 1] = [reach(Node(name or asked, port))] * (last + 1 - first)
    return owners


@cache
def list_tags() -> Sequence[str]:
    """List a short tag for each slot: a key that ends with it in braces belongs to that slot."""
    tags: dict[int, str] = {}
    for number in itertools.count():
        tags.setdefault(key_slot(b"%d" % number), str(number))
        if len(tags) == SLOTS:
            return [tags[slot] for slot in range(SLOTS)]
    raise AssertionError("every slot has a tag among the numbers below 110,000")


def _find_slot(command: Command) -> int:
    """Find the slot of a command's one key."""
    key = command[3 if command[0] == "EVAL" else 1]
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


def _find_owner(owners: Owners, slot: int) -> Node:
    owner = owners[slot]
    if owner is None:
        raise StoreFailedError(f"no node of the cluster serves slot {slot}")
    return owner


def _prefix(commands: Sequence[Command], numbers: Sequence[int], is_asking: Sequence[bool]) -> Iterable[Command]:
    """Give a node's share of commands, ``ASKING`` before those that it is asked to serve for another."""
    for number in numbers:
        if is_asking and is_asking[number]:
            yield ("ASKING",)
        yield commands[number]
