"""Counts of a request's tokens: the provider's own where it speaks the client's wire, else an estimate.

They are asked for by ``POST /v1/messages/count_tokens`` and ``POST /v1/responses/input_tokens``.

A count is not a turn of a session: it begins none, renews none and moves none. It is made for the model that would
serve the request as far as that is known without routing: the session's pinned one, else the client's own.
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
from plano_agents.protocol.translation.responses_request_to_chat import refuse_stored
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

_OF_INPUTS = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
"""Fields of a responses request that OpenAI takes where it only counts."""


def check_countable(form: Form, body: RequestBody) -> None:
    """Check a request as one for an answer is checked.

    Args:
        form: The wire that it is on.
        body: The request.

    Raises:
        RequestError: A field has the wrong type, or ``messages`` is missing.
    """
    _ = body.head  # reading it checks it
    if form is Form.ANTHROPIC_MESSAGES and "messages" not in body.fields:
        raise RequestError("'messages' is missing. Send the conversation to count.", param="messages")


class CountCandidate:
    """A configured model whose provider may count a request's tokens.

    Args:
        model: Its provider-qualified name.
        served: Where it is served.
        draft: The client's request.
        step: What the provider's path of such requests is followed by.
    """

    def __init__(self, model: str, served: Served, draft: Draft, step: str) -> None:
        self.model = model
        self.served = served
        self._draft = draft
        self._step = step

    @property
    def is_countable(self) -> bool:
        """True if its provider speaks the client's wire."""
        return self._draft.form in self.served.fittings

    def open(self) -> Opened:
        """See `Candidate.open`."""
        served, draft = self.served, self._draft
        fitted = split_fields(served.fittings[draft.form].fit(draft.body.fields).body)
        counted = {name: value for name, value in fitted.items() if _is_counted(name, draft.form)}
        url = f"{served.target.urls[draft.form]}/{self._step}"
        headers = build_request_headers(served.target, draft.headers)
        request = UpstreamRequest(url, headers, msgspec.json.encode(counted), served.timeouts)
        return Opened(request, None, draft)


def answer_count(answer: Answered | None, draft: Draft, trail: Trail) -> Answer:
    """Answer with the provider's count, or with an estimate that says that it is one.

    Args:
        answer: The provider's answer; None where it was not asked.
        draft: The client's request.
        trail: What is known of the request.

    Raises:
        UnsupportedFieldError: There is nothing to estimate by: the request leads to what its provider stores.
    """
    body = draft.body
    if isinstance(answer, WholeAnswer) and _is_final(answer):
        return Answer(answer.status, {**pass_back(answer.headers), **build_headers(trail)}, answer.body)
    is_responses = draft.form is Form.OPENAI_RESPONSES
    if is_responses:
        refuse_stored(body.fields)
    trail.adjustments = (*trail.adjustments, rewritten("input_tokens", "estimated"))
    tokens = Needs(body.content, body.fields).estimate_tokens()
    headers = {**build_headers(trail), "content-type": "application/json"}
    counted = {"input_tokens": tokens} | ({"object": "response.input_tokens"} if is_responses else {})
    return Answer(200, headers, msgspec.json.encode(counted))


def _is_counted(name: str, form: Form) -> bool:
    """Check whether a provider takes a field where it only counts."""
    return name in _OF_INPUTS if form is Form.OPENAI_RESPONSES else name not in _OF_ANSWERS


def _is_final(answer: WholeAnswer) -> bool:
    """Check whether a provider counts, or refuses to for a reason that the client should know."""
    if answer.status in SUCCESS:
        return not looks_like_events(answer.body)
    return answer.status not in _DO_NOT_COUNT
