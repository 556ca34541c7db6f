"""Thinking and its signatures: what a provider signed or encrypted comes back to it byte for byte, by every surface."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plano_agents.protocol import sse
from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.translation import Translation, translate_request
from tests.providers.fit.conftest import sent

CHAT, MESSAGES, RESPONSES = Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES, Form.OPENAI_RESPONSES
CROSSINGS = [(CHAT, MESSAGES), (RESPONSES, MESSAGES), (CHAT, RESPONSES), (MESSAGES, RESPONSES)]
QUESTION = "Add them."
SCHEMA = {"type": "object", "properties": {}}

Answer = list[dict[str, Any]]
"""Blocks of a message, or items of a response."""

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SEALS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda seal: not seal.startswith("plano")
)
"""Signatures and ciphers are base64 today; nobody but their maker may count on it. Those of our own begin so."""

THOUGHTS = st.builds(
    lambda text, seal: {"type": "thinking", "thinking": text, "signature": seal}, TEXTS, SEALS
) | st.builds(lambda data: {"type": "redacted_thinking", "data": data}, SEALS)
REASONING = st.builds(
    lambda texts, seal: {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": text} for text in texts],
        "encrypted_content": seal,
    },
    st.lists(TEXTS.filter(bool), max_size=2),
    SEALS,
)
REASONED = st.lists(REASONING, min_size=1, max_size=3).map(
    lambda items: [{**item, "id": f"rs_{number}"} for number, item in enumerate(items, start=1)]
)
"""The items of one answer: no two have one id."""


def build_answer(wire: Form, thoughts: Answer) -> Answer:
    """An answer that thinks, and calls a tool twice."""
    if wire is MESSAGES:
        return [*thoughts, *({"type": "tool_use", "id": f"toolu_{n}", "name": "add", "input": {}} for n in "12")]
    calls = ({"type": "function_call", "call_id": f"call_{n}", "name": "add", "arguments": "{}"} for n in "12")
    return [*thoughts, *({**call, "id": "fc_" + call["call_id"], "status": "completed"} for call in calls)]


def write_whole(wire: Form, answer: Answer) -> bytes:
    whole: dict[str, Any] = {"model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}
    if wire is MESSAGES:
        whole |= {"id": "msg_1", "type": "message", "role": "assistant", "stop_reason": "tool_use", "content": answer}
    else:
        whole |= {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "output": answer}
    return json.dumps(whole).encode()


def write_events(wire: Form, answer: Answer) -> bytes:
    events = [*(_write_message(answer) if wire is MESSAGES else _write_response(answer))]
    return b"".join(sse.encode_event(json.dumps(event).encode(), event["type"]) for event in events)


def _write_message(answer: Answer) -> Iterator[dict[str, Any]]:
    whole = json.loads(write_whole(MESSAGES, []))
    yield {"type": "message_start", "message": {**whole, "stop_reason": None}}
    for index, block in enumerate(answer):
        start, deltas = dict(block), []
        if block["type"] == "thinking":
            start |= {"thinking": "", "signature": ""}
            text = block["thinking"]
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in (text[:3], text[3:]) if piece]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": whole["usage"]}
    yield {"type": "message_stop"}


def _write_response(answer: Answer) -> Iterator[dict[str, Any]]:
    whole = json.loads(write_whole(RESPONSES, answer))
    yield {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}}
    for index, item in enumerate(answer):
        opening = {**item, **({"summary": [], "encrypted_content": None} if item["type"] == "reasoning" else {})}
        yield {"type": "response.output_item.added", "output_index": index, "item": opening}
        for place, part in enumerate(item.get("summary", ())):
            at = {"item_id": item["id"], "output_index": index, "summary_index": place}
            yield {"type": "response.reasoning_summary_text.delta", **at, "delta": part["text"]}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": whole}


def ask(surface: Form, turn: Answer, *, streams: bool) -> bytes:
    """A client's request; with what it got, and the results, where it goes on."""
    body: dict[str, Any] = {"model": "m", "stream": streams}
    if surface is RESPONSES:
        calls = [item["call_id"] for item in turn if item["type"] == "function_call"]
        results = [{"type": "function_call_output", "call_id": call, "output": "3"} for call in calls]
        tools: Any = [{"type": "function", "name": "add", "parameters": SCHEMA}]
        body |= {"input": [{"role": "user", "content": QUESTION}, *turn, *results], "tools": tools}
        return json.dumps(body).encode()
    messages: list[dict[str, Any]] = [{"role": "user", "content": QUESTION}]
    if surface is CHAT:
        body["tools"] = [{"type": "function", "function": {"name": "add", "parameters": SCHEMA}}]
        messages += turn
        messages += (
            {"role": "tool", "tool_call_id": call["id"], "content": "3"} for each in turn for call in each["tool_calls"]
        )
    else:
        body |= {"tools": [{"name": "add", "input_schema": SCHEMA}], "max_tokens": 9}
        calls = [block["id"] for block in turn if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call, "content": "3"} for call in calls]
        messages += [{"role": "assistant", "content": turn}, {"role": "user", "content": results}] if turn else []
    return json.dumps({**body, "messages": messages}).encode()


def read_whole(surface: Form, answer: bytes) -> Answer:
    """Read from an answer the part that a client keeps, to send it back."""
    whole = json.loads(answer)
    match surface:
        case Form.OPENAI_CHAT:
            return [whole["choices"][0]["message"]]
        case Form.ANTHROPIC_MESSAGES:
            return list(whole["content"])
        case Form.OPENAI_RESPONSES:
            return list(whole["output"])


def read_events(surface: Form, events: bytes) -> Answer:
    told = [json.loads(event.data) for event in sse.decode_events(events) if event.data != b"[DONE]"]
    match surface:
        case Form.OPENAI_CHAT:
            return [_join_deltas([each["choices"][0]["delta"] for each in told if each["choices"]])]
        case Form.ANTHROPIC_MESSAGES:
            return [*_join_blocks(told)]
        case Form.OPENAI_RESPONSES:
            return list(told[-1]["response"]["output"])


def _join_deltas(deltas: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [], "thinking_blocks": []}
    for delta in deltas:
        message["thinking_blocks"] += delta.get("thinking_blocks") or []
        for call in delta.get("tool_calls") or []:
            if "id" in call:
                message["tool_calls"].append({"id": call["id"], "type": "function", "function": {**call["function"]}})
            else:
                message["tool_calls"][call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    return message


def _join_blocks(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    block: dict[str, Any] = {}
    for event in events:
        if event["type"] == "content_block_start":
            block = event["content_block"]
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            for name in {"thinking", "signature", "text"} & delta.keys():
                block[name] = block.get(name, "") + delta[name]
        elif event["type"] == "content_block_stop":
            yield {**block, "input": {}} if block["type"] == "tool_use" else block


def find_thoughts(wire: Form, body: dict[str, Any]) -> list[Any]:
    """Find the thinking that goes back to the provider, as far as it signed or encrypted it."""
    if wire is MESSAGES:
        blocks = [block for turn in body["messages"] if turn["role"] == "assistant" for block in turn["content"]]
        return [block for block in blocks if "thinking" in block["type"]]
    return [item["encrypted_content"] for item in body["input"] if item.get("type") == "reasoning"]


def translate(surface: Form, upstream: Form, body: bytes) -> Translation:
    return translate_request(surface, upstream, body, "m", created=7)


def feed(translation: Translation, events: bytes, cuts: list[int]) -> bytes:
    stream = translation.build_stream()
    ends = [0, *sorted(cut % len(events) for cut in cuts), len(events)]
    written = b"".join(stream.feed(events[start:end]) for start, end in pairwise(ends))
    written += stream.finish()
    stream.close()
    return written


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("surface", "upstream"), CROSSINGS)
@settings(max_examples=40)
@given(data=st.data())
def test_thinking_comes_back_byte_for_byte(
    surface: Form, upstream: Form, data: st.DataObject, *, streams: bool
) -> None:
    thoughts = data.draw(st.lists(THOUGHTS, min_size=1, max_size=3) if upstream is MESSAGES else REASONED)
    answer = build_answer(upstream, thoughts)
    there = translate(surface, upstream, ask(surface, [], streams=streams))
    if streams:
        cuts = data.draw(st.lists(st.integers(0, 10_000), max_size=4))
        turn = read_events(surface, feed(there, write_events(upstream, answer), cuts))
    else:
        turn = read_whole(surface, there.encode_reply(write_whole(upstream, answer)))
    back = translate(surface, upstream, ask(surface, turn, streams=streams))
    found = find_thoughts(upstream, json.loads(back.request_body))
    assert found == (thoughts if upstream is MESSAGES else [each["encrypted_content"] for each in thoughts])


@given(thoughts=st.lists(THOUGHTS, min_size=1, max_size=3))
def test_a_claude_gets_its_own_thinking_as_it_is(thoughts: Answer) -> None:
    body = json.loads(ask(MESSAGES, build_answer(MESSAGES, thoughts), streams=False))
    assert find_thoughts(MESSAGES, sent(MESSAGES, "anthropic/claude-opus-5-5", body)) == thoughts


@given(thoughts=REASONED)
def test_openai_gets_its_own_reasoning_as_it_is(thoughts: Answer) -> None:
    body = json.loads(ask(RESPONSES, build_answer(RESPONSES, thoughts), streams=False))
    found = sent(RESPONSES, "openai/gpt-5.5", body)
    assert [item for item in found["input"] if item.get("type") == "reasoning"] == thoughts


@pytest.mark.parametrize(("surface", "upstream"), [(CHAT, RESPONSES), (MESSAGES, RESPONSES)])
@given(thoughts=st.lists(THOUGHTS, min_size=1, max_size=3))
def test_no_other_provider_gets_a_claudes_thinking(surface: Form, upstream: Form, thoughts: Answer) -> None:
    if surface is CHAT:
        calls = [{"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}]
        turn = [{"role": "assistant", "content": None, "tool_calls": calls, "thinking_blocks": thoughts}]
    else:
        turn = build_answer(MESSAGES, thoughts)
    body = json.loads(translate(surface, upstream, ask(surface, turn, streams=False)).request_body)
    assert find_thoughts(upstream, body) == []
