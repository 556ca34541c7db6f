"""Pins in Redis 7.0 or newer: keys, values, commands; every step of a pin is one atomic command.

==========================================  ===========================================================
key                                         value
==========================================  ===========================================================
``plano:affinity:<n>:<tenant>:<id>``        the pin, JSON; n is the tenant's length in bytes, so that no
                                            tenant and id can be joined into another's
``plano:affinity-usage:<lineage>``          a hash: turns, tokens, when last used; it ends with its pin
``plano:affinity-salt``                     what implicit ids are salted with
==========================================  ===========================================================

Reading renews (GETEX), pinning writes if absent and reads in one step (SET NX GET), moving compares which pin it is
and how often it was moved (a script). A value that is no pin counts as none, and the next pin takes its place.
What to do when Redis does not answer is left to ``shared``.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from plano_agents.errors import InvalidCursorError
from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.sessions.pin import Pin, Session, SessionKey
from plano_agents.sessions.redis_connection import Command, RedisConnection, Reply
from plano_agents.sessions.store import Page, Wanted

PREFIX = b"plano:affinity:"
USAGE_PREFIX = "plano:affinity-usage:"
SALT_KEY = "plano:affinity-salt"
PROBE_KEY = "plano:affinity-probe"

SCAN_STEP = 500
"""About how many keys one step of a listing looks at."""

SCAN_STEPS = 20
"""How many steps one page takes at most; a page may be short, or empty, long before the end."""

_MOVE = """
local held = redis.pcall('GET', KEYS[1])
if type(held) ~= 'string' then return false end
local ok, pin = pcall(cjson.decode, held)
if ok and type(pin) == 'table' and pin.lineage == ARGV[1] and pin.moves == tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  return ARGV[3]
end
return held
"""

_HEAL = """
local held = redis.pcall('GET', KEYS[1])
if type(held) ~= 'string' or held == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return ARGV[2]
end
return held
"""

_PIN = msgspec.json.Decoder(Pin)


class Renewal(NamedTuple):
    """What a session has done since it was last said, to be written without rewriting its pin."""

    key: SessionKey
    """Whose."""
    ttl_seconds: float
    """How long it lives on."""
    lineage: str | None
    """The pin that the turns were decided by; None where only its life is renewed."""
    turns: int = 0
    """How many requests ended."""
    tokens: Tokens = NO_TOKENS
    """What they cost."""


class RedisPins:
    """Pins in Redis; each method fails with `StoreFailedError` where Redis does.

    Args:
        connection: Sends commands.
        wall_clock: Unix time in seconds.
    """

    def __init__(self, connection: RedisConnection, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._wall_clock = wall_clock

    async def probe(self) -> None:
        """Try what pinning needs: reading, writing, and a server that is new enough."""
        await self._connection.call("SET", PROBE_KEY, "1", "NX", "GET", "PX", 1_000)

    async def get(self, key: SessionKey, ttl_seconds: float) -> Pin | None:
        """Read a session's pin and renew it."""
        return decode_pin(await self._connection.call("GETEX", encode_key(key), "PX", _ms(ttl_seconds)))

    async def pin(self, key: SessionKey, pin: Pin, ttl_seconds: float) -> Pin:
        """Pin a session if it is not; give the pin that holds."""
        name, value = encode_key(key), msgspec.json.encode(pin)
        while True:
            held = await self._connection.call("SET", name, value, "NX", "GET", "PX", _ms(ttl_seconds))
            if held is None:
                return pin
            found = decode_pin(held)
            if found is not None:
                return found
            corrupt = held if isinstance(held, bytes) else b""
            held = await self._connection.call("EVAL", _HEAL, 1, name, corrupt, value, _ms(ttl_seconds))
            found = decode_pin(held)
            if found is not None:
                return found

    async def move(self, key: SessionKey, old: Pin, new: Pin, ttl_seconds: float) -> Pin | None:
        """Replace a pin if it is the one known; give the pin that holds, None where there is none."""
        held = await self._connection.call(
            *("EVAL", _MOVE, 1, encode_key(key), old.lineage, old.moves, msgspec.json.encode(new)),
            _ms(ttl_seconds),
        )
        return decode_pin(held)

    async def drop(self, key: SessionKey) -> bool:
        """Delete a session's pin; whether there was one."""
        held = await self._connection.call("GETDEL", encode_key(key))
        if isinstance(held, Exception):  # a value of another type
            await self._connection.call("DEL", encode_key(key))
        return decode_pin(held) is not None

    async def renew(self, renewals: Iterable[Renewal]) -> None:
        """Renew pins that are still there, and add up what they have done."""
        commands: list[Command] = []
        now = f"{self._wall_clock():.3f}"
        for key, ttl_seconds, lineage, turns, tokens in renewals:
            commands.append(("PEXPIRE", encode_key(key), _ms(ttl_seconds)))
            if lineage is not None:
                usage = USAGE_PREFIX + lineage
                commands += [
                    ("HINCRBY", usage, "turns", turns),
                    *(("HINCRBY", usage, *pair) for pair in tokens._asdict().items() if pair[1]),
                    ("HSET", usage, "last_used", now),
                    ("PEXPIRE", usage, _ms(ttl_seconds)),
                ]
        await self._connection.call_many(commands)

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
        usages = await self._connection.call_many(
            [("HGETALL", USAGE_PREFIX + pin.lineage) for _, pin, _ in live]
        )
        return [
            self._describe(key, pin, left, in_flight(key), _read_hash(usage))
            for (key, pin, left), usage in zip(live, usages, strict=True)
        ]

    async def scan(
        self, wanted: Wanted, *, limit: int, cursor: str | None, in_flight: Callable[[SessionKey], int]
    ) -> Page:
        """List sessions in Redis' own order; one that is used meanwhile may be missed or listed twice."""
        position, skip = _parse_cursor(cursor)
        found: list[Session] = []
        for _ in range(SCAN_STEPS):
            reply = await self._connection.call(
                "SCAN", position, "MATCH", PREFIX + b"*", "COUNT", SCAN_STEP, "TYPE", "string"
            )
            following, names = _read_scan(reply)
            keys = [key for key in map(decode_key, names) if key is not None and wanted.admits_key(key)]
            sessions = [
                each for each in await self.find(keys[skip:], in_flight) if wanted.admits_pin(each.pin)
            ]
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

    async def salt(self, proposed: bytes) -> bytes:
        """Give the salt that all replicas share; the one proposed where there is none yet."""
        held = await self._connection.call("SET", SALT_KEY, proposed, "NX", "GET")
        return held if isinstance(held, bytes) else proposed

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

    def _describe(
        self, key: SessionKey, pin: Pin, left: float, in_flight: int, usage: dict[str, str]
    ) -> Session:
        tokens = Tokens(*(int(usage.get(name, 0)) for name in Tokens._fields))
        last_used = float(usage.get("last_used", pin.pinned_at))
        return Session(key, pin, last_used, left, in_flight, int(usage.get("turns", 0)), tokens)


def encode_key(key: SessionKey) -> bytes:
    """Write a session's key; different sessions never share one."""
    tenant = key.tenant.encode("utf-8", "surrogatepass")
    return b"%b%d:%b:%b" % (PREFIX, len(tenant), tenant, key.affinity_id.encode())


def decode_key(name: bytes) -> SessionKey | None:
    """Read what `encode_key` wrote; None for anything else."""
    length, _, rest = name.removeprefix(PREFIX).partition(b":")
    if not length.isdigit() or rest[int(length) : int(length) + 1] != b":":
        return None
    tenant, affinity_id = rest[: int(length)], rest[int(length) + 1 :]
    try:
        return SessionKey(tenant.decode("utf-8", "surrogatepass"), affinity_id.decode())
    except UnicodeDecodeError:
        return None


def decode_pin(value: Reply) -> Pin | None:
    """Read a pin; None for nothing, and for what is no pin."""
    if not isinstance(value, bytes):
        return None
    try:
        return _PIN.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _parse_cursor(cursor: str | None) -> tuple[int, int]:
    """Read a cursor: Redis' own, and how many keys of that step were given already."""
    if cursor is None:
        return 0, 0
    position, dot, skip = cursor.partition(".")
    parts = (position, skip)
    if not dot or not all(part.isascii() and part.isdigit() and len(part) <= 20 for part in parts):  # noqa: PLR2004 - 64 bits
        raise InvalidCursorError(
            f"{cursor!r} is no cursor. Send the one that the page before gave.", param="cursor"
        )
    return int(position), int(skip)


def _read_scan(reply: Reply) -> tuple[int, list[bytes]]:
    match reply:
        case [bytes() as position, [*names]]:
            return int(position), [name for name in names if isinstance(name, bytes)]
        case _:
            return 0, []


def _read_hash(reply: Reply) -> dict[str, str]:
    """Read a hash's fields, as RESP2 lists them or as the library pairs them."""
    if isinstance(reply, dict):
        return {_text(name): _text(value) for name, value in reply.items()}
    if isinstance(reply, list):
        return {_text(name): _text(value) for name, value in zip(reply[::2], reply[1::2], strict=True)}
    return {}


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
