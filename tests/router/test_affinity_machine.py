"""The whole machine against the contract: any sequence of requests, failures, waits, configurations and unpins.

What is compared after each step: whatever the caller was told, what is pinned, for how long, and why it moved. No
affinity may ever be violated.
"""

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plano_agents.config.model import Breaker, Config, Deployment, Model, ModelProfile, Preference, Retries, Routing
from plano_agents.config.options import SessionCache
from plano_agents.errors import FirstByteTimeoutError
from plano_agents.http.client import UpstreamRequest
from plano_agents.router.request.answer import Answer
from plano_agents.router.request.deployments import draw
from plano_agents.router.request.service import Service
from plano_agents.router.request.story import ProxyRequest, Story
from plano_agents.router.request.surfaces import CHAT, Endpoint
from plano_agents.routing.strategy import Ranking
from plano_agents.routing.text import Utterance
from plano_agents.sessions.at_once import run_at_once
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.pinning import Pinning
from tests.router.affinity_contract import TTL, Contract, Key, Pin, Request, Told
from tests.router.conftest import (
    CHUNKS,
    SSE,
    Clock,
    MemoryResponse,
    MemoryUpstream,
    build_model,
    build_service,
)

T = TypeVar("T")

MODELS = ("openai/a", "openai/b", "openai/c", "openai/d")
ROUTES = {
    "code": ("openai/b", "openai/c", "openai/a"),
    "talk": ("openai/d", "openai/b"),
    "solo": ("openai/c",),
}
BLIND = frozenset({"openai/b", "openai/d"})
ENDLESS = frozenset({"openai/a", "openai/d"})
LOOP: list[dict[str, object]] = [
    {
        "role": "assistant",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
]
"""A round of a tool loop."""
PIXEL = "data:image/png;base64,iVBORw0KGgo="

PLACES = {"openai/b": ("x", "y"), "openai/c": ("x", "y", "z")}
"""The deployments that models may have."""

KEYS: Sequence[Key] = [("a", "b:c"), ("a:b", "c"), ("", "c"), ("", "run-1"), ("", "run-2"), ("a", "run-1")]
"""Sessions: two that a careless join would take for one, and one id in several tenants."""

topics = st.sampled_from(["code", "code", "talk", "talk", "solo", "other"])
hints = st.sampled_from([*[None] * 12, *MODELS, "b", "nobody"])
keys = st.sampled_from(KEYS)
requests = st.builds(
    Request,
    key=st.one_of(st.none(), keys, keys, keys),
    topic=topics,
    hint=hints,
    image=st.booleans(),
    stop=st.sampled_from([False, False, True]),
    decides_only=st.booleans(),
    scope=st.sampled_from([None, "session", "user_turn", "user_turn"]),
    said=st.integers(1, 2),
    is_step=st.booleans(),
)
configured = st.one_of(st.permutations(MODELS), st.lists(st.sampled_from(MODELS), min_size=1, unique=True))
caps = st.integers(min_value=1, max_value=5)
deployments = st.fixed_dictionaries(
    {model: st.one_of(st.just(names), st.lists(st.sampled_from(names), unique=True)) for model, names in PLACES.items()}
)
failing = st.one_of(
    st.tuples(st.sampled_from(MODELS), st.none()),
    *(st.tuples(st.just(model), st.sampled_from(names)) for model, names in PLACES.items()),
)


class ByTopic:
    """Matches the preference that a request names, when it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.begun = asyncio.Event()

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        self.begun.set()
        await self.go.wait()
        said = conversation[-1].text
        return Ranking("by topic", next((each for each in preferences if each.name == said), None))

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        """Nothing is to be loaded."""


class Upstream(MemoryUpstream):
    """Answers for every model, at every deployment, that is not down; one that is, says so or nothing, in turns."""

    def __init__(self, down: set[tuple[str, str | None]]) -> None:
        super().__init__()
        self._down = down
        self._awaited = 0
        self._all_there = asyncio.Event()
        self._go = asyncio.Event()
        self._go.set()

    def hold(self, requests: int) -> None:
        """Answer nobody before so many are there, and `release` was called."""
        self._awaited = requests
        self._all_there.clear()
        self._go.clear()

    async def all_there(self) -> None:
        await self._all_there.wait()

    def expect_one_less(self) -> None:
        self._arrive()

    def release(self) -> None:
        self._go.set()

    def _arrive(self) -> None:
        self._awaited -= 1
        if self._awaited == 0:
            self._all_there.set()

    async def send(self, request: UpstreamRequest) -> MemoryResponse:
        self.requests.append(request)
        if not self._go.is_set():
            self._arrive()
            await self._go.wait()
        body = json.loads(request.body)
        model, place = f"openai/{body['model']}", request.url.split("/")[2].removesuffix("api.openai.com").rstrip(".")
        if not self._down & {(model, None), (model, place)}:
            return MemoryResponse(headers=SSE, pieces=CHUNKS) if body.get("stream") else MemoryResponse()
        if len(self.requests) % 2:
            raise FirstByteTimeoutError("It says nothing.")
        return MemoryResponse(503)


def build_deployed(name: str, places: Sequence[str]) -> Model:
    deployments = tuple(Deployment(place, f"https://{place}.api.openai.com") for place in places)
    return build_model(name, deployments=deployments)


def build(models: Sequence[str], cap: int, places: Mapping[str, Sequence[str]]) -> Config:
    """A configuration; preferences lose the models that are not in it, and those that lose all are not in it."""
    kept = {name: tuple(model for model in found if model in models) for name, found in ROUTES.items()}
    return Config(
        models=tuple(build_deployed(name, places.get(name, ())) for name in models),
        preferences=tuple(Preference(name, name, found) for name, found in kept.items() if found),
        profiles={
            name: ModelProfile(images=False if name in BLIND else None, stop_sequences=0 if name in ENDLESS else None)
            for name in MODELS
        },
        unsupported_params="move",
        routing=Routing(TTL, cap, session_cache=SessionCache(tenant_header="x-tenant")),
        retries=Retries(max_per_candidate=0),
        breaker=Breaker(failures=1_000_000),
    )


def encode(request: Request, *, stream: bool = False) -> ProxyRequest:
    tenant, affinity_id = request.key or ("", None)
    headers = {
        "x-tenant": tenant,
        "x-model-affinity": affinity_id,
        "x-model-affinity-hint": request.hint,
        "x-model-affinity-scope": request.scope,
    }
    parts: list[dict[str, object]] = [{"type": "text", "text": request.topic}]
    if request.image:
        parts.append({"type": "image_url", "image_url": {"url": PIXEL}})
    said: list[dict[str, object]] = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hi"}]
    messages = [*said * (request.said - 1), {"role": "user", "content": parts}, *(LOOP if request.is_step else [])]
    body: dict[str, object] = {"messages": messages, "stream": stream}
    if request.stop:
        body["stop"] = ["."]
    return ProxyRequest([pair for pair in headers.items() if pair[1]], json.dumps(body).encode())  # type: ignore[misc]


def read(answer: Answer, key: Key | None) -> Told:
    kind, *parts = answer.headers["x-plano-affinity"].split("; ")
    told = dict(part.split("=", 1) for part in parts)
    assert ("because" in told) is (kind in {"detour", "switch"} or told.get("reason") == "deployment")
    model, is_ok = answer.headers.get("x-plano-model", ""), answer.status == 200
    place = answer.headers.get("x-plano-deployment") if key is not None else None
    return Told(model, kind, told.get("reason"), ok=is_ok, pinned=told.get("pinned"), deployment=place)


class AffinityMachine(RuleBasedStateMachine):
    """A router, and the contract that it must keep."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.ledger = Ledger(max_entries=100, is_shared=False)
        self.store = MemorySessionStore(max_entries=1, clock=self.clock, on_end=self.ledger.forget)
        self.pinning = Pinning(self.store, self.ledger)
        self.streams: list[tuple[Key | None, AsyncExitStack, bool]] = []
        self.last: Key | None = None
        self.strategy = self.run(self.build_strategy())

    async def build_strategy(self) -> ByTopic:
        return ByTopic()

    def run(self, work: Coroutine[None, None, T]) -> T:
        """Run it without the runner's signal handlers, which take longer to set than most requests to answer."""
        return self.runner.get_loop().run_until_complete(work)

    @initialize(models=configured, cap=caps, places=deployments)
    def start(self, models: Sequence[str], cap: int, places: Mapping[str, Sequence[str]]) -> None:
        self.contract = Contract(
            *(ROUTES, BLIND, ENDLESS, models, cap),
            places=places,
            prefer=lambda key, place: draw(SessionKey(*key), place),
        )
        self.upstream = Upstream(self.contract.down)
        self.configure(models, cap, places)

    @rule(models=configured, cap=caps, places=deployments)
    def configure(self, models: Sequence[str], cap: int, places: Mapping[str, Sequence[str]]) -> None:
        """Exchange the configuration as the router does: the sessions stay."""
        self.service: Service = build_service(
            build(models, cap, places),
            self.upstream,
            strategy=self.strategy,
            pinning=self.pinning,
        )
        self.store.configure(max_entries=cap)
        self.contract.models, self.contract.cap, self.contract.places = models, cap, places
        self.contract.evict()

    @rule(request=requests)
    def turn(self, request: Request) -> None:
        self.last = request.key
        assert self.run(self.ask(request)) == self.contract.ask(request)

    @precondition(lambda self: self.last is not None)
    @rule(request=requests)
    def next_turn(self, request: Request) -> None:
        """Go on with the session that was asked for last."""
        self.turn(replace(request, key=self.last))

    @rule(request=requests)
    def stream(self, request: Request) -> None:
        """Begin a request that stays open."""
        request = replace(request, decides_only=False)
        stack = AsyncExitStack()
        self.contract.begin(request.key)
        answer = self.run(self.open(request, stack))
        decided = self.contract.decide(request)
        assert read(answer, request.key) == self.contract.finish(request, decided)
        self.streams.append((request.key, stack, self.contract.is_sent(request, decided)))

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        key, stack, is_sent = self.streams.pop(data.draw(st.integers(0, len(self.streams) - 1)))
        self.run(stack.aclose())
        self.contract.end(key, served=is_sent)

    @rule(key=keys, crowd=st.lists(requests, min_size=2, max_size=5), cancelled=st.booleans())
    def concurrent_turns(self, key: Key, crowd: Sequence[Request], *, cancelled: bool) -> None:
        """Ask many times at once; the first may be cancelled as it is routed, or as its model is asked.

        All of them reach a provider, so none names a stop sequence, which a route may have no model for.
        """
        self.last = key
        by_user = crowd[0].user_turn is not None  # else all are a session's: those decide at once by what is pinned
        cancelled = cancelled and not by_user
        asked = [
            replace(
                request, key=key, decides_only=False, stop=False, is_step=False, scope="user_turn" if by_user else None
            )
            for request in crowd
        ]
        told, was_routing = self.run(self.ask_at_once(asked, cancelled=cancelled))
        for _ in asked:
            self.contract.begin(key)
        if cancelled:
            if not was_routing:
                self.contract.decide(asked[0])
            self.contract.end(key, served=not was_routing)
        left = asked[cancelled:]
        decided = [self.contract.decide(request) for request in left]
        expected = [self.contract.finish(*pair) for pair in zip(left, decided, strict=True)]
        for _ in left:
            self.contract.end(key)
        assert told == expected

    @rule(down=st.sets(failing, max_size=5))
    def fail(self, down: set[tuple[str, str | None]]) -> None:
        """Let models fail, or deployments of theirs, from now on, and the others recover."""
        self.contract.down.clear()
        self.contract.down.update(down)

    @property
    def last_pin(self) -> Pin:
        """The pin of the session that was asked for last."""
        assert self.last is not None
        return self.contract.pins[self.last]

    @precondition(lambda self: self.last in self.contract.pins)
    @rule()
    def fail_pinned(self) -> None:
        """Let the model fail whose session was asked for last."""
        self.fail({(self.last_pin.model, None)})

    @precondition(lambda self: self.last in self.contract.pins and self.last_pin.deployment is not None)
    @rule()
    def fail_pinned_deployment(self) -> None:
        """Let the deployment fail whose session was asked for last, on top of what fails already."""
        self.contract.down.add((self.last_pin.model, self.last_pin.deployment))

    @precondition(lambda self: self.last in self.contract.pins and self.last_pin.deployment is not None)
    @rule()
    def remove_pinned_deployment(self) -> None:
        """Take the deployment out of the configuration whose session was asked for last."""
        places = {
            model: [each for each in names if (model, each) != (self.last_pin.model, self.last_pin.deployment)]
            for model, names in self.contract.places.items()
        }
        self.configure(self.contract.models, self.contract.cap, places)

    @precondition(lambda self: self.last in self.contract.pins and len(self.contract.models) > 1)
    @rule()
    def remove_pinned(self) -> None:
        """Take the model out of the configuration whose session was asked for last."""
        pinned = self.last_pin.model
        left = [model for model in self.contract.models if model != pinned] or MODELS
        self.configure(left, self.contract.cap, self.contract.places)

    @rule(seconds=st.sampled_from([1, TTL // 2, TTL - 1, TTL, TTL + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.contract.wait(seconds)

    @rule(key=keys)
    def unpin(self, key: Key) -> None:
        assert run_at_once(self.store.drop(SessionKey(*key))) == self.contract.drop(key)

    @invariant()
    def every_pin_is_as_promised(self) -> None:
        for key in KEYS:
            session, _ = run_at_once(self.store.find(SessionKey(*key)))
            pin = self.contract.pins.get(key) if hasattr(self, "contract") else None
            found = session and (
                session.pin.model,
                session.pin.route,
                session.pin.deployment,
                [s.reason for s in session.pin.switches],
            )
            assert found == (pin and (pin.model, pin.route, pin.deployment, pin.switches[-16:]))
            if session is not None and pin is not None:
                busy = self.contract.open[key]
                assert session.requests_in_flight == busy
                assert session.seconds_left == (TTL if busy else self.contract.left(pin))

    @invariant()
    def no_promise_was_broken(self) -> None:
        assert self.ledger.violations == 0

    def teardown(self) -> None:
        for _, stack, _ in self.streams:
            self.run(stack.aclose())
        self.runner.close()

    async def ask(self, request: Request) -> Told:
        async with AsyncExitStack() as stack:
            return read(await self.open(request, stack), request.key)

    async def open(self, request: Request, stack: AsyncExitStack) -> Answer:
        endpoint = Endpoint(CHAT, decides_only=request.decides_only)
        return await stack.enter_async_context(Story(self.service, endpoint, encode(request)))

    async def ask_at_once(self, asked: Sequence[Request], *, cancelled: bool) -> tuple[list[Told], bool]:
        """Let all requests begin before any is answered; what those that were not cancelled were told."""
        self.strategy.go.clear()
        self.strategy.begun.clear()
        self.upstream.hold(len(asked))
        tasks = [asyncio.create_task(self.ask(request)) for request in asked]
        routing = asyncio.create_task(self.strategy.begun.wait())
        waiting = asyncio.create_task(self.upstream.all_there())
        await asyncio.wait({routing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        was_routing = routing.done()
        routing.cancel()
        if cancelled:
            tasks[0].cancel()
            await asyncio.wait({tasks.pop(0)})
            if was_routing:
                self.upstream.expect_one_less()
        self.strategy.go.set()
        await waiting
        self.upstream.release()
        return list(await asyncio.gather(*tasks)), was_routing


AffinityMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=60)
TestAffinityMachine = AffinityMachine.TestCase
