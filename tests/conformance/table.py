"""The table of the agents that were tested, as ``docs/integrations.md`` shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.conformance.guests import GUESTS, Form

RECORD = "PLANO_RECORD_AGENTS"
"""Set where the table is to be written into the page."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that ended well, with one model for each lane and nothing refused."""

    name: str
    """The guest."""
    form: Form
    """The form of its answers."""
    wire: str
    """The models' wire."""
    has_agent: bool
    """True if a sub-agent had a lane of its own."""


def render_table(outcomes: Sequence[Outcome]) -> str:
    """Write the table, a row for each guest that was run."""
    rows = ["| agent | version | API | answers | models | session |", "|---|---|---|---|---|---|"]
    for name, guest in GUESTS.items():
        ran = [outcome for outcome in outcomes if outcome.name == name]
        if ran:
            forms = ", ".join(dict.fromkeys(outcome.form for outcome in ran))
            wires = ", ".join(dict.fromkeys(outcome.wire for outcome in ran))
            rows.append(f"| {guest.title} | {guest.version} | {guest.wire} | {forms} | {wires} | {guest.session} |")
    return "\n".join(rows)
