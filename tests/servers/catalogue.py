"""A small STAC catalogue with pixels known by heart: the same scenes in the layouts of several providers.

Reflectance is written as each provider writes it: offset subtracted or not, their asset names, their ways of stating
grids. The layouts follow the published items; no live service was asked.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyproj
from numpy.typing import NDArray

Layout = Literal["earth-search", "earth-search-c1", "planetary-computer", "cdse"]
CRS = "EPSG:32650"
ORIGIN = (500_000.0, 4_400_020.0)
"""Upper left corner [m], a multiple of 20 m."""
SIZE = 64
"""Pixels of 10 m along a side."""
COMMON = {
    "blue": "B02",
    "green": "B03",
    "red": "B04",
    "rededge071": "B05",
    "nir": "B08",
    "nir08": "B8A",
    "swir16": "B11",
    "scl": "SCL",
}
FINE = ("blue", "green", "red", "nir")
EARTH_SEARCH_KEYS = {"rededge071": "rededge1"}
TRUTH = {
    "blue": 0.03,
    "green": 0.08,
    "red": 0.05,
    "rededge071": 0.12,
    "nir": 0.30,
    "nir08": 0.32,
    "swir16": 0.20,
}
"""Reflectance of the meadow that all is, before a pattern of a few thousandths [1]."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One Sentinel-2 scene."""

    day: str
    platform: str = "sentinel-2a"
    baseline: str = "05.10"
    has_offset: bool = True
    """The numbers on disk carry the +1000 of baseline 04.00."""
    flag: bool | None = None
    """``earthsearch:boa_offset_applied``."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    """Bands the item lacks."""
    suffix: str = ""


def truth(band: str, scale: int = 1) -> NDArray[np.float64]:
    """Reflectance of a band on its own grid, shape (y, x): a number per pixel, multiples of 1e-4."""
    side = SIZE if band in FINE else SIZE // 2
    pattern = np.arange(side * side).reshape(side, side) % 40
    return np.asarray(np.round((TRUTH[band] + pattern * 1e-4) * 1e4) / 1e4)


def write_tiff(path: Path, values: NDArray[Any], origin: tuple[float, float], pixel: float, nodata: float) -> None:
    """A tiled GeoTIFF with DEFLATE, read like those of the services."""
    import rasterio
    from affine import Affine

    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff",
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": values.dtype.name,
        "crs": CRS,
        "transform": Affine(pixel, 0, origin[0], 0, -pixel, origin[1]),
        "nodata": nodata,
        "tiled": True,
        "blockxsize": 32,
        "blockysize": 32,
        "compress": "deflate",
        "predictor": 2 if values.dtype.kind == "u" else 3,
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(values, 1)


def sentinel2_item(folder: Path, scene: Scene, layout: Layout, *, assets_at: str | None = None) -> dict[str, Any]:
    """Write the files of a scene below the folder and return its item, in one provider's layout.

    Parameters
    ----------
    assets_at
        Address that the folder will be served at; None for addresses relative to the folder's ``items/ID.json``.
    """
    instant = dt.datetime.fromisoformat(scene.day).replace(tzinfo=dt.UTC)
    name = f"S2{scene.platform[-1].upper()}_50SMJ_{instant:%Y%m%dT%H%M%S}{scene.suffix}"
    assets: dict[str, Any] = {}
    for band, sensor in COMMON.items():
        if band in scene.drop:
            continue
        pixel = 10.0 if band in FINE else 20.0
        href = f"files/{name}/{sensor}.tif"
        write_tiff(folder / href, numbers_of(band, has_offset=scene.has_offset), ORIGIN, pixel, 0)
        key, described = _describe(band, sensor, int(pixel), layout)
        side = SIZE if band in FINE else SIZE // 2
        assets[key] = {
            "href": f"{assets_at}/{href}" if assets_at else f"../{href}",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "roles": ["data"],
            "proj:shape": [side, side],
            "proj:transform": [pixel, 0.0, ORIGIN[0], 0.0, -pixel, ORIGIN[1]],
            **described,
        }
    assets["thumbnail"] = {"href": "https://thumbnails.invalid/x.jpg", "type": "image/jpeg", "roles": ["thumbnail"]}
    properties: dict[str, Any] = {
        "datetime": instant.isoformat().replace("+00:00", "Z"),
        "platform": scene.platform,
        "constellation": "sentinel-2",
        "eo:cloud_cover": 12.5,
        "s2:processing_baseline": scene.baseline,
        "s2:generation_time": (instant + dt.timedelta(hours=9)).isoformat().replace("+00:00", "Z"),
        "s2:product_uri": f"S2A_MSIL2A_{instant:%Y%m%dT%H%M%S}_N{scene.baseline.replace('.', '')}_R046_T50SMJ_X.SAFE",
        "created": "2024-01-01T00:00:00Z",
        "updated": "2024-01-01T00:00:00Z",
        **_grid_words(layout),
    }
    if scene.flag is not None:
        properties["earthsearch:boa_offset_applied"] = scene.flag
    properties |= scene.properties
    west, south, east, north = lonlat_bounds()
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "sentinel-2-c1-l2a" if layout == "earth-search-c1" else "sentinel-2-l2a",
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
        },
        "bbox": [west, south, east, north],
        "properties": properties,
        "assets": assets,
        "links": [],
        "stac_extensions": [],
    }


def numbers_of(band: str, *, has_offset: bool) -> NDArray[Any]:
    """Digital numbers of a band as they lie on disk; the classification is vegetation throughout."""
    if band == "scl":
        return np.full((SIZE // 2, SIZE // 2), 4, np.uint8)
    return np.round(truth(band) * 1e4 + (1000 if has_offset else 0)).astype(np.uint16)


def sentinel1_item(
    folder: Path,
    name: str,
    instant: str,
    power: Mapping[str, NDArray[np.float32]],
    properties: Mapping[str, Any] | None = None,
    origin: tuple[float, float] = ORIGIN,
) -> dict[str, Any]:
    """Write the files of a radar scene and return its item, in the layout of Planetary Computer's sentinel-1-rtc."""
    assets = {}
    for band, values in power.items():
        write_tiff(folder / "files" / name / f"{band}.tif", values, origin, 10.0, -32768)
        assets[band] = {
            "href": f"../files/{name}/{band}.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "raster:bands": [{"nodata": -32768, "data_type": "float32"}],
        }
    west, south, east, north = lonlat_bounds()
    shape = next(iter(power.values())).shape
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "sentinel-1-rtc",
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
        },
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": instant,
            "platform": "SENTINEL-1A",
            "constellation": "Sentinel-1",
            "sat:orbit_state": "ascending",
            "sat:relative_orbit": 15,
            "sar:product_type": "GRD",
            "proj:epsg": 32650,
            "proj:shape": list(shape),
            "proj:transform": [10.0, 0.0, origin[0], 0.0, -10.0, origin[1]],
            **(properties or {}),
        },
        "assets": assets,
        "links": [],
        "stac_extensions": [],
    }


def lonlat_bounds() -> tuple[float, float, float, float]:
    """West, south, east, north of the scenes' frame."""
    to = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    side = SIZE * 10
    return tuple(round(v, 7) for v in to.transform_bounds(ORIGIN[0], ORIGIN[1] - side, ORIGIN[0] + side, ORIGIN[1]))  # type: ignore[return-value]


def write_catalogue(folder: Path, items: Sequence[Mapping[str, Any]]) -> Path:
    """A static catalogue in a folder: catalog, a collection per name, an item each. Returns the first document."""
    names = sorted({str(item["collection"]) for item in items})
    (folder / "items").mkdir(parents=True, exist_ok=True)
    for item in items:
        (folder / "items" / f"{item['id']}.json").write_text(json.dumps(item), encoding="utf-8")
    for name in names:
        links = [{"rel": "item", "href": f"./items/{item['id']}.json"} for item in items if item["collection"] == name]
        (folder / f"{name}.json").write_text(json.dumps(collection(name, links)), encoding="utf-8")
    root = folder / "catalog.json"
    children = [{"rel": "child", "href": f"./{name}.json"} for name in names]
    root.write_text(
        json.dumps(
            {"type": "Catalog", "id": "small", "stac_version": "1.0.0", "description": "Test scenes", "links": children}
        ),
        encoding="utf-8",
    )
    return root


def collection(name: str, links: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """A minimal collection."""
    return {
        "type": "Collection",
        "id": name,
        "stac_version": "1.0.0",
        "description": name,
        "license": "proprietary",
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
        "links": list(links),
    }


def write_parquet(path: Path, items: Sequence[Mapping[str, Any]]) -> Path:
    """The items as stac-geoparquet, addresses relative to the file."""
    from stac_geoparquet.arrow import parse_stac_items_to_parquet

    beside = [
        {**item, "assets": {k: {**a, "href": a["href"].removeprefix("../")} for k, a in item["assets"].items()}}
        for item in items
    ]
    parse_stac_items_to_parquet(beside, output_path=str(path))
    return path


def _describe(band: str, sensor: str, pixel: int, layout: Layout) -> tuple[str, dict[str, Any]]:
    """Asset key and description of a band, by provider."""
    bands = [{"name": sensor, "common_name": "rededge" if band == "rededge071" else band}]
    facts = {"nodata": 0, "data_type": "uint8" if band == "scl" else "uint16", "spatial_resolution": pixel}
    if layout in ("earth-search", "earth-search-c1"):
        key = EARTH_SEARCH_KEYS.get(band, band)
        stated = facts if band == "scl" else {**facts, "scale": 1e-4, "offset": -0.1}
        return key, ({} if band == "scl" else {"eo:bands": [{**bands[0], "name": key}]}) | {"raster:bands": [stated]}
    if layout == "planetary-computer":
        return sensor, {} if band == "scl" else {"eo:bands": bands}
    return f"{sensor}_{pixel}m", {"bands": [{"name": sensor, "eo:common_name": bands[0]["common_name"]}], "nodata": 0}


def _grid_words(layout: Layout) -> dict[str, Any]:
    if layout == "planetary-computer":
        return {"proj:epsg": 32650, "s2:mgrs_tile": "50SMJ", "sat:orbit_state": "descending", "sat:relative_orbit": 46}
    if layout == "cdse":
        return {"proj:code": "EPSG:32650", "grid:code": "MGRS-50SMJ", "sat:relative_orbit": 46}
    return {"proj:code": "EPSG:32650", "grid:code": "MGRS-50SMJ", "mgrs:utm_zone": 50}
