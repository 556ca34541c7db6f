"""Tool calls as compatible servers stream them, and lenience with the rest of their chunks."""

import json
from typing import Any

import pytest

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.protocol.translation.calls import CallIds
from plano_agents.protocol.translation.chat_stream import ChatStreamReader, ChatStreamWriter
from plano_agents.protocol.translation.stream import StreamTranslator

END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}


def write(chunks: list[dict[str, Any]]) -> bytes:
    return b"".join(sse.encode_event(json.dumps(chunk).encode()) for chunk in chunks) + sse.DONE


def add(*pieces: dict[str, Any], **delta: object) -> dict[str, Any]:
    return {
        "id": "c",
        "choices": [{"index": 0, "delta": {**delta, "tool_calls": [*pieces]}, "finish_reason": None}],
    }


def piece(call_id: str | None = None, name: str | None = None, arguments: str = "", **fields: object) -> dict[str, Any]:
    return {"index": 0, "id": call_id, "function": {"name": name, "arguments": arguments}, **fields}


def translate(stream: bytes, request: bytes = b"", taken: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Give the client's chunks; the stream is cut at every byte, and gives the same each time."""

    def build() -> StreamTranslator:
        return StreamTranslator(ChatStreamReader(CallIds(request, taken)), ChatStreamWriter(include_usage=False))

    whole = build().feed(stream)
    for place in range(len(stream)):
        translator = build()
        assert translator.feed(stream[:place]) + translator.feed(stream[place:]) == whole
    return [json.loads(event.data) for event in sse.decode_events(whole) if event.data != b"[DONE]"]


def assemble(chunks: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Put the calls together as a client does: id, name and arguments."""
    calls: list[list[str]] = []
    for chunk in chunks:
        for call in chunk["choices"][0]["delta"].get("tool_calls") or ():
            if call["index"] == len(calls):
                calls.append([call["id"], call["function"]["name"], ""])
            calls[call["index"]][2] += call["function"].get("arguments") or ""
    return [(call[0], call[1], call[2]) for call in calls]


def test_a_call_waits_for_its_name() -> None:
    chunks = [
        add(piece("c", "", "")),
        add(piece(arguments='{"a":')),
        add(piece(None, "f", " 1")),
        add(piece(arguments="}")),
    ]
    assert assemble(translate(write([*chunks, END]))) == [("c", "f", '{"a": 1}')]


def test_a_call_whose_name_never_comes_is_the_upstreams_error() -> None:
    with pytest.raises(UpstreamProtocolError, match="left out its name"):
        translate(write([add(piece("c", None, "{}")), END]))


@pytest.mark.parametrize("index", [0, None])
def test_whole_calls_without_ids_and_numbers_are_told_apart(index: int | None) -> None:
    pieces = [piece(None, name, '{"a": 1}', index=index) for name in ("f", "g")]
    together = assemble(translate(write([add(*pieces), END])))
    apart = assemble(translate(write([*map(add, pieces), END])))
    assert [(name, text) for _, name, text in together] == [("f", '{"a": 1}'), ("g", '{"a": 1}')]
    assert together == apart
    assert len({call_id for call_id, *_ in together}) == 2


def test_a_name_that_comes_with_every_piece_makes_one_call() -> None:
    chunks = [add(piece("c", "f", text)) for text in ('{"a":', "1", "}", "")]
    assert assemble(translate(write([*chunks, END]))) == [("c", "f", '{"a":1}')]


def test_ids_and_names_that_are_empty_in_later_pieces_change_nothing() -> None:
    chunks = [add(piece("c", "f", '{"a":')), add(piece("", "", "1}"))]
    assert assemble(translate(write([*chunks, END]))) == [("c", "f", '{"a":1}')]


def test_calls_of_one_id_get_ids_of_their_own() -> None:
    pieces = [piece("f", "f", "{}", index=number) for number in range(2)]
    ids = [call_id for call_id, *_ in assemble(translate(write([add(*pieces), END])))]
    assert ids[0] == "f"
    assert ids[1] != "f"


def test_an_id_that_stands_in_the_conversation_is_not_given_again() -> None:
    stream = write([add(piece("call_0", "f", "{}")), END])
    ((call_id, *_),) = assemble(translate(stream, b"request", ("call_0",)))
    assert call_id != "call_0"


def test_ids_that_are_left_out_are_the_same_for_a_request_and_others_for_the_next() -> None:
    stream = write([add(piece(None, "f", "{}")), END])
    first, again, second = (
        assemble(translate(stream, request))[0][0] for request in (b"first turn", b"first turn", b"second turn")
    )
    assert first == again != second
    assert first.removeprefix("call_").isalnum()


@pytest.mark.parametrize(
    "chunk",
    [
        {"id": "c", "choices": None, "usage": None},
        {"id": "c", "choices": [], "error": None},
        {"id": None, "created": None, "model": None, "choices": [{"index": None, "delta": None}]},
        {"choices": [{"index": 0, "delta": {"content": None, "role": None, "tool_calls": None}}]},
        {"choices": [{"index": 0, "delta": {"content": [None, {"type": "text", "text": None}]}}]},
    ],
)
def test_nulls_of_a_chunk_are_absent(chunk: dict[str, Any]) -> None:
    text = {"choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": None}]}
    found = translate(write([text, chunk, END]))
    assert "".join(each["choices"][0]["delta"].get("content") or "" for each in found) == "ok"
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_lists_of_pieces_are_their_text_and_thinking() -> None:
    pieces = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "ok"},
        {"type": "reference", "reference_ids": [1]},
    ]
    found = translate(write([{"choices": [{"index": 0, "delta": {"content": [piece]}}]} for piece in pieces] + [END]))
    deltas = [chunk["choices"][0]["delta"] for chunk in found]
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "hm"
    assert "".join(delta.get("content") or "" for delta in deltas) == "ok"


def test_an_unknown_finish_reason_stands_beside_one_of_openais() -> None:
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "model_length"}]}
    choice = translate(write([end]))[-1]["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("length", "model_length")


@pytest.mark.parametrize(
    "fields",
    [
        {"created": "1700000000"},
        {"created": "2026-11-28T00:00:00Z"},
        {"created": 1.5},
        {"id": 5},
        {"usage": {"prompt_tokens": "3", "completion_tokens": 4.0, "total_tokens": 7}},
        {"error": {}},
        {"error": ""},
    ],
)
def test_numbers_may_be_texts_and_errors_empty(fields: dict[str, Any]) -> None:
    text = {"choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": None}], **fields}
    found = translate(write([text, END]))
    assert found[0]["choices"][0]["delta"]["content"] == "ok"


def test_a_calls_index_may_be_a_text() -> None:
    calls = [add({"index": str(number), "id": f"c{number}", "function": {"name": "f"}}) for number in (0, 1)]
    assert [call["index"] for chunk in translate(write([*calls, END])) for call in read_calls(chunk)] == [
        0,
        1,
    ]


def read_calls(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = chunk["choices"][0]["delta"].get("tool_calls") or []
    return calls


def test_an_event_may_hold_a_whole_message() -> None:
    message = {"role": "assistant", "content": "ok"}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    choice = translate(write([whole]))[0]["choices"][0]
    assert (choice["delta"]["content"], choice["finish_reason"], "message" in choice) == ("ok", "stop", False)


def test_an_empty_finish_reason_before_the_end_ends_the_answer() -> None:
    end = {"choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": ""}]}
    assert translate(write([end]))[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_call_of_the_form_before_tool_calls_is_read() -> None:
    pieces = [{"name": "f", "arguments": '{"a"'}, {"arguments": ": 1}"}]
    chunks = [{"choices": [{"index": 0, "delta": {"function_call": piece}}]} for piece in pieces]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "function_call"}]}
    found = translate(write([*chunks, end]))
    assert assemble(found)[0][1:] == ("f", '{"a": 1}')
