"""A request's body, split once: what is read of it, and what is sent on, whatever its keys, order and nesting."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import RequestError
from plano_agents.protocol import anthropic_messages, openai_chat, openai_responses
from plano_agents.protocol.decoding import address
from plano_agents.protocol.request_body import RequestBody

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "stream", "a", '"']), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(["model", "messages", "routing_preferences", "stream", "x", 'mo"del', "ü", "model "])


def escape(name: str) -> str:
    """Spell a key so that none of its bytes are those of its plain spelling."""
    return '"' + "".join(f"\\u{ord(character):04x}" for character in name) + '"'


@st.composite
def objects(draw: st.DrawFn) -> str:
    """JSON objects with keys twice, escaped, and nested under their own names."""
    spaces = st.sampled_from(["", " ", "\n", "\t "])
    fields = []
    for name in draw(st.lists(names, max_size=6)):
        key = escape(name) if draw(st.booleans()) else json.dumps(name, ensure_ascii=draw(st.booleans()))
        value = json.dumps(draw(values), ensure_ascii=draw(st.booleans()))
        if name == "model":
            value = json.dumps(draw(st.sampled_from(["m", "n/o", None])))
        if name == "routing_preferences":
            value = "null"
        fields.append(f"{draw(spaces)}{key}{draw(spaces)}:{draw(spaces)}{value}{draw(spaces)}")
    return "{" + ",".join(fields) + "}"


@given(objects())
def test_the_model_is_the_last_one_named_however_its_key_is_spelt(text: str) -> None:
    assert RequestBody(text.encode(), openai_chat.parse_head).model == json.loads(text).get("model")


@pytest.mark.parametrize("surface", [openai_chat, anthropic_messages, openai_responses])
@given(text=objects())
def test_what_is_sent_on_is_the_request_with_another_model_and_nothing_of_the_routers(
    surface: object, text: str
) -> None:
    body = RequestBody(text.encode(), openai_chat.parse_head)
    sent = address(surface.leave_out_foreign(body.fields), "other")  # type: ignore[attr-defined] # all have it
    wanted = {name: value for name, value in json.loads(text).items() if name != "routing_preferences"}
    assert json.loads(sent) == wanted | {"model": "other"}
    assert json.loads(sent, object_pairs_hook=lambda pairs: len(pairs) == len(dict(pairs))), "no key is twice"


@given(objects())
def test_a_value_is_sent_on_byte_for_byte(text: str) -> None:
    body = RequestBody(text.encode(), openai_chat.parse_head)
    sent = address(openai_chat.leave_out_foreign(body.fields), "other")
    for name, value in body.fields.items():
        if name not in {"model", "routing_preferences"}:
            assert bytes(value) in sent


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"model":1}', "model"),
        (b'{"model":"a b"}', "model"),
        (b'{"messages":[],"routing_preferences":[{"name":1}]}', "routing_preferences[0].name"),
    ],
)
def test_what_is_read_at_once_is_judged_at_once(content: bytes, param: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        RequestBody(content, openai_chat.parse_head)
    assert caught.value.param in {param, "messages"}


def test_a_conversation_is_judged_when_it_is_read() -> None:
    body = RequestBody(b'{"model":"m","messages":[{"role":1}]}', openai_chat.parse_head)
    with pytest.raises(RequestError) as caught:
        _ = body.head
    assert caught.value.param == "messages[0].role"
