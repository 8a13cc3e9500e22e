"""Sun, clouds, their shadows, thin cirrus and haze over one scene."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geocollateral.simulate.grid import PIXEL_M
from geocollateral.simulate.noise import fractal, gust, pad_to_fast
from geocollateral.simulate.weather import Climate

Field = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Sun:
    """Where the sun stands."""

    elevation_deg: float
    azimuth_deg: float
    """Clockwise from north."""


@dataclass(frozen=True, kw_only=True)
class Sky:
    """What is between the ground and the camera. Fields have shape (row, column)."""

    thickness: Field
    """Optical thickness of water clouds."""
    shadow: Field
    """Share of direct sunlight that clouds keep off, 0-1."""
    cirrus: Field
    """Share of what is seen that is thin ice cloud, 0-1."""
    haze: Field
    """Share that is haze left over by the atmospheric correction, 0-1."""
    cloud_reflectance: float


def sun_at(day_of_year: int, latitude_deg: float, solar_hour: float) -> Sun:
    """Position of the sun to about half a degree (doi:10.1016/0038-092X(69)90047-4 for the declination)."""
    angle = 2 * math.pi * (day_of_year - 1) / 365.25
    declination = 0.006918 - 0.399912 * math.cos(angle) + 0.070257 * math.sin(angle) - 0.006758 * math.cos(2 * angle)
    latitude, hour = math.radians(latitude_deg), math.radians(15 * (solar_hour - 12))
    high = math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(hour)
    elevation = math.asin(high)
    east = -math.cos(declination) * math.sin(hour)
    north = math.cos(latitude) * math.sin(declination) - math.sin(latitude) * math.cos(declination) * math.cos(hour)
    return Sun(elevation_deg=math.degrees(elevation), azimuth_deg=math.degrees(math.atan2(east, north)) % 360)


def draw_sky(size: int, sun: Sun, climate: Climate, month: int, rain_mm: float, rng: np.random.Generator) -> Sky:
    """The sky of one scene, by the climate's share of clear and overcast days and the rain of the day."""
    overcast, clear = climate.overcast_frac[month], climate.clear_frac[month]
    if rain_mm > 0.5:  # it rains from clouds
        overcast, clear = min(overcast * 1.6, 0.95), clear * 0.3
    else:
        overcast *= 0.75
    luck = rng.random()
    if luck < overcast:
        cover = float(rng.uniform(0.85, 1.25))
    elif luck < overcast + clear:
        cover = float(rng.uniform(0.0, 0.02)) if rng.random() < 0.25 else 0.0
    else:
        cover = float(rng.beta(1.1, 1.6))
    thickness, shadow = _clouds(size, cover, sun, rng)
    return Sky(
        thickness=thickness,
        shadow=shadow,
        cirrus=_cirrus(size, rng),
        haze=_haze(size, rng),
        cloud_reflectance=float(rng.uniform(0.5, 0.8)),
    )


def _clouds(size: int, cover: float, sun: Sun, rng: np.random.Generator) -> tuple[Field, Field]:
    """Clouds that cover a share of the scene, and their shadows where sun and altitude put them."""
    nothing = np.zeros((size, size), np.float32)
    side = pad_to_fast(size + size // 3)
    slope, gain = float(rng.uniform(2.9, 3.6)), float(rng.uniform(0.7, 3.6))
    altitude_m = float(rng.uniform(500, 3200))
    if cover <= 0.002:
        return nothing, nothing
    shape = fractal(side, slope, rng, longest=min(side, float(rng.uniform(90, 500))))
    level = float(np.quantile(shape, max(1 - cover, 0.0))) - (max(cover - 1, 0) * 4)
    everywhere = (gain * np.maximum(shape - level, 0)).astype(np.float32)
    away = altitude_m / math.tan(math.radians(max(sun.elevation_deg, 12))) / PIXEL_M
    # The shadow lies on the far side of the sun; rows count southward.
    rows = round(away * math.cos(math.radians(sun.azimuth_deg)))
    columns = round(-away * math.sin(math.radians(sun.azimuth_deg)))
    moved = np.roll(everywhere, (rows, columns), axis=(0, 1))[:size, :size]
    thickness = everywhere[:size, :size]
    # Below a cloud the ground is dark too, which the cloud itself mostly hides.
    return thickness, np.asarray(1 - np.exp(-0.9 * moved), dtype=np.float32)


def _cirrus(size: int, rng: np.random.Generator) -> Field:
    strength = float(rng.gamma(1.2, 0.03)) if rng.random() < 0.30 else 0.0
    if strength < 0.004:
        return np.zeros((size, size), np.float32)
    side = pad_to_fast(size)
    veil = fractal(side, 3.4, rng)[:size, :size]
    return np.asarray(np.clip(strength * (veil + 0.8), 0, 0.35), dtype=np.float32)


def _haze(size: int, rng: np.random.Generator) -> Field:
    level = float(rng.gamma(1.5, 0.011))
    if rng.random() < 0.10:
        level += float(rng.uniform(0.03, 0.10))
    return np.asarray(np.clip(level * (1 + 0.4 * gust(size, rng)), 0, 0.3), dtype=np.float32)
