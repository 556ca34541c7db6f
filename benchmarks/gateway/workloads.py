"""The workloads of every gateway."""

from dataclasses import dataclass
from typing import Literal

from benchmarks.gateway.bodies import HUGE_BYTES, LARGE_BYTES, SMALL_BYTES

PINNED_IDS = 32
"""Over how many sessions pinned requests are spread."""
BURST_CHUNKS = 50
TOGETHER = 10
"""How many chunks an upstream that sends them in batches puts into one send()."""
PACED_CHUNKS = 20
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
    stream: Literal["burst", "batch", "paced"] | None = None
    """How the upstream streams its answer: chunk by chunk as fast as it is taken, the same in batches of `TOGETHER`,
    or at 50 per second; None where it does not stream."""
    new_texts: bool = False
    """Every first turn has a text of its own; otherwise all have the same."""
    sdk_head: bool = False
    """The head is that of OpenAI's SDK for Python, line by line."""
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
        Workload(f"new-{name}", size, 64, first_turns=True, new_texts=True, quick=size == SMALL_BYTES),
    )


WORKLOADS: tuple[Workload, ...] = (
    *_plain("1kb", SMALL_BYTES),
    *_plain("20kb", LARGE_BYTES),
    Workload("pinned-200kb", HUGE_BYTES, 64, sdk_head=True),
    Workload("stream-burst", SMALL_BYTES, STREAMS, stream="burst"),
    Workload("stream-batch", SMALL_BYTES, STREAMS, stream="batch"),
    Workload("stream-paced", SMALL_BYTES, STREAMS, stream="paced"),
    Workload("claude-burst", SMALL_BYTES, STREAMS, stream="burst", claude=True),
    Workload("claude-paced", SMALL_BYTES, STREAMS, stream="paced", claude=True),
)
PINNED = WORKLOADS[0]
