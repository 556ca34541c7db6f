"""The latest requests: enough to tell which model was asked, never what was said or whose key it was."""

from collections import deque
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

MAX_ENTRIES = 1000

_SCHEMES = frozenset({"bearer", "basic"})


class LoggedRequest(BaseModel):
    """One request, as it was answered."""

    model_config = ConfigDict(frozen=True)

    order: int
    """Counts up from 1, also over a cleared log."""
    wire: str
    """``openai`` or ``anthropic``."""
    path: str
    """Where it was sent."""
    model: str | None
    """The model asked; None where the request was refused before it was read."""
    status: int | None
    """The answer's status; None where none was given."""
    stream: bool
    """True if a stream was asked for."""
    affinity_id: str | None
    """The value of ``X-Model-Affinity``, if it arrived."""
    authorization: str | None
    """How a key came, ``bearer``, ``basic``, ``x-api-key`` or ``other``; None without one."""
    headers: tuple[str, ...]
    """The names of all headers that arrived, sorted."""
    prompt_tokens: int
    """The prompt's tokens; 0 for an error."""
    cached_tokens: int
    """Those of them that counted as cached."""
    completion_tokens: int
    """The answer's tokens."""


class RequestLog:
    """The last requests, the oldest first."""

    def __init__(self) -> None:
        self._entries: deque[LoggedRequest] = deque(maxlen=MAX_ENTRIES)
        self._count = 0

    @property
    def entries(self) -> list[LoggedRequest]:
        """The recorded requests, oldest first."""
        return list(self._entries)

    def next_order(self) -> int:
        """The number of the request that just arrived."""
        self._count += 1
        return self._count

    def record(self, entry: LoggedRequest) -> None:
        """Remember a request; the oldest is forgotten once there are 1,000."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Forget all; the count goes on."""
        self._entries.clear()


def name_authorization(headers: Mapping[str, str]) -> str | None:
    """Say how a key came, without looking at it."""
    if "x-api-key" in headers:
        return "x-api-key"
    if "authorization" not in headers:
        return None
    scheme = headers["authorization"].partition(" ")[0].lower()
    return scheme if scheme in _SCHEMES else "other"
