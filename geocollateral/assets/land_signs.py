"""Signs of what grows on a parcel: harvests by their time of year, water under a crop, yellow bloom, winter green ...

Each sign is a share or a degree from 0 (not seen) to 1 (seen); NaN where the looks cannot tell. Calendars are those of
the northern half of the earth; the southern one's is half a year ahead. No sign needs more than the medians of a
parcel's pixels, so that a strip of another use does not hide its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets.frame import middle_of, number_of, numbers_of
from geocollateral.assets.phenology import Season
from geocollateral.types import Params, ParcelEvidence

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
YEAR = 365.25
NEEDED_BANDS: tuple[str, ...] = ("blue", "green", "red", "nir", "swir16")
"""Bands that signs are read from; a sign whose bands are not offered is not told."""
INNER = 0.5
"""A pixel speaks for the parcel if this share of it lies inside."""
TROPIC = 23.5
"""Nearer to the equator there is no cold season to grow through [degrees of latitude]."""


class SignParams(Params):
    """Knobs of the signs."""

    years: float = Field(2.0, gt=0.5, le=5, description="Looks of so many latest years tell the use [years].")
    winter_peak: float = Field(
        160.0,
        description="Day of the year (northern) up to which an overwintered crop peaks.",
    )
    spring: float = Field(
        85.0, description="Day of the year (northern) up to which a crop is up that has overwintered [day]."
    )
    crop_peak: float = Field(
        0.62, description="NDVI that an overwintered crop reaches; weeds and green manure on fallow paddies less [1]."
    )
    flooded: float = Field(
        -0.05, description="LSWI less NDVI from which water lies between young plants (Xiao et al. 2005) [1]."
    )
    flooded_rise: float = Field(
        3.5, description="Rise of VV from the youngest plants to the grown crop, from which they stood in water [dB]."
    )
    bloom: float = Field(0.06, gt=0, description="Green less blue reflectance from which a dense crop is in bloom [1].")
    woody_vh: float = Field(-16.5, description="Mean VH backscatter from which plants are woody [dB].")
    green: float = Field(0.5, description="NDVI from which ground is green [1].")
    dense: float = Field(0.72, description="NDVI of a closed canopy [1].")
    sparse: float = Field(0.42, description="What hardly ever shows more NDVI carries no open canopy [1].")
    cover_blue: float = Field(0.11, gt=0, description="Blue reflectance from which ground is covered or paved [1].")
    gap_days: float = Field(50.0, gt=0, description="Gap in which a crop may come and go unseen [days].")
    dark_nir: float = Field(0.25, gt=0, description="Near infrared below which a green canopy is of needles [1].")


@dataclass(frozen=True, kw_only=True)
class Course:
    """Looks at a parcel, all it takes to read signs. Arrays of looks have shape (look,)."""

    days: Days
    bands: Mapping[str, Floats]
    """Median reflectance of the inner pixels by band [1]; NaN = not seen."""
    crops: tuple[Season, ...]
    """Seasons of crops as `field_record` tells them; none where it is no field."""
    radar: Mapping[str, tuple[Days, Floats, Floats]]
    """By orbit: days, VV and VH of the parcel [dB]."""
    latitude: float
    """Degrees; NaN where unknown."""
    as_of: dt.date


@dataclass(frozen=True, kw_only=True)
class Signs:
    """Degrees from 0 to 1, NaN = cannot be told; but for `harvests`."""

    harvests: float
    """Crops harvested per year."""
    winter_crop: float
    """Share of years with the harvest of a crop that overwintered and peaked in spring."""
    summer_crop: float
    """Share of years with the harvest of a crop that came up in spring or summer and peaked in summer."""
    summer_twice: float
    """Share of years with two such crops."""
    off_season: float
    """Harvests a year at other times: of a crop that came and went in spring, or peaked in late autumn or winter."""
    short: float
    """Harvested crops stood for less than three months."""
    flooded: float
    """Water lay under the youngest plants of a summer crop."""
    bloom: float
    """A spring crop bloomed yellow."""
    dense: float
    """The canopy closes in its best season."""
    sparse: float
    """Hardly any green is ever seen."""
    winter_green: float
    """Green in the coldest two months."""
    woody: float
    """Backscatter of branches and trunks."""
    dark: float
    """Near infrared as low as that of needles where it is green."""
    covered: float
    """Share of looks with a bright, grey cover as of plastic or paving."""
    plants_below: float
    """Green shines through what is sparse or covered."""
    water: float
    """Share of looks on which water stood."""
    n_looks: int
    """Clear looks that the signs were read from."""
    years: float
    """Years from the first to the last of them."""
    watched: float
    """Degree to which no crop could come and go unseen in the seasons without cold."""

    def told(self) -> dict[str, float]:
        """Signs by name that could be told, without the counts."""
        found = {f.name: float(getattr(self, f.name)) for f in fields(self) if f.name not in COUNTS}
        return {name: value for name, value in found.items() if np.isfinite(value)}


COUNTS = ("n_looks", "years", "watched")


def course_of(evidence: ParcelEvidence, crops: Sequence[Season], min_look_fraction: float) -> Course:
    """The course of a parcel with reflectance, from its evidence and the crops known of it."""
    assert evidence.optical is not None  # noqa: S101 - the caller has refused parcels without
    inner = evidence.area_m2 >= INNER * evidence.area_m2.max(initial=0.0)
    clear = evidence.look_fraction >= min_look_fraction
    bands = {
        name: middle_of(evidence.optical[name].values[clear][:, inner].T.astype(np.float64))
        for name in NEEDED_BANDS
        if name in evidence.optical
    }
    radar: dict[str, tuple[Days, Floats, Floats]] = {
        orbit: (
            numbers_of(looks.series["time"].values),
            looks.series["mean"].sel(index="vv").values.astype(np.float64),
            looks.series["mean"].sel(index="vh").values.astype(np.float64),
        )
        for orbit, looks in sorted(evidence.radar.items())
        if {"vv", "vh"} <= set(looks.series["index"].values.tolist())
    }
    return Course(
        days=numbers_of(evidence.look_days[clear]),
        bands=bands,
        crops=tuple(crops),
        radar=radar,
        latitude=evidence.latitude,
        as_of=evidence.as_of,
    )


def read_signs(course: Course, params: SignParams) -> Signs:
    """Signs of the latest years of a course."""
    bands = {name: course.bands.get(name, np.full(len(course.days), np.nan)) for name in NEEDED_BANDS}
    ndvi = _ratio(bands["nir"], bands["red"])
    last = number_of(course.as_of)
    used = np.isfinite(ndvi) & (course.days > last - params.years * YEAR) & (course.days <= last)
    if not used.any():
        return _none()
    days, ndvi = course.days[used], ndvi[used]
    bands = {name: values[used] for name, values in bands.items()}
    years = float(days[-1] - days[0]) / YEAR
    # A crop counts in the year of its peak, whether it has been harvested yet or still stands.
    crops = [s for s in course.crops if days[0] < s.peak <= last]
    calendar = _calendar(days, course.latitude)
    kinds = [_kind(s, course.latitude, params) for s in crops]
    flooded = [_flooding(s, days, ndvi, bands, course, params) for s in crops]
    best = float(np.quantile(ndvi, 0.9))
    green = ndvi >= params.green
    whole = max(round(years), 1)
    known = abs(course.latitude) >= TROPIC
    wet = [f for f, kind in zip(flooded, kinds, strict=True) if not kind.summer < 0.5]
    ended = [kind for s, kind in zip(crops, kinds, strict=True) if s.ended is not None]
    summers = sum(kind.summer for kind in kinds) / whole
    return Signs(
        harvests=len(ended) / max(years, 0.5),
        winter_crop=min(sum(kind.winter for kind in kinds) / whole, 1.0) if known else np.nan,
        summer_crop=min(summers, 1.0) if known else np.nan,
        summer_twice=min(max(summers - 1, 0.0), 1.0) if known else np.nan,
        off_season=min(sum(kind.other for kind in ended) / whole, 1.0) if known else np.nan,
        short=_mean([_degree(95.0 - float(s.ended - s.emerged), 8.0) for s in crops if s.ended is not None]),
        flooded=_mean(wet),
        bloom=max(
            (_bloom(s, days, ndvi, bands, params) for s, kind in zip(crops, kinds, strict=True) if kind.winter >= 0.3),
            key=lambda degree: (np.isfinite(degree), degree),
            default=np.nan,
        ),
        dense=_degree(best - params.dense, 0.03),
        sparse=_degree(params.sparse - best, 0.02),
        winter_green=_winter_green(ndvi, calendar, params),
        woody=_woody(course, int(days[0]), last, params),
        dark=_degree(params.dark_nir - _middle(bands["nir"][green]), 0.015),
        covered=float(np.mean(_is_covered(bands, params))) if np.isfinite(bands["blue"]).any() else np.nan,
        plants_below=_degree(best - 0.19, 0.03),
        water=_share(_ratio(bands["green"], bands["swir16"]) > 0, bands["swir16"]),
        n_looks=len(days),
        years=years,
        watched=_watched(days, calendar, params),
    )


def _none() -> Signs:
    nothing: dict[str, Any] = {f.name: np.nan for f in fields(Signs) if f.name not in COUNTS}
    return Signs(**nothing, n_looks=0, years=0.0, watched=0.0)


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Degrees to which a season is that of an overwintered crop, of a summer crop, or of neither."""

    winter: float
    summer: float
    other: float


def _kind(season: Season, latitude: float, params: SignParams) -> _Kind:
    up, peak = _northern(season.emerged, latitude), _northern(season.peak, latitude)
    if not np.isfinite(up):
        return _Kind(winter=np.nan, summer=np.nan, other=np.nan)
    # A crop that came up in the year before has overwintered, whatever the day.
    early = 1.0 if season.peak - season.emerged > peak else _degree(params.spring - up, 6.0)
    over = early * _degree(params.winter_peak - peak, 6.0) * _degree(peak - 50.0, 6.0)
    late = _degree(peak - params.winter_peak, 6.0) * _degree(300.0 - peak, 6.0)
    # Weeds overwinter too: they are no crop, and no crop of the off-season either.
    grown = _degree(season.peak_value - params.crop_peak, 0.04)
    return _Kind(winter=over * grown, summer=late, other=max(1 - over - late, 0.0))


def _flooding(
    season: Season, days: Days, ndvi: Floats, bands: Mapping[str, Floats], course: Course, params: SignParams
) -> float:
    """Degree to which water lay under the youngest plants of a season; NaN where nobody looked."""
    first, last = season.emerged - FLOOD_DAYS[0], min(season.emerged + FLOOD_DAYS[1], season.peak)
    at = (days >= first) & (days <= last) & (ndvi < params.green)
    # What is left of snow has a high LSWI too, but is bright in near infrared, as water is not.
    dark = bands["nir"] < DARK_NIR
    wet = np.sort(np.where(dark, _ratio(bands["nir"], bands["swir16"]) - ndvi, -0.3)[at])
    wet = wet[np.isfinite(wet)]
    odds, told = 0.0, False
    if len(wet):
        # One look may be of a puddle after rain: the second best counts where there is one. Water between two looks
        # is missed, so that its absence says less than its presence.
        seen = float(np.tanh((wet[-2:].mean() - params.flooded) / 0.15)) if len(wet) > 1 else 0.5
        odds += 3.0 * seen if seen > 0 else 1.0 * seen
        told = True
    rises = [r for r in (_rise(on, vv, first, last, season) for on, vv, _ in course.radar.values()) if np.isfinite(r)]
    if rises:
        # Tall dry crops rise as far on frozen or smooth ground: radar alone makes no paddy.
        odds += 1.0 * float(np.tanh((np.mean(rises) - params.flooded_rise) / 1.0))
        told = True
    return 1 / (1 + float(np.exp(-odds))) if told else np.nan


DARK_NIR = 0.15
"""Near-infrared reflectance of water between young plants, at most [1]."""


def _rise(on: Days, vv: Floats, first: int, last: int, season: Season) -> float:
    """Rise of backscatter from the lowest two looks at the youngest plants to the grown crop [dB]."""
    low = np.sort(vv[(on >= first) & (on <= last) & np.isfinite(vv)])[:2]
    high = vv[(on >= season.peak - 10) & (on <= (season.ended or season.peak + 60)) & np.isfinite(vv)]
    return float(np.median(high) - low.mean()) if len(low) == 2 and len(high) >= 2 else np.nan


FLOOD_DAYS = (45, 25)
"""Paddies are flooded so long before green rises at most, and seen between the plants for so long after [days]."""


def _bloom(season: Season, days: Days, ndvi: Floats, bands: Mapping[str, Floats], params: SignParams) -> float:
    """Degree to which a dense crop turned yellow around its peak; NaN where fewer than two looks could show it."""
    if season.ended is None:
        return np.nan
    first, last = season.ended - BLOOM_DAYS[0], season.ended - BLOOM_DAYS[1]
    at = (days >= first) & (days <= last) & np.isfinite(bands["green"] - bands["blue"])
    dense = at & (ndvi >= 0.45)
    yellow = (bands["green"] - bands["blue"])[dense]
    seen = _degree(float(yellow.max()) - params.bloom, 0.005) if len(yellow) else 0.0
    watched = np.max(np.diff(np.concatenate([[first], days[at], [last]]))) <= BLOOM_GAP
    return seen if seen >= 0.5 or watched else np.nan


BLOOM_DAYS = (100, 30)
"""Rapeseed blooms between so many days before its harvest."""
BLOOM_GAP = 16
"""With longer gaps between looks a bloom may have come and gone [days]."""


def _winter_green(ndvi: Floats, calendar: Floats, params: SignParams) -> float:
    """Of the greener looks of the coldest months: snow under trees hides green, nothing makes it."""
    cold = (calendar >= 335) | (calendar <= 60)
    return _degree(float(np.quantile(ndvi[cold], 0.75)) - params.green, 0.04) if cold.sum() >= 3 else np.nan


def _woody(course: Course, first: int, last: int, params: SignParams) -> float:
    means = [
        float(np.mean(vh[(on >= first) & (on <= last) & np.isfinite(vh)]))
        for on, _, vh in course.radar.values()
        if ((on >= first) & (on <= last) & np.isfinite(vh)).sum() >= 10
    ]
    return _degree(float(np.mean(means)) - params.woody_vh, 0.7) if means else np.nan


def _watched(days: Days, calendar: Floats, params: SignParams) -> float:
    """By the second longest gap between looks that touches the warm seasons: one is chance, two are habit."""
    warm = ~((calendar > 335) | (calendar < 60))
    gaps = np.sort(np.diff(days)[warm[1:] | warm[:-1]] if len(days) > 1 else np.zeros(0))
    return _degree(params.gap_days - float(gaps[-2]), 8.0) if len(gaps) >= 2 else 0.0


def _is_covered(bands: Mapping[str, Floats], params: SignParams) -> NDArray[np.bool_]:
    """Bright already in blue and as grey as no soil is: soils are redder by half (Stoner and Baumgardner 1981)."""
    with np.errstate(invalid="ignore"):
        return np.asarray((bands["blue"] >= params.cover_blue) & (bands["blue"] >= 0.72 * bands["red"]))


def _calendar(days: Days, latitude: float) -> Floats:
    """Day of the year of each day, of the northern half of the earth."""
    return np.array([_northern(int(day), latitude) for day in days])


def _northern(day: int, latitude: float) -> float:
    """Day of the year, half a year on where it is southern; NaN where there is no cold season or none is known."""
    if not abs(latitude) >= TROPIC:
        return np.nan
    start = np.datetime64(day, "D").astype("datetime64[Y]").astype("datetime64[D]").astype(int)
    return float((day - int(start) + (0 if latitude > 0 else 182)) % 365 + 1)


def _ratio(one: Floats, other: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((one - other) / (one + other))


def _degree(over: float, width: float) -> float:
    """0.5 at 0, near 1 a few widths above; NaN in, NaN out."""
    return 1 / (1 + float(np.exp(-np.clip(over / width, -30, 30))))


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else np.nan


def _middle(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan


def _share(flags: NDArray[np.bool_], of: Floats) -> float:
    known = np.isfinite(of)
    return float(np.mean(flags[known])) if known.any() else np.nan


__all__ = ["NEEDED_BANDS", "Course", "SignParams", "Signs", "course_of", "read_signs"]
