"""Series of parcels by the Statistical API: one request per parcel and year brings every day's statistics.

No pixel leaves the service, so little is transferred, and few parcels far apart cost little. What differs from reading
pixels, and why a series by statistics is not one by pixels to the last digit:

* a pixel counts wholly or not at all (by its centre), the raster path weights the pixels of an edge by their coverage;
* clouds are masked by the classification alone: not widened, no screens in time;
* where two overpasses fall on one day the newest pixel counts, the raster path takes the mean of both;
* indices are computed in single precision of JavaScript's doubles and returned as 32-bit floats.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pystac
from odc.geo.geobox import GeoBox

from geocollateral.errors import InvalidInput, ServiceUnavailable
from geocollateral.sources.hub import evalscripts
from geocollateral.sources.hub.client import BrokenAnswer, HubClient, HubFault, parse_json
from geocollateral.sources.hub.requests import LONGEST_SIDE, HubRequest, statistical_request
from geocollateral.sources.hub.scenes import PIXEL_M, SNAP_M, acquisition_of, service_bands, utm_code
from geocollateral.sources.hub.units import statistical_units
from geocollateral.sources.raster.cache import BlockCache
from geocollateral.types import SERIES_COLUMNS, ReadCost

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely import MultiPolygon, Polygon

CLEAR_CLASSES = (4, 5, 6)
"""Scene classes that count as a clear look at the ground: vegetation, not vegetated, water."""
DAYS_AT_ONCE = 366
"""Of one request."""
ANSWER_BYTES = 900
"""Of one day and index, for estimates."""
MOST_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class ParcelRequest:
    """One request, whose it is and which days it covers. Only the request leaves the machine."""

    parcel_id: str
    request: HubRequest
    version: str
    scene_ids: Mapping[dt.date, str]
    """By solar day."""
    names: Mapping[dt.date, dt.date]
    """By solar day: the day in UTC of its first acquisition, which names a look."""


def parcel_series(
    client: HubClient,
    cache: BlockCache | None,
    parcels: gpd.GeoDataFrame,
    formulas: Mapping[str, str],
    scenes: Sequence[pystac.Item],
    clear_classes: tuple[int, ...] = CLEAR_CLASSES,
) -> pd.DataFrame:
    """Statistics of each index over the clear part of each parcel, per day.

    Parameters
    ----------
    parcels
        Indexed by ``parcel_id``, EPSG:4326.
    formulas
        Arithmetic in our band names, by index, such as ``{"ndvi": "(nir - red) / (nir + red)"}``.
    scenes
        Sentinel-2 items of the search: they say which days there are and what each is called.

    Returns
    -------
    Columns of ``series.parquet``, one row per parcel, day and index with at least one clear pixel. ``time`` is the
    day in UTC of the first acquisition of a solar day. ``n_pixels`` and ``valid_fraction`` count whole pixels.

    Raises
    ------
    ServiceUnavailable
        A parcel's statistics were not given: a series with holes nobody knows of would look like one of clouds.
    QuotaExceeded
        The account or this run has no processing units left.
    """
    if not scenes or not len(parcels):
        return pd.DataFrame(columns=list(SERIES_COLUMNS))
    asked = list(_requests(client, parcels, formulas, scenes, clear_classes))
    with ThreadPoolExecutor(min(client.access.concurrency, MOST_THREADS)) as pool:
        tables = list(pool.map(lambda one: _fetch(client, cache, one, formulas), asked))
    rows = [row for table in tables for row in table]
    frame = pd.DataFrame(rows, columns=list(SERIES_COLUMNS))
    return frame.sort_values(["index", "time", "parcel_id"], kind="stable", ignore_index=True)


def estimate(parcels: gpd.GeoDataFrame, formulas: Mapping[str, str], n_scenes: int) -> ReadCost:
    """What `parcel_series` would take for so many scenes over each parcel."""
    bands = _bands(formulas)
    cost = ReadCost(scenes=n_scenes)
    for geometry in parcels.geometry:
        window = _window(_project(geometry))
        height, width = window.shape
        cost += ReadCost(
            requests=max(-(-n_scenes // 73), 1),  # a year of a scene every five days
            bytes=ANSWER_BYTES * n_scenes * len(formulas),
            pixels=int(height) * int(width) * n_scenes * len(bands),
            processing_units=statistical_units(width, height, bands, n_scenes),
        )
    return cost


def _requests(
    client: HubClient,
    parcels: gpd.GeoDataFrame,
    formulas: Mapping[str, str],
    scenes: Sequence[pystac.Item],
    clear_classes: tuple[int, ...],
) -> Iterator[ParcelRequest]:
    names = service_bands("sentinel-2-l2a")
    script = evalscripts.statistics_script(formulas, {k: v for k, v in names.items() if k != "scl"}, clear_classes)
    bands = _bands(formulas)
    for parcel_id, geometry in parcels.geometry.items():
        projected = _project(geometry)
        window = _window(projected)
        shift = dt.timedelta(hours=float(geometry.centroid.x) / 15.0)
        by_day = defaultdict(list)
        for item in scenes:
            assert item.datetime is not None  # noqa: S101 - ours always have one
            by_day[(item.datetime + shift).date()].append(item)
        days = sorted(by_day)
        for first, last in _spans(days):
            within = [day for day in days if first <= day <= last]
            # Days of the service begin where the first does: at solar midnight of the parcel, to the second.
            begin = (dt.datetime.combine(first, dt.time(), dt.UTC) - shift).replace(microsecond=0)
            request = statistical_request(
                client.deployment,
                projected[0],
                window,
                (begin, begin + dt.timedelta(days=(last - first).days + 1)),
                script,
                bands=bands,
                samples=len(within),
            )
            version = " ".join(acquisition_of(item).version for day in within for item in by_day[day])
            named = {day: "+".join(sorted(item.id for item in by_day[day])) for day in within}
            dates = {day: min(item.datetime for item in by_day[day] if item.datetime).date() for day in within}
            yield ParcelRequest(
                parcel_id=str(parcel_id), request=request, version=version, scene_ids=named, names=dates
            )


def _spans(days: Sequence[dt.date]) -> Iterator[tuple[dt.date, dt.date]]:
    start = 0
    for n, day in enumerate(days):
        if (day - days[start]).days >= DAYS_AT_ONCE:
            yield days[start], days[n - 1]
            start = n
    if days:
        yield days[start], days[-1]


def _fetch(
    client: HubClient, cache: BlockCache | None, asked: ParcelRequest, formulas: Mapping[str, str]
) -> list[dict[str, Any]]:
    key = asked.request.key(asked.version)
    kept = None if cache is None else cache.get(key)
    if kept is not None:
        return _parse(kept, asked, formulas)
    try:
        rows, body = client.send(asked.request, lambda body: _parse(body, asked, formulas))
    except HubFault as fault:
        raise ServiceUnavailable(
            f"Sentinel Hub ({client.deployment.name}) did not give the statistics of parcel {asked.parcel_id}: "
            f"{fault.reason}. Run again."
        ) from fault
    if cache is not None:
        cache.put(key, body)
    return rows


def _parse(body: bytes, asked: ParcelRequest, formulas: Mapping[str, str]) -> list[dict[str, Any]]:
    told = parse_json(body)
    if told.get("status") != "OK":
        raise BrokenAnswer(f"the statistics are {told.get('status')}, not OK")
    begin = dt.datetime.fromisoformat(asked.request.body["aggregation"]["timeRange"]["from"])
    first = min(asked.scene_ids)
    rows = []
    try:
        for day in told["data"]:
            since = dt.datetime.fromisoformat(day["interval"]["from"]) - begin
            date = first + dt.timedelta(days=round(since / dt.timedelta(days=1)))
            for index in formulas:
                stats = day["outputs"][index]["bands"]["B0"]["stats"]
                seen = int(stats["sampleCount"]) - int(stats["noDataCount"])
                if seen > 0:
                    rows.append(_row(asked, date, index, stats, seen, int(told["geometryPixelCount"])))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenAnswer(f"the statistics lack {error}") from error
    return rows


def _row(
    asked: ParcelRequest, date: dt.date, index: str, stats: Mapping[str, Any], seen: int, whole: int
) -> dict[str, Any]:
    if not 0 < seen <= whole:
        raise BrokenAnswer(f"{seen} clear pixels of {whole}")
    quantiles = {round(float(k)): float(v) for k, v in stats["percentiles"].items()}
    return {
        "parcel_id": asked.parcel_id,
        "time": pd.Timestamp(asked.names.get(date, date)),
        "sensor": "sentinel-2",
        "index": index,
        "mean": float(stats["mean"]),
        "p10": quantiles[10],
        "p50": quantiles[50],
        "p90": quantiles[90],
        "valid_fraction": seen / whole,
        "n_pixels": seen,
        "scene_id": asked.scene_ids.get(date, ""),
    }


def _bands(formulas: Mapping[str, str]) -> tuple[str, ...]:
    if not formulas:
        raise InvalidInput("Statistics need at least one index; got none.")
    return (*sorted({band for text in formulas.values() for band in evalscripts.bands_of_formula(text)}), "scl")


def _project(geometry: Polygon | MultiPolygon) -> tuple[Polygon | MultiPolygon, str]:
    import geopandas as gpd

    centre = geometry.centroid
    code = utm_code(centre.x, centre.y)
    # Vertices every 0.002 degrees: a straight edge in degrees is a curve on the grid.
    return gpd.GeoSeries([geometry], crs="EPSG:4326").segmentize(0.002).to_crs(code).iloc[0], code


def _window(projected: tuple[Polygon | MultiPolygon, str]) -> GeoBox:
    from math import ceil, floor

    from affine import Affine

    geometry, code = projected
    left, bottom, right, top = geometry.bounds
    left, bottom = floor(left / SNAP_M) * SNAP_M, floor(bottom / SNAP_M) * SNAP_M
    right, top = ceil(right / SNAP_M) * SNAP_M, ceil(top / SNAP_M) * SNAP_M
    shape = round((top - bottom) / PIXEL_M), round((right - left) / PIXEL_M)
    if max(shape) > LONGEST_SIDE:
        raise InvalidInput(
            f"A parcel {max(shape) * PIXEL_M / 1000:.1f} km long is too large for statistics (at most "
            f"{LONGEST_SIDE * PIXEL_M / 1000:g} km); read it by pixels: mode=process."
        )
    return GeoBox(shape, Affine(PIXEL_M, 0.0, left, 0.0, -PIXEL_M, top), code)
