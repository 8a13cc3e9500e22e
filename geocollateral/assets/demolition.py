"""Buildings pulled down: a built surface that looked the same for a year changed for good, and what came is no roof.

A built surface has no season: its colour against the rest of the parcel on the same look (which takes out haze, sun and
moisture) stays within a narrow spread. So its own past is a sharper measure than any library.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geocollateral.assets import ground, stages
from geocollateral.assets.stages import StagePath
from geocollateral.types import Event, ParcelEvidence

Floats = NDArray[np.floating]

HISTORY_DAYS = 365
"""A built surface must have been watched this long [days]."""
MIN_LOOKS = 8
GAP_DAYS = 45
"""Looks between history and now that count for neither: pulling down takes weeks [days]."""
NOW_LOOKS = 3
"""Looks whose median is the present: two of them must agree."""
DEPARTURE = 1.1
"""Departure from a pixel's own past, root mean square over its colours in spreads, that is a change."""
LEAST_SPREAD = 0.35
"""Of the spread of a material in `ground.SPREAD`: no pixel is watched more finely than that."""
BUILT = 0.6
"""Probability from which a pixel counts as built."""


def pulled_down(evidence: ParcelEvidence, path: StagePath, min_m2: float, min_fraction: float) -> list[Event]:
    """Demolitions of one parcel, at most one.

    Parameters
    ----------
    min_m2
        Smallest area that touches and changed [m2].
    min_fraction
        Clear share of the parcel from which a look counts [1].
    """
    optical = evidence.optical
    if optical is None:
        raise ValueError("stages need optical looks")
    used = np.flatnonzero(evidence.look_fraction >= min_fraction)
    days = evidence.look_days[used].astype("datetime64[D]").astype(np.int64)
    steps = np.flatnonzero(path.optical)[used]
    built = path.known[steps][:, :, stages.WORKS].sum(axis=2)  # tiles pass for soil: any ground without a season
    late = np.flatnonzero(days - (days[0] if len(days) else 0) >= HISTORY_DAYS)
    if not len(late) or (built[late] >= BUILT).mean(axis=0).max() == 0:
        return []
    colour = ground.stacked(ground.features(optical.isel(time=used)))[..., :]
    contrast = _against_the_rest(colour, built[late[0]] >= BUILT)
    for n in late:
        standing = np.median(built[max(n - NOW_LOOKS - MIN_LOOKS, 0) : max(n - NOW_LOOKS, 1)], axis=0) >= BUILT
        changed = standing & (_departure(contrast, days, int(n)) >= DEPARTURE)
        changed &= path.known[steps[n], :, stages.LAND] < 0.5
        member = _largest_patch(changed, evidence)
        area = float(evidence.area_m2[member].sum())
        if area >= min_m2:
            return [_event(evidence, contrast, days, int(n), member, area)]
    return []


def _against_the_rest(colour: Floats, built: NDArray[np.bool_]) -> Floats:
    """Colour less the median of the built pixels on the same look, shape (look, pixel, feature)."""
    if not built.any():
        return colour
    with np.errstate(all="ignore"):
        rest = _nanmedian(colour[:, built])
    return colour - rest[:, None]


def _nanmedian(values: Floats) -> Floats:
    """Median along the second axis; NaN where less than half is there."""
    there = np.isfinite(values)
    ranked = np.sort(values, axis=1)  # NaN last
    middle = np.maximum((there.sum(axis=1) - 1) // 2, 0)
    found = np.take_along_axis(ranked, middle[:, None], axis=1)[:, 0]
    return np.where(there.mean(axis=1) >= 0.5, found, np.nan)


def _departure(contrast: Floats, days: NDArray[np.int64], n: int) -> Floats:
    """How far the last looks lie from each pixel's past, in spreads; 0 where one of both is not known. Shape
    (pixel,).
    """
    past = contrast[: int(np.searchsorted(days, days[n] - GAP_DAYS, side="right"))]
    now = contrast[max(n - NOW_LOOKS + 1, 0) : n + 1]
    count = np.isfinite(past).all(axis=2).sum(axis=0)
    seen = np.isfinite(now).all(axis=2).sum(axis=0)
    fit = (count >= MIN_LOOKS) & (seen >= NOW_LOOKS // 2 + 1)
    found = np.zeros(contrast.shape[1])
    if not fit.any():
        return found
    with np.errstate(invalid="ignore"):
        middle, spread = np.nanmean(past[:, fit], axis=0), np.nanstd(past[:, fit], axis=0)
    least = LEAST_SPREAD * np.array(list(ground.SPREAD.values()))
    z = (np.nanmedian(now[:, fit], axis=0) - middle) / np.hypot(spread, least)
    found[fit] = np.sqrt(np.mean(np.square(z), axis=1))
    return found


def _largest_patch(mask: NDArray[np.bool_], evidence: ParcelEvidence) -> NDArray[np.bool_]:
    """The pixels of the patches of touching pixels that hold five or more."""
    row, col = evidence.row - evidence.row.min(), evidence.col - evidence.col.min()
    plane = np.zeros((row.max() + 1, col.max() + 1), bool)
    plane[row, col] = mask
    labels, _ = ndimage.label(plane, np.ones((3, 3)))
    own = labels[row, col]
    size = np.bincount(own)
    return np.asarray(mask & (size[own] >= 5))


def _event(
    evidence: ParcelEvidence, contrast: Floats, days: NDArray[np.int64], n: int, member: NDArray[np.bool_], area: float
) -> Event:
    departed = [bool(_single(contrast, days, k, member) >= DEPARTURE / 2) for k in range(max(n - 12, 0), n + 1)]
    first = n
    while first - 1 >= max(n - 12, 0) and departed[first - 1 - max(n - 12, 0)]:
        first -= 1
    before, after, told = (_date(days[k]) for k in (max(first - 1, 0), first, n))
    return Event(
        kind="demolition",
        last_clear_before=before,
        first_clear_after=after,
        detected_on=told,
        recovered_on=None,
        area_m2=area,
        area_low_m2=0.6 * area,
        area_high_m2=min(1.5 * area, float(evidence.area_m2.sum())),
        magnitude=float(np.median(_departure(contrast, days, n)[member])),
        probability=0.9,
        indices=tuple(ground.SPREAD),
        pixels=tuple(np.flatnonzero(member).tolist()),
        reasons=(
            (
                f"{area / 1e4:.2f} ha of built surface that had looked the same for more than a year looks "
                f"different since {after}, "
                "against the rest of the parcel on the same looks."
            ),
            f"Last clear look as before {before}; told on {told}.",
        ),
    )


def _single(contrast: Floats, days: NDArray[np.int64], k: int, member: NDArray[np.bool_]) -> float:
    """Departure of one look on the member pixels, median."""
    past = contrast[: int(np.searchsorted(days, days[k] - GAP_DAYS, side="right")), member]
    if len(past) < MIN_LOOKS:
        return 0.0
    with np.errstate(invalid="ignore"):
        least = LEAST_SPREAD * np.array(list(ground.SPREAD.values()))
        z = (contrast[k, member] - np.nanmean(past, axis=0)) / np.hypot(np.nanstd(past, axis=0), least)
    value = np.sqrt(np.mean(np.square(z), axis=1))
    return float(np.nanmedian(value)) if np.isfinite(value).any() else 0.0


def _date(day: np.int64) -> dt.date:
    found: dt.date = np.datetime64(int(day), "D").astype(dt.date)
    return found


__all__ = ["pulled_down"]
