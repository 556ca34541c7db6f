import asyncio
import json
import logging

import pytest

from plano_agents.config.model import Preference
from plano_agents.config.options import CostSource, LatencySource
from plano_agents.errors import UpstreamError, UpstreamUnreachableError
from plano_agents.protocol.openai_chat import parse_head
from plano_agents.protocol.request_body import RequestBody
from plano_agents.router.measurements import RETRY_SECONDS, Measurements
from plano_agents.router.request.choice import Choice
from plano_agents.router.request.chooser import Chooser
from plano_agents.routing.candidates import ModelMetrics
from tests.router.conftest import CLAUDE, GPT, Choose, build_config

CATALOG = json.dumps(
    {
        "openai": {"models": {"gpt-4o": {"cost": {"input": 2.5, "output": 10}}}},
        "anthropic": {"models": {"claude-sonnet-4-6": {"cost": {"input": 3, "output": 15}}}},
    }
).encode()
SERIES = json.dumps({"data": {"result": [{"metric": {"model_name": "gpt-4o"}, "value": [0, "2.5"]}]}}).encode()
COST = CostSource("cost", "models.dev", "http://prices.test/api.json", refresh_interval=300)
LATENCY = LatencySource("latency", "prometheus", "http://prometheus.test", "p50", refresh_interval=30)


class Source:
    """Gives the answers it holds, in order, and stops the watch when there are no more."""

    def __init__(self, *answers: bytes | UpstreamError) -> None:
        self.answers = list(answers)
        self.waits: list[float] = []

    async def fetch(self, _: str) -> bytes:
        answer = self.answers.pop(0)
        if isinstance(answer, UpstreamError):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if not self.answers:
            await asyncio.Event().wait()


async def watch(measurements: Measurements, source: Source) -> None:
    """Watch until every answer was taken."""
    task = asyncio.create_task(measurements.watch())
    while source.answers or not source.waits:
        await asyncio.wait({task}, timeout=0.01)
    task.cancel()
    await asyncio.wait({task})


async def test_prices_and_latencies_are_known_once_their_sources_have_answered() -> None:
    cost, latency = Source(CATALOG), Source(SERIES)
    for source, configured in ((cost, COST), (latency, LATENCY)):
        measurements = Measurements([configured], source.fetch, sleep=source.sleep)
        await watch(measurements, source)
        assert GPT in measurements.metrics or "gpt-4o" in measurements.metrics


async def test_a_source_is_asked_again_after_its_interval() -> None:
    source = Source(CATALOG, CATALOG)
    await watch(Measurements([COST], source.fetch, sleep=source.sleep), source)
    assert source.waits[0] == 300


@pytest.mark.parametrize("failure", [UpstreamUnreachableError("down"), b"<html>"])
async def test_a_source_that_fails_keeps_its_last_answer_and_is_asked_again_soon(
    failure: UpstreamError | bytes,
) -> None:
    source = Source(CATALOG, failure)
    measurements = Measurements([COST], source.fetch, sleep=source.sleep)
    await watch(measurements, source)
    assert measurements.metrics[GPT].input_usd_per_million == 2.5
    assert source.waits == [300, RETRY_SECONDS]


async def test_a_failure_is_one_line_when_it_begins_and_one_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    down = UpstreamUnreachableError("down")
    source = Source(down, down, down, CATALOG)
    with caplog.at_level(logging.WARNING):
        await watch(Measurements([COST], source.fetch, sleep=source.sleep), source)
    assert [record.getMessage() for record in caplog.records] == [
        "model_metrics_sources: models.dev: down",
        "model_metrics_sources: models.dev answers again",
    ]


@pytest.mark.parametrize(("prefer", "first"), [("cheapest", GPT), ("fastest", CLAUDE), ("none", CLAUDE)])
async def test_a_route_is_ordered_by_what_is_known_now(prefer: str, first: str) -> None:
    preference = Preference("work", "any work", (CLAUDE, GPT), prefer)  # type: ignore[arg-type]  # one of the three
    known = {GPT: ModelMetrics(2.5, 10, 9.0), CLAUDE: ModelMetrics(3, 15, 1.0)}
    config = build_config(GPT, CLAUDE, preferences=(preference,))
    choice = Choice(Chooser(config, Choose("work"), lambda: known), RequestBody(b'{"messages":[]}', parse_head))
    assert (await choice.route()).model == first
