"""Estimates from a sample of turns, with the margin that 95 of 100 such samples keep.

Turns are drawn one by one, each with the same chance, from the pinned turns that were served: that these belong to
sessions, and so resemble each other, widens no margin, for it is they that the estimate is about and no turns to come.
Where the configured share was changed, each share's turns are a stratum of their own.

- A share of turns: Wilson's score interval (Wilson, "Probable Inference, the Law of Succession, and Statistical
  Inference", JASA 22, 1927; recommended by Brown, Cai and DasGupta, "Interval Estimation for a Binomial Proportion",
  Statistical Science 16, 2001), corrected for a finite population (O'Neill, "Mathematical properties and
  finite-population correction for the Wilson score interval", 2021), over strata by their effective sample size (Kish,
  "Survey Sampling", 1965).
- A total: the mean times the number of turns, plus and minus 1.96 standard errors (Cochran, "Sampling Techniques", 3rd
  edition, 1977, chapters 2 and 5). Turns that a quantity does not concern count as 0, as there for subpopulations. From
  fewer than 30 turns, or turns that are all alike, no margin is given; where Cochran's rule for the normal
  approximation asks for more turns than there are, because a few large ones dominate, the margin is rough, and says so.

Both have the finite population correction: a sample of all turns has no margin.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from plano_agents.router.watch.ghosts.sums import Moments

CONFIDENCE = 0.95
"""How many of 100 such samples keep the margin, over 100."""

Z = 1.959963984540054
"""The normal distribution's quantile for that."""

LEAST_TURNS = 30
"""From how many turns on a total has a margin."""

ALIKE = 1e-12
"""Up to which variance, over the squared mean, turns are all alike: what is left is the error of the sums."""

SKEWNESS_FACTOR = 25
"""Cochran's rule: a margin holds from 25 times the squared skewness turns on."""


class Estimate(NamedTuple):
    """An estimate and its margin."""

    value: float
    """The estimate."""
    low: float | None
    """Where the margin begins; None where the sampled turns are too few for one, or all alike."""
    high: float | None
    """Where it ends."""
    is_rough: bool = False
    """True if a few large turns dominate, so the margin may be too narrow."""

    def times(self, factor: float) -> "Estimate":
        """Scale the estimate and its margin."""
        low, high = (each if each is None else each * factor for each in (self.low, self.high))
        return Estimate(self.value * factor, low, high, self.is_rough)


class CountedStratum(NamedTuple):
    """A stratum of turns that do or do not have a property."""

    population: int
    """How many turns there were."""
    sampled: int
    """How many were looked at; at least one."""
    having: int
    """How many of these have it."""


class MeasuredStratum(NamedTuple):
    """A stratum of turns with a quantity."""

    population: int
    """How many turns there were."""
    sampled: int
    """How many were looked at; at least one."""
    moments: Moments
    """The quantity's sums over these."""


def estimate_share(strata: Sequence[CountedStratum]) -> Estimate:
    """Estimate the share of turns that have a property, from 0 to 1.

    Args:
        strata: One at least.
    """
    population = sum(each.population for each in strata)
    share = sum(each.population * each.having / each.sampled for each in strata) / population
    uncertain = sum(
        (each.population / population) ** 2 * _correct(each.population, each.sampled, lost=1) / each.sampled
        for each in strata
    )
    if uncertain == 0:
        return Estimate(share, share, share)
    size = 1 / uncertain
    scale = 1 + Z**2 / size
    middle = (share + Z**2 / (2 * size)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / size + Z**2 / (4 * size**2))
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


def estimate_total(strata: Sequence[MeasuredStratum]) -> Estimate:
    """Estimate a quantity's total over all turns.

    Args:
        strata: One at least.
    """
    total = variance = 0.0
    is_rough = False
    for population, sampled, moments in strata:
        mean = moments.sum / sampled
        total += population * mean
        correction = _correct(population, sampled)
        if correction == 0:
            continue
        second = moments.squares / sampled - mean**2
        if second <= ALIKE * mean**2:
            continue
        third = moments.cubes / sampled - 3 * mean * moments.squares / sampled + 2 * mean**3
        variance += population**2 * correction * second / (sampled - 1)
        is_rough = is_rough or sampled <= SKEWNESS_FACTOR * third**2 / second**3
    is_complete = all(_correct(population, sampled) == 0 for population, sampled, _ in strata)
    if not is_complete and (variance == 0 or sum(sampled for _, sampled, _ in strata) < LEAST_TURNS):
        return Estimate(total, None, None)
    half = Z * math.sqrt(variance)
    return Estimate(total, total - half, total + half, is_rough)


def _correct(population: int, sampled: int, *, lost: int = 0) -> float:
    """The finite population correction: the part of the turns that was not looked at.

    Args:
        population: How many turns there were.
        sampled: How many were looked at.
        lost: Degrees of freedom that a share's variance has less.
    """
    return max(0.0, (population - sampled) / max(1, population - lost))
