"""Requests that tools make by themselves: to the router with the run's id, to others without."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import httpx2
import pytest
from langchain_core.tools import tool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import build_settings
from plano_agents.integrations.httpx import uninstrument
from tests.agent_server.conftest import Script, build_graph, connect


@dataclass
class Host:
    """Notes the ids that it is sent; where it is told an address, it sends its clients there."""

    ids: list[str | None] = field(default_factory=list)
    elsewhere: str | None = None

    async def answer(self, request: Request) -> Response:
        self.ids.append(request.headers.get(AFFINITY_HEADER))
        return RedirectResponse(self.elsewhere) if self.elsewhere else JSONResponse({})

    def build_app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "POST"])])


@pytest.fixture(autouse=True)
def nothing_stays_instrumented() -> Iterator[None]:
    yield
    uninstrument()


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_tools_request_to_the_router_carries_the_runs_id_and_to_others_none(accept: str) -> None:
    router, stranger = Host(), Host()
    async with connect(router.build_app()) as at_router, connect(stranger.build_app()) as elsewhere:
        addresses = [str(at_router.base_url), str(elsewhere.base_url)]

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
    assert sorted(map(str, router.ids)) == sorted(wanted * 4)  # two cities, two libraries
    assert set(stranger.ids) == {None}
    assert len(stranger.ids) == len(router.ids)


async def test_a_redirect_from_the_router_to_another_host_does_not_take_the_id_along() -> None:
    router, stranger = Host(), Host()
    async with connect(router.build_app()) as at_router, connect(stranger.build_app()) as elsewhere:
        router.elsewhere = str(elsewhere.base_url)

        @tool
        async def fetch(city: str) -> str:
            """Follow where the router points."""
            async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
                await client.get(f"{at_router.base_url}/v1/models")
            return city

        settings = build_settings(router_urls=[str(at_router.base_url)])
        graph = build_graph(Script(tool="fetch", cities=("Oslo",)), fetch)
        async with connect(create_app(graph, settings)) as client:
            await client.post("/agent/run", json={"input": "hi"}, headers={AFFINITY_HEADER: "mine"})
    assert (router.ids, stranger.ids) == (["mine"], [None])


async def test_the_router_is_by_default_the_one_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = Host()
    async with connect(router.build_app()) as at_router:
        monkeypatch.setenv("PLANO_BASE_URL", str(at_router.base_url))

        @tool
        async def fetch(city: str) -> str:
            """Ask the router."""
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.get(f"{at_router.base_url}/v1/models")
            return city

        graph = build_graph(Script(tool="fetch", cities=("Oslo",)), fetch)
        async with connect(create_app(graph)) as client:
            await client.post("/agent/run", json={"input": "hi"}, headers={AFFINITY_HEADER: "mine"})
    assert router.ids == ["mine"]
