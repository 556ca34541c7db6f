# ruff: noqa: ANN401 - arguments are passed on as they are
"""`ChatPlano` over real sockets: whose id a request carries, and which hint."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, ValidationError

from plano_agents import ChatPlano, PlanoError, bind_context, model_affinity
from plano_agents.affinity import derive_affinity_id
from plano_agents.errors import InvalidAffinityIdError
from plano_agents.testing import FakeUpstream
from tests.integrations.conftest import read_prompt

PLANO = {"model": "anthropic/claude-sonnet-4-6"}
THREAD: RunnableConfig = {"configurable": {"thread_id": "t-42"}}
NAMED: RunnableConfig = {"configurable": {"model_affinity_id": "config", "thread_id": "t-42"}}


class Place(BaseModel):
    """A place on the map."""

    city: str


# Every way of asking, as a function of the model, the config and further arguments.
def ask_plainly(llm: ChatPlano, config: RunnableConfig | None = None, **kwargs: Any) -> None:
    llm.invoke("hello", config, **kwargs)


def ask_for_a_stream(llm: ChatPlano, config: RunnableConfig | None = None, **kwargs: Any) -> None:
    list(llm.stream("hello", config, **kwargs))


def ask_in_a_batch(llm: ChatPlano, config: RunnableConfig | None = None, **kwargs: Any) -> None:
    llm.batch(["hello", "hello"], config, **kwargs)


Ask = Callable[..., None]
every_way = pytest.mark.parametrize("ask", [ask_plainly, ask_for_a_stream, ask_in_a_batch])


@every_way
def test_a_call_in_a_scope_carries_the_scopes_id(router: FakeUpstream, llm: ChatPlano, ask: Ask) -> None:
    with model_affinity("run-1"):
        ask(llm)
    assert set(router.affinity_ids) == {"run-1"}


@every_way
def test_without_any_id_no_header_is_sent(router: FakeUpstream, llm: ChatPlano, ask: Ask) -> None:
    ask(llm)
    assert set(router.affinity_ids) == {None}


@every_way
def test_a_thread_id_gives_its_hash_where_the_id_is_the_threads(router: FakeUpstream, ask: Ask) -> None:
    ask(ChatPlano(base_url=router.url, affinity="thread"), THREAD)
    assert set(router.affinity_ids) == {derive_affinity_id("t-42")}


@every_way
def test_a_thread_id_and_the_users_message_give_the_runs_id(router: FakeUpstream, llm: ChatPlano, ask: Ask) -> None:
    ask(llm, THREAD)
    ask(llm, THREAD)
    (affinity_id,) = set(router.affinity_ids)
    assert affinity_id is not None
    assert affinity_id.startswith("run-")


def test_an_affinity_that_is_none_is_refused(router: FakeUpstream) -> None:
    with pytest.raises(ValidationError, match="affinity"):
        ChatPlano(base_url=router.url, affinity="session")


@every_way
def test_the_call_argument_outranks_everything(router: FakeUpstream, ask: Ask) -> None:
    llm = ChatPlano(base_url=router.url, affinity_id="field")
    with model_affinity("scope"):
        ask(llm, NAMED, affinity_id="call", extra_headers={"X-Model-Affinity": "header"})
    assert set(router.affinity_ids) == {"call"}


@every_way
def test_the_callers_own_header_outranks_the_field_and_is_sent_once(router: FakeUpstream, ask: Ask) -> None:
    llm = ChatPlano(base_url=router.url, affinity_id="field")
    with model_affinity("scope"):
        ask(llm, NAMED, extra_headers={"x-MODEL-affinity": "header"})
    assert set(router.affinity_ids) == {"header"}


def test_the_field_outranks_config_and_scope(router: FakeUpstream) -> None:
    with model_affinity("scope"):
        ChatPlano(base_url=router.url, affinity_id="field").invoke("hello", NAMED)
    assert router.affinity_ids == ["field"]


def test_the_configs_id_outranks_the_scope(router: FakeUpstream, llm: ChatPlano) -> None:
    with model_affinity("scope"):
        llm.invoke("hello", NAMED)
    assert router.affinity_ids == ["config"]


def test_the_scope_outranks_the_thread(router: FakeUpstream, llm: ChatPlano) -> None:
    with model_affinity("scope"):
        llm.invoke("hello", THREAD)
    assert router.affinity_ids == ["scope"]


def test_bound_models_pass_their_id_on(router: FakeUpstream, llm: ChatPlano) -> None:
    llm.bind(affinity_id="bound").invoke("hello")
    llm.bind_tools([Place], affinity_id="tools").invoke("hello")
    llm.with_structured_output(Place, affinity_id="structured").invoke("hello")
    llm.with_config(configurable={"model_affinity_id": "configured"}).invoke("hello")
    assert router.affinity_ids == ["bound", "tools", "structured", "configured"]


def test_an_affinity_header_among_the_default_headers_counts_as_the_field(router: FakeUpstream) -> None:
    llm = ChatPlano(base_url=router.url, default_headers={"x-model-affinity": "default", "X-Team": "search"})
    llm.invoke("hello")
    llm.invoke("hello", affinity_id="call")
    assert router.affinity_ids == ["default", "call"]
    assert router.exchanges[0].headers["x-team"] == "search"


def test_the_argument_never_reaches_the_body(router: FakeUpstream, llm: ChatPlano) -> None:
    llm.invoke("hello", affinity_id="call")
    llm.generate([[HumanMessage("hello")]], affinity_id="call")
    list(llm.stream("hello", affinity_id="call"))
    assert not [request for request in router.exchanges if "affinity_id" in request.json]


def test_generate_takes_the_id_too(router: FakeUpstream, llm: ChatPlano) -> None:
    with model_affinity("run-1"):
        llm.generate([[HumanMessage("hello")], [HumanMessage("again")]])
    llm.generate([[HumanMessage("hello")]], affinity_id="call")
    assert router.affinity_ids == ["run-1", "run-1", "call"]


def test_a_stream_read_after_its_scope_still_belongs_to_it(router: FakeUpstream, llm: ChatPlano) -> None:
    with model_affinity("run-1"):
        stream = llm.stream("hello")
    list(stream)
    assert router.affinity_ids == ["run-1"]


def test_a_stream_asked_for_outside_a_scope_takes_none_from_its_reader(router: FakeUpstream, llm: ChatPlano) -> None:
    stream = llm.stream("hello")
    with model_affinity("reader"):
        list(stream)
    assert router.affinity_ids == [None]


def test_interleaved_streams_keep_their_own_ids(router: FakeUpstream, llm: ChatPlano) -> None:
    with model_affinity("a"):
        first = llm.stream("of a")
    with model_affinity("b"):
        second = llm.stream("of b")
    for _ in zip(second, first, strict=True):
        pass
    assert {read_prompt(request): request.affinity_id for request in router.exchanges} == {
        "of a": "a",
        "of b": "b",
    }


async def test_asynchronous_calls_carry_the_scopes_id(router: FakeUpstream, llm: ChatPlano) -> None:
    async with model_affinity("run-1"):
        await llm.ainvoke("hello")
        await llm.abatch(["hello", "hello"])
        await llm.agenerate([[HumanMessage("hello")]])
        [chunk async for chunk in llm.astream("hello")]
        [event async for event in llm.astream_events("hello")]
    assert router.affinity_ids == ["run-1"] * 6


async def test_asynchronous_calls_awaited_after_their_scope_still_belong_to_it(
    router: FakeUpstream, llm: ChatPlano
) -> None:
    with model_affinity("run-1"):
        answer, stream, events = llm.ainvoke("hello"), llm.astream("hello"), llm.astream_events("hello")
    await answer
    [chunk async for chunk in stream]
    [event async for event in events]
    assert router.affinity_ids == ["run-1"] * 3


def test_bind_context_carries_the_scope_into_a_bare_thread(
    router: FakeUpstream, llm: ChatPlano, in_thread: Callable[[Callable[[], object]], None]
) -> None:
    with model_affinity("run-1"):
        in_thread(lambda: llm.invoke("hello"))
        in_thread(bind_context(lambda: llm.invoke("hello")))
    assert router.affinity_ids == [None, "run-1"]


def test_a_bad_id_is_refused_before_anything_is_sent(router: FakeUpstream, llm: ChatPlano) -> None:
    with pytest.raises(InvalidAffinityIdError, match="visible ASCII"):
        llm.stream("hello", affinity_id="two words")
    with pytest.raises(PlanoError):
        ChatPlano(affinity_id="")
    assert router.exchanges == []


def test_the_transcripts_model_is_sent_as_a_hint(router: FakeUpstream, llm: ChatPlano) -> None:
    question = HumanMessage("hello")
    answer = llm.invoke([question], affinity_id="run-1")
    llm.invoke([question, answer, HumanMessage("and now?")], affinity_id="run-1")
    assert [request.headers.get("x-model-affinity-hint") for request in router.exchanges] == [
        None,
        "anthropic/claude-sonnet-4-6",
    ]


@pytest.mark.parametrize(
    ("metadata", "kwargs", "expected"),
    [
        ({"model_provider": "plano", "plano": PLANO}, {}, None),
        ({"model_provider": "openai", "plano": PLANO}, {"affinity_id": "run-1"}, None),
        ({"model_provider": "plano", "plano": {"model": "a\r\nb"}}, {"affinity_id": "run-1"}, None),
        (
            {"model_provider": "plano", "plano": PLANO},
            {"affinity_id": "run-1", "extra_headers": {"x-model-affinity-hint": "openai/gpt-4o"}},
            "openai/gpt-4o",
        ),
    ],
    ids=["no id", "another provider's answer", "an unusable name", "the caller's own"],
)
def test_no_hint_replaces(
    router: FakeUpstream,
    llm: ChatPlano,
    metadata: dict[str, Any],
    kwargs: dict[str, Any],
    expected: str | None,
) -> None:
    llm.invoke([HumanMessage("hi"), AIMessage("yes?", response_metadata=metadata), HumanMessage("go")], **kwargs)
    assert router.exchanges[0].headers.get("x-model-affinity-hint") == expected
