"""The models that can serve a request."""

import json

import pytest

from plano_agents.config.model import ModelProfile
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.needs import Needs
from plano_agents.routing.suitability import find_unmet, put_suitable_first

PLAIN: dict[str, object] = {"messages": [{"role": "user", "content": "hi"}]}
LONG: dict[str, object] = {"messages": [{"role": "user", "content": "word " * 1_000}]}
SHOWN: dict[str, object] = {
    "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}]
}
OFFERED = {**PLAIN, "tools": [{"name": "f"}]}


def serves(profile: ModelProfile, body: dict[str, object]) -> bool:
    encoded = json.dumps(body).encode()
    return find_unmet(profile, Needs(encoded, split_fields(encoded))) is None


@pytest.mark.parametrize("body", [PLAIN, LONG, SHOWN, OFFERED])
def test_a_model_of_which_nothing_is_known_can(body: dict[str, object]) -> None:
    assert serves(ModelProfile(), body)


@pytest.mark.parametrize(
    ("profile", "cannot"),
    [
        (ModelProfile(context_window=900), LONG),
        (ModelProfile(images=False), SHOWN),
        (ModelProfile(tools=False), OFFERED),
    ],
)
def test_a_model_cannot_what_is_known_to_be_beyond_it_and_can_the_rest(
    profile: ModelProfile, cannot: dict[str, object]
) -> None:
    assert [body for body in (PLAIN, LONG, SHOWN, OFFERED) if not serves(profile, body)] == [cannot]


@pytest.mark.parametrize("body", [PLAIN, LONG, SHOWN, OFFERED])
def test_a_model_that_can_all_of_it_can(body: dict[str, object]) -> None:
    assert serves(ModelProfile(1_100, images=True, tools=True), body)


def test_models_that_can_come_first_and_both_kinds_keep_their_order() -> None:
    assert put_suitable_first("abcdef", lambda model: model in "bdf") == [*"bdface"]


def test_where_none_can_the_order_stays() -> None:
    assert put_suitable_first("cab", lambda _: False) == [*"cab"]
