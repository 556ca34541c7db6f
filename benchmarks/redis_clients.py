"""The cost of Redis' clients in Python: CPU per command, alone and in batches of 8 and 32.

Run it with ``scripts/uv run --extra redis --with coredis --with valkey-glide benchmarks/redis_clients.py``, or with any
Python that has the package; a client that is not installed is left out. A command is what the router asks for most, the
reading and renewal of a pin (GETEX), on one connection to a redis-server that is started here. All clients are measured
in turn, in short slices over many rounds, so that a busy machine disturbs all alike; medians of slices are told. The
process' own CPU counts, other threads of a client among it, and the server's does not.
"""

import asyncio
import importlib
import json
import shutil
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import click
import hiredis
import uvloop
from redis import asyncio as redis

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.affinity import run_redis
from plano_agents.sessions.redis_commands import Command
from plano_agents.sessions.redis_connection import RedisConnection

BATCHES = (1, 8, 32)
SLICE_SECONDS = 0.1
VALUE = json.dumps(
    {"model": "openai/gpt-4o", "route": "code_generation", "lineage": "0" * 32, "moves": 0, "x": "x" * 60}
)

Send = Callable[[list[Command]], Awaitable[object]]
"""Sends commands together, and waits for all replies."""


@asynccontextmanager
async def open_ours(url: str) -> AsyncGenerator[Send]:
    """Our own batches over a connection of redis-py's, packed and parsed by hiredis."""
    async with aclosing(RedisConnection(url, timeout_seconds=10)) as connection:
        yield connection.call_many


@asynccontextmanager
async def open_redis_py(url: str, parser: str) -> AsyncGenerator[Send]:
    """redis-py's pipeline, with a parser of its choice."""
    parsers = importlib.import_module("redis._parsers")
    pool = redis.ConnectionPool.from_url(url, parser_class=getattr(parsers, parser), protocol=2)
    async with redis.Redis.from_pool(pool) as client:

        async def send(commands: list[Command]) -> object:
            pipeline = client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)

        yield send


@asynccontextmanager
async def open_coredis(url: str) -> AsyncGenerator[Send]:
    """The pipeline of coredis."""
    coredis: Any = importlib.import_module("coredis")
    async with coredis.Redis.from_url(url) as client:

        async def send(commands: list[Command]) -> object:
            async with client.pipeline(transaction=False, raise_on_error=False) as pipeline:
                replies = [pipeline.getex(command[1], px=command[3]) for command in commands]
            return [await reply for reply in replies]

        yield send


@asynccontextmanager
async def open_glide(url: str) -> AsyncGenerator[Send]:
    """valkey-glide's batch; its client is a library in Rust."""
    glide: Any = importlib.import_module("glide")
    address = glide.NodeAddress("127.0.0.1", int(url.rpartition(":")[2]))
    client = await glide.GlideClient.create(glide.GlideClientConfiguration([address]))

    async def send(commands: list[Command]) -> object:
        batch = glide.Batch(is_atomic=False)
        for command in commands:
            batch.custom_command([part if isinstance(part, bytes) else str(part) for part in command])
        return await client.exec(batch, raise_on_error=False)

    try:
        yield send
    finally:
        await client.close()


@asynccontextmanager
async def open_bare(url: str) -> AsyncGenerator[Send]:
    """A protocol of asyncio's with hiredis' reader, and nothing else: what no client can be below."""
    reader, done = hiredis.Reader(), asyncio.Event()
    left = 0

    class Bare(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            nonlocal left
            reader.feed(data)
            while left and reader.gets() is not False:
                left -= 1
            if not left:
                done.set()

    async def send(commands: list[Command]) -> object:
        nonlocal left
        left = len(commands)
        done.clear()
        transport.write(b"".join([hiredis.pack_command(each) for each in commands]))  # type: ignore[arg-type] # its stub
        return await done.wait()

    port = int(url.rpartition(":")[2])
    transport, _ = await asyncio.get_running_loop().create_connection(Bare, "127.0.0.1", port)
    try:
        yield send
    finally:
        transport.close()


CLIENTS: dict[str, Callable[[str], Any]] = {
    "a bare protocol with hiredis": open_bare,
    "this router: redis-py's connection, hiredis": open_ours,
    "redis-py, pipeline, hiredis": lambda url: open_redis_py(url, "_AsyncHiredisParser"),
    "redis-py, pipeline, its own parser": lambda url: open_redis_py(url, "_AsyncRESP2Parser"),
    "valkey-glide, batch": open_glide,
    "coredis, pipeline": open_coredis,
}


async def measure(program: str, rounds: int) -> dict[str, list[float]]:
    """Measure all that are installed; gives µs per command for each of `BATCHES`."""
    async with run_redis(program) as url, AsyncExitStack() as stack:
        clients: dict[str, Send] = {}
        for name, connect in CLIENTS.items():
            try:
                clients[name] = await stack.enter_async_context(connect(url))
            except ModuleNotFoundError as error:
                click.echo(f"{name}: left out, {error.name} is not installed", err=True)
        keys = [b"plano:affinity:0::run-%d" % number for number in range(max(BATCHES))]
        await clients["redis-py, pipeline, hiredis"]([("SET", key, VALUE) for key in keys])
        costs: dict[str, list[list[float]]] = {name: [[] for _ in BATCHES] for name in clients}
        for _ in range(rounds):
            for place, size in enumerate(BATCHES):
                commands: list[Command] = [("GETEX", key, "PX", 600_000) for key in keys[:size]]
                for name, send in clients.items():
                    costs[name][place].append(await _cost(send, commands))
        return {name: [statistics.median(values) for values in rows] for name, rows in costs.items()}


async def _cost(send: Send, commands: list[Command]) -> float:
    until, count = time.monotonic() + SLICE_SECONDS, 0
    started = time.process_time()
    while time.monotonic() < until:
        await send(commands)
        count += len(commands)
    return (time.process_time() - started) / count * 1e6


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--rounds", type=click.IntRange(1), default=15, help="Slices of each client and size.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(*, rounds: int, as_json: bool) -> None:
    """Measure what Redis' clients cost."""
    program = shutil.which("redis-server")
    if program is None:
        raise click.UsageError("redis-server is not installed. Install it: apt-get install redis-server.")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        costs = runner.run(measure(program, rounds))
    if as_json:
        click.echo(json.dumps({"batches": BATCHES, "us_per_command": costs}, indent=2))
        return
    click.echo(f"{'CPU µs per command':<46}" + "".join(f"{f'batch of {size}':>13}" for size in BATCHES))
    for name, row in costs.items():
        click.echo(f"{name:<46}" + "".join(f"{cost:>13.1f}" for cost in row))


if __name__ == "__main__":
    main()
