"""Fields below a request's top level that no type has: carried, or told by name, on every surface."""

import json

import pytest

from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.translation import translate_request

NEW = {"x_new": 1}
TEXT = {"type": "text", "text": "hi"}
CHAT = {
    "a text part": {"messages": [{"role": "user", "content": [{**TEXT, **NEW}]}]},
    "a message": {"messages": [{"role": "user", "content": "hi", **NEW}]},
    "an image": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png", **NEW}}],
            }
        ]
    },
    "a call": {
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}", **NEW}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "ok"},
        ]
    },
    "a function": {
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": 1}, **NEW}}],
    },
    "a schema's name": {
        "messages": [{"role": "user", "content": "hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}, **NEW}},
    },
}
MESSAGES = {
    "a source": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "url", "url": "https://x", **NEW}}],
            }
        ],
        "max_tokens": 9,
    },
    "metadata": {
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
        "metadata": {"user_id": "u", **NEW},
    },
    "a tool": {
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
        "tools": [{"name": "f", "input_schema": {"type": "object"}, **NEW}],
    },
}
RESPONSES = {
    "an item": {"input": [{"role": "user", "content": "hi", **NEW}]},
    "a part": {"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi", **NEW}]}]},
    "a tool": {"input": "hi", "tools": [{"type": "function", "name": "f", "parameters": {}, **NEW}]},
    "a tool in a namespace": {
        "input": "hi",
        "tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f", **NEW}]}],
    },
}
CASES = [
    *((Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES, body) for body in CHAT.values()),
    *((Form.ANTHROPIC_MESSAGES, Form.OPENAI_CHAT, body) for body in MESSAGES.values()),
    *((Form.OPENAI_RESPONSES, Form.OPENAI_CHAT, body) for body in RESPONSES.values()),
]


def tell(surface: Form, upstream: Form, body: object) -> list[str]:
    translation = translate_request(surface, upstream, json.dumps(body).encode(), "m", created=7)
    return [each.text for each in translation.adjustments]


@pytest.mark.parametrize(("surface", "upstream", "body"), CASES)
def test_a_field_that_no_wire_has_is_told_by_name(surface: Form, upstream: Form, body: object) -> None:
    assert [text for text in tell(surface, upstream, body) if text.endswith(": x_new dropped")]


@pytest.mark.parametrize(("surface", "upstream", "body"), CASES)
def test_a_field_of_null_is_not_told(surface: Form, upstream: Form, body: object) -> None:
    silent = json.loads(json.dumps(body).replace('"x_new": 1', '"x_new": null'))
    assert not [text for text in tell(surface, upstream, silent) if "x_new" in text]


def test_what_an_answer_of_openais_holds_is_sent_back_untold() -> None:
    text = {"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    body = {"input": [{"role": "user", "content": "hi"}, item, {"role": "user", "content": "go on"}]}
    assert tell(Form.OPENAI_RESPONSES, Form.OPENAI_CHAT, body) == []
