"""Ground around the parcels."""

from __future__ import annotations

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from geocollateral.observe import zonal

GRID = GeoBox((20, 30), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32650")


def test_cells_touch_no_parcel_and_are_whole() -> None:
    cover = zonal.coverage({"p": box(500_065, 3_999_865, 500_135, 3_999_935)}, GRID)
    cells = zonal.ground_around(cover, GRID)
    assert not set(cells.pixels.tolist()) & set(cover.pixels.tolist())
    assert set(np.diff(cells.fraction.indptr).tolist()) == {9}
    # Rows 4 and 13, columns 4, 13 and 22 start a cell; the parcel has rows and columns 6 to 13.
    assert cells.parcel_ids == ("~4-22", "~13-22")


def test_two_windows_over_one_place_have_the_same_cells() -> None:
    wide = GeoBox((40, 60), GRID.affine @ Affine.translation(-11, -7), GRID.crs)
    places = []
    for grid in (GRID, wide):
        cover = zonal.coverage({"p": box(500_065, 3_999_865, 500_135, 3_999_935)}, grid)
        names = zonal.ground_around(cover, grid).parcel_ids
        spots = [tuple(map(int, name[1:].split("-"))) for name in names]
        places.append({(grid.affine.c + 10 * column, grid.affine.f - 10 * row) for row, column in spots})
    assert places[0] < places[1]


def test_means_equal_the_statistics() -> None:
    cover = zonal.coverage(
        {"p": box(500_063, 3_999_861, 500_137, 3_999_939), "q": box(500_000, 3_999_900, 500_055, 3_999_999)}, GRID
    )
    rng = np.random.default_rng(3)
    values = rng.normal(size=(4, len(cover.pixels))).astype(np.float32)
    clear = rng.random(values.shape) < 0.7
    table = xr.Dataset(
        {"ndvi": (("time", "pixel"), values)},
        coords={"time": np.arange(4).astype("datetime64[D]").astype("datetime64[ns]")},
    )
    quick, full = zonal.zonal_means(table, clear, cover), zonal.zonal_statistics(table, clear, cover)
    for name in ("mean", "valid_fraction"):
        np.testing.assert_array_equal(quick[name].values, full[name].values)


def test_cells_beside_a_parcel_fill_its_surroundings_and_touch_no_other() -> None:
    shapes = {"p": box(500_065, 3_999_865, 500_135, 3_999_935), "q": box(500_150, 3_999_865, 500_200, 3_999_935)}
    cover = zonal.coverage(shapes, GRID)
    cells = zonal.ground_beside(cover, GRID, {"p"}, 3)
    corners = [zonal.corner_of(name) for name in cells.parcel_ids]
    assert not set(cells.pixels.tolist()) & set(cover.pixels.tolist())
    # The parcel has rows and columns 6 to 13, the other one columns 15 to 19; cells start on rows and columns 1, 4, ...
    assert {row for row, _ in corners} == {1, 4, 7, 10, 13, 16}
    assert max(column for _, column in corners) == 16
    assert all(column < 4 for row, column in corners if 7 <= row <= 10)
    assert zonal.ground_beside(cover, GRID, (), 3).parcel_ids == ()
