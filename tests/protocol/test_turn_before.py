"""The request of the turn before, on each surface."""

import json
from typing import Any

import pytest

from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.turn_before import build_turn_before

SYSTEM = {"role": "system", "content": "Be brief."}
ASKED = {"role": "user", "content": "Compare them."}
CALL = {"role": "assistant", "tool_calls": [{"id": "1", "type": "function"}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "42"}
ANSWER = {"role": "assistant", "content": "The first."}
MORE = {"role": "user", "content": "And now?"}

FUNCTION_CALL = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
FUNCTION_OUTPUT = {"type": "function_call_output", "call_id": "1", "output": "42"}
REASONING: dict[str, Any] = {"type": "reasoning", "summary": []}


def before(name: str, items: object, **fields: object) -> Any:  # noqa: ANN401 - JSON
    built = build_turn_before(split_fields(json.dumps({"model": "m", name: items, **fields}).encode()))
    return None if built is None else json.loads(built)


@pytest.mark.parametrize(
    ("items", "earlier"),
    [
        ([SYSTEM, ASKED, ANSWER, MORE], [SYSTEM, ASKED]),
        ([SYSTEM, ASKED, CALL, RESULT], [SYSTEM, ASKED]),
        ([SYSTEM, ASKED, CALL, RESULT, RESULT], [SYSTEM, ASKED]),
        ([ASKED, CALL, RESULT, ANSWER, MORE], [ASKED, CALL, RESULT]),
        ([ASKED, ANSWER, MORE, {"role": "assistant", "content": "It begins"}], [ASKED]),
    ],
)
def test_it_is_what_stands_before_the_last_answer_that_something_follows(items: object, earlier: object) -> None:
    assert before("messages", items, tools=[]) == {"model": "m", "messages": earlier, "tools": []}


def test_an_answer_of_the_responses_api_is_all_its_items() -> None:
    first = [ASKED, REASONING, FUNCTION_CALL, FUNCTION_CALL, FUNCTION_OUTPUT, FUNCTION_OUTPUT]
    assert before("input", first) == {"model": "m", "input": [ASKED]}
    second = [*first, REASONING, {"type": "message", **ANSWER}, MORE]
    assert before("input", second) == {"model": "m", "input": first}


@pytest.mark.parametrize(
    ("name", "items"),
    [
        ("messages", [SYSTEM, ASKED]),
        ("messages", [SYSTEM, ANSWER, ASKED]),
        ("messages", [ANSWER]),
        ("messages", []),
        ("messages", "text"),
        ("messages", [1]),
        ("input", "Just a text."),
        ("input", [FUNCTION_OUTPUT]),
        ("prompt", "x"),
    ],
)
def test_a_transcript_without_an_earlier_turn_tells_none(name: str, items: object) -> None:
    assert before(name, items) is None
