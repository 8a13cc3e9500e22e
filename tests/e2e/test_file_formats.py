"""The same parcels in every format are the same parcels, down to the figures of the assessment."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from parcel_files import zipped

from geocollateral import service
from geocollateral.intake import read_parcels

Run = Callable[..., tuple[int, str, str]]
FORMATS = ("a.zip", "a.kml", "a.kmz", "a.gpkg", "wkt.csv", "corners.csv", "chinese.csv", "a.txt")


def corners(table: gpd.GeoDataFrame) -> list[tuple[str, str, int, float, float]]:
    return [
        (row.parcel_id, row.asset_class, n, x, y)
        for row in table.itertuples()
        for n, (x, y) in enumerate(row.geometry.exterior.coords[:-1], start=1)
    ]


def content_of(table: gpd.GeoDataFrame, name: str, folder: Path) -> bytes:
    """The parcels as a file of that name; what only GDAL can write well is written by GDAL."""
    path = folder / "made" / name
    path.parent.mkdir()
    if name == "a.gpkg":
        table.to_file(path, driver="GPKG")
    elif name == "a.kml":
        table.to_file(path, driver="LIBKML")
    elif name == "a.kmz":
        path.write_bytes(zipped({"doc.kml": content_of(table, "a.kml", path.parent)}))
    elif name == "a.zip":
        shapes = path.parent / "fields"
        shapes.mkdir()
        with warnings.catch_warnings():  # asset_class is cut to ten letters
            warnings.simplefilter("ignore")
            table.to_file(shapes / "fields.shp")
        path.write_bytes(zipped({part.name: part.read_bytes() for part in shapes.iterdir()}))
    elif name == "wkt.csv":
        pd.DataFrame(table.drop(columns="geometry")).assign(
            wkt=shapely.to_wkt(table.geometry.to_numpy(), rounding_precision=15)
        ).to_csv(path, index=False)
    elif name == "corners.csv":
        frame = pd.DataFrame(corners(table), columns=["parcel_id", "asset_class", "order", "lon", "lat"])
        frame.sample(frac=1, random_state=1).sort_values("parcel_id", kind="stable").to_csv(path, index=False)
    elif name == "chinese.csv":
        words = {"forestry": "林地", "solar": "光伏"}
        frame = pd.DataFrame(corners(table), columns=["地块编号", "资产类别", "点号", "经度", "纬度"])
        frame["资产类别"] = frame["资产类别"].map(words)
        path.write_bytes(frame.to_csv(index=False).encode("gbk"))
    else:
        blocks = ["lon lat"]
        for row in table.itertuples():
            lines = [f"{float(x)!r} {float(y)!r}" for x, y in row.geometry.exterior.coords[:-1]]
            blocks.append("\n".join([f"parcel_id: {row.parcel_id}", f"asset_class: {row.asset_class}", *lines]))
        path.write_text("\n\n".join(blocks), encoding="utf-8")
    return path.read_bytes()


@pytest.fixture
def table(world: Any) -> gpd.GeoDataFrame:
    document = json.loads(world.write_parcels().read_text(encoding="utf-8"))
    return gpd.GeoDataFrame.from_features(document["features"], crs=4326)[["parcel_id", "asset_class", "geometry"]]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_parcels(world: Any, table: gpd.GeoDataFrame, name: str) -> None:
    expected = read_parcels(world.folder / "parcels.geojson").parcels
    (world.folder / name).write_bytes(content_of(table, name, world.folder))
    found = read_parcels(world.folder / name).parcels.loc[list(expected.index)]
    assert list(found["asset_class"]) == list(expected["asset_class"])
    assert found["obs_area_m2"].to_numpy() == pytest.approx(expected["obs_area_m2"].to_numpy(), rel=1e-7)
    ours, theirs = found.geometry.to_numpy(), expected.geometry.to_numpy()
    shared = shapely.area(shapely.intersection(ours, theirs)) / shapely.area(theirs)
    assert shared.min() > 1 - 1e-6


@pytest.mark.parametrize("name", ["a.txt", "a.zip"])
def test_pasted_text_and_shapefile_are_assessed(world: Any, table: gpd.GeoDataFrame, run: Run, name: str) -> None:
    (world.folder / name).write_bytes(content_of(table, name, world.folder))
    source = world.write_cube()
    expected = service.assess(world.folder / "parcels.geojson", source=source, with_pictures=False).parcels
    code, out, err = run("assess", world.folder / name, "--source", source, "--out", world.folder / "run")
    assert code == 0, err
    assert "felled" in out
    document = json.loads((world.folder / "run" / "parcels.geojson").read_text(encoding="utf-8"))
    status = {
        feature["properties"]["parcel_id"]: feature["properties"]["meta_status"] for feature in document["features"]
    }
    assert status == dict(expected["meta_status"])
    record = json.loads((world.folder / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["kind"] == "geocollateral-result"


def test_a_hostile_file_gets_one_message_and_leaves_nothing(world: Any, run: Run) -> None:
    path = world.folder / "parcels.geojson"
    path.write_text("<OGRVRTDataSource/>", encoding="utf-8")
    code, _, err = run("assess", path, "--source", world.write_cube(), "--out", world.folder / "run")
    assert code == 3
    assert err.startswith("geocollateral: parcels.geojson: expected a GeoJSON file, got XML")
    assert not (world.folder / "run").exists()
