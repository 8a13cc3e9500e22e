"""Laws of the intake: areas are geodesic, drawing order does not matter, and no input makes it crash."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyproj
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geocollateral.errors import InvalidInput
from geocollateral.intake.geometry import Shape, shape_of
from geocollateral.intake.outlines import outline_of_geojson
from geocollateral.intake.parcels import parse_parcels
from geocollateral.types import AreaOfInterest

TO_EQUAL_AREA = pyproj.Transformer.from_crs(4326, 6933, always_xy=True)


@st.composite
def star(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Open ring of a star-shaped polygon of 0.1 to 30 km anywhere satellites look, counter-clockwise."""
    lon, lat = draw(st.floats(-178, 178)), draw(st.floats(-75, 75))
    radius = draw(st.floats(0.001, 0.1))
    count = draw(st.integers(3, 12))
    reach = draw(st.lists(st.floats(0.3, 1.0), min_size=count, max_size=count))
    turn = [2 * math.pi * n / count for n in range(count)]
    return [
        (lon + radius * r * math.cos(t) / math.cos(math.radians(lat)) / 2, lat + radius * r * math.sin(t) / 2)
        for r, t in zip(reach, turn, strict=True)
    ]


def shape_of_ring(ring: list[tuple[float, float]]) -> Shape:
    closed = [list(p) for p in [*ring, ring[0]]]
    return shape_of(outline_of_geojson({"type": "Polygon", "coordinates": [closed]}))


def shape_area(ring: list[tuple[float, float]]) -> float:
    return shape_of_ring(ring).area_m2


@given(star())
def test_t17_area_is_that_of_an_equal_area_map(ring: list[tuple[float, float]]) -> None:
    fine = shapely.segmentize(shapely.Polygon(ring), 0.001)
    x, y = TO_EQUAL_AREA.transform(*np.asarray(fine.exterior.coords).T)
    assert math.isclose(shape_area(ring), shapely.Polygon(list(zip(x, y, strict=True))).area, rel_tol=1e-3)


@given(star(), st.integers(0, 11))
def test_turning_and_reversing_a_ring_changes_nothing(ring: list[tuple[float, float]], start: int) -> None:
    area = shape_area(ring)
    start %= len(ring)
    assert math.isclose(shape_area(ring[start:] + ring[:start]), area, rel_tol=1e-9)
    assert math.isclose(shape_area(ring[::-1]), area, rel_tol=1e-9)


@given(star(), st.integers(0, 11))
def test_repeating_a_vertex_changes_nothing(ring: list[tuple[float, float]], place: int) -> None:
    place %= len(ring)
    assert math.isclose(shape_area([*ring[:place], ring[place], *ring[place:]]), shape_area(ring), rel_tol=1e-9)


def read_or_none(content: bytes) -> AreaOfInterest | None:
    """None where the content is refused; any other error is a crash."""
    try:
        return parse_parcels(content, datum="wgs84")
    except InvalidInput:
        return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
coordinates = st.recursive(
    st.floats(-200, 200) | st.integers(-400, 400) | json_values,
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=30,
)
features = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Feature", "Feature", "Feature", "feature"]) | json_values,
        "geometry": st.fixed_dictionaries(
            {"type": st.sampled_from(["Polygon", "MultiPolygon", "GeometryCollection"]), "coordinates": coordinates}
        )
        | json_values,
        "properties": st.dictionaries(
            st.sampled_from(["parcel_id", "asset_class", "claim_area_mu", "claim_planted_on", "loan_currency", "x"]),
            json_values,
            max_size=4,
        )
        | json_values,
    },
    optional={"id": json_values, "crs": json_values},
)


@settings(max_examples=300)
@given(
    st.fixed_dictionaries(
        {"type": st.just("FeatureCollection"), "features": st.lists(features, max_size=3) | json_values},
        optional={"crs": json_values},
    )
    | features
    | json_values
)
@example({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": {}, "properties": {}}]})
@example({"type": "Feature", "crs": {"type": "name", "properties": None}})
def test_any_json_is_read_or_refused(document: Any) -> None:
    area = read_or_none(json.dumps(document).encode())
    if area is not None:
        assert area.parcels.geometry.is_valid.all()
        assert len(area.parcels) == len(document.get("features", [document]))


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    assert read_or_none(content) is None
