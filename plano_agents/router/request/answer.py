"""The answer to the client: status, headers and body, whichever way it came about.

The wire contract's response headers are written here and nowhere else.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote

from msgspec import Struct

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.errors import PlanoError
from plano_agents.protocol.adjustment import Adjustment
from plano_agents.router.request.trail import Trail
from plano_agents.sessions.pin import Decision

PASSED_BACK = frozenset(
    {"content-type", "request-id", "retry-after", "retry-after-ms", "x-codex-turn-state", "x-request-id"}
)
"""The provider's headers that the client gets, besides the rate limits'; what was compressed no longer is."""

MAX_ADJUSTED_CHARACTERS = 1_000
"""How much of what was changed in a request an answer's header tells."""

_AFFINITY = AFFINITY_HEADER.lower()
_RATE_LIMITS = ("x-ratelimit-", "anthropic-ratelimit-")
_HEADER_SAFE = " !#$&'()*+,/:;<=>?@[]^`{|}~"


class Answer(Struct, frozen=True):
    """An answer to the client; a struct, for one is made for every request and costs a tenth of a dataclass."""

    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: "bytes | AnswerStream"
    """Whole, or as it comes."""

    def __repr__(self) -> str:
        return f"Answer({self.status})"


class AnswerStream(Protocol):
    """The body of an answer that comes in pieces."""

    async def forward(self, write: Callable[[bytes], bool]) -> bytes | None:
        """Write the pieces as they come, until the end or until no more may be written for now.

        Args:
            write: Writes a piece; whether another may follow at once.

        Returns:
            The last piece, which was not written, for it goes out together with the end; None before the end.

        Raises:
            StreamBrokenError: The stream was cut, and its last piece has said so.
        """

    async def aclose(self) -> None:
        """End it, written to its end or not."""


class Pieces:
    """A body in the pieces that a generator gives.

    Args:
        pieces: Gives them, none of them empty; one that raises `StreamBrokenError` was cut.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None]) -> None:
        self._pieces = pieces

    async def forward(self, write: Callable[[bytes], bool]) -> bytes | None:
        """See `AnswerStream.forward`."""
        async for piece in self._pieces:
            if not write(piece):
                return None
        return b""

    async def aclose(self) -> None:
        """See `AnswerStream.aclose`."""
        await self._pieces.aclose()


@asynccontextmanager
async def closing(answer: Answer) -> AsyncIterator[None]:
    """Close an answer's stream at the end, however far it was written."""
    try:
        yield
    finally:
        if not isinstance(answer.body, bytes):
            await answer.body.aclose()


class StreamBrokenError(Exception):
    """The answer's stream cannot be ended well: the client has been told, the connection must break."""


@lru_cache(maxsize=1024)
def _encode_name(name: str) -> str:
    """Write a model's or a preference's name as a header's value."""
    return quote(name, safe=_HEADER_SAFE)


def build_headers(trail: Trail) -> dict[str, str]:
    """Write what the wire contract promises on every proxied answer.

    Args:
        trail: What is known of the request.

    Returns:
        The headers, names in lower case; only those whose value is known.
    """
    headers = {"x-plano-trace-id": trail.trace_id}
    if trail.affinity_id is not None:
        headers[_AFFINITY] = trail.affinity_id
    if trail.origin is not None:
        headers["x-plano-session"] = trail.origin.source
    if trail.decision is not None:
        headers |= describe_decision(trail.decision)
    if trail.adjustments:
        headers["x-plano-adjusted"] = say_adjustments(trail.adjustments)
    if trail.routing_ms is not None:
        upstream = f", upstream;dur={trail.upstream_ms:.3f}" if trail.upstream_ms is not None else ""
        headers["server-timing"] = f"routing;dur={trail.routing_ms:.3f}{upstream}"
    return headers


def describe_decision(decision: Decision) -> dict[str, str]:
    """Write what the contract promises to tell of a decision."""
    headers = {"x-plano-model": _encode_name(decision.model), "x-plano-affinity": decision.header}
    if decision.route is not None:
        headers["x-plano-route"] = _encode_name(decision.route)
    if decision.deployment is not None:
        headers["x-plano-deployment"] = decision.deployment
    return headers


def say_adjustments(adjustments: Sequence[Adjustment]) -> str:
    """Write what was changed, as far as it fits into a header."""
    told = ", ".join(each.text for each in adjustments)
    told = told.encode("ascii", "replace").decode()
    told = "".join(each if each.isprintable() else "?" for each in told)
    return told if len(told) <= MAX_ADJUSTED_CHARACTERS else f"{told[: MAX_ADJUSTED_CHARACTERS - 3]}..."


def is_passed_back(name: str, value: str) -> bool:
    """Check whether the client gets a provider's header: of anything but printable ASCII no server would send it on.

    Args:
        name: In lower case.
        value: Its value.
    """
    return (name in PASSED_BACK or name.startswith(_RATE_LIMITS)) and value.isascii() and value.isprintable()


def pass_back(upstream: Mapping[str, str]) -> dict[str, str]:
    """Pick the provider's headers that the client gets, names in lower case."""
    passed = {}
    for spelling, value in upstream.items():
        name = spelling.lower()
        if is_passed_back(name, value):
            passed[name] = value
    return passed


def answer_error(error: PlanoError, trail: Trail | None, encode: Callable[[PlanoError], bytes]) -> Answer:
    """Answer with an error of ours.

    Args:
        error: What went wrong.
        trail: What is known of the request; None before anything is.
        encode: Writes it in the form of the client's API.
    """
    headers = build_headers(trail) if trail is not None else {}
    headers |= {"content-type": "application/json", **error.headers}
    return Answer(error.status_code, headers, encode(error))
