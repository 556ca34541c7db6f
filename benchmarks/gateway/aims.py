"""Aims of plano-agents beside its peers, and the check of a run against them."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.gateway.measurement import Results, Spread, compare, summarize
from benchmarks.gateway.peers.plano_agents import NAME

Measure = Callable[[Results], Spread]


@dataclass(frozen=True, slots=True)
class Aim:
    """One aim: a figure that must not exceed a limit."""

    what: str
    """What is measured, in words."""
    limit: float
    """The most it may be."""
    unit: str
    """The figure's unit, "×" for a ratio."""
    measure: Measure
    """Takes it from a run's results; raises ValueError when it was not measured."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An aim, and what came of it."""

    aim: Aim
    measured: Spread | None
    """None when the run did not measure it."""

    @property
    def met(self) -> bool | None:
        """True if the median keeps the limit; None when it was not measured."""
        return None if self.measured is None else self.measured.median <= self.aim.limit


def judge(results: Results) -> list[Verdict]:
    """Hold every aim against a run."""
    return [Verdict(aim, _measured(aim, results)) for aim in AIMS]


def _measured(aim: Aim, results: Results) -> Spread | None:
    try:
        return aim.measure(results)
    except ValueError:
        return None


def _cpu(workload: str, peer: str, unit: str = "request") -> Measure:
    return lambda results: compare(results.cpu_us(workload, NAME, unit), results.cpu_us(workload, peer, unit))


def _translated(workload: str, passed: str, peer: str) -> Measure:
    return lambda results: compare(results.cpu_us(workload, NAME, "chunk"), results.cpu_us(passed, peer, "chunk"))


def _latency(workload: str, peer: str) -> Measure:
    return lambda results: compare(results.latency_ms(workload, NAME, "p50"), results.latency_ms(workload, peer, "p50"))


def _more(workload: str, part: str, peer_workload: str, peer: str) -> Measure:
    """A latency less another one."""

    def measure(results: Results) -> Spread:
        ours, theirs = results.latency_ms(workload, NAME, part), results.latency_ms(peer_workload, peer, part)
        return summarize([mine - theirs[number] for number, mine in ours.items() if number in theirs])

    return measure


def _figure(name: str) -> Measure:
    return lambda results: summarize(results.figure(name, NAME))


def _growth(few: str, many: str) -> Measure:
    return lambda results: compare(results.cpu_us(many, NAME), results.cpu_us(few, NAME))


AIMS: tuple[Aim, ...] = (
    Aim("CPU per pinned request, 1 KB, over vllm-router's", 0.55, "×", _cpu("pinned-1kb", "vllm-router")),
    Aim("CPU per pinned request, 1 KB, over nginx's", 2.2, "×", _cpu("pinned-1kb", "nginx")),
    Aim("CPU per pinned request, 1 KB, over LiteLLM's", 1 / 300, "×", _cpu("pinned-1kb", "litellm")),
    Aim("CPU per pinned request, 20 KB, over vllm-router's", 0.35, "×", _cpu("pinned-20kb", "vllm-router")),
    Aim("CPU per pinned request, 20 KB, over nginx's", 3.0, "×", _cpu("pinned-20kb", "nginx")),
    Aim("p50 at one connection, over vllm-router's", 0.7, "×", _latency("pinned-1kb-c1", "vllm-router")),
    Aim(
        "p50 at one connection, more than nginx's",
        0.1,
        "ms",
        _more("pinned-1kb-c1", "p50", "pinned-1kb-c1", "nginx"),
    ),
    Aim("CPU per streamed chunk, bursting, over nginx's", 1.3, "×", _cpu("stream-burst", "nginx", "chunk")),
    Aim("CPU per streamed chunk, paced, over nginx's", 1.2, "×", _cpu("stream-paced", "nginx", "chunk")),
    Aim(
        "CPU per chunk translated from Anthropic, bursting, over nginx's passing one",
        5.0,
        "×",
        _translated("claude-burst", "stream-burst", "nginx"),
    ),
    Aim(
        "CPU per chunk translated from Anthropic, paced, over nginx's passing one",
        1.6,
        "×",
        _translated("claude-paced", "stream-paced", "nginx"),
    ),
    Aim(
        "CPU per first turn of a text seen before, 1 KB, over a pinned one",
        2.5,
        "×",
        _growth("pinned-1kb", "first-1kb"),
    ),
    Aim("cold start to the first answer", 0.4, "s", _figure("start_seconds")),
    Aim("memory at rest, with preferences", 100.0, "MiB", _figure("rss_rest_mib")),
    Aim("memory at rest, without the embedding model", 70.0, "MiB", _figure("rss_rest_plain_mib")),
    Aim("memory per open stream", 40.0, "KiB", _figure("stream_kib")),
    Aim(
        "CPU per request after many sessions, over after 1,000",
        1.1,
        "×",
        _growth("sessions-few", "sessions-many"),
    ),
    Aim(
        "CPU per request beside many open streams, over beside 10",
        1.1,
        "×",
        _growth("streams-few", "streams-many"),
    ),
    Aim("CPU per request of two workers, over one's", 1.1, "×", _growth("workers-one", "workers-two")),
)
