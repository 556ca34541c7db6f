"""Pins in Redis 7.0 or newer; every step of a pin is one atomic command.

Reading renews (GETEX), pinning writes if absent and reads in one step (SET NX GET), moving compares the pin's place:
which pin it is, how often it was moved, to which model, how often it was edited, to which deployment (a script). A
value that is not a pin counts as none, and the next pin takes its place. What to do when Redis does not answer is left
to ``shared``.
"""

import functools
import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.sessions.pin import NO_NOTES, Notes, Pin, Session, SessionKey
from plano_agents.sessions.redis_commands import Command, Connection, Reply
from plano_agents.sessions.redis_encoding import (
    DAY_PREFIX,
    PREFIX,
    PROBE_KEY,
    STORE_KEY,
    USAGE_PREFIX,
    Cursor,
    decode_key,
    decode_maker,
    decode_pin,
    encode_cursor,
    encode_key,
    encode_pin,
    encode_response_key,
    join_tag,
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


_COUNT = """
local failed = false
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then failed = reply end
end
for at = 3, #ARGV, 2 do try('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1]) end
try('HSET', KEYS[1], 'last_used', ARGV[2])
try('PEXPIRE', KEYS[1], ARGV[1])
return failed
"""


class Looked(NamedTuple):
    """A session's pin as it was read."""

    pin: Pin | None
    """The pin; None where there is none."""
    life: bytes | None
    """The life of its shard's data; None where it bears no mark."""
    value: bytes
    """The pin as it is written."""


NOTHING_READ = Looked(None, None, b"")


class Sought(NamedTuple):
    """A session's pin that is to be read."""

    key: SessionKey
    """Whose."""
    ttl_seconds: float
    """How long it lives from now on."""
    before: Looked = NOTHING_READ
    """What was read before: a pin that is written as it was is the same."""


class Mark(NamedTuple):
    """The mark that a store bears."""

    salt: bytes
    """What implicit ids are salted with: `SALT_BYTES`, which all replicas share."""
    life: bytes
    """Tells the data that are there now from those before they were lost. A master that took over from another may
    lack what the other had, and so has a life of its own."""


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
    """What operators see of the session beside its pin."""


def add_up(renewals: Sequence[Renewal]) -> Renewal:
    """Give renewals of one pin, the earliest first, as one: the latest lifetime, and the sums."""
    last = renewals[-1]
    if len(renewals) == 1:
        return last
    tokens = Tokens(*map(sum, zip(*[each.tokens for each in renewals], strict=True)))
    notes = functools.reduce(Notes.add, [each.notes for each in renewals if each.notes is not NO_NOTES], NO_NOTES)
    return last._replace(turns=sum(each.turns for each in renewals), tokens=tokens, notes=notes)


class RedisPins:
    """Pins in Redis; each method fails with `StoreFailedError` where Redis does.

    Args:
        connection: Sends commands.
        wall_clock: Unix time in seconds.
        clock: Monotonic time in seconds, for how long commands take.
    """

    def __init__(
        self,
        connection: Connection,
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
        commands: list[Command] = []
        for tag in await self._connection.list_shards():
            name, usage = join_tag(PROBE_KEY, tag), join_tag(USAGE_PREFIX + "probe", tag)
            commands += [
                ("SET", name, "1", "NX", "GET", "PX", 1_000),
                ("GETEX", name, "PX", 1_000),
                ("EVAL", _DROP, 1, name),
                ("HINCRBY", usage, "turns", 1),
                ("HSET", usage, "last_used", 0),
                ("PEXPIRE", usage, 1_000),
            ]
        await self._connection.call_many(commands)

    @timed
    async def identify(self, salt: bytes, key: SessionKey | None = None) -> Mark:
        """Read the mark that the store, and a session's shard of it, bears for as long as it keeps its data.

        Args:
            salt: What implicit ids are salted with, where the store bears no mark yet.
            key: The session; None for the store alone.
        """
        names = [STORE_KEY]
        if key is not None and (tag := self.find_shard(key)):
            names.append(join_tag(STORE_KEY, tag))
        marks = await self._mark(names, salt + secrets.token_bytes(LIFE_BYTES))
        node = self._connection.find_node(encode_key(key) if key is not None else STORE_KEY.encode())
        return Mark(marks[0][:SALT_BYTES], marks[-1] + node.encode())

    async def _mark(self, names: Sequence[str], proposed: bytes) -> list[bytes]:
        """Mark what bears no mark; give the marks."""
        commands: list[Command] = [("SET", name, proposed, "NX", "GET") for name in names]
        held = await self._connection.call_many(commands)
        wrong = [
            name for name, mark in zip(names, held, strict=True) if mark is not None and not _is_mark(mark, proposed)
        ]
        if wrong:
            await self._connection.call_many([("DEL", name) for name in wrong])
            held = await self._connection.call_many(commands)
        return [mark if isinstance(mark, bytes) else proposed for mark in held]

    def find_shard(self, key: SessionKey) -> str:
        """Give the tag of the shard that a session's pin stands in; empty where the store is one server."""
        return self._connection.find_shard(encode_key(key)) if self._connection.is_sharded else ""

    def list_masters(self) -> Sequence[str]:
        """Name the servers that hold the pins, as far as they are known."""
        return self._connection.list_masters()

    async def get(self, key: SessionKey, ttl_seconds: float) -> Pin | None:
        """Read a session's pin and renew it."""
        return (await self.look([Sought(key, ttl_seconds)]))[0].pin

    @timed
    async def look(self, sought: Sequence[Sought]) -> list[Looked]:
        """Read pins and renew them: a server that only replicates by now refuses that, where it would be read.

        Args:
            sought: The pins, at least one, all of one shard.
        """
        commands: list[Command] = [("GET", join_tag(STORE_KEY, self.find_shard(sought[0].key)))]
        commands += [("GETEX", encode_key(key), "PX", milliseconds(ttl_seconds)) for key, ttl_seconds, _ in sought]
        mark, *values = await self._connection.call_many(commands)
        node = self._connection.find_node(encode_key(sought[0].key))
        life = mark + node.encode() if isinstance(mark, bytes) else None
        return [_read(value, before, life) for (*_, before), value in zip(sought, values, strict=True)]

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
            commands += write_notes(usage, notes)
            lives_on = milliseconds(2 * ttl_seconds)
            if turns:
                counts = {"turns": turns, **tokens._asdict()}
                spent = [each for count in counts.items() if count[1] for each in count]
                commands.append(("EVAL", _COUNT, 1, usage, lives_on, now, *spent))
            else:
                commands.append(("PEXPIRE", usage, lives_on))
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
        at = parse_cursor(cursor)
        tags = await self._connection.list_shards()
        found: list[Session] = []
        for _ in range(SCAN_STEPS):
            if at.shard >= len(tags):
                return Page(found, None)
            reply = await self._connection.call_shard(
                *(tags[at.shard], "SCAN", at.position, "MATCH", PREFIX + b"*", "COUNT", SCAN_STEP, "TYPE", "string")
            )
            following, names = read_scan(reply)
            keys = [key for key in map(decode_key, names) if key is not None and wanted.admits_key(key)]
            sessions = [each for each in await self.find(keys[at.skip :], in_flight) if wanted.admits_pin(each.pin)]
            room = limit - len(found)
            if len(sessions) > room:
                found += sessions[:room]
                return Page(found, encode_cursor(at._replace(skip=keys.index(sessions[room].key))))
            found += sessions
            at = Cursor(following, 0, at.shard) if following else Cursor(shard=at.shard + 1)
            if len(found) == limit and at.shard < len(tags):
                break
        return Page(found, encode_cursor(at) if at.shard < len(tags) else None)

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


def _read(value: Reply, before: Looked, life: bytes | None) -> Looked:
    if isinstance(value, bytes) and value and value == before.value:
        return Looked(before.pin, life, value)
    return Looked(decode_pin(value), life, value if isinstance(value, bytes) else b"")


def _is_mark(mark: Reply, proposed: bytes) -> bool:
    return isinstance(mark, bytes) and len(mark) == len(proposed)
