"""A kit for tests: a fake provider, a router on simulated models, and what every session store promises.

Nothing here needs pytest, and nothing heavy is imported: `docs/testing.md` shows the kit at work.

=================  =============================================================================
``upstream``       `FakeUpstream`: a provider on loopback, scripted per test
``answers``        what it answers: words, tool calls, errors, broken streams
``exchange``       one request that it received, and the bytes of its answer
``wires``          replies as providers write them
=================  =============================================================================
"""

from plano_agents.testing.answers import (
    Answer,
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
from plano_agents.testing.upstream import FakeUpstream
from plano_agents.testing.wires import Reply, ToolCall

__all__ = [
    "Answer",
    "FakeUpstream",
    "Reply",
    "ToolCall",
    "UpstreamExchange",
    "break_off",
    "call_tool",
    "fail",
    "give",
    "keep_silent",
    "reply_with",
    "say",
    "stream",
]
