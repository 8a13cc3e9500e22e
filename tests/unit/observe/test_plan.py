"""Plan: each parcel on one grid, windows that contain their parcels, whatever the order of what comes in."""

from __future__ import annotations

import datetime as dt
import itertools

import geopandas as gpd
import numpy as np
import pyproj
import pystac
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pydantic import ValidationError
from shapely import MultiPolygon, affinity, box
from shapely.geometry.base import BaseGeometry

from geocollateral.errors import BrokenData
from geocollateral.intake.geometry import geodesic_area
from geocollateral.observe.plan import Plan, PlanParams, grid_of, plan_blocks

WEST = GeoBox((200, 200), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
EAST = GeoBox((200, 200), Affine(10, 0, 501_000, 0, -10, 5_000_000), "EPSG:32633")
"""Overlaps the eastern half of WEST."""


def item(name: str, grid: GeoBox, day: int = 1, **changes: object) -> pystac.Item:
    properties = {
        "proj:code": str(grid.crs),
        "proj:transform": list(grid.affine)[:6],
        "proj:shape": list(grid.shape),
        **changes,
    }
    when = dt.datetime(2020, 1, day, tzinfo=dt.UTC)
    properties = {key: value for key, value in properties.items() if value is not None}
    return pystac.Item(id=name, geometry=None, bbox=None, datetime=when, properties=properties)


def pixels(left: float, top: float, right: float, bottom: float, grid: GeoBox = WEST) -> BaseGeometry:
    """Box in columns and rows of a grid, on the ground."""
    return affinity.affine_transform(box(left, top, right, bottom), list(grid.affine.to_shapely()))


def parcels(**shapes: BaseGeometry) -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame({"parcel_id": list(shapes)}, geometry=list(shapes.values()), crs=32633)
    return frame.set_index("parcel_id").to_crs(4326)


def home_of(plan: Plan, parcel_id: str) -> GeoBox:
    [block] = [block for block in plan.blocks if parcel_id in block.parcel_ids]
    return plan.grids[block.block_id]


def test_parcel_keeps_its_place_and_area() -> None:
    shape = pixels(20.3, 30.7, 41.2, 55.1)
    plan = plan_blocks(parcels(a=shape), [item("s", WEST)], PlanParams())
    assert plan.geometries[plan.blocks[0].block_id]["a"].symmetric_difference(shape).area < 1e-5 * shape.area
    assert plan.visible_fraction == {"a": pytest.approx(1.0)}


@pytest.mark.parametrize("margin", [0, 3, 8])
def test_window_is_the_parcel_and_its_margin_on_the_pixels_of_the_grid(margin: int) -> None:
    plan = plan_blocks(parcels(a=pixels(20.3, 30.7, 41.2, 55.1)), [item("s", WEST)], PlanParams(margin_pixels=margin))
    [block] = plan.blocks
    assert block.geobox == WEST[30 - margin : 56 + margin, 20 - margin : 42 + margin]


def test_margin_is_clipped_to_the_grid() -> None:
    plan = plan_blocks(parcels(a=pixels(0.5, 193.5, 6.5, 199.5)), [item("s", WEST)], PlanParams(margin_pixels=8))
    [block] = plan.blocks
    assert block.geobox == WEST[185:200, 0:15]


def test_margin_reaches_as_far_as_the_masks_look() -> None:
    params = PlanParams(margin_pixels=2)
    shape = parcels(a=pixels(60.5, 60.5, 70.5, 70.5))
    for reach_m, margin in ((0, 2), (20, 2), (21, 3), (125, 13)):
        [block] = plan_blocks(shape, [item("s", WEST)], params, reach_m=reach_m).blocks
        assert block.geobox.shape == (11 + 2 * margin, 11 + 2 * margin)


def test_part_outside_is_told_and_the_window_stays_inside() -> None:
    plan = plan_blocks(parcels(a=pixels(-10, 50, 30, 60)), [item("s", WEST)], PlanParams())
    assert plan.visible_fraction["a"] == pytest.approx(0.75, abs=1e-6)
    [block] = plan.blocks
    assert block.geobox.boundingbox.left == WEST.boundingbox.left


def test_parcel_outside_has_no_block_but_a_share_of_zero() -> None:
    plan = plan_blocks(
        parcels(inside=pixels(5, 5, 15, 15), outside=pixels(-50, 5, -40, 15), touching=pixels(-10, 5, 0, 15)),
        [item("s", WEST)],
        PlanParams(),
    )
    assert plan.visible_fraction["outside"] == 0
    assert plan.visible_fraction["touching"] == pytest.approx(0, abs=1e-8)
    assert all("outside" not in held for held in plan.geometries.values())
    assert [i for block in plan.blocks for i in block.parcel_ids if i == "outside"] == []


def test_nothing_to_see_is_no_block() -> None:
    assert plan_blocks(parcels(a=pixels(-50, 5, -40, 15)), [item("s", WEST)], PlanParams()).blocks == ()


def test_of_two_tiles_the_one_that_holds_more_of_it() -> None:
    items = [item("w1", WEST), item("e1", EAST), item("e2", EAST, 2)]
    plan = plan_blocks(parcels(a=pixels(85, 20, 125, 30), b=pixels(185, 20, 225, 30)), items, PlanParams())
    assert home_of(plan, "a") == WEST
    assert home_of(plan, "b") == EAST


def test_of_tiles_that_both_hold_it_all_the_one_with_more_scenes() -> None:
    shape = parcels(a=pixels(120, 20, 140, 30))
    assert (
        home_of(plan_blocks(shape, [item("w", WEST), item("e1", EAST), item("e2", EAST, 2)], PlanParams()), "a") == EAST
    )
    assert (
        home_of(plan_blocks(shape, [item("w1", WEST), item("w2", WEST, 2), item("e", EAST)], PlanParams()), "a") == WEST
    )


def test_a_block_reads_the_scenes_of_its_tile_only_and_in_order() -> None:
    items = [item("w2", WEST, 2), item("e", EAST), item("w1", WEST, 1), item("w0", WEST, 2)]
    plan = plan_blocks(parcels(a=pixels(20, 20, 30, 30)), items, PlanParams())
    assert [i.id for i in plan.blocks[0].items] == ["w1", "w0", "w2"]


def test_t15_order_of_items_and_parcels_changes_nothing() -> None:
    """Two zones and two tiles; in odc-stac the first item would set the grid (T15)."""
    other = GeoBox((200, 200), Affine(10, 0, 29_000, 0, -10, 5_005_000), "EPSG:32634")
    items = [item("w", WEST), item("e", EAST), item("z", other)]
    shapes = {"a": pixels(120, 20, 140, 30), "b": pixels(20, 100, 30, 130), "c": pixels(150, 150, 170, 190)}
    found = set()
    orders = zip(itertools.permutations(items), itertools.permutations(shapes), strict=True)
    for order, names in orders:
        plan = plan_blocks(parcels(**{name: shapes[name] for name in names}), list(order), PlanParams(block_pixels=64))
        found.add(
            (
                tuple((b.block_id, b.geobox, b.parcel_ids, tuple(i.id for i in b.items)) for b in plan.blocks),
                tuple(sorted(plan.visible_fraction.items())),
            )
        )
    assert len(found) == 1


@pytest.mark.parametrize("block_pixels", [16, 64, 256])
def test_each_parcel_is_in_one_block_that_holds_it_all(block_pixels: int) -> None:
    rng = np.random.default_rng(4)
    shapes = {
        f"p{n}": affinity.rotate(pixels(x, y, x + w, y + h), 30)
        for n, (x, y, w, h) in enumerate(rng.uniform([0, 0, 1, 1], [180, 180, 40, 40], (40, 4)))
    }
    plan = plan_blocks(parcels(**shapes), [item("s", WEST)], PlanParams(block_pixels=block_pixels))
    homes = [parcel_id for block in plan.blocks for parcel_id in block.parcel_ids]
    assert sorted(homes) == sorted(shapes)
    frame = box(*WEST.boundingbox.bbox)
    for block in plan.blocks:
        window = box(*block.geobox.boundingbox.bbox).buffer(1e-6)
        assert all(window.contains(plan.geometries[block.block_id][i].intersection(frame)) for i in block.parcel_ids)


SOUTH = GeoBox((200, 200), Affine(10, 0, 500_000, 0, -10, 4_998_000), "EPSG:32633")
"""The tile below WEST, on the same lattice."""


def test_parcel_that_no_tile_holds_is_read_from_all_it_meets() -> None:
    items = [item("n", WEST), item("s", SOUTH), item("e", EAST)]
    plan = plan_blocks(parcels(a=pixels(20.3, 190.3, 39.7, 214.7), b=pixels(20, 20, 40, 40)), items, PlanParams())
    [seam] = [block for block in plan.blocks if "a" in block.parcel_ids]
    assert {i.id for i in seam.items} == {"n", "s"}
    assert seam.geobox.shape == (25 + 16, 20 + 16)
    assert plan.visible_fraction["a"] == pytest.approx(1.0)
    [whole] = [block for block in plan.blocks if "b" in block.parcel_ids]
    assert {i.id for i in whole.items} == {"n"}


def test_a_lattice_shifted_by_half_a_pixel_is_another_one() -> None:
    off = GeoBox((200, 200), Affine(10, 0, 500_005, 0, -10, 4_998_000), "EPSG:32633")
    plan = plan_blocks(parcels(a=pixels(20, 190, 40, 215)), [item("n", WEST), item("s", off)], PlanParams())
    [block] = plan.blocks
    assert len(block.items) == 1
    assert plan.visible_fraction["a"] == pytest.approx(15 / 25, abs=0.02)


def radar(name: str, grid: GeoBox, day: int = 1) -> pystac.Item:
    scene = item(name, grid, day)
    scene.add_asset("vv", pystac.Asset(href="vv.tif"))
    return scene


def test_radar_has_blocks_of_its_own_with_every_scene_that_meets_it() -> None:
    north = GeoBox((90, 300), Affine(10, 0, 499_000, 0, -10, 5_000_200), "EPSG:32633")
    south = GeoBox((300, 300), Affine(10, 0, 499_000, 0, -10, 4_999_500), "EPSG:32633")
    far = GeoBox((50, 50), Affine(10, 0, 520_000, 0, -10, 5_000_000), "EPSG:32633")
    scenes = [radar("a", north), radar("b", south), radar("c", far), item("o", WEST)]
    plan = plan_blocks(parcels(p=pixels(20, 50, 40, 65)), scenes, PlanParams())
    optical, backscatter = plan.blocks
    assert [i.id for i in optical.items] == ["o"]
    assert [i.id for i in backscatter.items] == ["a", "b"]
    assert backscatter.geobox.boundingbox.bbox == optical.geobox.boundingbox.bbox
    assert plan.optical_home("p") == optical
    assert plan.offered == {False: frozenset(), True: frozenset({"vv"})}


def test_radar_of_two_zones_is_read_on_both() -> None:
    zone = GeoBox((300, 300), Affine(10, 0, 28_500, 0, -10, 5_018_000), "EPSG:32634")
    near = GeoBox((300, 300), Affine(10, 0, 499_000, 0, -10, 5_000_200), "EPSG:32633")
    plan = plan_blocks(parcels(p=pixels(100, 50, 120, 65)), [radar("a", near), radar("b", zone)], PlanParams())
    assert sorted(str(block.geobox.crs) for block in plan.blocks) == ["EPSG:32633", "EPSG:32634"]
    assert {i for block in plan.blocks for i in block.parcel_ids} == {"p"}


@pytest.mark.parametrize("lacking", ["proj:code", "proj:transform", "proj:shape"])
def test_item_without_its_grid_is_broken(lacking: str) -> None:
    strange = item("strange", WEST, **{lacking: None})
    with pytest.raises(BrokenData, match="strange"):
        plan_blocks(parcels(a=pixels(5, 5, 15, 15)), [item("s", WEST), strange], PlanParams())


def test_grid_by_wkt_is_the_grid_by_code() -> None:
    assert grid_of(item("s", WEST, **{"proj:code": None, "proj:wkt2": WEST.crs.to_wkt()})) == WEST


def test_parcels_must_be_parcels() -> None:
    with pytest.raises(BrokenData, match="EPSG:4326"):
        plan_blocks(parcels(a=pixels(5, 5, 15, 15)).to_crs(32633), [item("s", WEST)], PlanParams())


@pytest.mark.parametrize(("field", "value"), [("block_pixels", 8), ("margin_pixels", -1), ("margin", 2)])
def test_bounds(field: str, value: int) -> None:
    with pytest.raises(ValidationError):
        PlanParams.model_validate({field: value})


def test_t21_parcel_across_180_degrees_is_one_piece_on_the_grid() -> None:
    """Fiji: the two halves of RFC 7946 meet again in UTM zone 1, and in zone 60 where the imagery lies there."""
    ground = box(-180.01, -17.01, -179.99, -16.99)  # degrees east of 0 run on below -180
    halves = MultiPolygon([box(179.99, -17.01, 180.0, -16.99), box(-180.0, -17.01, -179.99, -16.99)])
    frame = gpd.GeoDataFrame({"parcel_id": ["p"]}, geometry=[halves], crs=4326).set_index("parcel_id")
    for code in (32701, 32760):
        to_grid = pyproj.Transformer.from_crs(4326, code, always_xy=True)
        x, y = to_grid.transform([ground.bounds[0], ground.bounds[2]], [-17.0, -17.0])
        left, top = round(min(x), -1) - 5_000, round(y[0], -1) + 5_000
        tile = GeoBox((1500, 1500), Affine(10, 0, left, 0, -10, top), f"EPSG:{code}")
        plan = plan_blocks(frame, [item("s", tile)], PlanParams())
        [block] = plan.blocks
        assert plan.visible_fraction["p"] == pytest.approx(1.0)
        shape = plan.geometries[block.block_id]["p"]
        west, _, east, _ = shape.bounds
        assert east - west < 2_500
        assert shape.area == pytest.approx(geodesic_area(halves), rel=5e-3)  # the grid's own scale apart
        assert block.geobox.shape.x < 260
