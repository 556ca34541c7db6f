"""The demo's bill: what each run read from providers' caches, and the list price of its prompts.

``(prompt - cached) x input price + cached x cached price``, by the list prices that ship with the package; tokens are
those that the models reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from plano_agents.demos.loop import Turn
from plano_agents.providers.profiles import find_known

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class RunBill:
    """The bill of one run."""

    prompt_tokens: int
    """Tokens of its prompts, cached ones among them."""
    cached_tokens: int
    """Tokens of its prompts that were read from a cache."""
    usd: float | None
    """The prompts' list price in US dollars; None where a model's prices are not known."""
    unpriced: tuple[str, ...]
    """The models whose prices are not known."""
    routing_ms: float | None
    """What deciding took on a turn, the mean, in milliseconds; None where the router does not say."""


def build_bill(turns: Sequence[Turn]) -> RunBill:
    """Add up a run."""
    prices = [_price(turn) for turn in turns]
    known = [price for price in prices if price is not None]
    times = [turn.routing_ms for turn in turns if turn.routing_ms is not None]
    return RunBill(
        sum(turn.prompt_tokens for turn in turns),
        sum(turn.cached_tokens for turn in turns),
        sum(known) if len(known) == len(prices) else None,
        tuple(dict.fromkeys(turn.model for turn, price in zip(turns, prices, strict=True) if price is None)),
        fmean(times) if times else None,
    )


def word_bill(without: RunBill, with_affinity: RunBill, *, simulated: bool) -> str:
    """Compare two runs in a few sentences.

    Args:
        without: The run without affinity.
        with_affinity: The run with it.
        simulated: Whether the models were, which is said.
    """
    told = (
        f"The bill{', of simulated models' if simulated else ''}: {without.cached_tokens:,} of "
        f"{without.prompt_tokens:,} prompt tokens from the cache; with affinity {with_affinity.cached_tokens:,} of "
        f"{with_affinity.prompt_tokens:,}."
    )
    if without.usd is not None and with_affinity.usd is not None:
        told += f" List price of the prompts: ${without.usd:.4f}; with affinity ${with_affinity.usd:.4f}."
    else:
        unpriced = dict.fromkeys((*without.unpriced, *with_affinity.unpriced))
        told += f" The list price of {', '.join(unpriced)} is not known."
    if without.routing_ms is not None and with_affinity.routing_ms is not None:
        told += f" Routing a turn: {without.routing_ms:.1f} ms; with affinity {with_affinity.routing_ms:.1f} ms."
    return told


def _price(turn: Turn) -> float | None:
    known = find_known(turn.model)
    if known.input_price is None or known.cached_price is None:
        return None
    fresh = turn.prompt_tokens - turn.cached_tokens
    return (fresh * known.input_price + turn.cached_tokens * known.cached_price) / _MILLION
