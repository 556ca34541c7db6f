"""Routing a sample of the pinned turns beside their requests."""

import asyncio
import json
import logging
import random
from collections.abc import Mapping, Sequence

import pytest

from plano_agents.config.model import Preference
from plano_agents.protocol.usage import Tokens
from plano_agents.router.request.surfaces import CHAT, Endpoint
from plano_agents.router.watch.ghosts.beside import MAX_WAITING, MAX_WAITING_BYTES
from plano_agents.router.watch.ghosts.sums import Sums, encode_shares
from plano_agents.routing.strategy import Ranking
from plano_agents.routing.text import Utterance
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import PROMPT, ask
from tests.router.watch.ghosts.conftest import BIG, SMALL, ByLastWord, World


def outcomes(world: World) -> Mapping[str, float]:
    """Count the sampled turns by their outcome, as metrics tell it."""
    turns = next(each for each in world.beside.tallies if each.name == "plano_ghost_turns")
    return {labels[0]: value for labels, (value,) in turns.read().items() if value}


async def read(world: World) -> Sums:
    found = await world.days.read(world.days.today)
    return found.days[world.days.today][world.share]


async def test_a_pinned_turn_is_routed_as_without_affinity_and_so_is_the_turn_before() -> None:
    world = World()
    for kind in ("code", "talk", "talk", "code"):
        seen = await world.say("s", f"Some {kind}", Tokens(1_000, 10, 800))
        assert seen.headers["x-plano-model"] == BIG
    await world.beside.settle()
    assert [(each.before, each.model, each.anew) for each in world.told] == [
        (BIG, SMALL, 800),
        (SMALL, SMALL, 0),
        (SMALL, BIG, 800),
    ]
    assert outcomes(world) == {"switch": 2, "same": 1}
    sums = await read(world)
    assert (sums.pinned, sums.routed, sums.compared, sums.switches, sums.input) == (3, 3, 3, 2, 3_000)


async def test_only_turns_that_a_pin_decided_and_that_went_well_count() -> None:
    world = World()
    await world.say("s", "Some code")
    await ask(world.service, json.dumps({"messages": [{"role": "user", "content": "code"}]}).encode())
    decides = Endpoint(CHAT, decides_only=True)
    body = json.dumps({"messages": [{"role": "user", "content": "talk"}]}).encode()
    await ask(world.service, body, ("x-model-affinity", "s"), endpoint=decides)
    refused = await ask(world.service, b'{"messages": 1}', ("x-model-affinity", "t"))
    assert refused.status == 400
    await world.beside.settle()
    assert (await world.days.read(world.days.today)).days == {}


async def test_a_prompt_that_begins_anew_has_nothing_to_be_compared_with() -> None:
    world = World()
    for kind in ("code", "talk"):
        body = json.dumps({"messages": [{"role": "user", "content": kind}]}).encode()
        await ask(world.service, body, ("x-model-affinity", "s"))
    await world.beside.settle()
    assert [(each.before, each.model) for each in world.told] == [(None, SMALL)]
    assert outcomes(world) == {"not_compared": 1}


async def test_the_configured_share_of_pinned_turns_is_drawn() -> None:
    draws = random.Random(3)
    world = World(share=0.25, chance=draws.random)
    for number in range(401):
        await world.say(f"s-{number % 20}", "Some code")
        await world.beside.settle()
    again = random.Random(3)
    wanted = sum(again.random() < 0.25 for _ in range(381))
    sums = await read(world)
    assert (sums.pinned, sums.routed) == (381, wanted)
    assert 60 < wanted < 130


class Held(ByLastWord):
    """Ranks nothing until it may, but for first turns."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.waits = 0

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        if len(conversation) > 1:
            self.waits += 1
            await self.may.wait()
        return await super().rank(conversation, preferences)


async def test_a_slow_strategy_delays_no_request_and_what_there_is_no_room_for_is_dropped() -> None:
    strategy = Held()
    world = World(strategy=strategy)
    async with asyncio.timeout(PATIENCE_SECONDS):
        for _ in range(1 + 1 + MAX_WAITING + 5):  # a first turn, one that is being routed, those that wait, too many
            assert (await world.say("s", "Some code")).status == 200
            await asyncio.sleep(0)
    assert strategy.waits <= 1
    sums = await read(world)
    assert (sums.pinned, sums.routed, sums.dropped) == (MAX_WAITING + 6, 0, 5)
    strategy.may.set()
    await world.beside.settle()
    sums = await read(world)
    assert (sums.pinned, sums.routed, sums.dropped) == (MAX_WAITING + 6, MAX_WAITING + 1, 5)
    assert outcomes(world) == {"same": MAX_WAITING + 1, "dropped": 5}


async def test_requests_that_wait_are_bounded_by_their_bytes_too() -> None:
    strategy = Held()
    world = World(strategy=strategy)
    for _ in range(3):
        await world.say("s", "x" * (MAX_WAITING_BYTES // 3) + " code")
    assert (await read(world)).dropped == 1
    strategy.may.set()
    await world.beside.settle()
    await world.say("t", "Some code")
    await world.say("t", "Some code")
    await world.beside.settle()
    assert (await read(world)).dropped == 1


class Prepared(ByLastWord):
    """Notes what it is asked, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def prepare(self, conversation: Sequence[Utterance], _: Sequence[Preference]) -> None:
        self.asked.append(f"prepare {len(conversation)}")

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        self.asked.append(f"rank {len(conversation)}")
        return await super().rank(conversation, preferences)


async def test_the_words_before_the_turn_are_read_before_its_routing_is_timed() -> None:
    strategy = Prepared()
    world = World(strategy=strategy)
    await world.say("s", "Some code")
    await world.say("s", "Some talk")
    await world.beside.settle()
    assert strategy.asked == ["rank 1", "prepare 1", "rank 1", "rank 3"]


async def test_routing_beside_takes_a_fifth_of_the_time_at_most() -> None:
    world = World()
    rests: list[float] = []
    ticks = iter([10.0, 10.25, 10.5, 11.0, 20.0, 20.0, 60.0, 60.0])

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    world.beside._clock, world.beside._sleep = lambda: next(ticks), rest
    for _ in range(3):
        await world.say("s", "Some code")
        await world.beside.settle()
    assert rests == [4.0, 5.0]  # four times the second that the first took, and no longer than the longest


class Failing(ByLastWord):
    """Fails but at a first turn."""

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        if len(conversation) > 1:
            raise RuntimeError(conversation[0].text)
        return await super().rank(conversation, preferences)


async def test_routing_that_fails_is_counted_and_nothing_of_a_prompt_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(strategy=Failing())
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            await world.say("s", f"{PROMPT} code")
        await world.beside.settle()
    assert outcomes(world) == {"failed": 2}
    assert (await read(world)).failed == 2
    assert "RuntimeError" in caplog.text
    assert PROMPT not in caplog.text


async def test_nothing_of_a_prompt_and_no_id_is_in_what_is_kept() -> None:
    world = World()
    for _ in range(3):
        await world.say("session-canary", f"{PROMPT} code", Tokens(100, 1, 50))
    await world.beside.settle()
    found = await world.days.read(world.days.today)
    kept = encode_shares(found.days[world.days.today])
    assert PROMPT.encode() not in kept
    assert b"canary" not in kept
    assert json.loads(kept)[0]["sums"]["routed"] == 2


async def test_what_waits_is_left_when_the_router_stops() -> None:
    world = World(strategy=Held())
    for _ in range(4):
        await world.say("s", "Some code")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await world.beside.aclose()
    assert world.told == []
