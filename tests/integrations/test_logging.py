"""The affinity id in log lines."""

import logging

import pytest

from plano_agents import AffinityLogFilter, model_affinity


def test_every_record_of_a_handler_carries_the_scopes_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(AffinityLogFilter())
    log = logging.getLogger("any.library")
    with caplog.at_level(logging.INFO):
        log.info("before")
        with model_affinity("run-1"), model_affinity(lane="researcher"):
            log.info("within")
    ids = [vars(record)["affinity_id"] for record in caplog.records]
    assert ids == ["-", "run-1/researcher"]
