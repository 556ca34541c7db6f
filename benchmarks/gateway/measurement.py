"""Measurements and their arithmetic: medians, spreads and ratios within one run."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MANY = 8
"""From how many values on a spread is told by its quartiles."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and what lies around it."""

    median: float
    """The middle one; the mean of the two middle ones where there are two."""
    low: float
    """The least, or the lower quartile."""
    high: float
    """The greatest, or the upper quartile."""


def summarize(values: Sequence[float]) -> Spread:
    """Give the values' median, least and greatest; of many, what half of them lie between (the quartiles).

    Raises:
        ValueError: There are none.
    """
    if not values:
        raise ValueError("No value was measured, so there is no median.")
    if len(values) >= MANY:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    else:
        low, high = min(values), max(values)
    return Spread(statistics.median(values), low, high)


def compare(values: Mapping[int, float], base: Mapping[int, float]) -> Spread:
    """Give the ratio of two subjects, round by round: the two of one round were measured right after each other.

    Args:
        values: One subject's, by round.
        base: The other's.

    Raises:
        ValueError: There is no round that both have, or the base was zero.
    """
    pairs = [(value, base[number]) for number, value in values.items() if number in base]
    if not pairs or not all(below for _, below in pairs):
        raise ValueError(f"No ratio of {dict(values)!r} to {dict(base)!r}.")
    return summarize([above / below for above, below in pairs])


@dataclass(frozen=True, slots=True)
class Sample:
    """One slice of one workload on one subject."""

    requests: int
    """How many were answered."""
    errors: int
    """How many failed, or were answered with another status than 200."""
    seconds: float
    """How long it took."""
    cpu_seconds: float | None
    """The CPU time of the subject's processes; None where there is none between load and upstream."""
    chunks: int = 0
    """How many chunks of text arrived."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """From sending a request to its answer's end: p50, p90, p99 and max."""
    first_event_ms: Mapping[str, float] = field(default_factory=dict)
    """From sending a request to its stream's first event."""
    chunk_delay_ms: Mapping[str, float] = field(default_factory=dict)
    """From the upstream's sending a chunk to the client's receiving it."""
    round: int = 0
    """In which round it was measured."""

    def cpu_us_per(self, unit: str) -> float | None:
        """The CPU time for each request or chunk, in microseconds."""
        count = self.chunks if unit == "chunk" else self.requests
        return None if self.cpu_seconds is None or not count else self.cpu_seconds / count * 1e6


@dataclass(slots=True)
class Results:
    """All of a run, as it is written down."""

    machine: dict[str, object]
    """Processor, kernel, cores and the load there was before."""
    started: str
    """When, in ISO 8601 and UTC."""
    settings: dict[str, object]
    """How much was measured."""
    versions: dict[str, str] = field(default_factory=dict)
    """Each subject's."""
    absent: dict[str, str] = field(default_factory=dict)
    """The peers that are not there, and why."""
    samples: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)
    """By workload and subject, one for each round."""
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """By name and subject: what is not a load's result (start, memory)."""
    notes: list[str] = field(default_factory=list)
    """What a reader must know: errors, and what was cut short."""

    def add(self, workload: str, subject: str, sample: Sample) -> None:
        """Keep one slice."""
        self.samples.setdefault(workload, {}).setdefault(subject, []).append(sample)

    def add_figure(self, name: str, subject: str, value: float) -> None:
        """Keep one value."""
        self.figures.setdefault(name, {}).setdefault(subject, []).append(value)

    def cpu_us(self, workload: str, subject: str, unit: str = "request") -> dict[int, float]:
        """The CPU time for each request or chunk in microseconds, by round."""
        samples = self.samples.get(workload, {}).get(subject, [])
        values = ((sample.round, sample.cpu_us_per(unit)) for sample in samples)
        return {number: value for number, value in values if value is not None}

    def latency_ms(self, workload: str, subject: str, part: str) -> dict[int, float]:
        """The latency at p50, p90, p99 or max in milliseconds, by round."""
        samples = self.samples.get(workload, {}).get(subject, [])
        return {sample.round: sample.latency_ms[part] for sample in samples if part in sample.latency_ms}

    def figure(self, name: str, subject: str) -> list[float]:
        """The values of that name."""
        return self.figures.get(name, {}).get(subject, [])
