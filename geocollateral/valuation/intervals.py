"""Intervals of learned values: a learned spread of errors, conformal quantiles in its units, and a margin for groups.

Quantiles of errors out of fold in units of a learned spread hold the level over all sales (Lei et al. 2018,
doi:10.1080/01621459.2017.1307116), not in each district or class. A factor widens them until most groups hold it too,
as far as the level over all sales bears (in the spirit of group-conditional coverage, Barber et al. 2021,
doi:10.1093/imaiai/iaaa017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Boost = Callable[[Floats, Floats], lgb.Booster]

MIN_TO_LEARN = 400
"""Fewest sales from which the spread of errors is learned."""
MIN_GROUP = 100
"""Fewest sales of a group whose coverage is asked for."""
_SHORT = 0.01
"""A group may hold this much less than the level out of fold: a hundred sales cannot tell three points."""
_GROUPS_HELD = 0.95
_SURPLUS = 0.025
"""Most that the level over all sales may rise for the sake of groups."""
ONE_DEVIATION = 0.6827


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Conformal interval in units of a learned spread."""

    spread: lgb.Booster | None
    constant: float
    low: float
    high: float
    """Quantiles of error / spread, corrected for the size of the sample, with the margin for groups in them."""
    deviation: float
    """Forecast standard deviation / spread: 68 % of errors out of fold are within it."""
    margin: float
    """Factor on both bounds for the sake of groups."""
    forward: float
    """Factor by which errors were wider where the past valued the future; 1 where there are no dates."""
    last_month: float
    """Time of the last sale learned from [months]; later ones are the future."""
    drift: float = 0.0
    """Variance that the level of prices gains each month after the last sale [log price squared]."""

    def spreads(self, matrix: Floats) -> Floats:
        """Spread of the log error, shape (row,)."""
        if self.spread is None:
            return np.full(len(matrix), self.constant)
        told = np.asarray(self.spread.predict(matrix, num_threads=1), np.float64)
        return self.constant * np.exp(np.clip(told, -1.5, 2.0))

    def widening(self, months: Floats | None, spread: Floats) -> Floats:
        """Factor of each row, shape (row,): `forward` after the last sale and where the time is not known.

        It is larger where the level of prices, a random walk, may have gone further than the errors are wide.

        Parameters
        ----------
        spread
            Shape (row,): spread of errors without the widening.
        """
        if months is None:
            return np.full(len(spread), self.forward)
        ahead = np.maximum(np.nan_to_num(months - self.last_month, nan=0.0, neginf=0.0), 0.0)
        walked = np.sqrt(1 + self.drift * ahead / np.square(self.deviation * spread))
        return np.where(months <= self.last_month, 1.0, np.maximum(self.forward, walked))


def fit_interval(
    matrix: Floats, error: Floats, fold: Ints, groups: Sequence[Ints], level: float, boost: Boost
) -> Interval:
    """Spread of errors as a function of the features, and the quantiles of errors in its units, all out of fold.

    Parameters
    ----------
    matrix
        Shape (sale, column): what the spread may hang on.
    error
        Shape (sale,): log error out of fold.
    groups
        Partitions of the sales, each shape (sale,): number of the group of each.
    level
        Share of prices that the interval is to hold [0-1].
    boost
        Fits a booster of the logarithm of the size of errors.
    """
    constant = 1.4826 * float(np.median(np.abs(error))) + 1e-6
    spread, scaled = None, error / constant
    if len(error) >= MIN_TO_LEARN:
        size = np.log(np.clip(np.abs(error), 0.05 * constant, 20 * constant) / constant)
        size = size - np.median(size)
        out = np.empty(len(error))
        for f in np.unique(fold):
            own = fold == f
            part = boost(matrix[~own], size[~own])
            out[own] = np.exp(np.clip(np.asarray(part.predict(matrix[own], num_threads=1), np.float64), -1.5, 2.0))
        spread, scaled = boost(matrix, size), error / (constant * out)
    tail = (1 - level) / 2
    ordered, n = np.sort(scaled), len(scaled)
    rank = int(np.clip(np.ceil((n + 1) * (1 - tail)), 1, n))
    low, high = float(ordered[n - rank]), float(ordered[rank - 1])
    margin = _margin(scaled, low, high, groups, level)
    return Interval(
        spread=spread,
        constant=constant,
        low=min(margin * low, low),
        high=max(margin * high, high),
        deviation=float(np.quantile(np.abs(scaled), ONE_DEVIATION)),
        margin=margin,
        forward=1.0,
        last_month=np.inf,
    )


def _margin(scaled: Floats, low: float, high: float, groups: Sequence[Ints], level: float) -> float:
    """Smallest factor at which most groups hold the level less a little, or the surplus over all is used up."""
    large = [g for g in groups if len(g)]
    for factor in np.arange(1.0, 1.51, 0.02):
        inside = ((scaled >= factor * low) & (scaled <= factor * high)).astype(np.float64)
        if inside.mean() > level + _SURPLUS:
            return float(max(factor - 0.02, 1.0))
        held: list[float] = []
        for group in large:
            count = np.bincount(group)
            share = np.bincount(group, inside) / np.maximum(count, 1)
            held.extend(share[count >= MIN_GROUP].tolist())
        if not held or np.quantile(held, 1 - _GROUPS_HELD) >= level - _SHORT:
            return float(factor)
    return 1.5


def groups_of(features: pd.DataFrame, log_value: Floats) -> list[Ints]:
    """Partitions by each category, by fifths of each number and of the value; each shape (row,)."""
    found: list[Ints] = []
    for name in features.columns:
        if features[name].dtype == object:
            found.append(np.asarray(pd.factorize(features[name], sort=True)[0] + 1, np.int64))
        else:
            found.append(fifths(features[name].to_numpy(np.float64)))
    return [*found, fifths(log_value)]


def fifths(values: Floats) -> Ints:
    """Number of the fifth of each value, equal values together; 0 where it is missing. Shape (row,)."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values), np.int64)
    edges = np.unique(np.quantile(values[known], [0.2, 0.4, 0.6, 0.8]))
    return np.where(known, 1 + np.searchsorted(edges, np.where(known, values, 0.0)), 0).astype(np.int64)


__all__ = ["MIN_GROUP", "MIN_TO_LEARN", "Interval", "fifths", "fit_interval", "groups_of"]
