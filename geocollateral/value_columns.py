"""Values of all parcels by the three approaches, as columns of the parcel table and as the table ``values``."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import geopandas as gpd
import pandas as pd

from geocollateral.types import Judgement
from geocollateral.valuation import ApproachParams, ParcelValue, Seen, ValueRow, value_parcel

APPROACHES = ("income", "cost", "market")
TABLE_COLUMNS = (
    "parcel_id",
    "approach",
    "leads",
    "value_p05",
    "value_p50",
    "value_p95",
    "value_currency",
    "value_grade",
    "name",
    "p05",
    "p50",
    "p95",
    "unit",
    "currency",
    "source",
    "dated",
    "line",
    "stale",
    "variance_share",
)


def value_all(
    judgements: Mapping[str, Judgement],
    parcels: gpd.GeoDataFrame,
    rows: Sequence[ValueRow],
    day: dt.date,
    params: ApproachParams,
) -> dict[str, ParcelValue]:
    """Value of each parcel, from what was observed and the bank's figures alone: no claim or loan enters.

    Parameters
    ----------
    parcels
        As intake gives them; of the user's columns only ``user_region`` is read here.
    rows
        The bank's figures; without any nothing is valued.
    """
    if not rows:
        return {}
    return {
        i: value_parcel(_seen(i, own, parcels.loc[i].to_dict()), rows, day, params) for i, own in judgements.items()
    }


def _seen(parcel_id: str, judgement: Judgement, row: Mapping[Any, Any]) -> Seen:
    told = judgement.quantity if judgement.status != "cannot_tell" else None
    region = row.get("user_region")
    return Seen(
        parcel_id=parcel_id,
        asset_class=str(row["asset_class"]),
        quantity=told,
        quantity_unit=judgement.quantity_unit,
        region=region.strip() if isinstance(region, str) and region.strip() else "*",
        vigour=_vigour(judgement.columns),
        whole_ha=float(row["obs_area_m2"]) / 1e4,
        reason=judgement.reason,
    )


def _vigour(columns: Mapping[str, Any]) -> float | None:
    """Vigour of the latest crop where it is harvested. A crop that came up some weeks ago, earlier or later than in
    other years, says nothing of a harvest, let alone of ten years of them.
    """
    vigour, emerged, harvested = (
        columns.get(name) for name in ("obs_vigour_own_frac", "obs_last_emergence", "obs_last_harvest")
    )
    if vigour is None or harvested is None or (emerged is not None and harvested < emerged):
        return None
    return float(vigour)


def columns_of(value: ParcelValue) -> dict[str, Any]:
    """Columns ``val_`` of a parcel; without a value it has only ``val_reason``."""
    middles = {own.approach: own.p50 for own in ((value.lead,) if value.lead else ()) + value.beside}
    lead = value.lead
    return {
        "val_p05": lead.p05 if lead else None,
        "val_p50": lead.p50 if lead else None,
        "val_p95": lead.p95 if lead else None,
        "val_currency": lead.currency if lead else None,
        "val_grade": lead.grade if lead else None,
        "val_approach": lead.approach if lead else None,
        **{f"val_{approach}_p50": middles.get(approach) for approach in APPROACHES},
        "val_reason": value.reason or None,
    }


def held_against(columns: Mapping[str, Any], row: Mapping[Any, Any]) -> dict[str, Any]:
    """The valuer's value over ours, less 1; None without one, without its currency, or where they differ in it.

    Parameters
    ----------
    columns
        ``val_p50`` and ``val_currency`` of the parcel.
    row
        The parcel as given.
    """
    stated, middle = row.get("user_valuer_value"), columns.get("val_p50")
    gap = None
    if middle and isinstance(stated, (int, float)) and math.isfinite(stated):
        same = str(row.get("user_valuer_currency")).strip().upper() == columns["val_currency"]
        gap = float(stated) / middle - 1 if same else None
    return {"val_valuer_gap_frac": gap}


def table_of(values: Iterable[ParcelValue]) -> pd.DataFrame:
    """One row per parcel, approach and input; days as ISO text."""
    rows = [
        {
            "parcel_id": value.parcel_id,
            "leads": own is value.lead,
            "value_p05": own.p05,
            "value_p50": own.p50,
            "value_p95": own.p95,
            "value_currency": own.currency,
            "value_grade": own.grade,
            **asdict(used),
            "dated": used.dated.isoformat() if used.dated else None,
        }
        for value in values
        for own in ((value.lead,) if value.lead else ()) + value.beside
        for used in own.inputs
    ]
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))
