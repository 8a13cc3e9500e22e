"""A small world with known truth, written as the cube a user would have: forest with seasons, one clearing, clouds."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely import affinity, box, transform
from shapely.geometry import Polygon, mapping
from zarr.errors import UnstableSpecificationWarning

CRS = "EPSG:32633"
SIZE = 40
LEFT, TOP, PIXEL = 500_000.0, 5_000_000.0, 10.0
N_LOOKS = 60
STEP_DAYS = 18
START = np.datetime64("2018-01-04T10:00", "ns")
FELLED_AT = 30
"""Position of the first scene without the stand: 2019-06-28."""
CLEARING = (slice(20, 30), slice(6, 14))
"""Rows and columns of the clearing: 0.8 ha."""
CLOUDED = (3, 11, 19, 27, 36, 44, 52)
"""Scenes under cloud from edge to edge."""
PARCELS: Mapping[str, tuple[str, Polygon]] = {
    "stable": ("forestry", affinity.rotate(box(3, 2, 15, 12), 7)),
    "felled": ("forestry", affinity.rotate(box(3, 17, 18, 34), 4)),
    "small": ("forestry", box(21.3, 3.3, 23.6, 5.6)),
    "edge": ("forestry", box(35, 5, 45, 15)),
    "roofs": ("solar", box(24, 22.5, 34.5, 31)),
}
"""Asset class and outline [columns and rows] of each parcel."""


@dataclass(frozen=True)
class World:
    """A cube in memory and parcels over it."""

    folder: Path
    cube: xr.Dataset
    outlines: Mapping[str, tuple[str, Polygon]] = field(default_factory=lambda: PARCELS)

    def write_cube(self, name: str = "cube.nc", cube: xr.Dataset | None = None) -> str:
        """Write the cube and name it as a source."""
        path = self.folder / name
        content = self.cube if cube is None else cube
        if path.suffix == ".zarr":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnstableSpecificationWarning)
                chunks = {v: {"chunks": (10, 20, 20)} for v in content if content[v].dims == ("time", "y", "x")}
                content.to_zarr(path, zarr_format=3, consolidated=False, encoding=chunks, mode="w")
        else:
            content.to_netcdf(path, engine="h5netcdf")
        return f"cube:{path}"

    def write_parcels(self, name: str = "parcels.geojson", order: list[str] | None = None, **changes: Any) -> Path:
        """Write the parcels in WGS 84; ``changes`` replace properties of all."""
        to_wgs84 = pyproj.Transformer.from_crs(CRS, 4326, always_xy=True).transform
        features = []
        for parcel_id in order or list(self.outlines):
            asset_class, outline = self.outlines[parcel_id]
            ground = affinity.affine_transform(outline, [PIXEL, 0, 0, -PIXEL, LEFT, TOP])
            properties = {"parcel_id": parcel_id, "asset_class": asset_class, **changes}
            geometry = mapping(transform(ground, to_wgs84, interleaved=False))
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
        path = self.folder / name
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
        return path


def dates() -> np.ndarray:
    return START + np.arange(N_LOOKS) * np.timedelta64(STEP_DAYS, "D")


def optical_cube() -> xr.Dataset:
    """Reflectance by a deciduous season, in digital numbers with an offset; SCL with clouds."""
    rng = np.random.default_rng(20)
    time = dates()
    day = (time - time.astype("datetime64[Y]")) / np.timedelta64(1, "D")
    leaf = (0.5 + 0.5 * np.cos(2 * np.pi * (day - 200) / 365.25))[:, None, None]
    stand = {
        "B02": 0.025 + 0 * leaf,
        "B03": 0.04 + 0.01 * leaf,
        "B04": 0.06 - 0.04 * leaf,
        "B08": 0.20 + 0.20 * leaf,
        "B8A": 0.21 + 0.20 * leaf,
        "B11": 0.20 - 0.04 * leaf,
    }
    cleared = {"B02": 0.06, "B03": 0.09, "B04": 0.12, "B08": 0.22, "B8A": 0.23, "B11": 0.30}
    gone = np.zeros((N_LOOKS, SIZE, SIZE), bool)
    gone[FELLED_AT:, CLEARING[0], CLEARING[1]] = True
    scl = np.full(gone.shape, 4, np.uint8)
    scl[list(CLOUDED)] = 9
    scl[7, :20] = 8
    scl[22, 15:, 10:] = 3
    cloud = np.isin(scl, (8, 9))
    attrs = {"scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": np.uint16(0), "grid_mapping": "spatial_ref"}
    variables: dict[str, Any] = {}
    for name, value in stand.items():
        plane = np.where(gone, cleared[name], value) + rng.normal(0, 0.003, gone.shape)
        plane = np.where(cloud, 0.5, plane)
        variables[name] = (("time", "y", "x"), np.rint((plane + 0.1) * 1e4).astype(np.uint16), attrs)
    variables["SCL"] = (("time", "y", "x"), scl, {"_FillValue": np.uint8(0), "grid_mapping": "spatial_ref"})
    return on_grid(variables)


def radar_cube() -> xr.Dataset:
    """VV as linear power, VH in dB, speckled."""
    rng = np.random.default_rng(21)
    speckle = rng.gamma(4, 0.25, (N_LOOKS, SIZE, SIZE))
    mapping_ = {"grid_mapping": "spatial_ref", "_FillValue": np.float32("nan")}
    return on_grid(
        {
            "VV": (("time", "y", "x"), (0.1 * speckle).astype(np.float32), {"units": "1", **mapping_}),
            "VH": (("time", "y", "x"), (10 * np.log10(0.02 * speckle)).astype(np.float32), {"units": "dB", **mapping_}),
        }
    )


def on_grid(variables: dict[str, Any]) -> xr.Dataset:
    wkt = GeoBox((1, 1), Affine.identity(), CRS).crs.wkt
    return xr.Dataset(
        {**variables, "spatial_ref": ((), 0, {"crs_wkt": wkt})},
        coords={
            "time": dates(),
            "y": TOP - PIXEL * (np.arange(SIZE) + 0.5),
            "x": LEFT + PIXEL * (np.arange(SIZE) + 0.5),
        },
    )


@pytest.fixture(scope="session")
def make_world() -> Callable[[Path], World]:
    """Make the forest in a folder of one's own, for fixtures that outlive a test."""
    return lambda folder: World(folder, optical_cube())


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The forest with its clearing, not yet written."""
    return World(tmp_path, optical_cube())


@pytest.fixture
def radar_world(tmp_path: Path) -> World:
    """The same parcels under Sentinel-1."""
    return World(tmp_path, radar_cube())


@pytest.fixture
def clearing() -> tuple[int, slice, slice]:
    """First scene without the stand, rows and columns of the clearing."""
    return FELLED_AT, *CLEARING


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process: exit code, standard output, standard error."""
    from geocollateral.cli import main

    def run_command(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["geocollateral", *map(str, args)])
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0
        out, err = capsys.readouterr()
        return code, out, err

    return run_command
