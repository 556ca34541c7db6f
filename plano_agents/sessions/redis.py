"""Pins in Redis 7.0 or newer; every step of a pin is one atomic command.

Reading renews (GETEX), pinning writes if absent and reads in one step (SET NX GET), moving compares the pin's place:
which pin it is, how often it was moved, to which model, how often it was edited, to which deployment (a script). A
value that is no pin counts as none, and the next pin takes its place. What to do when Redis does not answer is left to
``shared``.
"""

import hashlib
import operator
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.sessions.pin import NO_NOTES, Notes, Pin, Session, SessionKey
from plano_agents.sessions.redis_connection import Command, RedisConnection
from plano_agents.sessions.redis_encoding import (
    DAY_PREFIX,
    PREFIX,
    PROBE_KEY,
    STORE_KEY,
    USAGE_PREFIX,
    decode_key,
    decode_maker,
    decode_pin,
    encode_key,
    encode_pin,
    encode_response_key,
    milliseconds,
    parse_cursor,
    read_count,
    read_hash,
    read_notes,
    read_scan,
    read_time,
    write_notes,
)
from plano_agents.sessions.response_ids import Maker, ResponseKey
from plano_agents.sessions.store import KEPT_DAYS, Page, Wanted
from plano_agents.sessions.store_times import StoreTimes, timed

SALT_BYTES = 16
LIFE_BYTES = 8

SCAN_STEP = 500
"""About how many keys one step of a listing looks at."""

SCAN_STEPS = 20
"""How many steps one page takes at most; a page may be short, or empty, long before the end."""

_MOVE = """
local held = redis.pcall('GET', KEYS[1])
if type(held) ~= 'string' then return false end
local ok, pin = pcall(cjson.decode, held)
if ok and type(pin) == 'table' and pin.lineage == ARGV[1] and pin.moves == tonumber(ARGV[2])
  and pin.model == ARGV[3] and (pin.edits or 0) == tonumber(ARGV[4])
  and (pin.deployment or '') == ARGV[5] then
  redis.call('SET', KEYS[1], ARGV[6], 'PX', ARGV[7])
  return ARGV[6]
end
return held
"""

_HEAL = """
local held = redis.pcall('GET', KEYS[1])
if type(held) ~= 'string' or redis.sha1hex(held) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return ARGV[2]
end
return held
"""

_DROP = """
local held = redis.pcall('GET', KEYS[1])
redis.call('DEL', KEYS[1])
return held
"""


class Renewal(NamedTuple):
    """A session's use since it was last written, to be added without rewriting its pin."""

    key: SessionKey
    """Whose."""
    ttl_seconds: float
    """How long it lives on."""
    lineage: str
    """Which pin it was that lived or decided."""
    turns: int = 0
    """How many requests ended."""
    tokens: Tokens = NO_TOKENS
    """What they cost."""
    notes: Notes = NO_NOTES
    """What operators are told of the session beside its pin."""

    def add(self, later: "Renewal") -> "Renewal":
        """Give both as one: the later lifetime, and the sums."""
        tokens = Tokens(*map(operator.add, self.tokens, later.tokens))
        return later._replace(turns=self.turns + later.turns, tokens=tokens, notes=self.notes.add(later.notes))


class RedisPins:
    """Pins in Redis; each method fails with `StoreFailedError` where Redis does.

    Args:
        connection: Sends commands.
        wall_clock: Unix time in seconds.
        clock: Monotonic time in seconds, for how long commands take.
    """

    def __init__(
        self,
        connection: RedisConnection,
        *,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._connection = connection
        self.times = StoreTimes(clock)
        self._wall_clock = wall_clock

    @timed
    async def probe(self) -> None:
        """Try what sessions need: a server new enough, and the right to read, write and run scripts."""
        usage = USAGE_PREFIX + "probe"
        await self._connection.call_many(
            [
                ("SET", PROBE_KEY, "1", "NX", "GET", "PX", 1_000),
                ("GETEX", PROBE_KEY, "PX", 1_000),
                ("EVAL", _DROP, 1, PROBE_KEY),
                ("HINCRBY", usage, "turns", 1),
                ("HSET", usage, "last_used", 0),
                ("PEXPIRE", usage, 1_000),
            ]
        )

    @timed
    async def identify(self, salt: bytes) -> bytes:
        """Read the mark that the store bears for as long as it keeps its data.

        Args:
            salt: What implicit ids are salted with, where the store bears no mark yet.

        Returns:
            `SALT_BYTES` of salt, which all replicas share, and `LIFE_BYTES` more.
        """
        proposed = salt + secrets.token_bytes(LIFE_BYTES)
        held = await self._connection.call("SET", STORE_KEY, proposed, "NX", "GET")
        if held is not None and not (isinstance(held, bytes) and len(held) == len(proposed)):
            await self._connection.call("DEL", STORE_KEY)
            held = await self._connection.call("SET", STORE_KEY, proposed, "NX", "GET")
        return held if isinstance(held, bytes) else proposed

    async def get(self, key: SessionKey, ttl_seconds: float) -> Pin | None:
        """Read a session's pin and renew it."""
        return (await self.look(key, ttl_seconds))[0]

    @timed
    async def look(self, key: SessionKey, ttl_seconds: float) -> tuple[Pin | None, bytes | None]:
        """Read a session's pin and renew it; give the store's mark too, None where it bears none (`identify`)."""
        mark, held = await self._connection.call_many(
            [("GET", STORE_KEY), ("GETEX", encode_key(key), "PX", milliseconds(ttl_seconds))]
        )
        return decode_pin(held), mark if isinstance(mark, bytes) else None

    @timed
    async def pin(self, key: SessionKey, pin: Pin, ttl_seconds: float) -> Pin:
        """Pin a session if it is not; give the pin that holds."""
        name, value = encode_key(key), encode_pin(pin)
        while True:
            held = await self._connection.call("SET", name, value, "NX", "GET", "PX", milliseconds(ttl_seconds))
            if held is None:
                return pin
            found = decode_pin(held)
            if found is not None:
                return found
            corrupt = hashlib.sha1(held if isinstance(held, bytes) else b"").hexdigest()  # noqa: S324 - Redis' own
            held = await self._connection.call("EVAL", _HEAL, 1, name, corrupt, value, milliseconds(ttl_seconds))
            found = decode_pin(held)
            if found is not None:
                return found

    @timed
    async def move(self, key: SessionKey, old: Pin, new: Pin, ttl_seconds: float) -> Pin | None:
        """Replace a pin if it is the one known; give the pin that holds, None where there is none."""
        held = await self._connection.call(
            *("EVAL", _MOVE, 1, encode_key(key), *old.place),
            *(encode_pin(new), milliseconds(ttl_seconds)),
        )
        return decode_pin(held)

    @timed
    async def drop(self, key: SessionKey) -> bool:
        """Delete a session's pin; whether there was one."""
        return decode_pin(await self._connection.call("EVAL", _DROP, 1, encode_key(key))) is not None

    @timed
    async def note_response(self, response: ResponseKey, maker: Maker) -> None:
        """Write which session made a response."""
        name, value = encode_response_key(response), msgspec.json.encode(maker)
        await self._connection.call("SET", name, value, "PX", milliseconds(maker.ttl_seconds))

    @timed
    async def find_maker(self, response: ResponseKey) -> Maker | None:
        """Read which session made a response."""
        return decode_maker(await self._connection.call("GET", encode_response_key(response)))

    @timed
    async def renew(self, renewals: Iterable[Renewal]) -> None:
        """Renew pins that are still there, and add up what they have done."""
        commands: list[Command] = []
        now = f"{self._wall_clock():.3f}"
        for key, ttl_seconds, lineage, turns, tokens, notes in renewals:
            usage = USAGE_PREFIX + lineage
            commands.append(("PEXPIRE", encode_key(key), milliseconds(ttl_seconds)))
            if turns:
                counts = {"turns": turns, **tokens._asdict()}
                commands += [("HINCRBY", usage, *count) for count in counts.items() if count[1]]
                commands.append(("HSET", usage, "last_used", now))
            commands += write_notes(usage, notes)
            commands.append(("PEXPIRE", usage, milliseconds(2 * ttl_seconds)))
        await self._connection.call_many(commands)

    @timed
    async def find(self, keys: Sequence[SessionKey], in_flight: Callable[[SessionKey], int]) -> list[Session]:
        """Read what is known of sessions, renewing nothing; those without a live pin are left out.

        Args:
            keys: Which.
            in_flight: Says how many requests of a session this process serves.
        """
        names = [encode_key(key) for key in keys]
        replies = await self._connection.call_many(
            [command for name in names for command in (("GET", name), ("PTTL", name))]
        )
        pins = [decode_pin(reply) for reply in replies[::2]]
        live = [
            (key, pin, left / 1000)
            for key, pin, left in zip(keys, pins, replies[1::2], strict=True)
            if pin is not None and isinstance(left, int) and left > 0
        ]
        usages = await self._connection.call_many([("HGETALL", USAGE_PREFIX + pin.lineage) for _, pin, _ in live])
        return [
            self._describe(key, pin, left, in_flight(key), read_hash(usage))
            for (key, pin, left), usage in zip(live, usages, strict=True)
        ]

    @timed
    async def scan(
        self, wanted: Wanted, *, limit: int, cursor: str | None, in_flight: Callable[[SessionKey], int]
    ) -> Page:
        """List sessions in Redis' own order; one that is used meanwhile may be missed or listed twice."""
        position, skip = parse_cursor(cursor)
        found: list[Session] = []
        for _ in range(SCAN_STEPS):
            reply = await self._connection.call(
                "SCAN", position, "MATCH", PREFIX + b"*", "COUNT", SCAN_STEP, "TYPE", "string"
            )
            following, names = read_scan(reply)
            keys = [key for key in map(decode_key, names) if key is not None and wanted.admits_key(key)]
            sessions = [each for each in await self.find(keys[skip:], in_flight) if wanted.admits_pin(each.pin)]
            room = limit - len(found)
            if len(sessions) > room:
                found += sessions[:room]
                return Page(found, f"{position}.{keys.index(sessions[room].key)}")
            found += sessions
            position, skip = following, 0
            if position == 0:
                return Page(found, None)
            if len(found) == limit:
                break
        return Page(found, f"{position}.0")

    @timed
    async def write_day(self, day: str, process: str, note: bytes) -> None:
        """Write a process's note of a day; see `DayStore`."""
        key = DAY_PREFIX + day
        await self._connection.call_many([("HSET", key, process, note), ("EXPIRE", key, KEPT_DAYS * 86_400)])

    @timed
    async def read_days(self, days: Sequence[str]) -> list[list[bytes]]:
        """Read all processes' notes of each day; see `DayStore`."""
        replies = await self._connection.call_many([("HVALS", DAY_PREFIX + day) for day in days])
        return [
            [note for note in reply if isinstance(note, bytes)] if isinstance(reply, list) else [] for reply in replies
        ]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

    def _describe(self, key: SessionKey, pin: Pin, left: float, in_flight: int, usage: dict[str, str]) -> Session:
        tokens = Tokens(*(read_count(usage, name) for name in Tokens._fields))
        return Session(
            *(key, pin, read_time(usage) or pin.pinned_at, left, in_flight),
            *(read_count(usage, "turns"), tokens, read_time(usage), read_notes(usage)),
        )
