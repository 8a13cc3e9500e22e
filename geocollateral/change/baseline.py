"""The seasonal baseline: a robust harmonic regression with a prior, for many series at once.

The expected value of a clear look on day ``t`` is ``b0 + sum_k (c_k cos(k w t) + s_k sin(k w t))`` with
``w = 2 pi / 365.25``. Three things make it usable on real, gappy series:

* a normal prior on the amplitudes. Where looks constrain the season it has no effect; where there are none (a cloudy
  winter) it keeps the curve from swinging, and the uncertainty there stays wide, so that such a season is judged with
  wide limits instead of a false certainty;
* Huber weights, with residuals counted in their own standard error, and Huber's second proposal for the spread, so that
  a missed cloud does not bend the season, not even one that is the only look of its season;
* forgetting: looks that agreed later are added to the normal equations, older ones fade, and the level may drift.

Series lie on the last axis. The arithmetic is compiled: `geocollateral.change.kernels`.

Sources: Verbesselt et al. 2012, doi:10.1016/j.rse.2012.02.022 (season-trend monitoring); Zhu & Woodcock 2014,
doi:10.1016/j.rse.2014.01.011 (harmonics, robust history); Huber 1964, doi:10.1214/aoms/1177703732.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

YEAR_DAYS = 365.25
CYCLE_DAYS = 1461
"""Days after which the calendar's seasons return to the same day: four years."""
Floats = NDArray[np.floating[Any]]
F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Mask = NDArray[np.bool_]
SPREAD_BOUND = 1.0
"""Residuals count towards the spread up to this many spreads: the smaller, the less outliers widen it."""


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
def _cycle(harmonics: int) -> F32:
    return design(np.arange(CYCLE_DAYS), harmonics).astype(np.float32)


def design_of_days(days: NDArray[np.integer[Any]], harmonics: int) -> F32:
    """`design` of whole days, in single precision: equal days have equal rows, to the last bit, wherever they stand."""
    found: F32 = _cycle(harmonics)[np.asarray(days) % CYCLE_DAYS]
    return found


def waves(regressors: F32) -> F32:
    """The seasons' cosines and sines up to twice their harmonics: shape (time, k) to (time, 2 k - 1).

    All products of two regressors are sums of these; they are fewer.
    """
    x = regressors.astype(np.float64)
    top = x.shape[1] // 2
    found = [x]
    for extra in range(1, top + 1):  # angles added to that of the highest harmonic
        a, b, c, d = x[:, 2 * top - 1], x[:, 2 * top], x[:, 2 * extra - 1], x[:, 2 * extra]
        found.append(np.stack([a * c - b * d, b * c + a * d], axis=1))
    return np.ascontiguousarray(np.concatenate(found, axis=1), np.float32)


def prior_precision(harmonics: int, amplitude_sd: float) -> Floats:
    """Prior precision of the coefficients: none on the level; the k-th amplitude has the sd `amplitude_sd` / k^1.5."""
    order = np.repeat(np.arange(1, harmonics + 1), 2)
    found: Floats = np.concatenate([[0.0], np.square(order**1.5 / amplitude_sd)])
    return found


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Robust fit of many series."""

    normal: F32
    """Shape (2 k - 1, series): weighted sums of `waves`, which make the normal matrix without the prior [1]."""
    moment: F32
    """Shape (k, series): weighted moments [unit of the series]."""
    coefficients: F32
    """Shape (k, series)."""
    variance: F32
    """Shape (series,): of a look around the curve [unit^2]."""
    residual: F32
    """Shape (time, series), 0 where there was no look [unit]."""
    weights: F32
    """Shape (time, series): Huber weight of each look, 0 where there was none."""


def fit_seasons(
    values: F32,
    days: NDArray[np.int32],
    columns: NDArray[np.int64],
    ends: NDArray[np.int32],
    regressors: F32,
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
        Shape (time, series); NaN = no clear look.
    days, columns, ends
        Of the looks; places of the series to fit; and the day to which the looks of each of these count.
    regressors
        Shape (time, k) from `design_of_days`.
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
    One column for each of ``columns``. Coefficients of a series without any look are zero.
    """
    from geocollateral.change import kernels

    n_days, n = len(days), len(columns)
    k, sums = regressors.shape[1], waves(regressors)
    fit = Fit(
        normal=np.empty((sums.shape[1], n), np.float32),
        moment=np.empty((k, n), np.float32),
        coefficients=np.empty((k, n), np.float32),
        variance=np.empty(n, np.float32),
        residual=np.empty((n_days, n), np.float32),
        weights=np.empty((n_days, n), np.float32),
    )
    numbers = (max(noise_floor, 1e-12) ** 2, huber, SPREAD_BOUND, consistency(SPREAD_BOUND))
    kernels.fit_seasons(
        values,
        days,
        columns,
        ends,
        regressors,
        sums,
        precision.astype(np.float32),
        tuple(np.float32(number) for number in numbers),
        rounds,
        fit.normal,
        fit.moment,
        fit.coefficients,
        fit.variance,
        fit.residual,
        fit.weights,
    )
    return fit


def consistency(huber: float) -> float:
    """Mean of ``min(z^2, huber^2)`` of a standard normal: makes Huber's second proposal unbiased."""
    tail = 0.5 * (1 - math.erf(huber / math.sqrt(2)))
    density = np.exp(-(huber**2) / 2) / np.sqrt(2 * np.pi)
    return float(1 - 2 * tail - 2 * huber * density + 2 * huber**2 * tail)
