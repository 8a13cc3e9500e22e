"""Parcel statistics by hand."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely import MultiPolygon, Polygon, affinity, box
from shapely.geometry.base import BaseGeometry

from geocollateral.observe.zonal import coverage, series_table, to_decibel, weighted_quantiles, zonal_statistics
from geocollateral.types import SERIES_COLUMNS

GRID = GeoBox((20, 30), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")


def ground(shape: BaseGeometry, grid: GeoBox = GRID) -> BaseGeometry:
    """Columns and rows to metres."""
    return affinity.affine_transform(shape, list(grid.affine.to_shapely()))


def planes(*values: np.ndarray, name: str = "ndvi", pixels: np.ndarray | None = None) -> xr.Dataset:
    """Rasters (y, x), one per time, as the pixels of a coverage."""
    stack = np.stack([np.asarray(v, np.float32).ravel() for v in values])
    taken = stack if pixels is None else stack[:, pixels]
    days = np.datetime64("2020-06-01", "ns") + np.arange(len(values)) * np.timedelta64(5, "D")
    return xr.Dataset({name: (("time", "pixel"), taken)}, coords={"time": days})


SHAPES: dict[str, BaseGeometry] = {
    "whole pixels": box(3, 4, 9, 8),
    "between pixels": box(3.25, 4.5, 8.75, 9.1),
    "rotated": affinity.rotate(box(5, 5, 17, 14), 27),
    "triangle": Polygon([(2, 2), (19, 4), (6, 17)]),
    "with a hole": box(2, 2, 12, 12).difference(box(4.3, 4.7, 7.7, 8.2)),
    "two parts": MultiPolygon([box(1.5, 1.5, 4.2, 4.9), box(20.1, 10.3, 27.7, 18.4)]),
    "concave": Polygon([(1, 1), (15, 1), (15, 15), (13, 15), (13, 3), (1, 3)]),
    "sliver": Polygon([(1, 10.4), (28, 10.45), (28, 10.55), (1, 10.5)]),
    "within a pixel": box(7.2, 7.3, 7.4, 7.9),
}


@pytest.mark.parametrize("name", SHAPES)
def test_t25_covered_shares_add_up_to_the_area(name: str) -> None:
    shape = SHAPES[name]
    cover = coverage({"p": ground(shape)}, GRID)
    assert cover.fraction.sum() == pytest.approx(shape.area, rel=1e-3)
    assert cover.whole[0] == pytest.approx(shape.area, rel=1e-9)
    assert cover.inside[0] == pytest.approx(1, rel=1e-3)
    assert cover.fraction.data.min() > 0
    assert cover.fraction.data.max() <= 1 + 1e-9


@pytest.mark.parametrize("name", SHAPES)
def test_each_share_is_the_area_of_pixel_and_parcel(name: str) -> None:
    """Slow and obvious: intersect every pixel with the parcel."""
    shape = SHAPES[name]
    cover = coverage({"p": ground(shape)}, GRID)
    rows, columns = np.mgrid[:20, :30]
    cells = shapely.box(columns.ravel(), rows.ravel(), columns.ravel() + 1, rows.ravel() + 1)
    slow = shapely.area(shapely.intersection(cells, shape))
    fast = np.zeros(600)
    fast[cover.pixels[cover.fraction.indices]] = cover.fraction.data
    assert np.abs(fast - slow).max() < 1e-6


def test_whole_pixels_are_counted() -> None:
    cover = coverage({"a": ground(box(3, 4, 9, 8)), "b": ground(box(3.5, 4.5, 9.5, 8.5))}, GRID)
    assert dict(zip(cover.parcel_ids, cover.n_full.tolist(), strict=True)) == {"a": 24, "b": 15}


def test_part_outside_the_block_is_told() -> None:
    cover = coverage({"a": ground(box(-5, 4, 5, 8)), "b": ground(box(-9, 4, -5, 8))}, GRID)
    assert cover.inside.tolist() == pytest.approx([0.5, 0.0])
    assert cover.whole.tolist() == pytest.approx([40, 16])


def test_a_constant_field_gives_the_constant() -> None:
    cover = coverage({name: ground(shape) for name, shape in SHAPES.items()}, GRID)
    values = planes(np.full(GRID.shape, 0.37), pixels=cover.pixels)
    got = zonal_statistics(values, np.ones((1, cover.pixels.size), bool), cover)
    for statistic in ("mean", "p10", "p50", "p90"):
        assert np.allclose(got[statistic].values, np.float32(0.37), rtol=0, atol=1e-9)
    assert np.allclose(got["valid_fraction"].values, 1, rtol=1e-3)


def test_t7_one_cell_of_a_checkerboard_is_exactly_that_cell() -> None:
    """A shift by half a pixel would mix in the neighbours (T7)."""
    board = np.indices(GRID.shape).sum(axis=0) % 2
    cover = coverage({"odd": ground(box(4, 5, 5, 6)), "even": ground(box(5, 5, 6, 6))}, GRID)
    got = zonal_statistics(planes(board, pixels=cover.pixels), np.ones((1, cover.pixels.size), bool), cover)
    assert got["mean"].sel(parcel=["odd", "even"]).values.ravel().tolist() == [1.0, 0.0]
    assert got["n_pixels"].values.ravel().tolist() == [1, 1]


def test_weights_by_hand() -> None:
    """A quarter of a pixel of 1, a half of 2, one whole of 4."""
    plane = np.zeros(GRID.shape)
    plane[0, :3] = 1, 2, 4
    parts = MultiPolygon([box(0.5, 0.5, 1, 1), box(1, 0.5, 2, 1), box(2, 0, 3, 1)])
    cover = coverage({"p": ground(parts.buffer(0))}, GRID)
    got = zonal_statistics(planes(plane, pixels=cover.pixels), np.ones((1, cover.pixels.size), bool), cover)
    assert got["mean"].item() == pytest.approx((0.25 * 1 + 0.5 * 2 + 1 * 4) / 1.75)
    assert got["p10"].item() == 1  # reached at 0.25 of 1.75
    assert got["p50"].item() == 4
    assert got["p90"].item() == 4


def test_t4_t11_clouds_take_their_share_and_nothing_else() -> None:
    """A quarter hidden or without data: mean of the rest unchanged, valid fraction exact (T4, T11)."""
    rng = np.random.default_rng(2)
    plane = rng.uniform(0, 1, GRID.shape)
    cover = coverage({"p": ground(box(4, 4, 12, 12))}, GRID)
    clear = np.ones((4, cover.pixels.size), bool)
    columns = cover.pixels % 30
    clear[1, columns < 6] = False
    holed = plane.copy()
    holed[:, :6] = np.nan
    clear[3] = False
    got = zonal_statistics(planes(plane, plane, holed, plane, pixels=cover.pixels), clear, cover)
    rest = plane[4:12, 6:12].astype(np.float32).mean(dtype=np.float64)
    assert got["mean"].values.ravel()[[1, 2]] == pytest.approx([rest, rest], rel=1e-12)
    assert got["valid_fraction"].values.ravel() == pytest.approx([1, 0.75, 0.75, 0])
    assert got["n_pixels"].values.ravel().tolist() == [64, 48, 48, 0]
    assert np.isnan([got[s].values.ravel()[3] for s in ("mean", "p10", "p50", "p90")]).all()


def test_valid_fraction_is_of_the_whole_parcel_not_of_what_lies_inside() -> None:
    cover = coverage({"p": ground(box(-5, 4, 5, 8))}, GRID)
    got = zonal_statistics(
        planes(np.ones(GRID.shape), pixels=cover.pixels), np.ones((1, cover.pixels.size), bool), cover
    )
    assert got["valid_fraction"].item() == pytest.approx(0.5)


def test_parcels_that_share_pixels_do_not_share_statistics() -> None:
    plane = np.zeros(GRID.shape)
    plane[:, 10:] = 1
    shapes = {"left": box(5, 5, 10.5, 9), "right": box(10.5, 5, 15, 9)}
    cover = coverage({k: ground(v) for k, v in shapes.items()}, GRID)
    got = zonal_statistics(planes(plane, pixels=cover.pixels), np.ones((1, cover.pixels.size), bool), cover)
    assert got["mean"].sel(parcel="left").item() == pytest.approx(0.5 / 5.5)
    assert got["mean"].sel(parcel="right").item() == 1


def test_t24_small_parcels_equal_a_one_metre_oracle() -> None:
    """A tenth of a hectare on a field of two classes; pixel centres would miss or double it (T24)."""
    rng = np.random.default_rng(24)
    classes = np.kron(rng.uniform(0.2, 0.9, (10, 15)), np.ones((2, 2)))
    fine = np.kron(classes, np.ones((10, 10)))
    rows, columns = (np.mgrid[:200, :300] + 0.5) / 10
    worst = 0.0
    for _ in range(60):
        shape = affinity.rotate(box(0, 0, 2.5, 4), rng.uniform(0, 180))
        shape = affinity.translate(shape, *rng.uniform([4, 4], [22, 12]))
        cover = coverage({"p": ground(shape)}, GRID)
        got = zonal_statistics(planes(classes, pixels=cover.pixels), np.ones((1, cover.pixels.size), bool), cover)
        oracle = fine[shapely.contains_xy(shape, columns, rows)].mean()
        worst = max(worst, abs(got["mean"].item() / oracle - 1))
    assert worst <= 0.01


def test_no_parcels_and_no_looks() -> None:
    cover = coverage({"p": ground(box(4, 4, 12, 12))}, GRID)
    got = zonal_statistics(
        planes(np.ones(GRID.shape), pixels=cover.pixels).isel(time=[]), np.ones((0, cover.pixels.size), bool), cover
    )
    assert got["mean"].shape == (1, 0, 1)


# ------------------------------------------------------------------------------------------------------------ quantiles


@pytest.mark.parametrize(
    ("values", "weights", "quantile", "expected"),
    [
        ([3, 1, 2], [1, 1, 1], 0.5, 2),
        ([1, 2, 3, 4], [1, 1, 1, 1], 0.5, 2),
        ([1, 2, 3, 4], [1, 1, 1, 1], 0.51, 3),
        ([1, 2, 3, 4], [1, 1, 1, 97], 0.5, 4),
        ([4, 3, 2, 1], [1, 1, 1, 97], 0.5, 1),
        ([5, 6], [0.1, 0.9], 0.1, 5),
        ([5, 6], [0.09, 0.91], 0.1, 6),
        ([1, np.nan, 3], [1, 100, 1], 0.9, 3),
        ([np.nan, np.nan], [1, 1], 0.5, np.nan),
        ([7], [0.2], 0.1, 7),
        (list(range(1, 11)), [0.1] * 10, 0.3, 3),
    ],
)
def test_quantile_by_hand(values: list[float], weights: list[float], quantile: float, expected: float) -> None:
    got = weighted_quantiles(np.array([values], float), np.array(weights, float), [quantile])
    assert got.item() == pytest.approx(expected, nan_ok=True)


def test_quantiles_of_no_pixels() -> None:
    assert np.isnan(weighted_quantiles(np.zeros((3, 0)), np.zeros(0), [0.1, 0.5])).all()


# -------------------------------------------------------------------------------------------------------- dB and tables


def test_t34_decibel_of_the_mean_is_not_the_mean_of_decibel() -> None:
    """-5 and -20 dB average to -7.9 dB, not to -12.5 (T34)."""
    plane = np.full(GRID.shape, 10**-0.5)
    plane[:, 1::2] = 10**-2.0
    cover = coverage({"p": ground(box(4, 4, 12, 12))}, GRID)
    power = zonal_statistics(planes(plane, pixels=cover.pixels), np.ones((1, cover.pixels.size), bool), cover)
    decibel = to_decibel(power)
    assert decibel["mean"].item() == pytest.approx(10 * np.log10((10**-0.5 + 10**-2.0) / 2), abs=1e-6)
    assert decibel["p10"].item() == pytest.approx(-20, abs=1e-5)
    assert decibel["p90"].item() == pytest.approx(-5, abs=1e-5)
    assert decibel["valid_fraction"].equals(power["valid_fraction"])


def test_table_has_the_columns_of_the_contract_and_looks_only() -> None:
    cover = coverage({"a": ground(box(4, 4, 12, 12)), "b": ground(box(14, 4, 18, 12))}, GRID)
    clear = np.ones((2, cover.pixels.size), bool)
    clear[1, cover.pixels % 30 < 13] = False
    values = planes(np.ones(GRID.shape), np.ones(GRID.shape), pixels=cover.pixels)
    table = series_table(zonal_statistics(values, clear, cover), ["s1", "s2+s3"], "sentinel-2")
    assert set(SERIES_COLUMNS) <= set(table.columns)
    assert table[["parcel_id", "scene_id"]].values.tolist() == [["a", "s1"], ["b", "s1"], ["b", "s2+s3"]]
    assert set(table["sensor"]) == {"sentinel-2"}
    assert set(table["index"]) == {"ndvi"}
