"""The scope ``user_turn``: how a user turn is known, and that each is decided once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field

import pytest

from plano_agents.protocol.openai_chat import ChatHead, HeadMessage, HeadPart
from plano_agents.sessions.decide import Route, Verdict
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import Cause, Decision, Pin, Session
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.store import SessionStore
from plano_agents.sessions.user_turns import name_user_turn
from tests.faults.redis_server import RedisServer
from tests.sessions.conftest import A, share

SALT = b"s" * 16
ANSWER, STEP = HeadMessage("assistant", "answer"), HeadMessage("tool", "18")


def name(*said: str | HeadMessage, tenant: str = "", salt: bytes = SALT, after: str | None = None) -> str | None:
    messages = tuple(HeadMessage("user", each) if isinstance(each, str) else each for each in said)
    return name_user_turn(ChatHead(messages), tenant, salt, after=after)


def test_a_user_turn_that_is_sent_again_is_the_same_one() -> None:
    assert name("a", ANSWER, "b") == name("a", ANSWER, "b<system-reminder>x</system-reminder>")


@pytest.mark.parametrize(
    "other",
    [
        name("a", ANSWER, "b", ANSWER, "b"),
        name("a", ANSWER, "c"),
        name("b"),
        name("a", ANSWER, "b", tenant="t"),
        name("a", ANSWER, "b", salt=b"t" * 16),
        name("a", ANSWER, "b", after="resp_1"),
    ],
    ids=["said again", "edited", "compacted", "tenant", "store", "response"],
)
def test_another_message_tenant_or_store_is_another_user_turn(other: str | None) -> None:
    assert other not in {None, name("a", ANSWER, "b")}


def test_an_image_alone_is_another_user_turn() -> None:
    image = HeadMessage("user", (HeadPart("image"),))
    assert name("a", ANSWER, image) not in {None, name("a")}
    assert name("a", ANSWER, image, ANSWER, image) != name("a", ANSWER, image)


def test_a_step_of_a_tool_loop_names_no_user_turn() -> None:
    assert name("a", ANSWER, STEP) is None


@dataclass
class Replica:
    """Serves user turns and steps by a store; each routing leads to another model, unless it is told which."""

    store: SessionStore
    name: str = "m"
    leads_to: str | None = None
    deployment: str | None = None
    routed: int = 0
    ledger: Ledger = field(init=False)
    pinning: Pinning = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(max_entries=1_000, is_shared=self.store.is_shared)
        self.pinning = Pinning(self.store, self.ledger, wall_clock=lambda: 5.0)

    async def route(self) -> Route:
        self.routed += 1
        await asyncio.sleep(0)
        return Route(self.leads_to or f"{self.name}/{self.routed}", f"r{self.routed}")

    async def ask(
        self,
        user_turn: str | None,
        *,
        hint: str | None = None,
        configured: Callable[[str], str | None] = str,
        route: Callable[[], Awaitable[Route]] | None = None,
        fails_over_to: str | None = None,
    ) -> Decision:
        """Serve the beginning of a user turn; a step where it is None."""
        turn = self.pinning.turn(A, 600)
        with closing((self.pinning.user_turn(turn, user_turn) if user_turn is not None else turn).open()) as opened:
            decision = await opened.decide(
                hint=hint, find_model=configured, route=route or self.route, choose=lambda _model, _key: self.deployment
            )
            opened.note_dispatch(decision.model, decision.deployment)
            if fails_over_to is not None:
                return await opened.follow(decision, fails_over_to, Cause("upstream_failed", "status 503"))
            return decision

    async def find_pin(self) -> Pin:
        session, _ = await self.store.find(A)
        assert session is not None
        return session.pin


@pytest.fixture
async def replica(store: SessionStore) -> Replica:
    return Replica(store)


async def test_a_new_user_message_is_routed_again_and_its_tool_loop_keeps_the_model(replica: Replica) -> None:
    asked = ["1", None, None, "2", None, "3"]
    told = [(decision.model, decision.header) for decision in [await replica.ask(each) for each in asked]]
    switched = "switch; reason=user_turn; because=preference r"
    assert told == [
        ("m/1", "initialize; reason=first_turn"),
        ("m/1", "retain; reason=pinned"),
        ("m/1", "retain; reason=pinned"),
        ("m/2", f"{switched}2"),
        ("m/2", "retain; reason=pinned"),
        ("m/3", f"{switched}3"),
    ]
    pin = await replica.find_pin()
    assert [(each.reason, each.because) for each in pin.switches] == [
        ("user_turn", "preference r2"),
        ("user_turn", "preference r3"),
    ]
    assert replica.ledger.violations == 0


async def test_the_same_user_turn_sent_again_keeps_its_decision(replica: Replica) -> None:
    await replica.ask("1")
    assert (await replica.ask("1")).header == "retain; reason=pinned"
    await replica.ask("2")
    assert (await replica.ask("2")).model == "m/2"
    assert replica.routed == 2


async def test_of_concurrent_duplicates_one_is_routed(replica: Replica) -> None:
    await replica.ask("1")
    decisions = await asyncio.gather(*(replica.ask("2") for _ in range(20)))
    assert {decision.model for decision in decisions} == {"m/2"}
    assert sorted(decision.kind for decision in decisions) == ["retain"] * 19 + ["switch"]
    assert replica.ledger.violations == 0


async def test_a_user_turn_that_is_routed_to_the_same_model_keeps_it_by_its_new_preference(replica: Replica) -> None:
    replica.leads_to = "m/same"
    await replica.ask("1")
    assert await replica.ask("2") == Decision("m/same", "r2", "retain", "pinned")
    pin = await replica.find_pin()
    assert (pin.route, pin.user_turn, pin.moves, pin.switches) == ("r2", "2", 0, ())
    replica.leads_to = None
    assert (await replica.ask("2")).model == "m/same", "it was decided, and is sent again"


async def test_a_user_turn_that_fails_over_keeps_the_model_that_answered(replica: Replica) -> None:
    await replica.ask("1")
    assert (await replica.ask("2", fails_over_to="m/other")).reason == "upstream_failed"
    assert (await replica.ask("2")).model == "m/other"
    assert (await replica.find_pin()).user_turn == "2"


async def test_a_user_turn_keeps_the_deployment_of_the_model_that_it_keeps(replica: Replica) -> None:
    replica.leads_to = "m/same"
    for user_turn in ("1", "2"):
        replica.deployment = f"east-{user_turn}"
        assert (await replica.ask(user_turn)).deployment == "east-1"
    replica.leads_to = "m/other"
    assert (await replica.ask("3")).deployment == "east-2"
    assert (await replica.find_pin()).deployment == "east-2"


async def test_a_hint_begins_a_user_turn_unrouted(replica: Replica) -> None:
    assert (await replica.ask("1", hint="m/hint")).header == "initialize; reason=hint"
    assert (await replica.ask("1", hint="m/hint")).model == "m/hint"
    assert replica.routed == 0
    assert (await replica.ask("2", hint="m/hint")).model == "m/1"


async def test_a_user_turn_whose_model_was_removed_is_told_so(replica: Replica) -> None:
    await replica.ask("1")
    assert (
        await replica.ask("2", configured=lambda model: model if model != "m/1" else None)
    ).reason == "model_removed"
    assert (await replica.ask("2")).model == "m/2"


async def test_a_user_turn_after_the_pin_was_dropped_begins_anew(replica: Replica) -> None:
    await replica.ask("1")

    async def drop_and_route() -> Route:
        await replica.store.drop(A)
        return Route("m/late", "r")

    assert (await replica.ask("2", route=drop_and_route)).header == "initialize; reason=first_turn"
    assert (await replica.ask("2")).model == "m/late"


async def test_a_pin_that_moves_while_a_user_turn_is_routed_is_moved_from_there(replica: Replica) -> None:
    await replica.ask("1")

    async def fail_over_and_route() -> Route:
        await replica.ask(None, fails_over_to="m/other")
        return Route("m/late", "r")

    assert (await replica.ask("2", route=fail_over_and_route)).reason == "user_turn"
    assert [each.to_model for each in (await replica.find_pin()).switches] == ["m/other", "m/late"]


async def test_where_routing_fails_the_next_one_routes_and_the_pin_stays(replica: Replica) -> None:
    await replica.ask("1")

    async def fail() -> Route:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the very one raised above
        await replica.ask("2", route=fail)
    assert (await replica.find_pin()).model == "m/1"
    assert (await replica.ask("2")).model == "m/2"


async def test_over_replicas_one_decision_holds_for_each_user_turn(server: RedisServer) -> None:
    """Each replica routes elsewhere, and every second user turn of one is routed to where the session is."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(share(server.url, timeout_seconds=10)) for _ in "ab"]
        replicas = [Replica(store, name) for store, name in zip(stores, "ab", strict=True)]
        for number in range(12):
            replicas[0].leads_to = (await replicas[0].find_pin()).model if number % 2 else None
            asked = [replica.ask(str(number)) for replica in replicas for _ in range(4)]
            decisions = await asyncio.gather(*asked)
            assert len({decision.model for decision in decisions}) == 1
            assert sum(decision.kind != "retain" for decision in decisions) <= 1
            steps = await asyncio.gather(*(replica.ask(None) for replica in replicas))
            assert {step.model for step in steps} == {decisions[0].model}
        assert [replica.ledger.violations for replica in replicas] == [0, 0]


async def test_a_pin_that_was_kept_in_an_outage_is_kept_after_it() -> None:
    pin = Pin("m/1", "r", "first_turn", 1.0, "1", user_turn="1")
    kept = pin.keep("r", "2")
    assert kept.comes_from(pin)
    assert not pin.comes_from(kept)
    assert not kept.comes_from(pin.move("m/2", "r", "unsuitable", 2.0))


async def test_a_switch_is_weighed_and_staying_on_the_pinned_model_is_not() -> None:
    store = MemorySessionStore(max_entries=10)
    ledger = Ledger(max_entries=10, is_shared=False)
    store.on_end = ledger.forget
    pinning = Pinning(store, ledger, wall_clock=lambda: 5.0)
    weighed: list[str] = []

    def weigh(_session: Session | None, _pin: Pin, model: str) -> Verdict:
        weighed.append(model)
        return Verdict(is_allowed=True, because="cheap")

    async def take(user_turn: str, leads_to: str) -> None:
        with closing(pinning.user_turn(pinning.turn(A, 600), user_turn, weigh).open()) as turn:
            await turn.decide(hint=None, find_model=str, route=lambda: asyncio.sleep(0, Route(leads_to, "r")))

    await take("one", "m/1")
    await take("two", "m/1")
    assert weighed == []
    await take("three", "m/2")
    assert weighed == ["m/2"]
