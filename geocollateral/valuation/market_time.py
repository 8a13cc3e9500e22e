"""The level of prices over time: what is left of log prices when the property itself is accounted for.

A random walk seen with noise, month by month, smoothed with all months at once (local level model: Durbin & Koopman
2012, Time Series Analysis by State Space Methods, doi:10.1093/acprof:oso/9780199641178.001.0001). After the last
month the level is held: a value for lending expects no rise of prices (CRR article 229(1)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_PER_MONTH = 3
_MOST_STEPS = 600
_RATES = (1e-6, 1e-5, 4e-5, 1e-4, 2.5e-4, 6e-4, 1.5e-3)
"""Variances of one month's step that are tried [log price squared]: steps of 0.1 % to 4 %."""


@dataclass(frozen=True, kw_only=True)
class PriceLevel:
    """Level of log prices by month, zero in the last one. Arrays have shape (month,)."""

    months: Floats
    """Rising; empty where the level does not change."""
    level: Floats
    drift: float = 0.0
    """Variance of a month's step [log price squared]: how unsure the level is after the last month."""

    def at(self, months: Floats | None, n: int) -> Floats:
        """Level at times, shape (n,): that of the first and last month outside them, and of the last where unknown."""
        if months is None or not len(self.months):
            return np.zeros(n)
        return np.interp(np.where(np.isfinite(months), months, self.months[-1]), self.months, self.level)


FLAT = PriceLevel(months=np.zeros(0), level=np.zeros(0))


def price_level(months: Floats, residual: Floats) -> PriceLevel:
    """Level of prices from sales.

    Parameters
    ----------
    months
        Shape (sale,): time of each sale [months].
    residual
        Shape (sale,): log price less what the property explains.
    """
    # Periods that are days, or dates of a century, are put together: no level is learned from single sales.
    width = max(1.0, np.ceil(np.ptp(months) / _MOST_STEPS))
    cell = np.floor(months / width).astype(np.int64)
    first, last = int(cell.min()), int(cell.max())
    if last == first:
        return FLAT
    spread = 1.4826 * float(np.median(np.abs(residual - np.median(residual)))) + 1e-6
    value, variance = np.full(last - first + 1, np.nan), np.full(last - first + 1, np.inf)
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=first - 1))
    for rows in np.split(order, starts[1:]):
        if len(rows) >= MIN_PER_MONTH:
            place = int(cell[rows[0]]) - first
            # A median: one sale between relatives moves it little. Its variance is pi / 2 times a mean's.
            value[place], variance[place] = np.median(residual[rows]), 1.57 * spread**2 / len(rows)
    if np.isfinite(value).sum() < 2:
        return FLAT
    found = {rate: _smoothed(value, variance, rate) for rate in _RATES}
    rate = max(found, key=lambda tried: found[tried][1])
    level = found[rate][0]
    return PriceLevel(
        months=width * (np.arange(first, last + 1, dtype=np.float64) + 0.5),
        level=level - level[-1],
        drift=float(rate / width),
    )


def _smoothed(value: Floats, variance: Floats, rate: float) -> tuple[Floats, float]:
    """Smoothed level and log likelihood of a random walk with steps of variance `rate`."""
    n = len(value)
    mean, var = float(value[np.isfinite(value)][0]), 1.0
    means, vars_, ahead = np.zeros(n), np.zeros(n), np.zeros(n)
    likelihood = 0.0
    for t in range(n):
        var += rate
        ahead[t] = var
        if np.isfinite(value[t]):
            total = var + variance[t]
            miss = value[t] - mean
            if t:
                likelihood -= 0.5 * (np.log(total) + miss**2 / total)
            mean += var / total * miss
            var *= variance[t] / total
        means[t], vars_[t] = mean, var
    for t in range(n - 2, -1, -1):
        means[t] += vars_[t] / ahead[t + 1] * (means[t + 1] - means[t])
    return means, likelihood


__all__ = ["FLAT", "PriceLevel", "price_level"]
