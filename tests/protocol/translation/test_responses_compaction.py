"""Compaction of a responses transcript in front of a provider that has none."""

import json
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.form import Form
from plano_agents.protocol.openai_responses import leave_out_foreign
from plano_agents.protocol.sealed_summary import seal_summary, unseal_summary
from plano_agents.protocol.sse import EventDecoder
from plano_agents.protocol.translation.responses_compaction import ASKED, asks_for_compaction
from plano_agents.protocol.translation.translation import Translation, translate_request

ORACLE: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ADD = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}
TRIGGER = {"type": "compaction_trigger"}
SUMMARY = {"type": "compaction", "id": "cmp_1", "encrypted_content": seal_summary("They added.")}
CALL = {"type": "function_call", "call_id": "t1", "name": "add", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "t1", "output": "3"}


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": text}


def open_(*items: object, **fields: object) -> Translation:
    body = json.dumps({"model": "m", "input": items, **fields}).encode()
    return translate_request(Form.OPENAI_RESPONSES, Form.OPENAI_CHAT, body, "served", created=7)


def sent(translation: Translation) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(translation.request_body)
    return found


def answer(text: str | None) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return json.dumps({"id": "c1", "model": "served", "choices": [choice], "usage": usage}).encode()


def stream(translation: Translation, *texts: str) -> list[Any]:
    deltas: list[dict[str, Any]] = [{"delta": {"content": text}} for text in texts]
    chunks = [{"id": "c1", "choices": [{"index": 0, **delta}]} for delta in deltas]
    chunks.append({"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    events = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    translator = translation.build_stream()
    written = translator.feed(events + b"data: [DONE]\n\n") + translator.finish()
    translator.close()
    return [ORACLE.validate_json(event.data) for event in EventDecoder().feed(written)]


def test_a_trigger_asks_the_model_for_a_summary_and_lets_it_call_nothing() -> None:
    translation = open_(said("hi"), CALL, RESULT, TRIGGER, tools=[ADD], tool_choice="required")
    request = sent(translation)
    assert [message["role"] for message in request["messages"]] == ["user", "assistant", "tool", "user"]
    assert request["messages"][-1]["content"] == ASKED
    assert (len(request["tools"]), request["tool_choice"]) == (1, "none")
    assert [each.text for each in translation.adjustments] == ["input compacted by a summary"]


def test_a_summary_has_no_schema() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
    assert "response_format" not in sent(open_(said("hi"), TRIGGER, text={"format": schema}))


def test_a_whole_summary_is_one_compaction_item() -> None:
    response = Response.model_validate_json(open_(said("hi"), TRIGGER).encode_reply(answer("They greeted.")))
    [item] = response.output
    assert item.type == "compaction"
    assert (unseal_summary(item.encrypted_content) or "").endswith("They greeted.")
    assert (response.status, response.usage and response.usage.total_tokens) == ("completed", 5)


def test_a_streamed_summary_is_one_compaction_item() -> None:
    """Codex counts the items that are done, and fails where there is another number than one."""
    events = stream(open_(said("hi"), TRIGGER, stream=True), "They ", "greeted.")
    [done] = [event for event in events if event.type == "response.output_item.done"]
    assert (unseal_summary(done.item.encrypted_content) or "").endswith("They greeted.")
    assert (events[-1].type, events[-1].response.output) == ("response.completed", [done.item])
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_an_answer_without_text_is_no_summary() -> None:
    with pytest.raises(UpstreamProtocolError, match="no summary"):
        open_(said("hi"), TRIGGER).encode_reply(answer(None))


def test_a_stream_without_text_fails() -> None:
    assert stream(open_(said("hi"), TRIGGER, stream=True))[-1].type == "response.failed"


@pytest.mark.parametrize("upstream", [Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES])
def test_a_summary_of_ours_is_the_users_and_stands_for_all_but_messages_before_it(upstream: Form) -> None:
    items = [said("Add."), CALL, RESULT, said("Done.", "assistant"), TRIGGER, SUMMARY, said("Again.")]
    body = json.dumps({"model": "m", "input": items}).encode()
    translation = translate_request(Form.OPENAI_RESPONSES, upstream, body, "served", created=7)
    messages = json.dumps(sent(translation)["messages"])
    places = [messages.find(text) for text in ("Add.", "They added.", "Again.")]
    assert places == sorted(places)
    assert -1 not in places
    assert not any(text in messages for text in ("Done.", "t1", ASKED))
    assert translation.adjustments == ()


def test_the_last_summary_stands_for_those_before_it() -> None:
    newer = {"type": "compaction", "encrypted_content": seal_summary("They added twice.")}
    messages = sent(open_(SUMMARY, newer, said("Again.")))["messages"]
    assert [message["content"].splitlines()[-1] for message in messages] == ["They added twice.", "Again."]


@pytest.mark.parametrize("kind", ["compaction", "compaction_summary", "context_compaction"])
def test_a_compaction_is_read_by_every_name_that_codex_gave_it(kind: str) -> None:
    messages = sent(open_({**SUMMARY, "type": kind}, said("Again.")))["messages"]
    assert [message["content"].splitlines()[-1] for message in messages] == ["They added.", "Again."]
    theirs = open_({"type": kind, "encrypted_content": "gAAAA"}, said("Again."))
    assert [message["content"] for message in sent(theirs)["messages"]] == ["Again."]
    assert [each.text for each in theirs.adjustments] == [f"input: {kind} dropped"]


def test_openai_reads_a_summary_of_ours_in_words() -> None:
    theirs = {"type": "compaction", "encrypted_content": "gAAAA"}
    body = json.dumps({"input": [SUMMARY, theirs, said("Again.")]}).encode()
    summary, *others = json.loads(bytes(leave_out_foreign(split_fields(body))["input"]))
    assert (summary["role"], summary["content"].endswith("They added.")) == ("user", True)
    assert others == [theirs, said("Again.")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([said("hi"), TRIGGER], True),
        ([TRIGGER, said("hi")], False),
        ([said('{"type": "compaction_trigger"}')], False),
        ('"compaction_trigger"', False),
        ([{"type": 7}, {"name": "compaction_trigger"}], False),
        ([], False),
    ],
)
def test_a_compaction_is_asked_for_by_the_last_item(given: object, *, expected: bool) -> None:
    assert asks_for_compaction(split_fields(json.dumps({"input": given}).encode())) is expected
