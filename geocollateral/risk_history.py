"""Rows for the risk score: what was told of a simulated world's parcels on many days, and what came then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from geocollateral.backtest import Told, judge_world
from geocollateral.block import BlockTask
from geocollateral.change.evaluation import Truth
from geocollateral.compute import Progress
from geocollateral.config import Settings
from geocollateral.kept_looks import looks_of
from geocollateral.risk.features import features_at, hurt_already, tracks_of
from geocollateral.risk.score_fit import HORIZON_DAYS, OUTCOME

ADVERSE_EVENTS: frozenset[str] = frozenset(
    {
        "abandonment",
        "beetle",
        "clear_cut",
        "crop_failure",
        "demolition",
        "encroachment",
        "fire",
        "flood",
        "pond_drained",
        "stall",
        "storm",
    }
)
"""Kinds of true events that hurt collateral. Thinning, new works and plants that are built do not."""
FIRST_DAYS = 450
"""No row sooner after the first look [days]: there is no usual season to compare with."""
STEP_DAYS = 91
SERIES = ["parcel_id", "time", "sensor", "index", "mean", "valid_fraction"]


def series_of_world(tasks: Sequence[BlockTask], kept: Path | None) -> pd.DataFrame:
    """Means of parcels at each look, of all blocks."""
    return pd.concat([looks_of(task, kept).series[SERIES] for task in tasks], ignore_index=True)


def rows_of_world(
    tasks: Sequence[BlockTask], truth: Truth, settings: Settings, kept: Path | None, progress: Progress | None = None
) -> pd.DataFrame:
    """Rows of all parcels of a world."""
    area = {i: float(own["obs_area_m2"]) for task in tasks for i, own in task.attributes.items()}
    return rows_of(judge_world(tasks, settings, kept, progress), series_of_world(tasks, kept), truth, area)


def rows_of(told: Told, series: pd.DataFrame, truth: Truth, area_m2: Mapping[str, float]) -> pd.DataFrame:
    """One row per parcel and day, from 450 days after the first look to half a year before the last, each 91 days.

    A parcel whose alert of an adverse event was confirmed by the day has no row: there is nothing left to warn of.

    Returns
    -------
    The features, ``parcel_id``, ``as_of``, ``adverse`` (an event is under way or begins in the 182 days after) and
    ``begins`` (one begins in them).
    """
    first, last = told.looks["day"].min().date(), told.looks["day"].max().date()
    judged = told.parcels.loc[told.parcels["status"] == "ok", ["parcel_id", "asset_class"]]
    parcels = judged.assign(area_m2=judged["parcel_id"].map(area_m2)).set_index("parcel_id")
    events = truth.events[truth.events["kind"].isin(ADVERSE_EVENTS)]
    out, tracks = [], tracks_of(series)
    day = first + dt.timedelta(days=FIRST_DAYS)
    while day + dt.timedelta(days=HORIZON_DAYS) <= last:
        at_risk = parcels[~parcels.index.isin(hurt_already(told.alerts, day))]
        after, until = pd.Timestamp(day), pd.Timestamp(day) + pd.Timedelta(days=HORIZON_DAYS)
        there = events[(events["end"] > after) & (events["start"] <= until)]
        begins = there.loc[there["start"] > after, "parcel_id"]
        rows = features_at(at_risk, told.alerts, tracks, day)
        out.append(
            rows.assign(
                as_of=day.isoformat(),
                **{OUTCOME: np.int8(rows.index.isin(there["parcel_id"])), "begins": np.int8(rows.index.isin(begins))},
            ).reset_index()
        )
        day += dt.timedelta(days=STEP_DAYS)
    return pd.concat(out, ignore_index=True)
