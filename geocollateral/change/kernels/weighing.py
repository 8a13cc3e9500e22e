"""What each look says, as a log likelihood ratio."""

from __future__ import annotations

import numpy as np

from geocollateral.change.kernels.compiling import F32, MOST, NOUGHT, ONE, TWO, inner
from geocollateral.change.kernels.expecting import beyond, gap
from geocollateral.change.kernels.lanes import log_of
from geocollateral.change.kernels.records import Baselines, Block, Rows, Rules


@inner
def distances(
    values: F32,
    low: F32,
    high: F32,
    per_spread: F32,
    side: np.float32,
    level: np.float32,
    reach: np.float32,
    away: F32,
    short: F32,
) -> None:
    """How far a look lies beyond the envelope, and short of the target, in spreads; both nought without a look."""
    beyond(values, low, high, per_spread, side, away)
    gap(low, high, per_spread, side, level, reach, short)
    most = MOST if level != level else NOUGHT  # beyond a known level nothing is more changed than at it
    for lane in range(len(away)):
        over = max(away[lane], NOUGHT) if away[lane] == away[lane] else NOUGHT
        over = min(over, max(short[lane], most))
        rest = max(short[lane] - over, NOUGHT)
        short[lane] = rest if away[lane] == away[lane] else NOUGHT
        away[lane] = over


@inner
def add_form(away: F32, other: F32, inverse: F32, times: np.float32, total: F32) -> None:
    """Add one term of a Mahalanobis distance."""
    for lane in range(len(total)):
        total[lane] += times * inverse[lane] * away[lane] * other[lane]


@inner
def log_ratio(quotient: np.float32, half: np.float32, most_against: np.float32, most_for: np.float32) -> np.float32:
    """Log likelihood ratio of a look, clipped so that no single one decides."""
    return min(max(log_of(quotient) * half, -most_against), most_for)


@inner
def weigh(block: Block, first: int, rows: Rows, rules: Rules, base: Baselines, newest: F32, clock: F32) -> None:
    """What each look says, the most of any hypothesis, and what of that earlier looks have not said.

    ``newest`` (s, lane) and ``clock`` (lane,): newest look of a stream and of all, brought up to the last.
    """
    m, n_hypotheses, n_channels = block.values.shape[1], rules.sides.shape[0], len(rules.k)
    most = base.inverse.shape[1]
    inverse = np.empty((n_channels, most, m), np.float32)
    for c in range(n_channels):
        for i in range(most):
            at, source = inverse[c, i], base.inverse[c, i][first : first + m]
            for lane in range(m):
                at[lane] = source[lane]
    away, short = np.empty((most, m), np.float32), np.empty((most, m), np.float32)
    far, near = np.empty(m, np.float32), np.empty(m, np.float32)
    every_values, every_low, every_high, every_per_spread = block.values, block.low, block.high, block.per_spread
    start, firsts, sides, levels, reaches = rows.start, rules.first, rules.sides, rules.level, rules.reach
    for look in range(len(rows.look_stream)):
        s, t = rows.look_stream[look], rows.look_row[look]
        seen, weight, hazard, ratio = block.seen[look], block.weight[look], block.hazard[look], block.ratio[look]
        c0, n = firsts[s], firsts[s + 1] - firsts[s]
        for lane in range(m):
            seen[lane], ratio[lane] = NOUGHT, NOUGHT
        for c in range(c0, c0 + n):
            values = every_values[start[c] + t]
            for lane in range(m):
                seen[lane] = ONE if values[lane] == values[lane] else seen[lane]
        day, last, lag = np.float32(rows.look_day[look]), newest[s], base.lag[s][first : first + m]
        per_day, per_year = ONE / rules.correlation_days[s], rules.rate
        for lane in range(m):
            # What a look adds to the one before: all, if that lies far back; less, the closer and more alike they are.
            shared = max(ONE - (day - last[lane]) * per_day, NOUGHT)
            weight[lane] = ONE - lag[lane] * shared
            # A history of another stream that was just fitted may reach beyond this look.
            hazard[lane] = max(day - clock[lane], NOUGHT) * seen[lane] * per_year
            last[lane] = day if seen[lane] > NOUGHT else last[lane]
            clock[lane] = max(day, clock[lane]) if seen[lane] > NOUGHT else clock[lane]
        tail, half, against, most_for = rules.tail[s], rules.half[s], rules.most_against[s], rules.most_for[s]
        for h in range(n_hypotheses):
            for lane in range(m):
                far[lane], near[lane] = NOUGHT, NOUGHT
            for i in range(n):
                c = c0 + i
                r = start[c] + t
                distances(
                    every_values[r],
                    every_low[r],
                    every_high[r],
                    every_per_spread[r],
                    sides[h, c],
                    levels[c],
                    reaches[c],
                    away[i],
                    short[i],
                )
                for j in range(i + 1):
                    times = TWO if j < i else ONE
                    add_form(away[i], away[j], inverse[c, j], times, far)
                    add_form(short[i], short[j], inverse[c, j], times, near)
            out = block.quotient[h, look]
            for lane in range(m):
                out[lane] = (max(far[lane], NOUGHT) + tail) / (max(near[lane], NOUGHT) + tail)
                ratio[lane] = max(ratio[lane], out[lane])
        for lane in range(m):
            ratio[lane] = log_ratio(ratio[lane], half, against, most_for) * seen[lane]
