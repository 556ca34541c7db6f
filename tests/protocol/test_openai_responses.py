import contextlib
import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import RequestError, UpstreamTimeoutError
from plano_agents.protocol.decoding import address, split_fields
from plano_agents.protocol.openai_responses import (
    encode_error_event,
    join_events,
    leave_out_foreign,
    parse_head,
    seal_thinking,
    unseal_thinking,
    write_events,
)
from plano_agents.routing.text import Utterance, read_conversation


def address_to(body: bytes, model_id: str) -> bytes:
    return address(leave_out_foreign(split_fields(body)), model_id)


def test_a_string_is_what_the_user_said() -> None:
    head = parse_head(b'{"model":"m","input":"hi","stream":true}')
    assert (head.model, head.stream, read_conversation(head.messages)) == (
        "m",
        True,
        (Utterance("user", "hi"),),
    )


def test_a_head_reads_messages_and_passes_over_other_items() -> None:
    items = [
        {"role": "developer", "content": "secret"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "one"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "secret"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "two"}]},
        {"type": "function_call", "call_id": "t", "name": "n", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "t", "output": "secret"},
    ]
    head = parse_head(json.dumps({"instructions": "secret", "input": items}).encode())
    assert [said.text for said in read_conversation(head.messages)] == ["one", "two"]


def test_a_request_without_input_has_no_messages() -> None:
    assert parse_head(b'{"prompt":{"id":"p"}}').messages == ()


def test_replacing_the_model_leaves_other_values_byte_for_byte() -> None:
    body = b'{"model":"a","routing_preferences":[],"input":[{"role":"user","content":"\\u00e9  \\/"}]}'
    assert address_to(body, "b") == b'{"model":"b","input":[{"role":"user","content":"\\u00e9  \\/"}]}'


def test_what_was_sealed_here_is_not_sent_to_those_who_cannot_read_it() -> None:
    ours = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal_thinking(())}
    theirs = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAA"}
    body = json.dumps({"model": "a", "input": [ours, theirs, {"role": "user", "content": "plano.v1."}]})
    found = json.loads(address_to(body.encode(), "b"))["input"]
    assert found == [theirs, {"role": "user", "content": "plano.v1."}]


@given(st.lists(st.dictionaries(st.text(), st.text())))
def test_what_is_sealed_is_unsealed_byte_for_byte(blocks: list[dict[str, str]]) -> None:
    raws = tuple(msgspec.Raw(json.dumps(block).encode()) for block in blocks)
    unsealed = unseal_thinking(seal_thinking(raws))
    assert unsealed is not None
    assert [bytes(raw) for raw in unsealed] == [bytes(raw) for raw in raws]


@given(st.text())
def test_any_text_is_unsealed_or_is_not_ours(text: str) -> None:
    assert unseal_thinking(text) is None
    unseal_thinking("plano.v1." + text)


def test_an_error_ends_the_stream_as_a_response_that_failed() -> None:
    data = json.loads(encode_error_event(UpstreamTimeoutError("x")).partition(b"data: ")[2])
    assert data["type"] == "response.failed"
    assert data["response"]["status"] == "failed"
    assert data["response"]["error"] == {"code": "server_error", "message": "x"}


def test_a_whole_response_and_its_events_are_made_of_each_other() -> None:
    whole = b'{"id":"resp_1","status":"completed","output":[{"type":"message"}]}'
    assert join_events(write_events(whole)) == whole


@given(st.binary())
def test_any_bytes_parse_or_are_a_client_error(body: bytes) -> None:
    for read in (parse_head, lambda data: address_to(data, "m")):
        with contextlib.suppress(RequestError):
            read(body)
