"""Runs of looks that bear a change out, series by series."""

from __future__ import annotations

import numpy as np

from geocollateral.change.kernels.compiling import I32, NOUGHT, ONE, Places, compiled, inner
from geocollateral.change.kernels.lanes import exp_of
from geocollateral.change.kernels.records import Block, Rows, Rules, Runs
from geocollateral.change.kernels.weighing import log_ratio


@inner
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


@inner
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


@inner
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


@inner
def follow(runs: Runs, lanes: Places, first: int, block: Block, rows: Rows, rules: Rules) -> None:
    """Let the looks of a step bear on the runs of some series of a block, in order of time.

    All of them in one call: each call counts the references of all arrays, twice, which takes as long as a series.
    """
    odds, path, hits, witnesses, detected = runs.odds, runs.path, runs.hits, runs.witnesses, runs.detected
    seen, weights, hazards, quotient, n_hypotheses = block.seen, block.weight, block.hazard, block.quotient, len(odds)
    sides, fresh, last_ok, recovered = runs.side, runs.fresh, runs.last_ok, runs.recovered
    recover, recover_from = runs.recover, runs.recover_from
    half, most_against, most_for = rules.half, rules.most_against, block.most_for
    streams, days = rows.look_stream, rows.look_day
    for lane in lanes:
        i = first + lane
        for look in range(len(streams)):
            if seen[look, lane] == NOUGHT:
                continue
            open_case, weight, s = detected[i] < 0, weights[look, lane], streams[look]
            any_hit, all_ok, side_hit, chosen, best = False, True, False, -1, -ONE
            for h in range(n_hypotheses):
                ratio = log_ratio(quotient[h, look, lane], half[s], most_against[s], most_for[s, lane])
                hit = ratio >= rules.hit
                # Looks are tempered for what they share; the first to bear a change out shares nothing with one before.
                tempered = ratio if hit and hits[h, i] == 0 else ratio * weight
                likelier = (odds[h, i] + hazards[look, lane]) * exp_of(tempered)
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
