"""The report of what affinity saved: what was counted of the sampled turns, and estimates of what it comes to in all.

Estimates are about the pinned turns that were served while a share of them was routed beside. A turn of which something
is not known (its transcript does not hold the turn before, its provider reported no tokens, a list price is missing)
counts as nothing saved, so that what is not known makes no figure larger.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from plano_agents.router.watch.ghosts.days import Found
from plano_agents.router.watch.ghosts.estimate import (
    CONFIDENCE,
    CountedStratum,
    MeasuredStratum,
    estimate_share,
    estimate_total,
)
from plano_agents.router.watch.ghosts.sums import Moments, Shares, Sums, merge_shares


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate with its margin of error."""

    estimate: float
    """The estimate over all pinned turns."""
    low: float | None
    """The margin's lower end; None where the sampled turns are too few for a margin, or all alike."""
    high: float | None
    """The margin's upper end."""
    is_rough: bool
    """True if a few large turns dominate, so the margin may be too narrow."""


@dataclass(frozen=True, slots=True)
class Basis:
    """The turns that a report rests on."""

    pinned_turns: int
    """Pinned turns that were served while a share of them was routed beside."""
    shares: Sequence[float]
    """The shares that were configured."""
    routed: int
    """Turns that were routed beside: what the estimates rest on."""
    compared: int
    """Of these, turns whose transcript holds the turn before."""
    metered: int
    """Of these, turns whose provider reported its tokens."""
    priced: int
    """Of these, turns with both list prices known."""
    dropped: int
    """Sampled turns that were not routed, because too many waited."""
    failed: int
    """Sampled turns whose routing failed."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """Counts of the turns that were routed beside, as they are, nothing estimated."""

    would_be_switches: int
    """Turns that would have been served by another model than the turn before."""
    prompt_tokens: int
    """Prompt tokens of the metered turns."""
    tokens_read_anew: int
    """Of these, those that would have been read anew."""
    usd_with_affinity: float
    """The priced turns' list price, as they were served."""
    usd_without_affinity: float
    """The same turns' list price without affinity."""
    routing_ms: float
    """How long routing them took together, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """Estimates over all pinned turns."""

    switch_share: Figure
    """Share of turns that would have been switches, from 0 to 1."""
    would_be_switches: Figure
    """Number of would-be switches."""
    tokens_read_anew: Figure
    """Prompt tokens that would have been read anew."""
    usd_saved: Figure
    """List price without affinity less that with it, in US dollars; below 0 where affinity cost more."""
    routing_ms: Figure
    """Time that routing would have taken, in milliseconds."""


@dataclass(frozen=True, slots=True)
class DayReport:
    """One day's counts."""

    day: date
    """The day, from midnight to midnight UTC."""
    basis: Basis
    """The turns."""
    sampled: Sampled
    """Their counts."""


@dataclass(frozen=True, slots=True)
class Report:
    """Savings by affinity, with what they rest on."""

    observe: float
    """The share of pinned turns that is routed beside now."""
    since: date
    """The first day that was asked for."""
    began_at: datetime | None
    """Since when this router's own memory counts; None where the shared session store keeps the sums."""
    degraded: str | None
    """``store`` where the shared store does not answer, and these are one process's sums."""
    confidence: float
    """How many of 100 such samples keep a margin, over 100."""
    basis: Basis
    """The turns that it rests on."""
    sampled: Sampled
    """What was counted of them."""
    estimated: Estimated | None
    """What that comes to in all; None where no turn was routed beside."""
    days: Sequence[DayReport]
    """The days that have turns, oldest first."""


def build_report(found: Found, *, observe: float, since: date, began_at: float) -> Report:
    """Build the report.

    Args:
        found: The sums of the days.
        observe: The share that is configured now.
        since: The first day that was asked for.
        began_at: When this process began; Unix time in seconds.
    """
    shares: Shares = {}
    for each in found.days.values():
        merge_shares(shares, each)
    is_own = not found.is_shared or found.is_degraded
    return Report(
        observe,
        since,
        datetime.fromtimestamp(began_at, UTC) if is_own else None,
        "store" if found.is_degraded else None,
        CONFIDENCE,
        _build_basis(shares),
        _build_sampled(shares),
        _estimate([each for each in shares.values() if each.routed]),
        [DayReport(day, _build_basis(each), _build_sampled(each)) for day, each in found.days.items()],
    )


def _add_up(shares: Shares) -> Sums:
    total = Sums()
    for each in shares.values():
        total.merge(each)
    return total


def _build_basis(shares: Shares) -> Basis:
    total = _add_up(shares)
    return Basis(
        total.pinned,
        sorted(shares),
        total.routed,
        total.compared,
        total.metered,
        total.priced,
        total.dropped,
        total.failed,
    )


def _build_sampled(shares: Shares) -> Sampled:
    total = _add_up(shares)
    return Sampled(total.switches, total.input, int(total.anew.sum), total.kept_usd, total.usd, total.routing_ms.sum)


def _estimate(strata: Sequence[Sums]) -> Estimated | None:
    if not strata:
        return None

    def measure(read: Callable[[Sums], Moments]) -> Figure:
        return Figure(*estimate_total([MeasuredStratum(each.pinned, each.routed, read(each)) for each in strata]))

    share = estimate_share([CountedStratum(each.pinned, each.routed, each.switches) for each in strata])
    population = sum(each.pinned for each in strata)
    return Estimated(
        Figure(*share),
        Figure(*share.times(population)),
        measure(lambda sums: sums.anew),
        measure(lambda sums: sums.saved_usd),
        measure(lambda sums: sums.routing_ms),
    )
