"""Covers of the ground other than field crops: what each is made of, day by day.

A cover is a function of the weather, the traits of the place and the day since which it is there. Stages of building
are covers too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geocollateral.simulate.land import Traits
from geocollateral.simulate.surface import Surface, surface
from geocollateral.simulate.weather import Weather, smooth

Stage = Literal["vegetated", "water", "cleared", "building", "built"]
Days = NDArray[np.float64]
ALWAYS = -10_000
"""Since a day long before the first one."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and since when a cover is there."""

    weather: Weather
    traits: Traits
    since: int
    """Position on the weather's axis, or `ALWAYS`."""


@dataclass(frozen=True, kw_only=True)
class Cover:
    """A kind of cover."""

    stage: Stage
    """What an inspector of a building site would call it."""
    draw: Callable[[Place], Surface]
    looks_like_cloud: float = 0.0
    """Chance that a scene classification takes it for cloud under a clear sky."""


def _rise(x: Days) -> Days:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))))


def leaves(weather: Weather, traits: Traits) -> tuple[Days, Days]:
    """Leaf cover of deciduous trees and the share of it that has turned, 0-1: out by warmth, off by cold."""
    n = weather.days.size
    out, turned = np.zeros(n), np.zeros(n)
    for year in np.unique(weather.year):
        own = np.flatnonzero(weather.year == year)
        day = weather.day_of_year[own]
        heat = np.cumsum(weather.warmth(4.0)[own] * (day > 20))
        spring = _rise((heat - 190 - 5.0 * traits.lateness) / 32)
        cold = np.cumsum(np.maximum(19.0 - smooth(weather.temperature_c, 6)[own], 0) * (day > 235))
        autumn = _rise((cold - 210 - 4.0 * traits.lateness) / 45)
        colour = _rise((cold - 140 - 4.0 * traits.lateness) / 40)
        out[own], turned[own] = spring * (1 - autumn), colour
    dry = np.clip(0.30 - smooth(weather.moisture, 45), 0, 0.3)
    out = out * (1 - 0.5 * dry)
    if weather.frost_day is not None:
        since = np.arange(n) - weather.frost_day
        out = out * (1 - 0.25 * np.where(since >= 0, np.exp(-np.maximum(since, 0) / 22.0), 0.0))
    return out, turned


def sward(weather: Weather, traits: Traits) -> Days:
    """Green cover of grass that follows warmth and water, 0-1."""
    warm = _rise((smooth(weather.temperature_c, 16) - 7.5) / 2.2)
    water = np.clip(smooth(weather.moisture, 28) / 0.5, 0, 1)
    wet = 0.30 + 0.70 * (water + (1 - water) * 0.5 * traits.irrigation)
    return np.clip(0.10 + 0.80 * traits.vigour * warm * wet, 0, 0.97)


def _since(place: Place) -> Days:
    return np.maximum(np.arange(place.weather.days.size) - place.since, 0).astype(np.float64)


def _trees(weather: Weather, traits: Traits, kind: str, cover: Days | float) -> Surface:
    out, turned = leaves(weather, traits)
    under = 0.5 * sward(weather, traits)
    crown = np.asarray(cover) * traits.vigour
    green = crown * out * (1 - 0.85 * turned)
    brown = crown * out * 0.85 * turned
    bare = crown - green - brown
    parts: dict[str, Days | float] = {
        kind: np.clip(green, 0, 0.985),
        "straw": 0.6 * brown,
        "bark": 0.55 * bare + 0.4 * brown,
        "grass": np.clip(1 - crown + 0.35 * bare, 0, 1) * under,
    }
    return surface(weather.days.size, parts, "litter", 0.35)


def _deciduous(place: Place) -> Surface:
    return _trees(
        place.weather,
        place.traits,
        "broadleaf",
        min(0.94, 0.60 + 0.022 * place.traits.age_years) / max(place.traits.vigour, 0.95),
    )


def _evergreen(place: Place) -> Surface:
    return _always_green(place, "evergreen")


def _needle(place: Place) -> Surface:
    return _always_green(place, "needle")


def _always_green(place: Place, kind: str) -> Surface:
    weather, traits = place.weather, place.traits
    warm = _rise((smooth(weather.temperature_c, 40) - 9.0) / 4.0)
    crown = min(0.95, 0.72 + 0.012 * traits.age_years) * min(traits.vigour, 1.03) * (0.90 + 0.10 * warm)
    under = np.clip(1 - crown, 0, 1) * 0.6 * sward(weather, traits)
    return surface(weather.days.size, {kind: crown, "bark": 0.03, "grass": under}, "litter", 0.35)


def _orchard(place: Place) -> Surface:
    """Trees in rows over grass or tilled ground; young ones close in some years."""
    grown = (
        np.clip(0.08 + _since(place) / 1800.0, 0.08, 1.0) if place.since != ALWAYS else np.ones(place.weather.days.size)
    )
    trees = _trees(place.weather, place.traits, "broadleaf", (0.42 + 0.22 * place.traits.mix) * grown)
    ground = surface(
        place.weather.days.size,
        {"grass": (0.25 + 0.6 * place.traits.mix) * sward(place.weather, place.traits)},
        "soil",
        0.35,
    )
    open_share = np.clip(1 - (0.42 + 0.22 * place.traits.mix) * grown, 0.2, 1)[:, None].astype(np.float32)
    return Surface(share=trees.share * (1 - 0.75 * open_share) + ground.share * 0.75 * open_share, rough=ground.rough)


def _pasture(place: Place) -> Surface:
    """Grass that is mown or grazed down some times a year, with shrubs in neglected corners."""
    green = sward(place.weather, place.traits)
    for year in np.unique(place.weather.year):
        first = place.weather.position(np.datetime64(f"{year}-01-01"))
        for cut_on in (158 + 2 * place.traits.lateness, 218 + 3 * place.traits.lateness)[
            : 1 + int(place.traits.mix > 0.4)
        ]:
            since_cut = np.arange(green.size) - (first + cut_on)
            green = green * (1 - 0.5 * np.where(since_cut >= 0, np.exp(-np.maximum(since_cut, 0) / 20.0), 0.0))
    shrub = 0.04 + 0.16 * place.traits.mix * leaves(place.weather, place.traits)[0]
    return surface(green.size, {"shrub": shrub, "grass": green * (1 - shrub), "straw": 0.4 * (1 - green)}, "soil", 0.3)


def _cleaned_pasture(place: Place) -> Surface:
    """Shrubs and old grass taken away; grass comes again within weeks."""
    back = 1 - 0.8 * np.exp(-_since(place) / 35.0)
    return surface(
        place.weather.days.size, {"grass": sward(place.weather, place.traits) * back, "straw": 0.12}, "soil", 0.4
    )


def _abandoned(place: Place) -> Surface:
    """Weeds, then shrubs, on ground that nobody works."""
    age = _since(place)
    weed = sward(place.weather, place.traits) * (0.25 + 0.5 * (1 - np.exp(-age / 250.0)))
    shrub = 0.4 * (1 - np.exp(-age / 900.0)) * (0.25 + 0.75 * leaves(place.weather, place.traits)[0])
    dry = 0.35 * (1 - np.exp(-age / 120.0)) * (1 - weed)
    return surface(place.weather.days.size, {"grass": weed, "shrub": shrub, "straw": dry}, "soil", 0.35)


def _greenhouse(place: Place) -> Surface:
    """Plastic over crops, renewed and dusty, shaded by nets in summer, with paths between."""
    age = (
        np.arange(place.weather.days.size) + 900.0 * place.traits.mix if place.since == ALWAYS else _since(place)
    ) % 900
    summer = _rise((smooth(place.weather.temperature_c, 15) - 22.0) / 1.2) * (0.35 if place.traits.mix > 0.45 else 0.0)
    inside = 0.12 + 0.10 * np.sin(np.arange(place.weather.days.size) / 38.0 + 6.3 * place.traits.mix)
    dust = 0.10 * age / 900
    parts: dict[str, Days | float] = {
        "shade_net": 0.75 * summer + dust,
        "plastic": 0.70 * (1 - summer) - dust,
        "crop": inside,
        "grass": 0.06 * sward(place.weather, place.traits),
    }
    return surface(place.weather.days.size, parts, "soil", 0.3)


def _pond(place: Place) -> Surface:
    """Fish ponds: green water, embankments, levels that fall in the dry season."""
    low = 0.10 * np.clip(0.45 - smooth(place.weather.moisture, 60), 0, 0.45)
    parts: dict[str, Days | float] = {
        "pond_water": (0.80 + 0.12 * place.traits.mix) * (1 - low) * (0.4 + 0.6 * place.traits.mix),
        "turbid_water": (0.80 + 0.12 * place.traits.mix) * (1 - low) * 0.6 * (1 - place.traits.mix),
        "grass": 0.07 * sward(place.weather, place.traits),
    }
    return surface(place.weather.days.size, parts, "soil", 0.3)


def _drained_pond(place: Place) -> Surface:
    """Mud that dries and is overgrown."""
    age = _since(place)
    weed = sward(place.weather, place.traits) * 0.75 * (1 - np.exp(-np.maximum(age - 40, 0) / 130.0))
    puddles = 0.20 * np.exp(-age / 30.0)
    return surface(place.weather.days.size, {"turbid_water": puddles, "grass": weed}, "soil", 0.4)


def _river(place: Place) -> Surface:
    muddy = np.clip(0.30 + 1.2 * smooth(place.weather.rain_mm, 12) / 10, 0.25, 0.95)
    return surface(place.weather.days.size, {"turbid_water": muddy}, "clear_water", 0.0)


def _village(place: Place) -> Surface:
    out = leaves(place.weather, place.traits)[0]
    parts: dict[str, Days | float] = {
        "tiles": 0.26,
        "structure": 0.06,
        "concrete": 0.14,
        "asphalt": 0.08,
        "blue_roof": 0.05,
        "broadleaf": 0.20 * out,
        "bark": 0.10 * (1 - out),
        "grass": 0.10 * sward(place.weather, place.traits),
    }
    return surface(place.weather.days.size, parts, "soil", 0.3)


def _verge(place: Place) -> Surface:
    parts: dict[str, Days | float] = {
        "asphalt": 0.25,
        "gravel": 0.15,
        "grass": 0.45 * sward(place.weather, place.traits),
        "broadleaf": 0.12 * leaves(place.weather, place.traits)[0],
    }
    return surface(place.weather.days.size, parts, "soil", 0.3)


def _slash(place: Place) -> Surface:
    """A felled stand: branches, litter and torn ground, then weeds and coppice."""
    age = _since(place)
    weed = sward(place.weather, place.traits) * 0.55 * (1 - np.exp(-np.maximum(age - 30, 0) / 260.0))
    young = 0.30 * (1 - np.exp(-age / 1300.0)) * leaves(place.weather, place.traits)[0]
    parts: dict[str, Days | float] = {
        "straw": 0.22 * np.exp(-age / 300.0),
        "litter": 0.35 * np.exp(-age / 500.0),
        "bark": 0.06,
        "grass": weed,
        "shrub": young,
    }
    return surface(place.weather.days.size, parts, "soil", 0.5)


def _dead_stand(place: Place) -> Surface:
    """Standing dead trees: red, then grey, with more and more undergrowth."""
    age = _since(place)
    red = 0.35 * np.exp(-age / 220.0)
    under = sward(place.weather, place.traits) * (0.10 + 0.25 * (1 - np.exp(-age / 500.0)))
    return surface(place.weather.days.size, {"bark": 0.42, "straw": red, "grass": under}, "litter", 0.35)


def _burnt(place: Place) -> Surface:
    """Char and dead stems, washed off within a year, then weeds."""
    age = _since(place)
    weed = sward(place.weather, place.traits) * 0.60 * (1 - np.exp(-np.maximum(age - 40, 0) / 280.0))
    return surface(
        place.weather.days.size, {"char": 0.75 * np.exp(-age / 170.0), "bark": 0.14, "grass": weed}, "soil", 0.35
    )


def _windthrow(place: Place) -> Surface:
    """Fallen and broken trees that wither."""
    age = _since(place)
    green = 0.35 * np.exp(-age / 45.0)
    under = sward(place.weather, place.traits) * 0.35 * (1 - np.exp(-age / 400.0))
    return surface(
        place.weather.days.size, {"broadleaf": green, "bark": 0.28, "straw": 0.15, "grass": under}, "litter", 0.5
    )


def _floodwater(place: Place) -> Surface:
    return surface(place.weather.days.size, {"turbid_water": 0.90, "straw": 0.04}, "soil", 0.1)


def _mud(place: Place) -> Surface:
    """Fields after a flood: silt, lodged plants, slow recovery."""
    age = _since(place)
    weed = sward(place.weather, place.traits) * 0.8 * (1 - np.exp(-np.maximum(age - 10, 0) / 60.0))
    return surface(place.weather.days.size, {"grass": weed, "straw": 0.12 * np.exp(-age / 60.0)}, "soil", 0.2)


def _cleared(place: Place) -> Surface:
    """Stripped ground, worked over by machines; weeds only where work rests."""
    weed = 0.30 * sward(place.weather, place.traits) * (1 - np.exp(-np.maximum(_since(place) - 150, 0) / 200.0))
    parts: dict[str, Days | float] = {"subsoil": 0.80 - 0.5 * weed, "gravel": 0.08, "grass": weed}
    return surface(place.weather.days.size, parts, "soil", 0.65)


def _foundations(place: Place) -> Surface:
    return surface(place.weather.days.size, {"concrete": 0.55, "rubble": 0.12, "structure": 0.06}, "subsoil", 0.5)


def _shell(place: Place) -> Surface:
    """Walls and scaffolds without a roof."""
    return surface(place.weather.days.size, {"structure": 0.58, "concrete": 0.30}, "subsoil", 0.4)


def _roofed(place: Place) -> Surface:
    return surface(place.weather.days.size, {place.traits.material: 0.86, "structure": 0.06}, "concrete", 0.2)


def _yard(place: Place) -> Surface:
    """Paving and lawns between finished buildings."""
    age = _since(place) if place.since != ALWAYS else np.full(place.weather.days.size, 2000.0)
    lawn = (0.08 + 0.18 * place.traits.mix) * sward(place.weather, place.traits) * (1 - np.exp(-age / 200.0))
    trees = 0.10 * leaves(place.weather, place.traits)[0] * (1 - np.exp(-age / 900.0))
    return surface(
        place.weather.days.size, {"concrete": 0.38, "asphalt": 0.27, "grass": lawn, "broadleaf": trees}, "soil", 0.2
    )


def _rubble(place: Place) -> Surface:
    age = _since(place)
    weed = 0.35 * sward(place.weather, place.traits) * (1 - np.exp(-np.maximum(age - 90, 0) / 250.0))
    return surface(
        place.weather.days.size, {"rubble": 0.60 * np.exp(-age / 240.0), "grass": weed, "gravel": 0.1}, "subsoil", 0.6
    )


def _solar(place: Place) -> Surface:
    """Rows of modules over grass."""
    rows = 0.46 + 0.16 * place.traits.mix
    age = _since(place) if place.since != ALWAYS else np.full(place.weather.days.size, 2000.0)
    grass = (1 - rows) * 0.55 * sward(place.weather, place.traits) * (0.15 + 0.85 * (1 - np.exp(-age / 200.0)))
    return surface(place.weather.days.size, {"pv_module": rows, "grass": grass, "gravel": 0.05}, "soil", 0.3)


def _pad(place: Place) -> Surface:
    """Crane pad, track and foot of a wind turbine."""
    return surface(place.weather.days.size, {"gravel": 0.78, "concrete": 0.12, "structure": 0.04}, "subsoil", 0.3)


COVERS: Mapping[str, Cover] = {
    "deciduous": Cover(stage="vegetated", draw=_deciduous),
    "evergreen": Cover(stage="vegetated", draw=_evergreen),
    "needle": Cover(stage="vegetated", draw=_needle),
    "orchard": Cover(stage="vegetated", draw=_orchard),
    "pasture": Cover(stage="vegetated", draw=_pasture),
    "cleaned_pasture": Cover(stage="vegetated", draw=_cleaned_pasture),
    "abandoned": Cover(stage="vegetated", draw=_abandoned),
    "greenhouse": Cover(stage="built", draw=_greenhouse, looks_like_cloud=0.25),
    "pond": Cover(stage="water", draw=_pond),
    "drained_pond": Cover(stage="cleared", draw=_drained_pond),
    "river": Cover(stage="water", draw=_river),
    "village": Cover(stage="built", draw=_village, looks_like_cloud=0.01),
    "verge": Cover(stage="built", draw=_verge),
    "slash": Cover(stage="vegetated", draw=_slash),
    "dead_stand": Cover(stage="vegetated", draw=_dead_stand),
    "burnt": Cover(stage="vegetated", draw=_burnt),
    "windthrow": Cover(stage="vegetated", draw=_windthrow),
    "floodwater": Cover(stage="water", draw=_floodwater),
    "mud": Cover(stage="vegetated", draw=_mud),
    "cleared": Cover(stage="cleared", draw=_cleared, looks_like_cloud=0.01),
    "foundations": Cover(stage="building", draw=_foundations, looks_like_cloud=0.03),
    "shell": Cover(stage="building", draw=_shell, looks_like_cloud=0.02),
    "roofed": Cover(stage="built", draw=_roofed, looks_like_cloud=0.18),
    "yard": Cover(stage="built", draw=_yard, looks_like_cloud=0.03),
    "rubble": Cover(stage="cleared", draw=_rubble, looks_like_cloud=0.02),
    "solar": Cover(stage="built", draw=_solar),
    "pad": Cover(stage="built", draw=_pad, looks_like_cloud=0.02),
}
