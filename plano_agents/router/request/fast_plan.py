"""A plan: all of a pinned request that is the same for a head, a pinned model and a configuration, as ready bytes.

Nothing is decided or written here that the story would decide or write otherwise: the headers are those of
``providers.target``, the body is fitted by ``providers.fit``, the answer's lines are ``answer``'s.
"""

import secrets
from collections.abc import Mapping, Sequence

import msgspec

from plano_agents.http.client.client import END_OF_HEAD, HttpUpstream, Way
from plano_agents.protocol.form import Form
from plano_agents.protocol.request_body import RequestBody
from plano_agents.providers.betas import list_left_out
from plano_agents.providers.cache_keys import UNAIDED, Caching
from plano_agents.providers.fit import Fitted, refuse_altered
from plano_agents.providers.target import build_request_headers
from plano_agents.router.request.answer import describe_decision
from plano_agents.router.request.candidates import Served, is_cache_off
from plano_agents.router.request.provider_head import HeadReader
from plano_agents.router.request.story import EVENTS, JSON
from plano_agents.sessions.pin import Decision, SessionKey


class Plan:
    """The plan of the requests with one head to one pinned model.

    Args:
        served: Where the model is served, on the client's own wire.
        form: That wire.
        decision: What is decided of each.
        upstream: Has the ways to providers.
        fields: The head's headers for the application, those in its blanks among them.
        names: The blanks' headers in order.
    """

    __slots__ = (
        "_blanks",
        "_caches",
        "_form",
        "_left_out",
        "_pieces",
        "contract",
        "decision",
        "read_head",
        "read_stream_head",
        "served",
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
    ) -> None:
        self.served = served
        """Where the model is served."""
        self.decision = decision
        """What is decided of each."""
        told = "".join(f"{name}: {value}\r\n" for name, value in describe_decision(decision).items())
        self.contract = told.encode("latin-1")
        """The answer's lines that tell of it."""
        self.read_head = HeadReader(JSON).read
        """Reads the heads of its provider's whole answers."""
        self.read_stream_head = HeadReader(EVENTS["content-type"]).read
        """Reads the heads of its streams."""
        self._form = form
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
        self._pieces, self._blanks = _cut(self.way.encode_head(headers), [mark for _, mark in marks])

    def fit(self, request: RequestBody, session: SessionKey) -> tuple[Fitted, Caching] | None:
        """Fit a request to its model, with the help for its cache at the provider; None where the story has to.

        Args:
            request: The request.
            session: The session that it is of.

        Raises:
            RequestError: The model does not take it.
        """
        served, form = self.served, self._form
        _, passes = served.sure_wires.get(form) or served.choose_wire(form, request.fields)
        if not passes:
            return None
        caching = served.plan_caching(form, session) if self._caches else UNAIDED
        fitted = served.fittings[form].fit(request.fields, caching=caching)
        if fitted.adjustments:
            refuse_altered(fitted.adjustments, served.model_id, served.unsupported_params)
        if self._left_out:
            fitted = msgspec.structs.replace(fitted, adjustments=(*fitted.adjustments, *self._left_out))
        return None if fitted.is_restored else (fitted, caching)

    def encode_head(self, values: Sequence[bytes], caching: Caching, length: int) -> bytes:
        """Encode a request's head.

        Args:
            values: What stands in the client's blanks.
            caching: The help for its cache at the provider.
            length: Its body's, in bytes.
        """
        blanks = self._blanks
        if not blanks:
            return self._pieces + END_OF_HEAD % length
        given = [*values, *[each.encode() for each in caching.headers.values()]]
        return self._pieces % tuple([given[each] for each in blanks]) + END_OF_HEAD % length


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
