"""What each look says, as a log likelihood ratio."""

from __future__ import annotations

from typing import Any

import numpy as np

from geocollateral.change.kernels.compiling import F32, MOST, NOUGHT, ONE, TWO, inner
from geocollateral.change.kernels.expecting import beyond, gap
from geocollateral.change.kernels.lanes import exp_of, log_of, room, take
from geocollateral.change.kernels.records import Baselines, Block, Rows, Rules


@inner
def distances(value: Any, low: Any, high: Any, per_spread: Any, side: Any, level: Any, reach: Any) -> tuple[Any, Any]:
    """How far a look lies beyond the envelope, and short of the target, in spreads; both nought without a look."""
    away, short = beyond(value, low, high, per_spread, side), gap(low, high, per_spread, side, level, reach)
    most = MOST if level != level else NOUGHT  # beyond a known level nothing is more changed than at it
    there = away == away
    over = min(max(away, NOUGHT) if there else NOUGHT, max(short, most))
    return over, (max(short - over, NOUGHT) if there else NOUGHT)


@inner
def log_ratio(quotient: Any, half: Any, most_against: Any, most_for: Any) -> Any:
    """Log likelihood ratio of a look, clipped so that no single one decides."""
    return min(max(log_of(quotient) * half, -most_against), most_for)


@inner
def bound_by_outliers(block: Block, first: int, rules: Rules, base: Baselines) -> None:
    """The most that one look of a stream says for a change: one in its share of outliers, and the plan's bound at most.

    If a look in ten of unchanged ground departs as changed ground does, no look can be more than ten times as likely on
    changed ground. The share is smoothed as if one outlier had been seen among as many looks as the plan's bound says.
    """
    m, most_for = block.values.shape[1], block.most_for
    for s in range(most_for.shape[0]):
        most, looks, outliers = rules.most_for[s], base.looks[s][first : first + m], base.outliers[s][first : first + m]
        prior, bounds = exp_of(most), most_for[s]
        for lane in range(m):
            seldom = log_of((looks[lane] + prior) / (outliers[lane] + ONE))
            bounds[lane] = min(max(seldom, rules.hit), most)


@inner
def weigh(block: Block, first: int, rows: Rows, rules: Rules, base: Baselines, newest: F32, clock: F32) -> None:
    """What each look says, the most of any hypothesis, and what of that earlier looks have not said.

    ``newest`` (s, lane) and ``clock`` (lane,): newest look of a stream and of all, brought up to the last.
    """
    m, n_hypotheses, n_channels = block.values.shape[1], rules.sides.shape[0], len(rules.k)
    most = base.inverse.shape[1]
    inverse = room(n_channels * most, m).reshape(n_channels, most, m)
    lags = room(len(rules.tail), m)
    place = np.arange(first, first + m)
    take(base.lag, 0, len(lags), place, lags)
    for c in range(n_channels):
        take(base.inverse[c], 0, most, place, inverse[c])
    away, short = room(most, m), room(most, m)
    far, near = np.empty(m, np.float32), np.empty(m, np.float32)
    values, lows, highs, per_spread = block.values, block.low, block.high, block.per_spread
    seen, weights, hazards, ratios, quotient = block.seen, block.weight, block.hazard, block.ratio, block.quotient
    start, firsts, sides, levels, reaches = rows.start, rules.first, rules.sides, rules.level, rules.reach
    streams, stream_rows, days, per_year = rows.look_stream, rows.look_row, rows.look_day, rules.rate
    for look in range(len(streams)):
        s, t = streams[look], stream_rows[look]
        c0, n = firsts[s], firsts[s + 1] - firsts[s]
        for lane in range(m):
            seen[look, lane], ratios[look, lane] = NOUGHT, NOUGHT
        for c in range(c0, c0 + n):
            r = start[c] + t
            for lane in range(m):
                seen[look, lane] = ONE if values[r, lane] == values[r, lane] else seen[look, lane]
        day, per_day = np.float32(days[look]), ONE / rules.correlation_days[s]
        for lane in range(m):
            # What a look adds to the one before: all, if that lies far back; less, the closer and more alike they are.
            there, last, before = seen[look, lane], newest[s, lane], clock[lane]
            weights[look, lane] = ONE - lags[s, lane] * max(ONE - (day - last) * per_day, NOUGHT)
            # A history of another stream that was just fitted may reach beyond this look.
            hazards[look, lane] = max(day - before, NOUGHT) * there * per_year
            newest[s, lane] = day if there > NOUGHT else last
            clock[lane] = max(day, before) if there > NOUGHT else before
        tail, half, against, most_for = rules.tail[s], rules.half[s], rules.most_against[s], block.most_for[s]
        for h in range(n_hypotheses):
            for lane in range(m):
                far[lane], near[lane] = NOUGHT, NOUGHT
            for i in range(n):
                c = c0 + i
                r, side, level, reach = start[c] + t, sides[h, c], levels[c], reaches[c]
                for lane in range(m):
                    value, low, high = values[r, lane], lows[r, lane], highs[r, lane]
                    over, rest = distances(value, low, high, per_spread[r, lane], side, level, reach)
                    away[i, lane], short[i, lane] = over, rest
                for j in range(i + 1):  # terms of two Mahalanobis distances
                    times = TWO if j < i else ONE
                    for lane in range(m):
                        far[lane] += times * inverse[c, j, lane] * away[i, lane] * away[j, lane]
                        near[lane] += times * inverse[c, j, lane] * short[i, lane] * short[j, lane]
            for lane in range(m):
                out = (max(far[lane], NOUGHT) + tail) / (max(near[lane], NOUGHT) + tail)
                quotient[h, look, lane] = out
                ratios[look, lane] = max(ratios[look, lane], out)
        for lane in range(m):
            ratios[look, lane] = log_ratio(ratios[look, lane], half, against, most_for[lane]) * seen[look, lane]
