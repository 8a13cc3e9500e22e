"""Histories: the first fit of a baseline, as soon as its looks are enough, and what else they tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geocollateral.change.baseline import F32, I32, Fit, Mask, design_of_days, fit_seasons, prior_precision
from geocollateral.change.evidence import WAYS, SequentialParams
from geocollateral.change.runs import NONE, Store
from geocollateral.change.streams import HISTORY_DAYS, STEP_DAYS, Looks, Plan, baselines_of, rows_of, rules_of

SHRINK_LOOKS = 20
"""The correlation of two indices is shrunk as if so many looks without any had been seen too."""


def fit_new(store: Store, plan: Plan, s: int, step: int, past: Looks) -> None:
    """Fit the history of series for which it has just become long enough."""
    waiting = np.flatnonzero(store["history_end"][s] < 0)
    if not len(waiting) or not len(past.days):
        return
    given = plan.history_end
    if given is not None and step < given // STEP_DAYS:
        return
    if given is not None:
        past = past.rows(slice(0, int(np.searchsorted(past.days, given, side="right"))))
    else:
        oldest = step * STEP_DAYS - HISTORY_DAYS
        past = past.rows(slice(int(np.searchsorted(past.days, oldest, side="right")), None))
    end = history_ends(past, waiting, given, plan.streams[s].params[0])
    columns, end = waiting[end >= 0], end[end >= 0]
    if not len(columns):
        return
    if given is not None:
        end[:] = given
    store["history_end"][s, columns] = end
    _fit(store, plan, s, columns, end, past.rows(slice(0, int(np.searchsorted(past.days, end.max(), side="right")))))


def history_ends(
    past: Looks, columns: NDArray[np.int64], given: int | None, params: SequentialParams
) -> NDArray[np.int32]:
    """Day on which the history of some series is long enough, shape (column,); `NONE` where it is not.

    ``past`` holds the looks of the history only where its end is ``given``.
    """
    from geocollateral.change import kernels

    ends = np.full(len(columns), NONE, np.int32)
    kernels.end_histories(
        _matrix(past.values[0]),
        past.days,
        columns,
        NONE if given is None else given,
        params.min_history_looks,
        math.ceil(params.min_history_days),
        ends,
    )
    return ends


def _matrix(values: F32) -> F32:
    return np.require(values, np.float32, ["C", "W"])


def _fit(store: Store, plan: Plan, s: int, columns: NDArray[np.int64], end: NDArray[np.int32], past: Looks) -> None:
    stream, first = plan.streams[s], plan.places(s).start
    # Series side by side are written at once: a list of places would take ten times as long.
    together = int(columns[-1] - columns[0]) == len(columns) - 1
    where = slice(int(columns[0]), int(columns[-1]) + 1) if together else columns
    fits: list[Fit] = []
    for i, params in enumerate(stream.params):
        values, c = _matrix(past.values[i]), first + i
        fit = fit_seasons(
            values,
            past.days,
            columns,
            end,
            design_of_days(past.days, params.harmonics),
            precision=prior_precision(params.harmonics, params.amplitude_prior),
            noise_floor=params.noise_floor,
            huber=params.huber,
        )
        fits.append(fit)
        told = _tell(values, past.days, columns, end, fit, params)
        store["normal"][c][: len(fit.normal), where] = fit.normal
        store["moment"][c][: len(fit.moment), where] = fit.moment
        store["variance"][c][where] = fit.variance
        store["weight"][c][where] = told.weight
        store["season"][0, c][where], store["season"][1, c][where] = told.highest, told.lowest
        if i:
            continue
        store["looks"][s][where], store["outliers"][s][where] = told.looks, told.outliers
        store["lag"][s][where] = told.lag
        store["last_look"][s][where] = told.last_look
        store["clock"][where] = np.maximum(store["clock"][where], told.last_look)
        if s == 0:
            store["last_ok"][where] = told.last_ok
        off = np.flatnonzero(told.n_off >= params.confirm_looks)
        if len(off):
            store["unstable"][columns[off]] |= _wild(store, plan, s, columns[off], end[off], past)
    if len(fits) > 1:
        store["inverse"][first : first + len(fits)][:, : len(fits), where] = _inverse_correlation(fits)


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What histories tell beside their curve. Shapes (column,)."""

    weight: F32
    """Sum of the weights of the looks."""
    lag: F32
    """Correlation of neighbouring looks."""
    last_look: I32
    last_ok: I32
    """Last look that plainly shows unchanged ground, or the first look where none does."""
    n_off: I32
    """Looks that may lie beyond three spreads of the envelope."""
    looks: F32
    outliers: F32
    """All looks, and those that lie three spreads or more off the curve, the way that a change goes."""
    highest: F32
    lowest: F32
    """Range of the curve on the looks [unit]."""


def _tell(values: F32, days: I32, columns: NDArray[np.int64], end: I32, fit: Fit, params: SequentialParams) -> _Told:
    from geocollateral.change import kernels

    n = len(columns)
    told = _Told(
        weight=np.empty(n, np.float32),
        lag=np.empty(n, np.float32),
        last_look=np.empty(n, np.int32),
        last_ok=np.empty(n, np.int32),
        n_off=np.empty(n, np.int32),
        looks=np.empty(n, np.float32),
        outliers=np.empty(n, np.float32),
        highest=np.empty(n, np.float32),
        lowest=np.empty(n, np.float32),
    )
    level = np.nan if params.changed_level is None else params.changed_level
    least = params.min_magnitude / params.min_spreads
    kernels.tell_histories(
        values,
        days,
        columns,
        end,
        fit.residual,
        fit.weights,
        fit.variance,
        tuple(np.float32(number) for number in (level, WAYS[params.direction], least, params.least_correlation)),
        told.weight,
        told.lag,
        told.last_look,
        told.last_ok,
        told.n_off,
        told.looks,
        told.outliers,
        told.highest,
        told.lowest,
    )
    return told


def _wild(store: Store, plan: Plan, s: int, columns: NDArray[np.int64], end: I32, past: Looks) -> Mask:
    """Whether a history holds a run of departures to one side: it cannot serve as a baseline."""
    from geocollateral.change import kernels

    found = np.zeros(len(columns), bool)
    c, looks = plan.places(s).start, Looks(days=past.days, values=past.values[:1])
    rows, confirm = rows_of(plan, {c: looks}), plan.streams[s].params[0].confirm_looks
    kernels.find_wild(rows, end, columns, c, confirm, rules_of(plan), baselines_of(store), found)
    return found


def _inverse_correlation(fits: list[Fit]) -> F32:
    """Inverse correlation of the residuals of several indices: shape (index, index, series)."""
    from geocollateral.change import kernels

    n = len(fits[0].variance)
    matrix = np.empty((n, len(fits), len(fits)), np.float32)
    for a, one in enumerate(fits):
        matrix[:, a, a] = 1
        for b, other in enumerate(fits[:a]):
            found = np.sqrt(one.variance) * np.sqrt(other.variance) * np.float32(SHRINK_LOOKS * 0.7)
            kernels.correlate(one.residual, one.weights, other.residual, other.weights, found)
            matrix[:, a, b] = matrix[:, b, a] = found
    return np.moveaxis(np.linalg.inv(matrix), 0, 2)
