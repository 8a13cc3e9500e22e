"""Metres to degrees of the same datum, and degrees of one datum to those of WGS 84. Nothing is fetched for it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pyproj
from numpy.typing import NDArray
from pyproj.transformer import TransformerGroup

from geocollateral.intake.datums import ELLIPSOIDS

Degrees = NDArray[np.float64]
LonLat = tuple[Degrees, Degrees]

EASTING = 500_000.0
ZONE = 1_000_000.0
"""The number of the zone counts whole millions of metres of the easting."""

BEIJING54: tuple[tuple[tuple[float, float, float, float], tuple[float, ...], float, str], ...] = (
    ((107.0, 35.0, 110.01, 39.0), (11.911, -154.833, -80.079), 1.0, "EPSG 15936, Ordos basin"),
    ((77.45, 37.0, 88.0, 41.99), (15.8, -154.4, -82.3), 1.0, "EPSG 15921, Tarim basin"),
    ((119.23, 31.23, 125.06, 37.4), (15.53, -113.82, -41.38, 0, 0, 0.814, -0.38), 15.0, "EPSG 15919, Yellow Sea"),
    ((110.13, 18.31, 116.76, 22.89), (31.4, -144.3, -74.8, 0, 0, 0.814, -0.38), 15.0, "EPSG 15920, Pearl River basin"),
    ((107.15, 17.81, 110.17, 21.69), (18.0, -136.8, -73.7, 0, 0, 0.814, -0.38), 10.0, "EPSG 15935, Bei Bu"),
)
"""Published parameters to WGS 84: where they hold (west, south, east, north), parameters, accuracy [m], origin."""
BEIJING54_ELSEWHERE_M = 20.0
"""Where none is published, those of the Ordos basin are taken: over China the published ones differ by up to 10 m."""


def unproject(datum: str, meridian: float, x: Degrees, y: Degrees) -> LonLat:
    """Degrees of Gauss-Kruger metres without zone; infinite where the projection has no such point."""
    lon, lat = _gauss_kruger(datum, meridian)(x, y, inverse=True)
    return np.asarray(lon, np.float64), np.asarray(lat, np.float64)


def zone_meridian(zone: int) -> float | None:
    """Central meridian of a zone number before an easting in China; None where there is no such zone.

    Zones of 6 degrees are numbered 13 to 23 there, zones of 3 degrees 25 to 45: no number is in both.
    """
    if 13 <= zone <= 23:
        return 6.0 * zone - 3.0
    return 3.0 * zone if 25 <= zone <= 45 else None


def to_geographic(crs: pyproj.CRS, x: Degrees, y: Degrees) -> LonLat:
    """Degrees, on the CRS's own datum, of its coordinates; infinite where it has no such point."""
    lon, lat = _own_degrees(crs.to_wkt()).transform(x, y)
    return np.asarray(lon, np.float64), np.asarray(lat, np.float64)


def beijing54_parameters(lon: float, lat: float) -> tuple[tuple[float, ...], float, str]:
    """Parameters to WGS 84 for a place, their accuracy [m] and origin."""
    for (west, south, east, north), parameters, accuracy, origin in BEIJING54:
        if west <= lon <= east and south <= lat <= north:
            return parameters, accuracy, origin
    _, parameters, _, origin = BEIJING54[0]
    return parameters, BEIJING54_ELSEWHERE_M, f"{origin}, for want of any published for this place"


def helmert_to_wgs84(datum: str, parameters: tuple[float, ...], lon: Degrees, lat: Degrees) -> LonLat:
    """WGS 84 by 3 or 7 parameters (position vector convention, EPSG 9606): metres, arc seconds, parts per million."""
    x, y = _helmert(datum, parameters).transform(lon, lat)
    return np.asarray(x, np.float64), np.asarray(y, np.float64)


def published_to_wgs84(crs: pyproj.CRS, lon: Degrees, lat: Degrees) -> tuple[pyproj.Transformer, float, str] | None:
    """The most accurate transformation to WGS 84 in the EPSG registry that holds for all the points and needs no grid.

    Returns
    -------
    The transformation of degrees, its accuracy [m] and name; None where there is none. What PROJ calls a ballpark,
    which passes coordinates through, is none.
    """
    for operation in _published(crs.to_wkt()):
        area = operation.area_of_use
        inside = area is None or bool(
            ((lon >= area.west) & (lon <= area.east) & (lat >= area.south) & (lat <= area.north)).all()
        )
        if inside and operation.accuracy >= 0:
            return operation, float(operation.accuracy), _name(operation)
    return None


@lru_cache(maxsize=128)
def _gauss_kruger(datum: str, meridian: float) -> pyproj.Proj:
    a, rf = ELLIPSOIDS[datum]
    return pyproj.Proj(
        f"+proj=tmerc +lat_0=0 +lon_0={meridian!r} +k=1 +x_0={EASTING} +y_0=0 +a={a!r} +rf={rf!r} +units=m"
    )


@lru_cache(maxsize=64)
def _own_degrees(wkt: str) -> pyproj.Transformer:
    crs = pyproj.CRS.from_wkt(wkt)
    return pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)


@lru_cache(maxsize=64)
def _helmert(datum: str, parameters: tuple[float, ...]) -> pyproj.Transformer:
    a, rf = ELLIPSOIDS[datum]
    names: Mapping[str, float] = dict(zip(("x", "y", "z", "rx", "ry", "rz", "s"), parameters, strict=False))
    step = " ".join(f"+{name}={value!r}" for name, value in names.items())
    convention = "+convention=position_vector" if len(parameters) == 7 else ""
    wgs84_a, wgs84_rf = ELLIPSOIDS["wgs84"]
    return pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=push +v_3 "
        f"+step +proj=cart +a={a!r} +rf={rf!r} +step +proj=helmert {step} {convention} "
        f"+step +inv +proj=cart +a={wgs84_a!r} +rf={wgs84_rf!r} +step +proj=pop +v_3 "
        "+step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )


@lru_cache(maxsize=64)
def _published(wkt: str) -> tuple[pyproj.Transformer, ...]:
    with warnings.catch_warnings():
        # That a better one would need a grid is no news: the accuracy told is that of the one taken.
        warnings.simplefilter("ignore", UserWarning)
        geodetic = pyproj.CRS.from_wkt(wkt).geodetic_crs
        group = TransformerGroup(geodetic, "EPSG:4326", always_xy=True, allow_ballpark=False)
    return tuple(sorted(group.transformers, key=lambda one: one.accuracy if one.accuracy >= 0 else np.inf))


def _name(operation: pyproj.Transformer) -> str:
    return " + ".join(part for part in operation.description.split(" + ") if "axis order" not in part)
