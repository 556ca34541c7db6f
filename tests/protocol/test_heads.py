"""Bounds on the fields that routing reads, on every surface."""

from collections.abc import Callable, Mapping

import msgspec
import pytest

from plano_agents.errors import RequestError
from plano_agents.protocol import anthropic_messages, openai_chat, openai_responses
from plano_agents.protocol.openai_chat import ChatHead

ParseHead = Callable[[bytes], ChatHead]


@pytest.fixture(
    params=[openai_chat, anthropic_messages, openai_responses],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def parse_head(request: pytest.FixtureRequest) -> ParseHead:
    parse: ParseHead = request.param.parse_head
    return parse


def write(model: str = "m", preference: Mapping[str, object] | None = None) -> bytes:
    whole = {"name": "n", "description": "d", "models": ["openai/m"], **(preference or {})}
    return msgspec.json.encode({"model": model, "messages": [], "input": "hi", "routing_preferences": [whole]})


def write_preferences(count: int) -> bytes:
    preference = {"name": "n", "description": "d", "models": []}
    return msgspec.json.encode({"messages": [], "routing_preferences": [preference] * count})


def find_param(parse_head: ParseHead, body: bytes) -> str | None:
    with pytest.raises(RequestError) as caught:
        parse_head(body)
    assert len(caught.value.message) < 300
    return caught.value.param


@pytest.mark.parametrize("model", ["a" * 257, "a" * 1_000_000, "a b", "a\n", "é", "\x7f", "😀", ""])
def test_a_model_that_no_header_can_carry_is_refused_by_name(parse_head: ParseHead, model: str) -> None:
    assert find_param(parse_head, write(model)) == "model"


@pytest.mark.parametrize(
    ("preference", "param"),
    [
        ({"name": "a" * 257}, "routing_preferences[0].name"),
        ({"name": "a\r\nX-Evil: 1"}, "routing_preferences[0].name"),
        ({"name": " a"}, "routing_preferences[0].name"),
        ({"description": "d" * 4_001}, "routing_preferences[0].description"),
        ({"models": ["openai/m"] * 65}, "routing_preferences[0].models"),
        ({"selection_policy": {"prefer": "nonsense"}}, "routing_preferences[0].selection_policy.prefer"),
        ({"models": ["openai/m", "openai/" + "m" * 256]}, "routing_preferences[0].models[1]"),
    ],
)
def test_a_preference_over_a_bound_is_refused_by_its_path(
    parse_head: ParseHead, preference: dict[str, object], param: str
) -> None:
    assert find_param(parse_head, write(preference=preference)) == param


def test_too_many_preferences_are_refused(parse_head: ParseHead) -> None:
    assert find_param(parse_head, write_preferences(65)) == "routing_preferences"


def test_the_largest_preferences_are_taken(parse_head: ParseHead) -> None:
    largest: dict[str, object] = {
        "name": "my route" + "e" * 248,
        "description": "é" * 4_000,
        "models": ["m" * 256] * 64,
    }
    head = parse_head(write("m" * 256, largest))
    assert head.routing_preferences is not None
    assert len(head.routing_preferences[0].description) == 4_000


def test_as_many_preferences_as_are_allowed_are_taken(parse_head: ParseHead) -> None:
    assert len(parse_head(write_preferences(64)).routing_preferences or ()) == 64
