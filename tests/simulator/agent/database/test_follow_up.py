import json
from collections.abc import Callable
from dataclasses import replace

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


@pytest.mark.parametrize("text", ["Tell me a joke about it.", "Why did you choose that database?"])
def test_what_the_user_says_then_is_answered_in_words(
    done: tuple[Message, ...], tools: tuple[Tool, ...], text: str
) -> None:
    reply = follow_up(done, text, tools)
    assert reply.calls == ()
    assert f"“{text}”" in reply.text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Write the schema as DDL.", "CREATE TABLE order_items"),
        ("Write the checkout as one transaction in Python.", "def place_order(connection"),
        ("Estimate the migration.", "Three ways to move to AlphaDB"),
        ("Review the risks of this design.", "By likelihood and by what it would cost"),
    ],
)
def test_a_piece_of_work_on_what_was_recommended_is_written(
    done: tuple[Message, ...], tools: tuple[Tool, ...], text: str, written: str
) -> None:
    reply = follow_up(done, text, tools)
    assert reply.calls == ()
    assert written in reply.text
    assert reply.text.endswith("— written by m")


def test_a_migration_is_estimated_by_the_users_rows_and_the_measured_throughput(
    done: tuple[Message, ...], tools: tuple[Tool, ...]
) -> None:
    """A fifth of 9 operations per second for 648,000 orders: 100 hours."""
    text = follow_up(done, "Estimate the migration: 648 thousand orders move.", tools).text
    assert "648,000 orders at a fifth of the 9 operations per second" in text
    assert "take 100.0 hours." in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Write the schema as DDL.", 'db.createCollection("orders"'),
        ("Write the checkout as one transaction in Python.", "client.start_session()"),
        ("Review the risks of this design.", "References between documents are the application's to keep"),
    ],
)
def test_a_document_database_gets_its_own_schema_code_and_risks(
    done: tuple[Message, ...], tools: tuple[Tool, ...], text: str, written: str
) -> None:
    mongo = tuple(replace(each, text=each.text.replace("AlphaDB", "MongoDB")) for each in done)
    assert written in follow_up(mongo, text, tools).text


def test_a_second_piece_follows_the_first(done: tuple[Message, ...], tools: tuple[Tool, ...]) -> None:
    schema = follow_up(done, "Write the schema as DDL.", tools)
    asked = (*done, Message("user", "Write the schema as DDL."), Message("assistant", schema.text))
    assert "648,000 orders at a fifth of the 9" in follow_up(asked, "The migration of 648,000 orders?", tools).text


def test_what_was_not_looked_at_is_not_looked_up_afterwards(done: tuple[Message, ...], tools: tuple[Tool, ...]) -> None:
    assert follow_up(done, "And under the read heavy workload?", tools).calls == ()


def test_thanks_start_nothing(done: tuple[Message, ...], tools: tuple[Tool, ...]) -> None:
    assert follow_up(done, "Thanks, that helps!", tools).text == "You are welcome."


def test_a_request_to_choose_again_starts_the_work_again(done: tuple[Message, ...], tools: tuple[Tool, ...]) -> None:
    assert follow_up(done, "Which database would you choose for an archive of logs?", tools).calls


def test_a_greeting_before_the_request_is_no_answer_to_it(tools: tuple[Tool, ...]) -> None:
    greeting = (Message("user", "Hello"), Message("assistant", "Hello! What can I help you with?"))
    assert reply_to((*greeting, REQUEST), tools).calls
