"""The requests that are sent."""

import json

import pytest

from benchmarks.gateway.bodies import HUGE_BYTES, ID_PLACE, LARGE_BYTES, SMALL_BYTES, Target, build_body, build_request


@pytest.mark.parametrize("size", [SMALL_BYTES, LARGE_BYTES, HUGE_BYTES])
@pytest.mark.parametrize("stream", [True, False])
def test_a_body_is_as_long_as_asked_whatever_its_model(size: int, stream: bool) -> None:  # noqa: FBT001 - parametrized
    for model in ("m", "tensorzero::model_name::gpt-4o"):
        body = build_body(model, size, stream=stream)
        read = json.loads(body)
        assert (len(body), read["model"], read.get("stream", False)) == (size, model, stream)


def test_the_large_body_is_an_agents_eighth_turn() -> None:
    read = json.loads(build_body("m", LARGE_BYTES, stream=False))
    turns = [message for message in read["messages"] if message["role"] == "assistant"]
    called = [call["id"] for turn in turns for call in turn["tool_calls"]]
    answered = [message["tool_call_id"] for message in read["messages"] if message["role"] == "tool"]
    assert len(turns) == 7
    assert called == answered
    assert {call["function"]["name"] for turn in turns for call in turn["tool_calls"]} <= {
        tool["function"]["name"] for tool in read["tools"]
    }


def test_a_new_text_is_as_long_as_the_old_one() -> None:
    plain, new = (
        build_request(Target("m", {}), "x-id", SMALL_BYTES, stream=False, new_text=new_text)
        for new_text in (False, True)
    )
    assert len(plain) == len(new)
    assert new.partition(b"\r\n\r\n")[2].count(ID_PLACE.encode()) == 1


def test_an_sdks_head_has_its_lines() -> None:
    request = build_request(Target("m", {}), "x-id", HUGE_BYTES, stream=False, sdk_head=True)
    assert b"\r\nX-Stainless-Retry-Count: 0\r\n" in request
    assert len(request.partition(b"\r\n\r\n")[2]) == HUGE_BYTES


def test_a_body_that_cannot_be_so_short_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        build_body("m", 100, stream=False)


def test_a_request_has_one_place_for_its_id_and_the_peers_headers() -> None:
    request = build_request(Target("m", {"x-provider": "openai"}, "/p"), "x-session", SMALL_BYTES, stream=False)
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /p HTTP/1.1\r\n")
    assert request.count(ID_PLACE.encode()) == 1
    assert f"x-session: {ID_PLACE}".encode() in head
    assert b"x-provider: openai" in head
    assert f"Content-Length: {len(body)}".encode() in head
