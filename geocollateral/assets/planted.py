"""How much of a farm parcel's polygon carries its crop: the pixels that follow its own course.

A polygon may be drawn larger than the field: its area is then as claimed, and a part of it is road, pond, yard, trees
or weeds. Nothing is classified. The looks of the last year at the core of the parcel give the course of its crop in
green, red and near-infrared reflectance, which mix by area. A pixel far from that course (by NDVI, or by reflectance
where NDVI is low everywhere) and about as far as any pixel beside it is taken for ground without the crop. The mean of
those around a pixel is the other end member of a linear mixture, and the pixel's place between the two is its part
without crop. So end members are those of the place, and a pixel on the edge counts by its share.

A weaker or a stronger crop, and brighter or darker soil, are no other ground: these two directions count little in the
distance. A pixel that the polygon only touches shows ground outside it as well: it is assumed to hold as much crop
inside as it holds at all, pooled over its neighbours. Where what grows beyond the edge has the same course, there is no
edge to be seen, and the ground counts as planted.

Sources: linear mixture of reflectance by area, Settle & Drake 1993, doi:10.1080/01431169308904402; of courses over
a season for shares of cropland, Lobell & Asner 2004, doi:10.1016/j.rse.2004.08.002.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from geocollateral.assets.claims import AREA, checked_number, untold
from geocollateral.assets.field_record import Record, is_crop
from geocollateral.assets.frame import date_of, number_of, numbers_of
from geocollateral.assets.phenology import PhenologyParams, find_seasons, smooth
from geocollateral.types import MU_M2, ClaimCheck, Event, Params, ParcelEvidence

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
BANDS = ("green", "red", "nir")
"""Bands of 10 m: those of 20 m would blur every edge."""
COLUMNS = ("obs_planted_m2", "obs_planted_frac", "obs_planted_low_frac", "obs_planted_high_frac")
NO_CROP = frozenset({"none", "fallow", "idle", "abandoned", "wasteland", "无", "休耕", "撂荒", "闲置", "荒地"})
"""Uses that claim no crop."""
WHOLE = 0.99
"""Share of a pixel inside the polygon from which it counts as whole [1]."""


class PlantedParams(Params):
    """Knobs of the planted share."""

    days: int = Field(380, ge=200, description="Looks of so many days tell the course of the crop [days].")
    most_days: int = Field(760, ge=200, description="Looks of so many days where fewer than enough are there [days].")
    enough_looks: int = Field(12, ge=4, description="Looks from which the shorter time is enough.")
    min_looks: int = Field(6, ge=4, description="Fewest looks that tell the course of the crop.")
    min_clear: float = Field(0.75, gt=0, le=1, description="Clear share of the pixels from which a look counts [1].")
    min_core: int = Field(6, ge=3, description="Fewest pixels inside that tell the course of the crop.")
    min_ndvi: float = Field(
        0.15, gt=0, description="Root mean square distance in NDVI from which a pixel may be other ground [1]."
    )
    min_red: float = Field(0.05, gt=0, description="The same in red reflectance, for plastic and pale ground [1].")
    min_nir: float = Field(0.08, gt=0, description="The same in near-infrared reflectance [1].")
    patchy: float = Field(
        1.5, ge=1, description="It must also exceed what 95 % of the core reach by this factor: fields are patchy."
    )
    plateau: float = Field(
        0.6, gt=0, lt=1, description="Share of the largest distance around from which a pixel is other ground [1]."
    )
    pure: float = Field(
        0.9, gt=0, le=1, description="Share of the mean distance of other ground from which nothing grows there [1]."
    )
    reach: int = Field(2, ge=1, le=5, description="How far around a pixel other ground is looked for [pixels].")
    vigour: float = Field(0.2, gt=0, description="Ordinary spread of the crop's height inside a field [1].")
    brightness: float = Field(0.1, gt=0, description="Ordinary spread of brightness inside a field [1].")
    noise: float = Field(0.012, gt=0, description="Least spread of one pixel's reflectance on one look [1].")
    bias: float = Field(0.01, ge=0, description="By how much the share is too high on the average: thin strips [1].")
    least_sd: float = Field(0.006, gt=0, description="Standard error of the share of a parcel without an edge [1].")
    edge_sd: float = Field(
        0.07, gt=0, description="Standard error for each pixel cut by the border and pixel's worth of area [1]."
    )
    most_edge: float = Field(0.6, gt=0, description="Pixels cut per pixel's worth of area: no more are counted [1].")
    like_grass: float = Field(
        0.25, ge=0, le=1, description="What may hide where crop and other ground are green alike: orchards, grass [1]."
    )
    known_zero: float = Field(0.1, ge=0, le=1, description="Upper end of the share of land that lies idle [1].")
    other_pixels: int = Field(8, ge=3, description="Fewest pixels of other ground that are asked for a crop of theirs.")
    fresh_days: int = Field(400, ge=100, description="A crop harvested longer ago is not that of the field now [days].")


@dataclass(frozen=True, kw_only=True)
class Planted:
    """Share of a polygon that carries its crop."""

    low: float
    middle: float
    high: float
    """Middle and 90 % interval [0-1]."""
    share: Floats
    """Shape (pixel,): part of each pixel without the crop [0-1]."""
    first: dt.date
    last: dt.date
    """Looks behind it."""
    n_looks: int
    n_pixels: int
    because: str
    """A sentence on what stands out, or nothing."""


def judge_planted(
    evidence: ParcelEvidence,
    record: Record,
    events: Sequence[Event],
    params: PlantedParams,
    phenology: PhenologyParams,
) -> tuple[Mapping[str, Any], ClaimCheck | None]:
    """Columns `COLUMNS` of a farm parcel and the check of its claim; no check where no crop is claimed."""
    found = planted_share(evidence, record, events, params, phenology)
    if isinstance(found, str):
        return dict.fromkeys(COLUMNS), cannot_tell_planted(evidence.attributes, found)
    whole = float(evidence.attributes["obs_area_m2"])
    columns = {
        "obs_planted_m2": round(found.middle * whole, 1),
        "obs_planted_frac": round(found.middle, 4),
        "obs_planted_low_frac": round(found.low, 4),
        "obs_planted_high_frac": round(found.high, 4),
    }
    claimed = claimed_m2(evidence.attributes)
    return columns, None if claimed is None else _checked(claimed, found, record, whole)


def claimed_m2(attributes: Mapping[str, Any]) -> float | None:
    """Planted area that a borrower claims [m2]; None where a use without a crop is named.

    The claimed area, else that of the polygon, times the claimed share, else all of it.
    """
    use = attributes.get("claim_use")
    share = _number(attributes.get("claim_living_share_frac"))
    if share is None and isinstance(use, str) and use.strip().lower() in NO_CROP:
        return None
    area = _number(attributes.get("claim_area_m2"))
    return (float(attributes["obs_area_m2"]) if area is None else area) * (1.0 if share is None else share)


def cannot_tell_planted(attributes: Mapping[str, Any], why: str) -> ClaimCheck | None:
    """The check of a claim where nothing can be said; None where no crop is claimed."""
    claimed = claimed_m2(attributes)
    if claimed is None:
        return None
    told = f"Claimed {claimed / MU_M2:,.1f} mu planted; how much is planted could not be judged. {why}".strip()
    return untold("planted", claimed, told, unit="m2")


def _checked(claimed: float, found: Planted, record: Record, whole: float) -> ClaimCheck:
    low, middle, high = (share * whole for share in (found.low, found.middle, found.high))
    return checked_number(
        "planted",
        claimed,
        (low, middle, high),
        unit="m2",
        rule=AREA,
        what="planted",
        seen=f"on {found.n_looks} looks from {found.first} to {found.last} there follow the {_season_in_words(record)}",
        because=found.because,
        n_looks=found.n_looks,
        n_pixels=found.n_pixels,
    )


def _season_in_words(record: Record) -> str:
    last = record.last_harvested
    if last is None or last.ended is None:
        return "course of the parcel"
    return f"crop (last complete season {date_of(last.emerged)} to {date_of(last.ended)})"


# ------------------------------------------------------------------------------------------------------------ the share


def planted_share(
    evidence: ParcelEvidence,
    record: Record,
    events: Sequence[Event],
    params: PlantedParams,
    phenology: PhenologyParams,
) -> Planted | str:
    """The share of the polygon that carries its crop now, or why it cannot be told.

    What was cleared or built on is not planted, and land that lies idle is not planted at all. A crop that failed and
    was not followed by another lowers the middle and the lower end. Where a season was missed, or no crop has been
    seen for long, the lower end is 0;
    where the rest has crops of its own, the upper end is 1.
    """
    looks = _looks_of(evidence, params)
    if isinstance(looks, str):
        return looks
    days, seen = looks
    weight = evidence.area_m2 / evidence.area_m2.max()
    other = _share_without(seen, weight, evidence, params)
    if isinstance(other, str):
        return other
    because = ""
    another = record.use == "field" and _has_crop(evidence, (other > 0.8) & (weight >= WHOLE), params, phenology)
    for event in _lasting(events):
        at = list(event.pixels)
        other[at] = np.maximum(other[at], min(event.area_m2 / max(float(evidence.area_m2[at].sum()), 1.0), 1.0))
    middle = _inside(1 - other, weight, evidence)
    low, high = _interval(middle, weight, record, params)
    if another:
        high, because = 1.0, "A part of it has, or had, a crop of its own: two fields in one polygon, or one given up."
    whole = float(evidence.area_m2.sum())
    for event in _failed(events, record):
        # One alert of a failed crop in two is wrong (docs/accuracy.md): it puts the share in doubt, it proves nothing.
        because = "A crop may have failed, and what failed is not planted ground."
        middle, low = middle - event.area_m2 / whole, low - event.area_high_m2 / whole
    if any(event.kind == "abandonment" for event in events):
        low, middle, high, because = 0.0, 0.0, params.known_zero, "It lies idle: the same season was missed twice."
    elif not record.in_use(evidence.as_of, params.fresh_days) or any(
        event.kind == "missed_season" and event.recovered_on is None for event in events
    ):
        low, because = 0.0, "No crop has been seen lately: it may lie fallow."
    elif not because and middle < 1 - 2 * params.bias:
        because = "The rest has another course: no crop, or another use."
    low, middle, high = (float(np.clip(value, 0.0, 1.0)) for value in (low, middle, high))
    return Planted(
        low=min(low, middle),
        middle=middle,
        high=max(high, middle),
        share=other,
        first=date_of(days[0]),
        last=date_of(days[-1]),
        n_looks=len(days),
        n_pixels=len(weight),
        because=because,
    )


def _interval(middle: float, weight: Floats, record: Record, params: PlantedParams) -> tuple[float, float]:
    """Ends of the 90 % interval: errors come from the border, and from ground that looks like the crop."""
    edge = min(float((weight < WHOLE).sum() / weight.sum()), params.most_edge)
    spread = 1.645 * (params.least_sd + params.edge_sd * edge)
    hidden = params.like_grass if record.use == "grass_or_trees" else params.bias + spread
    return middle - hidden, middle + spread


def _lasting(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.kind in ("land_preparation", "encroachment")]


def _failed(events: Iterable[Event], record: Record) -> list[Event]:
    """Crops that failed and were not followed by another."""
    up = date_of(record.crops[-1].emerged) if record.crops else dt.date.min
    return [e for e in events if e.kind in ("crop_failure", "flood") and e.first_clear_after > up]


def _looks_of(evidence: ParcelEvidence, params: PlantedParams) -> tuple[NDArray[np.int64], Floats] | str:
    """Days, and reflectance, shape (look, band, pixel), of the looks that tell the crop's course."""
    optical = evidence.optical
    lacking = [band for band in BANDS if optical is None or band not in optical]
    if optical is None or lacking:
        return f"The planted share needs the bands {', '.join(BANDS)}; lacking: {', '.join(lacking)}."
    days = numbers_of(evidence.look_days)
    clear = np.isfinite(optical["nir"].values).mean(axis=1) >= params.min_clear
    clear &= days <= number_of(evidence.as_of)
    at = np.zeros(0, np.int64)
    for span in (params.days, params.most_days):
        at = np.flatnonzero(clear & (days > days[clear].max(initial=0) - span))
        if len(at) >= params.enough_looks:
            break
    if len(at) < params.min_looks:
        return (
            f"Only {len(at)} looks show most of the parcel in {params.most_days} days; {params.min_looks} are needed."
        )
    return days[at], np.stack([optical[band].values[at] for band in BANDS], axis=1).astype(np.float64)


def _share_without(seen: Floats, weight: Floats, evidence: ParcelEvidence, params: PlantedParams) -> Floats | str:
    """Part of each pixel without the crop, shape (pixel,) [0-1]; or why it cannot be told."""
    frame = _Frame(evidence)
    deep = frame.depth(weight >= WHOLE)
    core = deep >= min(3, max(int(deep.max()) - 1, 1))
    if core.sum() < params.min_core:
        core = deep >= 1
    if core.sum() < params.min_core:
        return f"Only {int(core.sum())} pixels lie inside the parcel; {params.min_core} are needed."
    # On each look most of the core is seen in every band, so that medians over six tenths of it have something.
    seen = seen[np.isfinite(seen[:, :, core]).all(axis=1).mean(axis=1) >= 0.5]
    if len(seen) < params.min_looks:
        return f"Only {len(seen)} looks show the middle of the parcel; {params.min_looks} are needed."
    ndvi = (seen[:, 2] - seen[:, 1]) / np.maximum(seen[:, 2] + seen[:, 1], 1e-3)
    crop = _crop_pixels(ndvi, core)
    course, green = np.nanmedian(seen[:, :, crop], axis=2), np.nanmedian(ndvi[:, crop], axis=1)
    apart = seen - course[:, :, None]
    strange = _strange(ndvi - green[:, None], apart, params)
    limit = max(1.0, params.patchy * float(np.quantile(strange[crop], 0.95)))
    away = _whitened(_filled(apart), course, green, crop, params)
    size = np.sqrt(np.square(away).mean(axis=0))
    beyond = np.sqrt(np.maximum(np.square(size) - np.median(size[crop]) ** 2, 0))
    far = beyond >= params.plateau * frame.largest_near(beyond, params.reach)
    return _unmixed(away, beyond, far & (strange >= limit), frame, params)


def _crop_pixels(ndvi: Floats, core: Mask) -> NDArray[np.intp]:
    """Pixels of the core nearest its median course: the parcel's main crop, where less than half is another."""
    chosen = np.flatnonzero(core)
    for _ in range(4):
        middle = np.nanmedian(ndvi[:, chosen], axis=1)
        apart = np.abs(ndvi - middle[:, None])[:, core]
        away = np.where(np.isfinite(apart), apart, 0).sum(axis=0) / np.maximum(np.isfinite(apart).sum(axis=0), 1)
        chosen = np.flatnonzero(core)[away <= np.quantile(away, 0.6)]
    return chosen


def _strange(green: Floats, apart: Floats, params: PlantedParams) -> Floats:
    """Root mean square distance of each pixel from the crop's course, in units of what counts as other ground."""
    red, nir = _rms(apart[:, 1]), _rms(apart[:, 2])
    return np.maximum(_rms(green) / params.min_ndvi, np.maximum(red / params.min_red, nir / params.min_nir))


def _rms(values: Floats) -> Floats:
    seen = np.isfinite(values)
    return np.asarray(np.sqrt(np.where(seen, np.square(values), 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)))


def _filled(apart: Floats) -> Floats:
    """Departures with what was not seen of a pixel set to its mean departure in the band."""
    seen = np.isfinite(apart)
    mean = np.where(seen, apart, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.where(seen, apart, mean[None])


def _whitened(apart: Floats, course: Floats, green: Floats, crop: NDArray[np.intp], params: PlantedParams) -> Floats:
    """Departures in units of their spread, shape (look x band, pixel); vigour and brightness count as spread too."""
    spread = np.maximum(1.483 * np.median(np.abs(apart[:, :, crop]), axis=2), params.noise)
    bare = course[green <= np.quantile(green, 0.15)].mean(axis=0)
    ordinary = np.stack(
        [(params.vigour * (course - bare) / spread).ravel(), (params.brightness * course / spread).ravel()], axis=1
    )
    unit, length, _ = np.linalg.svd(ordinary, full_matrices=False)
    shrink = 1 - 1 / np.sqrt(1 + np.square(length))
    away = (apart / spread[:, :, None]).reshape(-1, apart.shape[2])
    return np.asarray(away - unit @ (shrink[:, None] * (unit.T @ away)))


def _unmixed(away: Floats, beyond: Floats, alien: Mask, frame: _Frame, params: PlantedParams) -> Floats:
    """Share of each pixel on the line from the crop to the mean of the other ground around it [0-1]."""
    total, count = frame.sum_near(away, alien, params.reach)
    mean = total / np.maximum(count, 1)
    length = np.square(mean).sum(axis=0)
    share = np.where(count > 0, (away * mean).sum(axis=0) / np.maximum(length, 1e-9), 0.0)
    # Other ground may be of many kinds; a pixel as far from the crop as its like is wholly so, in whatever direction.
    wholly = alien & (beyond >= params.pure * np.sqrt(length / len(away)))
    return np.clip(np.where(wholly, 1.0, share), 0.0, 1.0)


def _inside(crop: Floats, weight: Floats, evidence: ParcelEvidence) -> float:
    """Planted share of the polygon.

    A pixel that the border cuts holds ground of both sides. Over it and its neighbours, crop is put inside first: it is
    as much as there is, at most what lies inside.
    """
    frame = _Frame(evidence)
    inside, there = frame.mean_near(weight), frame.mean_near(crop)
    pooled = np.minimum(1.0, there / np.maximum(inside, 1e-9))
    return float(np.where(weight >= WHOLE, crop, weight * pooled).sum() / weight.sum())


class _Frame:
    """The parcel's pixels as a picture with a margin."""

    margin = 6

    def __init__(self, evidence: ParcelEvidence) -> None:
        self.row = evidence.row - evidence.row.min() + self.margin
        self.col = evidence.col - evidence.col.min() + self.margin
        self.shape = (int(self.row.max()) + self.margin + 1, int(self.col.max()) + self.margin + 1)
        self.place = np.full(self.shape, -1, np.int64)
        self.place[self.row, self.col] = np.arange(len(self.row))

    def plane(self, values: NDArray[Any]) -> Floats:
        """Values as a picture, 0 outside."""
        out = np.zeros(self.shape)
        out[self.row, self.col] = values
        return out

    def depth(self, whole: Mask) -> NDArray[np.int64]:
        """Steps to the nearest pixel that is not whole; 1 on the outermost."""
        steps = ndimage.distance_transform_cdt(self.plane(whole) > 0, "chessboard")
        return np.asarray(steps[self.row, self.col], np.int64)

    def largest_near(self, values: Floats, reach: int) -> Floats:
        """Largest value within a reach."""
        return np.asarray(ndimage.maximum_filter(self.plane(values), size=2 * reach + 1)[self.row, self.col])

    def mean_near(self, values: Floats) -> Floats:
        """Mean over a pixel and its eight neighbours, 0 outside the parcel."""
        return np.asarray(ndimage.uniform_filter(self.plane(values), 3)[self.row, self.col])

    def sum_near(self, values: Floats, wanted: Mask, reach: int) -> tuple[Floats, Floats]:
        """Sum of columns, shape (feature, pixel), over the wanted pixels within a reach, and how many these are."""
        total, count = np.zeros_like(values), np.zeros(values.shape[1])
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                near = self.place[self.row + down, self.col + right]
                use = (near >= 0) & wanted[near]
                total[:, use] += values[:, near[use]]
                count += use
        return total, count


def _has_crop(evidence: ParcelEvidence, where: Mask, params: PlantedParams, phenology: PhenologyParams) -> bool:
    """Whether ground that does not follow the parcel's crop has seasons of a crop of its own."""
    if where.sum() < params.other_pixels or evidence.indices is None or "ndvi" not in evidence.indices:
        return False
    values = evidence.indices["ndvi"].values[:, where].astype(np.float64)
    seen = np.isfinite(values)
    mean = np.where(seen, values, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    green = np.where(seen.mean(axis=1) >= 0.5, mean, np.nan)
    days = numbers_of(evidence.look_days)
    if np.isfinite(green).sum() < params.min_looks:
        return False
    curve = smooth(days, green, np.ones(len(days)), phenology)
    crops = [s for s in find_seasons(curve, phenology, looks=days[np.isfinite(green)]) if is_crop(s)]
    years = float(days[-1] - days[0]) / 365.25
    ended = [s.ended for s in crops if s.ended is not None]
    lately = [day for day in ended if number_of(evidence.as_of) - day <= params.fresh_days]
    return bool(lately) and len(ended) >= max(0.6 * years, 1.0)


def _number(value: Any) -> float | None:
    # NaN is what an empty cell of a table of numbers becomes.
    return None if value is None or value != value else float(value)


__all__ = [
    "COLUMNS",
    "Planted",
    "PlantedParams",
    "cannot_tell_planted",
    "claimed_m2",
    "judge_planted",
    "planted_share",
]
