"""Scenes of the Catalog: tiles of one overpass become one observation, on one lattice of the area's UTM zone.

The Process API lays the tiles of an overpass side by side anyway, so what it can be asked for is an overpass: one
platform, one orbit, one short time. Its pixels are asked for on a lattice of 10 m whose corners are multiples of 20 m,
as those of the Sentinel-2 tiles are: with nearest neighbour the numbers are then the tiles' own.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyproj
import pystac
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from geocollateral.errors import BrokenData
from geocollateral.sources.hub.deployments import Deployment
from geocollateral.types import SENTINEL1_BANDS, SENTINEL2_BANDS

Feature = Mapping[str, Any]
Bounds = tuple[float, float, float, float]

PIXEL_M = 10.0
SNAP_M = 20.0
MARGIN_M = 1280.0
"""The lattice reaches this far beyond the area, so that blocks keep the margins their masks need [m]."""
OVERPASS = dt.timedelta(minutes=10)
"""Longest pause between two tiles of one overpass; the next overpass is some 100 minutes away."""
GSD = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B01": 60, "B09": 60}
SCALE = 1e-4
OPTICAL_NODATA = 65535
"""Where ``dataMask`` is 0. Not 0: the service clamps dark pixels to 0 as it takes the offset off, and they are data."""
CLOUD_PROBABILITY = "clp"
FIELDS = "geocollateral:"


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """What one Process request for a scene must say besides its window."""

    collection: str
    start: dt.datetime
    end: dt.datetime
    """Whole seconds that hold the sensing times of all tiles [UTC]."""
    orbit_state: str
    """``ascending``, ``descending`` or ``""``."""
    version: str
    """Changes when the service has other tiles of the scene, such as reprocessed ones."""


def build_items(
    features: Iterable[Feature], grid: GeoBox, deployment: Deployment, *, cloud_probability: bool
) -> list[pystac.Item]:
    """One item per overpass, ordered by time and id.

    Parameters
    ----------
    features
        Of the Catalog, in any order, twins from paging or from two boxes among them.
    grid
        Lattice of all items.

    Raises
    ------
    BrokenData
        A feature lacks what the service promises.
    """
    unique = {(feature_collection(f), str(f["id"])): f for f in features}
    passes: dict[tuple[str, str, str], list[Feature]] = defaultdict(list)
    for (collection, _), feature in unique.items():
        passes[(collection, _platform(feature), _orbit(feature))].append(feature)
    items = []
    for (collection, platform, orbit), members in passes.items():
        about = (collection, platform, orbit)
        items += [_item(about, tiles, grid, deployment, cloud_probability) for tiles in _overpasses(members)]
    return sorted(items, key=lambda item: (item.datetime, item.id))


def feature_collection(feature: Feature) -> str:
    """Collection a feature says it belongs to."""
    try:
        return str(feature["collection"])
    except KeyError as error:
        raise BrokenData(f"A feature of the Catalog names no collection: {str(feature.get('id'))[:80]}") from error


def acquisition_of(item: pystac.Item) -> Acquisition:
    """What `build_items` wrote into an item.

    Raises
    ------
    BrokenData
        The item comes from elsewhere.
    """
    try:
        facts = item.properties
        if facts[FIELDS + "scene"] != item.id:
            raise BrokenData(f"Scene {item.id} was not found by this source: it is {facts[FIELDS + 'scene']}.")
        return Acquisition(
            collection=facts[FIELDS + "collection"],
            start=_moment(facts["start_datetime"]),
            end=_moment(facts["end_datetime"]),
            orbit_state=facts.get("sat:orbit_state", ""),
            version=facts[FIELDS + "version"],
        )
    except KeyError as error:
        raise BrokenData(f"Scene {item.id} was not found by this source: it lacks {error}.") from error


def service_bands(collection: str, *, cloud_probability: bool = False) -> dict[str, str]:
    """Our band names to those of the service, in the service's order."""
    if collection == "sentinel-1-grd":
        return {ours: theirs for theirs, ours in SENTINEL1_BANDS.items()}
    bands = {ours: theirs for theirs, ours in SENTINEL2_BANDS.items()}
    return bands | ({CLOUD_PROBABILITY: "CLP"} if cloud_probability else {})


def lattice(bounds: Bounds) -> GeoBox:
    """Grid of 10 m in the area's UTM zone that covers it with a margin.

    Parameters
    ----------
    bounds
        West, south, east, north [degrees, WGS 84]; west > east crosses 180 degrees.
    """
    west, south, east, north = bounds
    east += 360.0 if east < west else 0.0
    code = utm_code((west + east) / 2, (south + north) / 2)
    project = pyproj.Transformer.from_crs("EPSG:4326", code, always_xy=True)
    left, bottom, right, top = project.transform_bounds(west, south, east, north, densify_pts=21)
    left, bottom = (math.floor((v - MARGIN_M) / SNAP_M) * SNAP_M for v in (left, bottom))
    right, top = (math.ceil((v + MARGIN_M) / SNAP_M) * SNAP_M for v in (right, top))
    shape = round((top - bottom) / PIXEL_M), round((right - left) / PIXEL_M)
    return GeoBox(shape, Affine(PIXEL_M, 0.0, left, 0.0, -PIXEL_M, top), code)


def utm_code(lon: float, lat: float) -> str:
    """EPSG code of the UTM zone of a place, with the exceptions of Norway and Svalbard that Sentinel-2 tiles keep."""
    lon = (lon + 180.0) % 360.0 - 180.0
    zone = int((lon + 180.0) // 6) + 1
    if 56 <= lat < 64 and 3 <= lon < 12:
        zone = 32
    elif lat >= 72 and 0 <= lon < 42:
        zone = 31 + 2 * int((lon + 3) // 12)
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def _overpasses(features: Sequence[Feature]) -> list[list[Feature]]:
    ranked = sorted(features, key=lambda f: (_sensed(f), str(f["id"])))
    groups: list[list[Feature]] = []
    for feature in ranked:
        if groups and _sensed(feature) - _sensed(groups[-1][-1]) <= OVERPASS:
            groups[-1].append(feature)
        else:
            groups.append([feature])
    return groups


def _item(
    about: tuple[str, str, str], tiles: Sequence[Feature], grid: GeoBox, deployment: Deployment, cloud_probability: bool
) -> pystac.Item:
    collection, platform, orbit = about
    first, last = _sensed(tiles[0]), _sensed(tiles[-1])
    state, _, relative = orbit.partition("-")
    name = "_".join(filter(None, [platform or collection, first.strftime("%Y%m%dT%H%M%S"), orbit.strip("-")]))
    properties: dict[str, object] = {
        "proj:code": str(grid.crs),
        "proj:transform": [float(v) for v in tuple(grid.affine)[:6]],
        "proj:shape": [int(v) for v in grid.shape],
        "constellation": "sentinel-1" if collection == "sentinel-1-grd" else "sentinel-2",
        # The service takes whole seconds, and the Catalog may have rounded to them: one more on either side.
        "start_datetime": _text(first.replace(microsecond=0) - dt.timedelta(seconds=1)),
        "end_datetime": _text(last.replace(microsecond=0) + dt.timedelta(seconds=2)),
        FIELDS + "collection": collection,
        FIELDS + "tiles": [str(tile["id"]) for tile in tiles],
        FIELDS + "version": _version(tiles),
        FIELDS + "scene": name,
    }
    properties |= {"platform": platform} if platform else {}
    properties |= {"sat:orbit_state": state} if state in ("ascending", "descending") else {}
    properties |= {"sat:relative_orbit": int(relative)} if relative else {}
    shape = shapely.union_all([shapely.geometry.shape(tile["geometry"]) for tile in tiles])
    item = pystac.Item(
        id=name,
        geometry=shapely.geometry.mapping(shape),
        bbox=[float(v) for v in shape.bounds],
        datetime=first,
        properties=properties,
    )
    clp = cloud_probability and deployment.has_cloud_probability
    for band, name in service_bands(collection, cloud_probability=clp).items():
        item.add_asset(band, _asset(collection, name))
    return item


def _asset(collection: str, name: str) -> pystac.Asset:
    facts: dict[str, object]
    if collection == "sentinel-1-grd":
        facts = {"gsd": 10, "data_type": "float32", "raster:scale": 1.0, "raster:offset": 0.0, "nodata": "nan"}
    elif name in ("SCL", "CLP"):
        scale = 1.0 if name == "SCL" else 1 / 255
        facts = {"gsd": 20, "data_type": "uint8", "raster:scale": scale, "raster:offset": 0.0, "nodata": 0}
    else:
        # The offset is taken off by the service (harmonizeValues), whatever the baseline.
        facts = {"gsd": GSD.get(name, 20), "data_type": "uint16", "raster:scale": SCALE, "raster:offset": 0.0}
        facts["nodata"] = OPTICAL_NODATA
    return pystac.Asset(href=f"{collection}#{name}", roles=["data"], extra_fields=facts | {"unit": "1"})


def _platform(feature: Feature) -> str:
    return str(feature["properties"].get("platform") or "").lower()


def _orbit(feature: Feature) -> str:
    """``descending-75``, ``-75`` (state unknown), ``ascending`` or ``""``."""
    facts = feature["properties"]
    relative = facts.get("sat:relative_orbit") or _relative_orbit(str(feature["id"]), _sensed(feature))
    state = str(facts.get("sat:orbit_state") or "").lower()
    return f"{state}-{relative}" if relative else state


def _relative_orbit(product: str, sensed: dt.datetime) -> int | None:
    """Relative orbit by the name of the product: told (Sentinel-2) or by the absolute one (Sentinel-1)."""
    if found := re.search(r"_R(\d{3})_", product):
        return int(found[1])
    if found := re.match(r"S1(\w)_.*_\d{8}T\d{6}_(\d{6})_", product):
        shift = {"A": 73, "B": 27, "D": 42}.get(found[1])
        if found[1] == "C" and sensed < dt.datetime(2026, 6, 9, tzinfo=dt.UTC):
            # Sentinel-1C was moved along its orbit in June 2026: later numbers are not guessed.
            shift = 172
        return None if shift is None else (int(found[2]) - shift) % 175 + 1
    return None


def _sensed(feature: Feature) -> dt.datetime:
    try:
        return _moment(feature["properties"]["datetime"])
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenData(f"Feature {str(feature.get('id'))[:80]} of the Catalog has no time of sensing.") from error


def _version(tiles: Sequence[Feature]) -> str:
    told = [f"{t['id']} {t['properties'].get('updated') or t['properties'].get('created') or ''}" for t in tiles]
    return hashlib.sha256("\n".join(sorted(told)).encode()).hexdigest()[:16]


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _text(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
