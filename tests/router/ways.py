"""The ways of a request through the router, for suites that have to hold on each of them.

A test's requests take the way that its parameter says, whatever they look like: as they are, which is by the story,
for they are of no session; or as turns of a session that an earlier turn pinned, by the fast path and by the story
alone.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest

from plano_agents.config.model import Config
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import Pin, SessionKey

Way = Literal["no session", "pinned, fast path", "pinned, story alone"]
WAYS: tuple[Way, ...] = ("no session", "pinned, fast path", "pinned, story alone")

_chosen: list[Way] = ["no session"]


@pytest.fixture(params=WAYS)
def every_way(request: pytest.FixtureRequest) -> Iterator[Way]:
    """Run a test once for each way."""
    _chosen[0] = request.param
    yield request.param
    _chosen[0] = "no session"


def dress(config: Config, options: dict[str, Any]) -> tuple[Config, dict[str, Any]]:
    """Have a router's requests take the way that was chosen.

    Args:
        config: Its configuration.
        options: Further arguments of `Router`.

    Returns:
        Both, as they are to be.
    """
    way = _chosen[0]
    if way == "no session":
        return config, options
    routing = replace(config.routing, affinity_headers=("host",))
    model = config.models[0].name
    route = next((each.name for each in config.preferences if model in each.models), None)
    store = PinnedStore(Pin(model, route, "first_turn", 0.0, "an-earlier-turns"), max_entries=100)
    return replace(config, routing=routing), {
        "store": store,
        "takes_fast_path": way == "pinned, fast path",
        **{name: value for name, value in options.items() if value is not None},
    }


class PinnedStore(MemorySessionStore):
    """A store in which an earlier turn has pinned every session.

    Args:
        pin: The pin.
        max_entries: See `MemorySessionStore`.
    """

    def __init__(self, pin: Pin, *, max_entries: int) -> None:
        super().__init__(max_entries=max_entries)
        self._pin = pin

    def open(self, key: SessionKey, ttl_seconds: float) -> None:
        super().open(key, ttl_seconds)
        if self.peek(key) is None:
            self.replace(key, self._pin)
