"""The stream of what happens: resumed, gathered, quiet, and never held by who reads slowly."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from plano_agents.errors import OverloadedError
from plano_agents.protocol.sse import EventDecoder
from plano_agents.router.watch.inspector.events import MAX_WATCHERS, Events, name_event
from plano_agents.router.watch.inspector.history import History
from tests.router.watch.inspector.conftest import build_record


async def no_wait(_seconds: float) -> None:
    """Gather nothing."""


async def read(stream: AsyncIterator[bytes]) -> tuple[str, str, dict[str, Any]]:
    """Read on to the next event: its type, its id and its data."""
    async for piece in stream:
        lines = dict(line.split(": ", 1) for line in piece.decode().splitlines() if line)
        if "event" in lines:
            return lines["event"], lines["id"], json.loads(lines["data"])
    raise AssertionError("the stream has ended")


async def test_a_turn_is_told_to_everybody_with_the_totals() -> None:
    history = History()
    events = Events(history, sleep=no_wait)
    async with aclosing(events.watch(None)) as first, aclosing(events.watch(None)) as second:
        await anext(first)
        await anext(second)
        history.add(build_record("run-1", input=7))
        for stream in (first, second):
            kind, event_id, data = await read(stream)
            assert (kind, event_id) == ("turns", name_event(history))
            assert [turn["session"] for turn in data["turns"]] == ["run-1"]
            assert data["totals"]["counts"]["input"] == 7


async def test_who_was_away_is_told_what_it_missed() -> None:
    history = History()
    events = Events(history, sleep=no_wait)
    history.add(build_record("a"))
    known = name_event(history)
    history.add(build_record("b"))
    history.add(build_record("c"))
    async with aclosing(events.watch(known)) as stream:
        _, _, data = await read(stream)
    assert [turn["session"] for turn in data["turns"]] == ["b", "c"]


async def test_who_missed_more_than_is_kept_is_told_to_begin_anew_and_goes_on() -> None:
    history = History(max_recent=2)
    events = Events(history, sleep=no_wait)
    known = name_event(history)
    for _ in range(3):
        history.add(build_record())
    async with aclosing(events.watch(known)) as stream:
        assert (await read(stream))[:2] == ("reset", name_event(history))
        history.add(build_record("next"))
        kind, _, data = await read(stream)
    assert (kind, data["turns"][0]["session"]) == ("turns", "next")


@pytest.mark.parametrize(
    "event_id", ["feedbeef-1", "x", "", "{epoch}-9", "{epoch}-x", "{epoch}--1", "{epoch}-" + "9" * 99]
)
async def test_an_id_of_another_history_begins_anew(event_id: str) -> None:
    history = History()
    async with aclosing(Events(history).watch(event_id.format(epoch=history.epoch))) as stream:
        assert (await read(stream))[0] == "reset"


async def test_one_that_does_not_read_holds_nobody_and_keeps_nothing() -> None:
    history = History(max_recent=5)
    events = Events(history, sleep=no_wait)
    async with aclosing(events.watch(None)) as slow, aclosing(events.watch(None)) as quick:
        await anext(slow)
        await anext(quick)
        for number in range(1, 21):
            history.add(build_record(input=number))
            assert (await read(quick))[2]["turns"][0]["input"] == number
        assert (await read(slow))[0] == "reset"


async def test_a_quiet_stream_beats() -> None:
    events = Events(History(), heartbeat_seconds=0.001)
    async with aclosing(events.watch(None)) as stream:
        assert await anext(stream) == b"retry: 1000\n\n"
        assert [await anext(stream) for _ in range(2)] == [b": beat\n\n"] * 2


async def test_turns_that_come_together_are_told_together() -> None:
    history = History()
    gathering, go_on = asyncio.Event(), asyncio.Event()

    async def gather(_seconds: float) -> None:
        gathering.set()
        await go_on.wait()

    events = Events(history, sleep=gather)
    async with aclosing(events.watch(None)) as stream:
        await anext(stream)
        history.add(build_record("a"))
        await read(stream)
        waiting = asyncio.ensure_future(read(stream))
        await gathering.wait()
        for session in "bcd":
            history.add(build_record(session))
        go_on.set()
        _, _, data = await waiting
    assert [turn["session"] for turn in data["turns"]] == ["b", "c", "d"]


async def test_a_violation_is_told_without_a_turn() -> None:
    history = History()
    events = Events(history, sleep=no_wait)
    async with aclosing(events.watch(None)) as stream:
        await anext(stream)
        history.count_violation()
        _, _, data = await read(stream)
    assert (data["turns"], data["totals"]["violations"]) == ([], 1)


async def test_what_is_written_is_an_event_stream() -> None:
    history = History()
    known = name_event(history)
    history.add(build_record())
    decoder = EventDecoder()
    async with aclosing(Events(history).watch(known)) as stream:
        written = await anext(stream) + await anext(stream)
    (event,) = decoder.feed(written)
    assert (event.name, json.loads(event.data)["turns"][0]["n"]) == ("turns", 1)


async def test_streams_end_when_the_router_stops() -> None:
    events = Events(History())
    async with aclosing(events.watch(None)) as stream:
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream, None))
        events.close()
        assert await waiting is None


async def test_watchers_are_counted_and_no_more_are_let_in_than_there_is_room_for() -> None:
    events = Events(History())
    streams = [events.watch(None) for _ in range(MAX_WATCHERS)]
    for stream in streams:
        await anext(stream)
    with pytest.raises(OverloadedError, match="32 pages are already connected"):
        events.watch(None)
    await streams.pop().aclose()
    async with aclosing(events.watch(None)) as stream:
        await anext(stream)
    for stream in streams:
        await stream.aclose()
    assert events.watchers == 0


async def test_pages_that_come_all_at_once_are_no_more_than_there_is_room_for() -> None:
    """A page that is let in is counted only once its stream is read."""
    events = Events(History())
    streams = [events.watch(None) for _ in range(MAX_WATCHERS + 2)]
    for stream in streams:
        await anext(stream)
    assert events.watchers == MAX_WATCHERS
    for stream in streams[MAX_WATCHERS:]:
        assert await anext(stream, None) is None
    for stream in streams:
        await stream.aclose()
    assert events.watchers == 0
