"""What looks should be by the present baselines, and whether a change would show on them."""

from __future__ import annotations

from typing import Any

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
from geocollateral.change.kernels.lanes import add_products, clear, room, take
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
    a, square = room(n_waves, m), room(n_pairs, m)
    b, coefficients = room(k, m), room(k, m)
    v = np.empty(m, np.float32)
    for lane in range(m):
        v[lane] = base.variance[c, place[lane]]
    take(base.normal[c], 0, n_waves, place, a)
    take(base.moment[c], 0, k, place, b)
    unfold(a, k, square)
    solve(square, b, v, rules.precision[c], k, coefficients)
    form, inverse = room(n_pairs, m), room(n_pairs, m)
    leverage_form(square, k, inverse, form)
    fold(form, k, a)
    # The envelope's rows hold, until their turn comes, what the season would show earlier and later.
    for which, into in enumerate((block.centre[first:last], block.low[first:last], block.high[first:last])):
        clear(into)
        add_products(coefficients, rows.x[which, first:last].T, 0, k, into)
    clear(block.doubt[first:last])
    add_products(a, rows.waves[first:last].T, 0, n_waves, block.doubt[first:last])
    doubtful, least2 = rows.doubt.shape[0] > 0, rules.least2[c]
    moved = np.zeros((last - first if doubtful else 0, m), np.float32)
    if doubtful:
        take(rows.doubt, first, last, place, moved)
    take(rows.values, first, last, place, block.values[first:last])
    values, centre, doubts = block.values[first:last], block.centre[first:last], block.doubt[first:last]
    lows, highs, per_spread = block.low[first:last], block.high[first:last], block.per_spread[first:last]
    for t in range(last - first):
        day = rows.days[first + t]
        for lane in range(m):
            there = (day > since[lane]) & (values[t, lane] - values[t, lane] == NOUGHT)
            values[t, lane] = values[t, lane] if there else NAN
            doubt = (doubts[t, lane] + ONE) * v[lane]
            # Where the season is steep, how far it may be moved is doubtful: half the envelope is one spread more.
            early, late, middle = lows[t, lane], highs[t, lane], centre[t, lane]
            doubts[t, lane] = doubt
            per_spread[t, lane] = doubt + (late - early) * (late - early) * QUARTER
            lows[t, lane] = min(min(early, late), middle)
            highs[t, lane] = max(max(early, late), middle)
        if doubtful:
            for lane in range(m):
                per_spread[t, lane] += moved[t, lane] * moved[t, lane]
        for lane in range(m):
            per_spread[t, lane] = ONE / np.sqrt(max(per_spread[t, lane], least2))


@inner
def beyond(value: Any, low: Any, high: Any, per_spread: Any, side: Any) -> Any:
    """Departure from the envelope to a side, in spreads; negative on the near side, NaN without a look."""
    return (value - high if side > NOUGHT else low - value) * per_spread


@inner
def gap(low: Any, high: Any, per_spread: Any, side: Any, level: Any, reach: Any) -> Any:
    """Distance from the envelope to the target, in spreads; nought where a change would not show."""
    known = max((level - high if side > NOUGHT else low - level) * per_spread, NOUGHT)
    return known if level == level else reach


@inner
def shows(value: Any, low: Any, high: Any, per_spread: Any, side: Any, level: Any, way: Any, least: Any) -> Any:
    """Whether a full change to a side would show, or the look itself plainly shows that there was none."""
    far = gap(low, high, per_spread, side, level, MOST)
    told = (way * side >= NOUGHT) & (far >= least)
    return told | ((way == side) & ((level - value) * side * per_spread >= least))


@inner
def informs(value: Any, low: Any, high: Any, per_spread: Any, level: Any, way: Any, least: Any) -> Any:
    """`shows`, to either side."""
    up = shows(value, low, high, per_spread, ONE, level, way, least)
    return up | shows(value, low, high, per_spread, -ONE, level, way, least)


@compiled
def find_wild(
    rows: Rows, ends: I32, columns: Places, c: int, confirm_looks: int, rules: Rules, base: Baselines, wild: Bools
) -> None:
    """Whether histories hold a run of departures to one side: they cannot serve as baselines."""
    three = ONE + TWO
    for first in range(0, len(columns), LANES):
        place = columns[first : min(first + LANES, len(columns))]
        m, n_rows = len(place), rows.values.shape[0]
        block, out, since = new_block(0, 0, 0, n_rows, m), room(n_rows, m), np.full(m, -1, np.int32)
        expect(block, c, 0, n_rows, since, rows, rules, base, place)
        for side in (-ONE, ONE):
            for r in range(n_rows):
                for lane in range(m):
                    value, low, high = block.values[r, lane], block.low[r, lane], block.high[r, lane]
                    out[r, lane] = beyond(value, low, high, block.per_spread[r, lane], side)
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
        block, since = new_block(0, 0, 0, n_rows, m), np.full(m, -1, np.int32)
        expect(block, c, 0, n_rows, since, rows, rules, base, place)
        lows, highs, per_spread = block.low, block.high, block.per_spread
        for r in range(n_rows):
            for lane in range(m):
                expected[r, place[lane]] = block.centre[r, lane]
                spread[r, place[lane]] = np.sqrt(block.doubt[r, lane])
                told = informs(NAN, lows[r, lane], highs[r, lane], per_spread[r, lane], level, way, least)
                informative[r, place[lane]] = told
