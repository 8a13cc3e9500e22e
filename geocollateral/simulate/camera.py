"""One Sentinel-2 scene: reflectance as the camera sees it, and the scene classification with errors of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geocollateral.simulate.appearance import OpticalTables
from geocollateral.simulate.materials import BANDS
from geocollateral.simulate.mixing import ZoneMap
from geocollateral.simulate.noise import fractal, gust, pad_to_fast
from geocollateral.simulate.sky import Sky, Sun

Field = NDArray[np.float32]
FINE: tuple[str, ...] = ("B02", "B03", "B04", "B08")
"""Bands of 10 m; the others are of 20 m."""

_CLOUD = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.62, 0.48], np.float32)
_CIRRUS = np.array([0.42, 0.41, 0.40, 0.40, 0.40, 0.40, 0.40, 0.40, 0.24, 0.18], np.float32)
_HAZE = np.array([0.60, 0.50, 0.42, 0.38, 0.34, 0.32, 0.30, 0.29, 0.12, 0.08], np.float32)
_SHADE = np.array([0.58, 0.63, 0.68, 0.71, 0.74, 0.75, 0.76, 0.77, 0.82, 0.84], np.float32)
"""Share of reflectance lost in full cloud shadow: the sky still lights the blue."""
_VIEW = np.array([0.026, 0.029, 0.035, 0.036, 0.040, 0.043, 0.046, 0.047, 0.052, 0.055], np.float32)
"""Half the difference between an orbit that sees the lit side and one that sees the shaded side, relative: less than
Roy et al. found at the scan's edges (doi:10.1016/j.rse.2017.06.019)."""
_PLATFORM = {"sentinel-2a": 0.0, "sentinel-2b": -0.006, "sentinel-2c": 0.004, "sentinel-2d": 0.003}


@dataclass(frozen=True, kw_only=True)
class Textures:
    """Fields that stay on the ground of a site. Shape (row, column)."""

    vigour: Field
    """Where plants stand thicker or thinner."""
    mottle: Field
    """Which pixels are brighter."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """When and from where a scene is taken."""

    day: int
    """Row of the tables."""
    platform: str
    side: float
    """-1 to 1: from the shaded to the lit side; a constant of the relative orbit."""
    east: int
    south: int
    """How far the picture lies off [cells of 2.5 m]."""
    sun: Sun


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """A scene in numbers."""

    reflectance: Mapping[str, Field]
    """By band, on its own grid, 0-1 and a little beyond by noise."""
    classes: NDArray[np.uint8]
    """Scene classification of 20 m, codes of Sentinel-2's level 2A."""


def make_textures(size: int, rng: np.random.Generator) -> Textures:
    """Textures of a site."""
    side = pad_to_fast(size)
    vigour = 0.8 * fractal(side, 2.4, rng, longest=60)[:size, :size] + 0.6 * fractal(side, 1.0, rng)[:size, :size]
    mottle = fractal(side, 0.6, rng)[:size, :size]
    return Textures(vigour=np.clip(vigour, -2.2, 2.2), mottle=np.clip(mottle, -2.5, 2.5))


def expose(
    zones: ZoneMap, tables: OpticalTables, textures: Textures, sky: Sky, shot: Shot, rng: np.random.Generator
) -> Exposure:
    """Take one scene."""
    ground = clear_ground(zones, tables, textures, shot)
    seen = _through(ground, sky)
    classes = classify(zones, tables, sky, shot, rng)
    return Exposure(reflectance=_record(seen, shot, rng), classes=classes)


def clear_ground(zones: ZoneMap, tables: OpticalTables, textures: Textures, shot: Shot) -> Field:
    """Reflectance (row, column, band) of 10 m pixels under a clear sky, as this orbit sees it."""
    shares = zones.shares(shot.east, shot.south)
    # The difference between the sides is larger when the sun is low.
    low_sun = np.float32(0.75 + 0.5 * (1 - np.sin(np.radians(shot.sun.elevation_deg))))
    tilt = 1 + shot.side * low_sun * tables.ruggedness[:, None] * _VIEW
    pure = np.hstack(
        [tables.reflectance[shot.day] * tilt, tables.vigour_gradient[shot.day] * tilt, tables.mottle[:, None]]
    )
    mixed = (shares @ pure.astype(np.float32)).reshape(zones.size, zones.size, -1)
    n = len(BANDS)
    vigour, mottle = (_shift(field, shot.east, shot.south) for field in (textures.vigour, textures.mottle))
    seen = mixed[..., :n] + mixed[..., n : 2 * n] * vigour[..., None]
    seen *= 1 + (mixed[..., -1] * mottle)[..., None]
    return np.asarray(np.maximum(seen, 0.001), dtype=np.float32)


def _shift(field: Field, east: int, south: int) -> Field:
    """The field as seen by pixels that lie off by so many quarters of a pixel."""
    for axis, cells in ((1, east), (0, south)):
        if cells:
            neighbour = np.roll(field, -1 if cells > 0 else 1, axis=axis)
            part = np.float32(abs(cells) / 4)
            field = field * (1 - part) + neighbour * part
    return field


def _through(ground: Field, sky: Sky) -> Field:
    """What the camera sees through clouds, cirrus and haze."""
    seen = ground
    if sky.shadow.any():
        seen = seen * (1 - sky.shadow[..., None] * _SHADE)
    haze = sky.haze[..., None]
    seen = seen * (1 - haze) + _HAZE * haze
    if sky.thickness.any():
        through = np.exp(-0.8 * sky.thickness)[..., None]
        seen = seen * through + (np.float32(sky.cloud_reflectance) * _CLOUD) * (1 - through)
    if sky.cirrus.any():
        veil = sky.cirrus[..., None]
        seen = seen * (1 - veil) + _CIRRUS * veil
    return np.asarray(seen, dtype=np.float32)


def _record(seen: Field, shot: Shot, rng: np.random.Generator) -> dict[str, Field]:
    """Bands on their own grids with the noise of the sensor and of the atmospheric correction."""
    size = seen.shape[0]
    bias = rng.normal(0, [0.006, 0.005, 0.005, 0.0045, 0.004, 0.004, 0.004, 0.004, 0.003, 0.003]).astype(np.float32)
    gain = (1 + rng.normal(0, 0.012, len(BANDS)) + _PLATFORM.get(shot.platform, 0.0)).astype(np.float32)
    found = {}
    for n, band in enumerate(BANDS):
        values = seen[..., n]
        if band not in FINE:
            values = values.reshape(size // 2, 2, size // 2, 2).mean(axis=(1, 3))
        grain = rng.standard_normal(values.shape, dtype=np.float32)
        noise = grain * (0.0012 + 0.008 * values)
        found[band] = values * gain[n] + bias[n] + noise
    return found


# ---- scene classification

NO_DATA, DARK, SHADOW, PLANTS, BARE, WATER, UNCLASSIFIED, MEDIUM, HIGH, CIRRUS, SNOW = 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11


def classify(
    zones: ZoneMap, tables: OpticalTables, sky: Sky, shot: Shot, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Scene classification of 20 m with the errors that the real one makes.

    It is drawn from what is truly there, and errs by fields of luck: thin cloud is missed, edges are fuzzy, bright
    roofs and plastic are taken for cloud, shadow is mixed up with water and dark ground, and snow with cloud.
    """
    half = zones.size // 2
    day = shot.day
    facts = np.column_stack(
        [
            tables.green[day],
            tables.water[day],
            tables.snow[day],
            _mistaken(tables.cloudlike[day], rng),
            tables.dark[day],
        ]
    )
    mixed = (zones.shares(shot.east, shot.south) @ facts.astype(np.float32)).reshape(zones.size, zones.size, -1)
    green, water, snow, mistaken, dark = np.moveaxis(mixed.reshape(half, 2, half, 2, -1).mean(axis=(1, 3)), -1, 0)
    thickness, shadow, cirrus = (
        field.reshape(half, 2, half, 2).mean(axis=(1, 3)) for field in (sky.thickness, sky.shadow, sky.cirrus)
    )
    side = pad_to_fast(half)
    luck = fractal(side, 1.6, rng)[:half, :half]
    grain = rng.standard_normal((half, half), dtype=np.float32)
    mood = float(rng.normal(0, 0.35))  # some scenes are classified better than others

    found = np.where(green + 0.06 * grain > 0.33, PLANTS, BARE)
    found[water + 0.05 * grain > 0.55] = WATER
    found[(dark < 0.045) & (green < 0.3) & (water < 0.5) & (grain > 0.5)] = DARK
    found[(found == WATER) & (luck > 2.3)] = SHADOW
    snowy = snow + 0.10 * grain > 0.50
    found[snowy] = SNOW
    found[snowy & (luck + 0.3 * grain > 1.7)] = MEDIUM
    shady = shadow > 0.42 * np.exp(0.35 * luck + mood)
    shady &= gust(half, rng) + 0.3 * luck > -1.25  # whole shadows are missed
    found[shady] = np.where(luck[shady] + 0.4 * grain[shady] > 1.75, WATER, np.where(grain[shady] > 1.9, DARK, SHADOW))
    found[mistaken + 0.12 * grain > 0.5] = MEDIUM
    found[(mistaken + 0.12 * grain > 0.72) & (luck > 0)] = HIGH
    found[cirrus > 0.055 * np.exp(0.4 * luck + 0.8 * mood)] = CIRRUS
    limit = 0.42 * np.exp(0.45 * luck + 0.15 * grain + mood)
    found[thickness > 0.7 * limit] = np.where(
        grain[thickness > 0.7 * limit] > 0.6, UNCLASSIFIED, found[thickness > 0.7 * limit]
    )
    found[thickness > limit] = MEDIUM
    found[thickness > 2.6 * limit] = HIGH
    found[(found == BARE) & (grain > 3.0)] = UNCLASSIFIED
    return np.asarray(found, dtype=np.uint8)


def _mistaken(chance: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Which zones are taken for cloud in this scene."""
    return np.asarray(rng.random(chance.size) < chance, dtype=np.float32)
