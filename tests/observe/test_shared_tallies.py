"""Tallies that several processes share by files."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from plano_agents.observe.exposition import merge
from plano_agents.observe.shared_tallies import SharedTallies, Snapshot, shared_directory
from plano_agents.observe.tally import Counter, Histogram, Merge, Reading

COUNT_AND_END = """
import sys
from pathlib import Path
from plano_agents.observe.shared_tallies import SharedTallies
from plano_agents.observe.tally import Counter, Reading

counter = Counter("counted", "What.")
counter.add(amount=5)
SharedTallies(Path(sys.argv[1]), [counter, Reading("now", "What.", lambda: {(): 7.0})]).write()
"""


def build(directory: Path, *amounts: float) -> tuple[Counter, SharedTallies]:
    counter = Counter("counted", "What.")
    for amount in amounts:
        counter.add(amount=amount)
    return counter, SharedTallies(directory, [counter])


def add_up(shared: SharedTallies, counter: Counter) -> float:
    return merge(counter, shared.read_others())[()][0]


def test_each_adds_what_the_others_told_to_its_own(tmp_path: Path) -> None:
    first, second = build(tmp_path, 1), build(tmp_path, 2)
    third = build(tmp_path, 4)
    for _, shared in (first, second, third):
        shared.write()
    assert [add_up(shared, counter) for counter, shared in (first, second, third)] == [7, 7, 7]


def test_what_was_told_anew_takes_the_old_ones_place(tmp_path: Path) -> None:
    (counter, told), (own, shared) = build(tmp_path, 1_000_000), build(tmp_path)
    told.write()
    counter.add(amount=-999_999)
    told.write()
    assert add_up(shared, own) == 1


def test_a_file_that_is_half_written_is_left_out(tmp_path: Path) -> None:
    (_, told), (own, shared) = build(tmp_path, 1), build(tmp_path)
    told.write()
    (path,) = tmp_path.iterdir()
    for content in (path.read_bytes()[:-1], path.read_bytes().replace(b"1.0", b"9.0"), b""):
        path.write_bytes(content)
        assert add_up(shared, own) == 0


@pytest.mark.parametrize(("how", "expected"), [("sum", 5), ("max", 3)])
def test_gauges_are_added_or_the_highest_counts(how: Merge, expected: float) -> None:
    reading = Reading("now", "What.", lambda: {(): 2.0}, merge=how)
    other = Snapshot(pid=1, series={"now": [((), [3.0])]})
    assert merge(reading, [other])[()][0] == expected


def test_histograms_are_added_bucket_by_bucket() -> None:
    histogram = Histogram("h", "What.", (1,), ["a"])
    histogram.note(("x",), 0.5)
    other = Snapshot(pid=1, series={"h": [(("x",), [1, 2, 6.5]), (("y",), [1, 0, 0.5])]})
    assert merge(histogram, [other]) == {("x",): [2, 2, 7], ("y",): [1, 0, 0.5]}


def test_of_a_process_that_has_ended_the_counts_remain_and_what_was_so_then_does_not(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", COUNT_AND_END, str(tmp_path)], check=True)
    (snapshot,) = SharedTallies(tmp_path, []).read_others()
    assert merge(Counter("counted", "What."), [snapshot])[()][0] == 5
    assert merge(Reading("now", "What.", lambda: {(): 1.0}), [snapshot])[()][0] == 1


async def test_a_process_tells_the_others_again_and_again(tmp_path: Path) -> None:
    (counter, told), (own, shared) = build(tmp_path), build(tmp_path)
    seen: list[float] = []

    async def sleep(_seconds: float) -> None:
        seen.append(add_up(shared, own))
        counter.add()
        if len(seen) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await told.keep_writing(sleep=sleep)
    assert seen == [0, 1, 2]


def test_a_directory_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    _, shared = build(tmp_path / "nope", 1)
    shared.write()
    assert shared.read_others() == []


def test_the_directory_is_gone_at_the_end() -> None:
    with shared_directory() as directory:
        build(directory, 1)[1].write()
        assert len(list(directory.iterdir())) == 1
    assert not directory.exists()
