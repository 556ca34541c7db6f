"""``/healthz`` and ``/readyz``, which orchestrators poll from the start: answered without pages and without a key."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import msgspec

from plano_agents.errors import RequestError
from plano_agents.http.health_page import ALIVE, HEALTH_PATH
from plano_agents.http.server.exchange import Exchange, Serve
from plano_agents.router.request.answer import Answer
from plano_agents.router.request.writing import check_method, serve_answer
from plano_agents.sessions.store import StorePlace

CheckOperator = Callable[[Iterable[tuple[str, str]], str | None, str], None]

READY_PATH = "/readyz"
PROBES = (HEALTH_PATH, READY_PATH)


class Probes:
    """Tells orchestrators how this process is.

    Args:
        is_ready: Tells whether requests may be sent here.
        find_place: Tells where the shared store is; None where there is none. Operators alone read it, on ``/readyz``.
        check_operator: Takes a request's headers, peer and HTTP version; raises unless an operator sends it.
    """

    def __init__(
        self,
        is_ready: Callable[[], bool],
        find_place: Callable[[], StorePlace] | None = None,
        *,
        check_operator: CheckOperator,
    ) -> None:
        self._is_ready = is_ready
        self._find_place = find_place
        self._check_operator = check_operator

    def find_direct(self, path: str) -> Serve | None:
        """See `plano_agents.http.server.handlers.DirectApp`."""
        return partial(serve_answer, self._answer) if path in PROBES else None

    async def _answer(self, exchange: Exchange) -> Answer:
        path = exchange.head.target.partition("?")[0]
        check_method(path, exchange.head.method, "GET", "HEAD")
        if path == HEALTH_PATH:
            return _tell(200, ALIVE)
        is_ready = self._is_ready()
        content: dict[str, object] = {"status": "ready" if is_ready else "loading"}
        if self._find_place is not None and self._is_operators(exchange):
            content["store"] = self._find_place()._asdict()
        return _tell(200 if is_ready else 503, content)

    def _is_operators(self, exchange: Exchange) -> bool:
        head = exchange.head
        try:
            self._check_operator(head.headers, exchange.peer, head.http_version)
        except RequestError:
            return False
        return True


def _tell(status: int, content: Mapping[str, object]) -> Answer:
    return Answer(status, {"content-type": "application/json"}, msgspec.json.encode(content))
