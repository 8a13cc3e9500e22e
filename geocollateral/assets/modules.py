"""Photovoltaic modules from Sentinel-2: how much of any parcel they cover, look by look.

Modules are built to absorb: dark from blue to the near infrared, without the red of soil, and in rows over grass or
gravel, so never quite as dark as water nor as flat as asphalt, and with little season. Each property alone is shared
with something else; a pixel must have all of them, as medians of several looks. Spectra of plants: Czirjak 2017
(J. Appl. Remote Sens. 11), Jörges, Vidal, Hank & Bach 2023 (doi:10.3390/rs15133403).

Colour alone is passed through by what greens up or dries out: a field in spring, a burnt stand, a bank of a pond. What
tells them apart is that modules stay and lie together. So a pixel counts only while no look shows it in full leaf, and
only where most of the pixels around it are modules too: rows are put up in blocks, look-alikes are speckles and rims.
Objects rather than pixels: Plakman, Rosier & van Vliet 2022 (doi:10.1080/15481603.2022.2036056).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geocollateral.assets import ground
from geocollateral.types import ParcelEvidence

Floats = NDArray[np.floating]

LIMITS: Mapping[str, tuple[float, float]] = {
    "redness": (-0.15, 0.14),
    "level": (-2.60, -1.90),
    "slope": (0.05, 0.42),
    "bare": (-0.22, 0.06),
    "residue": (0.08, 0.25),
}
"""Range of the median of each feature of `ground.SPREAD` over modules that cover 40 to 70 % of the ground. Redness:
soil and dry plants
are above 0.16. Level: mean reflectance of 0.07 to 0.15; greenhouses and roofs are brighter, water darker. Slope:
water is
below 0, soil above 0.3. Residue: asphalt is below 0.07, canopies above 0.28."""
LEAVING_LOOKS = 8
"""Most looks in a row without the colours of modules before they are gone: snow, floods and weeds come and go. What has
been seen on few looks goes sooner, after half as many: leaving takes no more evidence than coming."""
TOGETHER = 5 / 9
"""Share of the pixels within one of a pixel, itself included, that must be modules too: a block of rows is 30 m wide
[1]."""
GREEN = (0.08, 0.48)
"""Range of the median NDVI: some grass between rows; asphalt and roofs are below, fields in leaf and trees above."""
OVERGROWN = 0.55
"""NDVI from which plants stand above or between the rows: hardly any gap stays dark. A pixel that reaches it before it
has been told as modules is a field or a wood that greens up."""
WINDOW_LOOKS = 3
"""Looks of a pixel whose median is judged: one of them may be hazy or shaded."""
WINDOW_DAYS = 200
"""Looks older than this do not tell of today [days]."""
LASTING_DAYS = 60
"""Modules are there for good: flooded rice and young crops look like them for some weeks [days]."""
MIN_PRESENT = 0.3
"""Share of a parcel that is a plant: rows, tracks and setbacks leave the rest."""


@dataclass(frozen=True, kw_only=True)
class ModuleCover:
    """Modules on a parcel, by look."""

    days: NDArray[np.datetime64]
    """Shape (look,): looks that saw enough of the parcel."""
    share: NDArray[np.float64]
    """Shape (look,): share of the parcel under rows of modules, tracks between them included, as known on that day
    [0-1];
    NaN before there are looks enough."""
    error: NDArray[np.float64]
    """Standard error of `share`."""
    later: NDArray[np.float64]
    """`share` as known at the last look: rows count from the first look that showed them."""
    alike: NDArray[np.float64]
    """Shape (look,): share that looks like modules on that day, whether it lasts or not [0-1]; NaN as `share`."""
    green: NDArray[np.float64]
    """Shape (look,): mean NDVI of the pixels under modules on that look; NaN without."""
    pixels: NDArray[np.bool_]
    """Shape (pixel,): under modules on the last look."""
    refused: str
    """What the last looks resemble and are not, in words; empty where modules are there or nothing resembles them."""


def pv_presence(evidence: ParcelEvidence, min_fraction: float = 0.3, lasting_days: int = LASTING_DAYS) -> ModuleCover:
    """Modules on a parcel of any class, from its reflectance.

    Parameters
    ----------
    min_fraction
        Clear share of the parcel from which a look counts [1].
    lasting_days
        Days over which a pixel must look like modules; shorter where they are expected.

    Raises
    ------
    ValueError
        The evidence holds no optical looks.
    """
    if evidence.optical is None:
        raise ValueError("modules need optical looks")
    used = np.flatnonzero(evidence.look_fraction >= min_fraction)
    days = evidence.look_days[used].astype("datetime64[D]")
    seen = ground.features(evidence.optical.isel(time=used))
    values = np.concatenate([seen.ndvi[..., None], ground.stacked(seen)], axis=-1)
    middle, count = _recent(values, days)
    fits = _fits(middle) & (count >= 2)
    seen_pixel = np.isfinite(values[..., :5]).all(axis=-1)
    looks = _Looks(fits=fits, seen=seen_pixel, leafy=seen_pixel & (seen.ndvi >= OVERGROWN), days=days)
    is_pv, later = (_together(found, evidence) for found in _lasting(looks, lasting_days))
    weight = evidence.area_m2 / evidence.area_m2.sum()
    known = (count >= 2) @ weight
    share = np.where(known >= 0.5, np.minimum((is_pv @ weight) / np.maximum(known, 1e-9), 1.0), np.nan)
    green = np.full(len(used), np.nan)
    now = np.where(is_pv & np.isfinite(seen.ndvi), weight, 0.0)
    some = now.sum(axis=1) > 0.02
    green[some] = (np.nan_to_num(seen.ndvi) * now).sum(axis=1)[some] / now.sum(axis=1)[some]
    settled = _settled(share)
    last = is_pv[-1] if len(used) else np.zeros(len(weight), bool)
    return ModuleCover(
        days=days,
        share=settled,
        error=_error(evidence, settled),
        later=np.where(known >= 0.5, np.minimum((later @ weight) / np.maximum(known, 1e-9), 1.0), np.nan),
        alike=np.where(known >= 0.5, (fits @ weight) / np.maximum(known, 1e-9), np.nan),
        green=green,
        pixels=last,
        refused=_resembles(middle, weight, settled),
    )


def _recent(values: Floats, days: NDArray[np.datetime64]) -> tuple[Floats, NDArray[np.int64]]:
    """Median of the newest `WINDOW_LOOKS` looks of each pixel, and how many of them are young enough."""
    n_looks, n_pixels, n_features = values.shape
    there: NDArray[np.bool_] = np.asarray(np.isfinite(values[..., :5]).all(axis=-1))
    middle = np.full(values.shape, np.nan, np.float32)
    count = np.zeros((n_looks, n_pixels), np.int64)
    ring = np.full((WINDOW_LOOKS, n_pixels, n_features), np.nan, np.float32)
    taken = np.full((WINDOW_LOOKS, n_pixels), -(10**6))
    number = np.zeros(n_pixels, np.int64)
    day = days.astype(np.int64)
    for n in range(n_looks):
        now = np.flatnonzero(there[n])
        slot = number[now] % WINDOW_LOOKS
        ring[slot, now], taken[slot, now] = values[n, now], day[n]
        number[now] += 1
        count[n] = (taken >= day[n] - WINDOW_DAYS).sum(axis=0)
        if n:
            middle[n] = middle[n - 1]
        middle[n, now] = (
            np.median(ring[:, now], axis=0) if (number[now] >= WINDOW_LOOKS).all() else _median(ring[:, now])
        )
    return middle, count


def _median(ring: Floats) -> Floats:
    ranked = np.sort(ring, axis=0)  # NaN last
    n = np.isfinite(ranked).sum(axis=0)
    found: Floats = np.take_along_axis(ranked, np.maximum((n - 1) // 2, 0)[None], axis=0)[0]
    return found


def _fits(middle: Floats) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.asarray((middle[..., 0] >= GREEN[0]) & (middle[..., 0] <= GREEN[1]))
    for k, name in enumerate(ground.SPREAD, start=1):
        least, most = LIMITS[name]
        there = (middle[..., k] >= least) & (middle[..., k] <= most)
        # The band of `residue` may lack; every other feature is needed.
        inside &= there | (np.isnan(middle[..., k]) if name == "residue" else False)
    return np.asarray(inside)


@dataclass(frozen=True, kw_only=True)
class _Looks:
    """What each look says of each pixel; shape (look, pixel)."""

    fits: NDArray[np.bool_]
    """The median of the newest looks lies in all ranges."""
    seen: NDArray[np.bool_]
    leafy: NDArray[np.bool_]
    """In full leaf on this look alone."""
    days: NDArray[np.datetime64]


def _lasting(looks: _Looks, lasting: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels that have looked like modules for so many days, as known on each look, and as known at the last, when rows
    are known to have come with the first look that showed them.

    1. A pixel's own looks count, not those that a cloud hid. Looks may be weeks apart, so time is counted from the
       first look that fits, not within a window.
    2. Three looks that fit, over `lasting` days, make modules. Two looks in a row that do not, or one in full leaf,
       begin anew.
    3. Modules are gone after half as many looks in a row that do not fit as did, at least two and at most
       `LEAVING_LOOKS`.
    """
    day = looks.days.astype(np.int64)
    shape = looks.fits.shape
    found, later = np.zeros(shape, bool), np.zeros(shape, bool)
    since, count, misses = (np.zeros(shape[1], np.int64) for _ in range(3))
    on = np.zeros(shape[1], bool)
    for n in range(shape[0]):
        fit = looks.fits[n] & looks.seen[n] & ~looks.leafy[n]
        misses = np.where(fit, 0, misses + (looks.seen[n] & ~fit))
        lost = misses >= np.where(on, np.clip(count // 2, 2, LEAVING_LOOKS), 2)
        lost |= ~on & looks.leafy[n]
        on, count = on & ~lost, np.where(lost, 0, count + fit)
        since = np.where(fit & (count == 1), day[n], since)
        new = ~on & fit & (count >= 3) & (day[n] - since >= lasting)
        on |= new
        found[n] = on
        later[n] |= on
        for k in range(n - 1, -1, -1):
            still = new & (day[k] >= since)
            if not still.any():
                break
            later[k] |= still
    return found, later


def _together(found: NDArray[np.bool_], evidence: ParcelEvidence) -> NDArray[np.bool_]:
    """Those of the pixels, shape (look, pixel), around which `TOGETHER` of the parcel's pixels are found too."""
    row, col = evidence.row - evidence.row.min(), evidence.col - evidence.col.min()
    shape = (int(row.max()) + 1, int(col.max()) + 1)
    around = np.ones((3, 3), np.float32)
    inside = np.zeros(shape, np.float32)
    inside[row, col] = 1
    most = TOGETHER * ndimage.convolve(inside, around, mode="constant")[row, col]
    out = np.zeros(found.shape, bool)
    for n in np.flatnonzero(found.any(axis=1)):
        plane = np.zeros(shape, np.float32)
        plane[row, col] = found[n]
        out[n] = found[n] & (ndimage.convolve(plane, around, mode="constant")[row, col] >= most - 1e-3)
    return out


def _settled(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of each look and the two before it."""
    if len(share) < 3:
        return share
    shifted = np.stack([share, np.r_[share[:1], share[:-1]], np.r_[share[:1], share[:1], share[:-2]]])
    found: NDArray[np.float64] = np.sort(shifted, axis=0)[1]
    return found


def _error(evidence: ParcelEvidence, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels on edges belong to both sides: half of a band of one pixel along the edge, and 3 % for the method."""
    edge = np.sqrt(np.clip(share, 0.02, 1) / max(len(evidence.area_m2), 1))
    return np.asarray(np.where(np.isnan(share), np.nan, np.hypot(0.03, edge)), np.float64)


def _resembles(middle: Floats, weight: Floats, share: NDArray[np.float64]) -> str:
    """Words for look-alikes that the rules refuse."""
    if not len(share) or not np.isfinite(share[-1]) or share[-1] >= MIN_PRESENT:
        return ""
    ndvi, redness, _, slope, residue, level = (middle[-1, :, k] for k in range(6))
    kinds = {
        "open water (ponds, flooded fields): dark, but darkest in the short-wave infrared": (slope < 0.05)
        & (level < -2.2),
        "plastic greenhouses: as grey, but bright": (level > -1.75) & (redness < 0.15) & (ndvi > 0.15),
        "asphalt or dark roofs: dark and grey, but without any plants between rows": (level < -1.7)
        & (ndvi < 0.13)
        & (residue < 0.08),
        "roofs or concrete: grey, but bright": (level >= -1.75) & (redness < 0.15) & (ndvi <= 0.15),
        "fields or trees in leaf": ndvi > GREEN[1],
    }
    for words, mask in kinds.items():
        if float(np.nan_to_num(mask) @ weight) >= MIN_PRESENT:
            return words
    return ""


__all__ = ["ModuleCover", "pv_presence"]
