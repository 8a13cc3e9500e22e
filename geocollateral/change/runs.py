"""From what each look says to a dated change: the run of looks that bear it out, its confirmation and its recovery.

The probability of change follows Shiryaev's recursion for the odds, ``odds = (odds + hazard x days) x ratio``, look by
look; a run is what Page's cumulative sum ``path = max(path + log ratio, 0)`` calls the looks since it last was nought.
A change is *confirmed* when it is probable enough **and** enough looks bear it out: one outlier, however large,
decides nothing.

Sources: Shiryaev 1963, doi:10.1137/1108002; Page 1954, doi:10.1093/biomet/41.1-2.100; Baron & Tartakovsky 2006,
doi:10.1080/07474940600609597 (optimality of the procedure); Reiche et al. 2018, doi:10.1016/j.rse.2017.10.034 (its
kind on forest loss with optical and radar looks).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NONE = -1
"""No day."""
Store = dict[str, NDArray[Any]]
"""Arrays by name, the series on the last axis: numbers only, so that a state can be written to any file."""

ACTIVE = 0.05
"""Odds from which a series is followed look by look; below, a bound of them is enough."""

SETTLED = 4e-3
"""Odds below which nothing is going on in a series: a run that has come down to them is over at the next refit."""

MOST_ODDS = np.float32(1e6)
"""Enough is known: what comes later must be able to turn it."""


def empty_runs(n_hypotheses: int, n_streams: int, n_indices: int, ring: int, n: int) -> Store:
    """Nothing seen yet. Names and shapes of all that is remembered of the runs."""
    h = n_hypotheses
    return {
        "odds": np.zeros((h, n), np.float32),
        "path": np.zeros((h, n), np.float32),
        "witnesses": np.zeros((h, n), np.float32),
        "hits": np.zeros((h, n), np.int32),
        "ring_day": np.full((h, ring, n), NONE, np.int32),
        "ring_share": np.zeros((h, ring, n), np.float32),
        "before": np.full((h, n), NONE, np.int32),
        "last_hit": np.full((h, n), NONE, np.int32),
        "said": np.zeros((h, n_streams, n), np.float32),
        "total": np.zeros((h, n_indices, n), np.float32),
        "tally": np.zeros((h, n_indices, n), np.int32),
        "fresh": np.zeros(n, bool),
        "last_ok": np.full(n, NONE, np.int32),
        "detected": np.full(n, NONE, np.int32),
        "broken": np.full(n, NONE, np.int32),
        "last_before": np.full(n, NONE, np.int32),
        "side": np.zeros(n, np.int32),
        "recover": np.zeros(n, np.int32),
        "recover_from": np.full(n, NONE, np.int32),
        "recovered": np.full(n, NONE, np.int32),
        "clock": np.full(n, NONE, np.int32),
        "n_looks": np.zeros(n, np.int32),
        "n_informative": np.zeros(n, np.int32),
        "first_informative": np.full(n, NONE, np.int32),
        "last_informative": np.full(n, NONE, np.int32),
    }
