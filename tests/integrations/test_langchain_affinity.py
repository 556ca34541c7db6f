# ruff: noqa: ANN401 - a model is any of four classes
"""`ModelAffinityMixin` on other chat models, against a real router."""

import json
import uuid
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_deepseek import ChatDeepSeek
from langchain_openai import ChatOpenAI
from langchain_xai import ChatXAI
from pydantic import SecretStr, ValidationError

from plano_agents import ModelAffinityMixin, model_affinity
from plano_agents.affinity import derive_affinity_id
from plano_agents.testing import FakeUpstream
from tests.integrations.router_view import RouterView


class StickyChatOpenAI(ModelAffinityMixin, ChatOpenAI):
    """OpenAI's."""


class StickyChatAnthropic(ModelAffinityMixin, ChatAnthropic):
    """Anthropic's."""


class StickyChatDeepSeek(ModelAffinityMixin, ChatDeepSeek):
    """DeepSeek's."""


class StickyChatXAI(ModelAffinityMixin, ChatXAI):
    """xAI's."""


OPENAI_LIKE = [
    (StickyChatOpenAI, "base_url"),
    (StickyChatDeepSeek, "api_base"),
    (StickyChatXAI, "xai_api_base"),
]


EVERY = [*OPENAI_LIKE, (StickyChatAnthropic, "base_url")]


def build(kind: Any, address: str, url: str) -> Any:
    """A model of another package, behind a router."""
    url = url.removesuffix("/v1") if kind is StickyChatAnthropic else url
    return kind(model="anthropic/claude-sonnet-4-6", api_key=SecretStr("none"), **{address: url})


@pytest.fixture(params=EVERY, ids=lambda param: param[0].__name__)
def llm(request: pytest.FixtureRequest, offline_router: str) -> Any:
    kind, address = request.param
    return build(kind, address, offline_router)


@pytest.fixture
def view(offline_router: str) -> RouterView:
    return RouterView(offline_router)


@pytest.fixture
def affinity_id() -> str:
    return str(uuid.uuid4())


def test_every_way_of_asking_carries_the_scopes_id(llm: Any, view: RouterView, affinity_id: str) -> None:
    unnamed = view.count_unnamed()
    with model_affinity(affinity_id):
        assert llm.invoke("hello").text
        llm.batch(["hello", "hello"])
        assert "".join(chunk.text for chunk in llm.stream("hello"))
        llm.generate([[HumanMessage("hello")]])
        lazy = llm.stream("hello")
    list(lazy)
    assert (view.turns(affinity_id), view.count_unnamed()) == (6, unnamed)


async def test_every_asynchronous_way_does_so_too(view: RouterView, affinity_id: str) -> None:
    unnamed = view.count_unnamed()
    models = [build(kind, address, view.url) for kind, address in EVERY]
    async with model_affinity(affinity_id):
        for llm in models:
            await llm.ainvoke("hello")
            [chunk async for chunk in llm.astream("hello")]
            [event async for event in llm.astream_events("hello")]
    assert (view.turns(affinity_id), view.count_unnamed()) == (12, unnamed)
    for llm in models:  # they would keep their connections beyond the event loop
        client = llm._async_client if isinstance(llm, ChatAnthropic) else llm.async_client._client
        await client.close()


def test_tools_and_structured_output_carry_it_too(llm: Any, view: RouterView, affinity_id: str) -> None:
    def weather(city: str) -> str:
        """Weather in a city."""
        return city

    llm.bind_tools([weather], affinity_id=affinity_id).invoke("The weather in Rome?")
    schema = {"title": "place", "description": "A place.", "type": "object", "properties": {}}
    llm.with_structured_output(schema, method="function_calling").invoke("where?", affinity_id=affinity_id)
    assert view.turns(affinity_id) == 2


def test_the_order_of_precedence_is_chat_planos(llm: Any, view: RouterView, affinity_id: str) -> None:
    config = {"configurable": {"model_affinity_id": f"{affinity_id}-config", "thread_id": affinity_id}}
    with model_affinity(f"{affinity_id}-scope"):
        llm.invoke("hello", config, affinity_id=f"{affinity_id}-call")
        llm.invoke("hello", config, extra_headers={"x-model-affinity": f"{affinity_id}-header"})
        llm.invoke("hello", config)
        llm.invoke("hello")
    thread = {"configurable": {"thread_id": affinity_id}}
    llm.invoke("hello", thread)
    llm.model_copy(update={"affinity": "thread"}).invoke("hello", thread)
    kinds = ("call", "header", "config", "scope")
    assert [view.turns(f"{affinity_id}-{kind}") for kind in kinds] == [1] * 4
    assert view.turns(derive_affinity_id(affinity_id)) == 1
    assert view.turns(derive_affinity_id(affinity_id, "hello")) == 1


def test_a_field_outranks_the_scope_and_is_checked(router: FakeUpstream) -> None:
    llm = StickyChatOpenAI(model="m", base_url=f"{router.url}/v1", api_key=SecretStr("k"), affinity_id="field")
    with model_affinity("scope"):
        llm.invoke("hello")
    assert router.affinity_ids == ["field"]
    with pytest.raises(ValidationError, match="affinity_id"):
        StickyChatOpenAI(model="m", api_key=SecretStr("k"), affinity_id=42)


def test_an_affinity_header_among_the_default_headers_counts_as_the_field(router: FakeUpstream) -> None:
    headers = {"x-model-affinity": "default", "X-Team": "search"}
    llm = StickyChatOpenAI(model="m", base_url=f"{router.url}/v1", api_key=SecretStr("k"), default_headers=headers)
    llm.invoke("hello")
    llm.invoke("hello", affinity_id="call")
    assert router.affinity_ids == ["default", "call"]
    assert router.exchanges[1].headers["x-team"] == "search"


@pytest.mark.parametrize(("kind", "address"), OPENAI_LIKE, ids=lambda value: getattr(value, "__name__", None))
def test_an_answer_that_keeps_its_headers_is_hinted_at(router: FakeUpstream, kind: Any, address: str) -> None:
    options = {address: f"{router.url}/v1", "api_key": SecretStr("k"), "include_response_headers": True}
    llm = kind(model="m", **options)
    question = HumanMessage("hello")
    answer = llm.invoke([question], affinity_id="run-1")
    llm.invoke([question, answer, question], affinity_id="run-1")
    hints = [request.headers.get("x-model-affinity-hint") for request in router.exchanges]
    assert hints == [None, "anthropic/claude-sonnet-4-6"]


def test_the_id_is_in_no_body_and_no_serialized_form(router: FakeUpstream) -> None:
    llm = StickyChatOpenAI(model="m", base_url=f"{router.url}/v1", api_key=SecretStr("k"), affinity_id="field")
    llm.invoke("hello")
    assert "affinity" not in json.dumps(router.exchanges[0].json) + json.dumps(llm.model_dump(), default=str)


def test_a_model_that_builds_requests_otherwise_is_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match=r"Sticky: .*_get_request_payload.*instrument\(\)"):

        class Sticky(ModelAffinityMixin, FakeListChatModel):
            """No SDK underneath."""
