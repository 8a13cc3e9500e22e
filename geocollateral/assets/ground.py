"""Ground cover from the reflectance of Sentinel-2: how like each class of ground a look at a pixel is.

A class is a short list of materials (generic spectra, rounded), compared in features in which brightness falls out or
counts little: sun, moisture, dirt and shade scale a spectrum more than they bend it. No classifier is fitted. Levels
and
shapes follow what spectral libraries show of such surfaces (USGS version 7, doi:10.3133/ds1035; ECOSTRESS,
doi:10.1016/j.rse.2019.05.015; urban materials, doi:10.1016/j.rse.2004.06.007) and are copied from no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BANDS: tuple[str, ...] = ("blue", "green", "red", "nir08", "swir16", "swir22")
"""Bands the library holds. The red edge tells plants apart, not ground; 10 m ``nir`` stands in where ``nir08``
lacks."""
NEEDED: tuple[str, ...] = ("blue", "green", "red")
"""Bands without which nothing can be said; one near infrared and ``swir16`` are needed too."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """A generic surface."""

    name: str
    ground: str
    """Class of ground it belongs to."""
    reflectance: tuple[float, ...]
    """By `BANDS` [1]."""
    weight: float = 1.0
    """How common it is among the materials of its class."""


# fmt: off
LIBRARY: tuple[Material, ...] = (
    # Bare ground rises without a break from blue to the short-wave infrared (iron oxides take the blue).
    Material(name="loam", ground="bare", reflectance=(0.08, 0.11, 0.15, 0.25, 0.33, 0.28)),
    Material(name="wet soil", ground="bare", reflectance=(0.06, 0.08, 0.11, 0.17, 0.18, 0.14)),
    Material(name="pale subsoil", ground="bare", reflectance=(0.14, 0.20, 0.27, 0.38, 0.46, 0.42)),
    Material(name="red soil", ground="bare", reflectance=(0.06, 0.09, 0.17, 0.28, 0.37, 0.33), weight=0.5),
    # Cement, bitumen and stone are grey: nearly flat from red to the short-wave infrared.
    Material(name="concrete", ground="grey", reflectance=(0.22, 0.25, 0.28, 0.32, 0.34, 0.31)),
    Material(name="asphalt", ground="grey", reflectance=(0.09, 0.10, 0.11, 0.14, 0.16, 0.15)),
    Material(name="scaffold and shade", ground="grey", reflectance=(0.12, 0.14, 0.16, 0.20, 0.22, 0.20)),
    Material(name="paving with lawn", ground="grey", reflectance=(0.13, 0.15, 0.17, 0.23, 0.24, 0.20), weight=0.5),
    Material(name="gravel and rubble", ground="grey", reflectance=(0.15, 0.18, 0.21, 0.26, 0.31, 0.28), weight=0.5),
    # Roofs: coated steel is white or blue, clay tiles look like soil, bitumen sheets like asphalt.
    Material(name="white steel", ground="roof", reflectance=(0.42, 0.45, 0.46, 0.47, 0.43, 0.38)),
    Material(name="blue steel", ground="roof", reflectance=(0.27, 0.24, 0.20, 0.27, 0.30, 0.26)),
    Material(name="red tile", ground="roof", reflectance=(0.07, 0.09, 0.14, 0.21, 0.27, 0.24), weight=0.1),
    Material(name="grey sheet", ground="roof", reflectance=(0.16, 0.17, 0.18, 0.21, 0.23, 0.22)),
    Material(name="water", ground="water", reflectance=(0.05, 0.06, 0.05, 0.03, 0.015, 0.01)),
    Material(name="muddy water", ground="water", reflectance=(0.08, 0.10, 0.11, 0.06, 0.03, 0.02)),
)
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Features:
    """What a look at a pixel says of its ground; arrays share one shape, NaN = not seen clearly."""

    ndvi: Floats
    """*(nir - red) / (nir + red)*: living plants."""
    redness: Floats
    """*(red - blue) / (red + blue)*: iron oxides take the blue. Soil about 0.3, concrete 0.1, blue steel below 0."""
    bare: Floats
    """*(swir16 - nir) / (swir16 + nir)*, NDBI. Zha, Gao & Ni 2003, doi:10.1080/01431160304987."""
    slope: Floats
    """*(swir16 - green) / (swir16 + green)*: how steeply the spectrum rises, that is minus MNDWI (Xu 2006,
    doi:10.1080/01431160600589179). Soil about 0.4, concrete 0.15, white steel 0, water below 0."""
    residue: Floats
    """*(swir16 - swir22) / (swir16 + swir22)*, NDTI: cellulose and water of living and dead plants take the longer
    wave.
    van Deventer et al. 1997 (PE&RS 63: 87-93). NaN where the band lacks."""
    level: Floats
    """Natural logarithm of the mean of blue, green, red, near and short-wave infrared: brightness."""


SPREAD: Mapping[str, float] = {"redness": 0.07, "bare": 0.09, "slope": 0.12, "residue": 0.04, "level": 0.40}
"""Spread of the colour of one material around the library's: mixed pixels, haze, moisture, make and age. Haze of
0.02 over
concrete moves redness by 0.03 and the slope by 0.03; wetting darkens soil by up to a half."""
_WIDTHS = np.array(list(SPREAD.values()))
OPEN_NDVI = 0.35
"""NDVI below which ground rather than plants gives a pixel its colour."""
FREEDOM = 4
"""Degrees of freedom of the Student-t densities: what no list foresees must not be impossible."""


def features(optical: xr.Dataset) -> Features:
    """Features of every look and pixel.

    Parameters
    ----------
    optical
        Reflectance by band [1], any dims; NaN = not seen clearly. ``nir`` stands in for a lacking ``nir08`` and the
        other way
        round; ``swir22`` may lack.
    """
    blue, green, red, short = (_values(optical, name) for name in ("blue", "green", "red", "swir16"))
    near = _values(optical, "nir" if "nir" in optical else "nir08")
    near20 = _values(optical, "nir08" if "nir08" in optical else "nir")
    far = _values(optical, "swir22") if "swir22" in optical else np.full_like(short, np.nan)
    return _features(blue, green, red, near, near20, short, far)


def _features(
    blue: Floats, green: Floats, red: Floats, near: Floats, near20: Floats, short: Floats, far: Floats
) -> Features:
    return Features(
        ndvi=_contrast(near, red),
        redness=_contrast(red, blue),
        bare=_contrast(short, near20),
        slope=_contrast(short, green),
        residue=_contrast(short, far),
        level=np.log((blue + green + red + near20 + short) / 5),
    )


def stacked(seen: Features) -> Floats:
    """Colour of each look and pixel: the features of `SPREAD` along a last axis."""
    return np.stack([getattr(seen, name) for name in SPREAD], axis=-1)


def likeness(colour: Floats) -> dict[str, Floats]:
    """Logarithm of the density of colours, shape (n, feature), under each class of ground of the library; shape
    (n,).
    """
    found: dict[str, Floats] = {}
    for material, middle, share in _middles():
        logs = colour_density(colour, middle, _WIDTHS) + np.float32(np.log(share))
        found[material.ground] = logs if material.ground not in found else np.logaddexp(found[material.ground], logs)
    return found


@cache
def _middles() -> tuple[tuple[Material, NDArray[np.float64], float], ...]:
    """Each material of the library, its colour and its share of its class."""
    total: dict[str, float] = {}
    for material in LIBRARY:
        total[material.ground] = total.get(material.ground, 0.0) + material.weight
    found = []
    for material in LIBRARY:
        blue, green, red, near, short, far = (np.array([value], np.float32) for value in material.reflectance)
        pure = _features(blue, green, red, near, near, short, far)
        found.append((material, stacked(pure)[0].astype(np.float64), material.weight / total[material.ground]))
    return tuple(found)


def colour_density(colour: Floats, middle: NDArray[np.float64], width: NDArray[np.float64]) -> Floats:
    """Logarithm of a Student-t density of colours, shape (n, feature), around a middle, shape (feature,); shape (n,).

    A feature whose band lacks (NaN in the first colour) is left out.
    """
    use = np.isfinite(colour[:1]).any(axis=0) if len(colour) else np.ones(len(SPREAD), bool)
    away = (colour[:, use] - middle[use].astype(np.float32)) / width[use].astype(np.float32)
    n = int(use.sum())
    squares = np.einsum("ij,ij->i", away, away) / np.float32(FREEDOM)
    return np.asarray(
        np.float32(-0.5 * (FREEDOM + n)) * np.log1p(squares) - np.float32(np.log(width[use]).sum()), np.float32
    )


def student(values: Floats, middle: float, width: float) -> Floats:
    """Logarithm of a Student-t density of one feature."""
    squares = np.square((values - np.float32(middle)) / np.float32(width)) / np.float32(FREEDOM)
    return np.asarray(np.float32(-0.5 * (FREEDOM + 1)) * np.log1p(squares) - np.float32(np.log(width)), np.float32)


def _values(optical: xr.Dataset, band: str) -> Floats:
    # Reflectance at or below zero, which an offset leaves over dark ground, would drive ratios out of their range.
    return np.asarray(np.maximum(optical[band].values, np.float32(1e-3)), np.float32)


def _contrast(a: Floats, b: Floats) -> Floats:
    return np.asarray((a - b) / (a + b), np.float32)
