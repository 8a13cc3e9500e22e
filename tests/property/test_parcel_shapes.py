"""Laws of outlines and datums: nothing crashes, areas are geodesic, and every conversion has a way back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parcel_polygons import equal_area_m2, polygons

from geocollateral.intake import gcj02
from geocollateral.intake.geometry import GeometryFault, shape_of
from geocollateral.intake.place import place

GEOD = pyproj.Geod(ellps="WGS84")


def check_shapes(count: int, seed: int) -> Counter[tuple[str, bool]]:
    """Shapes of polygons as users draw them: each is valid with its geodesic area, or refused with a reason."""
    seen: Counter[tuple[str, bool]] = Counter()
    for kind, outline in polygons(count, seed):
        try:
            shape = shape_of(outline)
        except GeometryFault:
            seen[kind, False] += 1
            continue
        seen[kind, True] += 1
        assert shape.polygon.is_valid
        assert not shape.polygon.is_empty
        assert shape.area_m2 == pytest.approx(equal_area_m2(shape.polygon), rel=1e-3), kind
        west, south, east, north = shape.polygon.bounds
        assert -180 <= west <= east <= 180
        assert -90 <= south <= north <= 90
    return seen


def test_s6_any_polygon_is_measured_or_refused() -> None:
    """500 here; 10,000 in tests/oracles."""
    seen = check_shapes(500, seed=1)
    for kind in ("plain", "hole", "parts", "repeated", "open", "antimeridian"):
        assert seen[kind, True] >= 10 * seen[kind, False], seen
    assert seen["bow", False] > 0


@given(st.floats(73, 135), st.floats(18, 54))
def test_t19_there_and_back_under_a_decimetre(lon: float, lat: float) -> None:
    point = np.array([lon]), np.array([lat])
    for there, back in (
        (gcj02.wgs84_to_gcj02, gcj02.gcj02_to_wgs84),
        (gcj02.wgs84_to_bd09, gcj02.bd09_to_wgs84),
    ):
        assert GEOD.inv(*point, *back(*there(*point)))[2][0] < 1e-4


@given(st.floats(73, 135), st.floats(18, 54), st.floats(-500, 500), st.floats(-500, 500))
def test_gcj02_hardly_bends_what_it_moves(lon: float, lat: float, east: float, north: float) -> None:
    """Two points within 700 m keep their distance within 1 %: areas drawn on a web map can be trusted."""
    a = np.array([lon]), np.array([lat])
    b = np.array([lon + east / 1e5]), np.array([lat + north / 1e5])
    before = GEOD.inv(*a, *b)[2][0]
    after = GEOD.inv(*gcj02.wgs84_to_gcj02(*a), *gcj02.wgs84_to_gcj02(*b))[2][0]
    assert abs(after - before) <= 0.01 * before + 1e-6


def squares(lon: np.ndarray, lat: np.ndarray) -> dict[int, tuple[tuple[np.ndarray, ...], ...]]:
    corners = np.array([[0, 0], [0.002, 0], [0.002, 0.002], [0, 0.002], [0, 0]])
    return {n: ((np.add(corners, [x, y]),),) for n, (x, y) in enumerate(zip(lon, lat, strict=True))}


COUNTRIES = {
    # A lender's home as a box; 1000 parcels of each are drawn in it.
    "Germany": (5.9, 47.3, 15.0, 55.0),
    "Brazil": (-73.9, -33.7, -34.8, 5.2),
    "India": (68.2, 8.1, 97.4, 35.5),
    "United States": (-124.7, 25.1, -67.0, 49.4),
    "Kenya": (34.0, -4.7, 41.9, 5.0),
    "Australia": (113.3, -43.6, 153.6, -10.7),
}


def flagged(
    outlines: dict[int, tuple[tuple[np.ndarray, ...], ...]], datum: str, box: tuple[float, ...] | None
) -> float:
    """Share of outlines refused as swapped, each in a file of its own."""
    count = 0
    for outline in outlines.values():
        faults = place({0: outline}, None, datum, expected=() if box is None else (box,)).faults  # type: ignore[arg-type]
        count += any("swapped" in str(fault) for _, fault in faults)
    return count / len(outlines)


def test_t20_swapped_parcels_of_china_are_refused() -> None:
    rng = np.random.default_rng(2)
    lon, lat = rng.uniform(80, 122, 1000), rng.uniform(31, 41, 1000)
    for datum in ("wgs84", "gcj02", "cgcs2000"):
        assert flagged(squares(lat, lon), datum, None) >= 0.99
        assert flagged(squares(lon, lat), datum, None) <= 0.01


@pytest.mark.parametrize("country", COUNTRIES)
def test_t20_swapped_parcels_of_a_known_country_are_refused(country: str) -> None:
    rng = np.random.default_rng(3)
    west, south, east, north = COUNTRIES[country]
    lon, lat = rng.uniform(west, east - 0.01, 1000), rng.uniform(south, north - 0.01, 1000)
    assert flagged(squares(lat, lon), "wgs84", COUNTRIES[country]) >= 0.99
    assert flagged(squares(lon, lat), "wgs84", COUNTRIES[country]) <= 0.01
