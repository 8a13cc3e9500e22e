"""Items of any STAC catalogue turned into the one form the rest of the program reads.

A canonical item has its bands as assets under our names, the grid of its finest band, its instant in UTC, the offset
that its metadata amount to, and none of the rest: no thumbnails, no links, no signatures. What an item lacks is not
guessed. A band whose own metadata contradict its name is left out and named in ``geocollateral:refused``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag, urlsplit, urlunsplit

import pystac

from geocollateral.errors import BrokenData
from geocollateral.sources.bounds import Box, footprint_boxes, split_bounds
from geocollateral.sources.catalogue.instants import sensing_instant
from geocollateral.sources.catalogue.offsets import SCALE, candidate_offset
from geocollateral.sources.catalogue.orbits import (
    constellation_of,
    direction_of,
    is_unknown,
    platform_of,
    relative_orbit_of,
    tile_of,
)
from geocollateral.sources.catalogue.services import RADAR_GEOMETRY_ADVICE
from geocollateral.types import BANDS, OPTICAL_BANDS, RADAR_BANDS, SENTINEL2_BANDS

EARTH_SEARCH_BANDS: Mapping[str, str] = {
    "rededge1": "rededge071",
    "rededge2": "rededge075",
    "rededge3": "rededge078",
}
"""Asset keys that are neither our band names nor Sentinel-2's."""
NATIVE_M: Mapping[str, int] = {
    **dict.fromkeys(("blue", "green", "red", "nir"), 10),
    **dict.fromkeys(("rededge071", "rededge075", "rededge078", "nir08", "swir16", "swir22", "scl"), 20),
    **dict.fromkeys(("coastal", "nir09"), 60),
}
"""Pixel size of the bands of Sentinel-2 [m]; copies at other sizes are resampled and never read."""

KEY = "geocollateral:key"
"""Property: ``collection/id`` of the catalogue."""
REFUSED = "geocollateral:refused"
"""Property: bands that were left out, and why."""
UNKNOWN_PLATFORM = "geocollateral:unknown_platform"
EVIDENCE = "geocollateral:offset_evidence"
"""Of an asset: what its offset was taken from. ``raster:offset`` is absent where the pixels have to tell it."""
KEPT = (
    "eo:cloud_cover",
    "s2:processing_baseline",
    "s2:generation_time",
    "s2:datatake_id",
    "s2:datastrip_id",
    "s2:product_uri",
    "s2:sequence",
    "processing:datetime",
    "processing:version",
    "s1:processing_datetime",
    "earthsearch:boa_offset_applied",
    "created",
    "updated",
)
"""Properties handed on as they are."""

_SENTINEL_KEY = re.compile(r"(B\d{2}|B8A|SCL)(?:_(\d{2})m)?", re.IGNORECASE)
_RASTER_TYPES = ("image/tiff", "image/jp2", "image/vnd.stac.geotiff", "application/x-geotiff", "application/geotiff")


class RefusedItem(BrokenData):
    """An item that cannot be read, and why."""


@dataclass(frozen=True, kw_only=True)
class AssetGrid:
    """Grid of one asset as its item states it; None where it does not."""

    code: str | None
    transform: tuple[float, ...] | None
    shape: tuple[int, int] | None

    @property
    def complete(self) -> bool:
        """Whether all is stated."""
        return None not in (self.code, self.transform, self.shape)


def band_of_key(key: str) -> str | None:
    """Band that an asset key stands for: ``red``, ``rededge1``, ``B04``, ``B04_10m``, ``SCL``, ``vv``; None for others.

    Copies at another pixel size than the band's own (``B02_20m``) are others.
    """
    if key in BANDS:
        return key
    if key in EARTH_SEARCH_BANDS:
        return EARTH_SEARCH_BANDS[key]
    if key.upper() in ("VV", "VH"):
        return key.lower()
    match = _SENTINEL_KEY.fullmatch(key)
    if match is None:
        return None
    band = SENTINEL2_BANDS.get(match[1].upper())
    if band is not None and match[2] is not None and int(match[2]) != NATIVE_M[band]:
        return None
    return band


def canonical_item(feature: Mapping[str, Any]) -> pystac.Item:
    """One item of a catalogue in our form; see the module.

    Parameters
    ----------
    feature
        The item as JSON, addresses of its assets absolute.

    Raises
    ------
    RefusedItem
        It has no band, no instant, no usable grid or is in radar geometry; the message says what to do.
    """
    name, properties = str(feature.get("id")), dict(feature.get("properties") or {})
    found, refused = _find_assets(feature)
    if not found:
        raise RefusedItem(f"{name}: none of its assets is a band; they are {sorted(feature.get('assets') or {})[:12]}")
    try:
        instant = sensing_instant(properties)
    except BrokenData as exc:
        raise RefusedItem(f"{name}: {exc}") from exc
    grids = {band: _grid_of(asset, properties) for band, asset in found.items()}
    whole = _grid_of(properties, properties)
    if set(found) <= set(RADAR_BANDS):
        # The bands of one radar scene share the grid of their item. Those of Sentinel-2 do not: they have three sizes.
        grids = {band: grid if grid.complete else whole for band, grid in grids.items()}
    _require_map_geometry(name, properties, grids)
    platform = platform_of(properties)
    kept: dict[str, Any] = {key: properties[key] for key in KEPT if properties.get(key) is not None}
    kept |= _grid_properties(grids) or (_asset_grid_fields(whole) if whole.complete else {})
    kept |= {
        "platform": platform,
        "constellation": constellation_of(properties, platform)
        or ("sentinel-1" if set(found) <= set(RADAR_BANDS) else ""),
        "sat:relative_orbit": relative_orbit_of(properties),
        "sat:orbit_state": direction_of(properties) or None,
        "grid:code": f"MGRS-{tile}" if (tile := tile_of(properties)) else None,
        UNKNOWN_PLATFORM: True if is_unknown(platform) else None,
        REFUSED: refused or None,
        KEY: f"{feature.get('collection') or ''}/{name}",
    }
    item = pystac.Item(
        id=name,
        geometry=feature.get("geometry"),
        bbox=_flat_bbox(feature.get("bbox")),
        datetime=instant,
        properties={key: value for key, value in kept.items() if value is not None and value != ""},
    )
    for band in (band for band in BANDS if band in found):
        item.add_asset(band, _canonical_asset(band, found[band], grids[band], properties))
    return item


def ground_of(item: pystac.Item) -> tuple[Box, ...]:
    """Boxes an item covers: by its projected frame where it states one, else by its bounding box.

    Footprints near 180 degrees are wrong in real catalogues (a scene around the world, or none); the frame is not.
    """
    p = item.properties
    if all(key in p for key in ("proj:code", "proj:transform", "proj:shape")):
        return footprint_boxes(p["proj:code"], p["proj:transform"], p["proj:shape"])
    if item.bbox:
        west, south, east, north = item.bbox
        return split_bounds((west, south, east, north))
    return ()


def with_grid(item: pystac.Item, band: str, grid: AssetGrid) -> pystac.Item:
    """The item with the grid of one band told from the header of its file; see `lacks_grid`."""
    copy = item.clone()
    copy.assets[band].extra_fields |= _asset_grid_fields(grid)
    stated = {name: _grid_of(asset.to_dict(), copy.properties) for name, asset in copy.assets.items()}
    copy.properties |= _grid_properties(stated)
    return copy


def lacks_grid(item: pystac.Item) -> bool:
    """Whether an item does not say on which grid its finest band lies."""
    return not all(key in item.properties for key in ("proj:code", "proj:transform", "proj:shape"))


def strip_query(href: str) -> str:
    """An address without its query and fragment: signatures are never kept."""
    if "://" not in href:
        return href
    parts = urlsplit(urldefrag(href).url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


# ---- assets


def _find_assets(feature: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Asset of each band, and bands left out with the reason."""
    found: dict[str, dict[str, Any]] = {}
    refused: dict[str, str] = {}
    for key, asset in sorted((feature.get("assets") or {}).items()):
        band = band_of_key(key)
        if band is None or not isinstance(asset, dict) or not asset.get("href") or not _is_raster(asset):
            continue
        said, scale = _said_band(asset), _number(_band_facts(asset).get("scale"))
        if said is not None and said != band:
            refused[band] = f"asset {key!r} calls itself {said}"
        elif band in OPTICAL_BANDS and scale is not None and not math.isclose(scale, SCALE, rel_tol=1e-6):
            refused[band] = f"asset {key!r} states scale {scale:g}, Sentinel-2 L2A has {SCALE:g}"
        elif band not in found or _prefer(asset, found[band]):
            found[band] = asset
    return {band: asset for band, asset in found.items() if band not in refused}, refused


def _is_raster(asset: Mapping[str, Any]) -> bool:
    kind = str(asset.get("type") or "").partition(";")[0].strip().lower()
    return kind in _RASTER_TYPES or not kind


def _prefer(asset: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """GeoTIFF before JPEG 2000: it is read by ranges."""
    return "jp2" in str(other.get("type")) and "jp2" not in str(asset.get("type"))


def _said_band(asset: Mapping[str, Any]) -> str | None:
    """Band that the asset's own description names, where it names exactly one that we know."""
    described = asset.get("eo:bands") or asset.get("bands") or []
    if not isinstance(described, list) or len(described) != 1 or not isinstance(described[0], dict):
        return None
    name = str(described[0].get("name") or "")
    match = _SENTINEL_KEY.fullmatch(name)
    if match:
        return SENTINEL2_BANDS.get(match[1].upper())
    common = str(described[0].get("common_name") or described[0].get("eo:common_name") or "")
    # "rededge" stands for several bands, and some catalogues call B8A that.
    return common if common in OPTICAL_BANDS else None


def _canonical_asset(
    band: str, asset: Mapping[str, Any], grid: AssetGrid, properties: Mapping[str, Any]
) -> pystac.Asset:
    stated = _band_facts(asset)
    extra: dict[str, Any] = _asset_grid_fields(grid)
    if band in RADAR_BANDS:
        extra |= {"raster:scale": 1.0, "raster:offset": 0.0, "unit": "1"}
        extra["data_type"] = str(stated.get("data_type") or "float32")
    elif band == "scl":
        extra |= {"raster:scale": 1.0, "raster:offset": 0.0, "unit": "1", "data_type": "uint8"}
    else:
        choice = candidate_offset(
            properties,
            product_offset=_number(_first(asset, properties, "BOA_ADD_OFFSET", "s2:boa_add_offset")),
            catalogue_offset=_number(stated.get("offset")),
        )
        extra |= {"raster:scale": SCALE, "unit": "1", EVIDENCE: choice.evidence}
        extra["data_type"] = str(stated.get("data_type") or "uint16")
        if choice.offset is not None:
            extra["raster:offset"] = choice.offset
    nodata = _number(stated.get("nodata"))
    if nodata is not None:
        extra["nodata"] = "nan" if math.isnan(nodata) else nodata
    if grid.transform is not None:
        extra["gsd"] = abs(grid.transform[0])
    elif band in NATIVE_M:
        extra["gsd"] = float(NATIVE_M[band])
    extra["geocollateral:version"] = _version(asset, properties)
    return pystac.Asset(
        href=strip_query(str(asset["href"])), media_type=asset.get("type"), roles=["data"], extra_fields=extra
    )


def _band_facts(asset: Mapping[str, Any]) -> dict[str, Any]:
    """``nodata``, ``data_type``, ``scale`` and ``offset`` of an asset, in STAC 1.0 or 1.1 words."""
    facts: dict[str, Any] = {}
    for name in ("raster:bands", "bands"):
        described = asset.get(name)
        if isinstance(described, list) and len(described) == 1 and isinstance(described[0], dict):
            facts |= {key.removeprefix("raster:"): value for key, value in described[0].items()}
    for key in ("nodata", "data_type", "raster:scale", "raster:offset", "scale", "offset"):
        if asset.get(key) is not None:
            facts[key.removeprefix("raster:")] = asset[key]
    return facts


def _version(asset: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """What changes when the file behind an address does."""
    said = asset.get("file:checksum") or properties.get("updated") or properties.get("created")
    return str(said or properties.get("s2:generation_time") or "")


# ---- grids


def _grid_of(fields: Mapping[str, Any], properties: Mapping[str, Any]) -> AssetGrid:
    transform: Any = fields.get("proj:transform")
    shape: Any = fields.get("proj:shape")
    return AssetGrid(
        code=_crs_code(fields) or _crs_code(properties),
        transform=tuple(float(v) for v in transform[:6]) if _is_list(transform, 6) else None,
        shape=(int(shape[0]), int(shape[1])) if _is_list(shape, 2) else None,
    )


def _crs_code(fields: Mapping[str, Any]) -> str | None:
    code = fields.get("proj:code")
    if code:
        return str(code).upper()
    epsg = fields.get("proj:epsg")
    return f"EPSG:{int(epsg)}" if isinstance(epsg, int | float) and not isinstance(epsg, bool) else None


def _grid_properties(grids: Mapping[str, AssetGrid]) -> dict[str, Any]:
    """``proj:*`` of the finest grid that is stated in full; nothing where none is."""
    full = [grid for grid in grids.values() if grid.complete]
    if not full:
        return {}
    finest = min(full, key=lambda grid: (abs((grid.transform or (0,))[0]), grid.transform or (), grid.shape or ()))
    return _asset_grid_fields(finest)


def _asset_grid_fields(grid: AssetGrid) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if grid.code is not None:
        fields["proj:code"] = grid.code
    if grid.transform is not None:
        fields["proj:transform"] = list(grid.transform)
    if grid.shape is not None:
        fields["proj:shape"] = list(grid.shape)
    return fields


def _require_map_geometry(name: str, properties: Mapping[str, Any], grids: Mapping[str, AssetGrid]) -> None:
    radar = set(grids) & set(RADAR_BANDS)
    product = str(properties.get("sar:product_type") or properties.get("product:type") or "").upper()
    # Terrain-corrected products made from GRD say GRD too, but they state their map grid.
    if radar and "GRD" in product and not any(grids[band].complete for band in radar):
        raise RefusedItem(f"{name}: {RADAR_GEOMETRY_ADVICE}")
    for band, grid in grids.items():
        if grid.transform is not None and (grid.transform[1], grid.transform[3]) != (0.0, 0.0):
            raise RefusedItem(f"{name}: the grid of {band} is turned against its axes: {list(grid.transform)}")
        if radar and grid.code == "EPSG:4326":
            raise RefusedItem(f"{name}: {RADAR_GEOMETRY_ADVICE}")


def _flat_bbox(bbox: object) -> list[float] | None:
    """West, south, east, north; heights are left out."""
    if not isinstance(bbox, Sequence) or len(bbox) not in (4, 6):
        return None
    values = [float(v) for v in bbox]
    return values if len(values) == 4 else [values[0], values[1], values[3], values[4]]


def _first(asset: Mapping[str, Any], properties: Mapping[str, Any], *names: str) -> object:
    return next(
        (source[name] for source in (asset, properties) for name in names if source.get(name) is not None), None
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _is_list(value: object, least: int) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) >= least
