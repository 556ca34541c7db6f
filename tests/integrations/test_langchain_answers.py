# ruff: noqa: ANN401 - a schema may be anything that LangChain takes
"""`ChatPlano`: the metadata of its answers, and the settings that its requests show."""

import json
import operator
from functools import reduce
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, dumps, load
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.runnables import AddableDict
from pydantic import BaseModel, ValidationError

from plano_agents import ChatPlano, model_affinity
from plano_agents.integrations.router_address import build_base_url
from plano_agents.testing import FakeUpstream

PLANO = {
    "model": "anthropic/claude-sonnet-4-6",
    "route": "complex_reasoning",
    "decision": "initialize",
    "reason": "first_turn",
    "affinity_id": "run-1",
    "routing_ms": 1.25,
    "upstream_ms": 300.0,
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
}


class Place(BaseModel):
    """A place on the map."""

    city: str


def test_the_answer_tells_what_the_router_said(llm: ChatPlano) -> None:
    metadata = llm.invoke("hello", affinity_id="run-1").response_metadata
    assert metadata["plano"] == PLANO
    assert metadata["model_provider"] == "plano"
    assert metadata["model_name"] == "claude-sonnet-4-6-20260217"
    assert "headers" not in metadata


def merge(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    first, *others = chunks
    return first.__add__(others)


async def test_a_streams_aggregate_holds_each_value_once(llm: ChatPlano) -> None:
    in_sync = merge(list(llm.stream("hello there", affinity_id="run-1")))
    in_async = merge([chunk async for chunk in llm.astream("hello there", affinity_id="run-1")])
    for message in (in_sync, in_async):
        assert message.content == "echo: hello there"
        assert message.response_metadata["plano"] == PLANO
        assert message.response_metadata["model_provider"] == "plano"
        assert message.response_metadata["model_name"] == "claude-sonnet-4-6-20260217"
        assert message.usage_metadata is not None
        assert message.usage_metadata["total_tokens"] == 18


def test_a_server_without_router_headers_serves_as_well(router: FakeUpstream) -> None:
    llm = ChatPlano(base_url=f"{router.url}/plain", affinity_id="run-1")
    answer = llm.invoke("hello")
    assert answer.content == "echo: hello"
    assert "plano" not in answer.response_metadata
    assert "plano" not in merge(list(llm.stream("hello"))).response_metadata


def test_raw_headers_are_kept_for_those_who_ask(router: FakeUpstream) -> None:
    llm = ChatPlano(base_url=router.url, include_response_headers=True)
    assert llm.invoke("hello").response_metadata["headers"]["x-plano-route"] == "complex_reasoning"


def test_structured_output_works_by_tool_calls_whatever_the_models_name(router: FakeUpstream) -> None:
    for model in ("gpt-4o-mini", "gpt-5-pro", "gpt-6"):
        llm = ChatPlano(model=model, base_url=router.url)
        assert llm.with_structured_output(Place).invoke("where?") == Place(city="Oslo")
    assert all(request.json["tools"] for request in router.exchanges)


@pytest.mark.parametrize("schema", [Place, Place.model_json_schema()], ids=["class", "schema"])
def test_streamed_json_schema_output_keeps_id_and_metadata(llm: ChatPlano, schema: Any) -> None:
    structured = llm.with_structured_output(schema, method="json_schema", include_raw=True)
    with model_affinity("run-1"):
        parts = [AddableDict(part) for part in structured.stream("where?")]
    result = reduce(operator.add, parts)
    assert result["parsed"] in (Place(city="Oslo"), {"city": "Oslo"})
    assert result["raw"].response_metadata["plano"] == PLANO
    assert result["raw"].response_metadata["model_name"] == "claude-sonnet-4-6-20260217"


@pytest.mark.parametrize(
    "url", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", "http://h:1/v1/v1", "http://h:1//v1//v1/"]
)
def test_the_base_url_may_end_in_v1_once_or_twice_or_not(url: str) -> None:
    assert build_base_url(url) == "http://h:1/v1"


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"'127\.0\.0\.1:12000'"):
        ChatPlano(base_url="127.0.0.1:12000")


@pytest.mark.parametrize("url", ["http://h:1/v1?x=1", "http://h:1#x", "http://", "http:///v1", "http://[::1"])
def test_an_address_that_no_path_can_follow_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own, some the standard library's
        build_base_url(url)


def test_an_address_with_a_query_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValidationError, match=r"no query.*'http://h:1/v1\?x=1'.*Leave out"):
        ChatPlano(base_url="http://h:1/v1?x=1")


def test_openai_and_langsmith_variables_are_not_read(router: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "LANGSMITH_API_KEY"):
        monkeypatch.setenv(name, "stolen")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer stolen")
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_PROXY", "LANGSMITH_GATEWAY"):
        monkeypatch.setenv(name, "http://stolen.invalid")
    monkeypatch.setenv("PLANO_BASE_URL", router.url)
    monkeypatch.setenv("PLANO_API_KEY", "client-key")
    ChatPlano().invoke("hello")
    assert router.exchanges[0].headers["authorization"] == "Bearer client-key"
    assert "stolen" not in str(router.exchanges[0].headers)


def test_without_a_model_the_body_names_none(router: FakeUpstream) -> None:
    ChatPlano(base_url=router.url).invoke("hello")
    assert "model" not in router.exchanges[0].json


def test_the_key_is_in_no_repr_error_or_serialized_form() -> None:
    llm = ChatPlano(api_key="pk-secret")
    with pytest.raises(ValidationError) as raised:
        ChatPlano(api_key="pk-secret", temperature="warm")
    assert "pk-secret" not in repr(llm) + str(raised.value) + dumps(llm)
    assert json.loads(dumps(llm))["kwargs"]["openai_api_key"]["id"] == ["PLANO_API_KEY"]


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_a_model_survives_being_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANO_API_KEY", "client-key")
    llm = ChatPlano(model="gpt-4o-mini", base_url="http://h:1", temperature=0.5)
    revived = load(dumpd(llm), allowed_objects=[ChatPlano], valid_namespaces=["plano_agents"], secrets_from_env=True)
    assert revived.asdict() == llm.asdict()
    assert revived.openai_api_key == llm.openai_api_key
    assert "include_response_headers" not in revived.model_fields_set


def test_a_cached_answer_serves_another_id(router: FakeUpstream) -> None:
    cache = InMemoryCache()
    for affinity_id in ("a", "b"):
        llm = ChatPlano(base_url=router.url, cache=cache, affinity_id=affinity_id)
        llm.invoke("hello")
        llm.invoke("hello", affinity_id=f"call-{affinity_id}")
        llm.invoke("hello", extra_headers={"X-Model-Affinity": f"header-{affinity_id}"})
    assert router.affinity_ids == ["a"]


def test_models_of_a_process_share_their_connections() -> None:
    first, second = ChatPlano(model="a"), ChatPlano(model="b", base_url="http://elsewhere")
    assert first.root_client._client is second.root_client._client
    assert first.root_async_client._client is second.root_async_client._client


def test_half_a_character_in_a_transcript_does_not_stop_the_next_request(router: FakeUpstream, llm: ChatPlano) -> None:
    llm.invoke([HumanMessage("which?"), AIMessage("this \ud83d"), HumanMessage("why?")])
    assert router.exchanges[-1].json["messages"][1]["content"] == "this \ufffd"
