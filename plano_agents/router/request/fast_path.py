"""The fast path: a request of a live session, whose pinned model speaks the client's wire, served by callbacks.

It is the story's answer to most requests of agents, at a fraction of its cost: no task, no future (but what waits for
a shared store's answer), and nothing is worked out again that was so for the last request with this head
(`fast_head`, `fast_plan`). One request is a state machine (`fast_turn`). What it does not take, or cannot go on with,
the story does, from one of three points on:

===============  ==================================================================================================
before the pin   a head or a body that needs more; no session; no room
at the pin       no live pin, and a text that is new to routing (`fast_first`); a model that is gone, unsuitable, on
                 another wire, or whose circuit breaker is open; a request that cannot be fitted, or whose answer needs
                 something put back
at the provider  anything but a good answer that begins in time; the sending is noted, and the story goes on with it
===============  ==================================================================================================

What both do is written once, elsewhere: sessions, decisions and the ledger (``sessions``), fitting
(``providers.fit``), the look at an answer (``protocol.first_look``), a stream's relaying and end (`relay`), the
answer's lines (`answer`) and framing (``http.server.exchange``).
"""

from collections.abc import Mapping
from urllib.parse import unquote

from plano_agents.affinity import SCOPE_HEADER
from plano_agents.errors import PlanoError
from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.shortcut import Line, Shortcut
from plano_agents.http.server.template import Blanks, Filled, Template
from plano_agents.http.server.work import Work
from plano_agents.router.request.addresses import correct_path
from plano_agents.router.request.candidates import CACHE_HEADER
from plano_agents.router.request.fast_head import CHANGING, FastHead
from plano_agents.router.request.fast_service import FastService
from plano_agents.router.request.fast_turn import FastTurn
from plano_agents.router.request.label import LABEL_HEADER, read_label
from plano_agents.router.request.let_in import LetIn
from plano_agents.router.request.story import LARGE_BODY_BYTES
from plano_agents.router.request.surfaces import ENDPOINTS, Endpoint

MAX_HEADS = 256
"""Of how many heads it is remembered what they say."""

_OURS = ("x-model-affinity", "x-plano-")
_SCOPE = SCOPE_HEADER.lower()
_UNDERSTOOD = frozenset({"x-model-affinity", "x-model-affinity-hint", _SCOPE, CACHE_HEADER, LABEL_HEADER})
"""Our own headers that a pinned request may have: one of another name asks for what is not known here."""


class FastPath:
    """The fast path of one configuration.

    Args:
        fast_service: What its requests are served with.
        let_in: Lets a client in.
    """

    def __init__(self, fast_service: FastService, let_in: LetIn) -> None:
        self._fast_service = fast_service
        self._turns = fast_service.service.turns
        self._let_in = let_in
        self._shortcuts: dict[object, FastShortcut] = {}
        tenant = {self._turns.tenant_header}
        self._blanks = Blanks(frozenset(self._turns.id_headers) - tenant, CHANGING - tenant)

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of requests that were finished here, and of those handed over at each point."""
        return self._fast_service.counts

    def retire(self) -> None:
        """Take no more requests: another configuration is served now. Those that were begun are finished."""
        self._fast_service.retire()
        self._shortcuts.clear()

    def list_blanks(self, target: str) -> Blanks | None:
        """See `ShortcutApp.list_blanks`."""
        return self._blanks if find_endpoint(target) is not None else None

    def find_shortcut(self, template: Template, peer: str | None) -> Shortcut | None:
        """See `ShortcutApp.find_shortcut`."""
        head = template.head
        endpoint = find_endpoint(head.target)
        if endpoint is None or head.method != "POST" or head.http_version != "1.1" or head.expects_continue:
            return None
        blanks = frozenset(template.names)
        same = tuple(header for header in head.headers if header[0] not in blanks)
        key = (head.target, peer, template.names, same)
        found = self._shortcuts.get(key)
        if found is None and (read := self._build_head(template, endpoint, peer)) is not None:
            if len(self._shortcuts) >= MAX_HEADS:
                self._shortcuts.clear()
            found = self._shortcuts[key] = FastShortcut(read)
        return found

    def _build_head(self, template: Template, endpoint: Endpoint, peer: str | None) -> FastHead | None:
        """Read what a head says; None where its requests are the story's."""
        head = template.head
        try:
            headers, client = self._let_in(head.method, head.headers, peer)
            fields: Mapping[str, str] = dict(headers)
            tenant = self._turns.find_tenant(headers, fields, client)
            self._turns.find_affinity_id(headers, fields)
            label = read_label(headers) if LABEL_HEADER in fields else None
        except PlanoError:
            return None
        if fields.get(_SCOPE, self._turns.scope) != "session":
            return None
        if "content-encoding" in fields or any(
            name.startswith(_OURS) and name not in _UNDERSTOOD for name, _ in headers
        ):
            return None
        left_out = frozenset(dict(head.headers)) - frozenset(fields)
        return FastHead(
            self._fast_service,
            endpoint,
            template,
            fields,
            tenant=tenant,
            client=client,
            label=label,
            left_out=left_out,
        )


class FastShortcut:
    """Serves the requests of one head; a `Shortcut`.

    Args:
        head: What it says.
    """

    __slots__ = ("_fast_service", "_head")

    def __init__(self, head: FastHead) -> None:
        self._head = head
        self._fast_service = head.fast_service

    @property
    def is_over(self) -> bool:
        """See `Shortcut.is_over`."""
        return self._fast_service.is_over

    def serve(self, line: Line, template: Template, filled: Filled, body: bytes) -> bool:
        """See `Shortcut.serve`."""
        if self._fast_service.is_over:
            return False
        line.work = turn = FastTurn(self._head, line, template, filled)
        turn.begin(body)
        return True

    def begin(self, exchange: Exchange, line: Line, template: Template, filled: Filled) -> Work | None:
        """See `Shortcut.begin`."""
        if filled.length > LARGE_BODY_BYTES or filled.length > self._fast_service.max_body_bytes or exchange.is_paused:
            self._fast_service.counts["before the pin"] += 1
            return None
        return FastTurn(self._head, line, template, filled, exchange)


def find_endpoint(target: str) -> Endpoint | None:
    """Find the endpoint of a target that the fast path may serve: one that answers with a model's words."""
    endpoint = ENDPOINTS.get(target)
    if endpoint is None:
        path = unquote(target.partition("?")[0])
        endpoint = ENDPOINTS.get(path) or ENDPOINTS.get(correct_path(path))
    if endpoint is None or endpoint.decides_only or endpoint.counts_only or endpoint.compacts:
        return None
    return endpoint
