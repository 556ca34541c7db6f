"""Writes the table of ``docs/coverage.md`` from what was measured, and holds two rooms to their floors.

Run by ``scripts/coverage``, with the tests that were run as arguments. A figure counts lines and branches,
as coverage.py's own percentage does.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "coverage.md"
MEASURED = ROOT / "build" / "coverage" / "coverage.json"

FLOORS = {"protocol": 96.0, "sessions": 94.0}
"""The least percentage of a room; where decisions and translations are made, nothing goes unrun."""

DEFAULT = ["tests/sessions", "tests/protocol"]
"""The tests that ``scripts/coverage`` runs unless others are named."""

START, END = "<!-- coverage -->", "<!-- /coverage -->"


class Room(NamedTuple):
    """Lines and branches of a folder."""

    run: int
    """How many lines and branches the tests ran."""
    all: int
    """How many there are."""

    @property
    def percent(self) -> float:
        """The share that was run, in percent."""
        return 100.0 * self.run / self.all if self.all else 100.0


def sum_rooms(measured: Mapping[str, Any]) -> dict[str, Room]:
    """Sum up files by the folder of the package that they stand in.

    Args:
        measured: What ``coverage json`` writes.
    """
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, file in measured["files"].items():
        parts = Path(name).parts
        room = parts[parts.index("plano_agents") + 1]
        summary = file["summary"]
        sums[room][0] += summary["covered_lines"] + summary["covered_branches"]
        sums[room][1] += summary["num_statements"] + summary["num_branches"]
    return {room: Room(*counts) for room, counts in sums.items()}


def find_failures(rooms: Mapping[str, Room]) -> list[str]:
    """Name the rooms below their floors."""
    return [
        f"plano_agents/{name} is run to {rooms[name].percent:.1f} %, and {floor:.1f} % is the least. "
        f"Run what is missing: .venv/bin/python -m coverage report --show-missing --include='plano_agents/{name}/*'"
        for name, floor in FLOORS.items()
        if rooms[name].percent < floor
    ]


def render_page(text: str, rooms: Mapping[str, Room], tests: list[str], on: date) -> str:
    """Put the table between its marks.

    Args:
        text: The page as it is.
        rooms: The figures.
        tests: The tests that were run.
        on: The day.
    """
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    whole = {name for name in rooms if any(each == "tests" or each.endswith(f"/{name}") for each in tests)}
    rows = [
        f"Measured on {on} by `{_name_command(tests)}`, on Python {sys.version_info[0]}.{sys.version_info[1]}.",
        "",
        "| folder | lines and branches run | of | floor |",
        "|---|---|---|---|",
    ]
    for name in sorted(whole):
        floor = f"{FLOORS[name]:.0f} %" if name in FLOORS else ""
        rows.append(f"| `{name}` | {rooms[name].percent:.1f} % | {rooms[name].all:,} | {floor} |")
    return "\n".join([f"{before}{START}", *rows, f"{END}{after}"])


def _name_command(tests: list[str]) -> str:
    return "scripts/coverage" if tests == DEFAULT else f"scripts/coverage {' '.join(tests)}"


def main(tests: list[str]) -> int:
    """Write the page, and tell what is too low.

    Returns:
        The exit status.
    """
    rooms = sum_rooms(json.loads(MEASURED.read_text()))
    PAGE.write_text(render_page(PAGE.read_text(), rooms, tests, datetime.now(tz=UTC).date()))
    failures = find_failures(rooms)
    print("\n".join(failures) or f"{PAGE.relative_to(ROOT)} is written.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
