"""A kit for tests: a fake provider, a router on simulated models, and what every session store promises.

``docs/testing.md`` shows it at work. The names load on first use, for pytest imports the package wherever it is
installed; nothing but `plugin` needs pytest.

=================  ================================================================================
``upstream``       `FakeUpstream`: a provider on loopback, scripted per test
``answers``        its answers: words, tool calls, errors, broken streams
``exchange``       one request that it received, and the bytes of its answer
``wires``          replies as providers write them
``router``         `offline_router`: a router for as long as a test needs one
``session_store``  `SessionStoreSuite`: the promises of session stores
``plugin``         fixtures for pytest
=================  ================================================================================
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plano_agents.testing.answers import (
        Responder,
        break_off,
        call_tool,
        fail,
        give,
        keep_silent,
        reply_with,
        say,
        stream,
    )
    from plano_agents.testing.exchange import UpstreamExchange
    from plano_agents.testing.router import offline_router
    from plano_agents.testing.session_store import SessionStoreSuite
    from plano_agents.testing.upstream import FakeUpstream
    from plano_agents.testing.wires import Reply, ToolCall

__all__ = [
    "FakeUpstream",
    "Reply",
    "Responder",
    "SessionStoreSuite",
    "ToolCall",
    "UpstreamExchange",
    "break_off",
    "call_tool",
    "fail",
    "give",
    "keep_silent",
    "offline_router",
    "reply_with",
    "say",
    "stream",
]

_HOMES = {
    "FakeUpstream": "upstream",
    "Reply": "wires",
    "SessionStoreSuite": "session_store",
    "ToolCall": "wires",
    "UpstreamExchange": "exchange",
    "offline_router": "router",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = import_module(f"{__name__}.{_HOMES.get(name, 'answers')}")
    except ModuleNotFoundError as error:
        from plano_agents.extras import MissingExtraError, is_of_part  # noqa: PLC0415 - seldom needed

        if not is_of_part(error):
            raise
        raise MissingExtraError(name, "router", error.name) from None
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
