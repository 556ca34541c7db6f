"""The simulated agent's sentences about its evidence, with the numbers, names and gaps that it found."""

from plano_agents.simulator.agent.database.readings import Benchmark, CaseStudy, FeatureCheck

NOISE = 1.1
"""Factors below this make no difference."""


def join(names: tuple[str, ...] | list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def describe_benchmarks(benchmarks: tuple[Benchmark, ...]) -> str:
    """Say the numbers of one workload, and who is ahead by how much; nothing where there are none."""
    if not benchmarks:
        return ""
    numbers = "; ".join(
        f"{b.database} completes {b.throughput:,.0f} operations per second at a p99 latency of {b.p99_ms:g} ms"
        for b in benchmarks
    )
    workload = benchmarks[0].workload.replace("_", "-") or "given"
    sentences = [f"Under the {workload} workload {numbers}."]
    if len(benchmarks) > 1:
        sentences.append(_compare(benchmarks))
    return " ".join(sentences)


def _compare(benchmarks: tuple[Benchmark, ...]) -> str:
    fast = min(benchmarks, key=lambda b: b.p99_ms)
    slow = max(benchmarks, key=lambda b: b.p99_ms)
    strong = max(benchmarks, key=lambda b: b.throughput)
    weak = min(benchmarks, key=lambda b: b.throughput)
    tail = slow.p99_ms / fast.p99_ms if fast.p99_ms else 1.0
    rate = strong.throughput / weak.throughput if weak.throughput else 1.0
    if tail < NOISE and rate < NOISE:
        return "Both differences are under ten per cent, which is noise."
    if rate < NOISE:
        return f"{fast.database} is ahead on the tail by a factor of {tail:.1f}, and throughput is level."
    if tail < NOISE:
        return f"{strong.database} is ahead on throughput by a factor of {rate:.1f}, and the tails are level."
    if fast.database == strong.database:
        return f"{fast.database} is ahead on both, by a factor of {tail:.1f} on the tail and {rate:.1f} on throughput."
    return (
        f"{strong.database} has {rate:.1f} times the throughput, but {fast.database} keeps the tail lower by a factor "
        f"of {tail:.1f}."
    )


def describe_study(study: CaseStudy) -> str:
    """One case study in one clause."""
    outcome = f", {study.outcome.replace('_', ' ')}" if study.outcome and study.outcome != study.lesson else ""
    lesson = f": {study.lesson.rstrip('.')}" if study.lesson else ""
    return f"{study.company} ({study.database}{outcome}){lesson}"


def describe_gaps(features: tuple[FeatureCheck, ...]) -> str:
    """Name the features that the draft needs and that a database lacks in part."""
    gaps = [
        f"{check.database} {'lacks' if check.support == 'none' else 'only partly has'} "
        f"{check.feature.replace('_', ' ')}"
        for check in features
        if check.support != "full"
    ]
    return f"{join(gaps)}." if gaps else "None of them is missing anywhere."
