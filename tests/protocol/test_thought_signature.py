import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol.anthropic_messages import leave_out_foreign as leave_out_of_messages
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.form import Form
from plano_agents.protocol.openai_responses import leave_out_foreign as leave_out_of_responses
from plano_agents.protocol.thought_signature import (
    SEAL,
    build_extra_content,
    drop_sealed,
    seal_call_id,
    unseal_call_id,
)
from plano_agents.protocol.translation.translation import Translation, translate_request

SIGNED = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
    "extra_content": {"google": {"thought_signature": "c2ln+/=="}},
}
USER = {"role": "user", "content": "hi"}
FIELDS = {"messages": [USER], "max_tokens": 9, "input": [USER]}


@given(st.from_regex(r"[a-zA-Z0-9_-]{1,40}", fullmatch=True), st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_signature_comes_out_of_an_id_as_it_went_in(call_id: str, signature: str) -> None:
    sealed = seal_call_id(call_id, build_extra_content(signature))
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", sealed)
    assert unseal_call_id(sealed) == (call_id, build_extra_content(signature))


@pytest.mark.parametrize("call_id", ["call_1", "", "a__thought_", "a__thought_===", "a__thought_\u00e9"])
def test_an_id_without_a_signature_stays_as_it_is(call_id: str) -> None:
    assert unseal_call_id(call_id) == (call_id, msgspec.UNSET)


def ask(surface: Form, upstream: Form = Form.OPENAI_CHAT, **fields: object) -> Translation:
    names = ("input",) if surface is Form.OPENAI_RESPONSES else ("messages", "max_tokens")
    body = {"model": "m", **{name: FIELDS[name] for name in names}, **fields}
    return translate_request(surface, upstream, json.dumps(body).encode(), "gemini", created=7)


def answer(translation: Translation, *, streams: bool) -> list[dict[str, object]]:
    """Give the calls' blocks or items that a client gets of a signed call."""
    if not streams:
        choice = {"message": {"content": None, "tool_calls": [SIGNED]}, "finish_reason": "tool_calls"}
        whole = json.loads(translation.encode_reply(json.dumps({"id": "c", "choices": [choice]}).encode()))
        return list(whole["content"] if "content" in whole else whole["output"])
    delta = {"tool_calls": [{"index": 0, **SIGNED}]}
    chunks = [{"choices": [{"delta": delta}]}, {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}]
    stream = translation.build_stream()
    told = b"".join(stream.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n") for chunk in chunks) + stream.finish()
    events = [json.loads(line.removeprefix(b"data: ")) for line in told.splitlines() if line.startswith(b"data: ")]
    blocks = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    return blocks or [event["item"] for event in events if event["type"] == "response.output_item.done"]


@pytest.mark.parametrize("streams", [False, True])
def test_a_messages_client_sends_the_signature_back_in_the_calls_id(streams: bool) -> None:  # noqa: FBT001 - a case
    (block,) = answer(ask(Form.ANTHROPIC_MESSAGES), streams=streams)
    call = {**block, "input": {}}
    turns = [
        USER,
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}]},
    ]
    sent = json.loads(ask(Form.ANTHROPIC_MESSAGES, messages=turns).request_body)["messages"]
    assert sent[1]["tool_calls"] == [SIGNED]
    assert sent[2]["tool_call_id"] == "call_1"


@pytest.mark.parametrize("streams", [False, True])
def test_a_responses_client_sends_the_signature_back_in_the_calls_id(streams: bool) -> None:  # noqa: FBT001 - a case
    (item,) = answer(ask(Form.OPENAI_RESPONSES), streams=streams)
    result = {"type": "function_call_output", "call_id": item["call_id"], "output": "ok"}
    sent = json.loads(ask(Form.OPENAI_RESPONSES, input=[USER, item, result]).request_body)["messages"]
    assert sent[1]["tool_calls"] == [SIGNED]
    assert sent[2]["tool_call_id"] == "call_1"


def test_another_provider_never_sees_a_signature() -> None:
    sealed = seal_call_id("call_1", build_extra_content("sig"))
    item = {"type": "function_call", "call_id": sealed, "name": "f", "arguments": "{}"}
    passed = leave_out_of_responses(split_fields(json.dumps({"input": [item]}).encode()))
    assert json.loads(bytes(passed["input"]))[0]["call_id"] == "call_1"
    use = {"type": "tool_use", "id": sealed, "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": sealed}
    messages = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    passed = leave_out_of_messages(split_fields(json.dumps({"messages": messages}).encode()))
    assert b"__thought_" not in bytes(passed["messages"])
    translated = ask(Form.OPENAI_RESPONSES, Form.ANTHROPIC_MESSAGES, input=[USER, item])
    assert b"__thought_" not in translated.request_body
    assert b"extra_content" not in translated.request_body


@pytest.mark.parametrize(
    ("call_id", "left"),
    [
        (f"a{SEAL}b", "a"),
        (f"a b{SEAL}c-d_{SEAL}e", "a b"),
        (f"a{SEAL}", f"a{SEAL}"),
        (f"a{SEAL}b!", f"a{SEAL}b!"),
        (f"a{SEAL}!{SEAL}b", f"a{SEAL}!"),
    ],
)
def test_an_id_is_left_without_its_signature(call_id: str, left: str) -> None:
    sealed, own = (msgspec.Raw(msgspec.json.encode([{"id": each}])) for each in (call_id, left))
    assert drop_sealed(sealed) == own


def test_an_id_of_many_seals_is_read_in_one_pass() -> None:
    """Clients choose ids: read to its end from each of its seals, this one would take hours."""
    conversation = msgspec.Raw(msgspec.json.encode([{"id": SEAL * 300_000 + "!"}]))
    assert drop_sealed(conversation) == conversation
