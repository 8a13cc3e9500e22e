"""What one block saw: from digital numbers to clear looks of every sensor, once for all parcels in it and all dates.

Everything that touches a raster cube is here; `block` goes on with looks, series and tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from geocollateral.config import Settings
from geocollateral.observe import cube, indices, looks, masks, speckle, zonal
from geocollateral.types import (
    OBSERVATION_STATUSES,
    OPTICAL_BANDS,
    RADAR_BANDS,
    SENSOR_PROPERTY,
    SERIES_COLUMNS,
    Block,
    Source,
)

BESIDE_PIXELS = 6
"""How far the close surroundings of a parcel reach [pixels]."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A window of one lattice that holds the parcels of a task; optical or radar."""

    block: Block
    grid: GeoBox
    """The block was cut from it."""
    geometries: Mapping[str, BaseGeometry]
    """In the CRS of the grid."""
    offered: frozenset[str]
    """Bands that any scene of this kind has in the whole project, so that every block reads the same bands."""


@dataclass(frozen=True, kw_only=True)
class RadarLooks:
    """What Sentinel-1 saw from one relative orbit: from two sides the same ground is not the same."""

    power: xr.Dataset
    """Dims ``(time, pixel)``: linear gamma0 by polarisation at the pixels of the judged part; NaN = no signal."""
    statistics: xr.Dataset
    """Dims ``(index, time, parcel)`` as `zonal.zonal_statistics`, in dB of the mean power; quantiles with the speckle
    smoothed in time."""
    around: xr.Dataset
    """``mean`` [dB] and ``valid_fraction`` of the cells of `Observed.cells`."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """All looks at the parcels of one task."""

    cover: zonal.Coverage
    geobox: GeoBox
    grid: GeoBox
    """Of the part the parcels are judged on: optical where there is one."""
    sensor: str
    """Name the optical looks go by."""
    optical: xr.Dataset | None
    """Dims ``(time, pixel)``: reflectance by band, NaN = not seen clearly; one step per day. None without optical."""
    found: xr.Dataset | None
    """The same looks as indices."""
    statistics: xr.Dataset | None
    """Dims ``(index, time, parcel)`` as `zonal.zonal_statistics`."""
    cells: zonal.Coverage
    """Ground around the parcels, whether it was ever seen or not."""
    around: xr.Dataset | None
    """Dims ``(index, time, parcel)``: ``mean`` and ``valid_fraction`` of the cells that were ever seen, optical."""
    radar: Mapping[str, RadarLooks]
    """By orbit, such as ``ascending-15``; ``""`` where unknown."""
    beside: xr.Dataset | None = None
    """As `around`, of cells without gaps close to the parcels whose surroundings were asked for; None: no looks."""
    series: pd.DataFrame
    """Columns `SERIES_COLUMNS`."""
    scenes: tuple[Mapping[str, Any], ...]
    """What became of every scene, band and parcel; the counts add up to scenes x bands x parcels."""


def observe(
    optical: Part | None,
    radar: Sequence[Part],
    wanted: Sequence[str],
    bands: Sequence[str],
    source: Source,
    settings: Settings,
    beside: Collection[str] = (),
) -> Observed:
    """Read the parts of a task once and turn them into looks.

    Parameters
    ----------
    wanted
        Indices wanted; those the bands do not allow are left out.
    bands
        Bands wanted as reflectance, beside those of the indices; those not offered are left out.
    beside
        Parcels whose close surroundings are looked at too.
    """
    judged = optical if optical is not None else radar[0]
    cover = zonal.coverage(judged.geometries, judged.block.geobox)
    cells = zonal.ground_around(cover, judged.block.geobox)
    strips = zonal.ground_beside(cover, judged.block.geobox, beside, BESIDE_PIXELS)
    seen = None if optical is None else _observe_optical(optical, cover, cells, strips, wanted, bands, source, settings)
    found: dict[str, RadarLooks] = {}
    tables = [] if seen is None else [seen.table]
    scenes = [] if seen is None else list(seen.scenes)
    for part in radar:
        by_orbit, part_tables, part_scenes = _observe_radar(part, cover, cells, judged.block.geobox, source)
        # Two lattices may show one orbit where zones meet: the first holds most scenes.
        found = by_orbit | found
        tables += part_tables
        scenes = _joined(scenes, part_scenes)
    return Observed(
        cover=cover,
        geobox=judged.block.geobox,
        grid=judged.grid,
        sensor="" if seen is None else seen.sensor,
        optical=None if seen is None else seen.bands,
        found=None if seen is None else seen.found,
        statistics=None if seen is None else seen.statistics,
        cells=cells,
        around=None if seen is None else seen.around,
        radar={orbit: found[orbit] for orbit in sorted(found)},
        series=_concat(tables, SERIES_COLUMNS),
        scenes=tuple(scenes),
        beside=None if seen is None else seen.beside,
    )


def _joined(rows: Sequence[Mapping[str, Any]], more: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows of scenes of which both sensors' bands are read, made one."""
    known = {row["scene_id"]: row for row in rows}
    for row in more:
        same = known.get(row["scene_id"])
        if same is not None:
            row = {
                **same,
                **{
                    name: {**same.get(name, {}), **row[name]} for name in ("bands", "reasons", "offsets") if name in row
                },
                "transient": [*same.get("transient", []), *row.get("transient", [])],
                "observations": {n: same["observations"][n] + row["observations"][n] for n in OBSERVATION_STATUSES},
                "clear_parcels": sorted({*same["clear_parcels"], *row["clear_parcels"]}),
            }
        known[row["scene_id"]] = row
    return list(known.values())


@dataclass(frozen=True, kw_only=True)
class _Optical:
    sensor: str
    bands: xr.Dataset
    found: xr.Dataset
    statistics: xr.Dataset
    around: xr.Dataset
    beside: xr.Dataset | None
    table: pd.DataFrame
    scenes: tuple[Mapping[str, Any], ...]


def _observe_optical(
    part: Part,
    cover: zonal.Coverage,
    cells: zonal.Coverage,
    strips: zonal.Coverage,
    asked: Sequence[str],
    also: Sequence[str],
    source: Source,
    settings: Settings,
) -> _Optical:
    wanted = [name for name in asked if set(indices.bands_of(name, part.offered)) <= part.offered]
    numbers = source.read(part.block, optical_bands(wanted, also, part.offered))
    days = looks.look_days(numbers["time"].values, looks.longitude_of(part.block.geobox))
    seen, found = _looks_at(numbers, cover, days, wanted, settings)
    statistics = zonal.zonal_statistics(found, seen.visible, cover)
    sensor = str(part.block.items[0].properties.get(SENSOR_PROPERTY, "sentinel-2"))
    return _Optical(
        sensor=sensor,
        bands=seen.bands,
        found=found,
        statistics=statistics,
        around=_means_of(numbers, cells, days, wanted, settings),
        beside=_means_of(numbers, strips, days, wanted, settings) if strips.parcel_ids else None,
        table=zonal.series_table(statistics, seen.scene_ids, sensor),
        scenes=_account(numbers, seen.physical, seen.clear, cover, sorted(part.offered & set(numbers["band"].values))),
    )


def _means_of(
    numbers: xr.Dataset, cells: zonal.Coverage, days: NDArray[np.datetime64], wanted: Sequence[str], settings: Settings
) -> xr.Dataset:
    """Means of cells of ground; only of those with a look: what lies outside the imagery is nobody's neighbour."""
    looked, found = _looks_at(numbers, cells, days, wanted, settings)
    around = zonal.zonal_means(found, looked.visible, cells)
    seen = np.isfinite(around["mean"].values).any(axis=(0, 1)) if around.sizes["index"] else slice(0)
    return around.isel(parcel=seen)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    physical: xr.Dataset
    """Dims ``(time, pixel)``, a step per scene."""
    clear: NDArray[np.bool_]
    """Shape (time, pixel) of the scenes, screens included."""
    bands: xr.Dataset
    """Dims ``(time, pixel)``, a step per day; NaN = not seen clearly."""
    visible: NDArray[np.bool_]
    """Shape (time, pixel) of the days."""
    scene_ids: tuple[str, ...]


def _looks_at(
    numbers: xr.Dataset, cover: zonal.Coverage, days: NDArray[np.datetime64], wanted: Sequence[str], settings: Settings
) -> tuple[_Seen, xr.Dataset]:
    """Clear looks at the pixels of a coverage, and their indices."""
    physical = cube.to_physical(cube.take_pixels(numbers, cover.pixels))
    clear = _clear(numbers, physical, cover, settings)
    bands = physical[[name for name in OPTICAL_BANDS if name in physical]].assign_coords(time=physical["time"])
    # One look per day before anything is compared in time: parts and twins of one overpass are one witness.
    fused = looks.fuse_days(bands, clear, numbers["scene_id"].values.tolist(), days)
    hidden = screened(fused.values, fused.clear, settings.masks)
    for look, members in enumerate(fused.scenes_of):
        clear[members] &= ~hidden[look]
    visible = fused.clear & ~hidden
    shown = xr.DataArray(visible, dims=("time", "pixel"))
    seen = _Seen(
        physical=physical, clear=clear, bands=fused.values.where(shown), visible=visible, scene_ids=fused.scene_ids
    )
    return seen, indices.compute_indices(fused.values, wanted).where(shown)


def optical_bands(wanted: Sequence[str], also: Sequence[str], offered: Collection[str]) -> list[str]:
    """Bands to read: those that indices wanted or the masks need, and others asked for; of those offered."""
    bands = {*also, *(band for name in wanted for band in indices.bands_of(name, offered))}
    return sorted((bands | ({"scl", "blue", "red"} if bands else set())) & set(offered))


def _observe_radar(
    part: Part, judged: zonal.Coverage, cells: zonal.Coverage, judged_box: GeoBox, source: Source
) -> tuple[dict[str, RadarLooks], list[pd.DataFrame], tuple[Mapping[str, Any], ...]]:
    """Backscatter per relative orbit.

    The mean is that of the power as measured [dB of the mean, not mean of dB]; the quantiles are of the power with its
    speckle smoothed in time, or they would tell of speckle only.
    """
    bands = [band for band in RADAR_BANDS if band in part.offered]
    cover = zonal.coverage(part.geometries, part.block.geobox)
    numbers = source.read(part.block, bands)
    days = looks.look_days(numbers["time"].values, looks.longitude_of(part.block.geobox))
    orbits = numbers["orbit"].values
    held = np.logical_or.reduce([(numbers["status"].sel(band=band) == "ok").values for band in bands])
    nearest = _nearest(judged_box, judged.pixels, part.block.geobox)
    beside = _nearest(judged_box, cells.pixels, part.block.geobox)
    found, tables = {}, []
    for orbit in sorted(set(orbits[held].tolist())):
        at = np.flatnonzero(held & (orbits == orbit))
        plane = cube.to_physical(numbers[[*bands, "status", "scale", "offset"]].isel(time=at))
        calm = plane.copy(data={band: speckle.smooth_in_time(plane[band].values) for band in bands})
        scene_ids = numbers["scene_id"].values[at].tolist()

        def fused(
            power: xr.Dataset, pixels: NDArray[np.int64], at: NDArray[np.intp] = at, ids: list[str] = scene_ids
        ) -> looks.Looks:
            taken = indices.compute_indices(cube.take_pixels(power, np.maximum(pixels, 0)), bands)
            return looks.fuse_days(taken, np.broadcast_to(pixels >= 0, (len(at), len(pixels))), ids, days[at])

        measured, quiet = fused(plane, cover.pixels), fused(calm, cover.pixels)
        statistics = zonal.zonal_statistics(measured.values, measured.clear, cover)
        spread = zonal.zonal_statistics(quiet.values, quiet.clear, cover)
        statistics = statistics.assign({name: spread[name] for name in ("p10", "p50", "p90")})
        statistics = zonal.to_decibel(statistics)
        tables.append(
            zonal.series_table(statistics, measured.scene_ids, f"sentinel-1 {orbit}" if orbit else "sentinel-1")
        )
        aside = fused(plane, beside)
        found[orbit] = RadarLooks(
            power=fused(plane, nearest).values,
            statistics=statistics,
            around=zonal.to_decibel(zonal.zonal_means(aside.values, aside.clear, cells)),
        )
    physical = cube.to_physical(cube.take_pixels(numbers, cover.pixels))
    none = np.ones((physical.sizes["time"], physical.sizes["pixel"]), bool)
    return found, tables, _account(numbers, physical, none, cover, sorted(part.offered & set(numbers["band"].values)))


def _nearest(judged: GeoBox, pixels: NDArray[np.int64], radar: GeoBox) -> NDArray[np.int64]:
    """Position in the radar's window of the pixel that each judged pixel's centre lies in; -1 = outside."""
    row, col = np.divmod(pixels, judged.shape.x)
    x, y = _applied(judged.affine, col + 0.5, row + 0.5)
    if str(judged.crs) != str(radar.crs):
        x, y = pyproj.Transformer.from_crs(str(judged.crs), str(radar.crs), always_xy=True).transform(x, y)
    at_col, at_row = (np.floor(v).astype(np.int64) for v in _applied(~radar.affine, x, y))
    inside = (at_row >= 0) & (at_row < radar.shape.y) & (at_col >= 0) & (at_col < radar.shape.x)
    return np.where(inside, at_row * radar.shape.x + at_col, -1)


def _applied(
    affine: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


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


def screened(bands: xr.Dataset, seen: NDArray[np.bool_], params: masks.MaskParams) -> NDArray[np.bool_]:
    """Shape (time, pixel) of the looks, True = snow, haze or shadow that the classification missed.

    Parameters
    ----------
    bands
        Dims ``(time, pixel)``: reflectance.
    seen
        What the classification calls clear.
    """
    names = set(map(str, bands.data_vars))
    hidden = np.zeros(seen.shape, bool)
    if {"red", "swir16"} <= names:
        hidden |= masks.snow_screen(bands, params)
    clear = seen & ~hidden
    if {"blue", "red"} <= names:
        hidden |= masks.haze_screen(bands, clear, params)
    if {"red", "nir"} <= names:
        hidden |= masks.shadow_screen(bands, clear, params)
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


def _concat(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [table[list(columns)] for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))
