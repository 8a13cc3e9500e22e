"""Parcel statistics against exactextract, run directly on the same raster."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from odc.geo.geobox import GeoBox
from shapely import MultiPolygon, Polygon, affinity, box
from shapely.geometry.base import BaseGeometry

from geocollateral.observe.zonal import coverage, zonal_statistics

GRID = GeoBox((40, 50), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
SHAPES: dict[str, BaseGeometry] = {
    "concave": Polygon([(2, 2), (30, 3), (29, 30), (25, 31), (24, 7), (3, 6)]),
    "two parts": MultiPolygon([box(1.5, 1.5, 14.2, 4.9), box(20.1, 10.3, 47.7, 18.4)]),
    "with a hole": affinity.rotate(box(5, 5, 35, 35), 20).difference(box(15.5, 14.2, 22.1, 25.8)),
    "partly outside": affinity.rotate(box(40, 20, 60, 35), 33),
    "corner": Polygon([(-10, 30), (10, 30), (10, 50), (-10, 50)]),
    "small": box(7.3, 8.4, 8.9, 9.7),
}


@pytest.fixture(scope="module")
def plane() -> np.ndarray:
    """Random index with holes, none of whose values is there twice."""
    rng = np.random.default_rng(25)
    values = rng.uniform(-0.2, 0.95, GRID.shape).astype(np.float32)
    values[rng.random(GRID.shape) < 0.2] = np.nan
    values[10:14, 20:30] = np.nan
    return values


def ours(plane: np.ndarray, shapes: dict[str, BaseGeometry]) -> xr.Dataset:
    cover = coverage(shapes, GRID)
    values = plane.ravel()[cover.pixels][None]
    cube = xr.Dataset(
        {"ndvi": (("time", "pixel"), values)}, coords={"time": np.array(["2020-06-01"], "datetime64[ns]")}
    )
    return zonal_statistics(cube, np.isfinite(values), cover).isel(index=0, time=0)


def test_t35_mean_of_the_index_equals_exactextract(plane: np.ndarray) -> None:
    ground = {name: affinity.affine_transform(shape, list(GRID.affine.to_shapely())) for name, shape in SHAPES.items()}
    frame = gpd.GeoDataFrame({"name": list(ground)}, geometry=list(ground.values()), crs=32633)
    raster = NumPyRasterSource(plane, *GRID.boundingbox.bbox, nodata=np.nan, srs_wkt=GRID.crs.to_wkt())
    judge = exact_extract(raster, frame, ["mean", "count"], include_cols=["name"], output="pandas").set_index("name")
    got = ours(plane, ground)
    for name, shape in SHAPES.items():
        assert got["mean"].sel(parcel=name).item() == pytest.approx(judge.loc[name, "mean"], abs=1e-6)
        share = judge.loc[name, "count"] / shape.area
        assert got["valid_fraction"].sel(parcel=name).item() == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("name", SHAPES)
def test_quantiles_are_the_values_that_hold_their_share_of_the_area(plane: np.ndarray, name: str) -> None:
    """Exactextract interpolates quantiles; ours are values that were seen. Both must lie within one value's reach."""
    ground = affinity.affine_transform(SHAPES[name], list(GRID.affine.to_shapely()))
    frame = gpd.GeoDataFrame(geometry=[ground], crs=32633)
    raster = NumPyRasterSource(plane, *GRID.boundingbox.bbox, nodata=np.nan, srs_wkt=GRID.crs.to_wkt())
    asked = ["values", "coverage", "quantile(q=0.1)", "quantile(q=0.5)", "quantile(q=0.9)"]
    [judge] = exact_extract(raster, frame, asked, output="pandas").to_dict("records")
    order = np.argsort(judge["values"])
    values, shares = judge["values"][order], judge["coverage"][order]
    reached = np.cumsum(shares) / shares.sum()
    got = ours(plane, {"p": ground})
    for quantile, label in ((0.1, "p10"), (0.5, "p50"), (0.9, "p90")):
        at = int(np.flatnonzero(reached >= quantile - 1e-9)[0])
        assert got[label].item() == pytest.approx(values[at], abs=1e-6)
        [key] = [k for k in judge if k.startswith("quantile") and k.endswith(label[1:])]
        near = values[max(at - 1, 0)], values[min(at + 1, len(values) - 1)]
        assert near[0] - 1e-6 <= judge[key] <= near[1] + 1e-6
