"""The page's questions to a history, answered as JSON, and the stream of what happens.

=============  =========================================================================================
question       answer
=============  =========================================================================================
``sessions``   ``{"event", "totals", "sessions": [session, …], "next"}``, the session used last first.
               ``event`` is where the stream goes on; ``next``, as ``before``, asks for older ones
``session``    one session with its turns, by ``id`` and ``tenant``; without ``id``, the requests without one
``events``     the stream of `events`
=============  =========================================================================================

A page of sessions ends early rather than hold the event loop: after `PAGE_TURNS` turns, some 2 ms of writing.
"""

from collections.abc import Mapping

import msgspec

from plano_agents.errors import EndpointNotFoundError, RequestError, SessionNotFoundError
from plano_agents.router.request.answer import Answer, Pieces
from plano_agents.router.watch.inspector.events import (
    HEARTBEAT_SECONDS,
    Events,
    Totals,
    build_totals,
    name_event,
)
from plano_agents.router.watch.inspector.history import Counts, History, Remembered
from plano_agents.router.watch.inspector.record import Record
from plano_agents.router.watch.inspector.seam import Question

PAGE_SESSIONS = 100
"""How many sessions a page has at most."""

PAGE_TURNS = 2_000
"""After how many turns a page ends."""

_JSON = {"content-type": "application/json", "cache-control": "no-store"}
_STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}


class _Session(msgspec.Struct):
    tenant: str
    session: str | None
    first_at: float
    counts: Counts
    turns: list[Record]


class _Page(msgspec.Struct):
    event: str
    totals: Totals
    sessions: list[_Session]
    next: int | None


class OwnInspector:
    """Remembers what this process is told of, and answers questions about it.

    Args:
        history: Where it is remembered; None for an empty one.
        heartbeat_seconds: How long a stream of events is silent at most.
    """

    workers = 1

    def __init__(self, history: History | None = None, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._history = history if history is not None else History()
        self._events = Events(self._history, heartbeat_seconds=heartbeat_seconds)
        self.keep = self._history.keep
        self.keep_record = self._history.add
        self.keep_ghost = self._history.add_ghost
        self.count_violation = self._history.count_violation
        self.close = self._events.close

    @property
    def watchers(self) -> int:
        """The number of pages that watch now."""
        return self._events.watchers

    async def ask(self, question: Question) -> Answer:
        """Answer a question.

        Raises:
            EndpointNotFoundError: There is no such question.
            RequestError: A parameter is not as it should be.
            SessionNotFoundError: The session is not remembered.
            OverloadedError: Too many watch already.
        """
        match question.name:
            case "sessions":
                return _encode(self._list(_read_before(question.parameters.get("before"))))
            case "session":
                return _encode(self._find(question.parameters))
            case "events":
                return Answer(200, _STREAM, Pieces(self._events.watch(question.last_event_id)))
        raise EndpointNotFoundError(f"The inspector has no answer to {question.name[:80]!r}.")

    def _list(self, before: int | None) -> _Page:
        page = _Page(name_event(self._history), build_totals(self._history), [], None)
        turns = 0
        for session in self._history.latest():
            last = session.last
            if before is not None and last >= before:
                continue
            if page.sessions and (len(page.sessions) == PAGE_SESSIONS or turns >= PAGE_TURNS):
                page.next = page.sessions[-1].turns[-1].n
                break
            page.sessions.append(_describe(session))
            turns += len(page.sessions[-1].turns)
        return page

    def _find(self, parameters: Mapping[str, str]) -> _Session:
        affinity_id, tenant = parameters.get("id"), parameters.get("tenant", "")
        session = self._history.find((tenant, affinity_id))
        if session is None:
            what = f"The session {affinity_id[:256]!r}" if affinity_id is not None else "A request without a session"
            raise SessionNotFoundError(
                f"{what} is not in memory: it had no turn since the router started, or newer ones replaced it.",
                param="id",
            )
        return _describe(session)


def _describe(session: Remembered) -> _Session:
    return _Session(*session.key, session.first_at, session.count(), session.turns)


def _read_before(given: str | None) -> int | None:
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 16):  # noqa: PLR2004 - no count is longer
        raise RequestError(
            f"The parameter 'before' is {given[:60]!r}, and must be the 'next' of another page.",
            param="before",
        )
    return int(given)


def _encode(content: object) -> Answer:
    return Answer(200, _JSON, msgspec.json.encode(content))
