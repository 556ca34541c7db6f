"""Sampling: whether a request is traced, and its spans' ids, made before any span: what it sends carries them.

Of a request only its ids and whether it is sampled are decided up front; the spans themselves are made of its trail
once it is over (``router.watch.spans``). A span's id is a random number and its place in the request, so that it is
known without being kept: the request's own, the decision's, then one for each sending.

Sampling is parent-based: a client that has decided is followed. For others the last 64 bits of the trace id decide,
by the rule of OpenTelemetry's ``TraceIdRatioBased``, so that all who know the ratio come to the same.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from plano_agents.http.client import UpstreamRequest
from plano_agents.trace_context import SAMPLED, TRACE_HEADERS, TraceContext

DECISION = 1
"""The routing decision's place among a request's spans; the request's own is 0."""

FIRST_SENDING = 2
"""The first sending's place."""


MAX_REPLY_BYTES = 256 * 1024
"""How much of an answer is kept where content is reported."""

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""The longest request that is reported, where content is reported."""


def new_trace_id() -> str:
    """Make an id for a new trace: 32 hexadecimal digits, random in all of them, for samplers read them."""
    return (random.getrandbits(128) or 1).to_bytes(16).hex()  # formatting it takes twice as long


class Sending(NamedTuple):
    """One sending of the request to a provider, which has a span."""

    model: str
    """Who is asked, provider-qualified."""
    began: float
    """When, in seconds on the clock."""
    deployment: str | None = None
    """Which of the model's deployments; None for a model without deployments."""


@dataclass(slots=True)
class Trace:
    """The common part of a request's spans."""

    trace_id: str
    """32 hexadecimal digits."""
    parent: TraceContext | None
    """The client's span; None for a new trace."""
    is_sampled: bool
    """True if spans are made of it."""
    clock: Callable[[], float] = field(repr=False)
    """The service's monotonic clock, in seconds."""
    number: int = field(default_factory=lambda: random.getrandbits(63) | 1)
    """The span ids' random part; of 63 bits, so that adding a place never overflows."""
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the request's headers say that is to stand in its span."""
    sendings: list[Sending] = field(default_factory=list)
    """What was sent to providers, in order."""
    request: bytes = field(default=b"", repr=False)
    """The client's request, where content is reported."""
    head: bytes = field(default=b"", repr=False)
    """What the answer to the client begins with: its body, or a stream's first events."""
    reply: bytearray = field(default_factory=bytearray, repr=False)
    """The answer's first `MAX_REPLY_BYTES`, where content is reported."""

    def find_id(self, place: int) -> int:
        """The id of one of the request's spans, by its place among them."""
        return self.number + place

    def context(self, place: int) -> TraceContext:
        """The place of one of the request's spans in the trace."""
        parent = self.parent
        others = parent.flags & ~SAMPLED if parent is not None else 0
        flags = others | SAMPLED if self.is_sampled else others
        state = parent.state if parent is not None else ""
        return TraceContext(self.trace_id, f"{self.find_id(place):016x}", flags, state)

    def note_reply(self, piece: bytes) -> None:
        """Keep what is to be told of the answer to the client: of a sampled request its beginning, or more."""
        if self.is_sampled and not self.head:
            self.head = piece
        if self.request and len(self.reply) < MAX_REPLY_BYTES:
            self.reply += piece[: MAX_REPLY_BYTES - len(self.reply)]

    def hear(self, note: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Have a stream's events noted here too."""
        if not self.is_sampled:
            return note

        def note_both(events: bytes) -> None:
            note(events)
            self.note_reply(events)

        return note_both

    def stamp(self, model: str, request: UpstreamRequest, deployment: str | None = None) -> UpstreamRequest:
        """Make a sending name its own span as the parent, and no other; called once for each, as it begins."""
        headers = {name: value for name, value in request.headers.items() if name not in TRACE_HEADERS}
        return replace(request, headers={**headers, **self.begin_sending(model, deployment)})

    def begin_sending(self, model: str, deployment: str | None = None) -> Mapping[str, str]:
        """Note that a sending begins; give the headers that name its span as the parent."""
        context = self.context(FIRST_SENDING + len(self.sendings))
        self.sendings.append(Sending(model, self.clock(), deployment))
        return context.headers


class Sampler:
    """Begins requests' traces.

    Args:
        percent: How many of 100 requests are sampled where the client has not decided.
        find_attributes: Takes from a sampled request's headers, names in lower case, what is to stand in its span.
        keeps_content: Whether prompts and answers are reported.
        clock: The service's monotonic clock, in seconds.
    """

    def __init__(
        self,
        percent: int,
        find_attributes: Callable[[Mapping[str, str]], Mapping[str, str]],
        *,
        keeps_content: bool,
        clock: Callable[[], float],
    ) -> None:
        self._bound = round(percent / 100 * 2**64)
        self._find_attributes = find_attributes
        self._keeps_content = keeps_content
        self._clock = clock

    def begin(
        self, trace_id: str, parent: TraceContext | None, read_headers: Callable[[], Mapping[str, str]], body: bytes
    ) -> Trace:
        """Decide whether a request is sampled, and make its ids.

        Args:
            trace_id: 32 hexadecimal digits.
            parent: The client's span; None for a new trace.
            read_headers: Gives the request's headers, names in lower case; called where it is sampled.
            body: The request's.
        """
        is_sampled = parent.is_sampled if parent is not None else int(trace_id[16:], 16) < self._bound
        trace = Trace(trace_id, parent, is_sampled, self._clock)
        if is_sampled:
            trace.attributes = self._find_attributes(read_headers())
            if self._keeps_content:
                trace.request = body if len(body) <= MAX_REQUEST_BYTES else b"{}"
        return trace
