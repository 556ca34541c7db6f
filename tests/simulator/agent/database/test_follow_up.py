import json
from collections.abc import Callable

import pytest
from pydantic import JsonValue

from plano_agents.simulator.agent.reply import Reply, build_reply
from plano_agents.simulator.conversation import Conversation, Message, Tool, ToolChoice, ToolResult

BuildTool = Callable[[str, str, dict[str, JsonValue]], Tool]
REQUEST = Message("user", "Decide between AlphaDB and BetaDB for our shop.")


@pytest.fixture
def tools(build_tool: BuildTool) -> tuple[Tool, ...]:
    database: JsonValue = {"type": "string", "enum": ["AlphaDB", "BetaDB"]}
    workload: JsonValue = {"type": "string", "enum": ["read_heavy", "write_heavy", "mixed"]}
    return (
        build_tool("get_db_benchmarks", "Benchmarks.", {"database": database, "workload": workload}),
        build_tool("get_case_studies", "Case studies.", {"database": database}),
    )


@pytest.fixture
def done(tools: tuple[Tool, ...]) -> tuple[Message, ...]:
    """The conversation up to its recommendation, which is AlphaDB."""
    return carry_on((REQUEST,), tools)


def reply_to(messages: tuple[Message, ...], tools: tuple[Tool, ...] = (), choice: ToolChoice | None = None) -> Reply:
    return build_reply(Conversation(messages, tools=tools, choice=choice or ToolChoice()), "m")


def carry_on(messages: tuple[Message, ...], tools: tuple[Tool, ...]) -> tuple[Message, ...]:
    """Run the loop to its answer."""
    while True:
        reply = reply_to(messages, tools)
        messages += (Message("assistant", reply.text, calls=reply.calls),)
        if not reply.calls:
            return messages
        results = tuple(
            ToolResult(call.id, json.dumps({"p99": 10 if call.arguments["database"] == "AlphaDB" else 40, "qps": 9}))
            for call in reply.calls
        )
        messages += (Message("user", results=results),)


def follow_up(done: tuple[Message, ...], text: str, tools: tuple[Tool, ...]) -> Reply:
    return reply_to((*done, Message("user", text)), tools)


@pytest.mark.parametrize("text", ["Now write the schema as code.", "Why did you choose that database?"])
def test_what_the_user_says_then_is_answered_in_words(
    done: tuple[Message, ...], tools: tuple[Tool, ...], text: str
) -> None:
    reply = follow_up(done, text, tools)
    assert reply.calls == ()
    assert f"“{text}”" in reply.text


def test_what_was_not_looked_at_is_not_looked_up_afterwards(done: tuple[Message, ...], tools: tuple[Tool, ...]) -> None:
    assert follow_up(done, "And under the read heavy workload?", tools).calls == ()


def test_thanks_start_nothing(done: tuple[Message, ...], tools: tuple[Tool, ...]) -> None:
    assert follow_up(done, "Thanks, that helps!", tools).text == "You are welcome."


def test_a_request_to_choose_again_starts_the_work_again(done: tuple[Message, ...], tools: tuple[Tool, ...]) -> None:
    assert follow_up(done, "Which database would you choose for an archive of logs?", tools).calls


def test_a_greeting_before_the_request_is_no_answer_to_it(tools: tuple[Tool, ...]) -> None:
    greeting = (Message("user", "Hello"), Message("assistant", "Hello! What can I help you with?"))
    assert reply_to((*greeting, REQUEST), tools).calls
