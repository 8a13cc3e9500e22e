"""Arrays that go between Python and the kernels.

Terms: a *channel* is one index of one stream, in the order of the plan; a *row* is one look of one channel, rows of a
channel together, in order of time. ``k`` counts the regressors of a curve, ``w`` the waves that their products are sums
of, 2 k - 1: see `solving.as_waves`. Days are days since 1970-01-01, -1 = none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from geocollateral.change.kernels.compiling import F32, I32, Bools, Places, inner
from geocollateral.change.kernels.lanes import room


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
    """Shape (c, w, series): weighted sums of the waves [1]; `solving.unfold` makes them the normal matrix."""
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
    looks: F32
    outliers: F32
    """Shape (s, series): looks of unchanged ground, and those of them that depart as changed ground does."""


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
    """Shape (3, row, k): regressors of the day, and of `timing_days` before and after."""
    waves: F32
    """Shape (row, w): waves of the day."""
    look_stream: Places
    look_row: Places
    """Shape (look,): stream, and place among the looks of that stream."""
    look_day: I32


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
    most_for: F32
    """Shape (s, lane): the most that one look says for a change [log likelihood ratio]."""
    seen: F32
    calm: F32
    """Shape (look, lane), 0 or 1: whether there is a look; whether nothing goes on in the series."""


@inner
def new_block(n_hypotheses: int, n_streams: int, n_looks: int, n_rows: int, m: int) -> Block:
    """Room for a block."""
    return Block(
        room(n_rows, m),
        room(n_rows, m),
        room(n_rows, m),
        room(n_rows, m),
        room(n_rows, m),
        room(n_rows, m),
        room(n_hypotheses * n_looks, m).reshape(n_hypotheses, n_looks, m),
        room(n_looks, m),
        room(n_looks, m),
        room(n_looks, m),
        room(n_streams, m),
        room(n_looks, m),
        room(n_looks, m),
    )
