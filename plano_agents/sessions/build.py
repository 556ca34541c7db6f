"""The session store that a configuration asks for."""

import time
from collections.abc import Callable

from plano_agents.config.model import Routing
from plano_agents.config.store_url import parse_store_url
from plano_agents.errors import ConfigError
from plano_agents.extras import describe_missing
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
        ConfigError: The store needs a package that is not installed, or its URL is not a Redis URL.
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
        from plano_agents.sessions.redis_cluster import build_connection  # noqa: PLC0415
        from plano_agents.sessions.shared import SharedSessionStore  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(describe_missing("routing.session_cache: type 'redis'", "redis", error.name)) from error
    try:
        address = parse_store_url(url)
        connection = build_connection(address, timeout_seconds=patience_seconds)
    except ValueError as error:
        raise ConfigError(
            f"routing.session_cache.url is not a Redis URL: {error}. Write one such as 'redis://localhost:6379/0'."
        ) from error
    pins = RedisPins(connection, wall_clock=wall_clock)
    return SharedSessionStore(pins, memory, Outage(address.name, pins.probe))


def name_store(url: str) -> str:
    """Name a store by its URL, without user, password and options."""
    return parse_store_url(url).name
