"""Bounds of parcels anywhere on the globe."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely import MultiPolygon, box
from shapely.geometry.base import BaseGeometry

from geocollateral.intake.geometry import geodesic_area, shape_of
from geocollateral.intake.outlines import outline_of_geojson
from geocollateral.types import bounds_of


def frame(*shapes: BaseGeometry) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=list(shapes), crs=4326)


def square(lon: float, lat: float, size: float) -> BaseGeometry:
    """Square in degrees, cut at 180 where it crosses."""
    west, east = lon - size / 2, lon + size / 2
    if east > 180:
        return MultiPolygon([box(west, lat, 180, lat + size), box(-180, lat, east - 360, lat + size)])
    return box(west, lat, east, lat + size)


@pytest.mark.parametrize(
    ("shapes", "bounds"),
    [
        ([box(10, 1, 11, 2), box(12, 3, 13, 4)], (10, 1, 13, 4)),
        ([box(-10, 1, 11, 2)], (-10, 1, 11, 2)),
        ([square(180, 10, 0.2)], (179.9, 10, -179.9, 10.2)),
        ([box(179, 0, 179.5, 1), box(-179.5, 0, -179, 1)], (179, 0, -179, 1)),
        ([box(-170, 0, -169, 1), box(-10, 0, 0, 1)], (-170, 0, 0, 1)),
    ],
)
def test_bounds(shapes: list[BaseGeometry], bounds: tuple[float, ...]) -> None:
    assert bounds_of(frame(*shapes)) == pytest.approx(bounds)


def test_r14_t16_t21_any_place_has_its_true_width_and_area() -> None:
    """A thousand squares, a tenth across 180 degrees; area against the closed form of a quadrangle on the ellipsoid."""
    rng = np.random.default_rng(14)
    for number in range(1000):
        size = float(rng.uniform(0.001, 0.2))
        lon = float(180 + rng.uniform(-0.4, 0.4) * size) if number % 10 == 0 else float(rng.uniform(-179, 179))
        lat = float(rng.uniform(-83, 83))
        shape = square(lon, lat, size)
        west, south, east, north = bounds_of(frame(shape))
        assert (east - west) % 360 <= 1.001 * size
        assert (south, north) == pytest.approx((lat, lat + size))
        assert shape_of(outline_of_geojson(json.loads(shapely.to_geojson(shape)))).area_m2 == pytest.approx(
            quadrangle(size, lat, lat + size), rel=1e-3
        )


def quadrangle(width: float, south: float, north: float) -> float:
    """Area between two parallels of the WGS 84 ellipsoid [m2]."""
    a, f = 6_378_137.0, 1 / 298.257223563
    e = np.sqrt(f * (2 - f))
    b = a * (1 - f)

    def q(lat: float) -> float:
        s = np.sin(np.radians(lat))
        return float(s / (1 - (e * s) ** 2) + np.arctanh(e * s) / e)

    return float(b * b / 2 * np.radians(width) * (q(north) - q(south)))


def test_parcel_across_the_date_line_keeps_its_area() -> None:
    assert geodesic_area(square(180, 20, 0.1)) == pytest.approx(geodesic_area(square(0, 20, 0.1)), rel=1e-6)
