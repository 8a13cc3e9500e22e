"""Phenology on the time axis of one series: smooth curves with their uncertainty, crop seasons, mowings.

Everything here takes plain arrays of one parcel (days, values, weights) and knows no parcel, raster or file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.linalg import solveh_banded

from geocollateral.types import Params

Floats = NDArray[np.float64]
Days = NDArray[np.int64]


class PhenologyParams(Params):
    """Knobs of smoothing and of finding seasons."""

    period_days: float = Field(
        28.0, gt=5, description="Ups and downs shorter than this are smoothed away where looks are dense [days]."
    )
    noise: float = Field(0.05, gt=0, description="Standard error of one optical look of a parcel's NDVI [1].")
    spike: float = Field(0.15, gt=0, description="A look so far below both its neighbours was a missed cloud [NDVI].")
    spike_days: float = Field(30.0, gt=0, description="Neighbours further apart than this condemn no look [days].")
    min_rise: float = Field(0.17, gt=0, description="Smallest rise and fall of NDVI that make a season [1].")
    emerged_share: float = Field(0.2, gt=0, lt=1, description="A crop is up where this share of its rise is done [1].")
    bare_days: int = Field(40, ge=5, description="How long after half of the fall its foot may lie [days].")
    harvest_share: float = Field(
        0.8, gt=0, lt=1, description="Harvest is where this share of the fall after the peak is done [1]."
    )


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A smooth daily curve. Arrays have shape (day,)."""

    start: int
    """First day [days since 1970-01-01]."""
    value: Floats
    sd: Floats
    """Standard error of `value`, large in long gaps."""

    def at(self, days: NDArray[np.generic] | Sequence[int]) -> Floats:
        """Values on some days; NaN outside the curve."""
        where = np.asarray(days, np.int64) - self.start
        inside = (where >= 0) & (where < len(self.value))
        return np.where(inside, self.value[np.clip(where, 0, len(self.value) - 1)], np.nan)


def smooth(days: Days, values: Floats, weights: Floats, params: PhenologyParams, *, end: int | None = None) -> Curve:
    """Weighted Whittaker smoother on a daily grid, fitted towards the upper envelope.

    Penalised least squares with second differences: Eilers 2003, doi:10.1021/ac034173t; towards the envelope because
    what clouds and shadows leave lies below: Chen et al. 2004, doi:10.1016/j.rse.2004.03.014. Looks above the curve
    keep their weight, looks far below it lose theirs.

    Parameters
    ----------
    days, values, weights
        Shape (look,), rising days since 1970-01-01; NaN values count nothing; weight 1 = one look of `params.noise`.
    end
        Last day of the curve; None for that of the last look.

    Returns
    -------
    A curve from the first look on. With fewer than two finite looks its values are NaN.
    """
    good = np.isfinite(values) & (weights > 0)
    days, values, weights = days[good], values[good], weights[good]
    if len(days) < 2:
        first = int(days[0]) if len(days) else 0
        return Curve(start=first, value=np.full(1, np.nan), sd=np.full(1, np.inf))
    start = int(days[0])
    n = max(int(days[-1]) if end is None else end, int(days[-1])) - start + 1
    at = np.asarray(days - start, np.int64)
    used = weights.copy()
    penalty = (params.period_days / (2 * np.pi)) ** 4 * 0.2  # as many looks as one in five days pass half of it
    fit = np.zeros(n)
    for _ in range(3):
        right: Floats = np.bincount(at, used * values, n).astype(np.float64)[:, None]
        fit = _solve(at, used, right, n, penalty)[:, 0]
        below = np.maximum(fit[at] - values, 0) / (2 * params.noise / np.sqrt(np.minimum(weights, 1)))
        used = weights / (1 + np.square(below))
    nodes = np.unique(np.append(np.arange(0, n, 10), n - 1))
    unit = np.zeros((n, len(nodes)))
    unit[nodes, np.arange(len(nodes))] = 1.0
    variance = _solve(at, used, unit, n, penalty)[nodes, np.arange(len(nodes))] * params.noise**2
    sd = np.interp(np.arange(n), nodes, np.sqrt(np.maximum(variance, 0)))
    return Curve(start=start, value=fit, sd=sd)


def _solve(at: Days, weights: Floats, right: Floats, n: int, penalty: float) -> Floats:
    """Solution of (W + penalty D'D) z = right with second differences D."""
    band = np.zeros((3, n))
    band[0, 2:] = penalty
    band[1, 1:] = -4 * penalty
    band[2] = 6 * penalty
    if n >= 4:
        band[1, [1, -1]] = -2 * penalty
        band[2, [0, -1]], band[2, [1, -2]] = penalty, 5 * penalty
    band[2] += np.bincount(at, weights, n) + 1e-9
    solved: Floats = solveh_banded(band, right, check_finite=False)
    return solved


def despike(days: Days, values: Floats, params: PhenologyParams) -> NDArray[np.bool_]:
    """Looks that are no missed cloud: True unless a look lies far below both its neighbours in time.

    Shape (look,); NaN values are False.
    """
    keep = np.isfinite(values)
    at = np.flatnonzero(keep)
    if len(at) < 3:
        return keep
    before, here, after = values[at[:-2]], values[at[1:-1]], values[at[2:]]
    near = days[at[2:]] - days[at[:-2]] <= params.spike_days
    keep[at[1:-1]] = ~(near & (np.minimum(before, after) - here > params.spike))
    return keep


def borrow_from_radar(
    days: Days, values: Floats, radar_days: Days, radar: Floats, *, near_days: int = 8, min_pairs: int = 20
) -> tuple[Floats, float]:
    """What an index would have been on days of radar looks, by regression on the series' own history.

    Parameters
    ----------
    days, values
        Shape (look,): optical looks, NaN = none.
    radar_days, radar
        Shape (radar look,) and (radar look, channel): backscatter of one orbit [dB].
    near_days
        Pairs are radar looks with optical looks before and after, at most so far apart on average [days].

    Returns
    -------
    Shape (radar look,), NaN where a channel has none, and the residual standard deviation; all NaN and infinite where
    there are fewer than `min_pairs` pairs.
    """
    good = np.isfinite(values)
    heard = np.isfinite(radar).all(axis=1)
    none = np.full(len(radar_days), np.nan)
    if good.sum() < 2:
        return none, float("inf")
    x, y = days[good], values[good]
    after = np.clip(np.searchsorted(x, radar_days), 1, len(x) - 1)
    inside = (radar_days >= x[0]) & (radar_days <= x[-1]) & (x[after] - x[after - 1] <= 2 * near_days)
    pair = heard & inside
    if pair.sum() < min_pairs:
        return none, float("inf")
    seen = np.interp(radar_days, x, y)
    middle, scale = radar[pair].mean(axis=0), radar[pair].std(axis=0) + 1e-6
    design = np.column_stack([np.ones(len(radar_days)), (radar - middle) / scale])
    normal = design[pair].T @ design[pair] + np.diag([0.0, *np.full(radar.shape[1], 1.0)])
    solution = np.linalg.solve(normal, design[pair].T @ seen[pair])
    out = np.where(heard, design @ solution, np.nan)
    sd = float(np.sqrt(np.mean(np.square(seen[pair] - out[pair])) * pair.sum() / max(int(pair.sum()) - 3, 1)))
    return out, sd


@dataclass(frozen=True, kw_only=True)
class Season:
    """One rise and fall of a curve; days since 1970-01-01."""

    emerged: int
    """First day of the rise proper."""
    peak: int
    peak_value: float
    base: float
    """Level before the rise."""
    ended: int | None
    """Day of harvest or dying down; None while it still stands."""
    ended_low: int | None
    ended_high: int | None
    """Interval that the end lies in, from the looks around it."""
    fall_days: int | None
    """Days from nine tenths to a fifth of the height: short for a harvest, long for autumn."""
    known_on: int | None
    """Look on which the end could first be told; None while it stands."""
    after: float
    """Level reached after the end; NaN while it stands."""


def find_seasons(curve: Curve, params: PhenologyParams, *, looks: Days | None = None) -> tuple[Season, ...]:
    """Seasons of a curve, in order: every rise of `min_rise` with the fall that follows.

    Parameters
    ----------
    looks
        Days of the optical looks, for the day on which an end was known: the second look after it.

    The last one may still stand. Turning points are found by the rule of thumb "a peak is where the curve has since
    fallen by `min_rise`", which looks at nothing later than that.
    """
    if len(curve.value) < 30 or not np.isfinite(curve.value).all():
        return ()
    turns = _turning_points(curve.value, params.min_rise)
    found = []
    for n, (kind, peak) in enumerate(turns):
        if kind != "peak":
            continue
        low = turns[n - 1][1] if n else 0
        high = turns[n + 1][1] if n + 1 < len(turns) else None
        found.append(_season(curve, low, peak, high, looks, params))
    return tuple(found)


def _turning_points(value: Floats, step: float) -> list[tuple[str, int]]:
    """Alternating ("trough" | "peak", position); the last may not be confirmed yet."""
    out: list[tuple[str, int]] = []
    low = high = 0
    rising: bool | None = None
    for n, v in enumerate(value.tolist()):
        if rising is not True and v - value[low] >= step:
            out.append(("trough", low))
            rising, high = True, n
        elif rising is not False and value[high] - v >= step:
            out.append(("peak", high))
            rising, low = False, n
        if v > value[high]:
            high = n
        if v < value[low]:
            low = n
    out.append(("peak", high) if rising else ("trough", low))
    return out


def _season(curve: Curve, low: int, peak: int, high: int | None, looks: Days | None, params: PhenologyParams) -> Season:
    value = curve.value
    top, base = float(value[peak]), float(value[low])
    # The last day at the foot of the rise: before it weeds may creep up for months.
    foot = value[low : peak + 1] < base + params.emerged_share * (top - base)
    emerged = low + int(np.max(np.flatnonzero(foot), initial=-1)) + 1
    if high is None or top - value[high] < params.min_rise:
        return Season(
            emerged=curve.start + emerged, peak=curve.start + peak, peak_value=top, base=base,
            ended=None, ended_low=None, ended_high=None, fall_days=None, known_on=None, after=float("nan"),
        )  # fmt: skip
    half = peak + int(np.argmax(value[peak : high + 1] <= (top + value[high]) / 2))
    # The ground after a harvest, not what winter or a flooded paddy make of it months later.
    high = half + int(np.argmin(value[half : min(high, half + params.bare_days) + 1]))
    after = float(value[high])

    def passed(share: float) -> int:
        return peak + int(np.argmax(value[peak : high + 1] <= top - share * (top - after)))

    end = passed(params.harvest_share)
    return Season(
        emerged=curve.start + emerged, peak=curve.start + peak, peak_value=top, base=base,
        ended=curve.start + end, ended_low=curve.start + passed(0.4), ended_high=curve.start + passed(0.95),
        fall_days=passed(0.8) - passed(0.1), known_on=_known_on(curve.start + end, looks), after=after,
    )  # fmt: skip


def _known_on(end: int, looks: Days | None, needed: int = 2) -> int | None:
    """Second look on or after an end; the last look where there are fewer."""
    if looks is None or not len(looks):
        return None
    later = looks[looks >= end]
    return int(later[min(needed, len(later)) - 1]) if len(later) else int(looks[-1])
