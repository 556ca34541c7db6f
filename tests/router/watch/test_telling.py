"""Requests that are over are told to observers together, in order, and none is lost."""

import asyncio
import logging
import sys
import time
from functools import partial

import httpx
import pytest

from plano_agents import processes
from plano_agents.http.client.client import HttpUpstream
from plano_agents.router.app import Router
from plano_agents.router.request.sampling import Trace
from plano_agents.router.request.trail import Trail
from plano_agents.router.watch.inspector.history import History
from plano_agents.router.watch.request_log import RequestLine
from plano_agents.router.watch.telling import MAX_GATHERED, Telling, forget_traces
from plano_agents.sessions.pin import Decision
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import GPT, build_config


def build_trail(name: str) -> Trail:
    return Trail(name, "/", 0, 0)


async def test_several_observers_are_told_of_all_requests_in_order() -> None:
    seen: list[str] = []
    told = asyncio.Event()

    telling = Telling(
        [
            lambda trails: seen.extend(f"first {each.trace_id}" for each in trails),
            lambda trails: seen.extend(f"second {each.trace_id}" for each in trails),
            lambda _: told.set(),
        ]
    )
    for name in "ab":
        telling.add(build_trail(name))
    assert not seen
    await told.wait()
    assert seen == ["first a", "first b", "second a", "second b"]


async def test_who_reads_has_them_told_before() -> None:
    seen: list[Trail] = []
    telling = Telling([seen.extend], gather_seconds=3600)
    telling.add(build_trail("a"))
    telling.tell()
    telling.tell()
    assert [each.trace_id for each in seen] == ["a"]


async def test_as_many_as_may_be_gathered_are_told_at_once() -> None:
    told: list[int] = []
    telling = Telling([lambda trails: told.append(len(trails))], gather_seconds=3600)
    for number in range(2 * MAX_GATHERED + 1):
        telling.add(build_trail(str(number)))
    assert told == [MAX_GATHERED, MAX_GATHERED]


def test_who_remembers_a_request_holds_nothing_of_what_its_spans_were_made_of() -> None:
    trace = Trace("a" * 32, None, is_sampled=True, clock=time.monotonic, request=b"a whole request")
    trail, remembered = build_trail("a"), History()
    trail.trace = trace
    trail.decision = Decision(GPT, None, "retain", "pinned")
    for observe in (partial(remembered.keep, prices={}), forget_traces):
        observe([trail])
    session = remembered.find(("", None))
    assert session is not None
    assert session.kept == [trail]
    assert sys.getrefcount(trace) == 2, "held here, and by who counts"


async def test_nothing_that_is_over_is_missing_where_somebody_reads_or_the_router_stops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The router gathers for an hour: the metrics and the inspector still have all, and at the end the log."""
    caplog.set_level(logging.INFO, "plano_agents")
    listener = processes.bind("127.0.0.1", 0)
    host, port = listener.getsockname()[:2]
    upstream = HttpUpstream()
    router = Router(build_config(GPT), upstream, gather_seconds=3600)
    path, asked = "/v1/chat/completions", {"model": "openai/gpt-unknown", "messages": []}
    async with (
        processes.running([processes.Site(router, listener)]),
        httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=PATIENCE_SECONDS) as client,
    ):
        await client.post(path, json=asked)
        counted = f'plano_requests_total{{endpoint="{path}",status="4xx"}} 1.0'
        assert counted in (await client.get("/metrics")).text
        await client.post(path, json=asked)
        totals = (await client.get("/inspector/api/sessions")).json()["totals"]
        assert totals["counts"]["turns"] == 2
        await client.post(path, json=asked)
    await router.aclose()
    await upstream.close()
    assert len([each for each in caplog.records if isinstance(each.msg, RequestLine)]) == 3
