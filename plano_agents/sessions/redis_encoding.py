"""The encoding of pins in Redis: names of keys, and values. Pure; anything else read there counts as absent.

The release before this one reads the same pins while both are running. It passes over fields that it does not know, and
takes a pin with a switch for a reason that it does not know for none at all: such a pin's switches stand in a field of
their own, beside those that it knows.

==========================================  ===========================================================
key                                         value
==========================================  ===========================================================
``plano:affinity:<n>:<tenant>:<id>``        the pin, JSON; n is the tenant's length in bytes, so that no
                                            tenant and id can be joined into another's
``plano:affinity-response:<n>:<tenant>:…``   the session that made a response, JSON; at the end the response's id
``plano:affinity-usage:<lineage>``          a hash: turns, tokens, when last used, its label, its detours and the
                                            latest of them; it outlives its pin a little
``plano:affinity-day:<day>``                a hash: each process's note of the day
``plano:affinity-store``                    16 bytes that implicit ids are salted with, and 8 that tell this life
                                            of the store's data from any other
``plano:affinity-store:{<tag>}``            the same of one slot of a Cluster; only the 8 bytes count
==========================================  ===========================================================

Every command is about one key, and so is every script: keys need not stand together in a Cluster, and one server and
a Cluster have the same names for them.
"""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import msgspec

from plano_agents.errors import InvalidCursorError
from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.sessions.pin import Detour, Notes, Pin, SessionKey, Switch
from plano_agents.sessions.redis_commands import Command, Reply
from plano_agents.sessions.response_ids import Maker, ResponseKey

PREFIX = b"plano:affinity:"
RESPONSE_PREFIX = b"plano:affinity-response:"
USAGE_PREFIX = "plano:affinity-usage:"
DAY_PREFIX = "plano:affinity-day:"
STORE_KEY = "plano:affinity-store"
PROBE_KEY = "plano:affinity-probe"

_LENGTH_DIGITS = 9
_CURSOR_END = 2**64

_DETOUR = msgspec.json.Decoder(Detour | None)
_MAKER = msgspec.json.Decoder(Maker)
_KNOWN_BEFORE = frozenset({"model_removed", "upstream_failed", "unsuitable"})
"""The reasons of switches that the release before this one reads."""


@dataclass(frozen=True, slots=True)
class _WholePin(Pin):
    """A pin some of whose switches the release before this one does not know."""

    all_switches: tuple[Switch, ...] = ()
    """Its switches, those among them."""


_ALL_SWITCHES = "all_switches"
_PIN, _WHOLE_PIN = msgspec.json.Decoder(Pin), msgspec.json.Decoder(_WholePin)
_FIELDS = tuple(each.name for each in fields(Pin))
_LEFT_OUT: dict[str, Any] = {each.name: each.default for each in fields(Pin) if each.name != "moves"}
"""Values that are not written. The number of moves always is, for a move compares it."""

YEAR_10000 = 253_402_300_800
"""Unix time in seconds."""


def encode_key(key: SessionKey) -> bytes:
    """Write a session's key; different sessions never share one."""
    return _join(PREFIX, *key)


def encode_response_key(response: ResponseKey) -> bytes:
    """Write a response's key; different responses never share one, nor does a session."""
    return _join(RESPONSE_PREFIX, *response)


def decode_key(name: bytes) -> SessionKey | None:
    """Read what `encode_key` wrote; None for anything else."""
    length, _, rest = name.removeprefix(PREFIX).partition(b":")
    if not length.isdigit() or len(length) > _LENGTH_DIGITS:
        return None
    tenant, colon, affinity_id = rest[: int(length)], rest[int(length) :][:1], rest[int(length) + 1 :]
    if colon != b":":
        return None
    try:
        return SessionKey(tenant.decode("utf-8", "surrogatepass"), affinity_id.decode())
    except UnicodeDecodeError:
        return None


def encode_pin(pin: Pin) -> bytes:
    """Write a pin so that the release before this one can read it too; what stands in `_LEFT_OUT` is left out."""
    written = {name: value for name, value in _list_fields(pin).items() if value != _LEFT_OUT.get(name, ...)}
    known = tuple(each for each in pin.switches if each.reason in _KNOWN_BEFORE)
    if known != pin.switches:
        written |= {"switches": known, _ALL_SWITCHES: pin.switches}
    return msgspec.json.encode(written)


def decode_pin(value: Reply) -> Pin | None:
    """Read a pin; None for nothing, and for what is not a pin."""
    if not isinstance(value, bytes):
        return None
    try:
        pin = _PIN.decode(value) if _ALL_SWITCHES.encode() not in value else _read_whole(_WHOLE_PIN.decode(value))
    except (msgspec.DecodeError, RecursionError):
        return None
    times = (pin.pinned_at, *(each.at for each in pin.switches), *(each.at for each in pin.deployment_moves))
    return pin if all(map(_is_time, times)) else None


def decode_maker(value: Reply) -> Maker | None:
    """Read which session made a response; None for nothing, and for what says no such thing."""
    if not isinstance(value, bytes):
        return None
    try:
        return _MAKER.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None


def join_tag(name: str, tag: str) -> str:
    """Write the key of what each shard has one of; see `plano_agents.sessions.redis_commands.Connection`."""
    return f"{name}:{{{tag}}}" if tag else name


def milliseconds(seconds: float) -> int:
    """Write a time as Redis wants it: whole, and never 0."""
    return max(1, round(seconds * 1000))


class Cursor(NamedTuple):
    """The place where a page of sessions begins."""

    position: int = 0
    """Redis' own cursor."""
    skip: int = 0
    """How many keys of that step were given already."""
    shard: int = 0
    """Which of the store's shards is listed, in their order."""


def parse_cursor(cursor: str | None) -> Cursor:
    """Read a cursor.

    Raises:
        InvalidCursorError: It is none.
    """
    if cursor is None:
        return Cursor()
    parts = cursor.split(".")
    if len(parts) not in {2, 3} or not all(_is_count(part) and int(part) < _CURSOR_END for part in parts):
        raise InvalidCursorError(f"{cursor!r} is not a cursor. Send the one that the last page gave.", param="cursor")
    return Cursor(*map(int, parts))


def encode_cursor(cursor: Cursor) -> str:
    """Write a cursor; for the first shard as the release before this one reads it."""
    return ".".join(map(str, cursor if cursor.shard else cursor[:2]))


def read_scan(reply: Reply) -> tuple[int, list[bytes]]:
    """Read a step of a listing: where the next one begins, 0 at the end, and the names."""
    match reply:
        case [bytes() as position, [*names]]:
            return int(position), [name for name in names if isinstance(name, bytes)]
        case _:
            return 0, []


def read_hash(reply: Reply) -> dict[str, str]:
    """Read a hash's fields, which are listed as name, value, name, value."""
    if isinstance(reply, list):
        return {_text(name): _text(value) for name, value in zip(reply[::2], reply[1::2], strict=True)}
    return {}


def read_count(usage: dict[str, str], name: str) -> int:
    """Read a count; 0 for what is none."""
    value = usage.get(name, "")
    return int(value) if _is_count(value) else 0


def write_notes(usage: str, notes: Notes) -> list[Command]:
    """Write what operators see of a session, to be added to its usage.

    Args:
        usage: The name of its usage.
        notes: What is told.
    """
    commands: list[Command] = []
    if notes.label is not None:
        commands.append(("HSET", usage, "label", notes.label))
    if notes.detours:
        commands.append(("HINCRBY", usage, "detours", notes.detours))
    if notes.detour is not None:
        commands.append(("HSET", usage, "detour", msgspec.json.encode(notes.detour)))
    return commands


def read_notes(usage: dict[str, str]) -> Notes:
    """Read what operators see of a session."""
    try:
        detour = _DETOUR.decode(usage.get("detour", "null"))
    except BAD_JSON:
        detour = None
    if detour is not None and not _is_time(detour.at):
        detour = None
    return Notes(usage.get("label"), read_count(usage, "detours"), detour)


def read_time(usage: dict[str, str]) -> float | None:
    """Read when a pin was last used; Unix time in seconds."""
    try:
        time = float(usage["last_used"])
    except (KeyError, ValueError):
        return None
    return time if _is_time(time) else None


def _join(prefix: bytes, tenant: str, name: str) -> bytes:
    within = tenant.encode("utf-8", "surrogatepass")
    return b"%b%d:%b:%b" % (prefix, len(within), within, name.encode())


def _read_whole(pin: _WholePin) -> Pin:
    return Pin(**_list_fields(pin) | {"switches": pin.all_switches or pin.switches})


def _list_fields(pin: Pin) -> dict[str, Any]:
    return {name: getattr(pin, name) for name in _FIELDS}


def _is_time(seconds: float) -> bool:
    """Check whether a Unix time is one that a calendar has."""
    return 0 <= seconds < YEAR_10000


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(_CURSOR_END))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
