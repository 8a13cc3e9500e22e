"""GDAL as the judge of our readers: files it wrote give the geometry and the attributes it reads itself."""

from __future__ import annotations

import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from parcel_files import zipped
from shapely.geometry import MultiPolygon, Polygon, box

from geocollateral.intake.formats import choose_format

POLYGON = box(116, 40, 116.01, 40.01).difference(box(116.002, 40.002, 116.004, 40.004))
PARTS = MultiPolygon(
    [
        POLYGON,
        box(117, 40, 117.01, 40.01),
        box(117.02, 40, 117.03, 40.01).difference(box(117.022, 40.002, 117.025, 40.004)),
    ]
)
ISLAND = MultiPolygon([box(0, 0, 9, 9).difference(box(1, 1, 8, 8)), box(3, 3, 5, 5).difference(box(3.5, 3.5, 4, 4))])


def stars(count: int) -> list[Polygon]:
    rng = np.random.default_rng(5)
    found = []
    for n in range(count):
        turn = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 60)))
        reach = rng.uniform(0.2, 1, len(turn))
        found.append(Polygon(np.column_stack([n + reach * np.cos(turn) / 3, 40 + reach * np.sin(turn) / 3])))
    return found


@pytest.fixture
def table() -> gpd.GeoDataFrame:
    shapes = [POLYGON, PARTS, ISLAND, *stars(60)]
    shapes = [shapely.set_precision(shape, 1e-9) if shape.is_valid else shape for shape in shapes]
    n = len(shapes)
    columns = {
        "地块": [f"地块{k}号" for k in range(n)],
        "whole": [k * 1000 - 7 for k in range(n)],
        "number": [k / 7 for k in range(n)],
        "text": [None if k % 3 == 0 else f"文 {k}" for k in range(n)],
    }
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=4326)


def write(table: gpd.GeoDataFrame, folder: Path, kind: str) -> tuple[Path, bytes, str]:
    """A file that GDAL wrote: what GDAL reads, and the bytes and the name that we read."""
    if kind == "gpkg":
        table.to_file(folder / "a.gpkg", layer="fields", driver="GPKG")
        return folder / "a.gpkg", (folder / "a.gpkg").read_bytes(), "a.gpkg"
    if kind in ("kml", "libkml"):
        table.to_file(folder / "a.kml", driver=kind.upper())
        return folder / "a.kml", (folder / "a.kml").read_bytes(), "a.kml"
    shapes = folder / "shapes"
    shapes.mkdir()
    table.to_file(shapes / "a.shp", encoding=kind.removeprefix("shp-"))
    return shapes / "a.shp", zipped({path.name: path.read_bytes() for path in shapes.iterdir()}), "a.zip"


@pytest.mark.parametrize("kind", ["gpkg", "libkml", "kml", "shp-utf-8", "shp-gbk"])
def test_files_that_gdal_wrote(table: gpd.GeoDataFrame, tmp_path: Path, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path, content, name = write(table, tmp_path, kind)
        judge = gpd.read_file(path)
    ours = choose_format(content, name).parse(content, name)
    assert len(ours.features) == len(judge) == len(table)
    for feature, (_, row) in zip(ours.features, judge.iterrows(), strict=True):
        outline = shapely.force_2d(shapely.geometry.shape(feature.geometry))
        theirs = shapely.force_2d(row.geometry)
        assert outline.normalize().equals_exact(theirs.normalize(), 1e-12), feature.place
        if kind != "kml":  # that driver writes no attributes
            assert feature.properties["地块"] == row["地块"]
            assert float(feature.properties["whole"]) == float(row["whole"])  # type: ignore[arg-type]
            assert float(feature.properties["number"]) == pytest.approx(float(row["number"]), abs=1e-9)  # type: ignore[arg-type]
            assert (feature.properties.get("text") or None) == (row["text"] if isinstance(row["text"], str) else None)
