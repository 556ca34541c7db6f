"""Lanes: the lines of work within a harness' session, each with a pin of its own.

A lane is what the session, the agent, the model asked for and "tools or not" have in common. So a request that names
the session (a small model, or no tools) decides nothing for the run, and neither does a sub-agent.

===========  ============  ========  =========================================================================
lane         agent         tools     its model, when it begins
===========  ============  ========  =========================================================================
main         the user's    yes       routed
side         the user's    no        what it asks for by name, where that is configured; else routed
agent        a sub-agent   yes       the same, unless the main lane asks for that model too: then routed
agent-side   a sub-agent   no        the same
===========  ============  ========  =========================================================================

A request looks for its own lane's pin; without tools it then looks for that of the lane with tools, the same agent and
model; only then does its lane begin. A lane's pin never changes because another begins. A lane's key begins with the
harness' name and holds `SEPARATOR`, which is none of an id's characters: no client can claim one.
"""

from typing import NamedTuple
from urllib.parse import quote

from plano_agents.sessions.harnesses import Shown

SEPARATOR = "·"
"""Stands between the parts of a key that no client can send."""

_SAFE = "!#$&'*+.:=@^_`|~-"
"""What a name within a lane's keeps: all that stands in ids but slashes, and what separates a header's parts."""


class Lane(NamedTuple):
    """A line of work within a harness' session."""

    harness: str
    """The harness' name."""
    session: str
    """The session's id, as the harness sends it."""
    agent: str | None
    """The sub-agent's id; None for the agent that the user talks to."""
    model: str
    """The model asked for, as the client spells it; empty where it names none."""
    has_tools: bool
    """True if the model is offered tools."""

    @property
    def name(self) -> str:
        """The lane's name within its session: ``main/claude-sonnet-4-6``, ``agent/a-1/claude-haiku-4-5``."""
        model = quote(self.model, safe=_SAFE + "/")
        if self.agent is None:
            return f"{'main' if self.has_tools else 'side'}/{model}"
        return f"{'agent' if self.has_tools else 'agent-side'}/{quote(self.agent, safe=_SAFE)}/{model}"

    @property
    def key(self) -> str:
        """The id that its pin is kept under."""
        return SEPARATOR.join((self.harness, self.session, self.name))

    @property
    def source(self) -> str:
        """The header's value: the source of the session's id, and the request's lane."""
        return f"harness={self.harness}; lane={self.name}"

    @property
    def is_main(self) -> bool:
        """True if it is the main lane: with tools, and of the agent that the user talks to."""
        return self.has_tools and self.agent is None

    @property
    def with_tools(self) -> "Lane":
        """The lane with tools of the same agent and model."""
        return self._replace(has_tools=True)

    @property
    def main(self) -> "Lane":
        """The session's main lane, where it asks for the same model."""
        return self._replace(agent=None, has_tools=True)


class Origin(NamedTuple):
    """The source of a session's id, where that is not our own header, whose id the answer repeats."""

    source: str
    """As the caller is told it."""
    lane: Lane | None = None
    """The lane of a harness' session; None for another session."""


def build_lane(shown: Shown, model: str | None, *, has_tools: bool) -> Lane:
    """Build the lane that a harness' request is of."""
    return Lane(*shown, model or "", has_tools)


def name_agent_lane(agent: str) -> str:
    """Name a sub-agent's lane of an explicit id, where a harness names both; it stands after the id and `SEPARATOR`."""
    return f"agent/{quote(agent, safe=_SAFE)}"


def read_source(key: str) -> str | None:
    """Read from a session's key what its requests' callers are told; None for an id that its client names.

    Args:
        key: What the session's pin is kept under.
    """
    match key.split(SEPARATOR):
        case [harness, _, lane]:
            return f"harness={harness}; lane={lane}"
        case [_, lane] if "/" in lane:
            return f"lane={lane}"
        case [kind, _]:
            return kind
        case _:
            return None
