import json
from typing import Any

import msgspec
import pytest
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import TypeAdapter

from plano_agents.errors import UnsupportedFieldError
from plano_agents.protocol import openai_chat_request as hub
from plano_agents.protocol.translation.chat_request_to_upstream import encode_chat_request

ORACLE: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming | CompletionCreateParamsStreaming)
USER = hub.UserMessage("hi")
IMAGE = hub.ImagePart(hub.ImageUrl("https://x/y.png"))
BLOCKS = (msgspec.Raw(b'{"type":"thinking","thinking":"hm","signature":"s"}'),)
TOOL = hub.Tool(hub.FunctionDefinition("add", parameters=msgspec.Raw(b'{"type":"object"}')))


def encode(*messages: hub.Message, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of the request
    body = encode_chat_request(hub.ChatRequest(messages=messages or (USER,), **fields), "gpt")
    ORACLE.validate_json(body)
    found: dict[str, Any] = json.loads(body)
    return found


def test_a_request_says_no_more_than_it_was_told() -> None:
    assert encode() == {"model": "gpt", "messages": [{"role": "user", "content": "hi"}]}


def test_a_stream_always_reports_its_usage() -> None:
    assert encode(stream=True)["stream_options"] == {"include_usage": True}


def test_the_limit_is_spelt_as_most_providers_do() -> None:
    found = encode(max_completion_tokens=5)
    assert (found.get("max_tokens"), found.get("max_completion_tokens")) == (5, None)


def test_a_limit_of_zero_stays_one() -> None:
    assert encode(max_tokens=5, max_completion_tokens=0)["max_tokens"] == 0


def test_the_limit_is_spelt_as_openais_newest_models_want_it() -> None:
    request = hub.ChatRequest(messages=(USER,), max_tokens=5)
    found = json.loads(encode_chat_request(request, "gpt", limit_field="max_completion_tokens"))
    assert (found.get("max_tokens"), found.get("max_completion_tokens")) == (None, 5)


def test_developer_messages_are_sent_as_system_messages() -> None:
    assert encode(hub.DeveloperMessage("x"), USER)["messages"][0]["role"] == "system"


def test_signed_thinking_is_left_out() -> None:
    message = hub.AssistantMessage(content="Hi", reasoning_content="hm", thinking_blocks=BLOCKS)
    found = encode(USER, message, thinking=msgspec.Raw(b'{"type":"adaptive"}'))
    assert found["messages"][1] == {"role": "assistant", "content": "Hi"}
    assert "thinking" not in found


def test_unsigned_reasoning_goes_back_to_those_who_made_it() -> None:
    found = encode(USER, hub.AssistantMessage(content="Hi", reasoning_content="hm"))
    assert found["messages"][1]["reasoning_content"] == "hm"


def test_a_failed_result_says_so() -> None:
    assert encode(hub.ToolMessage("t1", "boom", is_error=True))["messages"][0] == {
        "role": "tool",
        "tool_call_id": "t1",
        "content": "Error: boom",
    }


def test_the_images_of_results_follow_all_results_in_a_user_message() -> None:
    found = encode(
        hub.ToolMessage("t1", (hub.TextPart("2"), IMAGE)),
        hub.ToolMessage("t2", "noon"),
        hub.UserMessage("and?"),
    )
    assert [message["role"] for message in found["messages"]] == ["tool", "tool", "user", "user"]
    assert found["messages"][2]["content"][1] == {
        "type": "image_url",
        "image_url": {"url": "https://x/y.png"},
    }


def test_an_image_result_at_the_end_follows_too() -> None:
    found = encode(hub.ToolMessage("t1", (IMAGE,)))
    assert [message["role"] for message in found["messages"]] == ["tool", "user"]


def test_only_allowed_tools_are_offered() -> None:
    other = hub.Tool(hub.FunctionDefinition("now"))
    allowed = hub.AllowedTools("required", (hub.AllowedTool(hub.NamedFunction("now")),))
    found = encode(tools=(TOOL, other), tool_choice=hub.AllowedToolsChoice(allowed))
    assert [tool["function"]["name"] for tool in found["tools"]] == ["now"]
    assert found["tool_choice"] == "required"


def test_a_choice_among_no_tools_is_left_out() -> None:
    found = encode(tool_choice="auto", parallel_tool_calls=False)
    assert found.keys() == {"model", "messages"}


def test_a_document_by_address_is_refused() -> None:
    document = hub.FilePart(hub.FileData(file_url="https://x/y.pdf"))
    with pytest.raises(UnsupportedFieldError) as caught:
        encode(hub.UserMessage((document,)))
    assert caught.value.param == "file_url"
