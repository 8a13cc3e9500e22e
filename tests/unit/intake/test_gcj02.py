"""GCJ-02 and BD-09 against pairs that others published, and their inverses."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest

from geocollateral.intake import gcj02

GEOD = pyproj.Geod(ellps="WGS84")

WGS84_GCJ02 = (
    # longitude and latitude in WGS 84, then in GCJ-02
    (121.5272106, 31.1774276, 121.531541859215, 31.17530398364597),  # Shanghai; tests of googollee/eviltransform
    (113.912316, 22.543847, 113.9171764808363, 22.540796131694766),  # Shenzhen; the same
    (116.377817, 39.911954, 116.38404722455657, 39.91334545536069),  # Beijing; the same
    (116.404, 39.915, 116.41024449916938, 39.91640428150164),  # Beijing; README of wandergis/coordtransform
)
GCJ02_BD09 = (
    (116.404, 39.915, 116.41036949371029, 39.92133699351021),  # README of wandergis/coordtransform
    (116.39762729119315, 39.90865673957631, 116.404, 39.915),  # the same
)


def arrays(*values: float) -> tuple[np.ndarray, ...]:
    return tuple(np.array([value]) for value in values)


def distance_m(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    return float(np.max(GEOD.inv(*a, *b)[2]))


@pytest.mark.parametrize("pair", WGS84_GCJ02)
def test_t19_published_pairs_of_gcj02(pair: tuple[float, float, float, float]) -> None:
    lon, lat, east, north = arrays(*pair)
    assert distance_m(gcj02.wgs84_to_gcj02(lon, lat), (east, north)) < 0.01
    assert distance_m(gcj02.gcj02_to_wgs84(east, north), (lon, lat)) < 0.01


@pytest.mark.parametrize("pair", GCJ02_BD09)
def test_t19_published_pairs_of_bd09(pair: tuple[float, float, float, float]) -> None:
    lon, lat, east, north = arrays(*pair)
    assert distance_m(gcj02.gcj02_to_bd09(lon, lat), (east, north)) < 1
    assert distance_m(gcj02.bd09_to_gcj02(east, north), (lon, lat)) < 1


def test_both_ways_all_over_china() -> None:
    lon, lat = (axis.ravel() for axis in np.meshgrid(np.linspace(73, 135, 400), np.linspace(18, 54, 300)))
    for there, back in (
        (gcj02.wgs84_to_gcj02, gcj02.gcj02_to_wgs84),
        (gcj02.gcj02_to_bd09, gcj02.bd09_to_gcj02),
        (gcj02.wgs84_to_bd09, gcj02.bd09_to_wgs84),
    ):
        x, y = back(*there(lon, lat))
        assert max(np.abs(x - lon).max(), np.abs(y - lat).max()) < 1e-11


def test_size_of_the_shift() -> None:
    """As measured over 75-133 E, 20-51 N elsewhere on a coarser grid: 44 to 666 m, median 430 m."""
    lon, lat = (axis.ravel() for axis in np.meshgrid(np.linspace(75, 133, 200), np.linspace(20, 51, 200)))
    moved = GEOD.inv(lon, lat, *gcj02.wgs84_to_gcj02(lon, lat))[2]
    assert moved.min() < 45
    assert 400 < np.median(moved) < 460
    assert 600 < moved.max() < 700


@pytest.mark.parametrize(("lon", "lat"), [(2.35, 48.85), (-100.0, 40.0), (140.0, 36.0), (100.0, -5.0)])
def test_outside_its_box_nothing_moves(lon: float, lat: float) -> None:
    point = arrays(lon, lat)
    assert gcj02.wgs84_to_gcj02(*point) == point
    assert gcj02.gcj02_to_wgs84(*point) == point


def test_nan_stays_nan() -> None:
    lon, lat = gcj02.bd09_to_wgs84(np.array([np.nan, 116.4]), np.array([39.9, 39.9]))
    assert np.isnan(lon[0])
    assert np.isfinite(lon[1])
    assert np.isfinite(lat[1])
