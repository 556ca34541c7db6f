import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue

import plano_agents.simulator
from plano_agents.simulator.agent.reply import Reply, build_reply
from plano_agents.simulator.conversation import Conversation, Message, Tool, ToolChoice, ToolResult

Run = Callable[[str, str], str]
Converse = Callable[..., list[Reply]]

REQUEST = "Choose a database for our shop: orders need consistency, products a flexible schema."


def answer(name: str, arguments_json: str) -> str:
    """Invented facts in a shape of their own: the agent reads values, not a fixed form."""
    asked = json.loads(arguments_json)
    is_alpha = asked["database"] == "AlphaDB"
    facts: dict[str, JsonValue] = {
        "get_db_benchmarks": {
            "latency": {"p99": 10.0 if is_alpha else 40.0},
            "qps": 9000 if is_alpha else 3000,
        },
        "get_case_studies": {
            "cases": [
                {"title": f"{asked['database']} Stores", "result": "success", "summary": "It scaled well"},
                {
                    "title": f"{asked['database']} Bazaar",
                    "result": "migrated away",
                    "summary": "It lost orders",
                },
            ]
        },
        "check_feature_support": {"supported": is_alpha, "notes": "by plugin"},
    }
    return json.dumps(facts[name])


@pytest.fixture
def tools(build_tool: Callable[[str, str, dict[str, JsonValue]], Tool]) -> tuple[Tool, ...]:
    database: JsonValue = {"type": "string", "enum": ["AlphaDB", "BetaDB"]}
    workload: JsonValue = {"type": "string", "enum": ["read_heavy", "write_heavy", "mixed"]}
    feature: JsonValue = {"type": "string", "enum": ["foreign_keys", "json_indexes", "sharding"]}
    return (
        build_tool("get_db_benchmarks", "Benchmarks.", {"database": database, "workload": workload}),
        build_tool("get_case_studies", "Case studies.", {"database": database}),
        build_tool("check_feature_support", "Features.", {"database": database, "feature": feature}),
    )


@pytest.fixture
def replies(converse: Converse, tools: tuple[Tool, ...]) -> list[Reply]:
    return converse(tools, answer, REQUEST)


def ask(tools: tuple[Tool, ...], choice: ToolChoice, request: str = REQUEST) -> Reply:
    return build_reply(Conversation((Message("user", request),), tools=tools, choice=choice), "m")


def test_the_job_takes_its_natural_course(replies: list[Reply]) -> None:
    assert [[call.name for call in reply.calls] for reply in replies] == [
        ["get_db_benchmarks"] * 2,
        ["get_case_studies"] * 2,
        ["check_feature_support"] * 6,
        [],
    ]


def test_both_databases_are_asked_in_one_turn(replies: list[Reply]) -> None:
    assert [call.arguments["database"] for call in replies[0].calls] == ["AlphaDB", "BetaDB"]


def test_every_turn_says_something(replies: list[Reply]) -> None:
    assert all(len(reply.text) > 100 for reply in replies)


def test_the_numbers_said_are_those_of_the_tools(replies: list[Reply]) -> None:
    assert "AlphaDB is ahead on both, by a factor of 4.0 on the tail and 3.0 on throughput." in replies[1].text


def test_the_case_studies_told_are_those_of_the_tools(replies: list[Reply]) -> None:
    assert "AlphaDB Bazaar is the warning for our orders." in replies[2].text


def test_missing_features_are_named(replies: list[Reply]) -> None:
    assert "BetaDB lacks foreign keys, BetaDB lacks json indexes and BetaDB lacks sharding." in replies[3].text


def test_the_answer_recommends_what_the_evidence_speaks_for(replies: list[Reply]) -> None:
    assert replies[-1].text.startswith("**Recommendation: AlphaDB**, over BetaDB.")


def test_other_facts_give_another_recommendation(converse: Converse, tools: tuple[Tool, ...]) -> None:
    def swap(name: str, arguments_json: str) -> str:
        swapped = arguments_json.replace("AlphaDB", "?").replace("BetaDB", "AlphaDB").replace("?", "BetaDB")
        return answer(name, swapped)

    assert converse(tools, swap, REQUEST)[-1].text.startswith("**Recommendation: BetaDB**")


def test_differences_under_ten_per_cent_are_called_noise(converse: Converse, tools: tuple[Tool, ...]) -> None:
    replies = converse(tools, lambda _, __: '{"p99": 10, "tps": 1000}', REQUEST)
    assert "noise" in replies[1].text


def test_the_answer_is_signed(converse: Converse, tools: tuple[Tool, ...]) -> None:
    text = converse(tools, answer, REQUEST, model="gpt-9")[-1].text
    assert text.endswith("— written by gpt-9")


def test_the_words_and_calls_are_the_same_under_every_model_name(converse: Converse, tools: tuple[Tool, ...]) -> None:
    one, two = (converse(tools, answer, REQUEST, model=model) for model in ("one", "two"))
    assert one[:-1] == two[:-1]
    assert one[-1].text.removesuffix("one") == two[-1].text.removesuffix("two")


def test_the_seed_changes_the_ids_alone(converse: Converse, tools: tuple[Tool, ...]) -> None:
    one, two = (converse(tools, answer, REQUEST, seed=seed) for seed in (1, 2))
    assert [reply.text for reply in one] == [reply.text for reply in two]
    assert {reply.id for reply in one}.isdisjoint(reply.id for reply in two)


def test_no_two_calls_of_a_job_have_the_same_id(replies: list[Reply]) -> None:
    ids = [call.id for reply in replies for call in reply.calls]
    assert len(set(ids)) == len(ids)


def test_a_tool_error_is_said_and_the_job_goes_on(converse: Converse, tools: tuple[Tool, ...]) -> None:
    def fail(name: str, arguments_json: str) -> str:
        wrong = name == "get_db_benchmarks" and "BetaDB" in arguments_json
        return '{"error": "no such run"}' if wrong else answer(name, arguments_json)

    replies = converse(tools, fail, REQUEST)
    told = "get_db_benchmarks has no answer for BetaDB, mixed (no such run). I go on without it."
    assert [told in reply.text for reply in replies] == [False, True, False, False]
    assert "Not known: get_db_benchmarks has no answer" in replies[-1].text


def test_a_step_whose_tool_is_not_offered_is_passed_over(converse: Converse, tools: tuple[Tool, ...]) -> None:
    replies = converse(tools[1:], answer, REQUEST)
    steps = ["get_case_studies", "check_feature_support"]
    assert [reply.calls[0].name for reply in replies[:-1]] == steps


def test_one_call_at_a_time_where_parallel_calls_are_off(tools: tuple[Tool, ...]) -> None:
    assert len(ask(tools, ToolChoice(parallel=False)).calls) == 1


def test_no_call_where_tools_are_forbidden(tools: tuple[Tool, ...]) -> None:
    reply = ask(tools, ToolChoice("none"))
    assert reply.calls == ()
    assert reply.text


def test_a_job_is_closed_with_what_is_known_once_tools_are_forbidden(tools: tuple[Tool, ...]) -> None:
    first = ask(tools, ToolChoice())
    results = tuple(ToolResult(call.id, answer(call.name, call.arguments_json)) for call in first.calls)
    messages = (
        Message("user", REQUEST),
        Message("assistant", first.text, calls=first.calls),
        Message("user", results=results),
    )
    reply = build_reply(Conversation(messages, tools=tools, choice=ToolChoice("none")), "m")
    assert reply.text.startswith("**Recommendation: AlphaDB**, over BetaDB.")


def test_the_second_of_two_calls_made_one_by_one_follows(tools: tuple[Tool, ...]) -> None:
    one = ToolChoice(parallel=False)
    first = ask(tools, one)
    messages = (
        Message("user", REQUEST),
        Message("assistant", first.text, calls=first.calls),
        Message("user", results=(ToolResult(first.calls[0].id, "{}"),)),
    )
    second = build_reply(Conversation(messages, tools=tools, choice=one), "m")
    assert second.text == "Now the same for BetaDB and mixed."
    assert [call.arguments["database"] for call in second.calls] == ["BetaDB"]


def test_a_call_where_one_is_required(tools: tuple[Tool, ...]) -> None:
    reply = ask(tools, ToolChoice("required"), "Hello!")
    assert [call.name for call in reply.calls] == ["get_db_benchmarks"]


def test_the_named_tool_is_called(tools: tuple[Tool, ...]) -> None:
    reply = ask(tools, ToolChoice("named", "get_case_studies"))
    assert {call.name for call in reply.calls} == {"get_case_studies"}


def test_no_preference_is_named_in_what_the_simulator_can_say() -> None:
    sources = Path(plano_agents.simulator.__path__[0]).rglob("*.py")
    found = [
        (source.name, name)
        for source in sources
        for name in ("code_generation", "complex_reasoning", "code generation", "complex reasoning")
        if name in source.read_text("utf-8").lower()
    ]
    assert found == []
