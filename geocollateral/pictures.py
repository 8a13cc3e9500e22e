"""Dated pictures for the report: chips of parcels before and after a loss, and a map of the whole area."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pystac
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from geocollateral.compute import ComputeParams, run_blocks
from geocollateral.errors import BrokenData
from geocollateral.observe import cube
from geocollateral.observe.looks import longitude_of, look_days
from geocollateral.observe.plan import Plan, is_radar
from geocollateral.types import Block, Chip, Judgement, MapPicture, Source

Role = Literal["before", "after", "latest"]
RGB = ("red", "green", "blue")
CLEAR_ENOUGH = 0.95
"""Clear share of a parcel from which a look makes a picture [0-1]."""
MAX_MAP_PIXELS = 4_000_000
CHIP_MARGIN_PIXELS = 6
FOREST_WHITE, OPEN_WHITE = 0.16, 0.30
"""Reflectance that is white: of forests, whose leaf is dark, and of everything else. Soil, roofs and foundations are
brighter than leaf by far: in a forest's stretch a building site is one white patch."""
GAMMA = 0.6
"""One fixed stretch for all pictures of a parcel, so that before and after compare: reflectance 0 is black."""
WORKS_LEAD_DAYS = 90
"""How long before the first modules stand works on the ground may have begun [days]: before that lies the picture of
the land as it was."""


@dataclass(frozen=True)
class _ChipTask:
    source: Source
    block: Block
    parcel_id: str
    role: Role
    clear_fraction: float
    white: float


def take_chips(
    source: Source,
    plan: Plan,
    judgements: Mapping[str, Judgement],
    series: pd.DataFrame,
    classes: Mapping[str, str],
    compute: ComputeParams,
) -> tuple[Chip, ...]:
    """Before and after of each parcel's largest change, and its latest clear look; none if the source has no colours.

    Parameters
    ----------
    classes
        Asset class by parcel: it decides how bright the pictures are.
    """
    every = _looks(series)
    looks = {i: shown for i, own in every.items() if len(shown := own[~own.index.isin(_colourless(plan, i))])}
    tasks = [
        _ChipTask(source, block, parcel_id, role, fraction, white_of([classes[parcel_id]]))
        for parcel_id, judgement in judgements.items()
        if parcel_id in looks
        for role, day, fraction in _wanted(judgement, looks[parcel_id])
        for block in _chip_blocks(plan, parcel_id, day)
    ]
    return tuple(chip for chip in run_blocks(_take, tasks, compute) if chip is not None)


def take_map(
    source: Source,
    plan: Plan,
    series: pd.DataFrame,
    lost: Mapping[str, NDArray[np.int64]],
    classes: Mapping[str, str],
) -> MapPicture | None:
    """The newest look that saw nearly all parcels clearly, over the grid that holds most parcels.

    Parameters
    ----------
    lost
        By block id, shape (pixel, 3): row and column in the block's grid, year of loss.
    classes
        As of `take_chips`.

    Returns
    -------
    None where the source has no colours or the area is larger than `MAX_MAP_PIXELS`.
    """
    by_grid: dict[GeoBox, list[Block]] = {}
    for block in (b for b in plan.blocks if not all(map(is_radar, b.items))):
        by_grid.setdefault(plan.grids[block.block_id], []).append(block)
    if not by_grid:
        return None
    grid, blocks = max(by_grid.items(), key=lambda entry: sum(len(b.parcel_ids) for b in entry[1]))
    window = window_around(grid, [plan.geometries[b.block_id][i] for b in blocks for i in b.parcel_ids])
    if window.shape.x * window.shape.y > MAX_MAP_PIXELS:
        return None
    members = [i for b in blocks for i in b.parcel_ids]
    day = _best_day(series[series["parcel_id"].isin(members)])
    if day is None:
        return None
    every = {item.id: item for b in blocks for item in b.items}.values()
    items = sorted(every, key=lambda item: (item.datetime, item.id))
    block = of_day(Block(block_id="map", geobox=window, parcel_ids=(), items=tuple(items)), day)
    taken = _colours(source, block, white_of(classes[i] for i in members))
    if taken is None:
        return None
    rgb, scene_id, _ = taken
    years = np.zeros(window.shape, np.int16)
    left, top = ~grid.affine @ (window.affine @ (0, 0))
    pixels = np.concatenate([lost[b.block_id] for b in blocks])
    years[pixels[:, 0] - round(top), pixels[:, 1] - round(left)] = pixels[:, 2]
    return MapPicture(
        rgb=rgb,
        acquired=day,
        scene_id=scene_id,
        transform=six(window),
        crs=str(window.crs),
        disturbed_year=years,
    )


def _looks(series: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Clear share by day for each parcel, the days rising.

    Rows of the series come index by index: a day on which the first index lacks a band stands behind all others.
    """
    optical = series[series["sensor"] == "sentinel-2"]
    first = optical.drop_duplicates(["parcel_id", "time"])
    return {
        str(parcel_id): pd.Series(part["valid_fraction"].to_numpy(), index=part["time"].dt.date).sort_index()
        for parcel_id, part in first.groupby("parcel_id")
    }


def _wanted(judgement: Judgement, looks: pd.Series[float]) -> list[tuple[Role, dt.date, float]]:
    clear = looks[looks >= CLEAR_ENOUGH]
    usable = clear if len(clear) else looks
    latest: tuple[Role, dt.date, float] = ("latest", usable.index[-1], float(usable.iloc[-1]))
    if not judgement.events:
        return [latest]
    event = max(judgement.events, key=lambda e: (e.area_m2, e.first_clear_after))
    first, last = event.last_clear_before, event.first_clear_after
    if event.kind == "pv_build":  # the first rows are few, and the land was cleared before them
        first, last = first - dt.timedelta(days=WORKS_LEAD_DAYS), event.detected_on
    before = _nearest(looks[looks.index <= first], newest=True)
    after = _nearest(looks[looks.index >= last], newest=False)
    wanted: list[tuple[Role, dt.date, float]] = []
    if before is not None:
        wanted.append(("before", *before))
    if after is not None:
        wanted.append(("after", *after))
    return [*wanted, latest]


def _nearest(looks: pd.Series[float], *, newest: bool) -> tuple[dt.date, float] | None:
    """Of clear looks, the one nearest to the break; failing that, the clearest."""
    if looks.empty:
        return None
    clear = looks[looks >= CLEAR_ENOUGH]
    if clear.empty:
        at = int(looks.argmax())
        return looks.index[at], float(looks.iloc[at])
    at = -1 if newest else 0
    return clear.index[at], float(clear.iloc[at])


def _best_day(series: pd.DataFrame) -> dt.date | None:
    optical = series[series["sensor"] == "sentinel-2"].drop_duplicates(["parcel_id", "time"])
    if optical.empty:
        return None
    total = optical.groupby("time")["valid_fraction"].sum() / optical["parcel_id"].nunique()
    clear = total[total >= min(CLEAR_ENOUGH, float(total.max()) - 0.02)]
    day: dt.date = clear.index[-1].date()
    return day


def _colourless(plan: Plan, parcel_id: str) -> set[dt.date]:
    """Days on which a scene of the parcel lacks a colour: no picture can be made of them."""
    home = plan.optical_home(parcel_id)
    lacking = [] if home is None else [item for item in home.items if not set(RGB) <= set(item.assets)]
    if home is None or not lacking:
        return set()
    times = np.array([_utc(item) for item in lacking], "datetime64[ns]")
    return set(look_days(times, longitude_of(home.geobox)).astype("datetime64[D]").tolist())


def _chip_blocks(plan: Plan, parcel_id: str, day: dt.date) -> list[Block]:
    home = plan.optical_home(parcel_id)
    if home is None:
        return []
    window = window_around(plan.grids[home.block_id], [plan.geometries[home.block_id][parcel_id]])
    block = of_day(Block(block_id=f"chip-{parcel_id}", geobox=window, parcel_ids=(parcel_id,), items=home.items), day)
    return [block] if block.items else []


def of_day(block: Block, day: dt.date) -> Block:
    """The same window with the scenes of one look only."""
    times = np.array([_utc(item) for item in block.items], "datetime64[ns]")
    at = look_days(times, longitude_of(block.geobox)) == np.datetime64(day)
    items = tuple(item for item, wanted in zip(block.items, at, strict=True) if wanted)
    return Block(block_id=block.block_id, geobox=block.geobox, parcel_ids=block.parcel_ids, items=items)


def _utc(item: pystac.Item) -> np.datetime64:
    if item.datetime is None:
        raise BrokenData(f"scene {item.id} has no datetime")
    return np.datetime64(item.datetime.astimezone(dt.UTC).replace(tzinfo=None), "ns")


def window_around(grid: GeoBox, geometries: Sequence[BaseGeometry]) -> GeoBox:
    """The part of a grid that a picture of geometries in its CRS shows."""
    west, south, east, north = shapely.total_bounds(geometries)
    left, top = ~grid.affine @ (west, north)
    right, bottom = ~grid.affine @ (east, south)
    margin = CHIP_MARGIN_PIXELS
    rows = slice(max(int(np.floor(top)) - margin, 0), min(int(np.ceil(bottom)) + margin, grid.shape.y))
    cols = slice(max(int(np.floor(left)) - margin, 0), min(int(np.ceil(right)) + margin, grid.shape.x))
    return grid[rows, cols]


def _take(task: _ChipTask) -> Chip | None:
    taken = _colours(task.source, task.block, task.white)
    if taken is None:
        return None
    rgb, scene_id, sensor = taken
    first = task.block.items[0].datetime
    return Chip(
        parcel_id=task.parcel_id,
        role=task.role,
        rgb=rgb,
        acquired=first.date() if first else dt.date.min,
        sensor=sensor,
        scene_id=scene_id,
        clear_fraction=task.clear_fraction,
        transform=six(task.block.geobox),
        crs=str(task.block.geobox.crs),
    )


def _colours(source: Source, block: Block, white: float) -> tuple[NDArray[np.uint8], str, str] | None:
    """Picture of the block's scenes of one day, their ids and sensor; None where a colour is missing."""
    if not block.items or not all(set(RGB) <= set(item.assets) for item in block.items):
        return None
    numbers = source.read(block, RGB)
    reflectance = cube.to_physical(numbers)
    planes = np.stack([mean_of_seen(reflectance[band].values) for band in RGB], axis=-1)
    rgb = stretch(planes, white)
    platform = str(numbers["platform"].values[0]) or str(block.items[0].properties.get("constellation", "unknown"))
    return rgb, "+".join(sorted(numbers["scene_id"].values.tolist())), platform


def white_of(classes: Iterable[str]) -> float:
    """Reflectance that is white in a picture of parcels of these asset classes."""
    return FOREST_WHITE if set(classes) <= {"forestry"} else OPEN_WHITE


def stretch(planes: NDArray[np.floating], white: float) -> NDArray[np.uint8]:
    """Picture of reflectance, shape (height, width, 3); grey where there is none."""
    stretched = np.clip(planes / white, 0, 1) ** GAMMA
    return np.where(np.isfinite(stretched), np.rint(255 * stretched), 128).astype(np.uint8)


def mean_of_seen(stack: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean over the first axis of what is finite; NaN where nothing is."""
    seen = np.isfinite(stack)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(seen, stack, 0.0).sum(axis=0, dtype=np.float64) / seen.sum(axis=0))


def six(geobox: GeoBox) -> tuple[float, float, float, float, float, float]:
    """Row-major affine of a grid."""
    a, b, c, d, e, f = tuple(geobox.affine)[:6]
    return a, b, c, d, e, f
