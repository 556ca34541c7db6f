"""A heartbeat, which shows that a process still turns its event loop."""

import asyncio
import multiprocessing

import pytest

from plano_agents.processes.heartbeat import Heartbeat, Watch


def test_silence_is_as_long_as_the_watcher_was_awake() -> None:
    watch = Watch(Heartbeat(1), 100)
    assert [watch.look(now) for now in (100.5, 101.5, 102)] == [0.5, 1.5, 2]


def test_a_beat_ends_the_silence() -> None:
    heartbeat = Heartbeat(1)
    watch = Watch(heartbeat, 0)
    assert watch.look(1) == 1
    heartbeat.beat()
    assert [watch.look(now) for now in (2, 3)] == [0, 1]


@pytest.mark.parametrize("pause", [10, 3_600, 1e9])
def test_a_watcher_that_was_stopped_itself_counts_one_interval_of_its_pause(pause: float) -> None:
    """A suspended machine, a debugger: the watched process was stopped for as long."""
    watch = Watch(Heartbeat(3), 0)
    assert watch.look(3) == 3
    assert watch.look(3 + pause) == 6


def test_beats_of_a_forked_process_are_seen() -> None:
    heartbeat = Heartbeat(1)
    process = multiprocessing.get_context("fork").Process(target=heartbeat.beat)
    process.start()
    process.join()
    assert (process.exitcode, heartbeat.count) == (0, 1)


async def test_it_beats_while_the_event_loop_turns() -> None:
    heartbeat = Heartbeat(0)
    task = asyncio.create_task(heartbeat.keep_beating())
    async with asyncio.timeout(30):
        while heartbeat.count < 3:  # noqa: ASYNC110 - a count in shared memory tells nobody
            await asyncio.sleep(0)
    task.cancel()
