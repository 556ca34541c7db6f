"""The scores of conversations that were ranked before, so that a text that comes again needs no thread and no encoder.

Kept under a keyed hash of what was read, conversation and preferences, in memory only: nothing of a text is kept. The
latest `REMEMBERED` stay; a configuration that is reloaded begins with none.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Sequence

from plano_agents.config.model import Preference
from plano_agents.routing.text import Utterance

REMEMBERED = 4_096
"""How many conversations' scores are kept, of a few numbers each."""


class RememberedScores:
    """Scores by what was scored.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._secret = secrets.token_bytes(32)
        self._scores: OrderedDict[bytes, tuple[float, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._scores)

    def key(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> bytes:
        """Give the digest of a conversation and its preferences; lengths stand in it, so that no two join alike."""
        parts = [part for said in conversation for part in said]
        for each in preferences:
            parts += (each.name, each.description, *each.examples)
        shape = [len(conversation), *map(len, parts), *(len(each.examples) for each in preferences)]
        text = f"{shape}{''.join(parts)}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._secret, digest_size=16).digest()

    def find(self, key: bytes) -> tuple[float, ...] | None:
        """Give what was kept; None for what never was, or not lately."""
        scores = self._scores.get(key)
        if scores is not None:
            self._scores.move_to_end(key)
        return scores

    def keep(self, key: bytes, scores: Sequence[float]) -> None:
        """Keep the scores of the preferences, in their order."""
        self._scores[key] = tuple(scores)
        if len(self._scores) > self._most:
            self._scores.popitem(last=False)
