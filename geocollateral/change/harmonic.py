"""The seasonal baseline: a robust harmonic regression with a prior, for many series at once.

The expected value of a clear look on day ``t`` is ``b0 + sum_k (c_k cos(k w t) + s_k sin(k w t))`` with
``w = 2 pi / 365.25``.
Two things make it usable on real, gappy optical series:

* a normal prior on the amplitudes. Where looks constrain the season it has no effect; where there are none (a cloudy
  winter) it keeps the curve from swinging, and the parameter uncertainty there stays wide, so that such a season is
  judged with wide limits instead of a false certainty;
* Huber weights, so that a missed cloud in the history does not bend the season.

Sources: Verbesselt et al. 2012, doi:10.1016/j.rse.2012.02.022 (season-trend monitoring); Zhu & Woodcock 2014,
doi:10.1016/j.rse.2014.01.011 (harmonics, robust history); Huber 1964, doi:10.1214/aoms/1177703732.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

YEAR_DAYS = 365.25
MAD_TO_SIGMA = 1.482602218505602
"""Makes the median absolute deviation of a normal variable its standard deviation."""

Floats = NDArray[np.floating[Any]]


def design(days: Floats, harmonics: int) -> Floats:
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


def design_slope(days: Floats, harmonics: int) -> Floats:
    """Time derivative of `design` [1/day], same shape."""
    order = np.arange(1, harmonics + 1)
    speed = 2 * np.pi * order / YEAR_DAYS
    phase = 2 * np.pi * np.asarray(days, np.float64)[:, None] / YEAR_DAYS * order
    columns = np.stack([-speed * np.sin(phase), speed * np.cos(phase)], axis=-1).reshape(len(phase), 2 * harmonics)
    return np.concatenate([np.zeros((len(phase), 1)), columns], axis=1)


@dataclass(frozen=True, kw_only=True)
class HarmonicFit:
    """Robust fit of many series."""

    normal: Floats
    """Shape (series, k, k): weighted normal matrix, prior included [1]."""
    moment: Floats
    """Shape (series, k): weighted moments [unit of the series]."""
    coefficients: Floats
    """Shape (series, k)."""
    sigma: Floats
    """Shape (series,): robust spread of the residuals, floor included [unit of the series]."""
    weights: Floats
    """Shape (time, series): Huber weight of each look, 0 where there was none."""


def fit_harmonics(
    values: Floats,
    regressors: Floats,
    *,
    prior_sd: Floats,
    prior_mean: Floats | None = None,
    sigma_floor: float = 0.0,
    huber: float = 1.345,
    iterations: int = 15,
) -> HarmonicFit:
    """Fit the seasonal curve to many series by iteratively reweighted least squares.

    Parameters
    ----------
    values
        Shape (time, series); NaN = no clear look.
    regressors
        Shape (time, k) from `design`.
    prior_sd
        Shape (k,): prior standard deviation of each coefficient [unit of the series]; ``inf`` for no prior.
    prior_mean
        Shape (k,): prior mean of each coefficient, zero by default.
    sigma_floor
        Smallest spread assumed [unit of the series].
    huber
        Tuning constant: residuals beyond this many spreads are down-weighted.
    iterations
        Rounds of reweighting, always all of them: stopping when the last series has settled would let one series change
        the others' results.

    Returns
    -------
    Coefficients of a series without any look are the prior mean.
    """
    seen = np.isfinite(values)
    filled = np.where(seen, values, 0.0)
    weights = seen.astype(np.float64)
    n_series, k = values.shape[1], regressors.shape[1]
    precision = np.where(np.isinf(prior_sd), 0.0, 1.0 / np.square(prior_sd))
    mean: Floats = np.zeros(k) if prior_mean is None else np.asarray(prior_mean, np.float64)
    # A tiny precision keeps series without looks solvable; it is far below any information a single look carries.
    precision = np.maximum(precision, 1e-12)
    outer = (regressors[:, :, None] * regressors[:, None, :]).reshape(len(regressors), k * k)
    sigma = _initial_sigma(values, sigma_floor)
    coefficients: Floats = np.zeros((n_series, k))
    normal = np.zeros((n_series, k, k))
    moment = np.zeros((n_series, k))
    for _ in range(iterations):
        ridge = np.square(sigma)[:, None] * precision
        normal = (weights.T @ outer).reshape(n_series, k, k)
        normal[:, np.arange(k), np.arange(k)] += ridge
        moment = (weights * filled).T @ regressors + ridge * mean
        updated = np.linalg.solve(normal, moment[:, :, None])[:, :, 0]
        residual = np.where(seen, values - regressors @ updated.T, np.nan)
        sigma = np.maximum(_mad_about_zero(residual), max(sigma_floor, 1e-12))
        coefficients = updated
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # a tiny residual has the weight 1
            weights = np.where(seen, np.minimum(1.0, huber * sigma / np.abs(residual)), 0.0)
    return HarmonicFit(normal=normal, moment=moment, coefficients=coefficients, sigma=sigma, weights=weights)


def _initial_sigma(values: Floats, floor: float) -> Floats:
    centred = values - nanmedian(values)
    return np.maximum(_mad_about_zero(centred), max(floor, 1e-12))


def _mad_about_zero(residual: Floats) -> Floats:
    spread = MAD_TO_SIGMA * nanmedian(np.abs(residual))
    return np.where(np.isfinite(spread), spread, 0.0)


def nanmedian(values: Floats) -> Floats:
    """Median along the first axis, ignoring NaN; NaN where there is nothing. Faster than numpy's on wide arrays."""
    ordered = np.sort(values, axis=0)  # NaN sorts last
    count = np.isfinite(values).sum(axis=0)
    if len(values) == 0:
        return np.full(values.shape[1:], np.nan)
    low = np.clip((count - 1) // 2, 0, None)[None]
    high = np.clip(count // 2, 0, len(values) - 1)[None]
    middle = (np.take_along_axis(ordered, low, 0)[0] + np.take_along_axis(ordered, high, 0)[0]) / 2
    return np.where(count > 0, middle, np.nan)
