import json

import pytest

from plano_agents.protocol.signature_mark import build_mark, mark_events, mark_message, read_signature

MARK = build_mark("https://glm.example/v1")
OTHER = build_mark("https://kimi.example/v1")
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "glm-1"}


def test_a_signature_goes_back_to_the_endpoint_that_gave_it_and_to_no_other() -> None:
    (block,) = json.loads(mark_message(json.dumps({"content": [SIGNED]}).encode(), MARK))["content"]
    assert read_signature(block["signature"], MARK) == "glm-1"
    assert read_signature(block["signature"], OTHER) is None
    assert read_signature(block["signature"], "") is None


def test_anthropics_signature_goes_to_anthropic_alone() -> None:
    assert read_signature("c2ln", "") == "c2ln"
    assert read_signature("c2ln", MARK) is None


@pytest.mark.parametrize("pieces", [["glm-1"], ["glm", "-1"], ["", "glm-1"]])
def test_a_streamed_signature_is_marked_in_as_many_pieces_as_it_comes(pieces: list[str]) -> None:
    deltas = [{"type": "signature_delta", "signature": piece} for piece in pieces]
    marked = [json.loads(mark_events(json.dumps(delta).encode(), MARK))["signature"] for delta in deltas]
    assert read_signature("".join(marked), MARK) == "glm-1"


def test_what_a_tool_is_called_with_is_not_marked() -> None:
    call = {"type": "tool_use", "id": "t", "name": "sign", "input": {"signature": "mine"}}
    body = json.dumps({"content": [SIGNED, call]}).encode()
    assert json.loads(mark_message(body, MARK))["content"][1] == call
    piece = json.dumps({"partial_json": json.dumps({"signature": "mine"})}).encode()
    assert mark_events(piece, MARK) == piece


@pytest.mark.parametrize("body", [b"<html>", b'{"content":"signature"}', b'["signature"]'])
def test_what_is_no_message_stays_as_it_is(body: bytes) -> None:
    assert mark_message(body, MARK) == body
