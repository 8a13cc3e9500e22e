"""The seasonal baseline: a robust harmonic regression with a prior, for many series at once.

The expected value of a clear look on day ``t`` is ``b0 + sum_k (c_k cos(k w t) + s_k sin(k w t))`` with
``w = 2 pi / 365.25``. Three things make it usable on real, gappy series:

* a normal prior on the amplitudes. Where looks constrain the season it has no effect; where there are none (a cloudy
  winter) it keeps the curve from swinging, and the uncertainty there stays wide, so that such a season is judged with
  wide limits instead of a false certainty;
* Huber weights and Huber's second proposal for the spread, so that a missed cloud does not bend the season;
* forgetting: looks that agreed later are added to the normal equations, older ones fade, and the level may drift.

Series lie on the last axis. The normal matrices of all series are one matrix product, (products of regressors) x
(weights), and are factored with the series in the vector lane: a fit costs less than a microsecond.

Sources: Verbesselt et al. 2012, doi:10.1016/j.rse.2012.02.022 (season-trend monitoring); Zhu & Woodcock 2014,
doi:10.1016/j.rse.2014.01.011 (harmonics, robust history); Huber 1964, doi:10.1214/aoms/1177703732.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

YEAR_DAYS = 365.25
CYCLE_DAYS = 1461
"""Days after which the calendar's seasons return to the same day: four years."""
Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
SPREAD_BOUND = 1.0
"""Residuals count towards the spread up to this many spreads: the smaller, the less outliers widen it."""
SERIES_IN_CACHE = 1024
"""The looks of so many series stay in the cache of a core through a round of a fit."""


def design(days: NDArray[Any], harmonics: int) -> Floats:
    """Regressors of the seasonal curve.

    Parameters
    ----------
    days
        Shape (time,): days since any fixed epoch [days].
    harmonics
        Number of yearly harmonics, 0 for a constant.

    Returns
    -------
    Shape (time, 1 + 2 * harmonics): constant, then cosine and sine of each harmonic.
    """
    phase = 2 * np.pi * np.asarray(days, np.float64)[:, None] / YEAR_DAYS * np.arange(1, harmonics + 1)
    columns = np.stack([np.cos(phase), np.sin(phase)], axis=-1).reshape(len(phase), 2 * harmonics)
    return np.concatenate([np.ones((len(phase), 1)), columns], axis=1)


@cache
def _cycle(harmonics: int) -> Floats:
    return design(np.arange(CYCLE_DAYS), harmonics).astype(np.float32)


def design_of_days(days: NDArray[np.integer[Any]], harmonics: int) -> Floats:
    """`design` of whole days, in single precision: equal days have equal rows, to the last bit, wherever they stand."""
    found: Floats = _cycle(harmonics)[np.asarray(days) % CYCLE_DAYS]
    return found


def products(regressors: Floats) -> Floats:
    """Products of each pair of regressors, the lower triangle row by row: shape (time, k) to (time, k (k + 1) / 2)."""
    row, col = np.tril_indices(regressors.shape[1])
    found: Floats = regressors[:, row] * regressors[:, col]
    return found


def prior_precision(harmonics: int, amplitude_sd: float) -> Floats:
    """Prior precision of the coefficients: none on the level; the k-th amplitude has the sd `amplitude_sd` / k^1.5."""
    order = np.repeat(np.arange(1, harmonics + 1), 2)
    found: Floats = np.concatenate([[0.0], np.square(order**1.5 / amplitude_sd)])
    return found


def zero_unseen(values: Floats) -> Floats:
    """Nought for NaN. Branches on clouds that come and go would cost twenty times as much."""
    found: Floats = np.fmax(values, 0)
    found += np.fmin(values, 0)
    return found


def newest_of(mask: Mask, days: NDArray[np.int32], none: int) -> NDArray[np.int32]:
    """Last of the days on which a mask of shape (time, series) is true, shape (series,); ``none`` where on none."""
    found: NDArray[np.int32] = (mask * (days - np.int32(none))[:, None]).max(axis=0, initial=0)
    found += np.int32(none)
    return found


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Robust fit of many series."""

    normal: Floats
    """Shape (k (k + 1) / 2, series): weighted normal matrix, lower triangle, without the prior [1]."""
    moment: Floats
    """Shape (k, series): weighted moments [unit of the series]."""
    coefficients: Floats
    """Shape (k, series)."""
    variance: Floats
    """Shape (series,): of a look around the curve [unit^2]."""
    residual: Floats
    """Shape (time, series), 0 where there was no look [unit]."""
    weights: Floats
    """Shape (time, series): Huber weight of each look, 0 where there was none."""


def fit_seasons(
    values: Floats,
    regressors: Floats,
    *,
    precision: Floats,
    noise_floor: float = 0.0,
    huber: float = 1.345,
    rounds: int = 4,
) -> Fit:
    """Fit the seasonal curve to many series by iteratively reweighted least squares.

    Parameters
    ----------
    values
        Shape (time, series); NaN = no clear look. The floating type of the result follows it.
    regressors
        Shape (time, k) from `design`.
    precision
        Shape (k,) from `prior_precision` [1 / unit^2].
    noise_floor
        Smallest spread of a look assumed [unit]. It also counts as k looks' worth of prior on the spread, because the
        spread of a short history is itself uncertain.
    huber
        Residuals beyond this many spreads are down-weighted.
    rounds
        Rounds of reweighting, always all of them: stopping when the last series has settled would let one series change
        the others' results.

    Returns
    -------
    Coefficients of a series without any look are zero.
    """
    kind = values.dtype
    n, k = values.shape[1], regressors.shape[1]
    x, pairs = regressors.astype(kind), products(regressors).astype(kind)
    floor2 = max(noise_floor, 1e-12) ** 2
    share = consistency(SPREAD_BOUND)
    normal, moment = np.empty((pairs.shape[1], n), kind), np.empty((k, n), kind)
    variance, freedom = np.full(n, 4 * floor2, kind), np.empty(n, kind)
    residual, weights = np.empty(values.shape, kind), np.empty(values.shape, kind)
    # All passes over the looks of some series follow each other while these are in the cache.
    parts = _parts(n)
    filled, seen = [zero_unseen(values[:, p]) for p in parts], [np.isfinite(values[:, p]).astype(kind) for p in parts]
    scratch = np.empty((2, *max(filled, key=np.size).shape), kind) if n else np.empty((2, 0, 0), kind)

    def residuals(p: slice, f: Floats, s: Floats, out: Floats) -> Floats:
        np.matmul(x, coefficients[:, p], out=out)
        np.subtract(f, out, out=out)
        return np.multiply(out, s, out=out)

    for p, f, s in zip(parts, filled, seen, strict=True):
        freedom[p] = np.maximum(s.sum(axis=0) - k / 2, 1)
        weights[:, p], normal[:, p], moment[:, p] = s, pairs.T @ s, x.T @ f
    coefficients = solve(normal, moment, variance, precision)
    for turn in range(rounds + 1):
        for p, f, s in zip(parts, filled, seen, strict=True):
            r, w = scratch[0, :, : f.shape[1]], scratch[1, :, : f.shape[1]]
            residuals(p, f, s, r)
            np.square(r, out=w)
            if turn:
                np.minimum(w, SPREAD_BOUND**2 * variance[p], out=w)
            # Least squares at first: its plain spread starts the robust one from above.
            variance[p] = np.maximum(w.sum(axis=0) / (freedom[p] * kind.type(share if turn else 1)), floor2)
            if turn == rounds:
                continue
            np.maximum(np.abs(r, out=w), 1e-12, out=w)
            np.minimum(np.divide(huber * np.sqrt(variance[p]), w, out=w), s, out=w)
            if turn == rounds - 1:
                weights[:, p] = w
            normal[:, p] = pairs.T @ w
            moment[:, p] = x.T @ np.multiply(w, f, out=w)
        if turn < rounds:
            coefficients = solve(normal, moment, variance, precision)
    variance = ((variance * freedom + k * floor2) / (freedom + k)).astype(kind)
    coefficients = solve(normal, moment, variance, precision)
    for p, f, s in zip(parts, filled, seen, strict=True):
        residual[:, p] = residuals(p, f, s, scratch[0, :, : f.shape[1]])
    return Fit(
        normal=normal,
        moment=moment,
        coefficients=coefficients,
        variance=variance,
        residual=residual,
        weights=weights,
    )


def _parts(n: int) -> list[slice]:
    """Series in parts of like size, of which none is a single one: linear algebra rounds one column otherwise."""
    bounds = np.linspace(0, n, -(-n // SERIES_IN_CACHE) + 1).round().astype(int)
    return [slice(int(first), int(last)) for first, last in pairwise(bounds)]


def consistency(huber: float) -> float:
    """Mean of ``min(z^2, huber^2)`` of a standard normal: makes Huber's second proposal unbiased."""
    tail = 0.5 * (1 - math.erf(huber / math.sqrt(2)))
    density = np.exp(-(huber**2) / 2) / np.sqrt(2 * np.pi)
    return float(1 - 2 * tail - 2 * huber * density + 2 * huber**2 * tail)


def solve(normal: Floats, moment: Floats, variance: Floats, precision: Floats) -> Floats:
    """Coefficients of many series: normal equations with the prior, shapes as in `Fit`; result (k, series)."""
    return _substitute(_cholesky(_square(normal, variance, precision)), moment)


def leverage_form(normal: Floats, variance: Floats, precision: Floats) -> Floats:
    """The inverse normal matrices as a form on `products`, shape (k (k + 1) / 2, series).

    ``products(regressors) @ leverage_form(...)`` is the variance of the curve in units of the look's variance.
    """
    return _form(_cholesky(_square(normal, variance, precision)))


def curve_and_doubt(normal: Floats, moment: Floats, variance: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """What `solve` and `leverage_form` give, by one factor."""
    factor = _cholesky(_square(normal, variance, precision))
    return _substitute(factor, moment), _form(factor)


def _substitute(factor: list[Floats], moment: Floats) -> Floats:
    """Solve with the rows of a factor."""
    found = moment.astype(factor[0].dtype, copy=True)
    k = len(found)
    scratch = np.empty_like(found)
    for i in range(k):
        if i:
            found[i] -= np.multiply(factor[i][:i], found[:i], out=scratch[:i]).sum(axis=0)
        found[i] *= factor[i][i]
    for i in reversed(range(k)):
        found[i] *= factor[i][i]
        if i:
            found[:i] -= np.multiply(factor[i][:i], found[i], out=scratch[:i])
    return found


def _form(factor: list[Floats]) -> Floats:
    """Inverse of the matrices whose factor is given, times two off the diagonal, packed row by row."""
    k, n = len(factor), factor[0].shape[1]
    inverse = [np.zeros_like(row) for row in factor]  # of the factor
    scratch = np.empty((k, n), factor[0].dtype)
    for i in range(k):
        for j in range(i):
            inverse[i][: j + 1] -= np.multiply(inverse[j], factor[i][j], out=scratch[: j + 1])
        inverse[i][:i] *= factor[i][i]
        inverse[i][i] = factor[i][i]
    packed = np.zeros((k * (k + 1) // 2, n), factor[0].dtype)
    form = _rows(packed, k)
    for i in range(k):
        for j in range(i + 1):
            form[j] += np.multiply(inverse[i][: j + 1], inverse[i][j], out=scratch[: j + 1])
    for i in range(1, k):
        form[i][:i] *= 2
    return packed


def _rows(packed: Floats, k: int) -> list[Floats]:
    """Rows of lower triangles that lie packed row by row."""
    return [packed[i * (i + 1) // 2 : (i + 1) * (i + 2) // 2] for i in range(k)]


def _square(normal: Floats, variance: Floats, precision: Floats) -> list[Floats]:
    """Rows of the lower triangle with the prior added."""
    rows = _rows(normal.copy(), len(precision))
    # A tiny precision keeps series without looks solvable; it is far below any information a single look carries.
    for j, row in enumerate(rows):
        row[j] += variance * float(precision[j]) + 1e-6
    return rows


def _cholesky(rows: list[Floats]) -> list[Floats]:
    """Rows of the lower factor, in place, with the reciprocals of the diagonal on the diagonal."""
    scratch = np.empty_like(rows[-1])
    for i, row in enumerate(rows):
        for j in range(i):
            if j:
                row[j] -= np.multiply(row[:j], rows[j][:j], out=scratch[:j]).sum(axis=0)
            row[j] *= rows[j][j]
        if i:
            row[i] -= np.square(row[:i], out=scratch[:i]).sum(axis=0)
        row[i] = 1 / np.sqrt(np.maximum(row[i], 1e-12))
    return rows
