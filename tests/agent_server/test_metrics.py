"""The agent server's metrics."""

import asyncio

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.agent_server.conftest import Script, build_graph, call_app


async def read_page(client: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    response = await client.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_runs_turns_and_switches_are_counted() -> None:
    async with call_app(build_graph(Script(models=("gpt-4o", "gpt-4o-mini"), tool="shout"))) as client:
        await client.post("/agent/run", json={"input": "hi"})
        page = await read_page(client)
    assert page["plano_agent_runs_total", "done"] == 1
    assert page["plano_agent_turns_total",] == 2
    assert page["plano_agent_switches_total",] == 1
    assert page["plano_agent_run_duration_seconds_count",] == 1
    assert page["plano_agent_requests_total", "/agent/run", "2xx"] == 1


async def test_runs_that_fail_or_are_cancelled_are_counted_by_what_ended_them() -> None:
    async def fail() -> None:
        raise KeyError

    async def hang() -> None:
        await asyncio.Event().wait()

    for wait, outcome in ((fail, "internal_error"), (hang, "cancelled")):
        async with call_app(build_graph(Script(wait=wait)), run_seconds=0.05) as client:
            await client.post("/agent/run", json={"input": "hi"})
            page = await read_page(client)
        assert page["plano_agent_runs_total", outcome] == 1
        assert page["plano_agent_runs_in_flight",] == 0


async def test_requests_are_counted_by_the_routes_path_and_never_by_what_stands_in_it() -> None:
    async with call_app(build_graph(Script())) as client:
        for path in ("/threads/t-1", "/threads/t-2", "/nowhere/1", "/nowhere/2"):
            await client.get(path)
        page = await read_page(client)
    found = {key[1:]: value for key, value in page.items() if key[0] == "plano_agent_requests_total"}
    assert found == {("/threads/{thread_id}", "4xx"): 2, ("other", "4xx"): 2}
