"""The plan of a run: its extent, its tools and the place of its results."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.gateway.measurement import Results
from benchmarks.gateway.subjects import Bench


@dataclass(frozen=True, slots=True)
class Plan:
    """The extent of a measurement."""

    rounds: int
    """How many slices of each workload are measured, in turn with the other gateways' slices."""
    seldom: int
    """Gateways that no aim is held against take part in every so-many-th round."""
    turns: int
    """How many slices are measured of what only plano-agents is asked, alternating."""
    seconds: float
    """How long a slice is."""
    starts: int
    """How often each gateway is started."""
    requests: int
    """How many are sent before memory is looked at again."""
    streams: int
    """How many streams are held open."""
    sessions: int
    """How many sessions are seen before cost is measured again."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what is measured with, how much, and where it goes."""

    bench: Bench
    plan: Plan
    results: Results
    say: Callable[[str], None]
    """Shows the progress."""

    def note(self, text: str) -> None:
        """Tell it, and keep it for the results' readers."""
        self.say(f"  {text}")
        self.results.notes.append(text)
