"""Columns that say the time of the sale again, whatever their name: its year, marks of years, numbers of contracts.

As a feature such a column holds what no later sale can: every one of them would lie outside of what was sold.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

_COPY = 0.995
"""Rank correlation with the day of sale from which a number is a copy of it."""
_SLIPS = 0.02
"""Changes of kind along time, against those by chance, that are slips of the pen."""
_FEWEST = 50


def says_time_of_sale(values: Floats | NDArray[np.object_], months: Floats) -> bool:
    """Whether each value has a stretch of time of its own, or a number rises with time as no property does.

    Parameters
    ----------
    values
        Shape (sale,): numbers, or kinds as text; NaN and None are unknown.
    months
        Shape (sale,): time of sale.
    """
    known = np.isfinite(months) & ~pd.isna(values)
    n = int(known.sum())
    if n < _FEWEST or np.ptp(months[known]) == 0:
        return False
    own, time = values[known], months[known]
    code, kinds = pd.factorize(own)
    if len(kinds) < 2:
        return False
    if len(kinds) <= 0.2 * n:
        along = code[np.argsort(time, kind="stable")]
        share = np.bincount(code) / n
        by_chance = n * float(1 - np.square(share).sum())
        return by_chance >= 10 * len(kinds) and int((np.diff(along) != 0).sum()) <= len(kinds) + _SLIPS * by_chance
    if own.dtype == object:
        return False
    return bool(abs(float(stats.spearmanr(own, time).statistic)) >= _COPY)


__all__ = ["says_time_of_sale"]
