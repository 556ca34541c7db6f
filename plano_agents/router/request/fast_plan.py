"""A plan: all of a pinned request that is the same for a head, a pinned model and a configuration, as ready bytes.

Nothing is decided or written here that the story would decide or write otherwise: the headers are those of
``providers.target``, the body is fitted by ``providers.fit``, the answer's lines are ``answer``'s.
"""

import math
import secrets
from collections.abc import Callable, Mapping, Sequence

from plano_agents.http.client.client import HttpUpstream, Way
from plano_agents.http_syntax import END_OF_HEAD
from plano_agents.protocol.adjustment import Adjustment
from plano_agents.protocol.form import Form
from plano_agents.protocol.needs import count_sure_bytes
from plano_agents.protocol.request_body import RequestBody
from plano_agents.providers.betas import list_left_out
from plano_agents.providers.cache_keys import UNAIDED, Caching
from plano_agents.providers.fit import refuse_altered
from plano_agents.providers.target import build_request_headers
from plano_agents.router.request.answer import describe_decision
from plano_agents.router.request.candidates import Served, is_cache_off
from plano_agents.router.request.choice import tell_replaced
from plano_agents.router.request.chooser import Chooser
from plano_agents.router.request.fast_around import Around, build_around
from plano_agents.router.request.health import ModelHealth
from plano_agents.router.request.provider_head import HeadReader
from plano_agents.router.request.story import EVENTS, JSON
from plano_agents.sessions.pin import Decision, SessionKey
from plano_agents.trace_context import TRACE_HEADERS

Fit = tuple[bytes, Caching, tuple[Adjustment, ...]]
"""A request's body as its model takes it, the help for its cache at the provider, and what was changed."""

_LINES = b"%%b%%b%b%%bserver-timing: routing;dur=%%.3f, upstream;dur=%%.3f\r\n"


class Plan:
    """The plan of the requests with one head to one pinned model.

    Args:
        served: Where the model is served, on the client's own wire.
        form: That wire.
        decision: What is decided of each.
        upstream: Has the ways to providers.
        fields: The head's headers for the application, those in its blanks among them.
        names: The blanks' headers in order.
        is_traced: True if each sending names its own span, and not the client's.
        chooser: Says what the model takes, whatever deployment serves it, and what a client's name for it stands for.
        find_health: Finds what is known of an upstream.
        keeps_health: True if that stays the same thing.
        note_learnt: Is told how many bytes are kept of fitted bodies.
    """

    __slots__ = (
        "_blanks",
        "_caches",
        "_chooser",
        "_fitting",
        "_form",
        "_left_out",
        "_note_learnt",
        "_passes",
        "_pieces",
        "_replaced",
        "decision",
        "find_health",
        "heads",
        "health",
        "lines",
        "served",
        "stream_heads",
        "sure_bytes",
        "way",
    )

    def __init__(
        self,
        served: Served,
        form: Form,
        decision: Decision,
        upstream: HttpUpstream,
        *,
        fields: Mapping[str, str],
        names: Sequence[str],
        is_traced: bool,
        chooser: Chooser,
        find_health: Callable[[], ModelHealth],
        keeps_health: bool,
        note_learnt: Callable[[int], None],
    ) -> None:
        self.served = served
        """Where the model is served."""
        self.decision = decision
        """What is decided of each."""
        told = "".join(f"{name}: {value}\r\n" for name, value in describe_decision(decision).items())
        self.lines = _LINES % told.encode("latin-1").replace(b"%", b"%%")
        """The answer's header lines, but for those of its connection, its length and its type, with places for: the
        provider's; those that name the trace and the session; what was changed; the milliseconds of routing and of the
        provider."""
        self.find_health = find_health
        """Finds what is known of the upstream."""
        self.health = find_health() if keeps_health else None
        """The same, where it stays."""
        self.heads = HeadReader(JSON)
        """Reads the heads of its provider's whole answers."""
        self.stream_heads = HeadReader(EVENTS["content-type"])
        """Reads the heads of its streams."""
        self._note_learnt = note_learnt
        self._form = form
        self._fitting = served.fittings[form]
        self._passes = served.sure_wires.get(form, (form, False))[1]
        self._chooser, profile = chooser, chooser.find_profile(decision.model)
        window, takes_all = profile.context_window, profile.images is not False and profile.tools is not False
        self.sure_bytes = -1 if not takes_all else math.inf if window is None else count_sure_bytes(window)
        """Up to how many bytes its model can serve every request, whatever stands in it."""
        self._replaced: tuple[str | None, tuple[Adjustment, ...]] = (None, ())
        self._left_out = list_left_out(fields, served.target.lacking_betas)
        self._caches = served.caches and not is_cache_off(fields)
        self.way: Way = upstream.find_way(served.target.urls[form])
        """The way to its provider."""
        marks = [(name, secrets.token_hex(8)) for name in names]
        headers = build_request_headers(
            served.target, {**fields, **{name: each for name, each in marks if name in fields}}
        )
        if self._caches and served.find_cache_key is not None:
            marks.append(("", secrets.token_hex(8)))
            headers = {**served.target.plan_caching(form, marks[-1][1], sets_marks=False).headers, **headers}
        if is_traced:
            headers = {name: value for name, value in headers.items() if name not in TRACE_HEADERS}
        self._pieces, self._blanks = _cut(self.way.encode_head(headers), [mark for _, mark in marks])

    def fit(self, request: RequestBody, session: SessionKey) -> Fit | None:
        """Fit a request to its model; None where the story has to.

        Args:
            request: The request.
            session: The session that it is of.

        Raises:
            RequestError: The model does not take it.
        """
        served, outline = self.served, request.outline
        if not self._passes and not served.choose_wire(self._form, request.fields)[1]:
            return None
        caching = served.plan_caching(self._form, session) if self._caches else UNAIDED
        known = outline.fitted.get(self) if outline is not None else None
        if isinstance(known, Around) and (body := known.put(request, caching)) is not None:
            return body, caching, known.adjustments
        fitted = self._fitting.fit(request.fields, caching=caching)
        if fitted.adjustments:
            refuse_altered(fitted.adjustments, served.model_id, served.unsupported_params)
        if fitted.is_restored:
            return None
        adjustments = self._tell_replaced(request.model) + fitted.adjustments + self._left_out
        if outline is not None and known is None:
            around = build_around(self._fitting, request, fitted.body, caching, adjustments)
            outline.fitted[self] = around
            self._note_learnt(around.size if around is not None else 0)
        return fitted.body, caching, adjustments

    def _tell_replaced(self, name: str | None) -> tuple[Adjustment, ...]:
        """See `choice.tell_replaced`; what came of the name before is remembered."""
        if name is None or name == self._replaced[0]:
            return self._replaced[1] if name is not None else ()
        told = tell_replaced(self._chooser, name, self.decision.model)
        self._replaced = (name, told)
        return told

    def encode_head(self, values: Sequence[bytes], caching: Caching, traced: bytes, length: int) -> bytes:
        """Encode a request's head.

        Args:
            values: What stands in the client's blanks.
            caching: The help for its cache at the provider.
            traced: The lines that name its span; none where nothing is traced.
            length: Its body's, in bytes.
        """
        blanks = self._blanks
        if not blanks:
            return self._pieces + traced + END_OF_HEAD % length
        given = [*values, *[each.encode() for each in caching.headers.values()]]
        return self._pieces % tuple([given[each] for each in blanks]) + traced + END_OF_HEAD % length


def _cut(head: bytes, marks: Sequence[str]) -> tuple[bytes, tuple[int, ...]]:
    """Cut the marked blanks out of a provider's head.

    Returns:
        The head, as a format with a place for each where there are any; and which of the blanks fill them.
    """
    found = sorted((head.index(mark.encode()), at) for at, mark in enumerate(marks) if mark.encode() in head)
    if not found:
        return head, ()
    text = head.replace(b"%", b"%%")
    for _, at in found:
        text = text.replace(marks[at].encode(), b"%b", 1)
    return text, tuple(at for _, at in found)
