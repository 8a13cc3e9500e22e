"""The monitor's loops, compiled: the robust fit of histories, and what the looks of a step say and teach.

Series are taken `LANES` at a time, through all their looks: what is worked out of them stays in the cache of a core,
and the innermost loop, over the lanes, becomes vector instructions. Nothing is summed across lanes and no flag lets the
compiler reorder or fuse, so that what is said of a series depends neither on its neighbours nor on the processor.

All kernels are in this one file: a compiled one is kept on disk until the file it stands in changes, whatever it calls
elsewhere. For the same reason numbers come as arguments, not from other modules.

Terms: a *channel* is one index of one stream, in the order of the plan; a *row* is one look of one channel, rows of a
channel together, in order of time; ``k`` counts regressors, ``p`` their products, k (k + 1) / 2. Days are days since
1970-01-01, -1 = none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

LANES = 256
F = TypeVar("F", bound=Callable[..., Any])
F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Bools = NDArray[np.bool_]
Places = NDArray[np.int64]
NOUGHT, ONE, TWO, QUARTER, TINY = (np.float32(value) for value in (0, 1, 2, 0.25, 1e-12))
NAN, MOST = np.float32(np.nan), np.float32(np.inf)
NEVER = np.int32(2**31 - 1)
RIDGE = np.float32(1e-6)
"""Keeps series without looks solvable; far below any information a single look carries."""


def compiled(function: F) -> F:
    """Machine code at the first call, kept on disk where a folder can be written: beside the source, or the user's."""
    try:
        return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # nowhere to keep it: compiled anew by each process
        return cast("F", numba.njit(nogil=True, error_model="numpy")(function))


class Rules(NamedTuple):
    """Numbers of a plan. Shapes: c channels, s streams, h hypotheses."""

    first: Places
    """Shape (s + 1,): the first channel of each stream."""
    k: Places
    """Shape (c,)."""
    precision: F32
    """Shape (c, k): of the prior [1 / unit^2]."""
    floor2: F32
    """Shape (c,): least variance of a look [unit^2]."""
    huber: F32
    memory: F32
    least2: F32
    """Shape (c,): least variance that a departure is counted in [unit^2]."""
    min_spreads: F32
    level: F32
    """Shape (c,): of changed ground [unit]; NaN = not known."""
    reach: F32
    """Shape (c,): distance of the target from the envelope where no level is known, in spreads."""
    full: F32
    """Shape (c,): how far a full change goes past the level [unit]."""
    ways: F32
    """Shape (c,): 1 up, -1 down, 0 both: changes of interest."""
    sides: F32
    """Shape (h, c): 1 up, -1 down."""
    tail: F32
    half: F32
    """Shape (s,): (tail + indices) / 2."""
    most_for: F32
    most_against: F32
    correlation_days: F32
    hit: np.float32
    ok: np.float32
    active: np.float32
    settled: np.float32
    most_odds: np.float32
    rate: np.float32
    """Changes expected in a day."""
    confirm_odds: np.float32
    witnesses: np.float32
    gap_days: np.float32
    full_share: np.float32
    """Nought where the leading index has no known level."""
    recover_looks: int
    bound: np.float32
    """Residuals count towards the spread up to this many spreads ..."""
    share: np.float32
    """... of which this is the mean square, of a standard normal."""


class Baselines(NamedTuple):
    """What is remembered of the baselines. Series last."""

    normal: F32
    """Shape (c, p, series): weighted normal matrix, lower triangle row by row, without the prior [1]."""
    moment: F32
    """Shape (c, k, series): weighted moments [unit]."""
    variance: F32
    """Shape (c, series): of a look around the curve [unit^2]."""
    weight: F32
    """Shape (c, series): sum of the weights behind it."""
    inverse: F32
    """Shape (c, i, series): inverse correlation of the residuals with the i-th index of the stream."""
    lag: F32
    """Shape (s, series): correlation of neighbouring looks."""
    history_end: I32
    """Shape (s, series)."""
    last_look: I32
    """Shape (s, series)."""


class Runs(NamedTuple):
    """What is remembered of the runs of looks that bear a change out. Series last."""

    odds: F32
    path: F32
    """Shape (h, series): of change; Page's cumulative sum."""
    witnesses: F32
    hits: I32
    """Shape (h, series): looks of the run, those close in time counted in part, or all whole."""
    ring_day: I32
    ring_share: F32
    """Shape (h, looks, series): the first looks of the run; departure as a share of a full change's."""
    before: I32
    last_hit: I32
    """Shape (h, series): last look of unchanged ground before the run, newest look of the run."""
    said: F32
    """Shape (h, s, series): what each stream's looks of the run said."""
    total: F32
    tally: I32
    """Shape (h, c, series): departures of the run [unit], and how many."""
    fresh: Bools
    """Shape (series,): whether the newest look bears a change out."""
    last_ok: I32
    detected: I32
    broken: I32
    last_before: I32
    side: I32
    """Shape (series,): hypothesis that was confirmed."""
    recover: I32
    recover_from: I32
    recovered: I32
    clock: I32
    """Shape (series,): newest look of any stream."""
    n_looks: I32
    n_informative: I32
    first_informative: I32
    last_informative: I32


class Rows(NamedTuple):
    """Looks of a step. Rows by channel; looks in order of time, over all streams."""

    start: Places
    """Shape (c + 1,): the first row of each channel."""
    values: F32
    """Shape (row, series); NaN = no clear look [unit]."""
    doubt: F32
    """Shape (row, series): sd of what was taken off the values [unit]; (0, 0) = none."""
    days: I32
    """Shape (row,)."""
    x: F32
    """Shape (row, 3, k): regressors of the day, and of `timing_days` before and after."""
    pairs: F32
    """Shape (row, p): products of the day's."""
    look_stream: Places
    look_row: Places
    """Shape (look,): stream, and place among the looks of that stream."""
    look_day: I32


# ---------------------------------------------------------------------------------------------------------------- lanes


@compiled
def take(source: F32, place: Places, into: F32) -> None:
    """Values of some series; those side by side at once."""
    m = len(into)
    if place[m - 1] - place[0] == m - 1:
        whole = source[place[0] : place[0] + m]
        for lane in range(m):
            into[lane] = whole[lane]
    else:
        for lane in range(m):
            into[lane] = source[place[lane]]


@compiled
def put(lanes: Any, first: int, into: Any) -> None:
    """Write lanes back among all series."""
    for i in range(lanes.shape[0]):
        for lane in range(lanes.shape[1]):
            into[i, first + lane] = lanes[i, lane]


@compiled
def clear(lanes: F32) -> None:
    """Set to nought."""
    for i in range(lanes.shape[0]):
        for lane in range(lanes.shape[1]):
            lanes[i, lane] = NOUGHT


@compiled
def add_products(weights: F32, regressors: F32, first: int, last: int, into: F32) -> None:
    """Add ``regressors[first:last].T @ weights[first:last]``, one row after the other."""
    m = into.shape[1]
    for p in range(into.shape[0]):
        out, t = into[p], first
        while t + 4 <= last:
            a, b, c, d = regressors[t, p], regressors[t + 1, p], regressors[t + 2, p], regressors[t + 3, p]
            wa, wb, wc, wd = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
            for lane in range(m):
                out[lane] = (((out[lane] + a * wa[lane]) + b * wb[lane]) + c * wc[lane]) + d * wd[lane]
            t += 4
        while t < last:
            a, wa = regressors[t, p], weights[t]
            for lane in range(m):
                out[lane] += a * wa[lane]
            t += 1


@compiled
def factor(square: F32, k: int) -> None:
    """Cholesky factor of lower triangles, in place, with the reciprocals of the diagonal on the diagonal."""
    m = square.shape[1]
    for i in range(k):
        row = i * (i + 1) // 2
        for j in range(i):
            at, other = square[row + j], j * (j + 1) // 2
            for q in range(j):
                a, b = square[row + q], square[other + q]
                for lane in range(m):
                    at[lane] -= a[lane] * b[lane]
            d = square[other + j]
            for lane in range(m):
                at[lane] *= d[lane]
        at = square[row + i]
        for q in range(i):
            a = square[row + q]
            for lane in range(m):
                at[lane] -= a[lane] * a[lane]
        for lane in range(m):
            at[lane] = ONE / np.sqrt(at[lane] if at[lane] > TINY else TINY)


@compiled
def solve(normal: F32, moment: F32, variance: F32, precision: F32, k: int, square: F32, found: F32) -> None:
    """Coefficients by the normal equations with the prior; leaves the factor in ``square``."""
    m = square.shape[1]
    for p in range(k * (k + 1) // 2):
        at, a = square[p], normal[p]
        for lane in range(m):
            at[lane] = a[lane]
    for i in range(k):
        at, own = square[i * (i + 3) // 2], precision[i]
        for lane in range(m):
            at[lane] += variance[lane] * own + RIDGE
    factor(square, k)
    for i in range(k):
        at, a = found[i], moment[i]
        for lane in range(m):
            at[lane] = a[lane]
        for j in range(i):
            a, b = square[i * (i + 1) // 2 + j], found[j]
            for lane in range(m):
                at[lane] -= a[lane] * b[lane]
        d = square[i * (i + 3) // 2]
        for lane in range(m):
            at[lane] *= d[lane]
    for i in range(k - 1, -1, -1):
        at, d = found[i], square[i * (i + 3) // 2]
        for lane in range(m):
            at[lane] *= d[lane]
        for j in range(i):
            a, b = square[i * (i + 1) // 2 + j], found[j]
            for lane in range(m):
                b[lane] -= a[lane] * at[lane]


@compiled
def leverage_form(factors: F32, k: int, inverse: F32, form: F32) -> None:
    """Inverse of the matrices whose factor is given, times two off the diagonal: a form on the products of regressors.

    ``products @ form`` is the variance of the curve in units of the look's variance.
    """
    m = form.shape[1]
    for i in range(k):  # the inverse of the factor, row by row
        row = i * (i + 1) // 2
        for q in range(i):
            at = inverse[row + q]
            for lane in range(m):
                at[lane] = NOUGHT
            for j in range(q, i):
                a, b = factors[row + j], inverse[j * (j + 1) // 2 + q]
                for lane in range(m):
                    at[lane] -= a[lane] * b[lane]
        d, at = factors[row + i], inverse[row + i]
        for q in range(i):
            a = inverse[row + q]
            for lane in range(m):
                a[lane] *= d[lane]
        for lane in range(m):
            at[lane] = d[lane]
    for i in range(k):
        for j in range(i + 1):
            at, times = form[i * (i + 1) // 2 + j], (TWO if j < i else ONE)
            for lane in range(m):
                at[lane] = NOUGHT
            for q in range(i, k):
                a, b = inverse[q * (q + 1) // 2 + i], inverse[q * (q + 1) // 2 + j]
                for lane in range(m):
                    at[lane] += a[lane] * b[lane] * times


# -------------------------------------------------------------------------------------------------------------- history


@compiled
def fit_seasons(
    values: F32,
    days: I32,
    columns: Places,
    ends: I32,
    x: F32,
    pairs: F32,
    precision: F32,
    rules: tuple[np.float32, ...],
    rounds: int,
    normal: F32,
    moment: F32,
    coefficients: F32,
    variance: F32,
    residual: F32,
    weights: F32,
) -> None:
    """Fit the seasonal curve to histories by iteratively reweighted least squares; see `history.fit_seasons`.

    ``values`` has the shape (time, series); of it ``columns`` are fitted, each on its looks until its end. ``rules``
    are the least variance, Huber's constant, the bound of residuals and its share. The rest is written, by column.
    """
    floor2, huber, bound, share = rules
    n_days, k, n_pairs, n = len(days), x.shape[1], pairs.shape[1], len(columns)
    regressors, by_row = np.float32(k), x.T
    for first in range(0, n, LANES):
        last = min(first + LANES, n)
        m = last - first
        filled, seen = np.empty((n_days, m), np.float32), np.empty((n_days, m), np.float32)
        left, w, wf = (
            np.empty((n_days, m), np.float32),
            np.empty((n_days, m), np.float32),
            np.empty((n_days, m), np.float32),
        )
        a, b, c = np.empty((n_pairs, m), np.float32), np.empty((k, m), np.float32), np.empty((k, m), np.float32)
        square, squares = np.empty((n_pairs, m), np.float32), np.empty(m, np.float32)
        v, freedom = np.empty(m, np.float32), np.empty(m, np.float32)
        for lane in range(m):
            v[lane], freedom[lane] = TWO * TWO * floor2, -regressors / TWO
        end, place = ends[first:last], columns[first:last]
        for t in range(n_days):
            day, f, s, weight, moved = days[t], filled[t], seen[t], w[t], wf[t]
            take(values[t], place, f)
            for lane in range(m):
                there = (f[lane] - f[lane] == NOUGHT) & (day <= end[lane])
                s[lane] = ONE if there else NOUGHT
                f[lane] = f[lane] if there else NOUGHT
                freedom[lane] += s[lane]
                weight[lane] = s[lane]
                moved[lane] = f[lane]
        for turn in range(rounds + 2):
            if turn <= rounds:
                clear(a)
                clear(b)
                add_products(w, pairs, 0, n_days, a)
                add_products(wf, x, 0, n_days, b)
            solve(a, b, v, precision, k, square, c)
            for lane in range(m):
                squares[lane] = NOUGHT
            clear(left)
            add_products(c, by_row, 0, k, left)
            for t in range(n_days):
                r, f, s = left[t], filled[t], seen[t]
                for lane in range(m):
                    # Least squares at first: its plain spread starts the robust one from above.
                    most = bound * bound * v[lane] if turn else MOST
                    r[lane] = (f[lane] - r[lane]) * s[lane]
                    square_of = r[lane] * r[lane]
                    squares[lane] += square_of if square_of < most else most
            if turn > rounds:
                break
            by = share if turn else ONE
            for lane in range(m):
                free = freedom[lane] if freedom[lane] > ONE else ONE
                v[lane] = max(squares[lane] / (free * by), floor2)
                if turn == rounds:
                    v[lane] = (v[lane] * free + regressors * floor2) / (free + regressors)
                squares[lane] = huber * np.sqrt(v[lane])
            if turn == rounds:
                continue
            for t in range(n_days):
                r, f, s, weight, moved = left[t], filled[t], seen[t], w[t], wf[t]
                for lane in range(m):
                    size = abs(r[lane])
                    one = squares[lane] / (size if size > TINY else TINY)
                    weight[lane] = one if one < s[lane] else s[lane]
                    moved[lane] = weight[lane] * f[lane]
        put(a, first, normal)
        put(b, first, moment)
        put(c, first, coefficients)
        put(left, first, residual)
        put(w, first, weights)
        for lane in range(m):
            variance[first + lane] = v[lane]


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
    highest: F32,
    lowest: F32,
) -> None:
    """What fitted histories tell beside their curve. Arguments as in `fit_seasons`; one result per column.

    ``rules`` are the level of changed ground, the way of a change, the least spread a departure is counted in, and the
    least lag. ``last_ok`` is the last look that plainly shows unchanged ground, or the first look where none does: a
    baseline that already holds a change agrees with changed ground, and such a look must not date a later break.
    ``total`` sums the weights; ``n_off`` counts looks that may be wild; ``highest`` and ``lowest`` are the range of the
    curve on the looks.
    """
    level, way, least, least_lag = rules
    known = level == level and way != NOUGHT
    three, prior = ONE + TWO, np.float32(10 * 0.7)  # as if ten pairs without any correlation had been seen too
    # The curve lies within its envelope: only histories with looks this far from it can be wild.
    nearly_three = np.float32(2.999)
    for start in range(0, len(columns), LANES):
        stop = min(start + LANES, len(columns))
        place, end, m = columns[start:stop], ends[start:stop], stop - start
        spread, before, seen = np.empty(m, np.float32), np.zeros(m, np.float32), np.empty(m, np.float32)
        together, alone = np.zeros(m, np.float32), np.zeros(m, np.float32)
        weight_of = total[start:stop]
        high, low = highest[start:stop], lowest[start:stop]
        oldest, newest, plain, off = (
            np.empty(m, np.int32),
            last_look[start:stop],
            last_ok[start:stop],
            n_off[start:stop],
        )
        for lane in range(m):
            spread[lane] = np.sqrt(variance[start + lane])
            oldest[lane] = newest[lane] = plain[lane] = -1
            off[lane], weight_of[lane] = 0, NOUGHT
            high[lane], low[lane] = -MOST, MOST
        for t in range(len(days)):
            day, left, weight = days[t], residual[t, start:stop], weights[t, start:stop]
            take(values[t], place, seen)
            for lane in range(m):
                value = seen[lane]
                there = (value - value == NOUGHT) & (day <= end[lane])
                weight_of[lane] += weight[lane]
                z = left[lane] * weight[lane] / spread[lane]
                together[lane] += z * before[lane]  # residuals are nought where there is no look
                alone[lane] += z * z
                before[lane] = z if there else before[lane]
                oldest[lane] = day if there & (oldest[lane] < 0) else oldest[lane]
                newest[lane] = day if there else newest[lane]
                off[lane] += 1 if abs(left[lane]) > nearly_three * max(spread[lane], least) else 0
                curved = value - left[lane]
                high[lane] = curved if there & (curved > high[lane]) else high[lane]
                low[lane] = curved if there & (curved < low[lane]) else low[lane]
                unchanged = (level - value) * way > three * spread[lane] if known else True
                plain[lane] = day if there & unchanged else plain[lane]
        for lane in range(m):
            lag[start + lane] = min(max(together[lane] / (alone[lane] + prior), least_lag), np.float32(0.8))
            plain[lane] = plain[lane] if plain[lane] >= 0 else oldest[lane]


@compiled
def end_histories(
    values: F32, days: I32, columns: Places, given: int, min_looks: int, min_days: int, ends: I32
) -> None:
    """Day on which each history is long enough, -1 where it is not: the first, or the last if its end is ``given``."""
    for start in range(0, len(columns), LANES):
        stop = min(start + LANES, len(columns))
        place, end, m = columns[start:stop], ends[start:stop], stop - start
        count, oldest, value = np.zeros(m, np.int32), np.zeros(m, np.int32), np.empty(m, np.float32)
        for lane in range(m):
            end[lane] = -1
        for t in range(len(days)):
            day = days[t]
            take(values[t], place, value)
            for lane in range(m):
                there = value[lane] - value[lane] == NOUGHT
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


# --------------------------------------------------------------------------------------------------------- expectations


class Block(NamedTuple):
    """What is worked out of some series in a step. Lanes last."""

    values: F32
    """Shape (row, lane): of the looks that are monitored, NaN elsewhere [unit]."""
    centre: F32
    low: F32
    high: F32
    """Shape (row, lane): baseline and envelope [unit]."""
    per_spread: F32
    """Shape (row, lane): one over the spread of a new look [1 / unit]."""
    doubt: F32
    """Shape (row, lane): variance of a new look around the baseline [unit^2]."""
    quotient: F32
    """Shape (h, look, lane): how much nearer a look is to changed than to unchanged ground."""
    ratio: F32
    """Shape (look, lane): the most that any hypothesis makes of a look [log likelihood ratio]; 0 without one."""
    weight: F32
    """Shape (look, lane): share of it that earlier looks have not said."""
    hazard: F32
    """Shape (look, lane): odds of a change since the look before."""
    seen: F32
    calm: F32
    """Shape (look, lane), 0 or 1: whether there is a look; whether nothing goes on in the series."""


@compiled
def expect(
    block: Block, c: int, first: int, last: int, since: I32, rows: Rows, rules: Rules, base: Baselines, place: Places
) -> None:
    """What the rows ``first`` to ``last`` of a channel should be by the present baselines of the series at ``place``.

    ``since`` (lane,): looks up to that day are not monitored.
    """
    m, k = len(place), rules.k[c]
    n_pairs = k * (k + 1) // 2
    a, square = np.empty((n_pairs, m), np.float32), np.empty((n_pairs, m), np.float32)
    b, coefficients = np.empty((k, m), np.float32), np.empty((k, m), np.float32)
    v = np.empty(m, np.float32)
    take(base.variance[c], place, v)
    for p in range(n_pairs):
        take(base.normal[c, p], place, a[p])
    for j in range(k):
        take(base.moment[c, j], place, b[j])
    solve(a, b, v, rules.precision[c], k, square, coefficients)
    form, inverse = a, np.empty((n_pairs, m), np.float32)
    leverage_form(square, k, inverse, form)
    # The envelope's rows hold, until their turn comes, what the season would show earlier and later.
    for which, into in enumerate((block.centre[first:last], block.low[first:last], block.high[first:last])):
        clear(into)
        add_products(coefficients, rows.x[first:last, which].T, 0, k, into)
    clear(block.doubt[first:last])
    add_products(form, rows.pairs[first:last].T, 0, n_pairs, block.doubt[first:last])
    moved, least2 = np.zeros(m, np.float32), rules.least2[c]
    for r in range(first, last):
        centre, low, high = block.centre[r], block.low[r], block.high[r]
        values, per_spread, doubt = block.values[r], block.per_spread[r], block.doubt[r]
        day = rows.days[r]
        take(rows.values[r], place, values)
        if rows.doubt.shape[0]:
            take(rows.doubt[r], place, moved)
        for lane in range(m):
            there = (day > since[lane]) & (values[lane] - values[lane] == NOUGHT)
            values[lane] = values[lane] if there else NAN
            doubt[lane] = (doubt[lane] + ONE) * v[lane]
            # Where the season is steep, how far it may be moved is doubtful: half the envelope is one spread more.
            early, late, middle = low[lane], high[lane], centre[lane]
            per_spread[lane] = doubt[lane] + moved[lane] * moved[lane] + (late - early) * (late - early) * QUARTER
            low[lane] = min(min(early, late), middle)
            high[lane] = max(max(early, late), middle)
        for lane in range(m):
            per_spread[lane] = ONE / np.sqrt(max(per_spread[lane], least2))


@compiled
def beyond(values: F32, low: F32, high: F32, per_spread: F32, side: np.float32, out: F32) -> None:
    """Departure from the envelope to a side, in spreads; negative on the near side, NaN without a look."""
    if side > NOUGHT:
        for lane in range(len(out)):
            out[lane] = (values[lane] - high[lane]) * per_spread[lane]
    else:
        for lane in range(len(out)):
            out[lane] = (low[lane] - values[lane]) * per_spread[lane]


@compiled
def gap(low: F32, high: F32, per_spread: F32, side: np.float32, level: np.float32, reach: np.float32, out: F32) -> None:
    """Distance from the envelope to the target, in spreads; nought where a change would not show."""
    if level != level:
        for lane in range(len(out)):
            out[lane] = reach
    elif side > NOUGHT:
        for lane in range(len(out)):
            out[lane] = max((level - high[lane]) * per_spread[lane], NOUGHT)
    else:
        for lane in range(len(out)):
            out[lane] = max((low[lane] - level) * per_spread[lane], NOUGHT)


@compiled
def inform(
    values: F32,
    low: F32,
    high: F32,
    per_spread: F32,
    level: np.float32,
    way: np.float32,
    least: np.float32,
    far: F32,
    told: F32,
) -> None:
    """Set to one where a full change would show, or the look itself plainly shows that there was none."""
    for side in (-ONE, ONE):
        gap(low, high, per_spread, side, level, MOST, far)
        for lane in range(len(told)):
            shows = (way * side >= NOUGHT) & (far[lane] >= least)
            shows |= (way == side) & ((level - values[lane]) * side * per_spread[lane] >= least)
            told[lane] = ONE if shows else told[lane]


@compiled
def new_block(n_hypotheses: int, n_looks: int, n_rows: int, m: int) -> Block:
    """Room for a block."""
    return Block(
        np.empty((n_rows, m), np.float32),
        np.empty((n_rows, m), np.float32),
        np.empty((n_rows, m), np.float32),
        np.empty((n_rows, m), np.float32),
        np.empty((n_rows, m), np.float32),
        np.empty((n_rows, m), np.float32),
        np.empty((n_hypotheses, n_looks, m), np.float32),
        np.empty((n_looks, m), np.float32),
        np.empty((n_looks, m), np.float32),
        np.empty((n_looks, m), np.float32),
        np.empty((n_looks, m), np.float32),
        np.empty((n_looks, m), np.float32),
    )


@compiled
def find_wild(
    rows: Rows, ends: I32, columns: Places, c: int, confirm_looks: int, rules: Rules, base: Baselines, wild: Bools
) -> None:
    """Whether histories hold a run of departures to one side: they cannot serve as baselines."""
    three = ONE + TWO
    for first in range(0, len(columns), LANES):
        place = columns[first : min(first + LANES, len(columns))]
        m, n_rows = len(place), rows.values.shape[0]
        block, out, since = new_block(0, 0, n_rows, m), np.empty((n_rows, m), np.float32), np.full(m, -1, np.int32)
        expect(block, c, 0, n_rows, since, rows, rules, base, place)
        for side in (-ONE, ONE):
            for r in range(n_rows):
                beyond(block.values[r], block.low[r], block.high[r], block.per_spread[r], side, out[r])
            for lane in range(m):
                run = 0
                for r in range(n_rows):
                    if out[r, lane] == out[r, lane] and rows.days[r] <= ends[first + lane]:
                        run = run + 1 if out[r, lane] > three else 0
                        wild[first + lane] |= run >= confirm_looks


@compiled
def tell_curves(
    rows: Rows, columns: Places, c: int, rules: Rules, base: Baselines, expected: F32, spread: F32, informative: Bools
) -> None:
    """Baselines on some days, and whether a change would show on them. Results of the shape (row, series)."""
    level, way, least = rules.level[c], rules.ways[c], rules.min_spreads[c]
    for first in range(0, len(columns), LANES):
        place = columns[first : min(first + LANES, len(columns))]
        m, n_rows = len(place), rows.values.shape[0]
        block, since = new_block(0, 0, n_rows, m), np.full(m, -1, np.int32)
        told, far = np.empty(m, np.float32), np.empty(m, np.float32)
        expect(block, c, 0, n_rows, since, rows, rules, base, place)
        for r in range(n_rows):
            centre, doubt, none = block.centre[r], block.doubt[r], block.values[r]
            for lane in range(m):
                told[lane], none[lane] = NOUGHT, NAN
            inform(none, block.low[r], block.high[r], block.per_spread[r], level, way, least, far, told)
            curve_out, spread_out, told_out = expected[r], spread[r], informative[r]
            for lane in range(m):
                curve_out[place[lane]] = centre[lane]
                spread_out[place[lane]] = np.sqrt(doubt[lane])
                told_out[place[lane]] = told[lane] > NOUGHT


# ------------------------------------------------------------------------------------------------------------- weighing


@compiled
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


@compiled
def add_form(away: F32, other: F32, inverse: F32, times: np.float32, total: F32) -> None:
    """Add one term of a Mahalanobis distance."""
    for lane in range(len(total)):
        total[lane] += times * inverse[lane] * away[lane] * other[lane]


@compiled
def log_ratio(quotient: np.float32, half: np.float32, most_against: np.float32, most_for: np.float32) -> np.float32:
    """Log likelihood ratio of a look, clipped so that no single one decides."""
    return min(max(np.float32(math.log(quotient)) * half, -most_against), most_for)


@compiled
def weigh(block: Block, first: int, rows: Rows, rules: Rules, base: Baselines, newest: F32, clock: F32) -> None:
    """What each look says, the most of any hypothesis, and what of that earlier looks have not said.

    ``newest`` (s, lane) and ``clock`` (lane,): newest look of a stream and of all, brought up to the last.
    """
    m, n_hypotheses, n_channels = block.values.shape[1], rules.sides.shape[0], len(rules.k)
    most = base.inverse.shape[1]
    inverse = np.empty((n_channels, most, m), np.float32)
    for c in range(n_channels):
        for i in range(most):
            at, source = inverse[c, i], base.inverse[c, i]
            for lane in range(m):
                at[lane] = source[first + lane]
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
        day, last, lag = np.float32(rows.look_day[look]), newest[s], base.lag[s]
        per_day, per_year = ONE / rules.correlation_days[s], rules.rate
        for lane in range(m):
            # What a look adds to the one before: all, if that lies far back; less, the closer and more alike they are.
            shared = max(ONE - (day - last[lane]) * per_day, NOUGHT)
            weight[lane] = ONE - lag[first + lane] * shared
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


# -------------------------------------------------------------------------------------------------------- odds and runs


@compiled
def end_run(runs: Runs, h: int, i: int) -> None:
    """Forget the run of a series."""
    runs.witnesses[h, i] = 0
    runs.hits[h, i] = 0
    runs.before[h, i] = runs.last_hit[h, i] = -1
    for place in range(runs.ring_day.shape[1]):
        runs.ring_day[h, place, i] = -1
    for s in range(runs.said.shape[1]):
        runs.said[h, s, i] = 0
    for c in range(runs.total.shape[1]):
        runs.total[h, c, i] = 0
        runs.tally[h, c, i] = 0


@compiled
def dated(runs: Runs, h: int, i: int, rules: Rules) -> tuple[int, int]:
    """First look after the change and last before it, of a series' run.

    Where the changed level is known, first looks that were slight against the later ones do not date the break: an
    early autumn is not a felling.
    """
    most = NOUGHT
    for place in range(runs.ring_day.shape[1]):
        if runs.ring_day[h, place, i] >= 0:
            most = max(most, runs.ring_share[h, place, i])
    for place in range(runs.ring_day.shape[1]):
        share = runs.ring_share[h, place, i] if runs.ring_day[h, place, i] >= 0 else NOUGHT
        if rules.full_share == NOUGHT or share >= rules.full_share * most:
            before = runs.ring_day[h, place - 1, i] if place else runs.before[h, i]
            return runs.ring_day[h, place, i], before
    return runs.ring_day[h, 0, i], runs.before[h, i]


@compiled
def date_runs(runs: Runs, columns: Places, sides: Places, rules: Rules, broken: I32, before: I32) -> None:
    """`dated` of some series."""
    for n in range(len(columns)):
        broken[n], before[n] = dated(runs, sides[n], columns[n], rules)


@compiled
def extend_run(
    runs: Runs, h: int, i: int, block: Block, look: int, lane: int, ratio: np.float32, rows: Rows, rules: Rules
) -> None:
    """Let one look that bears the change out join the run."""
    s, t = rows.look_stream[look], rows.look_row[look]
    c0 = rules.first[s]
    r, weight = rows.start[c0] + t, block.weight[look, lane]
    day = rows.look_day[look]
    if runs.hits[h, i] == 0:
        runs.before[h, i] = runs.last_ok[i]
    elif day - runs.last_hit[h, i] > rules.gap_days:
        runs.hits[h, i] = 0
        runs.witnesses[h, i] = 0
        for c in range(runs.total.shape[1]):
            runs.total[h, c, i] = 0
            runs.tally[h, c, i] = 0
    place = runs.hits[h, i]
    if place < runs.ring_day.shape[1]:
        # A full change goes past the known level, which is the greenest of changed ground: on a day on which the
        # baseline is near that level a share of the way to it would be all noise.
        level, full = rules.level[c0], ONE
        if level == level:
            full = abs(block.centre[r, lane] - level) + rules.full[c0]
        runs.ring_day[h, place, i] = day
        runs.ring_share[h, place, i] = abs(block.values[r, lane] - block.centre[r, lane]) / full
    runs.witnesses[h, i] += ONE if place == 0 else weight
    runs.hits[h, i] += 1
    runs.last_hit[h, i] = day
    runs.said[h, s, i] += ratio * weight
    for c in range(c0, rules.first[s + 1]):
        departure = block.values[rows.start[c] + t, lane] - block.centre[rows.start[c] + t, lane]
        if departure == departure:
            runs.total[h, c, i] += departure
            runs.tally[h, c, i] += 1


@compiled
def follow(runs: Runs, i: int, block: Block, lane: int, rows: Rows, rules: Rules) -> None:
    """Let the looks of a step bear on the runs of one series, in order of time."""
    odds, path, hits, witnesses, detected = runs.odds, runs.path, runs.hits, runs.witnesses, runs.detected
    seen, weights, hazards, quotient, n_hypotheses = block.seen, block.weight, block.hazard, block.quotient, len(odds)
    sides, fresh, last_ok, recovered = runs.side, runs.fresh, runs.last_ok, runs.recovered
    recover, recover_from = runs.recover, runs.recover_from
    half, most_against, most_for = rules.half, rules.most_against, rules.most_for
    streams, days = rows.look_stream, rows.look_day
    for look in range(len(streams)):
        if seen[look, lane] == NOUGHT:
            continue
        open_case, weight, s = detected[i] < 0, weights[look, lane], streams[look]
        any_hit, all_ok, side_hit, chosen, best = False, True, False, -1, -ONE
        for h in range(n_hypotheses):
            ratio = log_ratio(quotient[h, look, lane], half[s], most_against[s], most_for[s])
            hit = ratio >= rules.hit
            # Looks are tempered for what they share; the first to bear a change out shares nothing with the one before.
            tempered = ratio if hit and hits[h, i] == 0 else ratio * weight
            likelier = (odds[h, i] + hazards[look, lane]) * np.float32(math.exp(tempered))
            odds[h, i] = min(likelier, rules.most_odds)
            path[h, i] = max(path[h, i] + tempered, NOUGHT)
            if path[h, i] <= NOUGHT and open_case and hits[h, i] > 0:
                end_run(runs, h, i)
            if hit and open_case:
                extend_run(runs, h, i, block, look, lane, ratio, rows, rules)
                if odds[h, i] > rules.confirm_odds and witnesses[h, i] >= rules.witnesses and odds[h, i] > best:
                    chosen, best = h, odds[h, i]
            any_hit = any_hit or bool(hit)
            all_ok = all_ok and bool(ratio <= rules.ok)
            side_hit = side_hit or bool(hit and sides[i] == h)
        fresh[i] = any_hit
        if open_case and all_ok:
            last_ok[i] = days[look]
        if not open_case and recovered[i] < 0:
            # Consecutive looks near the baseline end a change; the first of them dates its end.
            if all_ok:
                recover_from[i] = days[look] if recover[i] == 0 else recover_from[i]
                recover[i] += 1
            if side_hit:
                recover[i] = 0
            if all_ok and recover[i] >= rules.recover_looks:
                recovered[i] = recover_from[i]
        if chosen >= 0:
            sides[i], detected[i] = chosen, days[look]
            runs.broken[i], runs.last_before[i] = dated(runs, chosen, i, rules)
    most = NOUGHT
    for h in range(n_hypotheses):
        most = max(most, odds[h, i])
    if most <= rules.settled and detected[i] < 0 and not fresh[i]:  # nothing goes on any more
        for h in range(n_hypotheses):
            path[h, i] = 0
            if hits[h, i] > 0:
                end_run(runs, h, i)


@compiled
def bear(block: Block, first: int, rows: Rows, rules: Rules, runs: Runs) -> None:
    """Let the looks of a step bear on the odds and runs.

    First a bound of the odds is worked out for all series, by the most that any hypothesis makes of a look; then the
    few series in which something goes on are followed exactly.
    """
    m, n_hypotheses, n_looks = block.values.shape[1], rules.sides.shape[0], len(rows.look_stream)
    odds, peak, factors = np.zeros(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
    busy, fresh, fine = np.zeros(m, np.float32), np.zeros(m, np.float32), np.full(m, -ONE, np.float32)
    for h in range(n_hypotheses):
        own, path = runs.odds[h], runs.path[h]
        for lane in range(m):
            odds[lane] = max(odds[lane], own[first + lane])
            busy[lane] = ONE if path[first + lane] > NOUGHT else busy[lane]
    for lane in range(m):
        peak[lane] = odds[lane]
        busy[lane] = ONE if odds[lane] > rules.settled else busy[lane]
    for look in range(n_looks):
        day, ratio, weight = np.float32(rows.look_day[look]), block.ratio[look], block.weight[look]
        hazard, seen, calm = block.hazard[look], block.seen[look], block.calm[look]
        for lane in range(m):
            factors[lane] = ratio[lane] * weight[lane]
        for lane in range(m):
            factors[lane] = math.exp(factors[lane])
        for lane in range(m):
            odds[lane] = min((odds[lane] + hazard[lane]) * factors[lane], rules.most_odds)
            peak[lane] = max(peak[lane], odds[lane])
            calm[lane] = ONE if (odds[lane] < rules.active) & (ratio[lane] < ONE) else NOUGHT
        for lane in range(m):
            # Where the newest look bears a change out its run is kept, small as the odds may be: it dates the break.
            hit = ONE if ratio[lane] >= rules.hit else NOUGHT
            fresh[lane] = hit if seen[lane] > NOUGHT else fresh[lane]
            fine[lane] = day if ratio[lane] <= rules.ok else fine[lane]
    every_odds, detected, recovered, last_ok = runs.odds, runs.detected, runs.recovered, runs.last_ok
    all_calm = block.calm
    for lane in range(m):
        i = first + lane
        decided = detected[i] >= 0
        if decided:  # a series in which a change was found teaches no more
            for look in range(n_looks):
                all_calm[look, lane] = NOUGHT
        quiet = peak[lane] <= rules.active and odds[lane] <= rules.settled and busy[lane] + fresh[lane] == NOUGHT
        if quiet and not decided:
            last_ok[i] = max(last_ok[i], np.int32(fine[lane]))
            for h in range(n_hypotheses):
                every_odds[h, i] = odds[lane]
        elif not decided or recovered[i] < 0:
            follow(runs, i, block, lane, rows, rules)


@compiled
def tell_informative(block: Block, first: int, s: int, rows: Rows, rules: Rules, runs: Runs) -> None:
    """Count the looks of a stream on which a full change would have shown, and note the first and the last."""
    m, c0, c1 = block.values.shape[1], rules.first[s], rules.first[s + 1]
    all_known = True
    for c in range(c0, c1):
        all_known &= rules.level[c] == rules.level[c]
    told, seen, far = np.empty(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
    earliest, latest, count = np.empty(m, np.int32), np.empty(m, np.int32), np.empty(m, np.int32)
    for lane in range(m):
        earliest[lane] = latest[lane] = -1
        count[lane] = 0
    for t in range(rows.start[c0 + 1] - rows.start[c0]):
        day = rows.days[rows.start[c0] + t]
        for lane in range(m):
            told[lane], seen[lane] = (NOUGHT if all_known else ONE), NOUGHT
        for c in range(c0, c1):
            values = block.values[rows.start[c] + t]
            for lane in range(m):
                seen[lane] = ONE if values[lane] == values[lane] else seen[lane]
            if all_known:
                r = rows.start[c] + t
                per_spread, level, way, least = block.per_spread[r], rules.level[c], rules.ways[c], rules.min_spreads[c]
                inform(values, block.low[r], block.high[r], per_spread, level, way, least, far, told)
        for lane in range(m):
            yes = told[lane] * seen[lane] > NOUGHT
            count[lane] += 1 if yes else 0
            earliest[lane] = day if yes & (earliest[lane] < 0) else earliest[lane]
            latest[lane] = day if yes else latest[lane]
    n_told, oldest, newest = runs.n_informative, runs.first_informative, runs.last_informative
    for lane in range(m):
        i = first + lane
        n_told[i] += count[lane]
        oldest[i] = earliest[lane] if oldest[i] < 0 else oldest[i]
        newest[i] = max(newest[i], latest[lane])


# ------------------------------------------------------------------------------------------------------------- learning


@compiled
def learn(block: Block, first: int, c: int, looks: Places, rows: Rows, rules: Rules, base: Baselines) -> None:
    """Add the looks of a step that agreed with the baseline of a channel to it, and let what was learned before fade.

    ``looks``: by row of the channel, its place among the looks of all streams.
    """
    m, k, n_rows = block.values.shape[1], rules.k[c], len(looks)
    n_pairs = k * (k + 1) // 2
    weights, moved = np.empty((n_rows, m), np.float32), np.empty((n_rows, m), np.float32)
    a, b = np.empty((n_pairs, m), np.float32), np.empty((k, m), np.float32)
    squares, count, spread = np.empty(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
    clear(a)
    clear(b)
    huber, bound, memory, floor2 = rules.huber[c], rules.bound, rules.memory[c], rules.floor2[c]
    variance, total = base.variance[c], base.weight[c]
    for lane in range(m):
        squares[lane] = count[lane] = NOUGHT
        spread[lane] = np.sqrt(variance[first + lane])
    for t in range(n_rows):
        r = rows.start[c] + t
        values, centre, calm, weight, one = block.values[r], block.centre[r], block.calm[looks[t]], weights[t], moved[t]
        for lane in range(m):
            used = calm[lane] if values[lane] == values[lane] else NOUGHT
            departure = values[lane] - centre[lane] if used > NOUGHT else NOUGHT
            size = abs(departure)
            most = huber * spread[lane] / (size if size > TINY else TINY)
            weight[lane] = most if most < used else used
            one[lane] = (departure + centre[lane]) * weight[lane]
            near = bound * spread[lane]
            near = size if size < near else near
            squares[lane] += near * near
            count[lane] += used
    add_products(weights, rows.pairs[rows.start[c] : rows.start[c + 1]], 0, n_rows, a)
    add_products(moved, rows.x[rows.start[c] : rows.start[c + 1], 0], 0, n_rows, b)
    for lane in range(m):
        spread[lane] = memory if count[lane] > NOUGHT else ONE  # what is kept
    for p in range(n_pairs):
        at, into = a[p], base.normal[c, p]
        for lane in range(m):
            into[first + lane] = into[first + lane] * spread[lane] + at[lane]
    for j in range(k):
        at, into = b[j], base.moment[c, j]
        for lane in range(m):
            into[first + lane] = into[first + lane] * spread[lane] + at[lane]
    for lane in range(m):
        i = first + lane
        old = total[i] * spread[lane]
        new = (variance[i] * old + squares[lane] / rules.share) / max(old + count[lane], ONE)
        variance[i] = max(new, floor2) if count[lane] > NOUGHT else variance[i]
        total[i] = old + count[lane]


@compiled
def take_step(rows: Rows, rules: Rules, base: Baselines, runs: Runs, learning: bool) -> None:
    """Let all looks of a step bear on all series, in place; ``learning``: whether the step is over."""
    n, n_streams, n_looks = base.variance.shape[1], len(rules.tail), len(rows.look_stream)
    looks = np.empty(rows.values.shape[0], np.int64)  # by row
    for look in range(n_looks):
        s = rows.look_stream[look]
        for c in range(rules.first[s], rules.first[s + 1]):
            looks[rows.start[c] + rows.look_row[look]] = look
    for first in range(0, n, LANES):
        m = min(LANES, n - first)
        place = np.arange(first, first + m)
        block = new_block(rules.sides.shape[0], n_looks, rows.values.shape[0], m)
        newest, clock, since = np.empty((n_streams, m), np.float32), np.empty(m, np.float32), np.empty(m, np.int32)
        every_clock = runs.clock
        for lane in range(m):
            clock[lane] = every_clock[first + lane]
        for s in range(n_streams):
            last, last_look, ends = newest[s], base.last_look[s], base.history_end[s]
            for lane in range(m):
                last[lane] = last_look[first + lane]
                since[lane] = ends[first + lane] if ends[first + lane] >= 0 else NEVER
            for c in range(rules.first[s], rules.first[s + 1]):
                expect(block, c, rows.start[c], rows.start[c + 1], since, rows, rules, base, place)
        weigh(block, first, rows, rules, base, newest, clock)
        bear(block, first, rows, rules, runs)
        for s in range(n_streams):
            c0, last, last_look = rules.first[s], newest[s], base.last_look[s]
            if rows.start[c0 + 1] > rows.start[c0]:
                tell_informative(block, first, s, rows, rules, runs)
                if learning:
                    for c in range(c0, rules.first[s + 1]):
                        learn(block, first, c, looks[rows.start[c] : rows.start[c + 1]], rows, rules, base)
            for lane in range(m):
                last_look[first + lane] = np.int32(last[lane])
        for lane in range(m):
            every_clock[first + lane] = np.int32(clock[lane])


@compiled
def count_looks(values: F32, into: I32) -> None:
    """Add how many looks each series has; ``values`` (time, series)."""
    for t in range(values.shape[0]):
        row = values[t]
        for i in range(len(into)):
            into[i] += 1 if row[i] - row[i] == NOUGHT else 0
