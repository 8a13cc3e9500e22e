"""How sure a figure is: shares, rates and averages with their 95 % confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from geocollateral.errors import InvalidInput

CONFIDENCE = 0.95
DRAWS = 500
"""Resamples of a bootstrap: enough for two digits of a 95 % interval."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number with its confidence interval; all three NaN where there is nothing to count."""

    value: float
    low: float
    high: float
    n: float
    """What it rests on: number of cases, or parcel-years of a rate."""


NOTHING = Figure(value=np.nan, low=np.nan, high=np.nan, n=0)


def share(hits: int, cases: int, confidence: float = CONFIDENCE) -> Figure:
    """Share of cases [0-1] with Wilson's score interval (https://doi.org/10.1080/01621459.1927.10502953).

    It stays within 0..1 and says something sensible at 0 and at 1, where the textbook interval has no width.

    Raises
    ------
    InvalidInput
        More hits than cases, or fewer than none.
    """
    if not 0 <= hits <= cases:
        raise InvalidInput(f"hits must lie within 0..{cases}, got {hits}")
    if cases == 0:
        return NOTHING
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    p, scale = hits / cases, 1 + z * z / cases
    middle = (p + z * z / (2 * cases)) / scale
    reach = z / scale * float(np.sqrt(p * (1 - p) / cases + z * z / (4 * cases * cases)))
    # At both ends the interval touches the value; rounding must not push it past.
    low, high = min(max(middle - reach, 0.0), p), max(min(middle + reach, 1.0), p)
    return Figure(value=p, low=low, high=high, n=cases)


def rate(count: int, exposure: float, per: float = 1.0, confidence: float = CONFIDENCE) -> Figure:
    """Events per ``per`` units of exposure with Garwood's exact Poisson interval (https://doi.org/10.2307/2333958).

    Raises
    ------
    InvalidInput
        A negative count or exposure.
    """
    if count < 0 or exposure < 0:
        raise InvalidInput(f"count and exposure must not be negative, got {count} and {exposure}")
    if exposure == 0:
        return NOTHING
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(stats.chi2.ppf(tail, 2 * count)) / 2
    high = upper_count(count, 1 - tail)
    return Figure(value=count / exposure * per, low=low / exposure * per, high=high / exposure * per, n=exposure)


def upper_count(count: int, confidence: float) -> float:
    """Largest expected count that a Poisson count as low as this leaves credible, one-sided."""
    return float(stats.chi2.ppf(confidence, 2 * count + 2)) / 2


def over_clusters(
    values: Sequence[float] | NDArray[Any],
    clusters: Sequence[Any] | NDArray[Any],
    statistic: Callable[[NDArray[np.float64]], float] = np.median,
    confidence: float = CONFIDENCE,
    draws: int = DRAWS,
) -> Figure:
    """A statistic of values with its percentile bootstrap over clusters: values of one parcel are not independent.

    Parameters
    ----------
    values
        NaN is left out.
    clusters
        Parcel of each value.
    statistic
        Such as `numpy.median` or `numpy.mean`.

    Returns
    -------
    ``n`` counts values. With values of one cluster only the interval is as wide as numbers go: nothing is known of it.
    """
    kept = np.asarray(values, np.float64)
    seen = np.isfinite(kept)
    kept, owner = kept[seen], pd.factorize(np.asarray(clusters)[seen])[0]
    if not len(kept):
        return NOTHING
    found = float(statistic(kept))
    n_clusters = int(owner.max()) + 1
    if n_clusters == 1:
        return Figure(value=found, low=-np.inf, high=np.inf, n=len(kept))
    members = np.split(np.argsort(owner, kind="stable"), np.cumsum(np.bincount(owner))[:-1])
    rng = np.random.default_rng(0)  # the same table twice gives the same interval
    drawn = rng.integers(0, n_clusters, (draws, n_clusters))
    results = [statistic(kept[np.concatenate([members[c] for c in one])]) for one in drawn.tolist()]
    low, high = np.quantile(results, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Figure(value=found, low=float(low), high=float(high), n=len(kept))
