"""Plots of known value on one square kilometre: sales to learn from, parcels to value, and imagery over them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely import box, transform
from shapely.geometry import mapping

CRS = "EPSG:32650"
LEFT, TOP, PIXEL, SIZE = 500_000.0, 4_000_000.0, 10.0, 100
CELL = 8
"""Pixels from one plot to the next."""
FIRST, N_LOOKS = np.datetime64("2020-01-05"), 40
KINDS = {"broadleaf": 0.0, "larch": 0.35, "spruce": 0.1}
MU_M2 = 2000 / 3
NOISE = 0.12
"""Spread of the logarithm of prices around values."""

_TO_WGS84 = pyproj.Transformer.from_crs(CRS, 4326, always_xy=True).transform


def log_value(x: Any, y: Any, area_mu: Any, quality: Any, kind: Any, slope: Any) -> Any:
    """True value of a plot [log CNY]; `x`, `y` in metres from the upper left corner."""
    surface = 0.3 * np.sin(x / 200) * np.cos(y / 250)
    bonus = pd.Series(kind).map(KINDS).to_numpy()
    return 9 + 0.9 * np.log(area_mu) + surface + 0.08 * np.asarray(quality) + bonus - 0.01 * np.asarray(slope)


def sales(n: int, seed: int = 0, first: str = "2020-01-01") -> pd.DataFrame:
    """Sales of two years from a day on, with coordinates in degrees."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, SIZE * PIXEL, n), rng.uniform(0, SIZE * PIXEL, n)
    area, quality = rng.uniform(1.5, 7, n), rng.integers(1, 6, n)
    kind, slope = rng.choice(list(KINDS), n, p=[0.5, 0.3, 0.2]), rng.gamma(2.0, 3.0, n)
    lon, lat = _TO_WGS84(LEFT + x, TOP - y)
    price = np.exp(log_value(x, y, area, quality, kind, slope) + rng.normal(0, NOISE, n))
    return pd.DataFrame(
        {
            "price": price.round(2),
            "sold": pd.Timestamp(first) + pd.to_timedelta(rng.integers(0, 730, n), unit="D"),
            "lon": lon,
            "lat": lat,
            "area_mu": area.round(4),
            "quality": quality,
            "kind": kind,
            "slope": slope.round(2),
        }
    )


def parcels(seed: int = 1) -> list[dict[str, Any]]:
    """Plots side by side as features, with their true value and a price paid, which a file would not hold."""
    rng = np.random.default_rng(seed)
    found = []
    for row in range(SIZE // CELL):
        for column in range(SIZE // CELL):
            width, height = rng.uniform(4.5, CELL - 1.5, 2) * PIXEL
            left, top = (column * CELL + 0.5) * PIXEL, (row * CELL + 0.5) * PIXEL
            outline = box(LEFT + left, TOP - top - height, LEFT + left + width, TOP - top)
            own = {
                "quality": int(rng.integers(1, 6)),
                "kind": str(rng.choice(list(KINDS), p=[0.5, 0.3, 0.2])),
                "slope": round(float(rng.gamma(2.0, 3.0)), 2),
            }
            area = width * height / MU_M2
            true = float(
                np.exp(log_value(left + width / 2, top + height / 2, area, kind=[own["kind"]], **_but_kind(own))[0])
            )
            found.append(
                {
                    "type": "Feature",
                    "properties": {"parcel_id": f"p{row:02d}-{column:02d}", "asset_class": "forestry", **own},
                    "geometry": mapping(transform(outline, _TO_WGS84, interleaved=False)),
                    "true": true,
                    "paid": true * float(np.exp(rng.normal(0, NOISE))),
                }
            )
    return found


def _but_kind(own: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in own.items() if name != "kind"}


def write_parcels(path: Path, features: list[dict[str, Any]]) -> Path:
    """Write features without what a file would not hold."""
    kept = [{name: f[name] for name in ("type", "properties", "geometry")} for f in features]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": kept}), encoding="utf-8")
    return path


def write_cube(path: Path) -> str:
    """Imagery of a forest with its seasons, and its name as a source."""
    rng = np.random.default_rng(3)
    time = FIRST + np.arange(N_LOOKS) * np.timedelta64(18, "D")
    day = ((time - time.astype("datetime64[Y]")) / np.timedelta64(1, "D")).astype(float)
    leaf = (0.5 + 0.5 * np.cos(2 * np.pi * (day - 200) / 365.25))[:, None, None]
    shape = (N_LOOKS, SIZE, SIZE)
    bands = {"B04": 0.06 - 0.04 * leaf, "B08": 0.20 + 0.20 * leaf, "B11": 0.20 - 0.04 * leaf}
    attrs = {"scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": np.uint16(0), "grid_mapping": "spatial_ref"}
    variables: dict[str, Any] = {
        name: (("time", "y", "x"), np.rint((value + rng.normal(0, 0.003, shape) + 0.1) * 1e4).astype(np.uint16), attrs)
        for name, value in bands.items()
    }
    scl = np.full(shape, 4, np.uint8)
    variables["SCL"] = (("time", "y", "x"), scl, {"_FillValue": np.uint8(0), "grid_mapping": "spatial_ref"})
    cube = xr.Dataset(
        {**variables, "spatial_ref": ((), 0, {"crs_wkt": GeoBox((1, 1), Affine.identity(), CRS).crs.wkt})},
        coords={
            "time": time.astype("datetime64[ns]"),
            "y": TOP - PIXEL * (np.arange(SIZE) + 0.5),
            "x": LEFT + PIXEL * (np.arange(SIZE) + 0.5),
        },
    )
    cube.to_netcdf(path, engine="h5netcdf")
    return f"cube:{path}"
