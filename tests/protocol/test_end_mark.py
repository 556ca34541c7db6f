"""The end marks of the wires: what is told by plain bytes alone misses nothing that a pattern finds."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol import anthropic_messages, openai_chat
from plano_agents.protocol.usage import read_usage

MARKS = {"chat": openai_chat.END_MARK, "messages": anthropic_messages.END_MARK}
NAMES = ['"finish_reason"', '"usage"', '"error"', '"type"', '"text"', "data", "event"]
COLONS = [":", ": ", " :", " : "]
VALUES = [
    "null",
    '"stop"',
    '"message_stop"',
    '"error"',
    "[DONE]",
    '{"input_tokens":3}',
    '{"message":"x"}',
    "{}",
    "nullable",
    '""',
]
FIELDS = ["".join(parts) for parts in product(NAMES, COLONS, VALUES)]
COUNTED = b'{"usage":{"prompt_tokens":3}}'
ORDINARY = {
    "chat": [
        b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]}\n\n',
        b'data: {"id": "c1", "choices": [{"delta": {"content": "x"}, "finish_reason": null}], "usage": null}\n\n',
        b'data: {"id":"c1","choices":[{"delta":{"content":"x"},"finish_reason":null}],"usage":null}\n\n',
    ],
    "messages": [
        b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"word"}}\n\n',
    ],
}


@pytest.mark.parametrize("wire", MARKS)
@given(fields=st.lists(st.sampled_from(FIELDS), max_size=5), glue=st.sampled_from([",", "}\n\ndata: {", "\n"]))
def test_events_that_tell_nothing_hold_no_end(wire: str, fields: list[str], glue: str) -> None:
    events = f"data: {{{glue.join(fields)}}}\n\n".encode()
    assert MARKS[wire].may_tell(events) or MARKS[wire].search(events) is None


@pytest.mark.parametrize("around", [b"", b'{"usage":null}', b'{"finish_reason":null}', b'{"usage": null}'])
@pytest.mark.parametrize("wire", MARKS)
def test_events_that_tell_nothing_hold_no_usage(wire: str, around: bytes) -> None:
    assert read_usage(COUNTED) != read_usage(b"{}")
    assert MARKS[wire].may_tell(b"data: " + around + b"\n\ndata: " + COUNTED + b"\n\n")


@pytest.mark.parametrize(("wire", "event"), [(wire, event) for wire, events in ORDINARY.items() for event in events])
def test_an_ordinary_event_tells_nothing(wire: str, event: bytes) -> None:
    assert not MARKS[wire].may_tell(event * 10)


@pytest.mark.parametrize(
    "later", [b"", b'data: {"choices":[{"delta":{},"finish_reason":null}]}\n\n'], ids=["last", "not"]
)
def test_an_end_is_found_wherever_it_stands(later: bytes) -> None:
    first = ORDINARY["chat"][0]
    assert openai_chat.END_MARK.search(first + first.replace(b"null", b'"stop"') + later) is not None
