"""Orthomosaics of the user as evidence: their place against Sentinel-2, their indices and their pictures by parcel.

They are looks of a sensor of their own. No change monitor sees them, and they are no clear look of the satellite's.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from geocollateral import pictures
from geocollateral.compute import run_blocks
from geocollateral.config import Settings
from geocollateral.errors import InvalidInput
from geocollateral.observe import cube, indices, masks, zonal
from geocollateral.observe.plan import Plan, is_radar
from geocollateral.observe.shift import STEPS, cannot_tell, combine_shifts, measure_shift, pad_cells
from geocollateral.sources.orthos.mosaic import Orthomosaic, count_pixels, open_orthomosaic, read_area
from geocollateral.types import SERIES_COLUMNS, Block, Chip, IntakeNote, OrthoRecord, Shift, Source

SHIFT_BANDS = ("red", "green", "blue", "nir")
"""Bands both pictures may have, for the comparison of their places."""
SHIFT_LOOKS = 3
"""Looks of the satellite compared, the nearest in time of the clear ones."""
SHIFT_SIDE = 128
"""Longest side of the ground compared [pixels of the satellite]."""
SHIFT_DECODED = 300_000_000
"""Pixels of the orthomosaic decoded at most for the comparison."""
PARCEL_DECODED = 3_000_000_000
"""Pixels of the orthomosaic decoded at most for one parcel, a part at a time."""
PARCEL_CELLS = 4_000_000
"""Cells held at most for one parcel."""
CUTS = (200, 100, 50, 40, 20, 10, 5, 4, 2, 1)
"""Numbers of cells along the side of a pixel of the satellite to choose from."""
STATISTICS_M = 1.0
"""Side of the cells whose indices are told, or coarser where the picture is [m]: one size for every flight, so that
spreads compare, and coarse enough that a cell is a plant or a roof, not a leaf or a tile."""
CHIP_SIDE = 600
"""Longest side of a chip [pixels], where its cells can be joined to fit."""
VALID_SHARE = 0.5
"""Share of a cell that must be seen for it to count [0-1]."""
WELL_COVERED = 0.8
"""Share of a parcel from which an orthomosaic shows it, without a note [0-1]."""
COLOUR_INDICES = ("gli", "vari", "ngrdi")
"""Of the catalogue: what can be said of plants without infrared."""
TRUE_COLOURS, FALSE_COLOURS = ("red", "green", "blue"), ("nir", "red", "green")


@dataclass(frozen=True, kw_only=True)
class OrthoLooks:
    """What orthomosaics have to say."""

    series: pd.DataFrame
    """Columns `SERIES_COLUMNS`."""
    chips: tuple[Chip, ...] = ()
    records: tuple[OrthoRecord, ...] = ()
    notes: tuple[IntakeNote, ...] = ()


def open_all(specs: Sequence[str]) -> tuple[Orthomosaic, ...]:
    """Orthomosaics by date and name. Headers are read and files hashed, no imagery is.

    Raises
    ------
    InvalidInput, MissingInput, BrokenData
        As in `open_orthomosaic`, or one is given twice.
    """
    mosaics = [open_orthomosaic(spec) for spec in specs]
    for n, one in enumerate(mosaics):
        if any(one.scene_id == other.scene_id for other in mosaics[:n]):
            raise InvalidInput(f"Orthomosaic {one.name} is given twice.")
    return tuple(sorted(mosaics, key=lambda m: (m.acquired, m.scene_id)))


def identify(mosaics: Sequence[Orthomosaic]) -> list[dict[str, Any]]:
    """What the figures depend on, for the run's identity; without the folders."""
    return [
        {
            "name": m.name,
            "sha256": m.sha256,
            "acquired": m.acquired.isoformat(),
            "sensor": m.sensor,
            "bands": dict(m.bands),
            "scale": m.scale,
            "offset": m.offset,
        }
        for m in mosaics
    ]


def input_digests(identified: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """SHA-256 of each file by its name, told apart by its beginning where two files have one name."""
    names = Counter(str(one["name"]) for one in identified)
    return {
        f"{one['name']} ({one['sha256'][:8]})" if names[one["name"]] > 1 else str(one["name"]): str(one["sha256"])
        for one in identified
    }


def look(
    mosaics: Sequence[Orthomosaic],
    source: Source,
    plan: Plan,
    parcels: gpd.GeoDataFrame,
    series: pd.DataFrame,
    settings: Settings,
    day: dt.date,
) -> OrthoLooks:
    """All orthomosaics over all parcels they meet.

    Parameters
    ----------
    source, plan, series
        Imagery of the satellite, its blocks, and what was seen of the parcels on each of its looks.
    parcels
        EPSG:4326.
    day
        What was acquired later is left out.
    """
    found = [_look_at(m, source, plan, parcels, series, settings, day) for m in mosaics]
    tables = [f.series for f in found if len(f.series)]
    return OrthoLooks(
        series=pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(SERIES_COLUMNS)),
        chips=tuple(chip for f in found for chip in f.chips),
        records=tuple(record for f in found for record in f.records),
        notes=tuple(note for f in found for note in f.notes),
    )


def scene_rows(records: Sequence[OrthoRecord]) -> list[dict[str, Any]]:
    """The orthomosaics as ``scenes.json`` lists them."""
    return [
        {
            "scene_id": r.scene_id,
            "file": r.name,
            "sha256": r.sha256,
            "sensor": r.sensor,
            "acquired": r.acquired.isoformat(),
            "date_from": r.date_from,
            "crs": r.crs,
            "resolution_m": round(r.resolution_m, 4),
            "bands": list(r.bands),
            "units": r.units,
            "coverage": {parcel_id: round(share, 4) for parcel_id, share in r.coverage.items()},
            "shift": vars(r.shift),
            "faults": list(r.faults),
        }
        for r in records
    ]


def _look_at(
    mosaic: Orthomosaic,
    source: Source,
    plan: Plan,
    parcels: gpd.GeoDataFrame,
    series: pd.DataFrame,
    settings: Settings,
    day: dt.date,
) -> OrthoLooks:
    nothing = pd.DataFrame(columns=list(SERIES_COLUMNS))
    if mosaic.acquired > day:
        return OrthoLooks(
            series=nothing,
            notes=(
                _note(
                    f"Orthomosaic {mosaic.name} of {mosaic.acquired} was left out: it is later than {day}, the day "
                    "this result speaks for. To use it give a later as-of day."
                ),
            ),
        )
    shown = mosaic.footprint
    met = [str(i) for i, shape in parcels.geometry.items() if shape.intersects(shown)]
    places = {i: _place(plan, i, parcels.geometry[i]) for i in met}
    shift = _shift(mosaic, source, plan, met, series, settings)
    moved = (shift.east_m, shift.north_m) if shift.verdict == "corrected" else (0.0, 0.0)
    tasks = [_ParcelTask(mosaic, i, *places[i], moved, pictures.white_of([parcels["asset_class"][i]])) for i in met]
    views = {view.parcel_id: view for view in run_blocks(_view, tasks, settings.compute)}
    coverage = {i: view.coverage for i, view in views.items() if view.coverage > 0}
    faults = tuple(dict.fromkeys(fault for view in views.values() for fault in view.faults))
    tables = [view.series for view in views.values() if len(view.series)]
    record = OrthoRecord(
        scene_id=mosaic.scene_id,
        name=mosaic.name,
        sha256=mosaic.sha256,
        sensor=mosaic.sensor,
        acquired=mosaic.acquired,
        date_from=mosaic.date_from,
        crs=mosaic.crs,
        resolution_m=mosaic.resolution_m,
        bands=tuple(mosaic.bands),
        units="digital numbers" if mosaic.scale is None else "reflectance",
        shift=shift,
        coverage=coverage,
        faults=faults,
    )
    return OrthoLooks(
        series=pd.concat(tables, ignore_index=True) if tables else nothing,
        chips=tuple(view.chip for view in views.values() if view.chip is not None),
        records=(record,),
        notes=tuple(_notes(record, [view for view in views.values() if view.too_large])),
    )


def _note(message: str, parcel_id: str | None = None) -> IntakeNote:
    return IntakeNote(kind="warning", parcel_id=parcel_id, message=message)


def _notes(record: OrthoRecord, too_large: Sequence[_ParcelView]) -> list[IntakeNote]:
    notes = []
    if record.date_from == "tag":
        notes.append(
            _note(
                f"Orthomosaic {record.name} is dated {record.acquired} by a tag in the file, which often is the day of "
                "processing, not of the flight. Give the day of the flight to be sure."
            )
        )
    if not record.coverage and not too_large:
        notes.append(_note(f"Orthomosaic {record.name} shows none of the parcels."))
    notes += [_note(f"Orthomosaic {record.name} is damaged: {fault}.") for fault in record.faults]
    notes += [
        _note(
            f"Orthomosaic {record.name} was not read here: the parcel is too large for its resolution of "
            f"{record.resolution_m:.2g} m. Export it at a coarser one.",
            view.parcel_id,
        )
        for view in too_large
    ]
    notes += [
        _note(f"Orthomosaic {record.name} of {record.acquired} shows {share:.0%} of the parcel.", parcel_id)
        for parcel_id, share in record.coverage.items()
        if share < WELL_COVERED
    ]
    return notes


def _place(plan: Plan, parcel_id: str, shape: BaseGeometry) -> tuple[GeoBox, BaseGeometry]:
    """Picture window and outline of a parcel: on the satellite's grid, else on one like it in the parcel's UTM zone."""
    home = plan.optical_home(parcel_id)
    if home is not None:
        geometry = plan.geometries[home.block_id][parcel_id]
        return pictures.window_around(plan.grids[home.block_id], [geometry]), geometry
    middle = shape.representative_point()
    zone = int((middle.x + 180) // 6) % 60 + 1
    crs = f"EPSG:{(32600 if middle.y >= 0 else 32700) + zone}"
    geometry = gpd.GeoSeries([shape], crs=4326).segmentize(0.002).to_crs(crs).iloc[0]
    west, south, east, north = geometry.bounds
    left, top = 10 * np.floor(west / 10), 10 * np.ceil(north / 10)
    margin = pictures.CHIP_MARGIN_PIXELS
    height, width = int(np.ceil((top - south) / 10)), int(np.ceil((east - left) / 10))
    affine = Affine(10, 0, left - 10 * margin, 0, -10, top + 10 * margin)
    return GeoBox((height + 2 * margin, width + 2 * margin), affine, crs), geometry


# --------------------------------------------------------------------------------------------------------------- shift


def _shift(
    mosaic: Orthomosaic, source: Source, plan: Plan, met: Sequence[str], series: pd.DataFrame, settings: Settings
) -> Shift:
    """Against the nearest clear looks of the grid that holds most of the parcels met."""
    members: dict[GeoBox, list[tuple[Block, str]]] = {}
    for parcel_id in met:
        home = plan.optical_home(parcel_id)
        if home is not None and not any(map(is_radar, home.items)):
            members.setdefault(plan.grids[home.block_id], []).append((home, parcel_id))
    if not members:
        return cannot_tell("no optical imagery of the satellite shows a parcel that it meets")
    grid, held = max(members.items(), key=lambda entry: len(entry[1]))
    items = {item.id: item for block, _ in held for item in block.items}
    offered = {band for item in items.values() for band in item.assets}
    bands = [band for band in SHIFT_BANDS if band in mosaic.bands and band in offered]
    days = _nearest_days(series[series["parcel_id"].isin([i for _, i in held])], mosaic.acquired)
    if not bands or not days:
        return cannot_tell("there is no clear look of the satellite with a band in common")
    window = _compared_window(mosaic, grid, [plan.geometries[block.block_id][i] for block, i in held])
    if window is None:
        return cannot_tell("it lies outside the imagery of the satellite")
    pixel_m = abs(float(window.resolution.x))
    fine = read_area(mosaic, _fine_box(window, pad_cells(pixel_m, settings.shift)), bands)
    ordered = sorted(items.values(), key=lambda item: (item.datetime, item.id))
    found = []
    for day in days:
        block = pictures.of_day(Block(block_id="ortho", geobox=window, parcel_ids=(), items=tuple(ordered)), day)
        coarse = clear_reflectance(source, block, bands, settings)
        measured = measure_shift(fine.values, fine.share, coarse, pixel_m, settings.shift)
        found.append(replace(measured, against="+".join(sorted(item.id for item in block.items))))
    return combine_shifts(found, settings.shift)


def _nearest_days(series: pd.DataFrame, day: dt.date) -> list[dt.date]:
    """Days on which the satellite saw the parcels clearly, the nearest in time first."""
    optical = series[series["sensor"] == "sentinel-2"].drop_duplicates(["parcel_id", "time"])
    if optical.empty:
        return []
    share = optical.groupby("time")["valid_fraction"].sum() / optical["parcel_id"].nunique()
    clear = share[share >= min(pictures.CLEAR_ENOUGH, float(share.max()))].index
    return sorted((time.date() for time in clear), key=lambda d: (abs((d - day).days), d))[:SHIFT_LOOKS]


def _compared_window(mosaic: Orthomosaic, grid: GeoBox, geometries: Sequence[BaseGeometry]) -> GeoBox | None:
    """Part of the grid that the orthomosaic shows, around the parcels if it shows more than is compared."""
    shown = gpd.GeoSeries([mosaic.footprint], crs=4326).to_crs(str(grid.crs)).iloc[0]
    shown = shown.intersection(shapely.box(*grid.boundingbox.bbox))
    near = shapely.union_all([shapely.box(*g.bounds) for g in geometries]).intersection(shown)
    if near.is_empty:
        return None
    to_pixels = ~grid.affine
    left, top = to_pixels @ (shown.bounds[0], shown.bounds[3])
    right, bottom = to_pixels @ (shown.bounds[2], shown.bounds[1])
    middle = to_pixels @ shapely.box(*near.bounds).centroid.coords[0]
    pixel_m = abs(float(grid.resolution.x))
    side = min(SHIFT_SIDE, int(SHIFT_DECODED**0.5 * mosaic.resolution_m / pixel_m))
    cols = _cut_span(left, right, middle[0], side, int(grid.shape.x))
    rows = _cut_span(top, bottom, middle[1], side, int(grid.shape.y))
    return grid[rows, cols] if rows.start < rows.stop and cols.start < cols.stop else None


def _cut_span(low: float, high: float, middle: float, side: int, size: int) -> slice:
    """At most ``side`` whole pixels from ``low`` to ``high``, as near to ``middle`` as that allows."""
    start, stop = max(int(np.floor(low)), 0), min(int(np.ceil(high)), size)
    if stop - start > side:
        start = min(max(round(middle - side / 2), start), stop - side)
        stop = start + side
    return slice(start, stop)


def _fine_box(window: GeoBox, pad: int) -> GeoBox:
    height, width = (int(n) * STEPS + 2 * pad for n in window.shape)
    return GeoBox((height, width), window.affine @ Affine.scale(1 / STEPS) @ Affine.translation(-pad, -pad), window.crs)


def clear_reflectance(
    source: Source, block: Block, bands: Sequence[str], settings: Settings
) -> dict[str, NDArray[np.float32]]:
    """One look of the satellite, shape (y, x) by band; NaN where it is not clear by its own classification."""
    classified = any("scl" in item.assets for item in block.items)
    numbers = source.read(block, [*bands, "scl"] if classified else list(bands))
    reflectance = cube.to_physical(numbers)
    clear = np.ones((numbers.sizes["time"], *map(int, block.geobox.shape)), bool)
    if classified and "scl" in numbers:
        plane = cube.to_physical(numbers[["scl", "status", "scale", "offset"]].assign_attrs(numbers.attrs))
        clear = masks.classification_mask(plane, settings.masks).values
    found = {}
    for band in bands:
        values = (
            np.where(clear, reflectance[band].values, np.nan) if band in reflectance else np.full(clear.shape, np.nan)
        )
        found[band] = pictures.mean_of_seen(values).astype(np.float32)
    return found


# ------------------------------------------------------------------------------------------------------------- parcels


@dataclass(frozen=True)
class _ParcelTask:
    mosaic: Orthomosaic
    parcel_id: str
    window: GeoBox
    geometry: BaseGeometry
    moved: tuple[float, float]
    """How far east and north the picture lies of where it should [m]."""
    white: float = pictures.FOREST_WHITE
    """Reflectance that is white in a picture."""


@dataclass(frozen=True, kw_only=True)
class _ParcelView:
    """One parcel in one orthomosaic."""

    parcel_id: str
    coverage: float = 0.0
    series: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(SERIES_COLUMNS)))
    chip: Chip | None = None
    faults: tuple[str, ...] = ()
    too_large: bool = False


def _view(task: _ParcelTask) -> _ParcelView:
    """Read the picture of a parcel once, at full resolution; indices and chip are made of the same cells."""
    mosaic, window = task.mosaic, task.window
    cut = _cut_of(window, mosaic.resolution_m)
    cells = _recut(window, cut)
    moved = GeoBox(cells.shape, Affine.translation(*task.moved) @ cells.affine, cells.crs)
    if cells.shape.x * cells.shape.y > PARCEL_CELLS or count_pixels(mosaic, moved) > PARCEL_DECODED:
        return _ParcelView(parcel_id=task.parcel_id, too_large=True)
    names, colours = _indices_of(mosaic), _colours_of(mosaic)
    bands = list(dict.fromkeys([*(b for n in names for b in indices.bands_of(n)), *(colours or ())])) or list(
        mosaic.bands
    )
    read = read_area(mosaic, moved, bands)
    pixel_m = abs(float(window.resolution.x))
    joined = max((n for n in _divisors(cut) if pixel_m / cut * n <= STATISTICS_M), default=1)
    values, share = _join_cells(read.values, read.share, joined)
    coverage, series = _statistics(task, _recut(window, cut // joined), values, share, names)
    if coverage == 0:
        return _ParcelView(parcel_id=task.parcel_id, faults=read.faults)
    longest = max(map(int, cells.shape))
    shrunk = min((n for n in _divisors(cut) if longest / n <= CHIP_SIDE), default=cut)
    chip = None
    if colours:
        planes, _ = _join_cells({band: read.values[band] for band in colours}, read.share, shrunk)
        frame = _recut(window, cut // shrunk)
        chip = Chip(
            parcel_id=task.parcel_id,
            role="ortho",
            rgb=_picture(np.stack([planes[band] for band in colours], axis=-1), mosaic, task.white),
            acquired=mosaic.acquired,
            sensor=mosaic.sensor,
            scene_id=mosaic.scene_id,
            clear_fraction=coverage,
            transform=pictures.six(frame),
            crs=str(frame.crs),
        )
    return _ParcelView(parcel_id=task.parcel_id, coverage=coverage, series=series, chip=chip, faults=read.faults)


def _cut_of(window: GeoBox, resolution_m: float) -> int:
    """Cells along the side of a pixel: the finest not finer than the picture that can be held."""
    pixel_m, area = abs(float(window.resolution.x)), int(window.shape.x) * int(window.shape.y)
    return next((n for n in CUTS if pixel_m / n >= 0.99 * resolution_m and area * n * n <= PARCEL_CELLS), 1)


def _divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


def _recut(window: GeoBox, cut: int) -> GeoBox:
    height, width = (int(n) * cut for n in window.shape)
    return GeoBox((height, width), window.affine @ Affine.scale(1 / cut), window.crs)


def _join_cells(
    values: Mapping[str, NDArray[np.float32]], share: NDArray[np.float32], n: int
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
    """Means over ``n`` x ``n`` cells, weighted by what is seen of each, and the share seen."""
    height, width = share.shape[0] // n, share.shape[1] // n

    def total(plane: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(plane.reshape(height, n, width, n).sum(axis=(1, 3), dtype=np.float64))

    weight = total(share)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = {
            band: np.where(weight > 0, total(np.nan_to_num(plane) * share) / weight, np.nan).astype(np.float32)
            for band, plane in values.items()
        }
    return means, (weight / n**2).astype(np.float32)


def _statistics(
    task: _ParcelTask,
    grid: GeoBox,
    values: Mapping[str, NDArray[np.float32]],
    share: NDArray[np.float32],
    names: Sequence[str],
) -> tuple[float, pd.DataFrame]:
    """Share of the parcel that is shown, and its rows of the series."""
    cover = zonal.coverage({task.parcel_id: task.geometry}, grid)
    seen = (share.ravel()[cover.pixels] >= VALID_SHARE)[None]
    # Shares of cells add up to the whole but for rounding.
    coverage = round(float(np.clip((cover.fraction @ seen[0]) / cover.whole, 0, 1)[0]), 6)
    empty = pd.DataFrame(columns=list(SERIES_COLUMNS))
    if coverage == 0 or not names:
        return coverage, empty
    time = np.array([task.mosaic.acquired], "datetime64[ns]")
    planes = {band: (("time", "pixel"), plane.ravel()[cover.pixels][None]) for band, plane in values.items()}
    found = indices.compute_indices(xr.Dataset(planes, coords={"time": time}), names)
    # Where its denominator is next to nothing, VARI is any number: no index of these has a meaning beyond 1.
    found = found.where(np.abs(found) <= 1)
    statistics = zonal.zonal_statistics(found, seen, cover)
    table = zonal.series_table(statistics, [task.mosaic.scene_id], task.mosaic.sensor)
    return coverage, table[list(SERIES_COLUMNS)]


def _indices_of(mosaic: Orthomosaic) -> tuple[str, ...]:
    if {"red", "nir"} <= set(mosaic.bands):
        return ("ndvi",)
    return tuple(name for name in COLOUR_INDICES if set(indices.bands_of(name)) <= set(mosaic.bands))


def _colours_of(mosaic: Orthomosaic) -> tuple[str, str, str] | None:
    return next((colours for colours in (TRUE_COLOURS, FALSE_COLOURS) if set(colours) <= set(mosaic.bands)), None)


def _picture(planes: NDArray[np.float32], mosaic: Orthomosaic, white: float) -> NDArray[np.uint8]:
    """Reflectance is stretched as the satellite's is; bytes stay as they are; other numbers by their own spread."""
    if mosaic.scale is not None:
        return pictures.stretch(planes, white)
    if mosaic.profile.dtype != "uint8":
        low, high = np.nanpercentile(planes, (1, 99))
        planes = 255 * (planes - low) / max(float(high - low), 1e-9)
    return np.where(np.isfinite(planes), np.rint(np.clip(planes, 0, 255)), 128).astype(np.uint8)
