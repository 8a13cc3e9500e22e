"""Seasons of crops: sown and harvested by farmers, grown by the weather."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from geocollateral.simulate.land import Traits
from geocollateral.simulate.surface import Surface, surface
from geocollateral.simulate.weather import Weather, smooth

Days = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Crop:
    """How a crop grows: by thermal time, the sum of degrees above `base_c` since sowing.

    Farmers choose varieties that suit their climate: one that is ripe after `days` in an ordinary year. Stages are
    shares of the thermal time to ripeness.
    """

    material: str
    base_c: float
    sown_on: int
    """Day of the year on which it is sown in an ordinary year."""
    days: int
    """From sowing to ripeness in an ordinary year."""
    half_cover: float
    """Stage at which half the full cover is reached."""
    growth_width: float
    senescence: float
    """Stage at which half the green is gone."""
    senescence_width: float
    full_cover: float
    thirst: float
    """Share of cover lost where the soil stays dry."""
    residue: float = 0.5
    """Share of the ground under straw after harvest."""

    def heat_to_ripeness(self, weather: Weather) -> float:
        """Thermal time that a variety of this climate needs [K d]."""
        days = (self.sown_on - 1 + np.arange(self.days)) % 365
        return float(np.maximum(weather.normal_c[days] - self.base_c, 0).sum())


WAIT_DAYS = 22
"""A crop that does not ripen is harvested so many days after its ordinary day."""

# fmt: off
CROPS: Mapping[str, Crop] = {
    "winter_wheat": Crop(material="wheat", base_c=0, sown_on=284, days=234, half_cover=0.245, growth_width=0.060,
                         senescence=0.925, senescence_width=0.032, full_cover=0.93, thirst=0.35, residue=0.65),
    "maize": Crop(material="crop", base_c=8, sown_on=160, days=104, half_cover=0.225, growth_width=0.045,
                  senescence=0.945, senescence_width=0.055, full_cover=0.92, thirst=0.45, residue=0.45),
    "spring_maize": Crop(material="crop", base_c=8, sown_on=124, days=142, half_cover=0.27, growth_width=0.050,
                         senescence=0.925, senescence_width=0.060, full_cover=0.93, thirst=0.45, residue=0.45),
    "rice": Crop(material="rice", base_c=10, sown_on=156, days=120, half_cover=0.28, growth_width=0.055,
                 senescence=0.93, senescence_width=0.065, full_cover=0.94, thirst=0.10, residue=0.55),
    "rape": Crop(material="crop", base_c=2, sown_on=290, days=216, half_cover=0.33, growth_width=0.085,
                 senescence=0.935, senescence_width=0.040, full_cover=0.90, thirst=0.25, residue=0.40),
    "vegetable": Crop(material="crop", base_c=5, sown_on=140, days=68, half_cover=0.34, growth_width=0.075,
                      senescence=1.40, senescence_width=0.140, full_cover=0.80, thirst=0.20, residue=0.05),
}
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Season:
    """One crop from sowing to harvest. Days are positions on the weather's axis."""

    crop: str
    sown: int
    harvested: int
    lost_from: int | None = None
    """Day from which the crop dies, for a season that fails."""
    lost: float = 0.0
    """Share of its green that dies."""


@dataclass(frozen=True, kw_only=True)
class Husbandry:
    """What a farmer does out of the ordinary."""

    abandoned_from: int | None = None
    """No crop is sown from this day on."""
    fallow_years: frozenset[int] = frozenset()
    """Calendar years in which nothing is sown."""
    late_year: int | None = None
    """Calendar year in which everything is done 15 days late."""
    failure: tuple[int, float] | None = None
    """Day in the middle of a season, and the share of green that dies."""
    extra_ploughing: int | None = None
    """Day on which bare ground is ploughed once more, or a cover is turned in early."""


ORDINARY = Husbandry()


@dataclass(frozen=True, kw_only=True)
class Field:
    """What grew on a field and how it looked."""

    seasons: tuple[Season, ...] = field(default=())
    surface: Surface


def grow(rotation: str, traits: Traits, weather: Weather, husbandry: Husbandry, rng: np.random.Generator) -> Field:
    """A field of one rotation over all days of the weather; parameters as of `plan_seasons`."""
    seasons = plan_seasons(rotation, traits, weather, husbandry, rng)
    return Field(seasons=seasons, surface=_draw(seasons, traits, weather, husbandry))


def green_of(season: Season, traits: Traits, weather: Weather) -> tuple[Days, Days]:
    """Green and withered cover of one season on every day: growth by warmth and water, then senescence."""
    crop = CROPS[season.crop]
    n = weather.days.size
    span = slice(max(season.sown, 0), min(max(season.harvested, 0), n))
    green, brown = np.zeros(n), np.zeros(n)
    if span.start >= span.stop:
        return green, brown
    stage = np.cumsum(weather.warmth(crop.base_c)[span]) / crop.heat_to_ripeness(weather)
    grown = _rise((stage - crop.half_cover) / crop.growth_width) - _rise(-crop.half_cover / crop.growth_width)
    withered = _rise((stage - crop.senescence) / crop.senescence_width)
    want = np.clip(0.55 - smooth(weather.moisture, 35)[span], 0, 0.55) / 0.55
    cover = crop.full_cover * traits.vigour * (1 - crop.thirst * want * (1 - traits.irrigation))
    canopy = np.clip(grown * cover, 0, 0.985)
    alive = 1 - withered
    if season.lost_from is not None:
        since = np.arange(span.start, span.stop) - season.lost_from
        alive = alive * (1 - season.lost * _rise((since - 8) / 3.5))
    if weather.frost_day is not None and season.crop != "vegetable":
        since = np.arange(span.start, span.stop) - weather.frost_day
        alive = alive * (1 - 0.22 * np.where(since >= 0, np.exp(-np.maximum(since, 0) / 16.0), 0.0))
    green[span], brown[span] = canopy * alive, canopy * (1 - alive) * 0.85
    return green, brown


def _rise(x: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))))


def plan_seasons(
    rotation: str, traits: Traits, weather: Weather, husbandry: Husbandry, rng: np.random.Generator
) -> tuple[Season, ...]:
    """What a farmer sows and harvests, and when.

    Parameters
    ----------
    rotation
        ``wheat_maize``, ``maize``, ``rice``, ``rice_rape`` or ``vegetables``.
    rng
        For the farmer's days; the same generator state gives the same days whatever the husbandry.
    """
    years = range(int(weather.year[0]), int(weather.year[-1]) + 1)
    found: list[Season] = []
    for year in years:
        jitter, waits = rng.normal(0, 3.0, 6), rng.gamma(2.0, 2.0, 6)
        delay = traits.lateness + (15 if year == husbandry.late_year else 0)
        first = weather.position(np.datetime64(f"{year}-01-01"))
        if year in husbandry.fallow_years:
            continue
        for (crop, day), wait in zip(_sowings(rotation, first, found, delay, jitter), waits, strict=False):
            if husbandry.abandoned_from is not None and day >= husbandry.abandoned_from:
                continue
            late = 15 if year == husbandry.late_year and crop != "winter_wheat" else 0
            season = _season(crop, round(day), weather, late + float(wait))
            if season.sown < weather.days.size and season.harvested > season.sown + 20:
                found.append(_fail(season, husbandry))
    return tuple(found)


def _sowings(
    rotation: str, first: int, before: list[Season], delay: float, jitter: NDArray[np.float64]
) -> list[tuple[str, float]]:
    """Crops sown in one calendar year and their days; the days of later ones wait for the harvest of earlier ones."""

    def after(day: float, gap: float) -> float:
        free = max((season.harvested for season in before), default=-1000)
        return max(day, free + gap)

    if rotation == "wheat_maize":  # maize after the wheat of last autumn, wheat after the maize of this summer
        maize = after(first + 156 + delay + jitter[0], 3)
        return [("maize", maize), ("winter_wheat", max(first + 282 + delay + jitter[1], maize + 118))]
    if rotation == "maize":
        return [("spring_maize", after(first + 124 + delay + jitter[0], 20))]
    if rotation == "rice":
        return [("rice", after(first + 152 + delay + jitter[0], 12))]
    if rotation == "rice_rape":
        rice = after(first + 150 + delay + jitter[0], 8)
        return [("rice", rice), ("rape", max(first + 285 + delay + jitter[1], rice + 138))]
    if rotation == "vegetables":
        starts = [first + day + delay + 2.5 * j for day, j in zip((62, 140, 218, 296), jitter, strict=False)]
        return [("vegetable", start) for start in starts]
    raise KeyError(rotation)


def _season(name: str, sown: int, weather: Weather, waiting: float) -> Season:
    """Harvest when ripe and the farmer has come round; crops do not wait much beyond their time."""
    crop = CROPS[name]
    longest = crop.days + WAIT_DAYS
    if sown < 0:  # sown before the first day known: as ripe as the calendar says
        return Season(crop=name, sown=sown, harvested=sown + crop.days + round(waiting))
    heat = np.cumsum(weather.warmth(crop.base_c)[sown : sown + longest])
    ripe = int(np.searchsorted(heat, crop.heat_to_ripeness(weather)))
    if heat.size < longest and ripe == heat.size:  # the world ends first
        ripe = longest
    return Season(crop=name, sown=sown, harvested=sown + ripe + round(waiting))


def _fail(season: Season, husbandry: Husbandry) -> Season:
    if husbandry.failure is None or not season.sown <= husbandry.failure[0] < season.harvested:
        return season
    return replace(season, lost_from=husbandry.failure[0], lost=husbandry.failure[1])


def _draw(seasons: Sequence[Season], traits: Traits, weather: Weather, husbandry: Husbandry) -> Surface:
    n = weather.days.size
    parts: dict[str, Days] = {
        name: np.zeros(n) for name in ("crop", "wheat", "rice", "rape_flower", "straw", "turbid_water", "grass")
    }
    rough = np.full(n, 0.25)
    day = np.arange(n)
    for season in seasons:
        green, brown = green_of(season, traits, weather)
        parts[CROPS[season.crop].material] += green
        parts["straw"] += brown
        if season.crop == "rape":
            _flower(parts, season, weather)
        if season.crop == "rice":
            _flood(parts, season, day)
        _after_harvest(parts, rough, season, seasons, day, traits)
    if husbandry.extra_ploughing is not None:
        _plough(rough, husbandry.extra_ploughing, day)
        turned = np.where(day >= husbandry.extra_ploughing, np.exp(-(day - husbandry.extra_ploughing) / 40.0), 0.0)
        parts["straw"] *= 1 - np.clip(turned, 0, 1)
    parts["grass"] += weeds(seasons, weather, husbandry, traits)
    if husbandry.abandoned_from is not None:
        parts["shrub"] = 0.35 * (1 - np.exp(-np.maximum(day - husbandry.abandoned_from, 0) / 700.0))
    return surface(n, dict(parts), "soil", np.clip(rough, 0, 1))


def _flower(parts: dict[str, Days], season: Season, weather: Weather) -> None:
    start = max(season.sown, 0)
    rape = CROPS["rape"]
    stage = np.cumsum(weather.warmth(rape.base_c)[start : season.harvested]) / rape.heat_to_ripeness(weather)
    bloom = np.zeros(weather.days.size)
    bloom[start : start + stage.size] = np.exp(-(((stage - 0.56) / 0.065) ** 2))
    parts["rape_flower"] += parts["crop"] * 0.75 * bloom
    parts["crop"] *= 1 - 0.75 * bloom


def _flood(parts: dict[str, Days], season: Season, day: NDArray[np.int64]) -> None:
    """Paddies stand under water from before transplanting until some weeks before harvest."""
    wet = _rise((day - (season.sown - 9)) / 1.2) * _rise((season.harvested - 28 - day) / 4.0)
    parts["turbid_water"] = np.maximum(parts["turbid_water"], wet * np.clip(0.92 - parts["rice"], 0, 0.9))


def _after_harvest(
    parts: dict[str, Days],
    rough: Days,
    season: Season,
    seasons: Sequence[Season],
    day: NDArray[np.int64],
    traits: Traits,
) -> None:
    """Straw that rots until the ground is tilled for the next crop."""
    following = [other.sown for other in seasons if other.sown > season.harvested]
    tilled = min([*[sown - 3 for sown in following], season.harvested + int(20 + 130 * traits.mix)])
    age = day - season.harvested
    lying = (age >= 0) & (day < tilled)
    straw = CROPS[season.crop].residue * np.exp(-np.maximum(age, 0) / 90.0)
    parts["straw"] = np.maximum(parts["straw"], np.where(lying, straw, 0.0))
    remains = np.where(day >= tilled, 0.25 * straw * np.exp(-np.maximum(day - tilled, 0) / 60.0), 0.0)
    parts["straw"] = np.maximum(parts["straw"], remains)
    _plough(rough, max(tilled, season.harvested), day)


def _plough(rough: Days, when: int, day: NDArray[np.int64]) -> None:
    """Rough at once, smoother with every week of rain and by the drill."""
    np.maximum(rough, np.where(day >= when, 0.25 + 0.75 * np.exp(-(day - when) / 18.0), 0.0), out=rough)


def weeds(seasons: Sequence[Season], weather: Weather, husbandry: Husbandry, traits: Traits) -> Days:
    """Plants that come up by themselves where nothing is grown, the more the longer nothing is."""
    n = weather.days.size
    idle = np.ones(n, dtype=np.bool_)
    for season in seasons:
        idle[max(season.sown, 0) : max(season.harvested + 10, 0)] = False
    since = np.zeros(n)
    for start, stop in _runs(idle):
        since[start:stop] = np.arange(stop - start)
    warm = _rise((smooth(weather.temperature_c, 20) - 9.0) / 2.0)
    moist = 0.35 + 0.65 * np.clip(smooth(weather.moisture, 25) / 0.5, 0, 1)
    reach = 0.72 * (1 - np.exp(-np.maximum(since - 25, 0) / 75.0)) * (0.75 + 0.25 * traits.vigour)
    held_down = 0.7 if husbandry.fallow_years else 1.0  # who means to sow again keeps weeds short
    return np.where(idle, reach * warm * moist * held_down, 0.0)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
