"""Broken promises: changes that count as one, and those that do not."""

import logging

import pytest

from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.pin import Pin
from tests.sessions.conftest import CLAUDE, GPT, A, B, build_pin

PIN = build_pin()
MOVED = PIN.move(CLAUDE, "r", "upstream_failed", 1.0)
OTHER = build_pin(CLAUDE, lineage="2")


def build(*, shared: bool = False, max_entries: int = 10) -> Ledger:
    return Ledger(max_entries=max_entries, is_shared=shared)


def dispatch(ledger: Ledger, pin: Pin, *, model: str | None = None, degraded: bool = False) -> None:
    """Decide now and dispatch at once."""
    era = ledger.observe(degraded=degraded)
    ledger.note(A, pin, model or pin.model, decided=ledger.tick(), era=era)


@pytest.mark.parametrize("shared", [True, False])
def test_the_same_model_again_is_as_promised(shared: bool) -> None:  # noqa: FBT001 - parametrized
    ledger = build(shared=shared)
    for _ in range(3):
        dispatch(ledger, PIN)
    assert ledger.violations == 0


@pytest.mark.parametrize("shared", [True, False])
def test_another_model_under_the_same_pin_is_a_violation(shared: bool) -> None:  # noqa: FBT001 - parametrized
    ledger = build(shared=shared)
    dispatch(ledger, PIN)
    dispatch(ledger, PIN, model=CLAUDE)
    assert ledger.violations == 1


def test_a_violation_is_counted_once_and_each_further_one_again() -> None:
    ledger = build()
    for model in (GPT, CLAUDE, CLAUDE, GPT):
        dispatch(ledger, PIN, model=model)
    assert ledger.violations == 2


@pytest.mark.parametrize("shared", [True, False])
def test_a_pin_that_moved_has_a_reason(shared: bool) -> None:  # noqa: FBT001 - parametrized
    ledger = build(shared=shared)
    dispatch(ledger, PIN)
    ledger.note_move(A, MOVED)
    dispatch(ledger, MOVED)
    assert ledger.violations == 0


@pytest.mark.parametrize("shared", [True, False])
def test_another_deployment_under_the_same_pin_is_a_violation(shared: bool) -> None:  # noqa: FBT001 - parametrized
    ledger = build(shared=shared)
    dispatch(ledger, build_pin(deployment="eu"))
    dispatch(ledger, build_pin(deployment="us"))
    assert ledger.violations == 1


@pytest.mark.parametrize("shared", [True, False])
def test_a_pin_that_moved_to_another_deployment_has_a_reason(shared: bool) -> None:  # noqa: FBT001 - parametrized
    ledger = build(shared=shared)
    here = build_pin(deployment="eu")
    dispatch(ledger, here)
    there = here.move_deployment("us", 1.0, "status 429")
    if not shared:
        ledger.note_move(A, there)
    dispatch(ledger, there)
    assert ledger.violations == 0


@pytest.mark.parametrize("shared", [True, False])
def test_a_pin_that_was_only_edited_explains_no_other_model(shared: bool) -> None:  # noqa: FBT001 - parametrized
    ledger = build(shared=shared)
    dispatch(ledger, PIN)
    dispatch(ledger, PIN.move_deployment("us", 1.0, None), model=CLAUDE)
    assert ledger.violations == 1


def test_a_deployment_that_was_decided_on_before_the_pin_left_it_is_no_violation() -> None:
    ledger = build()
    here = build_pin(deployment="eu")
    dispatch(ledger, here)
    before = ledger.tick()
    ledger.note_move(A, here.move_deployment("us", 1.0, "status 429"))
    ledger.note(A, here, GPT, decided=before)
    assert ledger.violations == 0
    dispatch(ledger, here)
    assert ledger.violations == 1


@pytest.mark.parametrize("shared", [True, False])
def test_a_pin_that_comes_back_after_it_moved_is_a_violation(shared: bool) -> None:  # noqa: FBT001 - parametrized
    ledger = build(shared=shared)
    dispatch(ledger, PIN)
    ledger.note_move(A, MOVED)
    dispatch(ledger, PIN)
    assert ledger.violations == 1


def test_a_request_that_was_decided_before_the_move_is_none() -> None:
    ledger = build()
    dispatch(ledger, PIN)
    before = ledger.tick()
    ledger.note_move(A, MOVED)
    ledger.note(A, PIN, GPT, decided=before)
    dispatch(ledger, MOVED)
    assert ledger.violations == 0


def test_a_request_whose_pin_ended_before_it_was_dispatched_is_none() -> None:
    ledger = build()
    before = ledger.tick()
    ledger.forget(A)
    ledger.note(A, PIN, GPT, decided=before)
    dispatch(ledger, OTHER)
    ledger.note(A, PIN, GPT, decided=before)
    dispatch(ledger, OTHER)
    assert ledger.violations == 0


def test_another_pin_although_none_had_ended_is_a_violation() -> None:
    ledger = build()
    dispatch(ledger, PIN)
    dispatch(ledger, OTHER)
    assert ledger.violations == 1


def test_another_pin_after_the_end_of_the_first_is_as_promised() -> None:
    ledger = build()
    dispatch(ledger, PIN)
    ledger.forget(A)
    dispatch(ledger, OTHER)
    assert ledger.violations == 0


def test_in_a_shared_store_pins_may_end_elsewhere() -> None:
    ledger = build(shared=True)
    dispatch(ledger, PIN)
    dispatch(ledger, OTHER)
    assert ledger.violations == 0


def test_the_first_dispatch_after_an_outage_may_differ_and_the_next_may_not() -> None:
    ledger = build(shared=True)
    dispatch(ledger, PIN, degraded=True)
    dispatch(ledger, PIN, model=CLAUDE)
    assert ledger.violations == 0
    dispatch(ledger, PIN)
    assert ledger.violations == 1


def test_the_first_dispatch_of_a_later_outage_may_differ_too() -> None:
    ledger = build(shared=True)
    dispatch(ledger, PIN, degraded=True)
    ledger.observe(degraded=False)
    dispatch(ledger, PIN, model=CLAUDE, degraded=True)
    assert ledger.violations == 0
    dispatch(ledger, PIN, degraded=True)
    assert ledger.violations == 1


def test_within_an_outage_the_promise_holds() -> None:
    ledger = build(shared=True)
    dispatch(ledger, PIN, degraded=True)
    dispatch(ledger, PIN, model=CLAUDE, degraded=True)
    assert ledger.violations == 1


def test_each_violation_calls_and_logs_models_without_the_prompt(caplog: pytest.LogCaptureFixture) -> None:
    called: list[None] = []
    ledger = Ledger(max_entries=10, is_shared=False, on_violation=lambda: called.append(None))
    dispatch(ledger, PIN)
    with caplog.at_level(logging.ERROR):
        dispatch(ledger, PIN, model=CLAUDE)
    assert len(called) == 1
    [record] = caplog.records
    assert record.getMessage() == (
        f"affinity violated: session 'a' moved from {GPT} to {CLAUDE} without a listed reason"
    )


def test_the_longest_unused_is_forgotten_first() -> None:
    ledger = build(max_entries=1)
    dispatch(ledger, PIN)
    ledger.note(B, PIN, GPT, decided=ledger.tick())
    dispatch(ledger, PIN, model=CLAUDE)
    assert ledger.violations == 0
