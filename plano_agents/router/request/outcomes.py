"""The step after each outcome of asking a candidate, and the error that is reported when none serves the request.

===============================================================  ================  ===================
what came of a candidate                                         then              a pin moves, because
===============================================================  ================  ===================
a good answer, a stream that began                               answered
its wire cannot carry the request                                next              ``unsuitable``, a detour
                                                                                   where it is not content
the request is too long                                          next              ``unsuitable``
no connection; a stream that is late, cut or nonsense            again, then next  ``upstream_failed``
408, 429, 5xx but 501                                            again, then next  ``upstream_failed``
a whole answer that is late: it is billed, and would be again    next              ``upstream_failed``
401, 402, 403, 404; a 400 about the account or the model         next              ``upstream_failed``
401, 403 where the client's own key went along                   answered
any other status                                                 answered
its circuit breaker is open                                      next              ``upstream_failed``
===============================================================  ================  ===================

A fallback's answer counts only where it is a good one. Where no candidate gives one, the most telling error is
reported, the decided model's before a fallback's of the same rank: `Telling` lists the ranks, the most telling first.
"""

from enum import IntEnum
from typing import Literal

from plano_agents.errors import ConnectTimeoutError, RequestError, UpstreamError, UpstreamTimeoutError
from plano_agents.protocol.overflow import says_too_long
from plano_agents.providers.refusals import is_about_target
from plano_agents.router.request.candidates import Opened
from plano_agents.router.request.retry import is_retryable
from plano_agents.router.request.upstream_answer import SUCCESS, Answered, StreamedAnswer, WholeAnswer
from plano_agents.sessions.decide import name_refusal
from plano_agents.sessions.pin import Cause

Verdict = Literal["answered", "again", "next"]
"""What is done next."""


def judge(came: Answered | UpstreamError, opened: Opened) -> Verdict:
    """Judge what came of a sending.

    Args:
        came: The answer, or why there is none.
        opened: What was sent.
    """
    if isinstance(came, UpstreamError):
        is_late = isinstance(came, UpstreamTimeoutError) and not isinstance(came, ConnectTimeoutError)
        return "next" if is_late and not opened.streams else "again"
    if isinstance(came, StreamedAnswer) or came.status in SUCCESS:
        return "answered"
    if is_retryable(came.status):
        return "again"
    if says_too_long(came.status, came.body):
        return "next"
    is_elsewhere_better = is_about_target(came.status, came.body, by_client_key=opened.by_client_key)
    return "next" if is_elsewhere_better else "answered"


def name_cause(came: Answered | UpstreamError | RequestError | None) -> Cause:
    """Name the cause of another candidate's being asked.

    Args:
        came: What came of this one; None where its circuit breaker is open.
    """
    if came is None:
        return Cause("upstream_failed", "circuit breaker open")
    if isinstance(came, RequestError):
        return name_refusal(came.param)
    if isinstance(came, UpstreamError):
        return Cause("upstream_failed", came.code)
    if isinstance(came, WholeAnswer) and says_too_long(came.status, came.body):
        return Cause("unsuitable", "context_window")
    return Cause("upstream_failed", f"status {came.status}")


class Telling(IntEnum):
    """The rank of an error for a client, the most telling first."""

    REQUEST = 0
    """The request is at fault: any 4xx but those below, or a field that the decided model's wire cannot carry."""
    TOO_LONG = 1
    """The request is too long for the decided model; clients shorten it."""
    LATER = 2
    """A 429 that says when to come again."""
    BUSY = 3
    """Any other 429."""
    TARGET = 4
    """A 401, 402, 403 or 404, or a 400 about the account or the model: operators mend it."""
    BROKEN = 5
    """A 408 or a 5xx."""
    SILENT = 6
    """No usable answer: no connection, a timeout, nonsense, an open circuit breaker."""
    SMALL = 7
    """What only a fallback cannot carry, or is too small for: it says nothing of the decided model."""


_TOO_MANY, _SERVER_ERROR = 429, 500


def rank_failure(failed: Answered | UpstreamError | RequestError | None, *, is_decided: bool) -> Telling:
    """Rank what a candidate failed with by how much it tells the client.

    Args:
        failed: What came of the candidate; None where its circuit breaker is open.
        is_decided: Whether it is the model decided on, and no fallback.
    """
    if isinstance(failed, RequestError):
        return Telling.REQUEST if is_decided else Telling.SMALL
    if not isinstance(failed, WholeAnswer):
        return Telling.SILENT
    status, body = failed.status, failed.body
    if says_too_long(status, body):
        return Telling.TOO_LONG if is_decided else Telling.SMALL
    if status == _TOO_MANY:
        says_when = "retry-after" in failed.headers or "retry-after-ms" in failed.headers
        return Telling.LATER if says_when else Telling.BUSY
    if is_about_target(status, body, by_client_key=False):
        return Telling.TARGET
    return Telling.BROKEN if is_retryable(status) or status >= _SERVER_ERROR else Telling.REQUEST
