"""The session store that a configuration asks for."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from plano_agents.config.model import Routing
from plano_agents.errors import ConfigError
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.store import SessionStore

PATIENCE_SECONDS = 0.25
"""How long the store may hold a request up."""


def build_store(
    routing: Routing,
    *,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
    patience_seconds: float = PATIENCE_SECONDS,
) -> SessionStore:
    """Build a store; nothing is connected yet.

    Args:
        routing: Says where pins are kept.
        clock: Monotonic time in seconds.
        wall_clock: Unix time in seconds.
        patience_seconds: How long a shared store may take to answer before it counts as out.

    Raises:
        ConfigError: The store needs a package that is not installed, or its URL is none of Redis'.
    """
    memory = MemorySessionStore(max_entries=routing.session_max_entries, clock=clock, wall_clock=wall_clock)
    cache = routing.session_cache
    if cache.url is None or not cache.is_shared:
        return memory
    return _share(memory, cache.url.get_secret_value(), wall_clock, patience_seconds)


def _share(
    memory: MemorySessionStore, url: str, wall_clock: Callable[[], float], patience_seconds: float
) -> SessionStore:
    try:
        from plano_agents.sessions.outage import Outage  # noqa: PLC0415 - redis is an extra
        from plano_agents.sessions.redis import RedisPins  # noqa: PLC0415
        from plano_agents.sessions.redis_connection import RedisConnection  # noqa: PLC0415
        from plano_agents.sessions.shared import SharedSessionStore  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"routing.session_cache: type 'redis' needs the package {error.name!r}, which is not installed. Install it "
            "beside plano-agents: pip install 'redis[hiredis]>=6.4,<9' (in a clone: scripts/uv sync --extra redis)."
        ) from error
    try:
        connection = RedisConnection(url, timeout_seconds=patience_seconds)
    except ValueError as error:
        raise ConfigError(
            "routing.session_cache.url is none of Redis'. Write one such as 'redis://localhost:6379/0'."
        ) from error
    pins = RedisPins(connection, wall_clock=wall_clock)
    return SharedSessionStore(pins, memory, Outage(name_store(url), pins.probe))


def name_store(url: str) -> str:
    """Name a store by its URL, without user, password and options."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{parts.port or 6379}"
