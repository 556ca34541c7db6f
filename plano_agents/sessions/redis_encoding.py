"""The encoding of pins in Redis: names of keys, and values. Pure; anything else read there counts as absent.

==========================================  ===========================================================
key                                         value
==========================================  ===========================================================
``plano:affinity:<n>:<tenant>:<id>``        the pin, JSON; n is the tenant's length in bytes, so that no
                                            tenant and id can be joined into another's
``plano:affinity-response:<n>:<tenant>:…``   the session that made a response, JSON; at the end the response's id
``plano:affinity-usage:<lineage>``          a hash: turns, tokens, when last used; it outlives its pin a little
``plano:affinity-store``                    16 bytes that implicit ids are salted with, and 8 that tell this life
                                            of the store's data from any other
==========================================  ===========================================================
"""

import msgspec

from plano_agents.errors import InvalidCursorError
from plano_agents.sessions.pin import Pin, SessionKey
from plano_agents.sessions.redis_connection import Reply
from plano_agents.sessions.response_ids import Maker, ResponseKey

PREFIX = b"plano:affinity:"
RESPONSE_PREFIX = b"plano:affinity-response:"
USAGE_PREFIX = "plano:affinity-usage:"
STORE_KEY = "plano:affinity-store"
PROBE_KEY = "plano:affinity-probe"

_LENGTH_DIGITS = 9
_CURSOR_END = 2**64

_PIN = msgspec.json.Decoder(Pin)
_MAKER = msgspec.json.Decoder(Maker)

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


def decode_pin(value: Reply) -> Pin | None:
    """Read a pin; None for nothing, and for what is no pin."""
    if not isinstance(value, bytes):
        return None
    try:
        pin = _PIN.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None
    return pin if all(map(_is_time, (pin.pinned_at, *(each.at for each in pin.switches)))) else None


def decode_maker(value: Reply) -> Maker | None:
    """Read which session made a response; None for nothing, and for what says no such thing."""
    if not isinstance(value, bytes):
        return None
    try:
        return _MAKER.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None


def milliseconds(seconds: float) -> int:
    """Write a time as Redis wants it: whole, and never 0."""
    return max(1, round(seconds * 1000))


def parse_cursor(cursor: str | None) -> tuple[int, int]:
    """Read a cursor: Redis' own, and how many keys of that step were given already."""
    if cursor is None:
        return 0, 0
    position, dot, skip = cursor.partition(".")
    if not dot or not all(_is_count(part) and int(part) < _CURSOR_END for part in (position, skip)):
        raise InvalidCursorError(f"{cursor!r} is not a cursor. Send the one that the last page gave.", param="cursor")
    return int(position), int(skip)


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


def _is_time(seconds: float) -> bool:
    """Whether a Unix time is one that a calendar has."""
    return 0 <= seconds < YEAR_10000


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(_CURSOR_END))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
