"""Counting in plain dicts, cheap enough for every request: counters, histograms, and what is read when it is asked for.

A tally is one metric family in Prometheus' sense. Nothing of Prometheus is needed to count; how the text that it
scrapes is written, and how several processes' tallies are added up, is left to ``observe.exposition``. Label values
are bounded by those who count; `MAX_SERIES` holds where they err.

Why not prometheus-client's own: what one request counts costs 6 µs with it, 15 with its files that processes share,
and loading it 27 ms of a start; here 3 µs, shared or not, and nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Protocol

Labels = tuple[str, ...]
"""The values of a family's labels, in their order."""

Kind = Literal["counter", "gauge", "histogram"]

Merge = Literal["sum", "max"]
"""What several processes' values come to."""

MAX_SERIES = 1_000
"""How many combinations of label values a family holds; further ones are counted together."""

OTHER = "other"
"""The label value of what is counted together."""


class Tally(Protocol):
    """One metric family."""

    @property
    def name(self) -> str:
        """Its name, without ``_total``."""

    @property
    def text(self) -> str:
        """The description, for readers of the page."""

    @property
    def labels(self) -> Sequence[str]:
        """The names of its labels."""

    @property
    def kind(self) -> Kind:
        """The Prometheus type."""

    @property
    def merge(self) -> Merge:
        """The rule that puts several processes' values together."""

    def read(self) -> Mapping[Labels, Sequence[float]]:
        """Give its numbers: one for a counter or gauge; of a histogram each bucket's count, and the sum last."""


class Counter:
    """Only grows.

    Args:
        name: Without ``_total``.
        text: What it counts.
        labels: The names of its labels.
        start: Which label values stand at 0 before anything is counted; without labels, the only ones.
    """

    kind: ClassVar[Kind] = "counter"
    merge: ClassVar[Merge] = "sum"

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), start: Iterable[Labels] | None = None) -> None:
        self.name = name
        self.text = text
        self.labels = tuple(labels)
        if start is None:
            start = () if labels else ((),)
        self._values = dict.fromkeys(start, 0.0)

    def add(self, labels: Labels = (), amount: float = 1.0) -> None:
        """Count.

        Args:
            labels: The values of its labels.
            amount: How much.
        """
        try:
            self._values[labels] += amount
        except KeyError:
            labels = _bound(labels, len(self._values))
            self._values[labels] = self._values.get(labels, 0.0) + amount

    def read(self) -> Mapping[Labels, Sequence[float]]:
        """See `Tally.read`."""
        return {labels: (value,) for labels, value in self._values.items()}


class Histogram:
    """Counts values by size.

    Args:
        name: Ends with its unit.
        text: What it measures.
        bounds: The buckets' upper bounds, included in them, ascending.
        labels: The names of its labels.
    """

    kind: ClassVar[Kind] = "histogram"
    merge: ClassVar[Merge] = "sum"

    def __init__(self, name: str, text: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self.name = name
        self.text = text
        self.bounds = tuple(map(float, bounds))
        self.labels = tuple(labels)
        self._counts: dict[Labels, list[float]] = {}
        self._scaled: dict[float, Sequence[float]] = {1: self.bounds}

    def note(self, labels: Labels, value: float) -> None:
        """Count a value.

        Args:
            labels: The values of its labels.
            value: In the unit of the name.
        """
        counts = self._counts.get(labels)
        if counts is None:
            self.note_all(labels, (value,))
            return
        counts[bisect_left(self.bounds, value)] += 1
        counts[-1] += value

    def note_all(self, labels: Labels, values: Iterable[float], *, per_unit: float = 1) -> None:
        """Count values that have the same labels.

        Args:
            labels: The values of their labels.
            values: In the unit of the name, or in a smaller one.
            per_unit: How many of the smaller unit the name's unit has.
        """
        ordered = sorted(values)
        if not ordered:
            return
        counts = self._counts.get(labels)
        bounds = self._scale(per_unit)
        if counts is None:
            labels = _bound(labels, len(self._counts))
            counts = self._counts.setdefault(labels, [0.0] * (len(bounds) + 2))
        counts[-1] += sum(ordered) / per_unit
        start, end = 0, len(ordered)
        while start < end:  # one step for each bucket that there is a value for, however many values
            bucket = bisect_left(bounds, ordered[start])
            after = bisect_right(ordered, bounds[bucket], start) if bucket < len(bounds) else end
            counts[bucket] += after - start
            start = after

    def _scale(self, per_unit: float) -> Sequence[float]:
        """Give the bounds in a smaller unit."""
        scaled = self._scaled.get(per_unit)
        if scaled is None:
            scaled = self._scaled[per_unit] = tuple([round(bound * per_unit, 9) for bound in self.bounds])
        return scaled

    def read(self) -> Mapping[Labels, Sequence[float]]:
        """See `Tally.read`."""
        return self._counts


class Reading:
    """Is read where it is kept, whenever it is asked for.

    Args:
        name: Without ``_total``.
        text: What it says.
        read: Gives the numbers by label values.
        labels: The names of its labels.
        kind: Whether it may fall.
        merge: What several processes' values come to.
    """

    def __init__(
        self,
        name: str,
        text: str,
        read: Callable[[], Mapping[Labels, float]],
        labels: Sequence[str] = (),
        *,
        kind: Literal["counter", "gauge"] = "gauge",
        merge: Merge = "sum",
    ) -> None:
        self.name = name
        self.text = text
        self.labels = tuple(labels)
        self.kind: Kind = kind
        self.merge = merge
        self._read = read

    def read(self) -> Mapping[Labels, Sequence[float]]:
        """See `Tally.read`."""
        return {labels: (value,) for labels, value in self._read().items()}


def _bound(labels: Labels, held: int) -> Labels:
    """Give the label values to count new ones under."""
    return labels if held < MAX_SERIES else (OTHER,) * len(labels)
