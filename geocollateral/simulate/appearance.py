"""How zones look to a camera and to a radar on the days of the scenes: small tables, from which pictures are mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geocollateral.simulate.covers import COVERS
from geocollateral.simulate.materials import BANDS, INDEX, PLANTS, SNOW, WATERS, column, spectra
from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.scenario import Scenario
from geocollateral.simulate.seasons import Field
from geocollateral.simulate.surface import Surface
from geocollateral.simulate.weather import Weather
from geocollateral.simulate.zones import Zone, field_of, surface_of

_PLANTS = [INDEX[name] for name in PLANTS]
_WATERS = [INDEX[name] for name in WATERS]
_GROUND = column("is_ground") > 0
_BUILT = column("is_built") > 0
_PLANT_LIKE = ~(_GROUND | _BUILT)
_PLANT_LIKE[_WATERS] = False
_SPECTRA = spectra()
_DARKENING = np.array([0.40, 0.40, 0.41, 0.41, 0.42, 0.42, 0.42, 0.42, 0.50, 0.54])
"""Share of its reflectance that soil loses from dry to soaked, by band (shape after doi:10.2134/jeq2001.3041168x)."""


@dataclass(frozen=True, kw_only=True)
class OpticalTables:
    """Zones on the days of the Sentinel-2 scenes. Shapes start with (day, zone)."""

    reflectance: NDArray[np.float32]
    """(day, zone, band)"""
    vigour_gradient: NDArray[np.float32]
    """(day, zone, band): change of reflectance per unit of the patchiness field."""
    green: NDArray[np.float32]
    water: NDArray[np.float32]
    snow: NDArray[np.float32]
    cloudlike: NDArray[np.float32]
    """Chance of being taken for cloud under a clear sky."""
    dark: NDArray[np.float32]
    """Reflectance in the red, for what is taken for shadow."""
    mottle: NDArray[np.float32]
    """(zone,): relative spread of reflectance between pixels."""
    ruggedness: NDArray[np.float32]
    """(zone,): how strongly it shows from where it is lit and seen, around 1."""


@dataclass(frozen=True, kw_only=True)
class RadarTables:
    """Zones on the days of the Sentinel-1 scenes, linear gamma0 by (day, zone)."""

    vv: NDArray[np.float32]
    vh: NDArray[np.float32]
    patchiness: NDArray[np.float32]
    """(zone,): relative spread between places."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One radar look: a day and the side it looks from."""

    day: int
    orbit: str
    """Direction and relative orbit, such as ``ascending-142``."""
    incidence_deg: float


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """Tables of a site and what truth is told from."""

    optical: OpticalTables
    radar: RadarTables
    fields: Mapping[str, Field]
    """By name of the zone, for zones that are fields."""
    green: Mapping[str, NDArray[np.float32]]
    """Daily share under living plants of those."""


def appear(scenario: Scenario, days: NDArray[np.int64], looks: Sequence[Look], seeds: Seeds) -> Appearance:
    """Tables for the days of optical scenes and for radar looks."""
    weather, zones = scenario.weather, scenario.zones
    n_days, n_zones, n_bands = days.size, len(zones), len(BANDS)
    reflectance = np.empty((n_days, n_zones, n_bands), np.float32)
    gradient = np.empty_like(reflectance)
    green, water, snow, cloudlike, dark = (np.empty((n_days, n_zones), np.float32) for _ in range(5))
    vv, vh = np.empty((len(looks), n_zones), np.float32), np.empty((len(looks), n_zones), np.float32)
    fields: dict[str, Field] = {}
    greens: dict[str, NDArray[np.float32]] = {}
    for n, zone in enumerate(zones):
        field = field_of(zone, weather, seeds)
        surface = surface_of(zone, weather, field)
        if field is not None:
            fields[zone.name], greens[zone.name] = field, surface.green
        share = surface.share[days].astype(np.float64)
        reflectance[:, n], gradient[:, n] = reflect(share, zone, weather, days)
        green[:, n] = share[:, _PLANTS].sum(axis=1)
        water[:, n] = share[:, _WATERS].sum(axis=1)
        snow[:, n] = weather.snow[days] * (share @ column("snow_share"))
        cloudlike[:, n] = _cloudlike(zone, days)
        dark[:, n] = reflectance[:, n, 2]
        vv[:, n], vh[:, n] = backscatter(surface, zone, weather, looks, seeds)
    optical = OpticalTables(
        reflectance=reflectance,
        vigour_gradient=gradient,
        green=green,
        water=water,
        snow=snow,
        cloudlike=cloudlike,
        dark=dark,
        mottle=np.array([zone.traits.mottle for zone in zones], np.float32),
        ruggedness=np.array([0.75 + 0.5 * zone.traits.mix for zone in zones], np.float32),
    )
    patchiness = np.array([0.05 + zone.traits.patchiness + 0.8 * zone.traits.mottle for zone in zones], np.float32)
    return Appearance(
        optical=optical, radar=RadarTables(vv=vv, vh=vh, patchiness=patchiness), fields=fields, green=greens
    )


def reflect(
    share: NDArray[np.float64], zone: Zone, weather: Weather, days: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reflectance (day, band) of mixed ground, and its change where plants stand thicker by a full share.

    Materials mix linearly by area; ground is darker when wet; snow lies over what it can hide.
    """
    wet = weather.moisture[days][:, None] * _DARKENING
    if zone.cover in ("rice", "rice_rape", "greenhouse", "vegetables"):  # watered by hand
        wet = np.maximum(wet, 0.55 * _DARKENING)
    ground = share[:, _GROUND] @ _SPECTRA[_GROUND] * (1 - wet) * zone.traits.brightness
    built = share[:, _BUILT] @ _SPECTRA[_BUILT] * (0.5 + 0.5 * zone.traits.brightness)
    rest = ~(_GROUND | _BUILT)
    mixed = ground + built + share[:, rest] @ _SPECTRA[rest]
    plants = share[:, _PLANTS]
    green = plants.sum(axis=1, keepdims=True)
    pure = plants @ _SPECTRA[_PLANTS] / np.maximum(green, 1e-6)
    below = _SPECTRA[INDEX["soil"]] * (1 - wet) * zone.traits.brightness
    room = 4.0 * green * np.maximum(1.12 - green, 0.0) * zone.traits.patchiness
    lying = (weather.snow[days] * (share @ column("snow_share")))[:, None]
    seen = mixed * (1 - lying) + np.array(SNOW) * lying
    return seen, (pure - below) * room * (1 - lying)


def _cloudlike(zone: Zone, days: NDArray[np.int64]) -> NDArray[np.float64]:
    start = COVERS[zone.cover].looks_like_cloud if zone.cover in COVERS else 0.0
    chance = np.full(days.size, start)
    for phase in zone.phases:
        here = (days >= phase.day) & (days < (phase.until or 10**9))
        chance[here] = COVERS[phase.cover].looks_like_cloud * phase.share
    bright = {"white_roof": 1.6, "blue_roof": 0.7, "tiles": 0.05, "concrete": 0.5}
    return chance * (
        bright[zone.traits.material] if zone.name.rpartition("/")[2].startswith(("house", "building")) else 1.0
    )


# ---- radar

_VV = 10 ** (column("vv_db") / 10)
_VH = 10 ** (column("vh_db") / 10)
_VEIL = column("veil")


def backscatter(
    surface: Surface, zone: Zone, weather: Weather, looks: Sequence[Look], seeds: Seeds
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear gamma0 (look,) in VV and VH before speckle.

    Ground scatters by moisture and roughness, less at flat angles and when frozen; plants add volume and hide the
    ground behind them; buildings and panels answer by the side they are seen from; wind roughens water.
    """
    day = np.array([look.day for look in looks], dtype=np.int64)
    angle = np.array([look.incidence_deg for look in looks]) - 38.0
    share = surface.share[day].astype(np.float64)
    moist = weather.moisture[day]
    if zone.cover in ("rice", "rice_rape", "greenhouse", "vegetables"):
        moist = np.maximum(moist, 0.5)
    frozen = np.clip(-weather.temperature_c[day] / 3.0, 0, 1)
    melting = weather.snow[day] * np.clip(weather.temperature_c[day] / 2.0, 0, 1)
    rough = surface.rough[day]
    gain_vv = 7.0 * moist * (1 - 0.8 * frozen) + 4.0 * (rough - 0.3) - 0.13 * angle - 3.0 * melting
    gain_vh = 5.0 * moist * (1 - 0.8 * frozen) + 6.5 * (rough - 0.3) - 0.10 * angle - 3.0 * melting
    bare = share[:, _GROUND].sum(axis=1)
    reached = bare + share[:, _PLANT_LIKE] @ (1 - _VEIL[_PLANT_LIKE])  # ground that the waves get to, plants or not
    side = np.array([_side(zone, orbit, seeds) for orbit in sorted({look.orbit for look in looks})])
    which = np.searchsorted(sorted({look.orbit for look in looks}), [look.orbit for look in looks])
    wind = np.array([_wind(look.day, seeds) for look in looks])
    volume = -0.03 * angle - 1.5 * frozen
    # What no term above tells: dew, rows, wind in the leaves. Mostly the same in both polarisations.
    moods = seeds.stream("mood", zone.name)
    shared = moods.normal(0.0, 0.35, day.size)
    found = []
    for pure, gain in ((_VV, gain_vv), (_VH, gain_vh)):
        own = np.where(bare > 0.01, share[:, _GROUND] @ pure[_GROUND] / np.maximum(bare, 0.01), pure[INDEX["soil"]])
        ground = own * _power(gain) * reached
        built = share[:, _BUILT] @ pure[_BUILT] * _power(side[which])
        plain = share[:, _PLANT_LIKE] @ pure[_PLANT_LIKE] * _power(volume)
        water = share[:, _WATERS] @ pure[_WATERS] * _power(wind)
        found.append((ground + built + plain + water) * _power(shared + moods.normal(0.0, 0.25, day.size)))
    return found[0], found[1]


def _power(decibel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10 ** (decibel / 10))


def _side(zone: Zone, orbit: str, seeds: Seeds) -> float:
    """How much stronger walls, roofs and panels answer when seen from one side [dB]; its own for each orbit."""
    return float(seeds.stream("side", zone.parcel_id or zone.name, orbit).normal(0.0, 1.8))


def _wind(day: int, seeds: Seeds) -> float:
    """Gain of water by the wind of a day [dB]."""
    return float(min(seeds.stream("wind", day).gamma(1.3, 1.4), 8.0))
