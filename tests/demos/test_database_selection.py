import inspect
import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionFunctionToolParam

from plano_agents.demos.database_facts import Database, Feature, Workload
from plano_agents.demos.database_selection import (
    SYSTEM_PROMPT,
    TOOL_FUNCTIONS,
    TOOLS,
    check_feature_support,
    get_case_studies,
    get_db_benchmarks,
    run_tool,
)
from plano_agents.simulator.tokens import count_tokens

DATABASES = get_args(Database)
FEATURES = get_args(Feature)


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("workload", get_args(Workload))
def test_every_workload_is_measured_on_every_database(database: str, workload: str) -> None:
    answer = json.loads(get_db_benchmarks(database, workload))
    assert (answer["database"], answer["workload"]) == (database, workload)
    assert 0 < answer["p50_ms"] < answer["p99_ms"]
    assert answer["throughput_ops_per_s"] > 0


@pytest.mark.parametrize("database", DATABASES)
def test_there_are_several_case_studies(database: str) -> None:
    assert len(json.loads(get_case_studies(database))["case_studies"]) >= 3


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_is_known_of_every_database(database: str, feature: str) -> None:
    assert json.loads(check_feature_support(database, feature))["support"] in {"full", "partial", "none"}


def test_there_are_at_least_ten_features() -> None:
    assert len(FEATURES) >= 10


@pytest.mark.parametrize(
    ("spelling", "database"),
    [
        ("postgres", "PostgreSQL"),
        ("PostgreSQL", "PostgreSQL"),
        ("POSTGRESQL", "PostgreSQL"),
        ("Postgre SQL", "PostgreSQL"),
        ("mongo", "MongoDB"),
        ("mongodb", "MongoDB"),
        ("Mongo-DB", "MongoDB"),
    ],
)
def test_a_database_is_known_in_its_common_spellings(spelling: str, database: str) -> None:
    assert json.loads(get_case_studies(spelling))["database"] == database


def test_a_workload_is_known_in_its_common_spellings() -> None:
    assert json.loads(get_db_benchmarks("mongo", "Read-Heavy"))["workload"] == "read_heavy"


def test_every_answer_says_that_it_is_simulated() -> None:
    answers = (get_db_benchmarks("pg", "mixed"), get_case_studies("pg"), get_case_studies("mysql"))
    assert {json.loads(answer)["source"] for answer in answers} == {"simulated"}


@pytest.mark.parametrize(
    ("name", "arguments", "error", "available"),
    [
        (
            "get_case_studies",
            '{"database": "mysql"}',
            "Unknown database 'mysql'; ask again with one of those available.",
            list(DATABASES),
        ),
        (
            "check_feature_support",
            '{"database": "pg", "feature": "magic"}',
            "Unknown feature 'magic'; ask again with one of those available.",
            list(FEATURES),
        ),
        (
            "get_weather",
            "{}",
            "There is no tool 'get_weather'; call one of those available.",
            [*TOOL_FUNCTIONS],
        ),
        (
            "get_db_benchmarks",
            '{"database": "pg"}',
            "get_db_benchmarks takes exactly database, workload; got database.",
            ["database", "workload"],
        ),
        (
            "get_case_studies",
            "[]",
            "The arguments of get_case_studies are not a JSON object; send one with these keys.",
            ["database"],
        ),
    ],
)
def test_a_wrong_call_is_answered_with_what_there_is(
    name: str, arguments: str, error: str, available: list[str]
) -> None:
    answer = json.loads(run_tool(name, arguments))
    assert (answer["error"], answer["available"]) == (error, available)


@given(st.sampled_from([*TOOL_FUNCTIONS, "other"]), st.text() | st.just("[" * 100_000))
def test_a_call_never_raises(name: str, arguments: str) -> None:
    assert json.loads(run_tool(name, arguments))


@given(st.sampled_from([*TOOL_FUNCTIONS]), st.recursive(st.none() | st.text() | st.integers(), st.lists))
def test_a_call_with_strange_values_never_raises(name: str, value: object) -> None:
    arguments = dict.fromkeys(inspect.signature(TOOL_FUNCTIONS[name]).parameters, value)
    assert json.loads(run_tool(name, json.dumps(arguments)))


def test_the_offered_schemas_name_every_choice() -> None:
    offered = json.dumps([tool["function"]["parameters"] for tool in TOOLS])
    assert all(json.dumps(choice) in offered for choice in (*DATABASES, *get_args(Workload), *FEATURES))


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool["function"]["name"])
def test_an_offered_schema_asks_for_what_its_function_takes(tool: ChatCompletionFunctionToolParam) -> None:
    function = TOOL_FUNCTIONS[tool["function"]["name"]]
    assert tool["function"]["parameters"]["required"] == [*inspect.signature(function).parameters]


def test_every_tool_and_argument_is_described() -> None:
    assert all(tool["function"]["description"] for tool in TOOLS)
    assert json.dumps(TOOLS).count('"description"') == 3 + 2 + 1 + 2


def test_instructions_and_tools_are_long_enough_for_prompt_caching() -> None:
    assert count_tokens(SYSTEM_PROMPT + json.dumps(TOOLS)) > 1100
