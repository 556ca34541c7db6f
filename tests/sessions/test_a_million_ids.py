"""Up to a million sessions, one after another, through the whole of pinning: the cap holds and memory stays bounded."""

import asyncio
import os
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from plano_agents.router.app import LEDGER_ENTRIES
from plano_agents.sessions.decide import Route
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.pinning import Pinning
from tests.sessions.conftest import CLAUDE, GPT, build_pin

CAP = 10_000
WARM_UP = 50_000
MIB = 1024 * 1024
MOST_BLOCKS = 5_000
"""How many more Python objects may live after all ids than after the first; a session has at least five."""


async def route() -> Route:
    return Route(GPT, "work")


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def take_turns(pinning: Pinning, numbers: Iterable[int]) -> int:
    """Take a first turn of each id, dispatch included; how many were told otherwise."""
    wrong = 0
    for number in numbers:
        with closing(pinning.turn(SessionKey("", f"run-{number}"), 600).open()) as turn:
            decision = await turn.decide(hint=None, find_model=str, route=route)
            turn.note_dispatch(decision.model)
        wrong += decision.reason != "first_turn"
    return wrong


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="RSS is read from /proc, which Linux has")
@pytest.mark.parametrize("count", [300_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_a_million_ids_need_no_more_memory_than_the_first_ones(count: int) -> None:
    """A leak of one object an id would show a thousandth of the way; the soak goes all of it."""
    ledger = Ledger(max_entries=LEDGER_ENTRIES, is_shared=False)
    store = MemorySessionStore(max_entries=CAP, on_end=ledger.forget)
    pinning = Pinning(store, ledger)
    with asyncio.Runner() as runner:
        runner.run(take_turns(pinning, range(WARM_UP)))
        blocks, resident = sys.getallocatedblocks(), resident_bytes()
        wrong = runner.run(take_turns(pinning, range(WARM_UP, count)))
        more_blocks, more_resident = sys.getallocatedblocks() - blocks, resident_bytes() - resident
        again = runner.run(take_turns(pinning, range(count - CAP, count)))
    assert (wrong, len(store), again) == (0, CAP, CAP)
    assert more_blocks < MOST_BLOCKS
    assert more_resident < 8 * MIB
    assert ledger.violations == 0


def test_the_ledger_forgets_the_longest_unused_where_nobody_tells_it_that_pins_end() -> None:
    """As with a shared store, whose pins end without this process's being told."""
    ledger = Ledger(max_entries=LEDGER_ENTRIES, is_shared=True)
    pin = build_pin()

    def note(numbers: Iterable[int]) -> None:
        for number in numbers:
            ledger.note(SessionKey("", f"run-{number}"), pin, GPT, decided=ledger.tick())

    note(range(WARM_UP))
    blocks = sys.getallocatedblocks()
    note(range(WARM_UP, 4 * WARM_UP))
    assert sys.getallocatedblocks() - blocks < MOST_BLOCKS
    last = SessionKey("", f"run-{4 * WARM_UP - 1}")
    ledger.note(last, pin, CLAUDE, decided=ledger.tick())
    ledger.note(SessionKey("", "run-0"), pin, CLAUDE, decided=ledger.tick())
    assert ledger.violations == 1
