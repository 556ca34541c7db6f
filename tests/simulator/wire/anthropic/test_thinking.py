import json
from collections.abc import Callable, Iterator

import anthropic
import pytest
from anthropic.types import Message, MessageParam, ThinkingBlock, ThinkingConfigParam
from fastapi import FastAPI
from pydantic import JsonValue

from plano_agents.simulator.app import create_app
from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request
from plano_agents.simulator.wire.anthropic.thinking import sign_thought
from plano_agents.simulator.wire.exchange import Refusal

ENABLED: ThinkingConfigParam = {"type": "enabled", "budget_tokens": 1024}
QUESTION: MessageParam = {"role": "user", "content": "Why do cats purr?"}


@pytest.fixture(scope="module")
def client(serve: Callable[[FastAPI], str]) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=serve(create_app()), api_key="unused", max_retries=0) as client:
        yield client


def ask(client: anthropic.Anthropic, thinking: ThinkingConfigParam, model: str = "m") -> Message:
    return client.messages.create(model=model, max_tokens=2000, messages=[QUESTION], thinking=thinking)


def take_thought(message: Message) -> ThinkingBlock:
    block = message.content[0]
    assert isinstance(block, ThinkingBlock)
    return block


@pytest.mark.parametrize("thinking", [ENABLED, {"type": "adaptive"}])
def test_a_thought_comes_before_the_words(client: anthropic.Anthropic, thinking: ThinkingConfigParam) -> None:
    message = ask(client, thinking)
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert "Why do cats purr?" in take_thought(message).thinking


def test_no_thought_comes_unasked_for(client: anthropic.Anthropic) -> None:
    assert [block.type for block in ask(client, {"type": "disabled"}).content] == ["text"]


def test_an_omitted_thought_is_signed_and_empty(client: anthropic.Anthropic) -> None:
    message = ask(client, {"type": "adaptive", "display": "omitted"})
    assert take_thought(message).thinking == ""
    assert take_thought(message).signature
    details = message.usage.output_tokens_details
    assert details is not None
    assert details.thinking_tokens > 0


@pytest.mark.parametrize("thinking", [ENABLED, {"type": "adaptive", "display": "omitted"}])
def test_a_stream_assembled_is_the_plain_answer(client: anthropic.Anthropic, thinking: ThinkingConfigParam) -> None:
    with client.messages.stream(model="m", max_tokens=2000, messages=[QUESTION], thinking=thinking) as stream:
        assert stream.get_final_message().model_dump() == ask(client, thinking).model_dump()


def send_back(client: anthropic.Anthropic, first: Message, model: str) -> Message:
    messages: list[MessageParam] = [QUESTION, {"role": "assistant", "content": first.content}, QUESTION]
    return client.messages.create(model=model, max_tokens=2000, messages=messages, thinking=ENABLED)


def test_a_thought_of_the_same_model_is_taken_back(client: anthropic.Anthropic) -> None:
    assert send_back(client, ask(client, ENABLED), "m").stop_reason == "end_turn"


def test_a_thought_of_another_claude_is_dropped(client: anthropic.Anthropic) -> None:
    answers = [send_back(client, ask(client, ENABLED, model), "m") for model in ("another", "m")]
    assert answers[0].usage.input_tokens == answers[1].usage.input_tokens


def parse(block: JsonValue = None, **fields: JsonValue) -> None:
    messages: list[JsonValue] = [{"role": "user", "content": "hi"}]
    if block is not None:
        messages += [{"role": "assistant", "content": [block, {"type": "text", "text": "x"}]}, messages[0]]
    parse_anthropic_request(json.dumps({"model": "m", "max_tokens": 2000, "messages": messages, **fields}).encode())


def test_a_thought_that_a_real_claude_signed_is_taken() -> None:
    parse({"type": "thinking", "thinking": "anything", "signature": "RXFRQ0NnSUlDQVFRQVJn"})


def test_a_signature_that_is_no_base64_is_refused() -> None:
    with pytest.raises(Refusal, match="Invalid `signature` in `thinking` block"):
        parse({"type": "thinking", "thinking": "anything", "signature": "nobody's"})


def test_an_altered_thought_is_refused() -> None:
    with pytest.raises(Refusal, match="Invalid `signature` in `thinking` block"):
        parse({"type": "thinking", "thinking": "altered", "signature": sign_thought("m", "as it was")})


def test_a_redacted_thought_is_taken_back_if_it_is_base64() -> None:
    parse({"type": "redacted_thinking", "data": "RW5jcnlwdGVk"})
    with pytest.raises(Refusal, match="Invalid `data` in `redacted_thinking` block"):
        parse({"type": "redacted_thinking", "data": "not base64"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"thinking": {"type": "enabled", "budget_tokens": 5}},
            "thinking.budget_tokens: Input should be greater than or equal to 1024",
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ),
        ({"temperature": 0.5}, "`temperature` may only be set to 1 when thinking is enabled."),
        ({"top_p": 0.5}, "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."),
        ({"top_k": 5}, "`top_k` must be unset when thinking is enabled."),
        ({"tool_choice": {"type": "any"}}, "Thinking may not be enabled when tool_choice forces tool use."),
        (
            {"tool_choice": {"type": "tool", "name": "f"}},
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
    ],
)
def test_what_does_not_go_with_thinking_is_refused_in_the_providers_words(
    fields: dict[str, JsonValue], message: str
) -> None:
    tool: JsonValue = {"name": "f", "input_schema": {"type": "object"}}
    thinking: dict[str, JsonValue] = {"thinking": {"type": "adaptive"}, "tools": [tool]}
    with pytest.raises(Refusal) as caught:
        parse(**thinking | fields)
    assert caught.value.message.startswith(message)


def test_tools_may_be_chosen_freely_or_forbidden_while_thinking() -> None:
    tool: JsonValue = {"name": "f", "input_schema": {"type": "object"}}
    for kind in ("auto", "none"):
        parse(thinking={"type": "adaptive"}, tools=[tool], tool_choice={"type": kind})
