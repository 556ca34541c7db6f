import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import RequestError
from plano_agents.protocol.decoding import address, split_fields
from plano_agents.protocol.openai_chat import encode_error, leave_out_foreign, parse_head

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def address_to(body: bytes, model_id: str) -> bytes:
    return address(leave_out_foreign(split_fields(body)), model_id)


@given(st.dictionaries(st.text(), JSON), st.text(min_size=1))
def test_replacing_the_model_changes_nothing_else(body: dict[str, object], model_id: str) -> None:
    wanted = {name: value for name, value in body.items() if name != "routing_preferences"} | {"model": model_id}
    assert json.loads(address_to(json.dumps(body).encode(), model_id)) == wanted


def test_replacing_the_model_leaves_other_values_byte_for_byte() -> None:
    body = b'{"model":"a","temperature":1.10,"messages":[{"role":"user","content":"\\u00e9  \\/"}]}'
    assert b'"temperature":1.10,"messages":[{"role":"user","content":"\\u00e9  \\/"}]' in address_to(body, "b")


def test_of_a_doubled_key_the_last_one_counts() -> None:
    assert json.loads(address_to(b'{"model":"a","model":"b","x":1}', "c")) == {"model": "c", "x": 1}


def test_a_head_reads_only_what_routing_needs() -> None:
    head = parse_head(
        b'{"model":"m","temperature":"not read","messages":[{"role":"user","content":[{"type":"text","text":"hi"},'
        b'{"type":"hologram","x":1}]},{"role":"tool","tool_call_id":"1","content":"r"}]}'
    )
    assert [message.role for message in head.messages] == ["user", "tool"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", None),
        (b'{"messages":"hi"}', "messages"),
        (b'{"messages":[{"role":1}]}', "messages[0].role"),
        (b'{"messages":[],"model":7}', "model"),
    ],
)
def test_a_wrong_type_is_an_error_that_names_the_field(body: bytes, param: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        parse_head(body)
    assert caught.value.param == param


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"null", b'"x"', b'{"a":1}x'])
def test_a_body_that_is_no_json_object_is_a_client_error(body: bytes) -> None:
    with pytest.raises(RequestError):
        parse_head(body)


@given(st.binary())
def test_any_bytes_parse_or_are_a_client_error(body: bytes) -> None:
    try:
        parse_head(body)
    except RequestError as error:
        assert msgspec.json.decode(encode_error(error))["error"]["code"] == "invalid_request"  # noqa: PT017 - either way is right


def test_another_providers_thinking_is_left_out_with_its_text() -> None:
    thought = {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "thinking_blocks": [{}]}
    plain = {"role": "assistant", "content": "Hi", "reasoning_content": "hm"}
    found = json.loads(address_to(json.dumps({"messages": [thought, plain]}).encode(), "m"))["messages"]
    assert found == [{"role": "assistant", "content": "Hi"}, plain]
