"""The history of concurrent clients of a Redis, and the check that some order explains it."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from plano_agents.sessions.pin import Pin, SessionKey, SwitchReason
from plano_agents.sessions.redis import RedisPins
from plano_agents.sessions.redis_commands import StoreFailedError
from tests.sessions.conftest import A, B, build_pin
from tests.sessions.linearizability import Operation, is_linearizable

CLIENTS = 6
STEPS = 120
UNTOLD = build_pin("", lineage="")
REASONS: tuple[SwitchReason, ...] = ("unsuitable", "user_turn")


@dataclass(frozen=True, slots=True)
class Get:
    held: Pin | None = None


@dataclass(frozen=True, slots=True)
class Write:
    pin: Pin
    held: Pin | None = None


@dataclass(frozen=True, slots=True)
class Move:
    old: Pin
    new: Pin
    held: Pin | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    dropped: bool | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """The store loses its data."""


@dataclass(frozen=True, slots=True)
class Reach:
    """All that was written before has reached every replica."""


@dataclass(frozen=True, slots=True)
class Failover:
    """A replica takes over: what had not reached it is undone."""


Step = Get | Write | Move | Drop | Loss | Reach | Failover


@dataclass(frozen=True, slots=True)
class State:
    """A pin, and what a failover may make of it."""

    pin: Pin | None = None
    """What is held."""
    earlier: frozenset[Pin | None] = frozenset({None})
    """What was held at some time since all was known to have reached the replicas."""

    def hold(self, pin: Pin | None) -> "State":
        return State(pin, self.earlier | {pin})


def apply(state: State, step: Step, *, is_known: bool) -> Sequence[State]:
    """The sequential specification of a single pin."""
    pin = state.pin
    match step:
        case Get(held):
            told, after = held, pin
        case Write(new, held):
            told, after = held, pin or new
        case Move(old, new, held):
            is_it = pin is not None and pin.place == old.place
            told, after = held, new if is_it else pin
        case Drop(dropped):
            return () if is_known and dropped != (pin is not None) else (state.hold(None),)
        case Loss():
            return (State(),)
        case Reach():
            return (State(pin, frozenset({pin})),)
        case Failover():
            return [State(each, state.earlier) for each in sorted(state.earlier, key=lambda each: each != pin)]
    return () if is_known and told != after else (state.hold(after),)


def apply_on_failovers(state: State, step: tuple[Step, bool]) -> Sequence[State]:
    return apply(state, step[0], is_known=step[1])


def apply_alone(state: State, step: tuple[Step, bool]) -> Sequence[State]:
    """The specification where nothing is undone: what was held before is forgotten, which leaves less to search."""
    return [State(each.pin) for each in apply(state, step[0], is_known=step[1])]


class History:
    """The operations and results of all clients, in one order; and the clients themselves.

    Args:
        seed: Decides what they do.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.operations: dict[SessionKey, list[Operation[tuple[Step, bool]]]] = {A: [], B: []}
        self.count: Counter[str] = Counter()
        self.under_way = 0
        self._moments = itertools.count(1)
        self._changed = asyncio.Condition()
        self._open = asyncio.Event()
        self._open.set()
        self._gate = asyncio.Event()
        self._gate.set()

    def pause(self) -> None:
        """Clients that fail from here on wait for `resume`."""
        self._open.clear()

    def resume(self) -> None:
        self._open.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no client begin anything more, until the context ends."""
        self._gate.clear()
        yield
        self._gate.set()

    async def reach(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true of the history, or it is over."""
        async with self._changed:
            await self._changed.wait_for(lambda: condition() or self.is_over)

    async def run(self, clients: Sequence[RedisPins]) -> None:
        """Let all clients do what they do."""
        await asyncio.gather(*(self._play(client, number) for number, client in enumerate(clients)))

    @property
    def is_over(self) -> bool:
        return self.count["over"] == CLIENTS

    def note(self, step: Loss | Reach | Failover, began: int, keys: Collection[SessionKey] = (A, B)) -> None:
        """Note something that happened to the store itself between a moment and now."""
        ended = next(self._moments)
        for key in keys:
            self.operations[key].append(Operation((step, True), began, ended))

    def now(self) -> int:
        return next(self._moments)

    def is_linearizable(self) -> bool:
        return all(
            is_linearizable(
                _blur(operations),
                apply_on_failovers if any(isinstance(each.step[0], Failover) for each in operations) else apply_alone,
                State(),
                is_read=lambda step: _changes_nothing(step[0]),
            )
            for operations in self.operations.values()
        )

    async def _play(self, client: RedisPins, number: int) -> None:
        seen: dict[SessionKey, Pin] = {}
        for turn in range(STEPS):
            await self._gate.wait()
            key = self.random.choice(list(self.operations))
            name = f"m/{number}.{turn}"
            match self.random.choice(["get", "get", "pin", "pin", "move", "move", "keep", "leave", "drop"]):
                case "pin":
                    step: Step = Write(build_pin(name, lineage=name))
                case "move" if key in seen:
                    step = Move(seen[key], seen[key].move(name, "r", self.random.choice(REASONS), 1.0))
                case "leave" if key in seen:
                    step = Move(seen[key], seen[key].move_deployment(name, 1.0, "status 429"))
                case "keep" if key in seen:
                    step = Move(seen[key], seen[key].keep("r", name))
                case "drop":
                    step = Drop()
                case _:
                    step = Get()
            await self._take(client, key, step, seen)
        await self._tell("over")

    async def _take(self, client: RedisPins, key: SessionKey, step: Step, seen: dict[SessionKey, Pin]) -> None:
        began = self.now()
        self.under_way += 1
        await self._tell("begun")
        try:
            done = await _do(client, key, step)
        except StoreFailedError:
            self.under_way -= 1
            if not isinstance(step, Get):
                self.operations[key].append(Operation((step, False), began))
            await self._tell("failed")
            await self._open.wait()
            return
        self.operations[key].append(Operation((done, True), began, self.now()))
        self.under_way -= 1
        if isinstance(done, (Get, Write, Move)) and done.held is not None:
            seen[key] = done.held
        await self._tell(type(step).__name__)

    async def _tell(self, what: str) -> None:
        self.count[what] += 1
        async with self._changed:
            self._changed.notify_all()


def _changes_nothing(step: Step) -> bool:
    match step:
        case Get() | Drop(dropped=False):
            return True
        case Write(pin, held) | Move(_, pin, held):
            return held != pin
        case _:
            return False


def _blur(operations: Sequence[Operation[tuple[Step, bool]]]) -> list[Operation[tuple[Step, bool]]]:
    """Take pins that nobody was ever told of for one and the same; that leaves less to search."""
    told = {step.held for each in operations for step in each.step[:1] if isinstance(step, (Get, Write, Move))}
    return [replace(each, step=_blur_step(each.step, told)) for each in operations]


def _blur_step(noted: tuple[Step, bool], told: set[Pin | None]) -> tuple[Step, bool]:
    match noted:
        case (Write(pin), False) if pin not in told:
            return Write(UNTOLD), False
        case (Move(old, new), False) if new not in told:
            return Move(old, UNTOLD), False
        case _:
            return noted


async def _do(client: RedisPins, key: SessionKey, step: Step) -> Step:
    match step:
        case Get():
            return Get(await client.get(key, 600))
        case Write(pin):
            return replace(step, held=await client.pin(key, pin, 600))
        case Move(old, new):
            return replace(step, held=await client.move(key, old, new, 600))
        case Drop():
            return Drop(await client.drop(key))
        case Loss() | Reach() | Failover():
            return step
