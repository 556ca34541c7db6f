import json
from typing import Any

import pytest

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.translation import Translation, translate_request

HI = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
RESULT = {"role": "tool", "tool_call_id": "t1", "content": "2"}


def translate(*messages: dict[str, Any], **fields: object) -> Translation:
    body = json.dumps({"model": "asked-for", "messages": list(messages) or [HI], **fields}).encode()
    return translate_request(Form.OPENAI_CHAT, Form.OPENAI_RESPONSES, body, "gpt", created=7)


def sent(*messages: dict[str, Any], **fields: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(translate(*messages, **fields).request_body)
    return found


def told(*messages: dict[str, Any], **fields: object) -> list[str]:
    return [each.text for each in translate(*messages, **fields).adjustments]


def test_nothing_is_stored_and_reasoning_comes_back_encrypted() -> None:
    found = sent()
    assert (found["store"], found["include"]) == (False, ["reasoning.encrypted_content"])


def test_system_messages_at_the_beginning_are_instructions_and_later_ones_stay() -> None:
    begin = {"role": "system", "content": "a"}, {"role": "developer", "content": [{"type": "text", "text": "b"}]}
    found = sent(*begin, HI, {"role": "developer", "content": "c"})
    assert found["instructions"] == "a\n\nb"
    assert [item["role"] for item in found["input"]] == ["user", "developer"]


def test_system_messages_alone_are_what_is_to_be_answered() -> None:
    found = sent({"role": "system", "content": "a"})
    assert found["input"] == [{"role": "developer", "content": [{"type": "input_text", "text": "a"}]}]
    assert "instructions" not in found


def test_a_request_without_anything_to_answer_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        sent({"role": "user", "content": ""})
    assert caught.value.param == "messages"


def test_a_turn_with_calls_becomes_items_in_order() -> None:
    found = sent(HI, {"role": "assistant", "content": "Let me.", "tool_calls": [CALL]}, RESULT)
    assert found["input"][1:] == [
        {"role": "assistant", "content": "Let me."},
        {"type": "function_call", "call_id": "t1", "name": "add", "arguments": '{"a": 1}'},
        {"type": "function_call_output", "call_id": "t1", "output": "2"},
    ]


def test_a_refusal_of_an_earlier_turn_stays_one() -> None:
    (_, item) = sent(HI, {"role": "assistant", "refusal": "No."})["input"]
    assert item["content"] == [{"type": "refusal", "refusal": "No."}]


def test_a_failed_result_says_so_and_keeps_its_image() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    result = {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [image]}
    use = {"type": "tool_use", "id": "t1", "name": "add", "input": {}}
    turns = [HI, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    body = json.dumps({"max_tokens": 50, "messages": turns}).encode()
    request = translate_request(Form.ANTHROPIC_MESSAGES, Form.OPENAI_RESPONSES, body, "gpt", created=7)
    assert json.loads(request.request_body)["input"][-1]["output"] == [
        {"type": "input_text", "text": "Error:"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA=="},
    ]


def test_images_and_files_of_a_user_are_parts() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    assert sent({"role": "user", "content": parts})["input"][0]["content"] == [
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
        {"type": "input_file", "file_id": "file-1"},
    ]


def test_a_tool_is_not_strict_unless_it_says_so() -> None:
    strict = {"type": "function", "function": {**TOOL["function"], "name": "b", "strict": True}}  # type: ignore[dict-item]  # an object
    bare = {"type": "function", "function": {"name": "c", "description": "C"}}
    first, second, third = sent(tools=[TOOL, strict, bare])["tools"]
    assert (first["strict"], second["strict"], third["strict"]) == (False, True, False)
    assert third == {
        "type": "function",
        "name": "c",
        "description": "C",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ("required", "required"),
        ({"type": "function", "function": {"name": "add"}}, {"type": "function", "name": "add"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}},
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "add"}]},
        ),
    ],
)
def test_a_choice_of_tools_is_carried(choice: object, written: object) -> None:
    assert sent(tools=[TOOL], tool_choice=choice)["tool_choice"] == written


def test_a_choice_among_no_tools_is_left_out_or_refused() -> None:
    assert "tool_choice" not in sent(tool_choice="auto", parallel_tool_calls=False)
    with pytest.raises(RequestError):
        sent(tool_choice="required")


def test_settings_are_spelt_as_this_wire_does() -> None:
    schema = {"name": "n", "strict": True, "schema": {"type": "object"}}
    found = sent(
        max_completion_tokens=100,
        reasoning_effort="high",
        verbosity="low",
        response_format={"type": "json_schema", "json_schema": schema},
        metadata={"a": "b"},
        service_tier="flex",
        prompt_cache_key="k",
        user="u",
        temperature=1,
        stream=True,
    )
    assert found["max_output_tokens"] == 100
    assert found["reasoning"] == {"effort": "high"}
    assert found["text"] == {"verbosity": "low", "format": {"type": "json_schema", **schema}}
    assert (found["metadata"], found["service_tier"], found["prompt_cache_key"]) == ({"a": "b"}, "flex", "k")
    assert (found["user"], found["temperature"], found["stream"]) == ("u", 1, True)


def test_a_json_object_is_asked_for_by_its_type_and_a_schema_has_a_name() -> None:
    assert sent(response_format={"type": "json_object"})["text"] == {"format": {"type": "json_object"}}
    unnamed = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    assert sent(response_format=unnamed)["text"]["format"]["name"] == "answer"
    with pytest.raises(UnsupportedFieldError):
        sent(response_format={"type": "json_schema"})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"stop": ["x"]}, "stop dropped"),
        ({"seed": 1}, "seed dropped"),
        ({"thinking": {"type": "adaptive"}}, "thinking dropped"),
        ({"cache_control": {"type": "ephemeral"}}, "cache_control dropped"),
    ],
)
def test_what_this_wire_cannot_say_is_left_out_and_told(fields: dict[str, Any], text: str) -> None:
    assert told(**fields) == [text]


@pytest.mark.parametrize("fields", [{"n": 2}, {"logprobs": True}, {"modalities": ["audio"]}, {"functions": [{}]}])
def test_what_would_change_the_meaning_is_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedFieldError, match="OpenAI's responses") as caught:
        sent(**fields)
    assert caught.value.param == next(iter(fields))


def test_a_recording_is_refused_by_its_place() -> None:
    with pytest.raises(UnsupportedFieldError) as caught:
        sent({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]})
    assert caught.value.param == "messages[0].content[0]"
