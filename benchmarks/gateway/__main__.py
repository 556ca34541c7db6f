"""Measures gateways side by side. ``scripts/bench-gateway run --help`` says how."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.gateway.aims import judge
from benchmarks.gateway.alone import ALONE, Router
from benchmarks.gateway.install import (
    Installation,
    NotInstalledError,
    compile_native,
    default_cache,
    find_debian,
)
from benchmarks.gateway.loads import LoadError
from benchmarks.gateway.machine import choose_cores, describe_machine, raise_file_limit
from benchmarks.gateway.measurement import Results
from benchmarks.gateway.peers import PEERS
from benchmarks.gateway.peers.peer import Peer
from benchmarks.gateway.peers.plano_agents import NAME
from benchmarks.gateway.plan import Plan, Run
from benchmarks.gateway.publish import publish, read_results, write_results
from benchmarks.gateway.side_by_side import run_workloads, start_all
from benchmarks.gateway.subjects import NotStartedError, Subject, build_direct, running_bench
from benchmarks.gateway.tables import render
from benchmarks.gateway.tls import reach_over_tls
from benchmarks.gateway.workloads import WORKLOADS, Workload

FULL = Plan(rounds=12, seldom=6, turns=12, seconds=0.35, starts=3, requests=20_000, streams=1_000, sessions=1_000_000)
QUICK = Plan(rounds=2, seldom=1, turns=2, seconds=0.35, starts=1, requests=500, streams=200, sessions=5_000)
OFTEN = {NAME, "nginx", "vllm-router"}
"""Those that take part in every round."""
FILES = 65_536
"""How many files may be open: 1,000 streams are 2,000 sockets of a gateway."""


PARTS = {
    "memory": "start and memory",
    "workers": "two workers",
    "tls": "an upstream over TLS, beside nginx",
    "streams": "growth from 10 open streams to many",
    "sessions": "growth from 1,000 sessions to many",
}
"""What is measured besides the workloads; all but the first of plano-agents alone."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure gateways side by side: CPU time, latency, memory and start."""


def _split(_: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    known = [peer.name for peer in PEERS] if parameter.name == "peers" else [*_keys(), *PARTS]
    chosen = tuple(known if value is None else (part.strip() for part in value.split(",")))
    for part in chosen:
        if part not in known:
            raise click.BadParameter(f"{part!r} is none of: {', '.join(known)}")
    return chosen


def _keys() -> list[str]:
    return [workload.key for workload in WORKLOADS]


_PEERS = click.option("--peers", callback=_split, metavar="NAME,…", help="Which gateways  [default: all]")
_CACHE = click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_cache,
    show_default="~/.cache/plano-agents-bench",
    help="Where gateways are installed.",
)


@main.command()
@_PEERS
@click.option(
    "--only",
    callback=_split,
    metavar="NAME,…",
    help=f"Which of {', '.join([*_keys(), *PARTS])}  [default: all]",
)
@click.option("--quick", is_flag=True, help="Two rounds of fewer workloads, with fewer requests, streams and sessions.")
@click.option("--rounds", type=click.IntRange(1), help="How many slices of each workload are measured  [default: 12]")
@click.option("--seconds", type=click.FloatRange(0.1), help="How long a slice is  [default: 0.35]")
@click.option(
    "--sessions",
    type=click.IntRange(2_000),
    help="Sessions seen before cost is measured again  [default: 1000000]",
)
@click.option(
    "--cores",
    metavar="PROXY,LOAD",
    help="The measured process's core, and the load's  [default: the last two]",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where results go as JSON  [default: in the cache]",
)
@_CACHE
def run(
    peers: tuple[str, ...],
    only: tuple[str, ...],
    *,
    quick: bool,
    rounds: int | None,
    seconds: float | None,
    sessions: int | None,
    cores: str | None,
    out: Path | None,
    cache: Path,
) -> None:
    """Measure, print the tables and write the results as JSON."""
    base = QUICK if quick else FULL
    plan = replace(
        base,
        rounds=rounds or base.rounds,
        seconds=seconds or base.seconds,
        sessions=sessions or base.sessions,
    )
    chosen = choose_cores(cores)
    began = time.monotonic()
    results = Results(describe_machine(chosen), datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), {})
    results.settings = {
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "sessions": f"{plan.sessions:,}",
    }
    raise_file_limit(FILES)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))
    os.sched_setaffinity(0, {chosen.load})
    programs = _find_programs(cache)
    found = _install(peers, cache, results)
    all_asked = set(only) >= set(_keys())
    workloads = [one for one in WORKLOADS if one.key in only and (one.quick or not quick or not all_asked)]
    folder = Path(tempfile.mkdtemp(prefix="bench-gateway-"))
    try:
        with running_bench(programs["upstream"], programs["load"], chosen, folder) as bench:
            _measure(Run(bench, plan, results, _say), found, workloads, set(only) & PARTS.keys())
    finally:
        path = out or cache / "results" / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
        write_results(results, path)
    click.echo()
    click.echo(_render(results))
    click.echo(f"{time.monotonic() - began:.0f} s. Results: {path}", err=True)


@main.command()
@_PEERS
@_CACHE
def install(peers: tuple[str, ...], cache: Path) -> None:
    """Install the gateways and compile the load generator, without measuring."""
    _find_programs(cache)
    _install(peers, cache, Results({}, "", {}))


@main.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def show(results: Path) -> None:
    """Print the tables of a run's RESULTS."""
    click.echo(_render(read_results(results)))


@main.command(name="publish")
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def publish_results(results: Path) -> None:
    """Write the tables and plots of a run's RESULTS into docs/performance.md and docs/images/."""
    read = read_results(results)
    for path in publish(read, _render(read)):
        click.echo(path)


def _render(results: Results) -> str:
    whats = {peer.name: peer.what for peer in PEERS} | {"direct": "no gateway"}
    return render(results, [peer.name for peer in PEERS] + ["direct"], whats, judge(results))


def _measure(
    run: Run, found: Mapping[Peer, Installation], workloads: Sequence[Workload], parts: AbstractSet[str]
) -> None:
    """Measure the gateways side by side, then what only plano-agents is asked.

    Args:
        run: With what, how much, and where it goes.
        found: The gateways that are installed.
        workloads: What all are asked.
        parts: Which of ``PARTS`` besides.
    """
    subjects: list[Subject] = []
    try:
        if workloads or "memory" in parts:
            run.say("Starting the gateways")
            start_all(run, found, subjects, memory="memory" in parts)
        if workloads:
            run.say("Workloads, side by side")
            run_workloads(run, [*subjects, build_direct(run.bench)], workloads, OFTEN)
    finally:
        for subject in subjects:
            subject.stop()
    for peer, installation in found.items():
        for part, measure in {**ALONE, "tls": reach_over_tls}.items():
            if peer.name == NAME and part in parts:
                run.say(f"{NAME}: {PARTS[part]}")
                try:
                    measure(Router(run, peer, installation))
                except (NotStartedError, LoadError) as error:
                    run.note(f"{PARTS[part]}: {error}")


def _find_programs(cache: Path) -> dict[str, str]:
    try:
        find_debian("taskset", "util-linux", ["--version"])
        return {
            "upstream": compile_native(cache, "upstream"),
            "load": compile_native(cache, "load"),
        }
    except NotInstalledError as error:
        raise click.ClickException(str(error)) from None


def _install(names: Sequence[str], cache: Path, results: Results) -> dict[Peer, Installation]:
    found = {}
    for peer in PEERS:
        if peer.name not in names:
            continue
        try:
            found[peer] = peer.install(cache)
        except NotInstalledError as error:
            results.absent[peer.name] = str(error)
            _say(f"{peer.name}: not installed. {error}")
        else:
            results.versions[peer.name] = found[peer].version
            _say(f"{peer.name} {found[peer].version}")
    if not found:
        raise click.ClickException("No gateway is installed, so there is nothing to measure.")
    return found


def _say(text: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} {text}", err=True)


if __name__ == "__main__":
    sys.exit(main())
