"""Odds of all series at once; the few in which something goes on are followed."""

from __future__ import annotations

import numpy as np

from geocollateral.change.kernels.compiling import NOUGHT, ONE, inner
from geocollateral.change.kernels.following import follow
from geocollateral.change.kernels.lanes import exp_of
from geocollateral.change.kernels.records import Block, Rows, Rules, Runs


@inner
def bear(block: Block, first: int, rows: Rows, rules: Rules, runs: Runs) -> None:
    """Let the looks of a step bear on the odds and runs.

    First a bound of the odds is worked out for all series, by the most that any hypothesis makes of a look; then the
    few series in which something goes on are followed exactly.
    """
    m, n_hypotheses, n_looks = block.values.shape[1], rules.sides.shape[0], len(rows.look_stream)
    odds, peak, factors = np.zeros(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
    busy, fresh, fine = np.zeros(m, np.float32), np.zeros(m, np.float32), np.full(m, -ONE, np.float32)
    for h in range(n_hypotheses):
        own, path = runs.odds[h][first : first + m], runs.path[h][first : first + m]
        for lane in range(m):
            odds[lane] = max(odds[lane], own[lane])
            busy[lane] = ONE if path[lane] > NOUGHT else busy[lane]
    for lane in range(m):
        peak[lane] = odds[lane]
        busy[lane] = ONE if odds[lane] > rules.settled else busy[lane]
    ratios, weights, hazards, seen, calm = block.ratio, block.weight, block.hazard, block.seen, block.calm
    most_odds, active, hit, ok, days = rules.most_odds, rules.active, rules.hit, rules.ok, rows.look_day
    for look in range(n_looks):
        day = np.float32(days[look])
        for lane in range(m):
            factors[lane] = exp_of(ratios[look, lane] * weights[look, lane])
        for lane in range(m):
            now = min((odds[lane] + hazards[look, lane]) * factors[lane], most_odds)
            odds[lane] = now
            peak[lane] = max(peak[lane], now)
            calm[look, lane] = ONE if (now < active) & (ratios[look, lane] < ONE) else NOUGHT
        for lane in range(m):
            # Where the newest look bears a change out its run is kept, small as the odds may be: it dates the break.
            ratio = ratios[look, lane]
            fresh[lane] = (ONE if ratio >= hit else NOUGHT) if seen[look, lane] > NOUGHT else fresh[lane]
            fine[lane] = day if ratio <= ok else fine[lane]
    detected, recovered = runs.detected[first : first + m], runs.recovered[first : first + m]
    every_odds, last_ok = runs.odds, runs.last_ok[first : first + m]
    lanes, n_lanes = np.empty(m, np.int64), 0
    for lane in range(m):
        decided = detected[lane] >= 0
        if decided:  # a series in which a change was found teaches no more
            for look in range(n_looks):
                calm[look, lane] = NOUGHT
        quiet = peak[lane] <= rules.active and odds[lane] <= rules.settled and busy[lane] + fresh[lane] == NOUGHT
        if quiet and not decided:
            last_ok[lane] = max(last_ok[lane], np.int32(fine[lane]))
            for h in range(n_hypotheses):
                every_odds[h, first + lane] = odds[lane]
        elif not decided or recovered[lane] < 0:
            lanes[n_lanes] = lane
            n_lanes += 1
    follow(runs, lanes[:n_lanes], first, block, rows, rules)
