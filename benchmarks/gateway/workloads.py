"""The workloads of every gateway."""

from dataclasses import dataclass
from typing import Literal

from benchmarks.gateway.bodies import LARGE_BYTES, SMALL_BYTES

PINNED_IDS = 32
"""Over how many sessions pinned requests are spread."""
STREAM_CHUNKS = 50
PACED_US = 20_000
"""Between a paced stream's chunks: 50 per second."""
STREAMS = 64
"""How many streams are read at once."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of load."""

    key: str
    """Its name, for ``--only`` and in the results."""
    size: int
    """The request's body, in bytes."""
    connections: int
    """How many requests are under way at once."""
    first_turns: bool = False
    """Every request is its session's first; otherwise its session is pinned."""
    stream: Literal["burst", "paced"] | None = None
    """How the upstream streams its answer; None where it does not."""
    claude: bool = False
    """The upstream speaks Anthropic's wire and the client OpenAI's."""
    quick: bool = True
    """A quick run has it too, unless told otherwise."""

    @property
    def unit(self) -> str:
        """The unit that the CPU time is divided by."""
        return "chunk" if self.stream else "request"


def _plain(name: str, size: int) -> tuple[Workload, ...]:
    return (
        Workload(f"pinned-{name}", size, 64),
        Workload(f"pinned-{name}-c16", size, 16, quick=False),
        Workload(f"pinned-{name}-c1", size, 1),
        Workload(f"first-{name}", size, 64, first_turns=True, quick=size == SMALL_BYTES),
    )


WORKLOADS: tuple[Workload, ...] = (
    *_plain("1kb", SMALL_BYTES),
    *_plain("20kb", LARGE_BYTES),
    Workload("stream-burst", SMALL_BYTES, STREAMS, stream="burst"),
    Workload("stream-paced", SMALL_BYTES, STREAMS, stream="paced"),
    Workload("claude-burst", SMALL_BYTES, STREAMS, stream="burst", claude=True),
    Workload("claude-paced", SMALL_BYTES, STREAMS, stream="paced", claude=True),
)
PINNED = WORKLOADS[0]
