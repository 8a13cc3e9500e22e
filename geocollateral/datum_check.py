"""Whether parcels lie where the imagery has their edges, or where another datum of Chinese maps would put them.

Nothing is moved by what is found: a suspected shift is told, with the datum that would explain it, and asked about.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd
import pyproj
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from geocollateral import pictures
from geocollateral.compute import run_blocks
from geocollateral.config import Settings
from geocollateral.intake.china import in_or_near_china
from geocollateral.intake.gcj02 import (
    bd09_to_wgs84,
    gcj02_to_wgs84,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)
from geocollateral.observe.datum_fit import TITLES, DatumJudgement, chances_of, find_edges, judge_datum
from geocollateral.observe.plan import Plan, is_radar
from geocollateral.orthomosaics import clear_reflectance
from geocollateral.types import AreaOfInterest, Block, IntakeNote, Source

BANDS = ("green", "red", "nir", "swir16")
"""Looked at where offered, and NDVI where red and nir are."""
YEARS = 3
"""Outlines are of today: looks of the last years alone are held against them."""
CLEAR = 0.9
"""Clear share of the parcels from which a look is taken [0-1]."""
BEYOND_PIXELS = 12
"""Places compared with reach this much farther than the farthest place in question."""
PARCELS_A_BLOCK = 60
"""Parcels of a block that are looked at, spread over its list: more add time and no certainty."""


@dataclass(frozen=True, kw_only=True)
class DatumCheck:
    """What the imagery says of the datum."""

    columns: pd.DataFrame
    """Indexed by ``parcel_id``: ``claim_datum_verdict``, ``claim_datum_reason``, ``claim_datum_fits``,
    ``claim_datum_east_m`` and ``claim_datum_north_m`` (how far east and north the parcel would lie in the datum that
    fits; NaN where that is the one stated, or none). No rows where nothing was looked at."""
    notes: tuple[IntakeNote, ...] = ()


@dataclass(frozen=True)
class _Task:
    source: Source
    block: Block
    geometries: Mapping[str, BaseGeometry]
    asked: Mapping[str, Mapping[str, tuple[int, int]]]
    """By parcel, then datum: where it would lie [columns, rows from where it lies]."""
    reach: int
    days: tuple[dt.date, ...]
    settings: Settings


def check_datum(
    source: Source, plan: Plan, area: AreaOfInterest, series: pd.DataFrame, settings: Settings, day: dt.date
) -> DatumCheck:
    """Hold the outlines of all parcels of one file against the edges of the imagery.

    Parameters
    ----------
    plan, series
        Blocks of the satellite, and what was seen of the parcels on each of its looks.
    day
        What was acquired later is left out.
    """
    stated = area.datum if area.datum in TITLES else "wgs84"
    moves = _moves(area, stated, settings)
    tasks = [] if moves.empty else _tasks(source, plan, moves, stated, series, settings, day)
    nothing = pd.DataFrame(columns=["claim_datum_verdict", "claim_datum_reason", "claim_datum_fits"])
    if not tasks:
        return DatumCheck(columns=nothing)
    found = [chances for part in run_blocks(_look, tasks, settings.compute) for chances in part]
    judged = judge_datum(found, stated, settings.datum_fit)
    return DatumCheck(columns=_columns(moves, judged), notes=tuple(_notes(moves, judged, area.datum)))


def _moves(area: AreaOfInterest, stated: str, settings: Settings) -> pd.DataFrame:
    """How far each parcel would lie east and north [degrees] had the file been in each of the other datums.

    Columns are pairs of datum and axis; rows the parcels that are to be looked at.
    """
    middles = area.parcels.geometry.representative_point()
    lon, lat = middles.x.to_numpy(), middles.y.to_numpy()
    asked = in_or_near_china(lon, lat) & (settings.datum_fit.where == "china")
    # What the file says, then what it would have meant in each datum.
    written = {"wgs84": (lon, lat), "gcj02": wgs84_to_gcj02(lon, lat), "bd09": wgs84_to_bd09(lon, lat)}[stated]
    meant = {"wgs84": written, "gcj02": gcj02_to_wgs84(*written), "bd09": bd09_to_wgs84(*written)}
    table = pd.DataFrame(
        {
            (datum, axis): place - here
            for datum, places in meant.items()
            if datum != stated
            for axis, place, here in zip(("east", "north"), places, (lon, lat), strict=True)
        },
        index=area.parcels.index,
    )
    table[("here", "east")], table[("here", "north")] = lon, lat
    return table[asked]


def _tasks(
    source: Source,
    plan: Plan,
    moves: pd.DataFrame,
    stated: str,
    series: pd.DataFrame,
    settings: Settings,
    day: dt.date,
) -> list[_Task]:
    """The blocks with most parcels, each with a window wide enough for every place in question."""
    optical = [block for block in plan.blocks if not any(map(is_radar, block.items))]
    held = [(block, sorted(set(block.parcel_ids) & set(moves.index))) for block in optical]
    held = sorted((pair for pair in held if pair[1]), key=lambda pair: (-len(pair[1]), pair[0].block_id))
    tasks = []
    for block, members in held[: settings.datum_fit.max_blocks]:
        chosen = [members[n] for n in np.unique(np.linspace(0, len(members) - 1, PARCELS_A_BLOCK).astype(int))]
        days = _spread_days(series[series["parcel_id"].isin(chosen)], day, settings.datum_fit.looks)
        if len(days) < 2:
            continue
        grid = plan.grids[block.block_id]
        asked = {i: _offsets(moves.loc[i], stated, grid) for i in chosen}
        reach = ceil(max(np.hypot(*at) for one in asked.values() for at in one.values())) + BEYOND_PIXELS
        geometries = {i: plan.geometries[block.block_id][i] for i in chosen}
        window = _window(grid, list(geometries.values()), reach)
        wide = Block(block_id=f"datum-{block.block_id}", geobox=window, parcel_ids=(), items=block.items)
        tasks.append(_Task(source, wide, geometries, asked, reach, tuple(days), settings))
    return tasks


def _offsets(moves: pd.Series[float], stated: str, grid: GeoBox) -> dict[str, tuple[int, int]]:
    """Where a parcel would lie in each datum, in pixels from where it lies."""
    to_grid = pyproj.Transformer.from_crs("EPSG:4326", str(grid.crs), always_xy=True)
    here = np.array([moves[("here", "east")], moves[("here", "north")]])
    left, top = ~grid.affine @ to_grid.transform(*here)
    found = {stated: (0, 0)}
    for datum in TITLES:
        if datum != stated:
            there = np.add(here, [moves[(datum, "east")], moves[(datum, "north")]])
            column, row = ~grid.affine @ to_grid.transform(*there)
            found[datum] = (round(column - left), round(row - top))
    return found


def _window(grid: GeoBox, geometries: Sequence[BaseGeometry], reach: int) -> GeoBox:
    bounds = np.array([geometry.bounds for geometry in geometries])
    (west, south), (east, north) = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
    left, top = ~grid.affine @ (west, north)
    right, bottom = ~grid.affine @ (east, south)
    rows = slice(max(int(np.floor(top)) - reach, 0), min(int(np.ceil(bottom)) + reach, grid.shape.y))
    cols = slice(max(int(np.floor(left)) - reach, 0), min(int(np.ceil(right)) + reach, grid.shape.x))
    return grid[rows, cols]


def _spread_days(series: pd.DataFrame, day: dt.date, count: int) -> list[dt.date]:
    """Clear looks of the last years, spread over the seasons, rising."""
    optical = series[(series["sensor"] == "sentinel-2")].drop_duplicates(["parcel_id", "time"])
    if optical.empty:
        return []
    share = optical.groupby("time")["valid_fraction"].sum() / optical["parcel_id"].nunique()
    last = min(pd.Timestamp(day), share.index.max())
    recent = share[(share.index <= pd.Timestamp(day)) & (share.index > last - pd.DateOffset(years=YEARS))]
    clear = recent[recent >= min(CLEAR, float(recent.max()))].index
    ordered = sorted((time.date() for time in clear), key=lambda d: (d.timetuple().tm_yday, d))
    picked = {round(n) for n in np.linspace(0, len(ordered) - 1, min(count, len(ordered)))} if ordered else set()
    return sorted(ordered[n] for n in picked)


def _look(task: _Task) -> list[dict[str, float]]:
    """Read the looks of one window and see how well each outline fits each place."""
    offered = {band for item in task.block.items for band in item.assets}
    bands = [band for band in BANDS if band in offered]
    stacks: dict[str, list[NDArray[np.float32]]] = {band: [] for band in bands}
    for day in task.days:
        look = clear_reflectance(task.source, pictures.of_day(task.block, day), bands, task.settings)
        for band in bands:
            stacks[band].append(look[band])
    planes = {band: np.stack(stack) for band, stack in stacks.items()}
    if {"red", "nir"} <= set(planes):
        with np.errstate(invalid="ignore", divide="ignore"):
            ndvi = (planes["nir"] - planes["red"]) / (planes["nir"] + planes["red"])
        planes["ndvi"] = np.where(np.abs(ndvi) <= 1, ndvi, np.nan).astype(np.float32)
    if not planes:
        return []
    edges = find_edges(planes)
    affine: Affine = task.block.geobox.affine
    inset = task.settings.datum_fit.inset_m
    found = (chances_of(edges, g, affine, task.asked[i], task.reach, inset) for i, g in task.geometries.items())
    return [chances for chances in found if chances is not None]


# --------------------------------------------------------------------------------------------------------- what is told


def _columns(moves: pd.DataFrame, judged: DatumJudgement) -> pd.DataFrame:
    east, north = _metres(moves, judged.fits if judged.verdict == "mismatch" else "")
    return pd.DataFrame(
        {
            "claim_datum_verdict": judged.verdict,
            "claim_datum_reason": judged.reason,
            "claim_datum_fits": TITLES.get(judged.fits),
            "claim_datum_east_m": east,
            "claim_datum_north_m": north,
        },
        index=moves.index,
    )


def _metres(moves: pd.DataFrame, datum: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far parcels would lie east and north in a datum [m]; NaN where none is named."""
    if not datum:
        nothing = np.full(len(moves), np.nan)
        return nothing, nothing
    lon, lat = moves[("here", "east")].to_numpy(), moves[("here", "north")].to_numpy()
    there = lon + moves[(datum, "east")].to_numpy(), lat + moves[(datum, "north")].to_numpy()
    azimuth, _, distance = pyproj.Geod(ellps="WGS84").inv(lon, lat, *there)
    turned = np.radians(azimuth)
    return np.asarray(distance * np.sin(turned)), np.asarray(distance * np.cos(turned))


def _notes(moves: pd.DataFrame, judged: DatumJudgement, given: str) -> list[IntakeNote]:
    if judged.verdict != "mismatch":
        return []
    east, north = (float(np.median(axis)) for axis in _metres(moves, judged.fits))
    sides = " and ".join(
        f"{abs(far):.0f} m {ways[far < 0]}" for far, ways in ((east, ("east", "west")), (north, ("north", "south")))
    )
    message = (
        f"Suspected shift: the outlines fit the edges of the imagery {sides} of where they lie, which is where they "
        f"would lie if the file were in {TITLES[judged.fits]} and not in {given} as stated ({judged.reason}). Every "
        f"figure may be of other land. Ask on which map the parcels were drawn, and run again with "
        f"--datum {judged.fits}."
    )
    return [IntakeNote(kind="warning", parcel_id=None, message=message)]
