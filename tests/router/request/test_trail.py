"""The trail of a request, as observers get it once it is over."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import ConnectTimeoutError
from plano_agents.protocol.usage import Tokens
from plano_agents.router.request.story import ProxyRequest, Story
from plano_agents.router.request.surfaces import CHAT, Endpoint
from plano_agents.router.request.trail import Trail, Try, measure_phases
from plano_agents.sessions.pin import SessionKey
from tests.router.conftest import (
    CHUNKS,
    CLAUDE,
    GPT,
    SSE,
    Choose,
    MemoryResponse,
    MemoryUpstream,
    ask,
    build_config,
    build_service,
    chat,
)

ID = ("x-model-affinity", "run-1")
BOTH = build_config(GPT, CLAUDE)
COUNTED = (
    b'{"choices":[{}],"usage":{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":5}}}'
)


async def observe(upstream: MemoryUpstream, *headers: tuple[str, str], body: bytes | None = None) -> Trail:
    """Ask once, and give what the observer was shown."""
    seen: list[Trail] = []
    await ask(build_service(BOTH, upstream, strategy=Choose("talk"), observe=seen.append), body, *headers)
    (trail,) = seen
    return trail


async def test_a_request_is_shown_with_its_session_decision_and_ranking() -> None:
    trail = await observe(MemoryUpstream(), ID)
    assert (trail.path, trail.session, trail.status) == ("/v1/chat/completions", SessionKey("", "run-1"), 200)
    assert trail.decision is not None
    assert (trail.decision.model, trail.decision.reason) == (GPT, "first_turn")
    assert trail.ranking is not None
    assert trail.ranking.strategy == "told"


async def test_a_pinned_request_is_shown_without_a_ranking() -> None:
    seen: list[Trail] = []
    service = build_service(BOTH, MemoryUpstream(), strategy=Choose("talk"), observe=seen.append)
    await ask(service, None, ID)
    await ask(service, None, ID)
    assert [trail.ranking is None for trail in seen] == [False, True]


async def test_what_an_answer_cost_is_shown_with_or_without_a_session() -> None:
    for headers in ([], [ID]):
        trail = await observe(MemoryUpstream(MemoryResponse(pieces=(COUNTED,))), *headers)
        assert trail.tokens == Tokens(7, 3, 5)


async def test_every_sending_is_shown_in_order() -> None:
    upstream = MemoryUpstream(MemoryResponse(status=503), ConnectTimeoutError("late"), MemoryResponse())
    trail = await observe(upstream)
    assert [(each.model, each.status, each.failure) for each in trail.tries] == [
        (GPT, 503, None),
        (GPT, None, "upstream_connect_timeout"),
        (GPT, 200, None),
    ]


async def test_a_refused_request_is_shown_with_the_code_that_the_client_was_told() -> None:
    trail = await observe(MemoryUpstream(), body=b"[]")
    assert (trail.status, trail.failure, trail.decision) == (400, "invalid_request", None)


async def test_a_stream_that_was_cut_is_shown_as_a_failure() -> None:
    cut = MemoryResponse(headers=SSE, pieces=(CHUNKS[0],))
    trail = await observe(MemoryUpstream(cut), body=chat(stream=True))
    assert (trail.streams, trail.status, trail.failure) == (True, 200, "upstream_protocol_error")


async def test_a_client_that_left_is_shown() -> None:
    seen: list[Trail] = []
    service = build_service(BOTH, MemoryUpstream(), observe=seen.append)

    async def leave() -> None:
        async with Story(service, Endpoint(CHAT), ProxyRequest((), chat())):
            raise asyncio.CancelledError

    await asyncio.gather(leave(), return_exceptions=True)
    assert [trail.client_left for trail in seen] == [True]


times = st.floats(0, 1_000)


@given(
    spans=st.tuples(times, times, times, times),
    tries=st.lists(st.floats(0, 0.3), max_size=3),
    streams=st.booleans(),
)
def test_the_phases_of_a_request_add_up_to_all_of_it(
    spans: tuple[float, float, float, float], tries: list[float], *, streams: bool
) -> None:
    routing, upstream, first, rest = spans
    trail = Trail("", "/", 0.0, 0.0, streams=streams, routing_ms=routing, upstream_ms=upstream)
    trail.noted = tuple(Try("m", 200, None, upstream * share) for share in tries)
    trail.first_ms = routing + upstream + first if streams else None
    trail.duration_ms = routing + upstream + first + rest
    phases = measure_phases(trail)
    assert sum(phases.values()) == pytest.approx(trail.duration_ms)
    assert all(value >= -1e-9 for value in phases.values())
    last = ["first_bytes", "streaming"] if streams else ["writing"]
    assert list(phases) == ["routing", "fitting", "provider", *last]


def test_of_a_request_that_was_refused_there_is_one_phase() -> None:
    trail = Trail("", "/", 0.0, 0.0, duration_ms=3.0)
    assert measure_phases(trail) == {"refusing": 3.0}
