"""The robust fit of histories."""

from __future__ import annotations

import numpy as np

from geocollateral.change.kernels.compiling import F32, I32, LANES, MOST, NOUGHT, ONE, TINY, TWO, Places, compiled
from geocollateral.change.kernels.lanes import add_products, clear, put, room, take
from geocollateral.change.kernels.solving import fold, leverage_form, solve, unfold

LEAST_LEFT = np.float32(0.01)
"""Least share of its own variance that a look's residual is taken to have."""


@compiled
def fit_seasons(
    values: F32,
    days: I32,
    columns: Places,
    ends: I32,
    x: F32,
    waves: F32,
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

    A look alone in its season draws the curve to itself: its residual stays small however wrong it is. Residuals are
    therefore weighed in their own standard error, which for a look of leverage h is sqrt(1 - h) spreads (Schweppe's
    weights; Krasker & Welsch 1982, J. Am. Stat. Assoc. 77). The leverage is that of the first, unweighted fit.
    """
    floor2, huber, bound, share = rules
    n_days, k, n_waves, n = len(days), x.shape[1], waves.shape[1], len(columns)
    n_pairs = k * (k + 1) // 2
    regressors, by_row = np.float32(k), x.T
    for first in range(0, n, LANES):
        last = min(first + LANES, n)
        m = last - first
        filled, seen, left = room(n_days, m), room(n_days, m), room(n_days, m)
        w, wf, own_error = room(n_days, m), room(n_days, m), room(n_days, m)
        a, b, c = room(n_waves, m), room(k, m), room(k, m)
        square, form, inverse = room(n_pairs, m), room(n_pairs, m), room(n_pairs, m)
        v, freedom, squares = np.empty(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
        for lane in range(m):
            v[lane], freedom[lane] = TWO * TWO * floor2, -regressors / TWO
        end, place = ends[first:last], columns[first:last]
        take(values, 0, n_days, place, filled)
        for t in range(n_days):
            day = days[t]
            for lane in range(m):
                f = filled[t, lane]
                there = (f - f == NOUGHT) & (day <= end[lane])
                f, s = f if there else NOUGHT, ONE if there else NOUGHT
                freedom[lane] += s
                filled[t, lane], seen[t, lane], w[t, lane], wf[t, lane] = f, s, s, f
        for turn in range(rounds + 2):
            if turn <= rounds:
                clear(a)
                clear(b)
                add_products(w, waves, 0, n_days, a)
                add_products(wf, x, 0, n_days, b)
            unfold(a, k, square)
            solve(square, b, v, precision, k, c)
            if turn == 0:
                leverage_form(square, k, inverse, form)
                fold(form, k, a)
                clear(own_error)
                add_products(a, waves.T, 0, n_waves, own_error)
                for t in range(n_days):
                    for lane in range(m):
                        left_over = ONE - own_error[t, lane]
                        own_error[t, lane] = np.sqrt(left_over if left_over > LEAST_LEFT else LEAST_LEFT)
            for lane in range(m):
                squares[lane] = NOUGHT
            clear(left)
            add_products(c, by_row, 0, k, left)
            for t in range(n_days):
                for lane in range(m):
                    # Least squares at first: its plain spread starts the robust one from above.
                    most = bound * bound * v[lane] if turn else MOST
                    r = (filled[t, lane] - left[t, lane]) * seen[t, lane]
                    left[t, lane] = r
                    squares[lane] += r * r if r * r < most else most
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
                for lane in range(m):
                    size, s = abs(left[t, lane]), seen[t, lane]
                    one = squares[lane] * own_error[t, lane] / (size if size > TINY else TINY)
                    one = one if one < s else s
                    w[t, lane], wf[t, lane] = one, one * filled[t, lane]
        put(a, first, normal)
        put(b, first, moment)
        put(c, first, coefficients)
        put(left, first, residual)
        put(w, first, weights)
        own = variance[first:last]
        for lane in range(m):
            own[lane] = v[lane]
