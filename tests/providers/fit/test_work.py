"""The work that fitting a request makes: linear in its fields."""

import json
import sys
from collections.abc import Callable
from types import FrameType

import pytest

from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.form import Form
from plano_agents.providers.fit import build_fittings
from plano_agents.providers.profiles import find_profile
from plano_agents.providers.target import build_target
from tests.router.conftest import build_model
from tests.work import count_lines


def count_calls(call: Callable[[], object]) -> int:
    """Count the Python functions that a call runs, comparisons of dataclasses among them."""
    calls = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return calls


def test_twice_the_unknown_fields_are_at_most_twice_the_work() -> None:
    model = build_model("mistral/m", base_url="http://127.0.0.1:1/v1")
    target = build_target(model)
    fitting = build_fittings(model, target.urls, find_profile(model, {}), is_own_host=target.is_own_host)[
        Form.OPENAI_CHAT
    ]

    def count(number: int) -> int:
        unknown = {f"k{each}": 1 for each in range(number)}
        fields = split_fields(json.dumps({"model": "m", "messages": [], **unknown}).encode())
        return count_calls(lambda: fitting.fit(fields))

    assert count(400) <= 2 * count(200)


USER, SYSTEM = {"role": "user", "content": "hi"}, {"role": "system", "content": "Briefly."}
TOOL = {"type": "tool_definition", "definition": {"name": "t", "input_schema": {"type": "object"}}}
ADDED = {"role": "system", "content": [{"type": "tool_addition", "tool": TOOL}]}


@pytest.mark.parametrize("model", ["anthropic/claude-opus-5-5", "anthropic/claude-sonnet-4-6"])
@pytest.mark.parametrize(
    "turns",
    [[USER], [SYSTEM], [SYSTEM, USER], [ADDED], [ADDED, USER]],
    ids=["users", "system's", "both", "changes of tools", "changes of tools and users"],
)
def test_twice_the_turns_are_at_most_twice_the_work(model: str, turns: list[dict[str, object]]) -> None:
    built = build_model(model)
    target = build_target(built)

    def count(number: int) -> int:
        fittings = build_fittings(built, target.urls, find_profile(built, {}), is_own_host=target.is_own_host)
        messages = [USER, *turns * number]
        body = json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode()
        return count_lines(lambda: fittings[Form.ANTHROPIC_MESSAGES].fit(split_fields(body)))

    assert count(200) <= 2 * count(100)


@pytest.mark.parametrize(
    ("model", "wire"),
    [("anthropic/claude-sonnet-4-6", Form.ANTHROPIC_MESSAGES), ("mistral/mistral-large-latest", Form.OPENAI_CHAT)],
)
def test_marks_that_stand_deeper_than_blocks_do_make_no_more_work(model: str, wire: Form) -> None:
    built = build_model(model)
    target = build_target(built)
    fittings = build_fittings(built, target.urls, find_profile(built, {}), is_own_host=target.is_own_host)

    def count(depth: int) -> int:
        marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
        content: list[dict[str, object]] = [dict(marked) for _ in range(9)]
        for _ in range(depth):
            content = [{"type": "tool_result", "tool_use_id": "a", "content": content}]
        body = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}).encode()
        return count_lines(lambda: fittings[wire].fit(split_fields(body)))

    assert count(60) <= 1.05 * count(30)
