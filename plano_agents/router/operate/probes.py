"""``/healthz`` and ``/readyz``, which orchestrators poll from the start: answered without pages and without a key."""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from plano_agents.http.health_page import ALIVE, HEALTH_PATH
from plano_agents.http.server.exchange import Exchange, Serve
from plano_agents.router.request.answer import Answer
from plano_agents.router.request.writing import check_method, serve_answer

READY_PATH = "/readyz"
PROBES = (HEALTH_PATH, READY_PATH)


class Probes:
    """Tells orchestrators how this process is.

    Args:
        is_ready: Tells whether requests may be sent here.
    """

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready

    def find_direct(self, path: str) -> Serve | None:
        """See `plano_agents.http.server.handlers.DirectApp`."""
        return partial(serve_answer, self._answer) if path in PROBES else None

    async def _answer(self, exchange: Exchange) -> Answer:
        path = exchange.head.target.partition("?")[0]
        check_method(path, exchange.head.method, "GET", "HEAD")
        if path == HEALTH_PATH:
            return _tell(200, ALIVE)
        return _tell(200, {"status": "ready"}) if self._is_ready() else _tell(503, {"status": "loading"})


def _tell(status: int, content: Mapping[str, str]) -> Answer:
    return Answer(status, {"content-type": "application/json"}, msgspec.json.encode(content))
