"""What histories tell beside their curve."""

from __future__ import annotations

import numpy as np

from geocollateral.change.kernels.compiling import F32, I32, LANES, MOST, NOUGHT, ONE, TWO, Places, compiled
from geocollateral.change.kernels.lanes import room, take


@compiled
def tell_histories(
    values: F32,
    days: I32,
    columns: Places,
    ends: I32,
    residual: F32,
    weights: F32,
    variance: F32,
    rules: tuple[np.float32, ...],
    total: F32,
    lag: F32,
    last_look: I32,
    last_ok: I32,
    n_off: I32,
    looks: F32,
    outliers: F32,
    highest: F32,
    lowest: F32,
) -> None:
    """What fitted histories tell beside their curve. Arguments as in `fit_seasons`; one result per column.

    ``rules`` are the level of changed ground, the way of a change, the least spread a departure is counted in, and the
    least lag. ``last_ok`` is the last look that plainly shows unchanged ground, or the first look where none does: a
    baseline that already holds a change agrees with changed ground, and such a look must not date a later break.
    ``total`` sums the weights; ``n_off`` counts looks that may be wild, ``looks`` all, ``outliers`` those as far off
    the way of a change; ``highest`` and ``lowest`` are the range of the curve on the looks.
    """
    level, way, least, least_lag = rules
    known = level == level and way != NOUGHT
    three, prior = ONE + TWO, np.float32(10 * 0.7)  # as if ten pairs without any correlation had been seen too
    # The curve lies within its envelope: only histories with looks this far from it can be wild.
    nearly_three = np.float32(2.999)
    for start in range(0, len(columns), LANES):
        stop = min(start + LANES, len(columns))
        place, end, m = columns[start:stop], ends[start:stop], stop - start
        spread, before = np.empty(m, np.float32), np.zeros(m, np.float32)
        per_spread, off_limit = np.empty(m, np.float32), np.empty(m, np.float32)
        seen = room(len(days), m)
        take(values, 0, len(days), place, seen)
        together, alone = np.zeros(m, np.float32), np.zeros(m, np.float32)
        weight_of, variance_of, lag_of = total[start:stop], variance[start:stop], lag[start:stop]
        high, low = highest[start:stop], lowest[start:stop]
        n_looks, odd = looks[start:stop], outliers[start:stop]
        oldest, newest, plain, off = (
            np.empty(m, np.int32),
            last_look[start:stop],
            last_ok[start:stop],
            n_off[start:stop],
        )
        for lane in range(m):
            spread[lane] = np.sqrt(variance_of[lane])
            per_spread[lane] = ONE / spread[lane]
            off_limit[lane] = nearly_three * max(spread[lane], least)
            oldest[lane] = newest[lane] = plain[lane] = -1
            off[lane], weight_of[lane], n_looks[lane], odd[lane] = 0, NOUGHT, NOUGHT, NOUGHT
            high[lane], low[lane] = -MOST, MOST
        for t in range(len(days)):
            day, residuals, own_weights = days[t], residual[t, start:stop], weights[t, start:stop]
            for lane in range(m):
                value, left, weight = seen[t, lane], residuals[lane], own_weights[lane]
                there = (value - value == NOUGHT) & (day <= end[lane])
                weight_of[lane] += weight
                z = left * weight * per_spread[lane]
                together[lane] += z * before[lane]  # residuals are nought where there is no look
                alone[lane] += z * z
                before[lane] = z if there else before[lane]
                oldest[lane] = day if there & (oldest[lane] < 0) else oldest[lane]
                newest[lane] = day if there else newest[lane]
                off[lane] += 1 if abs(left) > off_limit[lane] else 0
                curved = value - left
                high[lane] = curved if there & (curved > high[lane]) else high[lane]
                low[lane] = curved if there & (curved < low[lane]) else low[lane]
                unchanged = (level - value) * way > three * spread[lane] if known else True
                plain[lane] = day if there & unchanged else plain[lane]
            for lane in range(m):  # apart: with more arrays in one loop the compiler uses no vectors
                left, weight = residuals[lane], own_weights[lane]
                n_looks[lane] += ONE if weight > NOUGHT else NOUGHT
                odd[lane] += ONE if (abs(left) > off_limit[lane]) & (left * way >= NOUGHT) else NOUGHT
        for lane in range(m):
            lag_of[lane] = min(max(together[lane] / (alone[lane] + prior), least_lag), np.float32(0.8))
            plain[lane] = plain[lane] if plain[lane] >= 0 else oldest[lane]


@compiled
def end_histories(
    values: F32, days: I32, columns: Places, given: int, min_looks: int, min_days: int, ends: I32
) -> None:
    """Day on which each history is long enough, -1 where it is not: the first, or the last if its end is ``given``."""
    for start in range(0, len(columns), LANES):
        stop = min(start + LANES, len(columns))
        place, end, m = columns[start:stop], ends[start:stop], stop - start
        count, oldest = np.zeros(m, np.int32), np.zeros(m, np.int32)
        seen = room(len(days), m)
        take(values, 0, len(days), place, seen)
        for lane in range(m):
            end[lane] = -1
        for t in range(len(days)):
            day = days[t]
            for lane in range(m):
                there = seen[t, lane] - seen[t, lane] == NOUGHT
                oldest[lane] = day if there & (count[lane] == 0) else oldest[lane]
                count[lane] += 1 if there else 0
                enough = there & (count[lane] >= min_looks) & (day - oldest[lane] >= min_days)
                end[lane] = day if enough & ((given >= 0) | (end[lane] < 0)) else end[lane]


@compiled
def correlate(one: F32, one_weights: F32, other: F32, other_weights: F32, matrix: F32) -> None:
    """Correlation of the weighted residuals of two indices, shrunk as if twenty looks without any had been seen too.

    All have the shape (time, column) but ``matrix`` (column,), which comes with what those twenty looks weigh. A
    correlation found in few looks is mostly chance (Ledoit & Wolf 2004, doi:10.1016/S0047-259X(03)00096-4).
    """
    n = len(matrix)
    both, own, others = np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros(n, np.float32)
    for t in range(one.shape[0]):
        for i in range(n):
            a, b = one[t, i] * one_weights[t, i], other[t, i] * other_weights[t, i]
            both[i] += a * b
            own[i] += a * a
            others[i] += b * b
    for i in range(n):
        matrix[i] = both[i] / (np.sqrt(own[i] * others[i]) + matrix[i])
