"""``POST /v1/responses/compact``: by the provider where it compacts, else by a summary that the model is asked for.

It is a turn of its session as any other.
"""

import msgspec

from plano_agents.http.client import UpstreamRequest
from plano_agents.protocol import openai_responses
from plano_agents.protocol.form import Form
from plano_agents.protocol.request_body import RequestBody
from plano_agents.protocol.translation.responses_compaction import add_trigger
from plano_agents.providers.target import build_request_headers
from plano_agents.router.request.candidates import Draft, ModelCandidate, Opened, Served
from plano_agents.sessions.pinning import Turn

_NOTHING = msgspec.Raw(b"null")


class CompactCandidate(ModelCandidate):
    """A configured model that may compact a transcript.

    Args:
        model: Its provider-qualified name.
        served: Where it is served.
        draft: The client's request.
        turn: The session's turn that it is; None without a session.
    """

    __slots__ = ("_given",)

    def __init__(self, model: str, served: Served, draft: Draft, turn: Turn | None) -> None:
        self._given = draft.body.fields
        if not served.target.compacts:
            body = RequestBody(add_trigger(self._given), openai_responses.parse_head)
            draft = msgspec.structs.replace(draft, body=body)
        super().__init__(model, served, draft, turn)

    def open(self) -> Opened:
        """See `Candidate.open`."""
        served, draft = self.served, self._draft
        if not served.target.compacts:
            return msgspec.structs.replace(super().open(), compacted=self._given.get("input", _NOTHING))
        fitted = served.fittings[Form.OPENAI_RESPONSES].fit(self._given)
        if self._turn is not None:
            self._turn.note_dispatch(self.model, served.deployment)
        url = f"{served.target.urls[Form.OPENAI_RESPONSES]}/compact"
        headers = build_request_headers(served.target, draft.headers)
        request = UpstreamRequest(url, headers, fitted.body, served.timeouts)
        return Opened(request, None, draft, by_client_key=served.by_client_key, fitted=fitted)
