"""Two replicas on one Redis while deployments of a model fail in turn: sessions keep it while one of them answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from plano_agents.config.model import Config, Deployment, Preference, Retries
from plano_agents.errors import FirstByteTimeoutError, UpstreamUnreachableError
from plano_agents.http.client import UpstreamRequest
from plano_agents.router.request.service import Service
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.pinning import Pinning
from tests.faults.redis_server import RedisServer
from tests.router.conftest import Choose, MemoryResponse, MemoryUpstream, ask, build_model, build_service, chat
from tests.sessions.conftest import server, share

__all__ = ["server"]

MODEL, OTHER = "openai/first", "openai/second"
PLACES = ("eu", "us", "asia")
SESSIONS = [f"run-{number}" for number in range(12)]

FAULTS: dict[str, Callable[[], MemoryResponse | Exception]] = {
    "500": lambda: MemoryResponse(500),
    "503": lambda: MemoryResponse(503),
    "429": lambda: MemoryResponse(429),
    "429 for long": lambda: MemoryResponse(429, {"retry-after": "3000"}),
    "401": lambda: MemoryResponse(401),
    "403": lambda: MemoryResponse(403),
    "no connection": lambda: UpstreamUnreachableError("down"),
    "silence": lambda: FirstByteTimeoutError("late"),
}


class Upstream(MemoryUpstream):
    """Answers at every deployment that is not down; the one that is fails in its way, a step of the loop later."""

    def __init__(self) -> None:
        super().__init__()
        self.down: set[str] = set()
        self.fault = FAULTS["503"]

    async def send(self, request: UpstreamRequest) -> MemoryResponse:
        self.requests.append(request)
        await asyncio.sleep(0)
        if request.url.split("/")[2].partition(".")[0] not in self.down:
            return MemoryResponse()
        came = self.fault()
        if isinstance(came, Exception):
            raise came
        return came


class Replicas:
    """Two routers on one store, and one provider with several deployments."""

    def __init__(self, pinnings: list[Pinning]) -> None:
        self.upstream = Upstream()
        first, second = build_model(MODEL), build_model(OTHER)
        places = tuple(Deployment(name, f"https://{name}.api.openai.com") for name in PLACES)
        self.pinnings = pinnings
        config = Config(
            models=(build_model(MODEL, deployments=places), second),
            preferences=(Preference("work", "any work", (first.name, second.name)),),
            retries=Retries(max_per_candidate=0),
        )
        self.services: list[Service] = [
            build_service(config, self.upstream, strategy=Choose("work"), pinning=each) for each in pinnings
        ]

    async def serve_all(self) -> set[tuple[str, str]]:
        """Let every session ask both replicas at once; the models that answered, and what was decided."""
        turns = [ask(service, chat(), ("x-model-affinity", name)) for name in SESSIONS for service in self.services]
        seen = await asyncio.gather(*turns)
        assert {each.status for each in seen} == {200}
        return {(each.headers["x-plano-model"], each.headers["x-plano-affinity"]) for each in seen}

    async def find_places(self) -> list[tuple[str, str | None]]:
        """The place that each session is pinned to, as both replicas see it."""
        found = []
        for name in SESSIONS:
            pins = []
            for pinning in self.pinnings:
                session, _ = await pinning.store.find(SessionKey("", name))
                assert session is not None
                pins.append((session.pin.model, session.pin.deployment))
            assert pins[0] == pins[1]
            found.append(pins[0])
        return found

    @property
    def violations(self) -> list[int]:
        return [pinning.ledger.violations for pinning in self.pinnings]


@asynccontextmanager
async def start(url: str) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(share(url, timeout_seconds=30)) for _ in range(2)]
        yield Replicas([Pinning(store, Ledger(max_entries=1_000, is_shared=True)) for store in stores])


@pytest.mark.parametrize("fault", FAULTS)
async def test_through_a_rolling_outage_of_all_deployments_no_session_leaves_its_model(
    server: RedisServer,
    fault: str,
) -> None:
    async with start(server.url) as replicas:
        replicas.upstream.fault = FAULTS[fault]
        told = await replicas.serve_all()
        for up in (*PLACES, *PLACES):
            replicas.upstream.down = {*PLACES} - {up}
            if fault == "429 for long" and up != PLACES[0]:
                break  # those that were limited want no requests now, and get none
            told |= await replicas.serve_all()
            assert await replicas.find_places() == [(MODEL, up)] * len(SESSIONS)
    assert {model for model, _ in told} == {MODEL}
    decisions = {decision.partition(";")[0] for _, decision in told}
    assert decisions == {"initialize", "retain"}
    assert replicas.violations == [0, 0]


async def test_when_no_deployment_answers_the_sessions_move_to_another_model_and_stay(
    server: RedisServer,
) -> None:
    async with start(server.url) as replicas:
        await replicas.serve_all()
        replicas.upstream.down = {*PLACES}
        told = await replicas.serve_all()
        assert {decision for _, decision in told} <= {
            "switch; reason=upstream_failed; because=status 503",
            "switch; reason=upstream_failed; because=circuit breaker open",
            "retain; reason=pinned",
        }
        assert {model for model, _ in told} == {OTHER}
        replicas.upstream.down = set()
        assert await replicas.serve_all() == {(OTHER, "retain; reason=pinned")}
    assert replicas.violations == [0, 0]


async def test_new_sessions_are_spread_over_the_deployments_and_both_replicas_agree(
    server: RedisServer,
) -> None:
    async with start(server.url) as replicas:
        await replicas.serve_all()
        places = await replicas.find_places()
    assert {place for _, place in places} == {*PLACES}
    assert replicas.violations == [0, 0]
