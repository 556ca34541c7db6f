"""Counting switches."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from plano_agents.agent_server.events import ModelCall, count_switches


def build_turns(models: list[str]) -> tuple[ModelCall, ...]:
    return tuple(ModelCall(number, model, None, None, None, (), 1) for number, model in enumerate(models, 1))


def test_coming_back_to_a_model_is_a_switch_too() -> None:
    assert count_switches(build_turns(["a", "a", "b", "a"])) == 2


def test_a_single_turn_has_no_switch() -> None:
    assert count_switches(build_turns(["a"])) == 0


@given(st.lists(st.sampled_from("abc")))
def test_there_are_as_many_switches_as_stretches_of_one_model_less_one(models: list[str]) -> None:
    assert count_switches(build_turns(models)) == max(0, len(list(itertools.groupby(models))) - 1)
