"""Intervals of sums of values whose errors are partly one and the same.

A price that a table states too high is too high for every parcel valued with it: such errors add up, while those of
each parcel's own area average out. Each term says which share of its variance goes with which source of error.

``half = sqrt(sum over sources (sum of half_i * sqrt(share_i))^2 + sum of half_i^2 * own_i)``, once for the bounds below
and once for those above: exact for normal errors, an approximation for others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from geocollateral.errors import InvalidInput

OWN = "own"
"""Source of error of a term alone: that of another term's ``own`` is another error."""
NORMAL_90 = 1.6448536269514722
"""Half-width of the 90 % interval of a normal number [standard deviations]."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A value with its 90 % interval, and where its error comes from."""

    low: float
    middle: float
    high: float
    shares: Mapping[str, float]
    """Share of its variance by source of error [0-1]; what they lack of 1 is counted as its own."""

    def __post_init__(self) -> None:
        if not self.low <= self.middle <= self.high:
            raise InvalidInput(f"Expected low <= middle <= high, got {self.low}, {self.middle}, {self.high}.")


def sum_of(terms: Iterable[Term]) -> tuple[float, float, float]:
    """Low, middle and high of a sum: its 90 % interval if those of the terms are."""
    terms = list(terms)
    middle = math.fsum(term.middle for term in terms)
    below = _half([(term.middle - term.low, term.shares) for term in terms])
    above = _half([(term.high - term.middle, term.shares) for term in terms])
    return middle - below, middle, middle + above


def _half(parts: Iterable[tuple[float, Mapping[str, float]]]) -> float:
    common: dict[str, list[float]] = {}
    own: list[float] = []
    for half, shares in parts:
        named = {source: share for source, share in shares.items() if source != OWN and share > 0}
        for source, share in named.items():
            common.setdefault(source, []).append(half * math.sqrt(share))
        own.append(half**2 * max(1.0 - math.fsum(named.values()), 0.0))
    return math.sqrt(math.fsum(math.fsum(part) ** 2 for part in common.values()) + math.fsum(own))


def count_of(chances: Iterable[float], common_spread: float) -> tuple[float, float, float]:
    """Low, middle and high of the number of events of some chances [0-1].

    Parameters
    ----------
    common_spread
        How far whole portfolios stray together, as a share of the number expected (weather strikes many at once) [1].
    """
    chances = list(chances)
    expected = math.fsum(chances)
    variance = math.fsum(p * (1 - p) for p in chances) + (common_spread * expected) ** 2
    half = NORMAL_90 * math.sqrt(variance)
    return max(expected - half, 0.0), expected, min(expected + half, float(len(chances)))
