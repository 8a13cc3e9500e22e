"""STAC items laid out like those of public catalogues: Earth Search's ``sentinel-2-l2a``, Planetary Computer's
``sentinel-1-rtc``. Properties of the projection extension use ``proj:epsg``, as those items do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geocollateral.simulate.grid import PIXEL_M, SiteGrid
from geocollateral.simulate.overpasses import Extent, OpticalScene, RadarScene
from geocollateral.simulate.sky import Sun
from geocollateral.simulate.worlds import SiteSpec

OPTICAL, RADAR = "sentinel-2-l2a", "sentinel-1-rtc"
ASSET_NAMES: Mapping[str, str] = {
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge1",
    "B06": "rededge2",
    "B07": "rededge3",
    "B08": "nir",
    "B8A": "nir08",
    "B11": "swir16",
    "B12": "swir22",
    "SCL": "scl",
}
"""Keys of assets in Earth Search."""
_COMMON = {"rededge1": "rededge", "rededge2": "rededge", "rededge3": "rededge"}
_CENTRES = {
    "B02": 0.49,
    "B03": 0.56,
    "B04": 0.665,
    "B05": 0.704,
    "B06": 0.74,
    "B07": 0.783,
    "B08": 0.842,
    "B8A": 0.865,
    "B11": 1.61,
    "B12": 2.19,
}
_TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
_EXTENSIONS = (
    "eo/v1.1.0",
    "raster/v1.1.0",
    "projection/v1.1.0",
    "view/v1.0.0",
    "mgrs/v1.0.0",
    "grid/v1.0.0",
    "sat/v1.0.0",
)


def optical_item(
    scene: OpticalScene, site: SiteSpec, sun: Sun, shares: Mapping[str, float], rows: Extent | None
) -> dict[str, Any]:
    """Item of a Sentinel-2 scene, with hrefs relative to itself.

    Parameters
    ----------
    shares
        Percent of the scene by property, such as ``eo:cloud_cover``.
    rows
        Smallest window of the site that holds its data; None where it has none.
    """
    grid = site.grid
    item_id, tile = scene.item_id, site.tile
    properties: dict[str, Any] = {
        "created": _text(scene.generation + dt.timedelta(hours=3)),
        "updated": _text(scene.generation + dt.timedelta(hours=3)),
        "datetime": _text(scene.time, milliseconds=True),
        "platform": scene.platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "gsd": 10,
        "view:sun_azimuth": round(sun.azimuth_deg, 3),
        "view:sun_elevation": round(sun.elevation_deg, 3),
        "mgrs:utm_zone": int(tile[:2]),
        "mgrs:latitude_band": tile[2],
        "mgrs:grid_square": tile[3:],
        "grid:code": f"MGRS-{tile}",
        "proj:epsg": grid.epsg,
        "proj:centroid": dict(zip(("lon", "lat"), (round(v, 5) for v in grid.centre()), strict=True)),
        "sat:relative_orbit": scene.orbit,
        "sat:orbit_state": "descending",
        **shares,
        "s2:processing_baseline": scene.baseline,
        "s2:product_type": "S2MSI2A",
        "s2:generation_time": _text(scene.generation, milliseconds=True),
        "s2:datatake_id": f"GS{item_id[:3]}_{scene.time:%Y%m%dT%H%M%S}_{40_000 + scene.number:06d}_N{scene.baseline}",
        "s2:datastrip_id": f"S2_OPER_MSI_L2A_DS_{item_id[:3]}_{scene.generation:%Y%m%dT%H%M%S}_D{scene.datastrip}",
        "s2:product_uri": _product_uri(scene, tile),
        "s2:sequence": str(int(scene.item_id.endswith("_1_L2A"))),
        "earthsearch:boa_offset_applied": scene.applied,
    }
    # As in the real catalogue, this offset says nothing about whether it is still in the digital numbers.
    offset = -0.1 if scene.baseline >= "04.00" else 0.0
    assets = {
        key: _optical_asset(band, key, grid, offset) for band, key in ASSET_NAMES.items() if band != scene.missing_band
    }
    return _item(item_id, OPTICAL, properties, assets, grid, rows or (0, site.size, 0, site.size), _EXTENSIONS)


def _product_uri(scene: OpticalScene, tile: str) -> str:
    processed = f"N{scene.baseline.replace('.', '')}_R{scene.orbit:03d}_T{tile}_{scene.generation:%Y%m%dT%H%M%S}"
    return f"{scene.item_id[:3]}_MSIL2A_{scene.time:%Y%m%dT%H%M%S}_{processed}.SAFE"


def radar_item(scene: RadarScene, site: SiteSpec) -> dict[str, Any]:
    """Item of a Sentinel-1 scene, with hrefs relative to itself."""
    grid = site.grid
    top, bottom, left, right = scene.extent
    transform, shape = _window(grid, scene.extent), [bottom - top, right - left]
    x, y = transform[2], transform[5]
    end = scene.time + dt.timedelta(seconds=25)
    properties = {
        "datetime": _text(scene.time + dt.timedelta(seconds=12)),
        "start_datetime": _text(scene.time),
        "end_datetime": _text(end),
        "created": _text(scene.processed + dt.timedelta(hours=1)),
        "updated": _text(scene.processed + dt.timedelta(hours=1)),
        "platform": scene.platform,
        "constellation": "Sentinel-1",
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:center_frequency": 5.405,
        "sar:polarizations": ["VV", "VH"],
        "sar:product_type": "GRD",
        "sar:looks_range": 5,
        "sar:looks_azimuth": 1,
        "sar:pixel_spacing_range": 10,
        "sar:pixel_spacing_azimuth": 10,
        "sar:observation_direction": "right",
        "sat:orbit_state": scene.direction,
        "sat:relative_orbit": scene.orbit,
        "sat:absolute_orbit": scene.absolute_orbit,
        "s1:resolution": "high",
        "s1:shape": shape,
        "s1:product_timeliness": "Fast-24h",
        "s1:processing_level": "1",
        "s1:orbit_source": "RESORB",
        "s1:datatake_id": str(int(scene.item_id.split("_")[7], 16)),
        "s1:instrument_configuration_ID": "7",
        "s1:processing_datetime": _text(scene.processed),
        "proj:epsg": grid.epsg,
        "proj:shape": shape,
        "proj:transform": transform,
        "proj:bbox": [x, y - PIXEL_M * shape[0], x + PIXEL_M * shape[1], y],
    }
    assets = {
        name: {
            "href": f"./{name}.tif",
            "type": _TIFF,
            "title": f"{name.upper()}: gamma0, terrain corrected",
            "roles": ["data"],
            "proj:shape": shape,
            "proj:transform": transform,
            "raster:bands": [{"nodata": -32768, "data_type": "float32", "spatial_resolution": 10.0}],
        }
        for name in ("vv", "vh")
    }
    return _item(
        scene.item_id,
        RADAR,
        properties,
        assets,
        grid,
        scene.extent,
        ("sar/v1.0.0", "sat/v1.0.0", "projection/v1.0.0", "raster/v1.1.0"),
    )


def _optical_asset(band: str, key: str, grid: SiteGrid, offset: float) -> dict[str, Any]:
    pixel = 10 if band in ("B02", "B03", "B04", "B08") else 20
    side = int(grid.extent_m) // pixel
    facts: dict[str, Any] = {
        "nodata": 0,
        "data_type": "uint16",
        "bits_per_sample": 15,
        "spatial_resolution": pixel,
        "scale": 0.0001,
        "offset": offset,
    }
    if band == "SCL":
        facts = {"nodata": 0, "data_type": "uint8", "spatial_resolution": pixel}
    asset: dict[str, Any] = {
        "href": f"./{band}.tif",
        "type": _TIFF,
        "title": f"{key} - {pixel}m",
        "roles": ["data", "reflectance"],
        "gsd": pixel,
        "proj:shape": [side, side],
        "proj:transform": list(grid.transform(pixel)),
        "raster:bands": [facts],
    }
    if band != "SCL":
        asset["eo:bands"] = [{"name": key, "common_name": _COMMON.get(key, key), "center_wavelength": _CENTRES[band]}]
    return asset


def _item(
    item_id: str,
    collection: str,
    properties: Mapping[str, Any],
    assets: Mapping[str, Any],
    grid: SiteGrid,
    extent: Extent,
    extensions: Sequence[str],
) -> dict[str, Any]:
    ring = footprint(grid, extent)
    lon, lat = np.array(ring).T
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [f"https://stac-extensions.github.io/{name}/schema.json" for name in extensions],
        "id": item_id,
        "collection": collection,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [round(float(v), 7) for v in (lon.min(), lat.min(), lon.max(), lat.max())],
        "properties": dict(properties),
        "links": [
            {"rel": "root", "href": "../../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../collection.json", "type": "application/json"},
            {"rel": "collection", "href": "../collection.json", "type": "application/json"},
        ],
        "assets": dict(assets),
    }


def _window(grid: SiteGrid, extent: Extent) -> list[float]:
    return [PIXEL_M, 0.0, grid.left + extent[2] * PIXEL_M, 0.0, -PIXEL_M, grid.top - extent[0] * PIXEL_M]


def footprint(grid: SiteGrid, extent: Extent) -> list[list[float]]:
    """Closed ring of longitude and latitude, anticlockwise, of a window of a site's pixels."""
    top, bottom, left, right = extent
    west, east = left * PIXEL_M, right * PIXEL_M
    south, north = grid.extent_m - bottom * PIXEL_M, grid.extent_m - top * PIXEL_M
    x, y = np.array([west, east, east, west, west]), np.array([south, south, north, north, south])
    lon, lat = grid.to_lonlat(x, y)
    return [[round(float(a), 7), round(float(b), 7)] for a, b in zip(lon, lat, strict=True)]


def _text(moment: dt.datetime, *, milliseconds: bool = False) -> str:
    return (
        moment.astimezone(dt.UTC)
        .isoformat(timespec="milliseconds" if milliseconds else "seconds")
        .replace("+00:00", "Z")
    )
