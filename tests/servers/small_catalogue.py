"""A few scenes on disk, laid out like the items of public catalogues: enough to read every pixel of them in a test.

Two Sentinel-2 tiles that overlap, six overpasses (old and new baselines, offset carried and taken off, a reprocessed
twin, one tile of an overpass missing), and Sentinel-1 scenes of two orbits with a border of zeros.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray

EPSG = 32650
LEFT, TOP = 500_000.0, 4_400_000.0
TILES = {"50TMK": (0, 80), "50TNK": (60, 140)}
"""Columns of 10 m from the left, half-open; 80 rows each."""
ROWS = 80
BANDS_10M = ("blue", "red", "nir")
BANDS_20M = ("swir16", "scl")
OVERPASSES = (
    # time, platform, baseline, DN carry the offset, tiles, orbit
    ("2021-06-01T03:05:31.024Z", "sentinel-2a", "03.01", False, ("50TMK", "50TNK"), 75),
    ("2021-06-11T03:05:29.500Z", "sentinel-2b", "03.01", False, ("50TMK",), 75),
    ("2022-06-01T03:05:31.024Z", "sentinel-2a", "04.00", True, ("50TMK", "50TNK"), 75),
    ("2022-06-06T03:15:41.024Z", "sentinel-2c", "05.10", False, ("50TMK", "50TNK"), 32),
    ("2023-06-01T03:05:31.024Z", "sentinel-2a", "05.09", True, ("50TMK", "50TNK"), 75),
)
RADAR = (
    ("2022-06-02T10:05:31.100Z", "sentinel-1a", "ascending", 142),
    ("2022-06-04T22:15:41.200Z", "sentinel-1a", "descending", 47),
    ("2022-06-14T10:05:32.100Z", "sentinel-1c", "ascending", 142),
)


def build_catalogue(folder: Path, seed: int = 7) -> dict[str, dict[str, NDArray[Any]]]:
    """Write the catalogue; reflectance (harmonised digital numbers) or gamma0 by item id and asset, for comparison."""
    rng = np.random.default_rng(seed)
    truth: dict[str, dict[str, NDArray[Any]]] = {}
    for time, platform, baseline, carried, tiles, orbit in OVERPASSES:
        for tile in tiles:
            _write_optical(folder, rng, truth, time, platform, baseline, carried, tile, orbit, version=0)
    # A reprocessed twin of the first overpass: newer baseline, other numbers.
    time, platform, _, _, _, orbit = OVERPASSES[0]
    _write_optical(folder, rng, truth, time, platform, "05.00", True, "50TMK", orbit, version=1)
    for number, (moment, sensor, state, relative) in enumerate(RADAR):
        _write_radar(folder, rng, truth, moment, sensor, state, relative, number)
    items = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.json"))
    links = [{"rel": "item", "href": f"./{name}", "type": "application/geo+json"} for name in items]
    catalogue = {"type": "Catalog", "id": "small", "stac_version": "1.0.0", "description": "test", "links": links}
    (folder / "catalog.json").write_text(json.dumps(catalogue))
    return truth


def bounds_of_tiles() -> tuple[float, float, float, float]:
    """West, south, east, north of both tiles, a little inside [degrees]."""
    to_degrees = pyproj.Transformer.from_crs(EPSG, 4326, always_xy=True)
    west, south, east, north = to_degrees.transform_bounds(LEFT + 20, TOP - 780, LEFT + 1380, TOP - 20)
    return west, south, east, north


def _write_optical(
    folder: Path,
    rng: np.random.Generator,
    truth: dict[str, dict[str, NDArray[Any]]],
    time: str,
    platform: str,
    baseline: str,
    carried: bool,
    tile: str,
    orbit: int,
    *,
    version: int,
) -> None:
    first, last = TILES[tile]
    width = last - first
    day = time[:10].replace("-", "")
    name = f"S{platform[-2:].upper()}_{tile}_{day}_{version}_L2A"
    home = folder / "sentinel-2-l2a" / name
    home.mkdir(parents=True)
    left = LEFT + 10 * first
    assets, truth[name] = {}, {}
    missing = np.zeros((ROWS, width), bool)
    missing[:6, : width // 3] = True  # a corner without data
    for band in (*BANDS_10M, *BANDS_20M):
        size = 20 if band in BANDS_20M else 10
        shape = (ROWS * 10 // size, width * 10 // size)
        empty = missing[:: size // 10, :: size // 10]
        if band == "scl":
            values = rng.choice(np.array([3, 4, 4, 5, 6, 8, 9], np.uint8), shape)
            values[empty] = 0
        else:
            harmonised = rng.integers(1, 7000, shape).astype(np.uint16)
            values = harmonised + np.uint16(1000 if carried else 0)
            if carried:
                values[0, -1] = 900  # darker than the offset: the service clamps it to 0
            values[empty] = 0
        truth[name][band] = values.astype(np.int64)
        _write(home / f"{band}.tif", values, Affine(size, 0, left, 0, -size, TOP), 0)
        raster = {"nodata": 0, "scale": 1e-4, "offset": -0.1 if carried else 0}
        assets[band] = {"href": f"./{band}.tif", "raster:bands": [raster], "eo:bands": [{"common_name": band}]}
    seconds = time.replace("-", "").replace(":", "")[:15]
    sensor, digits = f"S{platform[-2:].upper()}", baseline.replace(".", "")
    facts = {
        "platform": platform,
        "constellation": "sentinel-2",
        "grid:code": f"MGRS-{tile}",
        "s2:processing_baseline": baseline,
        "s2:product_uri": f"{sensor}_MSIL2A_{seconds}_N{digits}_R{orbit:03d}_T{tile}_{seconds}.SAFE",
        "sat:relative_orbit": orbit,
        "sat:orbit_state": "descending",
        "earthsearch:boa_offset_applied": not carried and baseline >= "04.00",
        "eo:cloud_cover": 20.0,
        "updated": f"202{4 + version}-01-01T00:00:00Z",
    }
    _write_item(home / f"{name}.json", name, "sentinel-2-l2a", time, facts, assets, (left, width))


def _write_radar(
    folder: Path,
    rng: np.random.Generator,
    truth: dict[str, dict[str, NDArray[Any]]],
    time: str,
    platform: str,
    state: str,
    relative: int,
    number: int,
) -> None:
    seconds = time.replace("-", "").replace(":", "")[:15]
    name = f"S{platform[-2:].upper()}_IW_GRDH_1SDV_{seconds}_{seconds}_04{number:04d}_053A5C_rtc"
    home = folder / "sentinel-1-rtc" / name
    home.mkdir(parents=True)
    width = 140
    assets, truth[name] = {}, {}
    for band in ("vv", "vh"):
        values = rng.gamma(4.4, 0.1 / 4.4, (ROWS, width)).astype(np.float32)
        values[:, -3:] = 0  # border noise
        values[:, :4] = -32768
        truth[name][band] = values
        _write(home / f"{band}.tif", values, Affine(10, 0, LEFT, 0, -10, TOP), -32768)
        assets[band] = {"href": f"./{band}.tif", "raster:bands": [{"nodata": -32768}]}
    facts = {
        "platform": platform,
        "constellation": "sentinel-1",
        "sat:orbit_state": state,
        "sat:relative_orbit": relative,
        "sar:instrument_mode": "IW",
        "created": "2024-01-01T00:00:00Z",
    }
    _write_item(home / f"{name}.json", name, "sentinel-1-rtc", time, facts, assets, (LEFT, width))


def _write(path: Path, values: NDArray[Any], transform: Affine, nodata: float) -> None:
    profile = {
        "driver": "GTiff",
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": values.dtype,
    }
    profile |= {"crs": f"EPSG:{EPSG}", "transform": transform, "nodata": nodata, "compress": "deflate"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(values, 1)


def _write_item(
    path: Path,
    name: str,
    collection: str,
    time: str,
    facts: Mapping[str, Any],
    assets: Mapping[str, Any],
    place: tuple[float, int],
) -> None:
    left, width = place
    to_degrees = pyproj.Transformer.from_crs(EPSG, 4326, always_xy=True)
    ring = shapely.box(left, TOP - 10 * ROWS, left + 10 * width, TOP)
    outline = shapely.transform(ring, to_degrees.transform, interleaved=False)
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "geometry": shapely.geometry.mapping(outline),
        "bbox": list(outline.bounds),
        "properties": {"datetime": time, "proj:epsg": EPSG, **facts},
        "links": [],
        "assets": assets,
    }
    path.write_text(json.dumps(item))
