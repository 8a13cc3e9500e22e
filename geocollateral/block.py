"""One block, all its dates, in one task: from digital numbers to judged parcels.

Written once, top to bottom; only this file and `service` know the order of the stages. Everything returned is small:
tables by parcel, and the year of loss of the pixels for the map.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from geocollateral.assets import ASSETS, Asset
from geocollateral.change import default_params, monitor
from geocollateral.config import Settings
from geocollateral.observe import cube, indices, looks, masks, speckle, zonal
from geocollateral.types import (
    CHANGE_COLUMNS,
    CHANGE_STATUSES,
    OBSERVATION_STATUSES,
    OPTICAL_BANDS,
    RADAR_BANDS,
    SENSOR_PROPERTY,
    SERIES_COLUMNS,
    Block,
    Event,
    Hit,
    Judgement,
    ParcelEvidence,
    PixelChange,
    Source,
)

GENERAL_INDICES = ("ndvi", "ndmi")
"""Series given for every parcel, whatever its asset class, where the bands allow."""
CHART_STEP_DAYS = 8
PIXELS_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class BlockTask:
    """All one task needs; pickles."""

    block: Block
    grid: GeoBox
    geometries: Mapping[str, BaseGeometry]
    """In the CRS of the grid."""
    attributes: Mapping[str, Mapping[str, Any]]
    asset_classes: frozenset[str]
    """Of the whole project, so that every block reads the same bands and the count of observations adds up."""
    offered: frozenset[str]
    """Bands that any scene of this kind has in the whole project, for the same reason."""
    visible_fraction: Mapping[str, float]
    radar: bool
    """Whether the scenes hold backscatter only."""
    source: Source
    settings: Settings
    as_of: dt.date


@dataclass(frozen=True, kw_only=True)
class BlockResult:
    """What one block has to say. Tables have the columns their records in `types` name."""

    series: pd.DataFrame
    changes: pd.DataFrame
    baselines: pd.DataFrame
    judgements: Mapping[str, Judgement]
    hits: tuple[Hit, ...]
    scenes: tuple[Mapping[str, Any], ...]
    indices: tuple[str, ...]
    """Indices the bands of the source allow."""
    lost_pixels: NDArray[np.int64]
    """Shape (pixel, 3): row and column in the grid, year of loss."""


def assess_block(task: BlockTask) -> BlockResult:
    """Read a block once and judge every parcel in it."""
    settings = task.settings
    wanted = wanted_indices(task.asset_classes, task.offered)
    numbers = task.source.read(task.block, wanted_bands(wanted, task.offered))
    cover = zonal.coverage(task.geometries, task.block.geobox)
    physical = cube.to_physical(cube.take_pixels(numbers, cover.pixels))
    scene_ids = numbers["scene_id"].values.tolist()
    days = looks.look_days(numbers["time"].values, looks.longitude_of(task.block.geobox))
    clear = _clear(numbers, physical, cover, settings)
    bands = physical[[name for name in OPTICAL_BANDS if name in physical]].assign_coords(time=physical["time"])
    # One look per day before anything is compared in time: parts and twins of one overpass are one witness.
    seen = looks.fuse_days(bands, clear, scene_ids, days)
    hidden = _hidden(seen, settings)
    for look, members in enumerate(seen.scenes_of):
        clear[members] &= ~hidden[look]
    scenes = _account(numbers, physical, clear, cover, sorted(task.offered & set(numbers["band"].values)))

    optical = [name for name in wanted if name not in RADAR_BANDS]
    radar = [name for name in wanted if name in RADAR_BANDS]
    tables = []
    visible = seen.clear & ~hidden
    found = indices.compute_indices(seen.values, optical)
    statistics: xr.Dataset | None = None
    if optical:
        statistics = zonal.zonal_statistics(found, visible, cover)
        sensor = str(task.block.items[0].properties.get(SENSOR_PROPERTY, "sentinel-2"))
        tables.append(zonal.series_table(statistics, seen.scene_ids, sensor))
    if radar:
        tables += _radar_tables(numbers, radar, cover, days)

    judged = _judged_classes(task, optical)
    pixels = {name: _pixel_changes(found, visible, ASSETS[name], settings) for name in judged}
    classes = {parcel_id: str(task.attributes[parcel_id]["asset_class"]) for parcel_id in cover.parcel_ids}
    changes, baselines = ([], []) if statistics is None else monitor_parcels(statistics, classes, settings)
    judgements: dict[str, Judgement] = {}
    hits: list[Hit] = []
    lost: list[NDArray[np.int64]] = []
    for position, parcel_id in enumerate(cover.parcel_ids):
        asset_class = classes[parcel_id]
        if statistics is None or asset_class not in pixels:
            judgements[parcel_id] = _no_judgement(asset_class, optical)
            continue
        asset = ASSETS[asset_class]
        evidence = _evidence(task, cover, statistics, position, pixels[asset_class])
        params = getattr(settings, asset.name)
        judgement = asset.judge(evidence, params)
        judgements[parcel_id] = judgement
        hits += asset.hits(evidence, judgement, params)
        changes += [_event_row(parcel_id, event, len(evidence.look_days)) for event in judgement.events]
        lost += [_lost_pixels(evidence, event) for event in judgement.events]
    return BlockResult(
        series=_concat(tables, SERIES_COLUMNS),
        changes=pd.DataFrame(changes, columns=list(CHANGE_COLUMNS)),
        baselines=_concat(baselines, ("parcel_id", "index", "time", "expected", "spread", "informative")),
        judgements=judgements,
        hits=tuple(hits),
        scenes=scenes,
        indices=tuple(wanted),
        lost_pixels=np.concatenate([*lost, np.zeros((0, 3), np.int64)]),
    )


def wanted_indices(asset_classes: Collection[str], offered: Collection[str]) -> list[str]:
    """Indices of the asset classes of a project, and the general ones, that the bands offered allow."""
    wanted = [name for c in sorted(set(asset_classes) & set(ASSETS)) for name in ASSETS[c].indices]
    wanted += [*GENERAL_INDICES, *RADAR_BANDS]
    unique = list(dict.fromkeys(wanted))
    return [name for name in unique if set(indices.bands_of(name, offered)) <= set(offered)]


def wanted_bands(wanted: Sequence[str], offered: Collection[str]) -> list[str]:
    """Bands the indices need, and those the masks look at."""
    bands = {band for name in wanted for band in indices.bands_of(name, offered)}
    masks_need = {"scl", "blue", "red"} & set(offered) if bands - set(RADAR_BANDS) else set()
    return sorted(bands | masks_need)


def _radar_tables(
    numbers: xr.Dataset, bands: Sequence[str], cover: zonal.Coverage, days: NDArray[np.datetime64]
) -> list[pd.DataFrame]:
    """Series of backscatter, one sensor per relative orbit: seen from two sides the same ground is not the same.

    The mean is that of the power as measured [dB of the mean, not mean of dB]; the quantiles are of the power with its
    speckle smoothed in time, or they would tell of speckle only.
    """
    tables = []
    orbits = numbers["orbit"].values
    held = np.logical_or.reduce([(numbers["status"].sel(band=band) == "ok").values for band in bands])
    for orbit in sorted(set(orbits[held].tolist())):
        at = np.flatnonzero(held & (orbits == orbit))
        plane = cube.to_physical(numbers[[*bands, "status", "scale", "offset"]].isel(time=at))
        raw = indices.compute_indices(cube.take_pixels(plane, cover.pixels), bands)
        calm = plane.copy(data={band: speckle.smooth_in_time(plane[band].values) for band in bands})
        smooth = indices.compute_indices(cube.take_pixels(calm, cover.pixels), bands)
        scene_ids = numbers["scene_id"].values[at].tolist()
        every = np.ones((len(at), len(cover.pixels)), bool)
        measured, quiet = (looks.fuse_days(power, every, scene_ids, days[at]) for power in (raw, smooth))
        statistics = zonal.zonal_statistics(measured.values, measured.clear, cover)
        spread = zonal.zonal_statistics(quiet.values, quiet.clear, cover)
        statistics = statistics.assign({name: spread[name] for name in ("p10", "p50", "p90")})
        sensor = f"sentinel-1 {orbit}" if orbit else "sentinel-1"
        tables.append(zonal.series_table(zonal.to_decibel(statistics), measured.scene_ids, sensor))
    return tables


def _judged_classes(task: BlockTask, optical: Sequence[str]) -> list[str]:
    """Asset classes in the block that have a judgement and all the indices it needs."""
    classes = {str(task.attributes[i]["asset_class"]) for i in task.block.parcel_ids}
    return [name for name in sorted(classes & set(ASSETS)) if set(ASSETS[name].indices) <= set(optical)]


def _clear(numbers: xr.Dataset, physical: xr.Dataset, cover: zonal.Coverage, settings: Settings) -> NDArray[np.bool_]:
    """Shape (time, pixel), True = each optical scene has data there and its classification calls it clear.

    A band that was not read for a scene takes nothing from the others: what it lacks is no cloud.
    """
    bands = [name for name in OPTICAL_BANDS if name in physical]
    if not bands:
        return np.ones((physical.sizes["time"], physical.sizes["pixel"]), bool)
    read = {name: (numbers["status"].sel(band=name) == "ok").values[:, None] for name in bands}
    clear = np.logical_and.reduce([np.isfinite(physical[name].values) | ~read[name] for name in bands])
    clear &= np.logical_or.reduce(list(read.values()))
    if "scl" in numbers:
        plane = cube.to_physical(numbers[["scl", "status", "scale", "offset"]].assign_attrs(numbers.attrs))
        classified = masks.classification_mask(plane, settings.masks).values
        clear &= classified.reshape(len(classified), -1)[:, cover.pixels]
    return np.asarray(clear)


def _hidden(seen: looks.Looks, settings: Settings) -> NDArray[np.bool_]:
    """Shape (time, pixel) of the looks, True = snow, haze or shadow that the classification missed."""
    bands = set(map(str, seen.values.data_vars))
    hidden = np.zeros(seen.clear.shape, bool)
    if {"red", "swir16"} <= bands:
        hidden |= masks.snow_screen(seen.values, settings.masks)
    clear = seen.clear & ~hidden
    if {"blue", "red"} <= bands:
        hidden |= masks.haze_screen(seen.values, clear, settings.masks)
    if {"red", "nir"} <= bands:
        hidden |= masks.shadow_screen(seen.values, clear, settings.masks)
    return hidden


def _account(
    numbers: xr.Dataset, physical: xr.Dataset, clear: NDArray[np.bool_], cover: zonal.Coverage, bands: Sequence[str]
) -> tuple[Mapping[str, Any], ...]:
    """What became of every scene, band and parcel of the block; the counts add up to scenes x bands x parcels."""
    touched = (cover.fraction > 0).astype(np.int32)

    def seen_by(usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.asarray(touched @ usable.T.astype(np.int32) > 0)  # (parcel, time)

    # Radar sees through clouds: what hides its bands is a lack of signal only.
    seen = {band: seen_by(np.isfinite(physical[band].values)) for band in bands if band in RADAR_BANDS}
    optical = seen_by(clear) if set(bands) - set(RADAR_BANDS) else np.zeros((len(cover.parcel_ids), len(clear)), bool)
    any_clear = np.logical_or.reduce([optical, *seen.values()])
    status = numbers["status"]
    rows = []
    for n, scene_id in enumerate(numbers["scene_id"].values.tolist()):
        read = {band: str(status.sel(band=band).values[n]) for band in bands}
        why = _reasons(numbers, n, bands)
        count: Counter[str] = Counter()
        for band, found in read.items():
            if found == "ok":
                n_seen = int(seen.get(band, optical)[:, n].sum())
                count.update({"ok": n_seen, "masked": len(cover.parcel_ids) - n_seen})
            else:
                count[found] += len(cover.parcel_ids)
        rows.append(
            {
                "scene_id": scene_id,
                "datetime": pd.Timestamp(numbers["time"].values[n]).isoformat() + "Z",
                "platform": str(numbers["platform"].values[n]),
                "orbit": str(numbers["orbit"].values[n]),
                "bands": read,
                **why,
                "n_parcels": len(cover.parcel_ids),
                "observations": {name: count[name] for name in OBSERVATION_STATUSES},
                "clear_parcels": [cover.parcel_ids[p] for p in np.flatnonzero(any_clear[:, n])],
            }
        )
    return tuple(rows)


def _reasons(numbers: xr.Dataset, n: int, bands: Sequence[str]) -> dict[str, Any]:
    """Of one scene: why bands are not there, which a later run may get, and the offsets used."""
    out: dict[str, Any] = {}
    if "reason" in numbers:
        said = {band: str(numbers["reason"].sel(band=band).values[n]) for band in bands}
        out["reasons"] = {band: text for band, text in said.items() if text}
    if "transient" in numbers:
        out["transient"] = [band for band in bands if bool(numbers["transient"].sel(band=band).values[n])]
    offsets = {band: float(numbers["offset"].sel(band=band).values[n]) for band in bands if band in OPTICAL_BANDS}
    out["offsets"] = {band: value for band, value in offsets.items() if np.isfinite(value)}
    if "offset_evidence" in numbers.coords:
        out["offset_evidence"] = str(numbers["offset_evidence"].values[n])
    return out


def monitor_parcels(
    statistics: xr.Dataset, classes: Mapping[str, str], settings: Settings
) -> tuple[list[dict[str, Any]], list[pd.DataFrame]]:
    """Monitor the mean of every parcel, one call per asset class and index: rows of changes, and baselines to draw.

    The baselines are drawn on a regular step between the looks too; there is no look there, so it changes no result.
    """
    rows, curves = [], []
    days = statistics["time"].values
    steps = np.arange(days[0], days[-1] + np.timedelta64(1, "D"), np.timedelta64(CHART_STEP_DAYS, "D"))
    for asset_class in sorted(set(classes.values())):
        asset = ASSETS[asset_class] if asset_class in ASSETS else None  # noqa: SIM401 - a registry refuses a wrong name
        ids = [parcel_id for parcel_id in statistics["parcel"].values.tolist() if classes[parcel_id] == asset_class]
        for name in statistics["index"].values.tolist():
            own = statistics.sel(index=name, parcel=ids).drop_vars("index")
            usable = own["valid_fraction"] >= settings.forestry.min_look_fraction
            series = own["mean"].where(usable).reindex(time=np.union1d(days, steps)).rename(name)
            found = monitor(series, None, params=_params(series, asset, settings))
            rows += [_series_row(parcel_id, name, found.sel(parcel=parcel_id)) for parcel_id in ids]
            drawn = found[["expected", "spread", "informative"]].to_dataframe().reset_index()
            curves.append(
                drawn[np.isfinite(drawn["expected"])].rename(columns={"parcel": "parcel_id"}).assign(index=name)
            )
    return rows, curves


def _params(series: xr.DataArray, asset: Asset | None, settings: Settings) -> Any:
    name = str(series.name)
    own = dict(asset.monitoring.get(name, {})) if asset is not None else {}
    own |= settings.change.get(name, {})
    base = default_params(series)
    return type(base).model_validate({**base.model_dump(), **own})


def _evidence(
    task: BlockTask,
    cover: zonal.Coverage,
    statistics: xr.Dataset,
    position: int,
    pixels: Mapping[str, PixelChange],
) -> ParcelEvidence:
    parcel_id = cover.parcel_ids[position]
    part = slice(cover.fraction.indptr[position], cover.fraction.indptr[position + 1])
    columns, shares = cover.fraction.indices[part], cover.fraction.data[part]
    row, col = np.divmod(cover.pixels[columns], task.block.geobox.shape.x)
    left, top = ~task.grid.affine @ (task.block.geobox.affine @ (0, 0))
    # Geodesic area of the whole parcel, shared out by coverage: the grid's own projection need not keep areas.
    pixel_m2 = float(task.attributes[parcel_id]["obs_area_m2"]) / cover.whole[position]
    fraction = statistics["valid_fraction"].isel(index=0, parcel=position).values
    return ParcelEvidence(
        parcel_id=parcel_id,
        attributes=task.attributes[parcel_id],
        as_of=task.as_of,
        area_m2=shares * pixel_m2,
        row=row + round(top),
        col=col + round(left),
        n_full_pixels=int(cover.n_full[position]),
        visible_fraction=task.visible_fraction[parcel_id],
        look_days=statistics["time"].values[fraction > 0].astype("datetime64[D]"),
        look_fraction=fraction[fraction > 0],
        pixels={name: _take(change, columns) for name, change in pixels.items()},
    )


def _pixel_changes(
    found: xr.Dataset, visible: NDArray[np.bool_], asset: Asset, settings: Settings
) -> dict[str, PixelChange]:
    """What the monitor finds on every pixel of the block, for each index of an asset class."""
    clear = xr.DataArray(visible, dims=("time", "pixel"))
    return {name: _pixel_change(found[name].where(clear), asset, settings) for name in asset.indices}


def _pixel_change(values: xr.DataArray, asset: Asset, settings: Settings) -> PixelChange:
    params = _params(values, asset, settings)
    # The baseline of every look is kept by the monitor: a part of the pixels at a time bounds what that takes.
    starts = range(0, max(values.sizes["pixel"], 1), PIXELS_AT_ONCE)
    parts = [monitor(values.isel(pixel=slice(n, n + PIXELS_AT_ONCE)), None, params=params) for n in starts]

    def joined(variable: str) -> NDArray[Any]:
        return np.concatenate([part[variable].values for part in parts])

    def days(variable: str) -> NDArray[np.datetime64]:
        return joined(variable).astype("datetime64[D]")

    return PixelChange(
        status=joined("status"),
        last_clear_before=days("last_clear_before"),
        first_clear_after=days("break_date"),
        detected_on=days("detected_on"),
        recovered_on=days("recovered_on"),
        magnitude=joined("magnitude"),
        probability=joined("probability"),
        season_max=joined("season_max"),
        first_informative=days("first_informative"),
        last_informative=days("last_informative"),
    )


def _take(change: PixelChange, columns: NDArray[np.integer]) -> PixelChange:
    return PixelChange(**{field.name: getattr(change, field.name)[columns] for field in fields(change)})


def _no_judgement(asset_class: str, optical: Sequence[str]) -> Judgement:
    if asset_class not in ASSETS:
        reason = f"This version does not judge the asset class {asset_class!r} yet; only its series are given."
    else:
        lacking = sorted(set(ASSETS[asset_class].indices) - set(optical))
        needed = sorted({band for name in lacking for band in indices.bands_of(name)})
        reason = f"The source lacks bands for {', '.join(lacking)} (needs {', '.join(needed)})."
    return Judgement(
        status="cannot_tell", reason=reason, columns={}, quantity=None, quantity_unit="ha", events=(), yearly=()
    )


def _series_row(parcel_id: str, name: str, found: xr.Dataset) -> dict[str, Any]:
    return {
        "parcel_id": parcel_id,
        "index": name,
        "level": "parcel",
        "status": CHANGE_STATUSES[int(found["status"])],
        "break_date": found["break_date"].values,
        "last_clear_before": found["last_clear_before"].values,
        "first_clear_after": found["break_date"].values,
        "detected_on": found["detected_on"].values,
        "recovered_on": found["recovered_on"].values,
        "area_m2": np.nan,
        "magnitude": float(found["magnitude"]),
        "probability": float(found["probability"]),
        "sensors": "sentinel-2",
        "n_looks": int(found["n_looks"]),
        "reason": "mean of the parcel",
    }


def _event_row(parcel_id: str, event: Event, n_looks: int) -> dict[str, Any]:
    return {
        "parcel_id": parcel_id,
        "index": "+".join(event.indices),
        "level": "pixels",
        "status": "confirmed",
        "break_date": np.datetime64(event.first_clear_after, "ns"),
        "last_clear_before": np.datetime64(event.last_clear_before, "ns"),
        "first_clear_after": np.datetime64(event.first_clear_after, "ns"),
        "detected_on": np.datetime64(event.detected_on, "ns"),
        "recovered_on": np.datetime64("NaT" if event.recovered_on is None else event.recovered_on, "ns"),
        "area_m2": event.area_m2,
        "magnitude": event.magnitude,
        "probability": event.probability,
        "sensors": "sentinel-2",
        "n_looks": n_looks,
        "reason": " ".join(event.reasons),
    }


def _lost_pixels(evidence: ParcelEvidence, event: Event) -> NDArray[np.int64]:
    where = np.asarray(event.pixels, np.int64)
    year = np.full(len(where), event.first_clear_after.year)
    return np.stack([evidence.row[where], evidence.col[where], year], axis=1).astype(np.int64)


def _concat(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [table[list(columns)] for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))
