"""Work on the recommended database: its schema, the move to it, the checkout in code, and the risks of the design.

Each is written when the user asks for it after the recommendation; numbers come from what the tools answered before it.
"""

import re
from collections.abc import Callable

from plano_agents.simulator.agent.database.evidence import Evidence
from plano_agents.simulator.agent.database.schema import DOCUMENT_CHECKOUT, DOCUMENT_SCHEMA, SQL_CHECKOUT, SQL_SCHEMA

LOAD_SHARE = 0.2
"""The share of the measured throughput that a copy may take while the shop goes on."""

_DEFAULT_ROWS = 10_000_000
_ROWS = re.compile(r"(\d+(?:[.,]\d+)*)\s*(million|thousand)?", re.IGNORECASE)
_UNITS = {"million": 1_000_000, "thousand": 1_000, "": 1}


def write_piece(request: str, winner: str, evidence: Evidence) -> str | None:
    """Write the piece of work that a request asks for.

    Args:
        request: The user's words.
        winner: The recommended database.
        evidence: What the tools answered before the recommendation.

    Returns:
        The work; None where the request asks for something else.
    """
    write = next((write for asked, write in _PIECES if asked.search(request)), None)
    return write(request, winner, evidence) if write is not None else None


def is_document(database: str) -> bool:
    """Check whether a database keeps documents rather than tables."""
    return "mongo" in database.lower()


def _write_schema(_request: str, winner: str, _evidence: Evidence) -> str:
    if is_document(winner):
        return (
            f"One collection for products and one for orders; an order is one document, so one write keeps it whole:\n\n"
            f"{DOCUMENT_SCHEMA}\n\nValidators hold the amounts, the unique index on the idempotency key makes retries harmless."
        )
    return (
        f"Four tables; what must agree is tied by foreign keys and checks, and what varies by product is one column:\n\n"
        f"{SQL_SCHEMA}\n\nAmounts are integer cents. An order line keeps the price at which it was sold, and the unique "
        "idempotency key makes a retried order harmless."
    )


def _write_checkout(_request: str, winner: str, _evidence: Evidence) -> str:
    code = DOCUMENT_CHECKOUT if is_document(winner) else SQL_CHECKOUT
    return (
        f"One transaction; it either takes the stock and places the order, or does neither:\n\n{code}\n\nThe update refuses "
        "to go below zero, so two buyers of the last item cannot both succeed. A retry finds the key taken and returns the first order."
    )


def _estimate_migration(request: str, winner: str, evidence: Evidence) -> str:
    rows = _count_rows(request)
    rates = [b.throughput for b in evidence.benchmarks if b.database == winner]
    if rates and rates[0] > 0:
        hours = rows / (rates[0] * LOAD_SHARE) / 3600
        copy = (
            f"The copy: {rows:,} orders at a fifth of the {rates[0]:,.0f} operations per second that were measured, so that the "
            f"shop goes on meanwhile, take {hours:.1f} hours."
        )
    else:
        copy = f"The copy: {rows:,} orders; without a measured throughput I give no hours."
    return (
        f"{copy}\n\nThree ways to move to {winner}, by downtime against effort and risk:\n"
        "1. A night's freeze: the whole copy offline. Least work, most downtime.\n"
        "2. Copy while the shop runs, then a short freeze for what changed since: minutes offline, a week of work.\n"
        "3. Write to both stores for a month: no downtime, but two truths that must be compared every day.\n\n"
        "The second is worth it: its downtime fits a night, and a count and a checksum for each month of orders prove it "
        "before the old store is switched off. The third costs most where this design is strictest, in stock and payments."
    )


def _review_risks(_request: str, winner: str, evidence: Evidence) -> str:
    gaps = [
        check.feature.replace("_", " ")
        for check in evidence.features
        if check.database == winner and check.support != "full"
    ]
    risks = _DOCUMENT_RISKS if is_document(winner) else _SQL_RISKS
    gap = (
        f"\n- Gaps of {winner} that were found: {', '.join(dict.fromkeys(gaps))}; likely to be felt as the shop grows."
        if gaps
        else ""
    )
    return (
        f"By likelihood and by what it would cost:\n{risks}{gap}\n\n"
        "We accept the slower writes: they cost waiting. We do not accept stock and payment that disagree: that costs money and trust."
    )


def _count_rows(request: str) -> int:
    """The greatest number of things that a request names."""
    found = [
        round(float(number.replace(",", "")) * _UNITS[(unit or "").lower()]) for number, unit in _ROWS.findall(request)
    ]
    return max(found, default=0) or _DEFAULT_ROWS


_PIECES: tuple[tuple[re.Pattern[str], Callable[[str, str, Evidence], str]], ...] = (
    (re.compile(r"\b(ddl|schema|tables?)\b", re.IGNORECASE), _write_schema),
    (re.compile(r"\bcheckout\b", re.IGNORECASE), _write_checkout),
    (re.compile(r"\bmigrat\w+", re.IGNORECASE), _estimate_migration),
    (re.compile(r"\brisks?\b", re.IGNORECASE), _review_risks),
)
"""The pieces of work, each by the words that ask for it; the first that fits counts."""

_SQL_RISKS = """\
- Writes are bound to one primary; likely within three years. Partition orders by month from the start.
- A payment is taken and the commit fails; rare, and dear. Reserve first, charge by the idempotency key, reconcile nightly.
- Attributes in JSONB are not typed; certain, and cheap. Validate them per kind of product when they are written."""

_DOCUMENT_RISKS = """\
- References between documents are the application's to keep; likely. Embed what must agree, and reconcile stock nightly.
- Transactions over several documents retry under contention; certain at a sale. Keep a checkout to one order and its stock.
- A validator changes and old documents do not; certain, and cheap. Migrate them in the background."""
