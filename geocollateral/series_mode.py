"""The cheap way: a service computes the series of parcels, and no pixel is read.

A parcel's mean is enough to see that it changed, and not enough to say where, how much of it, or what it is worth:
parcels get their series and dated breaks of the mean, and the judgement "cannot tell".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import xarray as xr

from geocollateral.block import BlockResult, BlockTask, monitor_parcels, wanted_indices
from geocollateral.config import Settings
from geocollateral.observe import indices
from geocollateral.observed import Part, optical_bands
from geocollateral.types import (
    CHANGE_COLUMNS,
    OBSERVATION_STATUSES,
    OPTICAL_BANDS,
    SERIES_COLUMNS,
    Judgement,
    ParcelStatistics,
    Period,
    Source,
)

REASON = (
    "Only statistics of the whole parcel were asked of the service (mode statistical): they show that it changed and "
    "when, not where or how much. Use the mode process to judge it."
)


def chosen(source: Source, tasks: Sequence[BlockTask], parcels: gpd.GeoDataFrame) -> bool:
    """Whether the source is to be asked for series, by its own choice of what costs less."""
    if not isinstance(source, ParcelStatistics):
        return False
    formulas = _formulas(tasks)
    blocks = [part.block for task in tasks for part in task.parts]
    bands = optical_bands(list(formulas), (), tasks[0].parts[0].offered)
    return bool(formulas) and source.choose_mode(blocks, bands, parcels, formulas) == "statistical"


def assess_series(
    source: ParcelStatistics,
    tasks: Sequence[BlockTask],
    parcels: gpd.GeoDataFrame,
    period: Period,
    settings: Settings,
) -> BlockResult:
    """Series and their breaks for all parcels at once, as one block would give them."""
    formulas = _formulas(tasks)
    clear = settings.masks.clear_classes
    series = source.parcel_series(parcels, formulas, period, clear_classes=clear)[list(SERIES_COLUMNS)]
    classes = {str(i): str(name) for i, name in parcels["asset_class"].items()}
    rows, curves = ([], []) if series.empty else monitor_parcels(_statistics(series, classes), classes, settings)
    judgement = Judgement(
        status="cannot_tell", reason=REASON, columns={}, quantity=None, quantity_unit="ha", events=(), yearly=()
    )
    columns = ["parcel_id", "index", "time", "expected", "spread", "informative"]
    return BlockResult(
        series=series,
        changes=pd.DataFrame(rows, columns=list(CHANGE_COLUMNS)),
        baselines=pd.concat(curves, ignore_index=True)[columns] if curves else pd.DataFrame(columns=columns),
        judgements=dict.fromkeys(classes, judgement),
        hits=(),
        scenes=_account(tasks, series, classes, sorted(_bands(formulas))),
        lost_pixels=np.zeros((0, 3), np.int64),
    )


def _formulas(tasks: Sequence[BlockTask]) -> Mapping[str, str]:
    """Formulas of the indices wanted that a service can compute, by name."""
    optical = _optical(tasks)
    if not optical:
        return {}
    offered: Collection[str] = optical[0].offered
    found = {n: indices.formula_of(n, offered) for n in wanted_indices(tasks[0].asset_classes, offered)}
    return {name: formula for name, formula in found.items() if formula is not None}


def _optical(tasks: Sequence[BlockTask]) -> list[Part]:
    return [task.optical for task in tasks if task.optical is not None]


def _bands(formulas: Mapping[str, str]) -> set[str]:
    return {band for formula in formulas.values() for band in OPTICAL_BANDS if band in re.findall(r"\w+", formula)}


def _account(
    tasks: Sequence[BlockTask], series: pd.DataFrame, parcel_ids: Collection[str], bands: Sequence[str]
) -> tuple[Mapping[str, Any], ...]:
    """What became of every scene and parcel: seen by the service's statistics, or not."""
    seen: dict[str, set[str]] = {}
    for parcel_id, names in zip(series["parcel_id"], series["scene_id"], strict=True):
        for name in str(names).split("+"):
            seen.setdefault(name, set()).add(str(parcel_id))
    items = {item.id: item for part in _optical(tasks) for item in part.block.items}
    return tuple(_row(item, seen.get(name, set()), len(parcel_ids), bands) for name, item in sorted(items.items()))


def _row(item: pystac.Item, seen: Collection[str], n_parcels: int, bands: Sequence[str]) -> dict[str, Any]:
    n_seen = len(seen) * len(bands)
    counts = dict.fromkeys(OBSERVATION_STATUSES, 0) | {"ok": n_seen, "masked": n_parcels * len(bands) - n_seen}
    return {
        "scene_id": item.id,
        "datetime": "" if item.datetime is None else item.datetime.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "platform": str(item.properties.get("platform", "")),
        "orbit": "",
        "bands": dict.fromkeys(bands, "ok"),
        "n_parcels": n_parcels,
        "observations": counts,
        "clear_parcels": sorted(seen),
    }


def _statistics(series: pd.DataFrame, parcel_ids: Collection[str]) -> xr.Dataset:
    """Dims ``(index, time, parcel)``, as `observe.zonal.zonal_statistics` gives them; NaN where there was no look."""
    cube = series.set_index(["index", "time", "parcel_id"])[["mean", "valid_fraction"]].to_xarray()
    cube = cube.rename(parcel_id="parcel").reindex(parcel=sorted(parcel_ids))
    return cube.assign(valid_fraction=cube["valid_fraction"].fillna(0.0))
