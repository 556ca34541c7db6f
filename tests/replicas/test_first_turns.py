"""First turns of many sessions at once, over two router processes behind a real haproxy, with a real Redis."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.faults.redis_server import RedisServer
from tests.faults.router_process import RouterProcess, start_program
from tests.replicas import replica
from tests.replicas.haproxy import balance
from tests.replicas.referee import Referee
from tests.router.conftest import chat
from tests.router.raw_client import build_request, complete, open_to

IDS = 400
AT_ONCE = 16
"""First turns of one id, all under way at the same time, each of which routing would give another model."""
IDS_AT_ONCE = 7


@dataclass(frozen=True, slots=True)
class Answered:
    """One client's answers."""

    affinity_id: str
    status: int
    model: str
    decision: str


def find_models(exchanges: Iterable[UpstreamExchange]) -> dict[str, set[str]]:
    """The models that each id's requests came to the provider for."""
    models: defaultdict[str, set[str]] = defaultdict(set)
    for exchange in exchanges:
        affinity_id, _ = exchange.json["messages"][0]["content"].split()
        models[affinity_id].add(exchange.json["model"])
    return models


def write_config(folder: Path, upstream: str, redis: str) -> Path:
    """As many models as an id has first turns, each the first of a preference of its own."""
    names = [f"openai/m{number}" for number in range(AT_ONCE)]
    config = {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "m", "port": 12_000}],
        "model_providers": [{"model": name, "base_url": upstream, "access_key": "sk-any"} for name in names],
        "routing_preferences": [
            {"name": f"p{number}", "description": "any work", "models": [name, names[number - 1]]}
            for number, name in enumerate(names)
        ],
        "routing": {"session_cache": {"type": "redis", "url": redis}},
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    return path


async def ask_at_once(
    streams: Iterable[tuple[asyncio.StreamReader, asyncio.StreamWriter]], affinity_id: str
) -> list[Answered]:
    """Send all first turns of an id before any answer is read."""
    readers = []
    for number, (reader, writer) in enumerate(streams):
        message = {"role": "user", "content": f"{affinity_id} {number}"}
        writer.write(build_request(chat(messages=[message]), f"x-model-affinity: {affinity_id}", close=False))
        readers.append(reader)
    return [await read(reader, affinity_id) for reader in readers]


async def read(reader: asyncio.StreamReader, affinity_id: str) -> Answered:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    await reader.readexactly(int(headers["content-length"]))
    return Answered(affinity_id, int(status.split()[1]), headers["x-plano-model"], headers["x-plano-affinity"])


async def ask_all(url: str) -> list[Answered]:
    """Ask for every id, some ids at a time."""
    numbers: Iterator[int] = iter(range(IDS))
    answered: list[Answered] = []

    async def work() -> None:
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(open_to(url)) for _ in range(AT_ONCE)]
            for number in numbers:
                answered.extend(await ask_at_once(streams, f"run-{number}"))

    await asyncio.gather(*(work() for _ in range(IDS_AT_ONCE)))
    return answered


@asynccontextmanager
async def start_replicas(config: Path, referee: Referee) -> AsyncGenerator[list[RouterProcess], None]:
    async with AsyncExitStack() as stack:
        script = replica.__file__
        yield [
            await stack.enter_async_context(start_program(script, name, str(config), str(referee.port)))
            for name in "ab"
        ]


async def test_of_16_first_turns_over_two_replicas_one_decision_holds_for_each_id(
    tmp_path: Path,
) -> None:
    """No two requests of an id reach different models; each replica routes at most once; nothing is degraded."""
    async with (
        FakeUpstream(complete) as upstream,
        Referee() as referee,
        RedisServer(tmp_path) as redis,
        start_replicas(write_config(tmp_path, upstream.url, redis.url), referee) as replicas,
        balance(tmp_path, [each.url for each in replicas]) as url,
    ):
        answered = await ask_all(url)
        stopped = [await each.stop() for each in replicas]
    decisions = defaultdict(list)
    models = defaultdict(set)
    for each in answered:
        decisions[each.affinity_id].append(each.decision)
        models[each.affinity_id].add(each.model.partition("/")[2])
    assert {each.status for each in answered} == {200}
    assert models == find_models(upstream.exchanges)
    assert {len(found) for found in models.values()} == {1}
    one = ["initialize; reason=first_turn", *["retain; reason=pinned"] * (AT_ONCE - 1)]
    assert [found for found in decisions.values() if sorted(found) != one] == []
    assert set(referee.routings.values()) == {1}
    assert referee.contested > 0.9 * IDS
    assert stopped == [(0, "")] * 2
