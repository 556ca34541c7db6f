"""The table of outcomes: what follows each, and by how much an error tells a client."""

import pytest

from plano_agents.errors import (
    ConnectTimeoutError,
    FirstByteTimeoutError,
    SilenceTimeoutError,
    UnsupportedFieldError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamUnreachableError,
)
from plano_agents.http.client import UpstreamRequest
from plano_agents.protocol import openai_chat
from plano_agents.protocol.form import Form
from plano_agents.protocol.request_body import RequestBody
from plano_agents.router.request.candidates import Draft, Opened
from plano_agents.router.request.outcomes import Telling, Verdict, judge, rank_failure
from plano_agents.router.request.upstream_answer import Answered, WholeAnswer

DRAFT = Draft(Form.OPENAI_CHAT, RequestBody(b"{}", openai_chat.parse_head), {}, 0)
LONG = b'{"error": {"code": "context_length_exceeded", "message": "long"}}'
NO_MODEL = b'{"error": {"code": "model_not_found", "message": "No such model"}}'


def answer(status: int, body: bytes = b"{}", *names: str) -> WholeAnswer:
    return WholeAnswer("openai/gpt-4o", status, dict.fromkeys(names, "7"), body)


def open_(*, streams: bool = False, by_client_key: bool = False) -> Opened:
    request = UpstreamRequest("http://provider.example.test", {}, b"{}")
    return Opened(request, Form.OPENAI_CHAT, DRAFT, streams, by_client_key)


@pytest.mark.parametrize(
    ("came", "opened", "verdict"),
    [
        (answer(200), open_(), "answered"),
        (answer(413), open_(), "next"),
        (answer(400, LONG), open_(), "next"),
        (answer(422, LONG), open_(), "next"),
        (UpstreamUnreachableError("down"), open_(), "again"),
        (UpstreamProtocolError("cut"), open_(), "again"),
        (ConnectTimeoutError("late"), open_(), "again"),
        (FirstByteTimeoutError("late"), open_(streams=True), "again"),
        (FirstByteTimeoutError("late"), open_(), "next"),
        (SilenceTimeoutError("late"), open_(), "next"),
        *((answer(status), open_(), "again") for status in (408, 429, 500, 502, 503, 504, 529)),
        *((answer(status), open_(), "next") for status in (401, 402, 403, 404)),
        (answer(400, NO_MODEL), open_(), "next"),
        (answer(401), open_(by_client_key=True), "answered"),
        (answer(403), open_(by_client_key=True), "answered"),
        (answer(404), open_(by_client_key=True), "next"),
        *((answer(status), open_(), "answered") for status in (400, 405, 409, 415, 422, 501)),
    ],
)
def test_an_outcome_has_its_verdict(came: Answered | UpstreamError, opened: Opened, verdict: Verdict) -> None:
    assert judge(came, opened) == verdict


@pytest.mark.parametrize(
    ("failed", "decided", "fallback"),
    [
        (answer(422), Telling.REQUEST, Telling.REQUEST),
        (answer(400, LONG), Telling.TOO_LONG, Telling.SMALL),
        (UnsupportedFieldError("no", param="n"), Telling.REQUEST, Telling.SMALL),
        (answer(429, b"{}", "retry-after"), Telling.LATER, Telling.LATER),
        (answer(429, b"{}", "retry-after-ms"), Telling.LATER, Telling.LATER),
        (answer(429), Telling.BUSY, Telling.BUSY),
        *((answer(status), Telling.TARGET, Telling.TARGET) for status in (401, 402, 403, 404)),
        (answer(400, NO_MODEL), Telling.TARGET, Telling.TARGET),
        *((answer(status), Telling.BROKEN, Telling.BROKEN) for status in (408, 500, 501, 529)),
        (UpstreamUnreachableError("down"), Telling.SILENT, Telling.SILENT),
        (None, Telling.SILENT, Telling.SILENT),
    ],
)
def test_an_error_has_its_rank_as_the_decided_models_and_as_a_fallbacks(
    failed: Answered | UpstreamError | UnsupportedFieldError | None, decided: Telling, fallback: Telling
) -> None:
    ranks = [rank_failure(failed, is_decided=True), rank_failure(failed, is_decided=False)]
    assert ranks == [decided, fallback]
