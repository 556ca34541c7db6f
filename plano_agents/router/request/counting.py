"""``POST /v1/messages/count_tokens``: the provider's own count where it speaks Anthropic's wire, else an estimate.

A count is no turn of a session: it begins none, renews none and moves none. It is made for the model that would serve
the request as far as that is known without routing: the session's pinned one, else the client's own.
"""

import msgspec

from plano_agents.errors import RequestError
from plano_agents.http.client import UpstreamRequest
from plano_agents.protocol.adjustment import rewritten
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.first_look import looks_like_events
from plano_agents.protocol.form import Form
from plano_agents.protocol.needs import Needs
from plano_agents.protocol.request_body import RequestBody
from plano_agents.providers.target import build_request_headers
from plano_agents.router.request.answer import Answer, build_headers, pass_back
from plano_agents.router.request.candidates import Draft, Opened, Served
from plano_agents.router.request.trail import Trail
from plano_agents.router.request.upstream_answer import SUCCESS, Answered, WholeAnswer

_DO_NOT_COUNT = frozenset({400, 404, 405, 422, 501})
"""What compatible servers answer that do not count, or take the request for one of messages."""

_OF_ANSWERS = frozenset(
    {
        "max_tokens",
        "metadata",
        "service_tier",
        "stop_sequences",
        "stream",
        "temperature",
        "top_k",
        "top_p",
    }
)
"""Fields of a messages request that Anthropic refuses where it only counts."""


def check_countable(body: RequestBody) -> None:
    """Check a request as one of messages is checked.

    Raises:
        RequestError: A field has the wrong type, or ``messages`` is missing.
    """
    _ = body.head  # reading it checks it
    if "messages" not in body.fields:
        raise RequestError("'messages' is missing. Send the conversation to count.", param="messages")


class CountCandidate:
    """A configured model whose provider may count a request's tokens.

    Args:
        model: Its provider-qualified name.
        served: Where it is served.
        draft: The client's request, one of messages.
    """

    def __init__(self, model: str, served: Served, draft: Draft) -> None:
        self.model = model
        self._served = served
        self._draft = draft

    @property
    def is_countable(self) -> bool:
        """Whether its provider speaks Anthropic's wire."""
        return Form.ANTHROPIC_MESSAGES in self._served.fittings

    def open(self) -> Opened:
        """See `Candidate.open`."""
        served, draft = self._served, self._draft
        fitted = served.fittings[Form.ANTHROPIC_MESSAGES].fit(draft.body.fields).body
        counted = {name: value for name, value in split_fields(fitted).items() if name not in _OF_ANSWERS}
        url = served.target.urls[Form.ANTHROPIC_MESSAGES] + "/count_tokens"
        headers = build_request_headers(served.target, draft.headers)
        request = UpstreamRequest(url, headers, msgspec.json.encode(counted), served.timeouts)
        return Opened(request, None, draft)


def answer_count(answer: Answered | None, body: RequestBody, trail: Trail) -> Answer:
    """Answer with the provider's count, or with an estimate that says that it is one.

    Args:
        answer: The provider's answer; None where it was not asked.
        body: The client's request.
        trail: What is known of the request.
    """
    if isinstance(answer, WholeAnswer) and _is_counted(answer):
        return Answer(answer.status, {**pass_back(answer.headers), **build_headers(trail)}, answer.body)
    trail.adjustments = (*trail.adjustments, rewritten("input_tokens", "estimated"))
    tokens = Needs(body.content, body.fields).estimate_tokens()
    headers = {**build_headers(trail), "content-type": "application/json"}
    return Answer(200, headers, msgspec.json.encode({"input_tokens": tokens}))


def _is_counted(answer: WholeAnswer) -> bool:
    """Whether a provider counts, or refuses to for a reason that the client should know."""
    if answer.status in SUCCESS:
        return not looks_like_events(answer.body)
    return answer.status not in _DO_NOT_COUNT
