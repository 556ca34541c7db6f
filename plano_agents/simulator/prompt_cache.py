"""The cached part of a prompt.

Per model, a prefix that was seen within the last 5 minutes counts, from 1,024 tokens on, in steps of 128, as OpenAI
documents for its prompt caching; each use renews it. The Anthropic wire is accounted for by the same rule, prefixes
counting without the ``cache_control`` markers that the real one asks for.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MIN_TOKENS = 1024
STEP_TOKENS = 128
TTL_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class PromptUsage:
    """The account of a prompt's tokens."""

    total: int
    """All tokens of the prompt."""
    cached: int
    """Those read from the cache."""
    written: int
    """Those that the cache holds now, and did not before."""


class PromptCache:
    """The latest prefixes, as digests.

    Args:
        clock: Seconds, monotonic.
        max_entries: How many prefixes are remembered; the least recently used goes first.
    """

    def __init__(self, clock: Callable[[], float], max_entries: int = 100_000) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._seen: OrderedDict[tuple[str, bytes], float] = OrderedDict()

    def record(self, model: str, tokens: list[str]) -> PromptUsage:
        """Account for a prompt, and remember its prefixes.

        Args:
            model: The model that is asked; caches are not shared.
            tokens: The whole prompt, cut into tokens.
        """
        now = self._clock()
        cached = last = 0
        digest = hashlib.blake2b(digest_size=16)
        for end in range(MIN_TOKENS, len(tokens) + 1, STEP_TOKENS):
            digest.update("\0".join((*tokens[last:end], "")).encode("utf-8", "surrogatepass"))
            key = (model, digest.digest())
            if now - self._seen.get(key, float("-inf")) <= TTL_SECONDS:
                cached = end
            self._seen[key] = now
            self._seen.move_to_end(key)
            last = end
        while len(self._seen) > self._max_entries:
            self._seen.popitem(last=False)
        return PromptUsage(total=len(tokens), cached=cached, written=last - cached)
