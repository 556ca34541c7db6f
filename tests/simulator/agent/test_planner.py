import json
from collections.abc import Callable

import pytest
from pydantic import JsonValue

from plano_agents.simulator.agent.reply import Reply, build_reply
from plano_agents.simulator.conversation import Conversation, Message, Tool, ToolCall, ToolResult

BuildTool = Callable[[str, str, dict[str, JsonValue]], Tool]
Converse = Callable[..., list[Reply]]


@pytest.fixture
def weather(build_tool: BuildTool) -> Tool:
    return build_tool("get_weather", "Get the current weather of a city.", {"city": {"type": "string"}})


@pytest.fixture
def stock(build_tool: BuildTool) -> Tool:
    return build_tool("get_stock_price", "Get the price of a share.", {"ticker": {"enum": ["ACME", "INIT", "ZORG"]}})


def ask(tools: tuple[Tool, ...], *messages: Message) -> Reply:
    return build_reply(Conversation(messages, tools=tools), "m")


def test_a_tool_that_the_question_is_about_is_called(weather: Tool, stock: Tool) -> None:
    reply = ask((weather, stock), Message("user", "What is the weather in Paris?"))
    assert [(call.name, call.arguments) for call in reply.calls] == [("get_weather", {"city": "Paris"})]


def test_a_turn_with_calls_also_has_words(weather: Tool) -> None:
    assert "get_weather" in ask((weather,), Message("user", "What is the weather in Paris?")).text


def test_each_choice_that_the_question_names_is_a_call_of_its_own(stock: Tool) -> None:
    reply = ask((stock,), Message("user", "Compare the price of INIT and ACME"))
    assert [call.arguments["ticker"] for call in reply.calls] == ["INIT", "ACME"]


def test_the_answer_tells_what_the_tools_said(converse: Converse, weather: Tool) -> None:
    replies = converse((weather,), lambda _, __: '{"sky": "cloudy", "celsius": 11}', "What is the weather in Oslo?")
    assert "cloudy" in replies[-1].text
    assert "11" in replies[-1].text


def test_the_answer_says_which_tool_failed(converse: Converse, weather: Tool) -> None:
    replies = converse((weather,), lambda _, __: '{"error": "no such city"}', "What is the weather in Oslo?")
    assert "failed" in replies[-1].text
    assert "no such city" in replies[-1].text


def test_a_result_that_is_no_json_is_told_too(converse: Converse, weather: Tool) -> None:
    assert "light rain" in converse((weather,), lambda _, __: "light rain", "What is the weather in Oslo?")[-1].text


def test_a_greeting_calls_no_tool(weather: Tool) -> None:
    reply = ask((weather,), Message("user", "Hello!"))
    assert (reply.calls, reply.text) == ((), "Hello! What can I help you with?")


@pytest.mark.parametrize(
    "thanks",
    ["Thanks!", "thank you so much", "Thanks, that was helpful!", "Thanks for the analysis", "Great."],
)
def test_thanks_are_answered_shortly(weather: Tool, thanks: str) -> None:
    reply = ask((weather,), Message("user", thanks))
    assert (reply.calls, reply.text) == ((), "You are welcome.")


@pytest.mark.parametrize(
    ("request_text", "told"),
    [
        ("Write a Python function that parses ISO dates", "A real model would answer with the code here"),
        ("Compare tea and coffee.", "A real model would set the options side by side here"),
        ("Summarise this article", "A real model would give the main points here"),
        ("Translate hello into Finnish", "A real model would give the text in the other language here"),
        ("Write a poem about rain", "A real model would write the text here"),
        ("Why is the sky blue?", "A real model would answer here from what it knows"),
    ],
)
def test_without_tools_the_answer_says_what_a_real_model_would_do(request_text: str, told: str) -> None:
    text = ask((), Message("user", request_text)).text
    assert text.startswith(f"This is a simulated model, and it was sent “{request_text}”")
    assert told in text


def test_a_question_that_no_tool_fits_is_answered_directly(weather: Tool) -> None:
    reply = ask((weather,), Message("user", "why do cats purr"))
    assert reply.calls == ()
    assert "why do cats purr" in reply.text


def test_without_tools_the_last_message_is_answered() -> None:
    reply = ask((), Message("user", "one"), Message("assistant", "first"), Message("user", "and the second part"))
    assert "and the second part" in reply.text


def test_a_new_question_after_an_answer_starts_afresh(weather: Tool) -> None:
    question = Message("user", "What is the weather in Paris?")
    done = (
        question,
        Message("assistant", "", calls=(ToolCall("1", "get_weather", {"city": "Paris"}),)),
        Message("user", results=(ToolResult("1", json.dumps({"sky": "clear"})),)),
        Message("assistant", "It is clear."),
    )
    assert len(ask((weather,), *done, question).calls) == 1
