"""Claude's rules for a turn: text that is more than Unicode's white space, images by the type that they are."""

import base64
from typing import Any

import pytest

from tests.providers.fit.conftest import CHAT, MESSAGES, RESPONSES, sent
from tests.providers.fit.providers import check
from tests.providers.fit.test_rows import PNG, USER

CLAUDE = "anthropic/claude-sonnet-4-6"
UNKNOWN = base64.b64encode(b"no image").decode()


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\u3000", "\x0b", " \u2028"])
def test_unicodes_white_space_is_blank(blank: str) -> None:
    said = {"role": "assistant", "content": [{"type": "text", "text": blank}]}
    body = sent(MESSAGES, CLAUDE, {"messages": [USER, said, USER], "max_tokens": 9})
    check(CLAUDE, body)


@pytest.mark.parametrize(
    ("called", "data", "type_"),
    [
        ("image/jpg", UNKNOWN, "image/jpeg"),
        ("image/pjpeg", UNKNOWN, "image/jpeg"),
        ("image/x-png", UNKNOWN, "image/png"),
        ("IMAGE/PNG", UNKNOWN, "image/png"),
        ("image/png; charset=binary", UNKNOWN, "image/png"),
        ("application/octet-stream", PNG, "image/png"),
        ("", PNG, "image/png"),
    ],
)
def test_an_images_type_is_called_by_its_own_name(called: str, data: str, type_: str) -> None:
    url = f"data:{called};base64,{data}"
    chat = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}
    responses = {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]}
    source = {"type": "base64", "media_type": called, "data": data}
    messages: dict[str, Any] = {
        "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}],
        "max_tokens": 9,
    }
    for surface, body in ((CHAT, chat), (RESPONSES, responses), (MESSAGES, messages)):
        image = sent(surface, CLAUDE, body)["messages"][0]["content"][0]
        assert image["source"]["media_type"] == type_


def test_an_images_address_may_stand_alone() -> None:
    """As Mistral's clients write it."""
    url = f"data:image/png;base64,{PNG}"
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": url}]}]}
    assert sent(CHAT, CLAUDE, body)["messages"][0]["content"][0]["source"]["data"] == PNG


@pytest.mark.parametrize("value", [None, '{"a": "unf', '{"a": 1}', [1]])
def test_a_calls_input_is_an_object_for_claude(value: object) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": value}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}
    turns = [USER, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    body = sent(MESSAGES, CLAUDE, {"messages": turns, "max_tokens": 9})
    assert isinstance(body["messages"][1]["content"][0]["input"], dict)


@pytest.mark.parametrize("value", [None, {"a": 1}])
def test_a_calls_arguments_may_be_none_or_an_object(value: object) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": value}}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "ok"}
    body = sent(CHAT, CLAUDE, {"messages": [USER, {"role": "assistant", "tool_calls": [call]}, result]})
    assert body["messages"][1]["content"][0]["input"] == (value or {})


@pytest.mark.parametrize("then", [[], [USER], [{"role": "assistant", "content": "b"}, USER]])
def test_a_conversation_that_an_assistant_begins_gets_a_users_turn_in_front(then: list[dict[str, Any]]) -> None:
    said = {"role": "assistant", "content": "a"}
    body = sent(MESSAGES, CLAUDE, {"messages": [said, *then, USER], "max_tokens": 9})
    roles = [message["role"] for message in body["messages"]]
    assert roles[:2] == ["user", "assistant"]
