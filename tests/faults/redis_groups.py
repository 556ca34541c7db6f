"""Real servers that work together: a master with replicas and Sentinels, and a Cluster, on free ports."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis.exceptions import ConnectionError as RedisConnectionError

from tests.faults.redis_server import RedisServer, Tls
from tests.patience import PATIENCE_SECONDS
from tests.ports import free_port

SERVICE = "main"
POLL_SECONDS = 0.02
DOWN_MILLISECONDS = 700
"""How long a server may be silent before the others take it for gone."""
PASSWORD = "s3cret"


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Ask the servers again and again, until something is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await _holds(condition):  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(POLL_SECONDS)


async def _holds(condition: Callable[[], Awaitable[object]]) -> bool:
    """Ask once; a server that cuts its clients off meanwhile, as one does that becomes a replica, is asked again."""
    try:
        return bool(await condition())
    except RedisConnectionError:
        return False


async def _start(servers: Sequence[RedisServer]) -> None:
    """Start servers together; where one fails, nobody waits for the others any more."""
    async with asyncio.TaskGroup() as group:
        for each in servers:
            group.create_task(each.start())


def _scheme(tls: Tls | None) -> str:
    return "redis" if tls is None else "rediss"


def _query(tls: Tls | None, *options: str) -> str:
    told = [*options, *([tls.query] if tls is not None else [])]
    return f"?{'&'.join(told)}" if told else ""


class _Sentinel(RedisServer):
    """A Sentinel, whose whole configuration is a file that it writes to."""

    _ready = b"Sentinel ID is"

    def __init__(self, folder: Path, master: RedisServer, *, program: str, password: str, tls: Tls | None) -> None:
        super().__init__(folder, program=program, tls=tls)
        self._first = (str(folder / "sentinel.conf"), "--sentinel")
        asked = ("--requirepass", f"{password}-of-sentinels") if password else ()
        self._options = (*asked, *(tls.options if tls is not None else ()))
        folder.mkdir(parents=True)
        lines = [
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 2",
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_MILLISECONDS}",
            f"sentinel failover-timeout {SERVICE} 3000",
            *([f"sentinel auth-pass {SERVICE} {password}"] if password else []),
            *([f"sentinel sentinel-pass {password}-of-sentinels"] if password else []),
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")


class Group:
    """Servers that start together and end with their context."""

    def __init__(self) -> None:
        self.servers: Sequence[RedisServer] = ()
        self._stack = AsyncExitStack()

    async def find_masters(self) -> Sequence[RedisServer]:
        """Find all masters."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The address of them all."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for server in self.servers:
                stack.push_async_callback(server.kill)
            await self._begin()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _begin(self) -> None:
        raise NotImplementedError


class SentinelGroup(Group):
    """A master, two replicas, and three Sentinels that name the master.

    Args:
        folder: For their files.
        program: The servers' program.
        password: Asked for by the servers; the Sentinels ask for another. Empty for none.
        options: Further options of the servers.
        tls: The certificate of them all; None where they speak without TLS.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        program: str = "redis-server",
        password: str = "",
        tls: Tls | None = None,
    ) -> None:
        super().__init__()
        self._password = password
        self._tls = tls
        own = [*options, *(["--requirepass", password, "--masterauth", password] if password else [])]
        master = RedisServer(folder / "0", *own, program=program, tls=tls)
        follow = ("--replicaof", f"127.0.0.1 {master.port}", "--repl-diskless-sync-delay", "0")
        self.data = [
            master,
            *(RedisServer(folder / str(number), *own, *follow, program=program, tls=tls) for number in (1, 2)),
        ]
        self.sentinels = [
            _Sentinel(folder / f"sentinel-{number}", master, program=program, password=password, tls=tls)
            for number in range(3)
        ]
        self.servers = [*self.data, *self.sentinels]

    @property
    def url(self) -> str:
        """The address of the master, by way of the Sentinels."""
        own = f":{self._password}@" if self._password else ""
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        asked = (f"sentinel_password={self._password}-of-sentinels",) if self._password else ()
        return f"{_scheme(self._tls)}+sentinel://{own}{hosts}/{SERVICE}{_query(self._tls, *asked)}"

    async def find_masters(self) -> Sequence[RedisServer]:
        """Find all masters: the one."""
        return [await self.find_master()]

    async def find_master(self, sentinel: RedisServer | None = None) -> RedisServer:
        """Find the server that a Sentinel names."""
        told = await (sentinel or self.sentinels[0]).tell("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        assert isinstance(told, (list, tuple))
        return next(each for each in self.data if each.port == int(told[1]))

    async def replace(self, old: RedisServer) -> None:
        """Wait until the Sentinels agree on another master."""

        async def is_replaced() -> bool:
            masters = {await self.find_master(each) for each in self.sentinels}
            if old in masters or len(masters) > 1:
                return False
            return await self.is_role(masters.pop(), "master")

        await until(is_replaced)

    async def reach_replicas(self) -> None:
        """Wait until both replicas follow the master, and all Sentinels know each other and them."""
        await until(self._is_whole)

    async def _begin(self) -> None:
        await _start(self.data)
        await _start(self.sentinels)
        await self.reach_replicas()

    async def _is_whole(self) -> bool:
        for each in self.sentinels:
            told = await each.tell("SENTINEL", "MASTER", SERVICE)
            assert isinstance(told, list)
            known = dict(zip(told[::2], told[1::2], strict=True))
            if (known[b"num-other-sentinels"], known[b"num-slaves"]) != (b"2", b"2"):
                return False
        replication = await (await self.find_master()).tell("INFO", "replication")
        assert isinstance(replication, dict)
        slaves = [value for name, value in replication.items() if name.startswith("slave") and isinstance(value, dict)]
        return len([each for each in slaves if each["state"] == "online"]) == len(self.data) - 1

    async def is_role(self, server: RedisServer, role: str) -> bool:
        """Ask a server whether it is a ``master`` or a ``slave``."""
        told = await server.tell("INFO", "replication")
        assert isinstance(told, dict)
        return bool(told["role"] == role)


class ClusterGroup(Group):
    """A Cluster of three masters, each with a replica.

    Args:
        folder: For their files.
        program: The servers' program.
        password: Asked for by the servers; empty for none.
        options: Further options of the servers.
        tls: The certificate of them all; None where they speak without TLS.
    """

    SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))

    def __init__(
        self,
        folder: Path,
        *options: str,
        program: str = "redis-server",
        password: str = "",
        tls: Tls | None = None,
    ) -> None:
        super().__init__()
        self._password = password
        self._tls = tls
        own = ["--requirepass", password, "--masterauth", password] if password else []
        self.servers = [
            RedisServer(
                folder / str(number),
                *("--cluster-enabled", "yes", "--cluster-port", str(free_port())),
                *("--cluster-node-timeout", str(DOWN_MILLISECONDS), "--repl-diskless-sync-delay", "0"),
                *(*options, *own, *(("--tls-cluster", "yes") if tls is not None else ())),
                program=program,
                tls=tls,
            )
            for number in range(6)
        ]

    @property
    def url(self) -> str:
        """The address of the Cluster, by its first three nodes."""
        own = f":{self._password}@" if self._password else ""
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.servers[:3])
        return f"{_scheme(self._tls)}+cluster://{own}{hosts}{_query(self._tls)}"

    async def find_masters(self) -> Sequence[RedisServer]:
        """Find all masters."""
        return [await self.find_master(first) for first, _ in self.SLOTS]

    async def find_master(self, slot: int) -> RedisServer:
        """Find the master of a slot, as all that live agree."""
        found: list[RedisServer] = []

        async def is_agreed() -> bool:
            ports = {await self._find_port(each, slot) for each in self.servers if each.is_alive}
            found[:] = [each for each in self.servers if each.port in ports]
            return len(ports) == 1

        await until(is_agreed)
        return found[0]

    async def replace(self, old: RedisServer, slot: int) -> None:
        """Wait until a slot has another master, and all is served again."""
        alive = [each for each in self.servers if each is not old and each.is_alive]

        async def is_replaced() -> bool:
            ports = {await self._find_port(each, slot) for each in alive}
            return len(ports) == 1 and old.port not in ports and all([await _is_ok(each) for each in alive])

        await until(is_replaced)

    async def agree_on(self, host: str) -> None:
        """Wait until every node sends clients to a host for each slot."""

        async def is_agreed() -> bool:
            rows = [row for each in self.servers for row in await _read_slots(each)]
            return all(node[0] == host.encode() for row in rows for node in row[2:])

        await until(is_agreed)

    async def move_slot(self, slot: int) -> tuple[RedisServer, RedisServer]:
        """Begin to move a slot from its master to another; `move_keys` and `end_move` go on. Give both."""
        source = await self.find_master(slot)
        target = next(each for each in self.servers[:3] if each is not source)
        await target.tell("CLUSTER", "SETSLOT", slot, "IMPORTING", await _read_id(source))
        await source.tell("CLUSTER", "SETSLOT", slot, "MIGRATING", await _read_id(target))
        return source, target

    async def move_keys(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Move a slot's keys; where it is on its way, none is added to the old master."""
        names = await source.tell("CLUSTER", "GETKEYSINSLOT", slot, 1_000)
        assert isinstance(names, list)
        for name in names:
            await source.tell("MIGRATE", "127.0.0.1", target.port, name, 0, 5_000)

    async def end_move(self, slot: int, target: RedisServer) -> None:
        """Give a slot to its new master."""
        name = await _read_id(target)
        for each in dict.fromkeys([target, *self.servers[:3]]):
            await each.tell("CLUSTER", "SETSLOT", slot, "NODE", name)

    async def _begin(self) -> None:
        await _start(self.servers)
        first = self.servers[0]
        for number, (server, slots) in enumerate(zip(self.servers, self.SLOTS, strict=False), 1):
            await server.tell("CLUSTER", "ADDSLOTSRANGE", *slots)
            await server.tell("CLUSTER", "SET-CONFIG-EPOCH", number)
        for server in self.servers[1:]:
            await server.tell("CLUSTER", "MEET", "127.0.0.1", first.port, first.cluster_port)
        await until(self._know_each_other)
        for master, replica in zip(self.servers[:3], self.servers[3:], strict=True):
            await replica.tell("CLUSTER", "REPLICATE", await _read_id(master))
        await self.reach_replicas()

    async def reach_replicas(self) -> None:
        """Wait until every master has a replica that follows it, and all agree."""
        await until(self._is_whole)

    async def _know_each_other(self) -> bool:
        for each in self.servers:
            info = await _read_info(each)
            if info["cluster_known_nodes"] != str(len(self.servers)) or info["cluster_state"] != "ok":
                return False
        return True

    async def _is_whole(self) -> bool:
        if not await self._know_each_other():
            return False
        for first, _ in self.SLOTS:
            master = await self.find_master(first)
            replication = await master.tell("INFO", "replication")
            assert isinstance(replication, dict)
            slave = replication.get("slave0")
            if not isinstance(slave, dict) or slave["state"] != "online":
                return False
        for each in self.servers:
            if len(await _read_slots(each)) < len(self.SLOTS) or any(
                len(row) < len(("first", "last", "master", "replica")) for row in await _read_slots(each)
            ):
                return False
        return True

    async def _find_port(self, server: RedisServer, slot: int) -> int:
        for first, last, master, *_ in await _read_slots(server):
            if first <= slot <= last:
                return int(master[1])
        return 0


async def _read_slots(server: RedisServer) -> list[Any]:
    async with server.client() as client:
        client.response_callbacks.clear()
        told: list[Any] = await client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
    return told


async def _read_info(server: RedisServer) -> dict[str, str]:
    async with server.client() as client:
        client.response_callbacks.clear()
        told = await client.execute_command("CLUSTER", "INFO")  # type: ignore[no-untyped-call] # redis-py's
    return dict(line.split(":", 1) for line in told.decode().split())


async def _is_ok(server: RedisServer) -> bool:
    return (await _read_info(server))["cluster_state"] == "ok"


async def _read_id(server: RedisServer) -> str:
    told = await server.tell("CLUSTER", "MYID")
    return told.decode() if isinstance(told, bytes) else str(told)
