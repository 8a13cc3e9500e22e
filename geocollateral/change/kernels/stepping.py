"""A half-year: what its looks say, and what baselines learn of them."""

from __future__ import annotations

import numpy as np

from geocollateral.change.kernels.bearing import bear
from geocollateral.change.kernels.compiling import F32, I32, LANES, NEVER, NOUGHT, ONE, TINY, Places, compiled, inner
from geocollateral.change.kernels.expecting import expect, informs
from geocollateral.change.kernels.lanes import add_products, clear, room
from geocollateral.change.kernels.records import Baselines, Block, Rows, Rules, Runs, new_block
from geocollateral.change.kernels.weighing import bound_by_outliers, weigh


@inner
def tell_informative(block: Block, first: int, s: int, rows: Rows, rules: Rules, runs: Runs) -> None:
    """Count the looks of a stream on which a full change would have shown, and note the first and the last."""
    m, c0, c1 = block.values.shape[1], rules.first[s], rules.first[s + 1]
    all_known = True
    for c in range(c0, c1):
        all_known &= rules.level[c] == rules.level[c]
    told, seen = np.empty(m, np.float32), np.empty(m, np.float32)
    earliest, latest, count = np.empty(m, np.int32), np.empty(m, np.int32), np.empty(m, np.int32)
    start, days, levels, ways, leasts = rows.start, rows.days, rules.level, rules.ways, rules.min_spreads
    values, lows, highs, per_spread = block.values, block.low, block.high, block.per_spread
    for lane in range(m):
        earliest[lane] = latest[lane] = -1
        count[lane] = 0
    for t in range(start[c0 + 1] - start[c0]):
        day = days[start[c0] + t]
        for lane in range(m):
            told[lane], seen[lane] = (NOUGHT if all_known else ONE), NOUGHT
        for c in range(c0, c1):
            r, level, way, least = start[c] + t, levels[c], ways[c], leasts[c]
            for lane in range(m):
                seen[lane] = ONE if values[r, lane] == values[r, lane] else seen[lane]
            if all_known:
                for lane in range(m):
                    value, low, high = values[r, lane], lows[r, lane], highs[r, lane]
                    yes = informs(value, low, high, per_spread[r, lane], level, way, least)
                    told[lane] = ONE if yes else told[lane]
        for lane in range(m):
            yes = told[lane] * seen[lane] > NOUGHT
            count[lane] += 1 if yes else 0
            earliest[lane] = day if yes & (earliest[lane] < 0) else earliest[lane]
            latest[lane] = day if yes else latest[lane]
    n_told, oldest = runs.n_informative[first : first + m], runs.first_informative[first : first + m]
    newest = runs.last_informative[first : first + m]
    for lane in range(m):
        n_told[lane] += count[lane]
        oldest[lane] = earliest[lane] if oldest[lane] < 0 else oldest[lane]
        newest[lane] = max(newest[lane], latest[lane])


@inner
def learn(block: Block, first: int, c: int, looks: Places, rows: Rows, rules: Rules, base: Baselines) -> None:
    """Add the looks of a step that agreed with the baseline of a channel to it, and let what was learned before fade.

    ``looks``: by row of the channel, its place among the looks of all streams.
    """
    m, k, n_rows = block.values.shape[1], rules.k[c], len(looks)
    n_waves = 2 * k - 1
    weights, moved = room(n_rows, m), room(n_rows, m)
    a, b = room(n_waves, m), room(k, m)
    squares, count, spread = np.empty(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
    clear(a)
    clear(b)
    values, centre, calm = block.values, block.centre, block.calm
    huber, bound, memory, floor2 = rules.huber[c], rules.bound, rules.memory[c], rules.floor2[c]
    variance, total = base.variance[c][first : first + m], base.weight[c][first : first + m]
    for lane in range(m):
        squares[lane] = count[lane] = NOUGHT
        spread[lane] = np.sqrt(variance[lane])
    for t in range(n_rows):
        r = rows.start[c] + t
        look = looks[t]
        for lane in range(m):
            value, middle = values[r, lane], centre[r, lane]
            used = calm[look, lane] if value == value else NOUGHT
            departure = value - middle if used > NOUGHT else NOUGHT
            size = abs(departure)
            most = huber * spread[lane] / (size if size > TINY else TINY)
            one = most if most < used else used
            weights[t, lane], moved[t, lane] = one, (departure + middle) * one
            near = bound * spread[lane]
            near = size if size < near else near
            squares[lane] += near * near
            count[lane] += used
    add_products(weights, rows.waves[rows.start[c] : rows.start[c + 1]], 0, n_rows, a)
    add_products(moved, rows.x[0, rows.start[c] : rows.start[c + 1]], 0, n_rows, b)
    for lane in range(m):
        spread[lane] = memory if count[lane] > NOUGHT else ONE  # what is kept
    for p in range(n_waves):
        at, into = a[p], base.normal[c, p][first : first + m]
        for lane in range(m):
            into[lane] = into[lane] * spread[lane] + at[lane]
    for j in range(k):
        at, into = b[j], base.moment[c, j][first : first + m]
        for lane in range(m):
            into[lane] = into[lane] * spread[lane] + at[lane]
    for lane in range(m):
        old = total[lane] * spread[lane]
        new = (variance[lane] * old + squares[lane] / rules.share) / max(old + count[lane], ONE)
        variance[lane] = max(new, floor2) if count[lane] > NOUGHT else variance[lane]
        total[lane] = old + count[lane]


@inner
def count_outliers(block: Block, first: int, s: int, rows: Rows, rules: Rules, base: Baselines, runs: Runs) -> None:
    """Count the looks of a stream and its outliers: those that bear a change out which did not come of it.

    Those of a run that goes on are left out: nobody knows yet. So is all that comes after a change.
    """
    m = block.values.shape[1]
    count, odd, until = np.zeros(m, np.float32), np.zeros(m, np.float32), np.empty(m, np.int32)
    looks, outliers = base.looks[s][first : first + m], base.outliers[s][first : first + m]
    detected, ratios, seen, days, streams = runs.detected, block.ratio, block.seen, rows.look_day, rows.look_stream
    for lane in range(m):
        until[lane] = NEVER if detected[first + lane] < 0 else np.int32(-1)
    for h in range(runs.hits.shape[0]):
        hits, since = runs.hits[h][first : first + m], runs.ring_day[h, 0][first : first + m]
        for lane in range(m):
            until[lane] = min(until[lane], since[lane]) if hits[lane] > 0 else until[lane]
    for look in range(len(days)):
        if streams[look] != s:
            continue
        for lane in range(m):
            one = seen[look, lane] if days[look] < until[lane] else NOUGHT
            count[lane] += one
            odd[lane] += one if ratios[look, lane] >= rules.hit else NOUGHT
    for lane in range(m):
        looks[lane] += count[lane]
        outliers[lane] += odd[lane]


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
        block = new_block(rules.sides.shape[0], n_streams, n_looks, rows.values.shape[0], m)
        newest, clock, since = room(n_streams, m), np.empty(m, np.float32), np.empty(m, np.int32)
        own_clock = runs.clock[first : first + m]
        for lane in range(m):
            clock[lane] = own_clock[lane]
        for s in range(n_streams):
            last = newest[s]
            last_look, ends = base.last_look[s][first : first + m], base.history_end[s][first : first + m]
            for lane in range(m):
                last[lane] = last_look[lane]
                since[lane] = ends[lane] if ends[lane] >= 0 else NEVER
            for c in range(rules.first[s], rules.first[s + 1]):
                expect(block, c, rows.start[c], rows.start[c + 1], since, rows, rules, base, place)
        bound_by_outliers(block, first, rules, base)
        weigh(block, first, rows, rules, base, newest, clock)
        bear(block, first, rows, rules, runs)
        for s in range(n_streams):
            c0, last, last_look = rules.first[s], newest[s], base.last_look[s][first : first + m]
            if rows.start[c0 + 1] > rows.start[c0]:
                tell_informative(block, first, s, rows, rules, runs)
                if learning:
                    count_outliers(block, first, s, rows, rules, base, runs)
                    for c in range(c0, rules.first[s + 1]):
                        learn(block, first, c, looks[rows.start[c] : rows.start[c + 1]], rows, rules, base)
            for lane in range(m):
                last_look[lane] = np.int32(last[lane])
        for lane in range(m):
            own_clock[lane] = np.int32(clock[lane])


@compiled
def count_looks(values: F32, into: I32) -> None:
    """Add how many looks each series has; ``values`` (time, series)."""
    for t in range(values.shape[0]):
        for i in range(len(into)):
            into[i] += 1 if values[t, i] - values[t, i] == NOUGHT else 0
