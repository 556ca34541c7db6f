"""The work that a request's body makes, on every surface and to every wire: linear in its values, and bounded."""

import json
from functools import partial

import pytest

from plano_agents.errors import RequestError
from plano_agents.protocol.envelopes import SEARCHED_CHARACTERS
from plano_agents.protocol.form import Form
from plano_agents.protocol.request_body import RequestBody
from plano_agents.protocol.translation.translation import translate_request
from plano_agents.router.request.surfaces import SURFACES, Surface
from plano_agents.routing.text import MAX_CHARS, read_conversation
from plano_agents.sessions.implicit import derive_implicit_id
from tests.work import count_lines

TOOL = {"type": "function", "name": "f", "function": {"name": "f"}, "parameters": {}, "input_schema": {}}
CALLED = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}

PAIRS = [
    (surface, upstream)
    for surface in SURFACES
    for upstream in (Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES)
    if surface.form is not upstream
]


def write_conversations(surface: Surface, count: int) -> dict[str, list[object]]:
    """Conversations of many messages, of a surface."""
    said: list[object] = [{"role": "user", "content": "x"}] * count
    parts = {"type": "input_text" if surface.form is Form.OPENAI_RESPONSES else "text", "text": "x"}
    calls: dict[Form, tuple[object, object]] = {
        Form.OPENAI_CHAT: (CALLED, {"role": "tool", "tool_call_id": "c", "content": "x"}),
        Form.ANTHROPIC_MESSAGES: (
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]},
        ),
        Form.OPENAI_RESPONSES: (
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "x"},
        ),
    }
    call, result = calls[surface.form]
    return {
        "messages": said,
        "parts": [{"role": "user", "content": [parts] * count}],
        "calls": [call, result] * count,
        "results after messages": [call, *said, *([result] * count)],
        "empty messages": [{"role": "user", "content": ""}] * count,
        "enveloped messages": [{"role": "user", "content": "<bash-input>x</bash-input>"}] * count,
    }


def write_body(surface: Surface, kind: str, count: int) -> bytes:
    responds = surface.form is Form.OPENAI_RESPONSES
    field = "input" if responds else "messages"
    tools = {} if surface.form is Form.ANTHROPIC_MESSAGES else {"tools": [TOOL] * count}
    limit: dict[str, object] = {} if responds else {"max_tokens": 5}
    conversation = write_conversations(surface, count)[kind]
    return json.dumps(
        {"model": "m", field: [*conversation, {"role": "user", "content": "y"}], **tools, **limit}
    ).encode()


KINDS = list(write_conversations(SURFACES[0], 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_twice_the_conversation_is_at_most_twice_the_work_of_its_translation(
    surface: Surface, upstream: Form, kind: str
) -> None:
    once, twice = (
        count_lines(
            partial(translate_request, surface.form, upstream, write_body(surface, kind, count), "m", created=0)
        )
        for count in (200, 400)
    )
    assert twice <= 2.1 * once


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("surface", SURFACES)
def test_twice_the_conversation_is_at_most_twice_the_work_of_its_reading(surface: Surface, kind: str) -> None:
    def work(count: int) -> int:
        head = RequestBody(write_body(surface, kind, count), surface.parse_head).head
        return count_lines(
            lambda: (
                read_conversation(head.messages),
                derive_implicit_id(head, "", b"salt", per_user_turn=True),
            )
        )

    assert work(400) <= 2.1 * work(200)


@pytest.mark.parametrize("surface", SURFACES)
def test_envelopes_without_end_are_searched_no_further_than_the_limit(surface: Surface) -> None:
    """Tags beyond the limit make no more work: the search reads as many of them, whatever follows."""

    def work(count: int) -> int:
        text = "<bash-input>" * 500
        role = {"role": "user", "content": text}
        field = "input" if surface.form is Form.OPENAI_RESPONSES else "messages"
        body = RequestBody(json.dumps({field: [role] * count}).encode(), surface.parse_head)
        head = body.head
        lines = count_lines(lambda: derive_implicit_id(head, "", b"salt", per_user_turn=True))
        return lines - 20 * count

    most = SEARCHED_CHARACTERS // 6_000
    assert work(most + 200) <= work(most)


def test_what_is_not_searched_is_read_as_it_is() -> None:
    text = "<bash-input>x</bash-input>" * (SEARCHED_CHARACTERS // 20)
    body = RequestBody(json.dumps({"messages": [{"role": "user", "content": text}]}).encode(), SURFACES[0].parse_head)
    (read,) = read_conversation(body.head.messages)
    assert read.text.startswith("<bash-input>")
    assert len(read.text) <= MAX_CHARS


@pytest.mark.parametrize("block", ["5", '"text"', "[]", "null"])
def test_a_thinking_block_that_is_no_object_is_refused(block: str) -> None:
    body = (
        b'{"messages":[{"role":"assistant","content":"a","thinking_blocks":[{"type":"thinking"},%b]}]}' % block.encode()
    )
    with pytest.raises(RequestError, match="is not a JSON object") as caught:
        translate_request(Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES, body, "m", created=0)
    assert caught.value.param == "messages[0].thinking_blocks[1]"
