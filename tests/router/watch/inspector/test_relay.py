"""Several workers' requests in one history, over a real socket."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from plano_agents.errors import InspectorUnavailableError
from plano_agents.router.request.answer import Answer, StreamBrokenError, closing
from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.router.watch.inspector.answers import OwnInspector
from plano_agents.router.watch.inspector.history import History
from plano_agents.router.watch.inspector.record import GhostNews
from plano_agents.router.watch.inspector.relay import RelayedInspector, Rememberer, open_socket
from plano_agents.router.watch.inspector.seam import Question
from tests.router.watch.inspector.conftest import build_ranking, build_record, build_trail

SESSIONS = Question("sessions", {})


class Watched(History):
    """A history that says when it has what is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    async def reach(self, turns: int, violations: int = 0) -> None:
        while (self.counts.turns, self.violations) != (turns, violations):
            self.on_change = self._changed.set
            await self._changed.wait()
            self._changed.clear()


@asynccontextmanager
async def remembering(history: History) -> AsyncGenerator[str, None]:
    """The process that remembers, in this one; gives its path."""
    inspector = OwnInspector(history)
    with open_socket() as listener:
        path = listener.getsockname()
        server = await asyncio.start_unix_server(Rememberer(inspector).serve, sock=listener)
        try:
            yield path
        finally:
            inspector.close()
            server.close()


async def read_piece(answer: Answer) -> bytes:
    """Read the next piece of an answer; empty at its end."""
    assert not isinstance(answer.body, bytes)
    pieces: list[bytes] = []

    def take(piece: bytes) -> bool:
        pieces.append(piece)
        return False

    last = await answer.body.forward(take)
    return pieces[0] if last is None else last


async def read(answer: Answer) -> bytes:
    async with closing(answer):
        pieces = []
        while piece := await read_piece(answer):
            pieces.append(piece)
        return b"".join(pieces)


async def test_what_all_workers_served_is_told_by_each() -> None:
    history = Watched()
    async with remembering(history) as path:
        workers = [RelayedInspector(path, 2) for _ in range(2)]
        for worker, model in zip(workers, ("a/x", "b/y"), strict=True):
            worker.keep([build_trail(model=model, ranking=build_ranking())], {})
        await history.reach(2)
        for worker in workers:
            answer = await worker.ask(SESSIONS)
            (session,) = json.loads(await read(answer))["sessions"]
            assert answer.headers["content-type"] == "application/json"
            assert {turn["model"] for turn in session["turns"]} == {"a/x", "b/y"}
            assert session["turns"][0]["scores"] == [["code", 0.5]]
            worker.close()


async def test_a_ghost_that_a_worker_found_is_shown_with_its_turn() -> None:
    history = Watched()
    async with remembering(history) as path:
        worker = RelayedInspector(path, 2)
        worker.keep([build_trail("run-1", began_at=5.0)], {})
        worker.keep_ghost(GhostNews("", "run-1", 5.0, "0" * 32, Ghost("a/x", 4.0, "b/y", 100, 64)))
        await history.reach(1)
        (session,) = json.loads(await read(await worker.ask(SESSIONS)))["sessions"]
        assert session["turns"][0]["ghost"] == {
            "model": "a/x",
            "routing_ms": 4.0,
            "before": "b/y",
            "input": 100,
            "anew": 64,
        }
        assert session["counts"]["ghosts"]["switches"] == 1
        worker.close()


async def test_a_violation_in_a_worker_counts() -> None:
    history = Watched()
    async with remembering(history) as path:
        worker = RelayedInspector(path, 2)
        worker.count_violation()
        await history.reach(0, violations=1)
        worker.close()


async def test_a_question_without_an_answer_is_answered_as_in_one_process() -> None:
    async with remembering(History()) as path:
        answer = await RelayedInspector(path, 2).ask(Question("session", {"id": "nobody"}))
        assert answer.status == 404
        assert json.loads(await read(answer))["error"]["code"] == "session_not_found"


async def test_events_are_passed_on_as_they_come_and_end_with_their_end() -> None:
    history = History()
    inspector = OwnInspector(history)
    with open_socket() as listener:
        worker = RelayedInspector(listener.getsockname(), 2)
        server = await asyncio.start_unix_server(Rememberer(inspector).serve, sock=listener)
        answer = await worker.ask(Question("events", {}))
        assert await read_piece(answer) == b"retry: 1000\n\n"
        history.add(build_record("run-1"))
        assert b'"run-1"' in await read_piece(answer)
        inspector.close()
        assert await read_piece(answer) == b""
        server.close()


async def test_a_page_that_leaves_ends_its_stream_where_it_comes_from() -> None:
    history = History()
    inspector = OwnInspector(history)
    left = asyncio.Event()

    class Noticed(Rememberer):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await super().serve(reader, writer)
            left.set()

    with open_socket() as listener:
        worker = RelayedInspector(listener.getsockname(), 2)
        server = await asyncio.start_unix_server(Noticed(inspector).serve, sock=listener)
        answer = await worker.ask(Question("events", {}))
        async with closing(answer):
            await read_piece(answer)
        await left.wait()
        assert inspector.watchers == 0
        server.close()


async def test_when_nobody_answers_the_page_is_told_and_requests_go_on() -> None:
    with open_socket() as listener:
        path = listener.getsockname()
    worker = RelayedInspector(path, 2)
    worker.keep([build_trail()], {})
    with pytest.raises(InspectorUnavailableError, match="does not answer"):
        await worker.ask(SESSIONS)
    worker.close()


async def test_an_answer_that_breaks_off_has_no_clean_end() -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x00\x00\x00\x13" + b"\x82\xa6status\xcc\xc8\xa7headers\x80" + b"\x00\x00\x00\x09half")
        await writer.drain()
        writer.close()

    with open_socket() as listener:
        server = await asyncio.start_unix_server(break_off, sock=listener)
        answer = await RelayedInspector(listener.getsockname(), 2).ask(SESSIONS)
        with pytest.raises(StreamBrokenError):
            await read(answer)
        server.close()
