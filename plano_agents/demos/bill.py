"""The demo's bill: what the two runs read from providers' caches, turn against turn, and their prompts' list price.

``(prompt - cached) x input price + cached x cached price``, by the list prices that ship with the package; tokens are
those that the models reported. The turn that is shown is the one in which affinity read most from the cache that the
run without it did not: of the turns at which that run changed the model, or, where none of these gained, of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from plano_agents.demos.loop import Turn
from plano_agents.providers.profiles import find_known

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class TurnBill:
    """The prompt of one turn, and its price."""

    model: str
    """Who served it."""
    prompt_tokens: int
    """Tokens of its prompt, cached ones among them."""
    cached_tokens: int
    """Tokens of its prompt that were read from the cache."""
    usd: float | None
    """The prompt's list price in US dollars; None where the model's prices are not known."""


@dataclass(frozen=True, slots=True)
class Bill:
    """The two runs' bill."""

    turn: int
    """The turn that is shown, from 1."""
    without: TurnBill
    """What it came to without affinity."""
    with_affinity: TurnBill
    """What it came to with affinity."""
    without_usd: float | None
    """The list price of all prompts without affinity, in US dollars; None where a model's prices are not known."""
    with_affinity_usd: float | None
    """The same with affinity."""


def build_bill(without: Sequence[Turn], with_affinity: Sequence[Turn]) -> Bill | None:
    """Compare two runs.

    Args:
        without: The turns of the run without affinity.
        with_affinity: Those of the run with it.

    Returns:
        The bill; None where no turn with affinity read more from the cache.
    """
    pairs = list(zip(without, with_affinity, strict=False))
    changed = [pair for pair, (last, now) in zip(pairs[1:], pairwise(without), strict=False) if last.model != now.model]
    gained = [pair for pair in changed if _gain(pair) > 0] or [pair for pair in pairs if _gain(pair) > 0]
    if not gained:
        return None
    before, after = max(gained, key=_gain)
    return Bill(before.number, _bill(before), _bill(after), _sum_up(without), _sum_up(with_affinity))


def word_bill(bill: Bill | None, *, simulated: bool) -> str:
    """Say it in a sentence or two.

    Args:
        bill: The bill.
        simulated: Whether the models were, which is said.
    """
    title = "The bill, of simulated models:" if simulated else "The bill:"
    if bill is None:
        return f"{title} with affinity no turn read more of its prompt from the cache."
    before, after = bill.without, bill.with_affinity
    told = (
        f"{title} turn {bill.turn} read {before.cached_tokens:,} of {before.prompt_tokens:,} prompt tokens from the "
        f"cache; with affinity {after.cached_tokens:,} of {after.prompt_tokens:,}"
    )
    if before.usd is None or after.usd is None:
        unknown = before.model if before.usd is None else after.model
        return f"{told}. The list price of {unknown} is not known."
    told += f"; at list price ${before.usd:.4f} ({before.model}) against ${after.usd:.4f} ({after.model})."
    if bill.without_usd is not None and bill.with_affinity_usd is not None:
        told += f" All prompts of the run: ${bill.without_usd:.4f} against ${bill.with_affinity_usd:.4f}."
    return told


def _gain(pair: tuple[Turn, Turn]) -> int:
    """Tokens that the turn with affinity read more from the cache than the one without."""
    before, after = pair
    return after.cached_tokens - before.cached_tokens


def _bill(turn: Turn) -> TurnBill:
    return TurnBill(turn.model, turn.prompt_tokens, turn.cached_tokens, _price(turn))


def _price(turn: Turn) -> float | None:
    known = find_known(turn.model)
    if known.input_price is None or known.cached_price is None:
        return None
    fresh = turn.prompt_tokens - turn.cached_tokens
    return (fresh * known.input_price + turn.cached_tokens * known.cached_price) / _MILLION


def _sum_up(turns: Sequence[Turn]) -> float | None:
    prices = [_price(turn) for turn in turns]
    known = [price for price in prices if price is not None]
    return sum(known) if len(known) == len(prices) else None
