"""The cost of affinity: looking a pin up, deciding for a request, a stampede of first turns, and a million ids.

Run it with ``scripts/uv run benchmarks/affinity.py``, or with any Python that has the package and its extra ``redis``.
Decisions are what the router makes of a request with an affinity id, without HTTP: the pin looked up and renewed, the
decision made and kept, the dispatch checked. Routing itself costs nothing here. In memory, CPU time is measured, for
nothing is waited for; with Redis, started here on a free port, the time that passes.
"""

import asyncio
import json
import os
import platform
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import click
import uvloop

from plano_agents.config.model import Routing
from plano_agents.config.options import SessionCache
from plano_agents.router.app import LEDGER_ENTRIES
from plano_agents.secret_str import SecretStr
from plano_agents.sessions.build import build_store
from plano_agents.sessions.decide import Route
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.pinning import Pinning

TTL_SECONDS = 600
LIVE_IDS = 1_000
"""Over how many sessions the decisions are spread."""
AT_ONCE = 64
"""How many requests are under way at once where throughput is measured."""
FIRST_DECADE = 1_000

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Figure:
    """Repeated measurements."""

    name: str
    """What, in words."""
    unit: str
    """The values' unit."""
    values: tuple[float, ...]
    """One for each repeat."""

    def to_json(self) -> dict[str, object]:
        """Write it down, median and spread first."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": statistics.median(self.values),
            "min": min(self.values),
            "max": max(self.values),
            "values": self.values,
        }

    def to_line(self) -> str:
        """Write it as a line of the table."""
        cells = (statistics.median(self.values), min(self.values), max(self.values))
        return f"{self.name:<58}" + "".join(f"{_show(cell):>12}" for cell in cells) + f"  {self.unit}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The extent of a measurement."""

    repeats: int
    requests: int
    stampede: int
    ids: int


class Routed:
    """Routes to one model, and counts how often; and how many decisions were made without Redis."""

    def __init__(self) -> None:
        self.count = 0
        self.degraded = 0

    async def __call__(self) -> Route:
        """Route a request; others may go on meanwhile."""
        self.count += 1
        await asyncio.sleep(0)
        return Route("openai/gpt-4o", "work")


async def decide(pinning: Pinning, key: SessionKey, route: Routed) -> None:
    """Decide for one request and let its dispatch be checked."""
    with closing(pinning.turn(key, TTL_SECONDS).open()) as turn:
        decision = await turn.decide(hint=None, find_model=str, route=route)
        turn.note_dispatch(decision.model)
    route.degraded += bool(decision.degraded)


async def look_up(pinning: Pinning, key: SessionKey) -> None:
    """Look a pin up, as the first thing that is done for a request."""
    pinning.store.open(key, TTL_SECONDS)
    await pinning.store.get(key)
    pinning.store.close(key, None)


async def do_all(work: Callable[[SessionKey], Awaitable[None]], keys: Iterable[SessionKey], at_once: int) -> None:
    """Do something for every key, so many at once."""
    waiting = iter(keys)

    async def work_through() -> None:
        for key in waiting:
            await work(key)

    if at_once == 1:
        await work_through()
    else:
        await asyncio.gather(*(work_through() for _ in range(at_once)))


def name_keys(prefix: str, numbers: Iterable[int]) -> list[SessionKey]:
    """Name sessions."""
    return [SessionKey("", f"{prefix}-{number}") for number in numbers]


def build_pinning(redis_url: str | None = None) -> Pinning:
    """Put together what the router has, in memory or on a Redis."""
    cache = SessionCache("redis", SecretStr(redis_url)) if redis_url is not None else SessionCache()
    store = build_store(Routing(session_cache=cache))
    ledger = Ledger(max_entries=LEDGER_ENTRIES, is_shared=store.is_shared)
    if isinstance(store, MemorySessionStore):
        store.on_end = ledger.forget
    return Pinning(store, ledger)


async def measure_pinned(place: str, pinning: Pinning, plan: Plan, clock: Clock, at_once: int) -> list[Figure]:
    """Look pins up, and decide for pinned requests."""
    route = Routed()
    live = name_keys("pinned", range(LIVE_IDS))
    keys = [live[number % LIVE_IDS] for number in range(plan.requests)]

    async def look(key: SessionKey) -> None:
        await look_up(pinning, key)

    async def ask(key: SessionKey) -> None:
        await decide(pinning, key, route)

    await do_all(ask, live, at_once)
    rates, costs = [], []
    for _ in range(plan.repeats):
        started = clock()
        await do_all(look, keys, at_once)
        rates.append(plan.requests / (clock() - started))
        started = clock()
        await do_all(ask, keys, at_once)
        costs.append((clock() - started) / plan.requests * 1e6)
    where = f"{place}, {at_once} at once" if at_once > 1 else place
    return [
        Figure(f"pin lookups, {where}", "per second", tuple(rates)),
        Figure(f"decision, pinned, {where}", "µs", tuple(costs)),
    ]


async def measure_stampede(place: str, pinning: Pinning, plan: Plan) -> list[Figure]:
    """Let first turns come all at once: of one session, and each of its own."""
    figures = []
    for ids in (1, plan.stampede):
        passed, routed, degraded = [], [], []
        for repeat in range(plan.repeats):
            route = Routed()
            keys = name_keys(f"stampede-{ids}-{repeat}", range(ids)) * (plan.stampede // ids)
            started = time.perf_counter()
            await asyncio.gather(*(decide(pinning, key, route) for key in keys))
            passed.append((time.perf_counter() - started) * 1e3)
            routed.append(float(route.count))
            degraded.append(float(route.degraded))
        name = f"{plan.stampede:,} first turns at once on {ids:,} id{'s' * (ids > 1)}, {place}"
        figures += [
            Figure(name, "ms", tuple(passed)),
            Figure("  of which routed", "requests", tuple(routed)),
        ]
        if any(degraded):
            figures.append(Figure("  of which without Redis' answer", "requests", tuple(degraded)))
    return figures


async def measure_growth(plan: Plan, advance: Callable[[str], None]) -> list[Figure]:
    """See more and more ids, and decide after each decade as often as after the first."""
    pinning, route = build_pinning(), Routed()

    async def ask(key: SessionKey) -> None:
        await decide(pinning, key, route)

    figures = []
    seen, decade = 0, FIRST_DECADE
    while decade <= plan.ids:
        advance(f"{decade:,} ids")
        await do_all(ask, name_keys("seen", range(seen, decade)), 1)
        seen = decade
        live = name_keys("seen", range(decade - LIVE_IDS, decade))
        keys = [live[number % LIVE_IDS] for number in range(plan.requests)]
        costs = []
        for _ in range(plan.repeats):
            started = time.process_time()
            await do_all(ask, keys, 1)
            costs.append((time.process_time() - started) / plan.requests * 1e6)
        figures.append(Figure(f"decision, pinned, after {decade:,} ids", "µs", tuple(costs)))
        decade *= 10
    return figures


async def measure(plan: Plan, redis_server: str | None, advance: Callable[[str], None]) -> list[Figure]:
    """Measure everything."""
    advance("memory")
    pinning = build_pinning()
    figures = await measure_pinned("memory", pinning, plan, time.process_time, 1)
    figures += await measure_stampede("memory", pinning, plan)
    if redis_server is not None:
        async with run_redis(redis_server) as url:
            pinning = build_pinning(url)
            for at_once in (1, AT_ONCE):
                advance(f"Redis, {at_once} at once")
                figures += await measure_pinned("Redis", pinning, plan, time.perf_counter, at_once)
            advance("Redis, stampede")
            figures += await measure_stampede("Redis", pinning, plan)
            await pinning.store.aclose()
    return figures + await measure_growth(plan, advance)


@asynccontextmanager
async def run_redis(program: str) -> AsyncGenerator[str, None]:
    """Run a redis-server on a free port until the context ends; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *(
                program,
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--dir",
                folder,
                "--save",
                "",
                "--logfile",
                "",
            ),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None, "it was asked for"  # noqa: S101 - cannot happen
            await process.stdout.readuntil(b"Ready to accept connections")
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.kill()
            await process.communicate()


def compare_growth(figures: Sequence[Figure]) -> str:
    """Say how much more a decision costs after the most ids than after the fewest."""
    medians = [statistics.median(each.values) for each in figures if " after " in each.name]
    widest = max(abs(median / medians[0] - 1) for median in medians)
    return f"A decision's cost stays within {widest:.0%} of its first while ids grow {10 ** (len(medians) - 1):,}-fold."


def _show(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 or value == int(value) else f"{value:,.2f}"  # noqa: PLR2004


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--repeats", type=click.IntRange(1), default=7, help="How often each is measured.")
@click.option("--requests", type=click.IntRange(1_000), default=20_000, help="Requests in each repeat.")
@click.option("--stampede", type=click.IntRange(1), default=1_000, help="First turns that come at once.")
@click.option("--ids", type=click.IntRange(FIRST_DECADE), default=1_000_000, help="Ids seen in the end, from 1,000 on.")
@click.option("--redis/--no-redis", "with_redis", default=True, help="Measure with a Redis started here, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, every repeat's value in it.")
def main(*, repeats: int, requests: int, stampede: int, ids: int, with_redis: bool, as_json: bool) -> None:
    """Measure what affinity costs."""
    program = shutil.which("redis-server") if with_redis else None
    if with_redis and program is None:
        raise click.UsageError(
            "redis-server is not installed. Install it (apt-get install redis-server), or add --no-redis."
        )

    def advance(step: str) -> None:
        click.echo(f"measuring: {step} …", err=True)

    plan = Plan(repeats, requests, stampede, ids)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(measure(plan, program, advance))
    machine = {"python": platform.python_version(), "system": platform.platform(), "cpus": os.cpu_count()}
    if as_json:
        click.echo(json.dumps({"machine": machine, "figures": [each.to_json() for each in figures]}, indent=2))
        return
    click.echo(f"{'':<58}{'median':>12}{'least':>12}{'most':>12}")
    for figure in figures:
        click.echo(figure.to_line())
    click.echo(compare_growth(figures))
    click.echo(f"Python {machine['python']}, {machine['cpus']} CPUs, {repeats} repeats.")


if __name__ == "__main__":
    main()
