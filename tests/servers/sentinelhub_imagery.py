"""What a Sentinel Hub holds and computes: a static STAC catalogue of COGs, evalscripts run by a JavaScript engine.

Written against the public description of the service, without any code of the client under test.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import quickjs
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import geometry_mask

S2_KEYS = {
    "B01": "coastal",
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge1",
    "B06": "rededge2",
    "B07": "rededge3",
    "B08": "nir",
    "B8A": "nir08",
    "B09": "nir09",
    "B11": "swir16",
    "B12": "swir22",
    "SCL": "scl",
}
STAND_IN = {"B01": "blue", "B06": "rededge1", "B07": "rededge1", "B09": "nir08", "B12": "swir16"}
"""Assets in place of bands that a catalogue leaves out and the service always has."""
S1_KEYS = {"VV": "vv", "VH": "vh"}
SAMPLE_TYPES = {"UINT8": np.uint8, "UINT16": np.uint16, "FLOAT32": np.float32}
JS_SECONDS, JS_BYTES = 60, 1 << 30
RUN = """
function __run(text) {
  const columns = JSON.parse(text), names = Object.keys(columns), given = names.map(k => columns[k]);
  const n = given[0].length, rows = [], sample = {};
  for (let i = 0; i < n; i++) {
    for (let b = 0; b < names.length; b++) sample[names[b]] = given[b][i];
    const result = evaluatePixel(sample);
    rows.push(Array.isArray(result) ? {default: Array.from(result)} :
      Object.fromEntries(Object.entries(result).map(([k, v]) => [k, Array.from(v)])));
  }
  const ids = n ? Object.keys(rows[0]) : [];
  return JSON.stringify(Object.fromEntries(ids.map(id => [id, rows.map(row => row[id])])));
}
"""


class BadRequest(Exception):
    """The request is not one the service takes: HTTP 400."""


@dataclass(frozen=True)
class Tile:
    """One product of the archive."""

    product: str
    collection: str
    sensed: dt.datetime
    made: tuple[str, str]
    """Baseline and time of processing: the greater is the newer product."""
    properties: Mapping[str, Any]
    geometry: Mapping[str, Any]
    assets: Mapping[str, Path]
    """By name of the service."""
    offset: int
    """Digital numbers to take off for harmonised values."""


@dataclass(frozen=True)
class Window:
    """Pixels asked for."""

    epsg: int
    bbox: tuple[float, float, float, float]
    width: int
    height: int

    @property
    def transform(self) -> Affine:
        left, bottom, right, top = self.bbox
        return Affine((right - left) / self.width, 0, left, 0, (bottom - top) / self.height, top)


@dataclass
class Script:
    """An evalscript, set up. Belongs to the thread that made it."""

    text: str
    context: Any = field(init=False)
    bands: tuple[str, ...] = field(init=False)
    units: tuple[str, ...] = field(init=False)
    outputs: Mapping[str, Mapping[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        if not self.text.startswith("//VERSION=3"):
            raise BadRequest("evalscript must start with //VERSION=3")
        self.context = quickjs.Context()
        self.context.set_memory_limit(JS_BYTES)
        self.context.set_time_limit(JS_SECONDS)
        try:
            self.context.eval(self.text)
            self.context.eval(RUN)
            setup = json.loads(self.context.eval("JSON.stringify(setup())"))
        except quickjs.JSException as error:
            raise BadRequest(f"Failed to evaluate script! {error}") from error
        if setup.get("mosaicking", "SIMPLE") != "SIMPLE":
            raise BadRequest("this server knows mosaicking SIMPLE only")
        source = setup["input"][0]
        self.bands = tuple(source["bands"])
        units = source.get("units", [None] * len(self.bands))
        self.units = (units,) * len(self.bands) if isinstance(units, str) else tuple(units)
        outputs = setup["output"] if isinstance(setup["output"], list) else [setup["output"]]
        self.outputs = {out.get("id", "default"): out for out in outputs}

    def run(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Values of every output, shape (pixel, band); NaN where JavaScript had no number.

        Pixels without data are all alike, and one of them stands for all.
        """
        if "dataMask" in columns:
            data = columns["dataMask"] == 1
            places = np.flatnonzero(data | (np.cumsum(~data) == 1))
            if places.size < data.size:
                some = self.run({name: values[places] for name, values in columns.items()})
                source = np.full(data.size, np.flatnonzero(~data[places])[0])
                source[places] = np.arange(places.size)
                return {name: values[source] for name, values in some.items()}
        text = json.dumps({name: values.tolist() for name, values in columns.items()})
        try:
            told = json.loads(self.context.get("__run")(text))
        except quickjs.JSException as error:
            raise BadRequest(f"Failed to evaluate script! {error}") from error
        found = {k: np.array(v, dtype=np.float64) for k, v in told.items()}
        for name, out in self.outputs.items():
            if found[name].shape[1] != out["bands"]:
                raise BadRequest(f"output {name} has {found[name].shape[1]} bands, setup says {out['bands']}")
        return found


class Archive:
    """All products of a catalogue on disk.

    Parameters
    ----------
    catalogue
        Folder; every ``*.json`` below it that is a STAC item counts.
    carries_offset
        Item id -> whether its digital numbers carry the offset of +1000, where the item's own flag lies. Default: what
        the truth of a simulated world says, if there is one; the service has the product and needs no flag.
    """

    def __init__(self, catalogue: Path, carries_offset: Mapping[str, bool] | None = None) -> None:
        known = offsets_by_truth(catalogue) if carries_offset is None else carries_offset
        products: dict[tuple[Any, ...], list[Tile]] = {}
        for path in sorted(Path(catalogue).rglob("*.json")):
            item = json.loads(path.read_text(encoding="utf-8"))
            if item.get("type") == "Feature" and "assets" in item:
                tile = _tile(path, item, known)
                place = tile.properties.get("grid:code") or shapely.geometry.shape(tile.geometry).wkt
                key = (tile.collection, tile.properties.get("platform"), tile.sensed, place)
                products.setdefault(key, []).append(tile)
        kept = [tile for same in products.values() for tile in _newest(same)]
        self.tiles = sorted(kept, key=lambda tile: (tile.sensed, tile.product))

    def search(self, body: Mapping[str, Any]) -> list[Tile]:
        """Tiles that a search of the Catalog finds, by time."""
        start, end = (_moment(text) for text in body["datetime"].split("/"))
        area = shapely.box(*body["bbox"])
        wanted = dict(re.findall(r"([\w:]+)\s*=\s*'([^']*)'", body.get("filter") or ""))
        return [
            tile
            for tile in self.tiles
            if tile.collection in body["collections"]
            and start <= tile.sensed <= end
            and shapely.geometry.shape(tile.geometry).intersects(area)
            and all(str(tile.properties.get(name)) == value for name, value in wanted.items())
        ]

    def select(self, data: Mapping[str, Any], start: dt.datetime, end: dt.datetime) -> list[Tile]:
        """Tiles of a data source in a time, newest first."""
        asked = data.get("dataFilter", {})
        states = {"ASCENDING": "ascending", "DESCENDING": "descending"}
        state = states.get(asked.get("orbitDirection", ""))
        found = [
            tile
            for tile in self.tiles
            if tile.collection == data["type"]
            and start <= tile.sensed <= end
            and (state is None or tile.properties.get("sat:orbit_state") == state)
        ]
        return sorted(found, key=lambda tile: tile.sensed, reverse=asked.get("mosaickingOrder") != "leastRecent")


def _newest(products: list[Tile]) -> list[Tile]:
    """Of products of one look, those that no newer one stands in for; halves cut into two datastrips both stay."""
    kept: list[tuple[Tile, Any]] = []
    for tile in sorted(products, key=lambda tile: (tile.made, tile.product), reverse=True):
        ground = shapely.geometry.shape(tile.geometry)
        if not any(newer.intersection(ground).area >= 0.95 * ground.area for _, newer in kept):
            kept.append((tile, ground))
    return [tile for tile, _ in kept]


def pixels(tiles: list[Tile], window: Window, script: Script, *, harmonise: bool) -> dict[str, NDArray[Any]]:
    """Bands of the script in a window, flattened: of each pixel the first tile that has data there."""
    known = {**S2_KEYS, **S1_KEYS}
    shape = (window.height, window.width)
    columns: dict[str, NDArray[Any]] = {band: np.zeros(shape) for band in script.bands if band != "dataMask"}
    unknown = [band for band in columns if band not in known]
    if unknown:
        raise BadRequest(f"Dataset does not contain bands {unknown}")
    mask = np.zeros(shape, bool)
    for tile in tiles:
        planes = {band: _plane(tile, band, window) for band in columns}
        here = np.logical_and.reduce([valid for _, valid in planes.values()]) & ~mask
        for band, (values, _) in planes.items():
            if band in S2_KEYS and band != "SCL" and harmonise:
                values = np.maximum(values - tile.offset, 0)
            columns[band][here] = values[here]
        mask |= here
    for band, unit in zip(script.bands, script.units, strict=True):
        if unit == "REFLECTANCE":
            columns[band] = columns[band] / 10_000
    flat = {band: values.ravel() for band, values in columns.items()}
    return {band: mask.ravel().astype(int) if band == "dataMask" else flat[band] for band in script.bands}


def offsets_by_truth(catalogue: Path) -> dict[str, bool]:
    """Items of a simulated world whose flag lies about the offset, and whether their numbers carry it."""
    path = Path(catalogue) / "truth" / "flaws.parquet"
    if not path.is_file():
        return {}
    flaws = pd.read_parquet(path)
    lies = flaws[flaws["flaw"].isin(["flag_lies_applied", "flag_lies_not_applied"])]
    return dict(zip(lies["item_id"], lies["flaw"] == "flag_lies_applied", strict=True))


def encode_tiff(values: NDArray[np.float64], window: Window, sample_type: str) -> bytes:
    """GeoTIFF, DEFLATE, samples of a pixel side by side."""
    dtype = SAMPLE_TYPES[sample_type]
    if dtype is not np.float32:
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(np.nan_to_num(values)), limits.min, limits.max)
    planes = np.moveaxis(values.reshape(window.height, window.width, -1), -1, 0).astype(dtype)
    profile = {
        "driver": "GTiff",
        "height": window.height,
        "width": window.width,
        "count": len(planes),
        "dtype": planes.dtype,
        "crs": f"EPSG:{window.epsg}",
        "transform": window.transform,
        "compress": "deflate",
        "predictor": 1 if dtype is np.float32 else 2,
        "interleave": "pixel",
        "zlevel": 1,
    }
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(planes)
        return bytes(memory.getbuffer())


def summarise(values: NDArray[np.float64], counted: NDArray[np.bool_], percentiles: list[float]) -> dict[str, Any]:
    """Statistics of one band over the pixels that count."""
    seen = values[counted]
    told: dict[str, Any] = {"sampleCount": int(values.size), "noDataCount": int(values.size - seen.size)}
    if not seen.size:
        return told | {"min": "NaN", "max": "NaN", "mean": "NaN", "stDev": "NaN"}
    single = seen.astype(np.float32)
    told |= {"min": float(single.min()), "max": float(single.max())}
    told |= {"mean": float(single.mean(dtype=np.float64)), "stDev": float(single.std(dtype=np.float64))}
    if percentiles:
        found = np.percentile(single, percentiles, method="inverted_cdf")
        told["percentiles"] = {f"{k:.1f}": float(v) for k, v in zip(percentiles, found, strict=True)}
    return told


def inside(geometry: Mapping[str, Any] | None, window: Window) -> NDArray[np.bool_]:
    """Pixels whose centre lies in the geometry, flattened."""
    shape = (window.height, window.width)
    if geometry is None:
        return np.ones(window.height * window.width, bool)
    return np.asarray(geometry_mask([geometry], shape, window.transform, invert=True).ravel())


def _plane(tile: Tile, band: str, window: Window) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Nearest pixels of a band, and where there are any."""
    shape = (window.height, window.width)
    path = tile.assets.get(band)
    if path is None or not path.exists():
        return np.zeros(shape), np.zeros(shape, bool)
    values, transform, epsg, nodata = _load(path)
    a = window.transform
    x = np.broadcast_to(a.c + a.a * (np.arange(window.width) + 0.5), shape)
    y = np.broadcast_to((a.f + a.e * (np.arange(window.height) + 0.5))[:, None], shape)
    if epsg != window.epsg:
        x, y = pyproj.Transformer.from_crs(window.epsg, epsg, always_xy=True).transform(x, y)
    column = np.floor((x - transform.c) / transform.a).astype(int)
    row = np.floor((y - transform.f) / transform.e).astype(int)
    valid = (row >= 0) & (column >= 0) & (row < values.shape[0]) & (column < values.shape[1])
    found = values[np.where(valid, row, 0), np.where(valid, column, 0)].astype(np.float64)
    if nodata is not None:
        valid &= found != nodata
    return np.where(valid, found, 0), valid & np.isfinite(found)


@functools.lru_cache(maxsize=256)
def _load(path: Path) -> tuple[NDArray[Any], Affine, int, float | None]:
    with rasterio.open(path, driver="GTiff") as file:
        return file.read(1), file.transform, int(file.crs.to_epsg()), file.nodata


def _tile(path: Path, item: Mapping[str, Any], carries_offset: Mapping[str, bool]) -> Tile:
    facts = dict(item["properties"])
    radar = "vv" in item["assets"] or "vh" in item["assets"]
    keys = S1_KEYS if radar else S2_KEYS
    assets = {
        name: (path.parent / item["assets"][key]["href"]).resolve()
        for name, key in keys.items()
        if key in item["assets"]
    }
    if not radar:
        for name, key in STAND_IN.items():
            if name not in assets and key in item["assets"]:
                assets[name] = (path.parent / item["assets"][key]["href"]).resolve()
    if radar:
        facts |= {"sar:instrument_mode": "IW", "s1:resolution": "HIGH", "s1:polarization": "DV"}
    uri = str(facts.get("s2:product_uri") or item["id"])
    baseline = str(facts.get("s2:processing_baseline") or "")
    applied = facts.get("earthsearch:boa_offset_applied")
    carried = carries_offset.get(item["id"], baseline >= "04.00" and not applied)
    return Tile(
        product=uri.removesuffix(".SAFE"),
        collection="sentinel-1-grd" if radar else "sentinel-2-l2a",
        sensed=_moment(facts["datetime"]),
        made=(baseline, str(facts.get("updated") or facts.get("created") or "")),
        properties=facts,
        geometry=item["geometry"],
        assets=assets,
        offset=1000 if carried and not radar else 0,
    )


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
