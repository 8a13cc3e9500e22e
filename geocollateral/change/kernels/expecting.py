"""What looks should be by the present baselines, and whether a change would show on them."""

from __future__ import annotations

import numpy as np

from geocollateral.change.kernels.compiling import (
    F32,
    I32,
    LANES,
    MOST,
    NAN,
    NOUGHT,
    ONE,
    QUARTER,
    TWO,
    Bools,
    Places,
    compiled,
    inner,
)
from geocollateral.change.kernels.lanes import add_products, clear, take
from geocollateral.change.kernels.records import Baselines, Block, Rows, Rules, new_block
from geocollateral.change.kernels.solving import fold, leverage_form, solve, unfold


@inner
def expect(
    block: Block, c: int, first: int, last: int, since: I32, rows: Rows, rules: Rules, base: Baselines, place: Places
) -> None:
    """What the rows ``first`` to ``last`` of a channel should be by the present baselines of the series at ``place``.

    ``since`` (lane,): looks up to that day are not monitored.
    """
    m, k = len(place), rules.k[c]
    n_pairs, n_waves = k * (k + 1) // 2, 2 * k - 1
    a, square = np.empty((n_waves, m), np.float32), np.empty((n_pairs, m), np.float32)
    b, coefficients = np.empty((k, m), np.float32), np.empty((k, m), np.float32)
    v = np.empty(m, np.float32)
    take(base.variance[c], place, v)
    for p in range(n_waves):
        take(base.normal[c, p], place, a[p])
    for j in range(k):
        take(base.moment[c, j], place, b[j])
    unfold(a, k, square)
    solve(square, b, v, rules.precision[c], k, coefficients)
    form, inverse = np.empty((n_pairs, m), np.float32), np.empty((n_pairs, m), np.float32)
    leverage_form(square, k, inverse, form)
    fold(form, k, a)
    # The envelope's rows hold, until their turn comes, what the season would show earlier and later.
    for which, into in enumerate((block.centre[first:last], block.low[first:last], block.high[first:last])):
        clear(into)
        add_products(coefficients, rows.x[which, first:last].T, 0, k, into)
    clear(block.doubt[first:last])
    add_products(a, rows.waves[first:last].T, 0, n_waves, block.doubt[first:last])
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


@inner
def beyond(values: F32, low: F32, high: F32, per_spread: F32, side: np.float32, out: F32) -> None:
    """Departure from the envelope to a side, in spreads; negative on the near side, NaN without a look."""
    if side > NOUGHT:
        for lane in range(len(out)):
            out[lane] = (values[lane] - high[lane]) * per_spread[lane]
    else:
        for lane in range(len(out)):
            out[lane] = (low[lane] - values[lane]) * per_spread[lane]


@inner
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


@inner
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
