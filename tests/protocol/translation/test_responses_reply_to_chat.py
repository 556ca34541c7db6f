import json
from collections.abc import Callable
from typing import Any

import pytest

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol.form import Form
from plano_agents.protocol.openai_responses import write_events
from plano_agents.protocol.translation.translation import Translation, translate_request
from plano_agents.testing.wires import Reply, ToolCall, encode_events, encode_reply

REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "I sée."}, {"type": "summary_text", "text": "So."}],
    "encrypted_content": "gAAA+/=",
}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "add", "arguments": '{"a": 1.5}'}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}}
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 109,
}
SURFACES = [Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES]
Json = dict[str, Any]


def say(text: str) -> Json:
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def respond(*output: Json, **fields: object) -> bytes:
    whole = {"id": "resp_1", "object": "response", "created_at": 7, "model": "gpt", "status": "completed"}
    return json.dumps({**whole, "output": output, "usage": USAGE, **fields}, ensure_ascii=False).encode()


def open_(surface: Form, *turns: Json, mark: str = "", **fields: object) -> Translation:
    messages = [{"role": "user", "content": "hi"}, *turns]
    body = json.dumps({"model": "m", "max_tokens": 50, "messages": messages, **fields}).encode()
    return translate_request(surface, Form.OPENAI_RESPONSES, body, "gpt", created=7, signature_mark=mark)


def read_chat(body: bytes) -> Json:
    found: Json = json.loads(open_(Form.OPENAI_CHAT).encode_reply(body))
    return found


def test_a_response_is_a_completion() -> None:
    found = read_chat(respond(REASONING, SEARCH, say("Hi"), CALL))
    assert (found["id"], found["created"], found["model"]) == ("resp_1", 7, "gpt")
    (choice,) = found["choices"]
    message = choice["message"]
    assert (choice["finish_reason"], message["content"], message["reasoning_content"]) == (
        "tool_calls",
        "Hi",
        "I sée.\n\nSo.",
    )
    assert message["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1.5}'}}
    ]
    usage = found["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (100, 9, 109)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 60
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 4


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({"status": "completed"}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete", "incomplete_details": None}, "length"),
    ],
)
def test_an_end_is_told_in_chats_words(fields: Json, finish: str) -> None:
    assert read_chat(respond(say("Hi"), **fields))["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize("status", ["failed", "in_progress", "queued"])
def test_a_response_that_did_not_end_is_no_answer(status: str) -> None:
    with pytest.raises(UpstreamProtocolError):
        read_chat(respond(status=status))


def test_a_refusal_is_one() -> None:
    refused = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}
    assert read_chat(respond(refused))["choices"][0]["message"]["refusal"] == "No."


def test_reasoning_in_clear_is_shown() -> None:
    clear = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}
    assert read_chat(respond(clear, say("Hi")))["choices"][0]["message"]["reasoning_content"] == "Hm."


def test_a_messages_client_gives_encrypted_reasoning_back_as_it_came() -> None:
    message = json.loads(open_(Form.ANTHROPIC_MESSAGES).encode_reply(respond(REASONING, CALL)))
    turn = {"role": "assistant", "content": message["content"]}
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "2"}
    second = open_(Form.ANTHROPIC_MESSAGES, turn, {"role": "user", "content": [result]})
    _, reasoning, call, _ = json.loads(second.request_body)["input"]
    assert reasoning == {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "I sée.\n\nSo."}],
        "encrypted_content": "gAAA+/=",
    }
    assert call["arguments"] == '{"a": 1.5}'


def test_a_chat_client_gives_encrypted_reasoning_back_with_its_providers_mark() -> None:
    first = open_(Form.OPENAI_CHAT, mark="plano-0123456789ab.")
    message = json.loads(first.encode_reply(respond(REASONING, CALL)))["choices"][0]["message"]
    second = open_(Form.OPENAI_CHAT, message, {"role": "tool", "tool_call_id": "call_1", "content": "2"})
    assert json.loads(second.request_body)["input"][1]["encrypted_content"] == "plano-0123456789ab.gAAA+/="


@pytest.mark.parametrize("surface", SURFACES)
def test_thinking_of_others_is_left_out(surface: Form) -> None:
    block = {"type": "thinking", "thinking": "t", "signature": "c2ln"}
    turn: Json = {"role": "assistant", "content": [block, {"type": "text", "text": "Hi"}]}
    if surface is Form.OPENAI_CHAT:
        turn = {"role": "assistant", "content": "Hi", "reasoning_content": "t", "thinking_blocks": [block]}
    found = open_(surface, turn, {"role": "user", "content": "and?"})
    assert [item["role"] for item in json.loads(found.request_body)["input"]] == ["user", "assistant", "user"]


# Streams

EVENTS: list[Json] = [
    {"type": "response.created", "response": json.loads(respond(status="in_progress", usage=None))},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1"}},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "I sé"},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "e."},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "So."},
    {"type": "response.output_item.done", "output_index": 0, "item": REASONING},
    {"type": "response.output_item.added", "output_index": 1, "item": SEARCH},
    {"type": "response.web_search_call.searching", "output_index": 1, "item_id": "ws_1"},
    {"type": "response.output_item.done", "output_index": 1, "item": SEARCH},
    {"type": "response.output_item.added", "output_index": 2, "item": say("")},
    {"type": "response.output_text.delta", "output_index": 2, "delta": "H"},
    {"type": "response.output_text.delta", "output_index": 2, "delta": "i"},
    {"type": "response.output_text.annotation.added", "output_index": 2, "annotation": {"type": "url_citation"}},
    {"type": "response.output_item.done", "output_index": 2, "item": say("Hi")},
    {"type": "response.output_item.added", "output_index": 3, "item": {**CALL, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 3, "delta": '{"a":'},
    {"type": "response.function_call_arguments.delta", "output_index": 3, "delta": " 1.5}"},
    {"type": "response.function_call_arguments.done", "output_index": 3, "arguments": '{"a": 1.5}'},
    {"type": "response.output_item.done", "output_index": 3, "item": CALL},
    {"type": "response.completed", "response": json.loads(respond(REASONING, SEARCH, say("Hi"), CALL))},
]


def write(events: list[Json]) -> bytes:
    return b"".join(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n" for event in events)


@pytest.mark.parametrize("surface", SURFACES)
def test_a_stream_is_the_whole_answer(surface: Form) -> None:
    whole = json.loads(open_(surface).encode_reply(respond(REASONING, SEARCH, say("Hi"), CALL)))
    assert json.loads(open_(surface).convert(write(EVENTS), streams=False)) == whole


@pytest.mark.parametrize("surface", SURFACES)
def test_a_stream_reads_the_same_byte_by_byte(surface: Form) -> None:
    events = write(EVENTS)
    once, slowly = open_(surface, stream=True).build_stream(), open_(surface, stream=True).build_stream()
    said = b"".join(slowly.feed(events[place : place + 1]) for place in range(len(events)))
    assert (said, slowly.finished) == (once.feed(events), True)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("kept", [{"created", "completed"}, {"created", "done", "completed"}, {"completed"}])
def test_what_no_delta_told_is_given_whole(surface: Form, kept: set[str]) -> None:
    events = [event for event in EVENTS if event["type"].rpartition(".")[2] in kept]
    whole = json.loads(open_(surface).encode_reply(respond(REASONING, SEARCH, say("Hi"), CALL)))
    assert json.loads(open_(surface).convert(write(events), streams=False)) == whole


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("place", [lambda _: 0, lambda index: index + 1], ids=["one for all", "from 1"])
def test_nothing_is_said_or_called_twice_wherever_a_server_says_that_items_stand(
    surface: Form, place: Callable[[int], int]
) -> None:
    """Routers give reasoning and a call one place; a call that came twice would run twice."""
    events = [
        {**event, "output_index": place(event["output_index"])} if "output_index" in event else event
        for event in EVENTS
    ]
    whole = json.loads(open_(surface).encode_reply(respond(REASONING, SEARCH, say("Hi"), CALL)))
    assert json.loads(open_(surface).convert(write(events), streams=False)) == whole


@pytest.mark.parametrize("surface", SURFACES)
def test_a_whole_response_may_be_streamed(surface: Form) -> None:
    body = respond(REASONING, say("Hi"), CALL)
    written = open_(surface, stream=True).convert(body, streams=True)
    assert b"Hi" in written
    assert json.loads(open_(surface).convert(write_events(body), streams=False)) == json.loads(
        open_(surface).encode_reply(body)
    )


@pytest.mark.parametrize("surface", SURFACES)
def test_what_a_provider_streams_by_its_reference_is_read(surface: Form) -> None:
    """The fake provider's encoders are written from OpenAI's reference, apart from the code under test."""
    reply = Reply("Let me see", calls=[ToolCall("add", {"a": 1}), ToolCall("now", {}, id="call_2")])
    events = b"".join(encode_events("responses", reply, "gpt"))
    whole = encode_reply("responses", reply, "gpt")
    assert json.loads(open_(surface).convert(events, streams=False)) == json.loads(open_(surface).encode_reply(whole))
    stream = open_(surface, stream=True).build_stream()
    assert (b'"now"' in stream.feed(events), stream.finished, stream.failed) == (True, True, False)


FAILURE = {"id": "resp_1", "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow down"}}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.failed", "response": FAILURE},
        {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down", "param": None},
        {"error": {"message": "Slow down", "type": "requests", "code": "rate_limit_exceeded"}},
    ],
    ids=["failed", "error", "bare"],
)
def test_a_failure_in_a_stream_is_told_in_the_clients_form(surface: Form, event: Json) -> None:
    stream = open_(surface, stream=True).build_stream()
    told = stream.feed(write([*EVENTS[:12], event]))
    assert (b"Slow down" in told, stream.failed) == (True, True)


def test_a_stream_that_was_cut_is_no_answer() -> None:
    stream = open_(Form.OPENAI_CHAT, stream=True).build_stream()
    stream.feed(write(EVENTS[:-1]))
    stream.finish()
    with pytest.raises(UpstreamProtocolError):
        stream.close()
