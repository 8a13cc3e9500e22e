"""Real cubes of a few cloudy weeks, through the whole assessment: too little to tell, and never an alert."""

import json
from pathlib import Path

import numpy as np
import pyproj
import pytest
import xarray as xr

from geocollateral import service
from geocollateral.config import Settings
from geocollateral.types import ASSET_CLASSES

pytestmark = pytest.mark.realdata
CRS = "EPSG:32631"
RADAR_DB_OFFSET = -83.0
"""Of the service's coding of backscatter: dB = 20 log10(DN) - 83."""


def optical(path: Path) -> xr.Dataset:
    """The cube with the names of bands that we read, its clouds as they are."""
    with xr.open_dataset(path, mask_and_scale=False, decode_timedelta=False) as opened:
        cube = opened.load()
    names = {str(v): str(v).rpartition("-")[2] for v in cube.data_vars if "t" in cube[v].dims}
    return plain(cube[list(names)].rename(names))


def radar(path: Path) -> xr.Dataset:
    with xr.open_dataset(path, mask_and_scale=False) as opened:
        cube = opened.load()
    names = {str(v): str(v).rpartition("-")[2] for v in cube.data_vars if "t" in cube[v].dims}
    cube = plain(cube[list(names)].rename(names))
    for name in cube.data_vars:
        numbers = cube[name].astype("float64")
        cube[name] = (20 * np.log10(numbers.where(numbers > 0)) + RADAR_DB_OFFSET).assign_attrs(units="dB")
    return cube


def plain(cube: xr.Dataset) -> xr.Dataset:
    """Without the attributes that only their writer understands."""
    cube = cube.rename(t="time").drop_vars([name for name in cube.coords if name not in ("t", "x", "y")])
    cube.encoding = {}
    for name in cube.variables:
        cube[name].attrs, cube[name].encoding = {}, {}
    return cube


def parcels(cube: xr.Dataset, path: Path) -> Path:
    """A parcel of each asset class side by side, across the cube."""
    x, y = np.sort(cube["x"].values), np.sort(cube["y"].values)
    edges = np.linspace(x[2], x[-3], len(ASSET_CLASSES) + 1)
    to_wgs84 = pyproj.Transformer.from_crs(CRS, 4326, always_xy=True).transform
    features = []
    for n, asset_class in enumerate(ASSET_CLASSES):
        left, right, low, high = edges[n] + 5, edges[n + 1] - 5, y[5], y[-6]
        ring = [(left, low), (right, low), (right, high), (left, high), (left, low)]
        geometry = {"type": "Polygon", "coordinates": [[list(to_wgs84(*corner)) for corner in ring]]}
        properties = {"parcel_id": asset_class, "asset_class": asset_class}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize("name", ["cdse_sentinel2_l2a.nc", "test_optical_cube.nc", "cdse_sentinel1_grd.nc"])
def test_a_few_cloudy_weeks_cannot_tell_and_raise_no_alert(realdata: Path, tmp_path: Path, name: str) -> None:
    path = realdata / "s1s2_openeo_gfmap" / name
    is_radar = "sentinel1" in name
    cube = radar(path) if is_radar else optical(path)
    cube.to_netcdf(tmp_path / "cube.nc", engine="h5netcdf")
    options = {"crs": CRS} if is_radar else {"crs": CRS, "scale": 1e-4}
    found = service.assess(
        parcels(cube, tmp_path / "parcels.geojson"),
        source=f"cube:{tmp_path / 'cube.nc'}",
        source_options=options,
        settings=Settings(compute={"scheduler": "synchronous"}),  # type: ignore[arg-type]  # pydantic takes mappings
        with_pictures=False,
    )
    assert found.alerts == ()
    assert set(found.parcels["meta_status"]) == {"cannot_tell"}
    assert all(found.parcels["meta_reason"].str.len() > 20)
