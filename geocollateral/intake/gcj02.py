"""GCJ-02 and BD-09, the shifted coordinates of Chinese web maps, from and to WGS 84.

GCJ-02 ("Mars coordinates", of Gaode, Tencent and the Chinese pages of others) moves every point by a smooth field of
50 to 700 m. The standard is not public. The formula here is the one that has been public since 2010 and that all open
implementations share (for instance github.com/googollee/eviltransform, github.com/wandergis/coordtransform): it agrees
with what the map services give within about a metre. BD-09 (Baidu) moves GCJ-02 again by about 0.006 degrees, by the
formula in the same places. Between two points near each other GCJ-02's field changes by less than 0.8 % of their
distance, BD-09's by less than 2.4 %, so the inverse is the fixed point of an iteration that gains more than a digit and
a half a round.

All functions take and return longitude and latitude in degrees as arrays of one shape. NaN stays NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Degrees = NDArray[np.float64]
LonLat = tuple[Degrees, Degrees]

BOX = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north of the box in which the formula applies [degrees]; outside, GCJ-02 is WGS 84. The field does
not fade towards the edge of the box: beside it, far from China, a point can have two origins or none."""

_A = 6_378_245.0
"""Semi-major axis of the Krassowsky ellipsoid [m], on which the formula turns metres into degrees."""
_E2 = 0.00669342162296594323
_BD_TURN = np.pi * 3000.0 / 180.0
_BD_LON, _BD_LAT = 0.0065, 0.006
_ROUNDS = 10
"""Each round of the inverse divides the error by more than forty: ten leave rounding noise of any first guess."""


def wgs84_to_gcj02(lon: Degrees, lat: Degrees) -> LonLat:
    """GCJ-02 of points in WGS 84; outside `BOX` unchanged."""
    east, north = _field(lon, lat)
    moved = in_box(lon, lat)
    return lon + np.where(moved, east, 0.0), lat + np.where(moved, north, 0.0)


def gcj02_to_wgs84(lon: Degrees, lat: Degrees) -> LonLat:
    """WGS 84 of points in GCJ-02, exact to 1e-11 degrees against `wgs84_to_gcj02`; outside `BOX` unchanged.

    Which side of the box a point is on is asked of the GCJ-02 point: within 700 m of the box's edge, which lies far
    outside China, the two ways need not meet.
    """
    moved = in_box(lon, lat)
    x, y = lon, lat
    for _ in range(_ROUNDS):
        east, north = _field(x, y)
        x, y = lon - east, lat - north
    return np.where(moved, x, lon), np.where(moved, y, lat)


def gcj02_to_bd09(lon: Degrees, lat: Degrees) -> LonLat:
    """BD-09 of points in GCJ-02."""
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_TURN)
    turn = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_TURN)
    return radius * np.cos(turn) + _BD_LON, radius * np.sin(turn) + _BD_LAT


def bd09_to_gcj02(lon: Degrees, lat: Degrees) -> LonLat:
    """GCJ-02 of points in BD-09, exact to 1e-11 degrees against `gcj02_to_bd09`."""
    x, y = lon - _BD_LON, lat - _BD_LAT
    for _ in range(_ROUNDS):
        there_x, there_y = gcj02_to_bd09(x, y)
        x, y = x + lon - there_x, y + lat - there_y
    return x, y


def wgs84_to_bd09(lon: Degrees, lat: Degrees) -> LonLat:
    """BD-09 of points in WGS 84."""
    return gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))


def bd09_to_wgs84(lon: Degrees, lat: Degrees) -> LonLat:
    """WGS 84 of points in BD-09."""
    return gcj02_to_wgs84(*bd09_to_gcj02(lon, lat))


def in_box(lon: Degrees, lat: Degrees) -> NDArray[np.bool_]:
    """Whether the formula applies."""
    west, south, east, north = BOX
    return np.asarray((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north))


def _field(lon: Degrees, lat: Degrees) -> LonLat:
    """What is added to longitude and latitude [degrees]."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    short = 20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north_m += 2 / 3 * (short + 20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi / 3 * y))
    north_m += 2 / 3 * (160.0 * np.sin(np.pi / 12 * y) + 320.0 * np.sin(np.pi / 30 * y))
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east_m += 2 / 3 * (short + 20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi / 3 * x))
    east_m += 2 / 3 * (150.0 * np.sin(np.pi / 12 * x) + 300.0 * np.sin(np.pi / 30 * x))
    phi = np.radians(lat)
    squeeze = 1.0 - _E2 * np.sin(phi) ** 2
    meridian = _A * (1.0 - _E2) / (squeeze * np.sqrt(squeeze))
    parallel = _A / np.sqrt(squeeze) * np.cos(phi)
    return np.degrees(east_m / parallel), np.degrees(north_m / meridian)
