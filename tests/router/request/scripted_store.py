"""A Redis that answers as a script says: at once, once it is let, or not at all, and that another replica writes to.

It stands in the place of the connection alone: what is asked of Redis, and how answers are read, is `RedisPins`' own.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from plano_agents.sessions import redis
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.outage import Outage
from plano_agents.sessions.redis import RedisPins
from plano_agents.sessions.redis_commands import Argument, Command, Reply, StoreFailedError
from plano_agents.sessions.redis_encoding import PREFIX, STORE_KEY
from plano_agents.sessions.shared import SharedSessionStore

TIMEOUT_SECONDS = 0.25

Manner = Literal["answers", "waits", "fails"]
"""How Redis answers."""
Doing = Literal["drop", "move", "flush"]
"""What another replica, or an operator, does to all pins."""


class ScriptedRedis:
    """The connection to a Redis, and the Redis.

    Args:
        clock: Time in seconds, by which keys expire.
    """

    is_sharded = False

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[bytes, Any] = {}
        self._ends: dict[bytes, float] = {}
        self._is_open = asyncio.Event()
        self.commands: list[bytes] = []
        """What was asked, but for the store's mark, which is random."""
        self.behave("answers")

    def behave(self, manner: Manner) -> None:
        """Answer so from now on; what waits is let go, or waits on."""
        self._fails = manner == "fails"
        if manner == "waits":
            self._is_open.clear()
        else:
            self._is_open.set()

    def do(self, doing: Doing) -> None:
        """Do to the pins what another replica does."""
        for name in [each for each in self._values if each.startswith(PREFIX)]:
            if doing == "move":
                pin = msgspec.json.decode(self._values[name])
                pin |= {"model": MOVED_TO[pin["model"]], "moves": pin["moves"] + 1}
                self._values[name] = msgspec.json.encode(pin)
            else:
                del self._values[name]
        if doing == "flush":
            self._values.clear()

    # What `RedisPins` calls.

    async def call(self, *command: Argument) -> Reply:
        return (await self.call_many([command]))[0]

    async def call_many(self, commands: Sequence[Command]) -> list[Reply]:
        if not commands:
            return []
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await asyncio.sleep(0)
                await self._is_open.wait()
        except TimeoutError as error:
            raise StoreFailedError("no answer") from error
        if self._fails:
            raise StoreFailedError("refused")
        return [self._answer(*[_encode(each) for each in command]) for command in commands]

    async def call_shard(self, tag: str, *command: Argument) -> Reply:
        return await self.call(*command)

    async def list_shards(self) -> Sequence[str]:
        return ("",)

    def find_shard(self, key: bytes) -> str:
        return ""

    def find_node(self, key: bytes) -> str:
        return "scripted"

    def list_masters(self) -> Sequence[str]:
        return ("scripted",)

    async def aclose(self) -> None:
        """Nothing is connected."""

    # What Redis does.

    def _answer(self, name: bytes, first: bytes, *more: bytes) -> Reply:  # noqa: C901, PLR0911, PLR0912 - a command each
        key = more[1] if name == b"EVAL" else first
        if key != STORE_KEY.encode():
            self.commands.append(b" ".join([name, *([] if name == b"EVAL" else [first]), *more]))
        if key in self._ends and self._ends[key] <= self._clock():
            self._values.pop(key, None)
            del self._ends[key]
        held = self._values.get(key)
        match name:
            case b"GET":
                return held
            case b"GETEX":
                self._expire(key, more)
                return held
            case b"SET":
                if b"NX" not in more or held is None:
                    self._values[key] = more[0]
                    self._ends.pop(key, None)
                    self._expire(key, more)
                return held if b"GET" in more else b"OK"
            case b"EVAL":
                return self._run(first, key, held, more[2:])
            case b"DEL":
                return int(self._values.pop(key, None) is not None)
            case b"HSET":
                self._values.setdefault(key, {})[more[0]] = more[1]
            case b"HINCRBY":
                fields = self._values.setdefault(key, {})
                fields[more[0]] = b"%d" % (int(fields.get(more[0], b"0")) + int(more[1]))
            case b"PEXPIRE":
                self._expire(key, (b"PX", *more))
                return int(held is not None)
            case b"PTTL":
                left = self._ends.get(key, 0.0) - self._clock()
                return int(left * 1000) if held is not None else -2
            case b"HGETALL":
                return [each for field in (held or {}).items() for each in field]
            case _:
                raise AssertionError(name)
        return 1

    def _expire(self, key: bytes, options: tuple[bytes, ...]) -> None:
        if b"PX" in options and key in self._values:
            self._ends[key] = self._clock() + int(options[options.index(b"PX") + 1]) / 1000

    def _run(self, script: bytes, key: bytes, held: bytes | None, given: tuple[bytes, ...]) -> Reply:
        """Do what the scripts of ``sessions.redis`` do."""
        if script == redis._DROP.encode():
            self._values.pop(key, None)
            return held
        if script == redis._COUNT.encode():
            lives_on, now, *counts = given
            for field, count in zip(counts[::2], counts[1::2], strict=True):
                self._answer(b"HINCRBY", key, field, count)
            self._answer(b"HSET", key, b"last_used", now)
            self._answer(b"PEXPIRE", key, lives_on)
            return None
        assert script == redis._MOVE.encode(), "no value is corrupt here"
        pin = msgspec.json.decode(held) if held is not None else None
        if pin is None or _place(pin) != given[:5]:
            return held
        self._values[key] = given[5]
        self._expire(key, (b"PX", given[6]))
        return given[5]


def build_scripted_store(
    store: ScriptedRedis, memory: MemorySessionStore, *, clock: Callable[[], float], wall_clock: Callable[[], float]
) -> SharedSessionStore:
    """Build a replica's store on it."""
    pins = RedisPins(store, wall_clock=wall_clock, clock=clock)
    return SharedSessionStore(pins, memory, Outage("scripted", pins.probe), clock=clock)


def _encode(argument: Argument) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode()


def _place(pin: dict[str, Any]) -> tuple[bytes, ...]:
    names = ("lineage", "moves", "model", "edits", "deployment")
    return tuple(_encode(pin.get(name) or ("" if name == "deployment" else 0)) for name in names)


MOVED_TO = {"openai/gpt-4o": "anthropic/claude-sonnet-4-6", "anthropic/claude-sonnet-4-6": "openai/gpt-4o"}
"""Where another replica moves a pin."""
