"""Odds that backscatter, VH and VV together, has stepped to another level for good, look by look.

Looks departed by noise, by a slow drift that says nothing, or by a step. A step of a felled stand is not known but its
range is: VH falls; VV may fall or rise, as rough or wet ground stands in for the canopy, so their difference tells more
than either. For each look with which a step may have begun the marginal likelihoods of step and no step are compared
(Bayes factor of normal departures, the step integrated out); their sum over all beginnings, each with its prior chance,
are the odds (Shiryaev 1963, doi:10.1137/1108002, with the size of the step unknown; Adams & MacKay 2007,
arXiv:0710.3742).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets.radar_departures import YEAR, Departures, Floats, Mask, RadarHistoryParams

FIRST_GAP = 6
"""Days that stand before the first look of all."""
NEVER = -99.0
"""Logarithm of odds of what is ruled out."""
TINY = 1e-6
"""Precision of what was not seen [dB^-2]."""


class RadarStepParams(RadarHistoryParams):
    """Knobs of a step of backscatter."""

    fall_db: float = Field(1.5, gt=0, description="Fall of VH that a loss shows in the middle [dB].")
    fall_sd_db: float = Field(0.8, gt=0, description="Its spread from loss to loss [dB].")
    vv_sd_db: float = Field(1.2, gt=0, description="Spread of the change of VV, which is nought in the middle [dB].")
    together: float = Field(0.5, ge=0, lt=1, description="Correlation of the changes of VH and VV [1].")
    least_fall_db: float = Field(0.5, ge=0, description="Smallest fall of VH that is weighed at all [dB].")
    drift_db: float = Field(0.2, ge=0, description="Sd of the slow drift of a place that is no step [dB].")
    drift_together: float = Field(0.7, ge=0, lt=1, description="Correlation of the drifts of VH and VV [1].")
    most: float = Field(4.5, gt=0, description="Largest logarithm of odds that one look may move: no look decides.")
    hazard: float = Field(0.02, gt=0, lt=1, description="Chance of a loss a year and place [1].")


@dataclass(frozen=True, kw_only=True)
class StepOdds:
    """Odds that the ground around each pixel has stepped, look by look."""

    log_odds: Floats
    """Shape (look, pixel): natural logarithm; NaN = not judged."""
    looks: NDArray[np.int64]
    """Shape (look, pixel): looks since its likeliest beginning, as known then; 0 = none."""


def step_odds(given: Departures, shown: Mask, params: RadarStepParams) -> StepOdds:
    """Odds after each look.

    Parameters
    ----------
    shown
        Shape (look, pixel): known to be in place after the look before and up to this one, by another sensor: no step
        began before it.

    Returns
    -------
    A pixel that a look does not see keeps its odds.
    """
    sums = _Sums(given, params)
    n, pixels = shown.shape
    log_odds, looks = np.full((n, pixels), np.nan), np.zeros((n, pixels), np.int64)
    since = np.zeros(pixels, np.int64)
    for k in range(n):
        since[shown[k]] = k
        if k:
            log_odds[k] = np.where(shown[k], np.nan, log_odds[k - 1])
            looks[k] = np.where(shown[k], 0, looks[k - 1])
        seen = np.flatnonzero(sums.seen[k])
        if len(seen):
            log_odds[k, seen], looks[k, seen] = _odds(sums, k, seen, since[seen], params)
    return StepOdds(log_odds=log_odds, looks=looks)


def by_beginning(given: Departures, shown: Mask, params: RadarStepParams) -> tuple[int, Floats]:
    """Evidence for a step after the last look, by the look with which it began.

    Returns
    -------
    Position of the first look that is considered, and the logarithm of the Bayes factor, shape (beginning, pixel);
    `NEVER` where it is ruled out.
    """
    since = np.where(shown, np.arange(len(shown))[:, None], 0).max(axis=0)
    start, found, _ = _factors(_Sums(given, params), len(given.days) - 1, np.arange(shown.shape[1]), since, params)
    return start, found


def step_size(given: Departures, first: int, params: RadarStepParams) -> Floats:
    """Mean departure of VH and VV from a look on, by the weight of each look, shape (2, pixel) [dB]."""
    sums = _Sums(given, params)
    return _mean(sums.precision[:, -1] - sums.precision[:, first], sums.pull[:, -1] - sums.pull[:, first])[0]


class _Sums:
    """Running sums over looks of precision and of precision times departure, both with a leading row of noughts."""

    def __init__(self, given: Departures, params: RadarStepParams) -> None:
        vh, vv = np.nan_to_num(given.value)
        a, b, c = given.precision
        apart = np.maximum(a * vh**2 + 2 * b * vh * vv + c * vv**2, 1e-12)
        weight = np.minimum(1.0, 2 * params.most / apart)  # beyond it a look says in which direction, and no more
        precision, pull = weight * given.precision, weight * np.stack([a * vh + b * vv, b * vh + c * vv])
        self.seen: Mask = a > 0
        self.precision = _from_nought(precision)
        self.pull = _from_nought(pull)
        self.count = _from_nought(self.seen[None].astype(np.float64))[0]
        self.doubt = given.doubt
        self.days = given.days
        gaps = np.maximum(np.diff(given.days, prepend=given.days[0] - FIRST_GAP), 1)
        self.chance: Floats = np.log(params.hazard * gaps / YEAR)


def _from_nought(values: Floats) -> Floats:
    start = np.zeros((len(values), 1, values.shape[2]))
    return np.concatenate([start, np.cumsum(values, axis=1)], axis=1)


def _odds(
    sums: _Sums, k: int, pixels: NDArray[np.intp], since: NDArray[np.int64], params: RadarStepParams
) -> tuple[Floats, NDArray[np.int64]]:
    """Logarithm of the odds of some pixels after look ``k``, and the looks since the likeliest beginning."""
    start, factors, count = _factors(sums, k, pixels, since, params)
    weighed = factors + sums.chance[start : k + 1, None]
    top = weighed.max(axis=0)
    odds = top + np.log(np.exp(weighed - top).sum(axis=0))
    best = count[weighed.argmax(axis=0), np.arange(len(pixels))]
    return odds, np.where(top > NEVER / 2, best, 0.0).astype(np.int64)


def _factors(
    sums: _Sums, k: int, pixels: NDArray[np.intp], since: NDArray[np.int64], params: RadarStepParams
) -> tuple[int, Floats, Floats]:
    """First beginning that is considered; Bayes factors by beginning and pixel; looks seen since each beginning."""
    # A step that began before the last days left out of the history would be part of what is expected.
    start = int(np.searchsorted(sums.days, sums.days[k] - params.guard_days))
    beginnings = np.arange(start, k + 1)
    block = np.ix_(beginnings, pixels)
    count = sums.count[k + 1, pixels] - sums.count[block]
    precision = np.stack([one[k + 1, pixels] - one[block] for one in sums.precision])
    pull = np.stack([one[k + 1, pixels] - one[block] for one in sums.pull])
    mean, covariance = _mean(precision, pull)
    allowed = (beginnings[:, None] >= since) & (count > 0) & (mean[0] <= -params.least_fall_db)
    out = np.full(count.shape, NEVER)
    if allowed.any():  # most of a calm stand is not: the costly part is for few
        doubt = np.broadcast_to(sums.doubt[k, pixels], count.shape)[allowed]
        out[allowed] = _log_bayes_factor(mean[:, allowed], covariance[:, allowed], doubt, params)
    return start, out, count


def _mean(precision: Floats, pull: Floats) -> tuple[Floats, Floats]:
    """Weighted mean departure of VH and VV and its covariance (VH, both, VV)."""
    a, b, c = precision[0] + TINY, precision[1], precision[2] + TINY
    determinant = a * c - b * b
    vh, both, vv = c / determinant, -b / determinant, a / determinant
    mean = np.stack([vh * pull[0] + both * pull[1], both * pull[0] + vv * pull[1]])
    return mean, np.stack([vh, both, vv])


def _log_bayes_factor(mean: Floats, covariance: Floats, doubt: Floats, params: RadarStepParams) -> Floats:
    """Step against none, of the mean departure of the looks since."""
    slow = params.drift_db**2 + doubt
    calm = covariance + np.stack([slow, params.drift_together * slow, slow])
    vh, vv = params.fall_sd_db, params.vv_sd_db
    stepped = calm + np.array([vh**2, params.together * vh * vv, vv**2])[:, None]
    return _log_normal(mean[0] + params.fall_db, mean[1], stepped) - _log_normal(mean[0], mean[1], calm)


def _log_normal(x: Floats, y: Floats, covariance: Floats) -> Floats:
    """Logarithm of the density of two normal figures, without the constant."""
    a, b, c = covariance
    determinant = a * c - b * b
    found: Floats = -0.5 * np.log(determinant) - 0.5 * (c * x * x - 2 * b * x * y + a * y * y) / determinant
    return found


__all__ = ["NEVER", "RadarStepParams", "StepOdds", "by_beginning", "step_odds", "step_size"]
