"""An upgrade and a rollback while agents go on asking: no request fails, and every loop keeps its model.

Blue and green are two routers on one host, as ``deploy/systemd`` runs them; hosts are routers of their own behind a
real haproxy, as ``deploy/compose`` has them. Pins are in a real Redis. The agents never try a second time.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory

import pytest

from plano_agents import processes
from plano_agents.testing import FakeUpstream
from tests.faults.redis_server import RedisServer
from tests.faults.router_process import RouterProcess, start_router
from tests.ports import free_port
from tests.replicas.haproxy import run_haproxy
from tests.replicas.load import AGENTS, Load, answer

DEPLOY = Path(__file__).parents[2] / "deploy"

WORKERS = 2


def write_config(folder: Path, upstream: str, redis: str) -> Path:
    """Two models, each the choice of a preference: a loop that was routed again could meet the other."""
    names = ("openai/m0", "openai/m1")
    config = {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "m", "port": 12_000}],
        "model_providers": [{"model": name, "base_url": upstream, "access_key": "sk-any"} for name in names],
        "routing": {"session_cache": {"type": "redis", "url": redis}},
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    return path


@asynccontextmanager
async def run_site(folder: Path) -> AsyncGenerator[Path, None]:
    """Run a provider and Redis; gives the configuration of routers between them."""
    async with FakeUpstream(answer) as upstream, RedisServer(folder) as redis:
        yield write_config(folder, upstream.url, redis.url)


@asynccontextmanager
async def started(config: Path, sockets: Sequence[socket]) -> AsyncGenerator[RouterProcess, None]:
    async with start_router(config, "--workers", str(WORKERS), "--quiet", sockets=sockets) as router:
        yield router


@contextmanager
def listening(count: int) -> Iterator[list[socket]]:
    """Hold the sockets, as a service manager does."""
    with ExitStack() as stack:
        yield [stack.enter_context(each) for each in processes.bind_each("127.0.0.1", 0, count)]


@pytest.mark.parametrize("count", [1, WORKERS], ids=["one socket", "a socket for each worker"])
async def test_blue_gives_way_to_green_on_the_same_sockets_and_back_with_no_error(tmp_path: Path, count: int) -> None:
    ends = []
    with listening(count) as sockets:
        async with run_site(tmp_path) as config, AsyncExitStack() as routers:
            blue = await routers.enter_async_context(started(config, sockets))
            async with Load(processes.url_of(sockets[0])) as load:
                for _ in range(2):  # the upgrade, and the rollback
                    await load.go_on()
                    green = await routers.enter_async_context(started(config, sockets))
                    ends.append(await blue.stop())
                    blue = green
                await load.go_on()
    assert (load.errors, load.switched, ends) == ([], {}, [(0, "")] * 2)


async def test_a_restart_on_held_sockets_refuses_no_connection(tmp_path: Path) -> None:
    """A connection that is made while nobody serves waits in the socket's queue; the next process answers it."""
    ends = []
    with listening(WORKERS) as sockets:
        async with run_site(tmp_path) as config, AsyncExitStack() as routers:
            router = await routers.enter_async_context(started(config, sockets))
            async with Load(processes.url_of(sockets[0])) as load:
                for _ in range(2):
                    await load.go_on()
                    ends.append(await router.stop())
                    router = await routers.enter_async_context(started(config, sockets))
                await load.go_on()
    assert (load.errors, load.switched, ends) == ([], {}, [(0, "")] * 2)


def write_haproxy(ports: Sequence[int], status: Path) -> str:
    """The haproxy configuration of ``deploy/compose``, with hosts on this machine in place of containers."""
    config = (DEPLOY / "compose" / "haproxy.cfg").read_text()
    for name, port in zip("ab", ports, strict=True):
        config = config.replace(f"router-{name}:12000", f"127.0.0.1:{port}")
    config = re.sub(r"^resolvers(?s:.*)\Z", "", config, flags=re.MULTILINE).replace(" resolvers docker", "")
    config = config.replace("global\n", f"global\n  stats socket {status}\n", 1)
    return config.replace("bind :12000", "bind fd@{descriptor}")


async def is_up(status: Path, number: int) -> bool:
    """Check whether haproxy sends requests to a host again; its operator looks before the next host's turn."""
    reader, writer = await asyncio.open_unix_connection(status)
    writer.write(b"show stat\n")
    rows = (await reader.read()).decode().splitlines()
    writer.close()
    (row,) = [row.split(",") for row in rows if row.startswith(f"routers,{'ab'[number]},")]
    return row[17] == "UP"


async def test_two_hosts_behind_haproxy_are_upgraded_and_rolled_back_one_by_one_with_no_error(tmp_path: Path) -> None:
    """Each host's router stops, and another takes its port; the agents know haproxy alone."""
    ports, ends = [free_port(), free_port()], []
    async with AsyncExitStack() as stack:
        # A socket's path may have 97 characters for haproxy, and the test's folder has more.
        status = Path(stack.enter_context(TemporaryDirectory())) / "haproxy.sock"
        config = await stack.enter_async_context(run_site(tmp_path))

        async def start(port: int) -> RouterProcess:
            options = ("--workers", str(WORKERS), "--quiet")
            return await stack.enter_async_context(start_router(config, *options, port=port))

        hosts = [await start(port) for port in ports]
        url = await stack.enter_async_context(run_haproxy(tmp_path, write_haproxy(ports, status)))
        async with Load(url) as load:
            for _ in range(2):  # the upgrade, and the rollback
                for number, port in enumerate(ports):
                    await load.go_on()
                    ends.append(await hosts[number].stop())
                    await load.go_on()
                    hosts[number] = await start(port)
                    while not await is_up(status, number):
                        await load.go_on(AGENTS)
            await load.go_on()
    assert (load.errors, load.switched, ends) == ([], {}, [(0, "")] * 4)
