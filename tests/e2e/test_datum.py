"""A file drawn on a Chinese web map, through the whole line: asked for, converted, and suspected where not told."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geocollateral import service
from geocollateral.config import Settings
from geocollateral.errors import InvalidInput
from geocollateral.intake import gcj02
from geocollateral.types import Assessment

CRS, LEFT, TOP, SIDE, LOOKS = "EPSG:32650", 450_000.0, 4_100_000.0, 190, 14
KNOBS = Settings(compute={"scheduler": "synchronous"}, plan={"block_pixels": 512})  # type: ignore[arg-type]
FIELDS = ((80, 84, 92, 93), (92, 84, 103, 93), (80, 104, 92, 118))
"""Left, top, right, bottom of the pledged ones [pixels]; all are fields of the ground below."""
COLUMNS, ROWS = (
    np.array([0, 12, 23, 37, 46, 58, 69, 80, 92, 103, 116, 125, 139, 150, 163, 174, 190]),
    np.array([0, 9, 22, 31, 45, 58, 70, 84, 93, 104, 118, 127, 141, 150, 165, 178, 190]),
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cube of farmland near 116.4 E, 37 N: every field green to its own degree on each look."""
    rng = np.random.default_rng(1)
    green = np.zeros((LOOKS, SIDE, SIDE))
    for left, right in pairwise(COLUMNS):
        for top, bottom in pairwise(ROWS):
            green[:, top:bottom, left:right] = rng.uniform(0, 1, (LOOKS, 1, 1))
    attrs = {"scale_factor": 1e-4, "add_offset": 0.0, "_FillValue": np.uint16(0), "grid_mapping": "spatial_ref"}
    bands = {
        "B03": 0.06 + 0.03 * green,
        "B04": 0.12 - 0.08 * green,
        "B08": 0.2 + 0.25 * green,
        "B11": 0.3 - 0.1 * green,
    }
    noisy = {name: np.rint(1e4 * (plane + rng.normal(0, 0.004, plane.shape))) for name, plane in bands.items()}
    variables = {name: (("time", "y", "x"), plane.astype(np.uint16), attrs) for name, plane in noisy.items()}
    scl = np.full(green.shape, 4, np.uint8)
    wkt = GeoBox((1, 1), Affine.identity(), CRS).crs.wkt
    cube = xr.Dataset(
        {
            **variables,
            "SCL": (("time", "y", "x"), scl, {"_FillValue": np.uint8(0), "grid_mapping": "spatial_ref"}),
            "spatial_ref": ((), 0, {"crs_wkt": wkt}),
        },
        coords={
            "time": np.datetime64("2022-01-10T03", "ns") + np.arange(LOOKS) * np.timedelta64(25, "D"),
            "y": TOP - 10 * (np.arange(SIDE) + 0.5),
            "x": LEFT + 10 * (np.arange(SIDE) + 0.5),
        },
    )
    path = tmp_path_factory.mktemp("datum") / "cube.nc"
    cube.to_netcdf(path, engine="h5netcdf")
    return f"cube:{path}"


Assess = Callable[..., Assessment]


@pytest.fixture
def assess(tmp_path: Path, source: str) -> Assess:
    """Write the parcels as drawn on a map and assess them."""

    def write_and_assess(drawn: Callable[..., tuple[np.ndarray, np.ndarray]] | None, datum: str | None) -> Assessment:
        to_wgs84 = pyproj.Transformer.from_crs(CRS, 4326, always_xy=True)
        features = []
        for left, top, right, bottom in FIELDS:
            box = shapely.box(LEFT + 10 * left, TOP - 10 * bottom, LEFT + 10 * right, TOP - 10 * top)
            lon, lat = to_wgs84.transform(*shapely.get_coordinates(box).T)
            if drawn is not None:
                lon, lat = drawn(np.asarray(lon), np.asarray(lat))
            geometry = {"type": "Polygon", "coordinates": [np.column_stack([lon, lat]).tolist()]}
            properties = {"asset_class": "agriculture", "parcel_id": f"{left}-{top}"}
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
        path = tmp_path / "parcels.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return service.assess(
            path, source=source, settings=KNOBS, datum=datum, with_pictures=False, out=tmp_path / "out"
        )

    return write_and_assess


def test_the_datum_is_asked_for(assess: Assess) -> None:
    with pytest.raises(InvalidInput, match="3 of 3 parcels lie in China"):
        assess(gcj02.wgs84_to_gcj02, None)


def test_right_datums_match_and_give_the_same_parcels(assess: Assess) -> None:
    plain = assess(None, "wgs84")
    assert set(plain.parcels["claim_datum_verdict"]) == {"match"}
    assert plain.parcels["claim_datum_east_m"].isna().all()


def test_converted_parcels_match_too(assess: Assess) -> None:
    shifted = assess(gcj02.wgs84_to_gcj02, "gcj02")
    assert set(shifted.parcels["claim_datum_verdict"]) == {"match"}
    assert set(shifted.parcels["claim_datum_fits"]) == {"GCJ-02"}
    box = shapely.box(LEFT + 800, TOP - 930, LEFT + 920, TOP - 840)
    back = shapely.box(*shifted.parcels.to_crs(CRS).geometry.loc["80-84"].bounds)
    assert shapely.hausdorff_distance(box, back) < 0.1


def test_a_shift_that_is_not_told_is_suspected(assess: Assess, tmp_path: Path) -> None:
    found = assess(gcj02.wgs84_to_gcj02, "wgs84")
    assert set(found.parcels["claim_datum_verdict"]) == {"mismatch"}
    assert set(found.parcels["claim_datum_fits"]) == {"GCJ-02"}
    (note,) = [note.message for note in found.notes if "Suspected shift" in note.message]
    assert "--datum gcj02" in note
    east, north = found.parcels[["claim_datum_east_m", "claim_datum_north_m"]].iloc[0]
    lon, lat = (np.array([v]) for v in (116.44, 37.04))
    _, _, far = pyproj.Geod(ellps="WGS84").inv(lon, lat, *gcj02.wgs84_to_gcj02(lon, lat))
    assert np.hypot(east, north) == pytest.approx(far[0], rel=0.05)
    written = json.loads((tmp_path / "out" / "parcels.geojson").read_text())["features"][0]["properties"]
    assert written["claim_datum_verdict"] == "mismatch"
    assert "Suspected shift" in (tmp_path / "out" / "report.html").read_text()


def test_web_map_that_was_none_is_suspected(assess: Assess) -> None:
    found = assess(None, "gcj02")
    assert set(found.parcels["claim_datum_verdict"]) == {"mismatch"}
    assert set(found.parcels["claim_datum_fits"]) == {"WGS 84"}
