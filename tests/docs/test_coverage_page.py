"""The coverage that is published, and its floors."""

from datetime import date
from typing import Any

from scripts.site.coverage import END, FLOORS, PAGE, START, Room, find_failures, render_page, sum_rooms


def build_file(lines: int, covered: int, branches: int = 0, taken: int = 0) -> dict[str, Any]:
    summary = {
        "num_statements": lines,
        "covered_lines": covered,
        "num_branches": branches,
        "covered_branches": taken,
    }
    return {"summary": summary}


def test_a_rooms_lines_and_branches_are_summed_over_its_files() -> None:
    files = {
        "plano_agents/sessions/pin.py": build_file(10, 9, 4, 2),
        "plano_agents/sessions/store.py": build_file(6, 6),
        "plano_agents/errors.py": build_file(1, 1),
    }
    assert sum_rooms({"files": files}) == {"sessions": Room(17, 20), "errors.py": Room(1, 1)}


def test_a_room_below_its_floor_is_named_with_the_figure_and_the_way_out() -> None:
    rooms = {name: Room(100, 100) for name in FLOORS} | {"sessions": Room(90, 100)}
    (told,) = find_failures(rooms)
    assert told.startswith("plano_agents/sessions is run to 90.0 %, and 94.0 % is the least.")
    assert "--include='plano_agents/sessions/*'" in told


def test_the_page_has_the_rooms_whose_own_tests_were_run() -> None:
    rooms = {"sessions": Room(99, 100), "http": Room(1, 100)}
    page = render_page(f"{START}\n{END}\n", rooms, ["tests/sessions"], date(2026, 11, 30))
    assert "Measured on 2026-11-30 by `scripts/coverage tests/sessions`" in page
    assert "| `sessions` | 99.0 % | 100 | 94 % |" in page
    assert "http" not in page


def test_the_published_figures_are_above_the_floors() -> None:
    page = PAGE.read_text()
    for name, floor in FLOORS.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert float(row.split("|")[2].strip(" %")) >= floor
