"""Ground that two outlines share: sizes computed by hand, noise left alone, one land in two places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_cases import KX, KY, pairs_of, plant, rectangle

from geocollateral.intake import gcj02
from geocollateral.intake.shared_ground import (
    DATUM_SHIFTS,
    PledgeParams,
    SharedGround,
    common_area,
    find_moved,
    find_shared,
    merge,
    metres_per_degree,
    reach_boxes,
    union_area,
)
from geocollateral.types import MU_M2

PARAMS = PledgeParams()


def shapes(*outlines: shapely.Geometry) -> np.ndarray:
    out = np.empty(len(outlines), dtype=object)
    out[:] = outlines
    return out


def shared(one: shapely.Geometry, other: shapely.Geometry, params: PledgeParams = PARAMS) -> SharedGround | None:
    found = find_shared(shapes(one), shapes(other), params)
    return found[0] if found else None


def test_area_and_shares_are_those_of_the_ground() -> None:
    pair = shared(rectangle(0, 0, 100, 200), rectangle(60, 0, 80, 100))
    assert pair is not None
    assert pair.kind == "overlap"
    assert pair.area_m2 == pytest.approx(4000, rel=1e-4)
    assert pair.first_frac == pytest.approx(0.2, rel=1e-4)
    assert pair.second_frac == pytest.approx(0.5, rel=1e-4)
    assert pair.width_m == pytest.approx(2 * 4000 / 280, rel=1e-3)


def test_degrees_are_as_long_as_the_geodesic_says() -> None:
    geod = pyproj.Geod(ellps="WGS84")
    for latitude in (0.0, 26.0, 53.0, -40.0):
        kx, ky = (float(k[0]) for k in metres_per_degree(np.array([latitude])))
        assert geod.inv(10, latitude, 10.01, latitude)[2] == pytest.approx(kx * 0.01, rel=1e-6)
        assert geod.inv(10, latitude - 0.005, 10, latitude + 0.005)[2] == pytest.approx(ky * 0.01, rel=1e-6)


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        pytest.param(rectangle(200, 0, 50, 50), None, id="elsewhere"),
        pytest.param(rectangle(100, 0, 50, 200), None, id="shared border"),
        pytest.param(rectangle(99.5, 0, 50, 100), None, id="50 m2"),
        pytest.param(rectangle(96, 0, 50, 100), None, id="strip of 4 m, 0.6 mu"),
        pytest.param(rectangle(95.9, 0, 50, 200), "border_strip", id="strip of 4.1 m, 1.2 mu"),
        pytest.param(rectangle(94, 0, 50, 20), "overlap", id="wider than 5 m, 0.18 mu"),
        pytest.param(rectangle(80, 0, 100, 100), "overlap", id="3 mu"),
        pytest.param(rectangle(2, 3, 96, 194), "redrawn", id="nearly all"),
        pytest.param(rectangle(50, 0, 3, 200), "overlap", id="a windbreak of 3 m, all of it"),
    ],
)
def test_what_counts(other: shapely.Geometry, kind: str | None) -> None:
    pair = shared(rectangle(0, 0, 100, 200), other)
    assert (pair and pair.kind) == kind


def test_a_thin_strip_does_not_hide_the_mu_at_its_end() -> None:
    flag = shapely.union(rectangle(98, 0, 50, 200), rectangle(70, 100, 50, 25))
    pair = shared(rectangle(0, 0, 100, 200), flag)
    assert pair is not None
    assert pair.kind == "overlap"
    assert pair.area_m2 == pytest.approx(2 * 200 + 28 * 25, rel=1e-3)


def test_one_outline_is_not_compared_with_itself() -> None:
    assert find_shared(shapes(rectangle(0, 0, 100, 100)), None, PARAMS) == []
    twice = find_shared(shapes(rectangle(0, 0, 100, 100), rectangle(0, 0, 100, 100)), None, PARAMS)
    assert [(pair.first, pair.second, pair.kind) for pair in twice] == [(0, 1, "redrawn")]


def test_nothing_compares_with_nothing() -> None:
    none = shapes()
    assert find_shared(none, None, PARAMS) == find_moved(none, none, {}, PARAMS) == []
    assert union_area(none) == 0.0


def test_planted_overlaps_are_all_found_and_slivers_are_left() -> None:
    planted = plant(400, 80, 80, seed=3)
    certain = [pair for pair in find_shared(planted.outlines, None, PARAMS) if pair.kind != "border_strip"]
    found = pairs_of(certain)
    assert planted.overlaps <= found
    assert not planted.slivers & found


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_order_of_the_outlines_changes_nothing(seed: int) -> None:
    planted = plant(30, 8, 8, seed=7)
    order = np.random.default_rng(seed).permutation(len(planted.outlines))
    found = find_shared(planted.outlines[order], None, PARAMS)
    back = {(min(order[p.first], order[p.second]), max(order[p.first], order[p.second])) for p in found}
    assert back == pairs_of(find_shared(planted.outlines, None, PARAMS))


# ---- the same land in another datum

LAND = shapely.Polygon([(118 + x / KX, 26 + y / KY) for x, y in [(0, 0), (90, 10), (120, 70), (60, 110), (5, 80)]])


def moved(outline: shapely.Geometry, east_m: float, north_m: float) -> shapely.Geometry:
    return shapely.transform(outline, lambda xy: xy + np.array([east_m / KX, north_m / KY]))


def test_one_outline_at_another_place_is_told_with_its_vector() -> None:
    (pair,) = find_moved(shapes(LAND), shapes(moved(LAND, 430, -210)), {}, PARAMS)
    assert pair.kind == "moved"
    assert pair.moved_m == pytest.approx((430, -210), abs=1)
    assert pair.datum is None
    assert pair.area_m2 == 0.0


@pytest.mark.parametrize(("east_m", "north_m"), [(40, 0), (600, 600)])
def test_too_near_or_too_far_is_no_datum(east_m: float, north_m: float) -> None:
    assert find_moved(shapes(LAND), shapes(moved(LAND, east_m, north_m)), {}, PARAMS) == []


def test_another_shape_is_other_land() -> None:
    assert find_moved(shapes(LAND), shapes(rectangle(300, 0, 100, 100)), {}, PARAMS) == []


def test_a_field_of_equal_lots_says_nothing() -> None:
    lots = shapes(*(rectangle(120 * k, 0, 100, 80) for k in range(8)))
    assert find_moved(lots, None, {}, PARAMS) == []


def vector(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """530 m east and 260 m south, a little more to the east of it, as such vectors are."""
    return 530 / KX + 1e-4 * (lon - 118), -260 / KY + 0 * lat


@pytest.mark.parametrize("forwards", [True, False])
def test_a_datum_is_named_whichever_of_the_two_is_in_it(forwards: bool) -> None:
    crooked = shapely.buffer(moved(LAND, 530, -260), 1.5 / KX)  # drawn anew
    pair_of = (LAND, crooked) if forwards else (crooked, LAND)
    (pair,) = find_moved(shapes(pair_of[0]), shapes(pair_of[1]), {"GCJ-02": vector}, PARAMS)
    assert pair.datum == "GCJ-02"
    sign = 1 if forwards else -1
    assert pair.moved_m == pytest.approx((sign * 530, -sign * 260), abs=2)


def test_a_datum_is_told_among_equal_lots_too() -> None:
    lots = [rectangle(120 * k, 0, 100, 80) for k in range(8)]
    found = find_moved(shapes(*lots, moved(lots[3], 530, -260)), None, {"GCJ-02": vector}, PARAMS)
    assert [(pair.first, pair.second) for pair in found] == [(3, 8)]


@pytest.mark.parametrize(("name", "to"), [("GCJ-02", gcj02.wgs84_to_gcj02), ("BD-09", gcj02.wgs84_to_bd09)])
@pytest.mark.parametrize("forwards", [True, False])
def test_the_datums_of_web_maps_are_named(name: str, to: Callable[..., Any], *, forwards: bool) -> None:
    """Whichever of the two outlines is the one in the datum of the web map."""
    meant = rectangle(0, 0, 150, 80)
    drawn = shapely.transform(meant, to, interleaved=False)
    pair = found_moved(*((meant, drawn) if forwards else (drawn, meant)))
    assert pair is not None
    assert pair.datum == name
    assert pair.iou > 0.98
    lon, lat = np.array([118.0]), np.array([26.0])
    expected = np.hypot(*((a - b)[0] * k for a, b, k in zip(to(lon, lat), (lon, lat), (KX, KY), strict=True)))
    assert np.hypot(*pair.moved_m) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("place", [(0.0, 0.0), (-30 * KX, 17 * KY), (4 * KX, 14 * KY)])
@pytest.mark.parametrize("forwards", [True, False])
def test_two_outlines_in_two_wrong_datums_are_told_as_one(place: tuple[float, float], *, forwards: bool) -> None:
    """Fujian, Xinjiang and Beijing: neither outline lies where the land is."""
    meant = shapely.transform(rectangle(0, 0, 150, 80), lambda xy: xy + np.array(place) / (KX, KY))
    pair = [shapely.transform(meant, to, interleaved=False) for to in (gcj02.wgs84_to_gcj02, gcj02.wgs84_to_bd09)]
    found = found_moved(*(pair if forwards else pair[::-1]))
    assert found is not None
    assert found.datum == "GCJ-02/BD-09"
    assert found.iou > 0.96
    assert 600 < np.hypot(*(found.moved_m or (0, 0))) < 1100


def found_moved(one: shapely.Geometry, other: shapely.Geometry) -> SharedGround | None:
    found = find_moved(shapes(one), shapes(other), DATUM_SHIFTS, PARAMS)
    return found[0] if found else None


@pytest.mark.parametrize("place", [(2.35, 48.85), (-100.0, 40.0), (150.0, -30.0)])
def test_the_datums_of_web_maps_move_nothing_elsewhere(place: tuple[float, float]) -> None:
    lon, lat = np.array([place[0]]), np.array([place[1]])
    for shift in DATUM_SHIFTS.values():
        assert np.array_equal(np.array(shift(lon, lat)), np.zeros((2, 1)))


def test_where_a_datum_moves_nothing_it_explains_nothing() -> None:
    def still(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 0 * lon, 0 * lat

    assert find_moved(shapes(LAND), shapes(LAND), {"GCJ-02": still}, PARAMS) == []


def test_what_find_moved_can_find_lies_in_the_boxes() -> None:
    boxes = reach_boxes(LAND, {"GCJ-02": vector}, PARAMS)
    assert len(boxes) == 4
    for east, north, box in ((430, -210, 1), (530, -260, 2)):
        west, south, east_, north_ = boxes[box]
        assert shapely.intersects(shapely.box(west, south, east_, north_), moved(LAND, east, north))


def test_an_overlap_keeps_its_area_and_gets_the_vector() -> None:
    large = rectangle(0, 0, 400, 300)
    there = moved(large, 150, 40)
    one, other = shapes(large), shapes(there)
    (pair,) = merge(find_shared(one, other, PARAMS), find_moved(one, other, {}, PARAMS))
    assert pair.kind == "overlap"
    assert pair.area_m2 == pytest.approx(250 * 260, rel=1e-3)
    assert pair.moved_m == pytest.approx((150, 40), abs=1)


# ---- unions


def test_ground_that_two_parcels_cover_counts_once() -> None:
    """Evidence T23: 20,000 m2 in sum, 15,000 m2 of land."""
    one, other = rectangle(0, 0, 100, 100), rectangle(50, 0, 100, 100)
    assert union_area(shapes(one, other)) == pytest.approx(15_000, rel=1e-4)
    assert union_area(shapes(one, one)) == pytest.approx(10_000, rel=1e-4)


def test_what_others_cover_of_a_parcel_counts_once() -> None:
    own, others = rectangle(0, 0, 100, 100), shapes(rectangle(50, 0, 90, 100), rectangle(60, 0, 90, 100))
    assert common_area(own, others) == pytest.approx(5000, rel=1e-4)
    assert common_area(own, shapes(rectangle(100, 0, 10, 10))) == 0.0


def test_tolerance_is_a_setting() -> None:
    one, other = rectangle(0, 0, 100, 200), rectangle(80, 0, 100, 100)
    assert shared(one, other, PledgeParams(min_overlap_mu=2000 / MU_M2 + 0.01)) is None
    assert shared(one, other, PledgeParams(min_overlap_mu=2000 / MU_M2 - 0.01)) is not None
