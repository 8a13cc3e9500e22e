"""Outlines in longitude and latitude: what is mended, what is told, what is refused, and areas."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely

from geocollateral.intake.geometry import GeometryFault, Shape, geodesic_area, shape_of
from geocollateral.types import MU_M2

Ring = list[tuple[float, float]]


def square(x: float, y: float, side: float = 0.002) -> Ring:
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]


def shape(*polygons: list[Ring]) -> Shape:
    return shape_of(tuple(tuple(np.array(ring, float) for ring in rings) for rings in polygons))


def test_orientation_does_not_matter() -> None:
    there, back = shape([square(10, 40)]), shape([square(10, 40)[::-1]])
    assert there.area_m2 == pytest.approx(back.area_m2)
    for one in (there, back):
        assert shapely.is_ccw(one.polygon.exterior)
        assert one.repairs == one.warnings == ()


def test_repeated_positions_are_left_out_and_told() -> None:
    ring = square(10, 40)
    found = shape([[ring[0], ring[0], *ring[1:3], ring[2], ring[2], *ring[3:]]])
    assert [message for message, _ in found.repairs] == ["3 positions repeat the one before; they were left out"]
    assert found.area_m2 == pytest.approx(shape([ring]).area_m2)


def test_holes_are_kept() -> None:
    found = shape([square(10, 40, 0.01), square(10.002, 40.002), square(10.006, 40.006)])
    assert len(found.polygon.interiors) == 2
    assert found.area_m2 == pytest.approx(
        shape([square(10, 40, 0.01)]).area_m2 - 2 * shape([square(10, 40)]).area_m2, rel=1e-3
    )


def test_t22_double_winding_counts_once() -> None:
    ring = square(10, 40)
    found = shape([[*ring, *ring[1:]]])
    assert found.area_m2 == pytest.approx(shape([ring]).area_m2)
    assert "mended" in found.repairs[0][0]


def test_t22_bow_tie_is_refused_at_its_crossing() -> None:
    with pytest.raises(GeometryFault, match="two ways of mending") as caught:
        shape([[(10, 40), (10.01, 40.01), (10.01, 40), (10, 40.01), (10, 40)]])
    assert caught.value.position == pytest.approx((10.005, 40.005))


def test_small_loop_is_mended_where_it_encloses_next_to_nothing() -> None:
    ring = [
        (10, 40),
        (10.01, 40),
        (10.01, 40.01),
        (10.00502, 40.01),
        (10.005, 40.01002),
        (10.00501, 40.0099),
        (10, 40.01),
        (10, 40),
    ]
    found = shape([ring])
    assert found.polygon.is_valid
    assert found.area_m2 == pytest.approx(shape([square(10, 40, 0.01)]).area_m2, rel=2e-2)


def test_spike_is_told_with_its_place() -> None:
    found = shape(
        [
            [
                (10, 40),
                (10.01, 40),
                (10.01, 40.005),
                (10.02, 40.00501),
                (10.01, 40.00502),
                (10.01, 40.01),
                (10, 40.01),
                (10, 40),
            ]
        ]
    )
    ((message, place),) = found.warnings
    assert "spike 8" in message
    assert place == (10.02, 40.00501)


@pytest.mark.parametrize(("length_deg", "height_deg"), [(0.01, 2e-6), (0.1, 2e-4), (1.5, 1.5), (0.002, 0.002)])
def test_edges_are_straight_in_longitude_and_latitude(length_deg: float, height_deg: float) -> None:
    """A triangle on a parallel, which is no geodesic: as a geodesic its long edge takes a part of a sliver away."""
    ring = [(110.0, 52.0), (110 + length_deg, 52.0), (110 + length_deg / 2, 52 - height_deg), (110.0, 52.0)]
    fine = shapely.segmentize(shapely.Polygon(ring), length_deg / 2_000)
    truth = abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(fine)[0])
    assert geodesic_area(shapely.Polygon(ring)) == pytest.approx(truth, rel=1e-5)
    with_hole = shapely.Polygon(square(0, 10), [[(0.0005, 10.0005), (0.001, 10.001), (0.001, 10.0005)]])
    assert geodesic_area(with_hole) + geodesic_area(shapely.Polygon(with_hole.interiors[0])) == pytest.approx(
        geodesic_area(shapely.Polygon(square(0, 10)))
    )


def test_parts_are_one_parcel_and_slivers_told() -> None:
    sliver = [(10.02, 40), (10.03, 40), (10.03, 40.00001), (10.02, 40.00001), (10.02, 40)]
    found = shape([square(10, 40)], [sliver])
    messages = [message for message, _ in found.warnings]
    assert messages[0] == "has 2 parts; they are judged as one parcel"
    area_m2 = geodesic_area(shapely.Polygon(sliver))
    assert messages[1] == f"has a sliver of {area_m2:,.0f} m2 ({area_m2 / MU_M2:,.2f} mu), 1.1 m wide"


@pytest.mark.parametrize("x", [179.999, -180.001])
def test_t21_across_180_degrees(x: float) -> None:
    """One ring on beyond 180, one that jumps to the other side, and the two parts that RFC 7946 asks for."""
    whole = shape([square(10, 52)]).area_m2
    beyond = square(179.999, 52)
    jumping = [(((lon + 180) % 360) - 180, lat) for lon, lat in beyond]
    cut = (
        [(179.999, 52), (180, 52), (180, 52.002), (179.999, 52.002), (179.999, 52)],
        [(-180, 52), (-179.999, 52), (-179.999, 52.002), (-180, 52.002), (-180, 52)],
    )
    rings: list[Ring] = [beyond, jumping, [(lon + 0, lat) for lon, lat in square(x % 360, 52)]]
    for ring in rings:
        found = shape([ring])
        assert found.area_m2 == pytest.approx(whole, rel=1e-9)
        assert found.polygon.bounds == pytest.approx((-180, 52, 180, 52.002))
        assert "cut there" in found.repairs[0][0]
        assert found.warnings == ()
    assert shape([cut[0]], [cut[1]]).area_m2 == pytest.approx(whole, rel=1e-9)


def test_t21_hole_across_180_degrees() -> None:
    found = shape([square(179.99, 0, 0.02), square(179.999, 0.005)])
    assert found.area_m2 == pytest.approx(shape([square(10, 0, 0.02), square(10.009, 0.005)]).area_m2, rel=1e-7)


def test_longitudes_from_0_to_360() -> None:
    found = shape([square(200, 10)])
    assert found.polygon.bounds == pytest.approx((-160, 10, -159.998, 10.002))


@pytest.mark.parametrize(
    ("rings", "part"),
    [
        ([square(0, 0, 5e-5)], "at least 100 m2"),
        ([square(0, 0, 0.5)], "at most 100,000 ha"),
        ([square(0, 0, 3)], "at most 2 degrees"),
        ([square(0, 0)[:2]], "at least 4 positions"),
        ([square(0, 0), square(5, 5)], "hole lies outside shell"),
        ([[(0, 0), (1, 1), (2, 2), (0, 0)]], "not valid"),
        ([[(179, 0), (-170, 0), (-170, 1), (179, 0)]], "at most 2 degrees"),
    ],
)
def test_limits(rings: list[Ring], part: str) -> None:
    with pytest.raises(GeometryFault, match=part):
        shape(rings)


@pytest.mark.parametrize("lat", [0.0, 30.0, 45.0, 60.0, 80.0])
def test_t16_area_is_geodesic(lat: float) -> None:
    """Against the area on the authalic sphere, by its own formula, of a box between two parallels."""
    found = shape([[(10, lat), (10.1, lat), (10.1, lat + 0.1), (10, lat + 0.1), (10, lat)]])
    assert found.area_m2 == pytest.approx(authalic_box(0.1, lat, lat + 0.1), rel=1e-6)


def authalic_box(width_deg: float, south: float, north: float) -> float:
    e2 = 0.0066943799901413165
    e = np.sqrt(e2)

    def q(lat: float) -> float:
        s = np.sin(np.radians(lat))
        return float((1 - e2) * (s / (1 - e2 * s * s) - np.log((1 - e * s) / (1 + e * s)) / (2 * e)))

    return float(6_378_137.0**2 / 2 * np.radians(width_deg) * (q(north) - q(south)))
