"""Whether a polygon holds one use: several uses in it, or a boundary that lies over the neighbour's land.

A wrong polygon makes every other figure wrong. Each pixel's course over the last years (greenness, water, brightness)
is compared with the middle of the parcel on the same looks. The pixels are parted in two groups, and the parting is
believed only if the groups are far apart in NDVI and well parted for their own scatter (few pixels lie between), hang
together on the ground, and did so from the first year on, not only since an event. A patchy field grades from one state
into the other and passes.

Sources: the European checks by monitoring ask for a cluster of more than 20 pixels inside a negative buffer before a
parcel's homogeneity is challenged; Ashman et al. 1994, doi:10.1086/117248 (separation of two groups); Lloyd 1982,
doi:10.1109/TIT.1982.1056489 (k-means).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from geocollateral.assets.frame import grow, mask_of, middle_of, number_of, numbers_of, to_plane
from geocollateral.types import Event, Params, ParcelEvidence, Verdict

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SCALES: Mapping[str, float] = {"ndvi": 0.05, "ndmi": 0.05, "bright": 0.025}
"""Noise of one pixel on one look, by feature; makes their differences comparable [1]."""
ALL_OF_IT = 0.8
"""Share of a parcel's pixels from which an event has changed all of it [1]."""
Place = Literal["edge", "inside", ""]


class MixtureParams(Params):
    """Knobs of the mixture and boundary test."""

    min_full_pixels: int = Field(40, ge=20, description="Fewest whole pixels a parcel is tested on.")
    min_core: int = Field(30, ge=20, description="Fewest pixels left inside when those on the edge are left out.")
    min_part: int = Field(20, ge=5, description="Fewest pixels of a part that challenges the parcel (JRC).")
    min_looks: int = Field(12, ge=4, description="Fewest looks with most of the parcel clear.")
    most_looks: int = Field(90, ge=12, description="Looks used, spread over time, where there are more.")
    years: int = Field(3, ge=1, description="Last years looked at [years].")
    min_clear: float = Field(0.8, gt=0, le=1, description="Clear share of the inner pixels from which a look counts.")
    min_difference: float = Field(
        0.04, gt=0, description="Least difference of two parts: root mean square of their NDVI profiles' [1]."
    )
    min_separation: float = Field(
        3.2,
        gt=0,
        description="Least separation of two parts in units of their own scatter (Ashman's D): a single hump cut in "
        "the middle has 2.7.",
    )
    min_contrast: float = Field(
        0.5,
        gt=0,
        description="Least product of both: a small difference must be sharp, a blurred one large [1]. Single fields, "
        "simulated and real, stay below 0.5.",
    )
    min_core_part: int = Field(8, ge=3, description="Fewest pixels of a part clear of the border.")
    min_together: float = Field(
        0.7, gt=0, le=1, description="Share of a part that must hang together in one patch [1]."
    )
    min_early: float = Field(
        0.3, ge=0, le=1, description="Share of the difference that the first year must show, or it is a change [1]."
    )
    most_thick: float = Field(
        4.0,
        gt=0,
        description="Largest mean depth from the border of a part that is told as lying on the edge [pixels].",
    )
    most_edge: float = Field(
        0.35, gt=0, le=0.5, description="Largest share of a parcel that is told as lying along its edge [1]."
    )


@dataclass(frozen=True, kw_only=True)
class Parting:
    """Two groups of a parcel's pixels and how they differ."""

    minor: Mask
    """Shape (pixel,): the smaller group's largest patch, of the pixels tested."""
    difference: float
    """Root mean square of the difference of their median NDVI over the looks [1]."""
    separation: float
    """Ashman's D of looks that did not part them."""
    together: float
    """Share of the smaller group in its largest patch [0-1]."""
    early: float
    """Difference in the first year looked at over that of all [1]; near 0 = they were alike then."""
    n_pixels: int
    """Whole pixels of the minor part, those on the polygon's border included."""
    share: float
    """Of the tested pixels in the minor part [0-1]."""
    n_looks: int


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What can be said of a polygon."""

    verdict: Verdict
    """``match``: one use; ``mismatch``: more than one; ``cannot_tell``."""
    columns: Mapping[str, Any]
    """``claim_polygon_verdict``, ``claim_polygon_reason``, ``obs_alien_share_frac``, ``obs_alien_place``."""
    reason: str
    alien: Mask
    """Shape (pixel,): pixels of the part that does not belong; none unless a mismatch."""
    place: Place
    confidence: float
    """Probability that the polygon holds more than one use [0-1]; NaN where it cannot be told."""
    parting: Parting | None


def judge_mixture(evidence: ParcelEvidence, params: MixtureParams, changed: Sequence[Event] = ()) -> Mixture:
    """Test a parcel of any asset class for a second use or a boundary over a neighbour.

    Parameters
    ----------
    evidence
        With reflectance of red, nir, nir08 and swir16; looks up to its day are used.
    changed
        Events of the parcel: where one has changed the ground, that is told there and tested no more here.
    """
    if evidence.n_full_pixels < params.min_full_pixels:
        return _unknown(
            evidence,
            f"Cannot tell whether the polygon holds one use: {evidence.n_full_pixels} whole pixels, "
            f"{params.min_full_pixels} are needed.",
        )
    # An event over all of the parcel parts nothing: what was one use before it is one after it.
    parting = [event for event in changed if len(event.pixels) < ALL_OF_IT * len(evidence.area_m2)]
    touched = mask_of(tuple(pixel for event in parting for pixel in event.pixels), evidence)
    inner = inner_pixels(evidence) & ~grow(touched, evidence)
    if inner.sum() < params.min_core:
        without = " and of the events told" if parting else ""
        return _unknown(
            evidence,
            f"Cannot tell whether the polygon holds one use: {int(inner.sum())} pixels lie clear of its border"
            f"{without}, {params.min_core} are needed.",
        )
    found = part(evidence, inner, params)
    if isinstance(found, int):
        return _unknown(
            evidence,
            f"Cannot tell whether the polygon holds one use: {found} looks show most of it, {params.min_looks} are "
            "needed.",
        )
    return _said(evidence, inner, found, params)


def inner_pixels(evidence: ParcelEvidence) -> Mask:
    """Whole pixels whose eight neighbours are whole pixels of the parcel too: a negative buffer of one pixel."""
    whole = evidence.area_m2 >= 0.95 * evidence.area_m2.max()
    plane, row, col = to_plane(whole, evidence)
    return np.asarray(ndimage.binary_erosion(plane, np.ones((3, 3)))[row, col])


def part(evidence: ParcelEvidence, inner: Mask, params: MixtureParams) -> Parting | int:
    """Part the inner pixels in two groups; the number of looks where these are too few."""
    days, features = _features(evidence, inner, params)
    if len(days) < params.min_looks:
        return len(days)
    flat = np.concatenate([features[name] / scale for name, scale in SCALES.items()])
    # Every other look parts the pixels and the rest measure the parting: noise that parted them does not come again.
    turn = np.tile(np.arange(len(days)) % 2 == 0, len(SCALES))
    label = _smooth(_two_means(flat[turn].T), evidence, inner)
    if label.all() or not label.any():
        return _none(evidence, len(days))
    minor = label if label.sum() <= len(label) / 2 else ~label
    patch = _largest(minor, evidence, inner)
    ndvi = features["ndvi"]
    gap = middle_of(ndvi[:, patch].T) - middle_of(ndvi[:, ~minor].T)
    whole = np.zeros(len(inner), bool)
    whole[np.flatnonzero(inner)[patch]] = True
    size = _rms(gap)
    return Parting(
        minor=whole,
        difference=size,
        separation=_separation(flat[~turn], patch, ~minor),
        together=float(patch.sum() / minor.sum()),
        early=_rms(gap[days < days[0] + 365]) / max(size, 1e-9),
        n_pixels=_count(evidence, inner, patch, ~minor),
        share=float(patch.sum() / len(patch)),
        n_looks=len(days),
    )


def _features(
    evidence: ParcelEvidence, inner: Mask, params: MixtureParams
) -> tuple[NDArray[np.int64], Mapping[str, Floats]]:
    """Days of the looks used, and departures from the middle of the parcel, shape (look, inner pixel), by feature."""
    optical = evidence.optical
    if optical is None or not {"red", "nir", "nir08", "swir16"} <= set(optical):
        return np.zeros(0, np.int64), {}
    days = numbers_of(evidence.look_days)
    last = number_of(evidence.as_of)
    clear = np.isfinite(optical["nir"].values[:, inner]).mean(axis=1) >= params.min_clear
    at = np.flatnonzero(clear & (days > last - 365.25 * params.years) & (days <= last))
    if len(at) > params.most_looks:
        at = at[np.unique(np.linspace(0, len(at) - 1, params.most_looks).round().astype(int))]
    red, nir, nir08, swir = (
        optical[band].values[at][:, inner].astype(np.float64) for band in ("red", "nir", "nir08", "swir16")
    )
    raw = {
        "ndvi": (nir - red) / np.maximum(nir + red, 1e-3),
        "ndmi": (nir08 - swir) / np.maximum(nir08 + swir, 1e-3),
        "bright": (red + swir) / 2,
    }
    found = {name: values - middle_of(values.T)[:, None] for name, values in raw.items()}
    return days[at], {name: np.nan_to_num(np.clip(values, -1, 1)) for name, values in found.items()}


def _two_means(points: Floats) -> Mask:
    """Two groups of the rows by k-means in their leading directions, begun from the sign of the first."""
    centred = points - points.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    space = left[:, :4] * size[:4]
    label: Mask = space[:, 0] > 0
    for _ in range(20):
        if label.all() or not label.any():
            break
        near = np.square(space - space[label].mean(axis=0)).sum(axis=1)
        far = np.square(space - space[~label].mean(axis=0)).sum(axis=1)
        again = near < far
        if (again == label).all():
            break
        label = again
    return label


def _smooth(label: Mask, evidence: ParcelEvidence, inner: Mask) -> Mask:
    """Each pixel as most of those within one of it."""
    yes, row, col = to_plane(_spread(label, inner), evidence)
    all_of, _, _ = to_plane(inner, evidence)
    votes = ndimage.uniform_filter(yes.astype(np.float64), 3, mode="constant")[row, col]
    count = ndimage.uniform_filter(all_of.astype(np.float64), 3, mode="constant")[row, col]
    share = votes[inner] / count[inner]
    return np.where(np.isclose(share, 0.5), label, share > 0.5)


def _largest(label: Mask, evidence: ParcelEvidence, inner: Mask) -> Mask:
    """Its largest patch of touching pixels (four neighbours)."""
    plane, row, col = to_plane(_spread(label, inner), evidence)
    numbered, _ = ndimage.label(plane)
    number = numbered[row, col][inner]
    sizes = np.bincount(number)
    sizes[0] = 0
    return np.asarray(number == int(np.argmax(sizes)))


def _separation(flat: Floats, one: Mask, other: Mask) -> float:
    """Ashman's D along the line between the middles of two groups, on robust middles and spreads."""
    line = flat[:, one].mean(axis=1) - flat[:, other].mean(axis=1)
    along = line @ flat / max(float(np.linalg.norm(line)), 1e-9)
    apart = abs(float(np.median(along[one]) - np.median(along[other])))
    spread = _spread_of(along[one]) ** 2 + _spread_of(along[other]) ** 2
    return float(apart * np.sqrt(2 / max(spread, 1e-9)))


def _spread_of(values: Floats) -> float:
    low, high = np.percentile(values, [16, 84])
    return float(high - low) / 2


def _count(evidence: ParcelEvidence, inner: Mask, one: Mask, other: Mask) -> int:
    """Whole pixels on or beside one part's inner pixels and not beside the other's."""
    near, row, col = to_plane(_spread(one, inner), evidence)
    far, _, _ = to_plane(_spread(other, inner), evidence)
    near, far = (ndimage.binary_dilation(plane, np.ones((3, 3))) for plane in (near, far))
    beside = near[row, col] & ~far[row, col] & (evidence.area_m2 >= 0.95 * evidence.area_m2.max())
    return int((beside | _spread(one, inner)).sum())


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else 0.0


def _said(evidence: ParcelEvidence, inner: Mask, found: Parting, params: MixtureParams) -> Mixture:
    large = found.n_pixels >= params.min_part and int(found.minor.sum()) >= params.min_core_part
    confidence = _confidence(found, params) if large else 0.02
    if confidence < 0.5:
        reason = f"One use: no part of {params.min_part} pixels or more stands apart on {found.n_looks} looks."
        return _result("match", reason, evidence, found, confidence=confidence)
    if found.early < params.min_early:
        reason = (
            f"One use by its boundary: {found.share:.0%} of the parcel looks different now, but was alike in the first "
            f"of the last {params.years} years; that is a change and is told as one."
        )
        return _result("match", reason, evidence, found, confidence=1 - confidence)
    place = _place(evidence, inner, found.minor, params)
    where = (
        "along its edge: the boundary is shifted or lies over a neighbour's land"
        if place == "edge"
        else "reaching into its middle: the polygon holds a second use or another plot"
    )
    reason = (
        f"More than one use: {found.share:.0%} of the parcel, {where}. Its NDVI differs from the rest by "
        f"{found.difference:.2f} on {found.n_looks} looks of {params.years} years, with a sharp border between."
    )
    return _result("mismatch", reason, evidence, found, place=place, confidence=confidence)


def _confidence(found: Parting, params: MixtureParams) -> float:
    """Probability of a second use: one half where the weakest figure just meets its bound."""
    margin = min(
        np.log(max(found.difference, 1e-3) / params.min_difference),
        np.log(max(found.separation, 1e-3) / params.min_separation),
        np.log(max(found.difference * found.separation, 1e-3) / params.min_contrast),
        np.log(max(found.together, 1e-3) / params.min_together),
    )
    return float(1 / (1 + np.exp(-10 * margin)))


def _place(evidence: ParcelEvidence, inner: Mask, minor: Mask, params: MixtureParams) -> Place:
    """Edge where the part is a strip along the border: few pixels for those of it that lie outermost."""
    plane, row, col = to_plane(inner, evidence)
    outermost = inner & ~ndimage.binary_erosion(plane, np.ones((3, 3)))[row, col]
    thick = minor.sum() / max(int((minor & outermost).sum()), 1)
    small = minor.sum() <= params.most_edge * inner.sum()
    return "edge" if small and thick <= params.most_thick else "inside"


def _result(
    verdict: Verdict,
    reason: str,
    evidence: ParcelEvidence,
    found: Parting,
    *,
    confidence: float,
    place: Place = "",
) -> Mixture:
    alien = found.minor if verdict == "mismatch" else np.zeros(len(evidence.area_m2), bool)
    columns = {
        "claim_polygon_verdict": verdict,
        "claim_polygon_reason": reason,
        "obs_alien_share_frac": found.share if verdict == "mismatch" else 0.0,
        "obs_alien_place": place or None,
    }
    return Mixture(
        verdict=verdict,
        columns=columns,
        reason=reason,
        alien=alien,
        place=place,
        confidence=confidence,
        parting=found,
    )


def _unknown(evidence: ParcelEvidence, reason: str) -> Mixture:
    columns = {
        "claim_polygon_verdict": "cannot_tell",
        "claim_polygon_reason": reason,
        "obs_alien_share_frac": None,
        "obs_alien_place": None,
    }
    return Mixture(
        verdict="cannot_tell",
        columns=columns,
        reason=reason,
        alien=np.zeros(len(evidence.area_m2), bool),
        place="",
        confidence=float("nan"),
        parting=None,
    )


def _none(evidence: ParcelEvidence, n_looks: int) -> Parting:
    return Parting(
        minor=np.zeros(len(evidence.area_m2), bool),
        difference=0.0,
        separation=0.0,
        together=0.0,
        early=0.0,
        n_pixels=0,
        share=0.0,
        n_looks=n_looks,
    )


def _spread(label: Mask, inner: Mask) -> Mask:
    """Labels of inner pixels at their place among all."""
    out = np.zeros(len(inner), bool)
    out[inner] = label
    return out


__all__ = ["Mixture", "MixtureParams", "Parting", "inner_pixels", "judge_mixture", "part"]
