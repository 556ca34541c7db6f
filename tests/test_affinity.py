"""The affinity id: its rules, its precedence, and the scope that carries it."""

import asyncio
import string
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.affinity import (
    AFFINITY_HEADER,
    CONFIGURABLE_KEY,
    MAX_ID_LENGTH,
    bind_context,
    current_affinity_id,
    derive_affinity_id,
    find_affinity_header,
    model_affinity,
    new_affinity_id,
    parse_affinity_id,
    resolve_affinity_id,
)
from plano_agents.errors import InvalidAffinityIdError

VISIBLE = string.ascii_letters + string.digits + string.punctuation
IDS = st.text(VISIBLE, min_size=1, max_size=MAX_ID_LENGTH)
SOURCES = ["call", "header", "model", "configurable", "scope", "thread"]
"""Where an id may come from, first one wins."""


def resolve(ids: dict[str, str]) -> str | None:
    """Resolve with an id from each of the sources named."""
    configurable = {
        key: ids[source]
        for key, source in [(CONFIGURABLE_KEY, "configurable"), ("thread_id", "thread")]
        if source in ids
    }
    arguments: dict[str, Any] = {
        "call": ids.get("call"),
        "extra_headers": {"x-model-affinity": ids["header"]} if "header" in ids else None,
        "model": ids.get("model"),
        "configurable": configurable or None,
    }
    if "scope" not in ids:
        return resolve_affinity_id(**arguments)
    with model_affinity(ids["scope"]):
        return resolve_affinity_id(**arguments)


@given(IDS)
def test_visible_ascii_is_an_id_and_stays_as_it_is(value: str) -> None:
    assert parse_affinity_id(value) == value


@given(st.text(max_size=MAX_ID_LENGTH).filter(lambda value: not value or set(value) - set(VISIBLE)))
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(InvalidAffinityIdError):
        parse_affinity_id(value)


@pytest.mark.parametrize("value", ["a" * (MAX_ID_LENGTH + 1), None, 42, b"run-1"])
def test_what_is_too_long_or_no_string_is_refused(value: object) -> None:
    with pytest.raises(InvalidAffinityIdError) as raised:
        parse_affinity_id(value)
    assert raised.value.status_code == 400
    assert raised.value.param == AFFINITY_HEADER


def test_made_ids_are_ids_and_differ() -> None:
    first, second = new_affinity_id(), new_affinity_id()
    assert parse_affinity_id(first) != parse_affinity_id(second)


@given(st.text())
def test_any_thread_id_gives_an_id_that_does_not_show_it(thread_id: str) -> None:
    derived = derive_affinity_id(thread_id)
    assert parse_affinity_id(derived) == derive_affinity_id(thread_id)
    assert len(derived) == len("thread-") + 32


def test_a_threads_id_is_the_same_in_every_process() -> None:
    assert derive_affinity_id("t-42") == "thread-e94d1f042934b63eb0c535b61125bfa2"


@given(st.dictionaries(st.sampled_from(SOURCES), IDS))
def test_the_first_source_in_order_wins(ids: dict[str, str]) -> None:
    winner = next((source for source in SOURCES if source in ids), None)
    if winner is None:
        expected = None
    elif winner == "thread":
        expected = derive_affinity_id(ids["thread"])
    else:
        expected = ids[winner]
    assert resolve(ids) == expected


@pytest.mark.parametrize("source", ["call", "header", "model", "configurable"])
def test_a_winner_that_breaks_the_rules_is_refused_not_passed_over(source: str) -> None:
    with pytest.raises(InvalidAffinityIdError, match="visible ASCII"):
        resolve({source: "two words", "scope": "scope", "thread": "t-42"})


def test_a_thread_id_may_be_any_value() -> None:
    assert resolve_affinity_id(configurable={"thread_id": 42}) == derive_affinity_id("42")


@given(st.lists(st.booleans(), min_size=len(AFFINITY_HEADER), max_size=len(AFFINITY_HEADER)))
def test_the_header_is_found_in_any_case(upper: list[bool]) -> None:
    name = "".join(char.upper() if up else char.lower() for char, up in zip(AFFINITY_HEADER, upper, strict=True))
    assert find_affinity_header({"Accept": "*/*", name: "run-1"}) == "run-1"


def test_no_headers_hold_no_id() -> None:
    assert find_affinity_header(None) is None
    assert find_affinity_header({"Accept": "*/*"}) is None


def test_a_scope_without_an_id_makes_one() -> None:
    with model_affinity() as affinity_id:
        assert current_affinity_id() == parse_affinity_id(affinity_id)
    assert current_affinity_id() is None


def test_scopes_nest() -> None:
    with model_affinity("outer"):
        with model_affinity("inner"):
            assert current_affinity_id() == "inner"
        assert current_affinity_id() == "outer"


def test_one_scope_object_may_be_entered_again() -> None:
    scope = model_affinity("run-1")
    with scope, model_affinity("between"), scope:
        assert current_affinity_id() == "run-1"
    assert current_affinity_id() is None


def test_a_lane_stands_below_the_enclosing_scope() -> None:
    with model_affinity("parent"), model_affinity(lane="researcher"), model_affinity(lane="web") as lane:
        assert lane == "parent/researcher/web"


def test_a_lane_outside_of_a_scope_gets_a_new_parent() -> None:
    with model_affinity(lane="researcher") as first, model_affinity("other"):
        parent, _, lane = first.partition("/")
    assert lane == "researcher"
    assert parent


@pytest.mark.parametrize("lane", ["two words", "x" * MAX_ID_LENGTH, "é"])
def test_a_lane_that_makes_a_bad_id_is_refused(lane: str) -> None:
    with model_affinity("parent"):
        with pytest.raises(InvalidAffinityIdError), model_affinity(lane=lane):
            pass
        assert current_affinity_id() == "parent"


def test_a_scope_takes_an_id_or_a_lane() -> None:
    with pytest.raises(ValueError, match="not both"):
        model_affinity("run-1", lane="researcher")
    with pytest.raises(InvalidAffinityIdError):
        model_affinity("")


def test_an_exception_leaves_no_scope_behind() -> None:
    with pytest.raises(RuntimeError), model_affinity("run-1"):
        raise RuntimeError
    assert current_affinity_id() is None


async def test_an_exception_in_an_asynchronous_scope_leaves_none_behind() -> None:
    with pytest.raises(RuntimeError):
        async with model_affinity("run-1"):
            raise RuntimeError
    assert current_affinity_id() is None


async def test_tasks_and_to_thread_keep_the_scope_they_were_started_in() -> None:
    async def read() -> str | None:
        await asyncio.sleep(0)
        return current_affinity_id()

    async with model_affinity("run-1"):
        task = asyncio.create_task(read())
        in_thread = await asyncio.to_thread(current_affinity_id)
    assert [await task, in_thread] == ["run-1", "run-1"]


async def test_concurrent_scopes_do_not_cross() -> None:
    async def run(number: int) -> bool:
        async with model_affinity(f"run-{number}"):
            await asyncio.sleep(0)
            async with model_affinity(lane="lane") as lane:
                await asyncio.sleep(0)
                return current_affinity_id() == lane == f"run-{number}/lane"

    assert all(await asyncio.gather(*(run(number) for number in range(200))))


def call_in_thread(function: Callable[[], object]) -> list[object]:
    """Run a function in a bare thread; returns what it returned, in a list."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results


def test_a_bare_thread_has_no_scope_unless_bound() -> None:
    with model_affinity("run-1"):
        assert call_in_thread(current_affinity_id) == [None]
        assert call_in_thread(bind_context(current_affinity_id)) == ["run-1"]


def test_a_bound_function_keeps_its_scope_its_arguments_and_its_name() -> None:
    def join(first: str, *, last: str) -> str:
        return f"{current_affinity_id()} {first} {last}"

    with model_affinity("run-1"):
        bound = bind_context(join)
    assert bound("a", last="b") == "run-1 a b"
    assert bound.__name__ == "join"


def test_a_bound_function_may_run_many_times_at_once() -> None:
    together = threading.Barrier(4)

    def read(_: int) -> str | None:
        together.wait()
        return current_affinity_id()

    with model_affinity("run-1"):
        bound = bind_context(read)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(bound, range(4))) == ["run-1"] * 4


def test_a_scope_opened_in_a_bound_function_does_not_leak_into_its_next_run() -> None:
    seen: list[str | None] = []

    def open_scope() -> None:
        seen.append(current_affinity_id())
        model_affinity("left-open").__enter__()

    with model_affinity("run-1"):
        bound = bind_context(open_scope)
    bound()
    bound()
    assert seen == ["run-1", "run-1"]


def test_a_lane_of_the_configured_id_comes_before_it() -> None:
    with model_affinity("run-1"), model_affinity(lane="researcher"):
        assert resolve_affinity_id(configurable={"model_affinity_id": "run-1"}) == "run-1/researcher"


def test_another_runs_scope_does_not_come_before_the_configured_id() -> None:
    with model_affinity("run-10"):
        assert resolve_affinity_id(configurable={"model_affinity_id": "run-1"}) == "run-1"


def test_an_empty_thread_id_is_none() -> None:
    assert resolve_affinity_id(configurable={"thread_id": ""}) is None


def test_a_header_that_langgraphs_server_put_into_the_configuration_comes_after_our_own_key() -> None:
    header = {"x-model-affinity": "from-header", "thread_id": "t-1"}
    assert resolve_affinity_id(configurable=header) == "from-header"
    assert resolve_affinity_id(configurable={**header, CONFIGURABLE_KEY: "own"}) == "own"
    with model_affinity("from-header"), model_affinity(lane="researcher"):
        assert resolve_affinity_id(configurable=header) == "from-header/researcher"
