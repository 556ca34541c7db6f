"""Reasoning comes back with the next request, although LangChain knows nothing of it."""

import operator
from functools import reduce
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage

from plano_agents import ChatPlano

BLOCK = {"type": "thinking", "thinking": "hm", "signature": "sig"}
EXTRA = {"google": {"thought_signature": "sig"}}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
    "extra_content": EXTRA,
}


def resend(llm: ChatPlano, answer: BaseMessage) -> dict[str, Any]:
    """Give an answer as the next request says it again."""
    messages = [HumanMessage("hi"), answer, ToolMessage("ok", tool_call_id="call_1")]
    sent: dict[str, Any] = llm._get_request_payload(messages)["messages"][1]
    return sent


def test_a_whole_answers_reasoning_goes_back() -> None:
    llm = ChatPlano(model="m")
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [CALL],
        "reasoning_content": "hm",
        "thinking_blocks": [BLOCK],
    }
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    answer = llm._create_chat_result({"id": "c", "model": "m", "choices": [choice]}).generations[0].message
    sent = resend(llm, answer)
    assert (sent["reasoning_content"], sent["thinking_blocks"]) == ("hm", [BLOCK])
    assert sent["tool_calls"][0]["extra_content"] == EXTRA


def test_a_streams_reasoning_goes_back_whole() -> None:
    llm = ChatPlano(model="m")
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": "", "reasoning_content": "h"},
        {"reasoning_content": "m"},
        {"thinking_blocks": [BLOCK]},
        {"tool_calls": [{"index": 0, **CALL}]},
    ]
    pieces = [
        llm._convert_chunk_to_generation_chunk({"choices": [{"index": 0, "delta": delta}]}, AIMessageChunk, None)
        for delta in deltas
    ]
    answer = reduce(operator.add, [piece.message for piece in pieces if piece is not None])
    sent = resend(llm, answer)
    assert (sent["reasoning_content"], sent["thinking_blocks"]) == ("hm", [BLOCK])
    assert sent["tool_calls"][0]["extra_content"] == EXTRA


def test_an_answer_without_reasoning_is_sent_as_langchain_sends_it() -> None:
    assert resend(ChatPlano(model="m"), AIMessage("ok")) == {"role": "assistant", "content": "ok"}
