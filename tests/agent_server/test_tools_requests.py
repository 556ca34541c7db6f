"""Requests that tools make by themselves: to the router with the run's id, to others without."""

import asyncio
from collections.abc import Iterator

import httpx
import httpx2
import pytest
from langchain_core.tools import tool

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import build_settings
from plano_agents.integrations.httpx import uninstrument
from plano_agents.testing import FakeUpstream, give
from tests.agent_server.conftest import Script, build_graph, connect

ANSWER = give({})


@pytest.fixture(autouse=True)
def nothing_stays_instrumented() -> Iterator[None]:
    yield
    uninstrument()


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_tools_request_to_the_router_carries_the_runs_id_and_to_others_none(accept: str) -> None:
    async with FakeUpstream(ANSWER) as router, FakeUpstream(ANSWER) as stranger:
        addresses = [router.url, stranger.url]

        @tool
        async def fetch(city: str) -> str:
            """Ask both by themselves, with each library."""
            for library in (httpx, httpx2):
                async with library.AsyncClient(trust_env=False) as client:
                    for address in addresses:
                        await client.get(f"{address}/v1/models?city={city}")
            return city

        @tool
        def fetch_in_a_thread(city: str) -> str:
            """The same, synchronously."""
            for library in (httpx, httpx2):
                with library.Client(trust_env=False) as client:
                    for address in addresses:
                        client.get(f"{address}/v1/models?city={city}")
            return city

        settings = build_settings(router_urls=[addresses[0]])
        for name in ("fetch", "fetch_in_a_thread"):
            graph = build_graph(Script(tool=name), fetch, fetch_in_a_thread)
            async with connect(create_app(graph, settings)) as client:
                answers = await asyncio.gather(
                    *(
                        client.post(
                            "/agent/run",
                            json={"input": "hi"},
                            headers={AFFINITY_HEADER: f"{name}-{number}", "accept": accept},
                        )
                        for number in range(3)
                    )
                )
                assert {answer.status_code for answer in answers} == {200}
    wanted = [f"{name}-{number}" for name in ("fetch", "fetch_in_a_thread") for number in range(3)]
    assert sorted(map(str, router.affinity_ids)) == sorted(wanted * 4)  # two cities, two libraries
    assert set(stranger.affinity_ids) == {None}
    assert len(stranger.affinity_ids) == len(router.affinity_ids)


async def test_a_redirect_from_the_router_to_another_host_does_not_take_the_id_along() -> None:
    async with (
        FakeUpstream(ANSWER) as stranger,
        FakeUpstream(give(b"", status=307, headers={"location": stranger.url})) as router,
    ):

        @tool
        async def fetch(city: str) -> str:
            """Follow where the router points."""
            async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
                await client.get(f"{router.url}/v1/models")
            return city

        settings = build_settings(router_urls=[router.url])
        graph = build_graph(Script(tool="fetch", cities=("Oslo",)), fetch)
        async with connect(create_app(graph, settings)) as client:
            await client.post("/agent/run", json={"input": "hi"}, headers={AFFINITY_HEADER: "mine"})
    assert (router.affinity_ids, stranger.affinity_ids) == (["mine"], [None])


async def test_the_router_is_by_default_the_one_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with FakeUpstream(ANSWER) as router:
        monkeypatch.setenv("PLANO_BASE_URL", router.url)

        @tool
        async def fetch(city: str) -> str:
            """Ask the router."""
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.get(f"{router.url}/v1/models")
            return city

        graph = build_graph(Script(tool="fetch", cities=("Oslo",)), fetch)
        async with connect(create_app(graph)) as client:
            await client.post("/agent/run", json={"input": "hi"}, headers={AFFINITY_HEADER: "mine"})
    assert router.affinity_ids == ["mine"]
