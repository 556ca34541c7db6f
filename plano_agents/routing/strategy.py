"""The seam that routing strategies stand behind, and what they answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from plano_agents.config.model import Preference
from plano_agents.routing.text import Utterance


class Question(NamedTuple):
    """A conversation, and the preferences to score by it."""

    conversation: Sequence[Utterance]
    """What was said, oldest first."""
    preferences: Sequence[Preference]
    """What to choose from."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A preference, and how well a request matches it."""

    preference: Preference
    """The preference."""
    score: float | None
    """From 0 to 1; None from a strategy that only names one."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """A strategy's ranking of the preferences for a request."""

    strategy: str
    """Which strategy it was: ``embedded``, or the routing model's name."""
    match: Preference | None
    """The preference that the request matches; None where none does."""
    scored: tuple[Scored, ...] = ()
    """All preferences, in the order given."""
    threshold: float | None = None
    """The score that a match must exceed; None from a strategy without scores."""
    degraded: str | None = None
    """Why another strategy than the configured one answered; None where it was the configured one."""


class Strategy(Protocol):
    """Says which preference a request matches."""

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        """Find the preference that a request matches.

        Args:
            conversation: What was said, oldest first, as `read_conversation` gives it.
            preferences: The preferences to choose from.

        Returns:
            The match, and how it came about.
        """

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        """Load what is needed before a request needs it.

        Args:
            preferences: The configured preferences.
        """


@runtime_checkable
class Recalling(Protocol):
    """A strategy that remembers what it has ranked."""

    def recall(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking | None:
        """Find what `Strategy.rank` would, where that is known at once.

        Args:
            conversation: What was said, oldest first, as `read_conversation` gives it.
            preferences: The preferences to choose from.

        Returns:
            The match, and how it came about; None where it takes time.
        """


@runtime_checkable
class Preparing(Protocol):
    """A strategy that can read a conversation beforehand, for who is in no hurry."""

    async def prepare(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> None:
        """Read a conversation a little at a time, so that ranking it is quick and nobody waits for it meanwhile.

        Args:
            conversation: What was said, oldest first, as `read_conversation` gives it.
            preferences: The preferences to choose from.
        """
