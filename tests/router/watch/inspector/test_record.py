"""The inspector's record of a request, and the fields that it never has."""

import pytest

from plano_agents.config.model import Preference
from plano_agents.protocol.usage import Tokens
from plano_agents.router.request.trail import Trail, Try
from plano_agents.router.watch.inspector.record import MAX_NAME, MAX_SCORES, build_record, price
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.strategy import Ranking, Scored
from plano_agents.sessions.pin import Decision, SessionKey

GPT, MINI = "openai/gpt-4o", "openai/gpt-4o-mini"


def build_trail(**fields: object) -> Trail:
    trail = Trail("a" * 32, "/v1/chat/completions", 1_700_000_000.0, 0.0, duration_ms=12.0, status=200)
    for name, value in fields.items():
        setattr(trail, name, value)
    return trail


def test_a_pinned_turn_is_written_down_with_its_session_and_figures() -> None:
    record = build_record(
        build_trail(
            session=SessionKey("acme", "run-1"),
            decision=Decision(GPT, "code", "retain", "pinned"),
            noted=(Try(GPT, 200, None, 10.0),),
            routing_ms=0.1,
            upstream_ms=10.0,
            tokens=Tokens(100, 7, 64),
        ),
        None,
    )
    assert (record.tenant, record.session, record.model, record.route) == ("acme", "run-1", GPT, "code")
    assert (record.decision, record.reason, record.status) == ("retain", "pinned", 200)
    assert (record.input, record.output, record.cached, record.cost_usd) == (100, 7, 64, None)
    assert (record.scores, record.sendings) == ((), ())


def test_a_routed_turn_has_its_scores() -> None:
    code, talk = Preference("code", "writing", (GPT,)), Preference("talk", "chat", (MINI,))
    ranking = Ranking("embedded", code, (Scored(code, 0.7), Scored(talk, 0.1)), 0.5)
    record = build_record(build_trail(ranking=ranking), None)
    assert (record.strategy, record.threshold, record.scores) == (
        "embedded",
        0.5,
        (("code", 0.7), ("talk", 0.1)),
    )


def test_what_clients_name_is_cut() -> None:
    long = Preference("x" * 5_000, "y", (GPT,))
    ranking = Ranking("told", long, (Scored(long, None),) * 1_000)
    record = build_record(build_trail(ranking=ranking, decision=Decision(GPT, long.name, "none", None)), None)
    assert (len(record.scores), record.scores[0]) == (MAX_SCORES, ("x" * MAX_NAME, None))
    assert record.route == "x" * MAX_NAME


def test_a_turn_names_its_deployment_and_those_that_failed_it() -> None:
    decision = Decision(GPT, "code", "retain", "deployment", because="status 429", deployment="us")
    tries = (Try(GPT, 429, None, 5.0, "eu"), Try(GPT, 200, None, 9.0, "us"))
    record = build_record(build_trail(decision=decision, noted=tries), None)
    assert (record.deployment, record.reason, record.because) == ("us", "deployment", "status 429")
    assert [each.deployment for each in record.sendings] == ["eu", "us"]


def test_a_failover_has_all_its_sendings() -> None:
    tries = (Try(GPT, 503, None, 5.0), Try(MINI, 200, None, 9.0))
    record = build_record(build_trail(noted=tries), None)
    assert [(each.model, each.status) for each in record.sendings] == [(GPT, 503), (MINI, 200)]


def test_a_request_that_was_refused_has_neither_session_nor_model() -> None:
    record = build_record(build_trail(status=404, failure="model_not_found"), None)
    assert (record.session, record.model, record.decision, record.has_failed) == (None, None, None, True)


def test_the_cost_is_that_of_the_model_that_answered() -> None:
    metrics = {
        GPT: ModelMetrics(2.5, 10.0),
        "gpt-4o-mini": ModelMetrics(0.15, 0.6, cached_usd_per_million=0.075),
    }
    spent = Tokens(1_000_000, 1_000_000, 500_000)
    trails = [build_trail(decision=Decision(model, None, "none", None), tokens=spent) for model in (GPT, MINI)]
    first, second = (build_record(trail, price(trail, metrics)) for trail in trails)
    assert (first.cost_usd, first.cost_is_most) == (12.5, True)
    assert second.cost_usd == pytest.approx(0.7125)
    assert not second.cost_is_most
