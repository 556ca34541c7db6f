"""The report of costs above the accepted ones, with the functions that grew."""

import json
from pathlib import Path

import pytest

from benchmarks import hot_path_cost
from benchmarks.hot_path_cost import compare

KIND = "a request of 1 KB"
ACCEPTED = {KIND: {"router/request/service.py answer": {"lines": 40, "msgspec.decode": 1}}}


def cost(**done: int) -> dict[str, dict[str, dict[str, int]]]:
    return {KIND: {"router/request/service.py answer": done}}


def test_what_was_accepted_is_accepted() -> None:
    assert compare(ACCEPTED, ACCEPTED, 0) == []


def test_a_call_more_is_told_with_its_function() -> None:
    told = compare(cost(**{"lines": 40, "msgspec.decode": 1, "json.loads": 1}), ACCEPTED, 0)
    assert told == [
        f"{KIND}: 2 calls of our code, 1 more than accepted",
        "    router/request/service.py answer: json.loads 0 → 1",
    ]


def test_a_line_more_is_told_with_its_function() -> None:
    told = compare(cost(**{"lines": 41, "msgspec.decode": 1}), ACCEPTED, 0)
    assert told == [
        f"{KIND}: 41 lines of our code, 1 more than accepted",
        "    router/request/service.py answer: lines 40 → 41",
    ]


def test_what_moves_from_one_function_to_another_costs_nothing() -> None:
    moved = {KIND: {"router/request/turns.py begin": ACCEPTED[KIND]["router/request/service.py answer"]}}
    assert compare(moved, ACCEPTED, 0) == []


def test_another_python_may_count_a_little_more() -> None:
    assert compare(cost(**{"lines": 42, "msgspec.decode": 1}), ACCEPTED, 0.05) == []
    assert compare(cost(**{"lines": 43, "msgspec.decode": 1}), ACCEPTED, 0.05) != []


def test_what_is_written_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot_path_cost, "RECORD", tmp_path / "cost.json")
    hot_path_cost.write_record("3.11", ACCEPTED)
    assert hot_path_cost.load_record() == ("3.11", ACCEPTED)
    json.loads((tmp_path / "cost.json").read_text())
