"""The seam that routing strategies stand behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from plano_agents.config.model import Preference


@dataclass(frozen=True, slots=True)
class Match:
    """The preference that a request matches."""

    preference: Preference
    """The preference."""
    score: float
    """How well it matches, by the strategy's own measure; higher is better."""


class Strategy(Protocol):
    """Says which preference a request matches."""

    async def match(self, texts: Sequence[str], preferences: Sequence[Preference]) -> Match | None:
        """Find the preference that a request matches.

        Args:
            texts: What was said, oldest first, as `read_conversation` gives it.
            preferences: The preferences to choose from.

        Returns:
            The best match, or None when no preference matches.
        """
