"""Prompt caches, as far as providers document theirs; simulated, with tokens as `tokens` counts them.

`AutomaticCache` follows OpenAI's guide to models before GPT-5.6 (developers.openai.com/api/docs/guides/prompt-caching):
prefixes from 1,024 tokens on, in steps of 128, for 5 minutes after their last use. A cache is one machine's. Requests
are sent to a machine by their first 256 tokens and their ``prompt_cache_key``; beyond about 15 a minute they spill over
to further machines: here they are spread over as many as keep each at 15, whatever session they are of.

`MarkedCache` follows Anthropic's (platform.claude.com/docs/en/build-with-claude/prompt-caching): nothing is cached but
what stands before a mark and has the model's least length. It is found again from any mark up to 20 blocks behind it,
for the mark's time to live, 5 minutes or an hour. Blocks within a message are distinguished no further than
`conversation` renders them.
"""

import hashlib
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MIN_TOKENS = 1024
STEP_TOKENS = 128
TTL_SECONDS = 300.0
HOUR_SECONDS = 3600.0

ROUTED_TOKENS = 256
"""By how many of a prompt's first tokens a machine is chosen."""
REQUESTS_PER_MACHINE = 15
"""How many requests a minute of one beginning and key a machine takes before the next one is used."""
MINUTE_SECONDS = 60.0

LOOKBACK_BLOCKS = 20
"""How far before a mark a cached prefix is looked for."""

_LEAST: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"(opus|fable|mythos)-5"), 512),
    (re.compile(r"opus-4[-.]7"), 2048),
    (re.compile(r"opus-4[-.][56]|haiku-4[-.]5"), 4096),
    (re.compile(r"haiku-3|3[-.]5-haiku|3-haiku"), 2048),
)
"""The least lengths of marked prefixes (docs.litellm.ai/docs/completion/prompt_caching, updated 2026-10-07; Opus 4.7:
Anthropic's page, as of August 2026); 1,024 tokens for every other model."""


@dataclass(frozen=True, slots=True)
class PromptUsage:
    """The account of a prompt's tokens."""

    total: int
    """All tokens of the prompt."""
    cached: int
    """Those read from the cache."""
    written: int
    """Those that the cache holds now, and did not before."""


class _Prefixes:
    """The latest prefixes by their digests, with the time that each ends; the least recently used goes first."""

    def __init__(self, clock: Callable[[], float], max_entries: int) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._ends: OrderedDict[tuple[object, bytes], float] = OrderedDict()

    def has(self, place: object, digest: bytes) -> bool:
        return self._clock() <= self._ends.get((place, digest), float("-inf"))

    def keep(self, place: object, digest: bytes, ttl_seconds: float) -> None:
        name = (place, digest)
        self._ends[name] = max(self._clock() + ttl_seconds, self._ends.get(name, 0))
        self._ends.move_to_end(name)
        while len(self._ends) > self._max_entries:
            self._ends.popitem(last=False)


class AutomaticCache:
    """OpenAI's cache, which needs no mark.

    Args:
        clock: Seconds, monotonic.
        max_entries: How many prefixes are remembered; the least recently used goes first.
    """

    def __init__(self, clock: Callable[[], float], max_entries: int = 100_000) -> None:
        self._clock = clock
        self._prefixes = _Prefixes(clock, max_entries)
        self._max_groups = max_entries
        self._came: dict[object, deque[float]] = {}
        self._count = 0

    def record(self, model: str, tokens: Sequence[str], key: str = "") -> PromptUsage:
        """Account for a prompt, and remember its prefixes.

        Args:
            model: The model that is asked; caches are not shared.
            tokens: The whole prompt, cut into tokens.
            key: The request's ``prompt_cache_key``, or a header's that does the same; empty where it has none.
        """
        machine = self._choose_machine(model, tokens[:ROUTED_TOKENS], key)
        cached = last = 0
        digest = hashlib.blake2b(digest_size=16)
        for end in range(MIN_TOKENS, len(tokens) + 1, STEP_TOKENS):
            digest.update(_join(tokens[last:end]))
            if self._prefixes.has(machine, digest.digest()):
                cached = end
            self._prefixes.keep(machine, digest.digest(), TTL_SECONDS)
            last = end
        return PromptUsage(total=len(tokens), cached=cached, written=last - cached)

    def _choose_machine(self, model: str, beginning: Sequence[str], key: str) -> object:
        """Choose a machine: the one of the beginning and the key, or, where many come, one of several."""
        group = (model, key, hashlib.blake2b(_join(beginning), digest_size=16).digest())
        now = self._clock()
        if len(self._came) > self._max_groups:
            self._came = {each: times for each, times in self._came.items() if times[-1] > now - MINUTE_SECONDS}
        came = self._came.setdefault(group, deque())
        while came and came[0] <= now - MINUTE_SECONDS:
            came.popleft()
        machines = len(came) // REQUESTS_PER_MACHINE + 1
        came.append(now)
        self._count += 1
        spread = hashlib.blake2b(self._count.to_bytes(8, "big"), digest_size=8).digest()
        return (*group, int.from_bytes(spread, "big") % machines)


class MarkedCache:
    """Anthropic's cache, which holds what is marked.

    Args:
        clock: Seconds, monotonic.
        max_entries: How many prefixes are remembered; the least recently used goes first.
    """

    def __init__(self, clock: Callable[[], float], max_entries: int = 100_000) -> None:
        self._prefixes = _Prefixes(clock, max_entries)

    def record(self, model: str, blocks: Sequence[Sequence[str]], marks: Mapping[int, float]) -> PromptUsage:
        """Account for a prompt, and remember the prefixes that end at marks.

        Args:
            model: The model that is asked; caches are not shared.
            blocks: The whole prompt, each block cut into tokens.
            marks: The marked blocks by number, with the time to live of each in seconds.
        """
        least = next((tokens for pattern, tokens in _LEAST if pattern.search(model)), MIN_TOKENS)
        ends: list[tuple[int, bytes]] = []
        count, digest = 0, hashlib.blake2b(digest_size=16)
        for block in blocks:
            digest.update(_join(block))
            count += len(block)
            ends.append((count, digest.digest()))
        cached = max((self._find(model, ends, mark) for mark in marks), default=0)
        written = cached
        for mark, ttl_seconds in sorted(marks.items()):
            tokens, name = ends[mark]
            if tokens >= least:
                self._prefixes.keep(model, name, ttl_seconds)
                written = max(written, tokens)
        return PromptUsage(total=count, cached=cached, written=written - cached)

    def _find(self, model: str, ends: Sequence[tuple[int, bytes]], mark: int) -> int:
        """Find how many tokens are cached of what stands before a mark, looking back from it; reading renews them."""
        for at in range(mark, max(mark - LOOKBACK_BLOCKS, -1), -1):
            tokens, name = ends[at]
            if self._prefixes.has(model, name):
                self._prefixes.keep(model, name, TTL_SECONDS)
                return tokens
        return 0


def _join(tokens: Sequence[str]) -> bytes:
    return "\0".join((*tokens, "")).encode("utf-8", "surrogatepass")
