"""The limit on the requests that are served at once."""

import pytest

from plano_agents.config.model import Limits
from plano_agents.errors import OverloadedError
from plano_agents.router.request.admission import Admission


def test_a_request_over_the_limit_is_refused_until_another_leaves() -> None:
    admission = Admission(Limits(max_concurrent_requests=1))
    admission.enter()
    with pytest.raises(OverloadedError, match="1 requests are in flight, which is the limit"):
        admission.enter()
    admission.leave()
    admission.enter()
    assert admission.in_flight == 1


def test_a_lowered_limit_counts_the_requests_that_were_admitted_before() -> None:
    admission = Admission(Limits(max_concurrent_requests=3))
    for _ in range(3):
        admission.enter()
    admission.configure(Limits(max_concurrent_requests=2))
    admission.leave()
    with pytest.raises(OverloadedError):
        admission.enter()
    admission.leave()
    admission.enter()
    assert admission.in_flight == 2
