"""Rows for the risk score: what was told of a simulated world's parcels on many days, and what came then."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.block import BlockTask, judge_block
from geocollateral.change.evaluation import Truth
from geocollateral.compute import Progress, run_blocks
from geocollateral.config import Settings
from geocollateral.kept_looks import looks_of
from geocollateral.operating_points import methods_digest
from geocollateral.risk import raise_alerts
from geocollateral.risk.features import alerts_table, features_at, hurt_already, tracks_of
from geocollateral.risk.score import ScoreModel
from geocollateral.risk.score_fit import HORIZON_DAYS, OUTCOME, fit_score
from geocollateral.risk.score_judge import (
    better_than_chance,
    common_spread,
    judge_classes,
    judge_score,
    reasons_stable,
    reliability,
    warning_rates,
)
from geocollateral.types import Hit

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


@dataclass(frozen=True, kw_only=True)
class Past:
    """What the product said of the parcels of one block or of many, and what it saw of them."""

    hits: tuple[Hit, ...]
    parcels: pd.DataFrame
    """Columns ``parcel_id, asset_class, area_m2``: those that could be judged."""
    series: pd.DataFrame
    """Columns `SERIES`: means of parcels at each look."""


def rows_of_world(
    tasks: Sequence[BlockTask], truth: Truth, settings: Settings, kept: Path | None, progress: Progress | None = None
) -> pd.DataFrame:
    """Rows of all parcels of a world; see `rows_of`."""
    parts = run_blocks(_past_of, [(task, kept) for task in tasks], settings.compute, progress)
    whole = Past(
        hits=tuple(hit for part in parts for hit in part.hits),
        parcels=pd.concat([part.parcels for part in parts], ignore_index=True),
        series=pd.concat([part.series for part in parts], ignore_index=True),
    )
    return rows_of(whole, truth)


def _past_of(given: tuple[BlockTask, Path | None]) -> Past:
    """Looks are loaded once, for the alerts and for the series."""
    task, kept = given
    seen = looks_of(task, kept)
    result = judge_block(task, seen, alerts_only=True)
    judged = [
        {
            "parcel_id": i,
            "asset_class": str(task.attributes[i]["asset_class"]),
            "area_m2": float(task.attributes[i]["obs_area_m2"]),
        }
        for i, judgement in result.judgements.items()
        if judgement.status == "ok"
    ]
    return Past(
        hits=result.hits,
        parcels=pd.DataFrame(judged, columns=["parcel_id", "asset_class", "area_m2"]),
        series=result.series[SERIES],
    )


def rows_of(past: Past, truth: Truth) -> pd.DataFrame:
    """One row per parcel and day, from 450 days after the first look to half a year before the last, each 91 days.

    A parcel whose alert of an adverse event was confirmed by the day has no row: there is nothing left to warn of. The
    alerts of a day are those that an assessment of that day would have raised.

    Returns
    -------
    The features, ``parcel_id``, ``as_of``, ``adverse`` (an event is under way or begins in the 182 days after),
    ``begins`` (one begins in them) and ``kind`` (of the event, ``""`` where there is none).
    """
    looks = pd.to_datetime(past.series.loc[past.series["index"] == "ndvi", "time"])
    first, last = looks.min().date(), looks.max().date()
    parcels = past.parcels.set_index("parcel_id")
    events = truth.events[truth.events["kind"].isin(ADVERSE_EVENTS)]
    out, tracks = [], tracks_of(past.series)
    hits: dict[str, list[Hit]] = {}
    for hit in past.hits:
        hits.setdefault(hit.parcel_id, []).append(hit)
    day = first + dt.timedelta(days=FIRST_DAYS)
    while day + dt.timedelta(days=HORIZON_DAYS) <= last:
        told = alerts_table([alert for own in hits.values() for alert in raise_alerts(_until(own, day))])
        at_risk = parcels[~parcels.index.isin(hurt_already(told, day))]
        after, until = pd.Timestamp(day), pd.Timestamp(day) + pd.Timedelta(days=HORIZON_DAYS)
        there = events[(events["end"] > after) & (events["start"] <= until)].sort_values("start", kind="stable")
        kinds = there.drop_duplicates("parcel_id").set_index("parcel_id")["kind"]
        begins = there.loc[there["start"] > after, "parcel_id"]
        rows = features_at(at_risk, told, tracks, day)
        out.append(
            rows.assign(
                as_of=day.isoformat(),
                kind=[kinds.get(i, "") for i in rows.index],
                **{OUTCOME: np.int8(rows.index.isin(there["parcel_id"])), "begins": np.int8(rows.index.isin(begins))},
            ).reset_index()
        )
        day += dt.timedelta(days=STEP_DAYS)
    return pd.concat(out, ignore_index=True)


def _until(hits: Sequence[Hit], day: dt.date) -> list[Hit]:
    return [hit for hit in hits if hit.event.detected_on <= day]


def fit_and_judge(
    train: pd.DataFrame, held: pd.DataFrame, made_on: tuple[str, ...]
) -> tuple[ScoreModel, dict[str, Any]]:
    """A score from outcomes, and its figures on others; what early warnings alone would say stands beside.

    An asset class in which the score is not surely better than chance on the data held out gets no score; the figures
    of the others, which are those told, come first.
    """
    model = fit_score(train, made_on)
    p, y = model.predict(held), held[OUTCOME].to_numpy(np.float64)
    by_class = judge_classes(p, held)
    able = better_than_chance(by_class)
    idle = tuple(name for name in model.classes if name not in able)
    model = replace(model, classes=tuple(name for name in model.classes if name in able), idle=idle)
    told = held[[f"is_{name}" for name in model.classes]].sum(axis=1).to_numpy() == 1.0
    parcels = held["parcel_id"].to_numpy()
    rivals = {
        "warnings_alone": warning_rates(train, held, by_class=False),
        "warnings_by_class": warning_rates(train, held, by_class=True),
        "base_rate": np.full(len(y), float(train[OUTCOME].mean())),
    }
    cells = (held["parcel_id"].str.partition("/")[0] + held["as_of"]) if "as_of" in held else None
    spread = None if cells is None else common_spread(p[told], y[told], cells.to_numpy()[told])
    figures: dict[str, Any] = {
        "rows": int(told.sum()),
        "parcels": int(held.loc[told, "parcel_id"].nunique()),
        "events": int(y[told].sum()),
        **_judged(p[told], y[told], parcels[told]),
        "common_spread": None if spread is None else round(spread, 4),
        "reasons_stable": reasons_stable(model, held[told]),
        "reliability": reliability(p[told], y[told]),
        "by_class": by_class,
        "all_classes": _judged(p, y, parcels, ("auc", "brier")),
        **{name: _judged(rate[told], y[told], parcels[told], ("auc", "brier")) for name, rate in rivals.items()},
    }
    if "begins" in held:
        ahead = told & ((y == 0) | (held["begins"] == 1).to_numpy())
        figures["events_that_begin_later"] = _judged(p[ahead], y[ahead], parcels[ahead], ("auc",))
    card = {
        **model.card,
        "classes": list(model.classes),
        "no_better_than_chance": list(idle),
        "made_with": rows_digest(),
    }
    return replace(model, card=card), _rounded(figures)


def _judged(
    p: NDArray[np.float64], y: NDArray[np.float64], parcels: NDArray[Any], only: Sequence[str] = ()
) -> dict[str, list[float]]:
    return {name: [f.value, f.low, f.high] for name, f in judge_score(p, y, parcels, only=only).items()}


def _rounded(value: Any) -> Any:
    """Floats to four digits, however deep they stand."""
    if isinstance(value, dict):
        return {name: _rounded(own) for name, own in value.items()}
    if isinstance(value, list):
        return [_rounded(own) for own in value]
    return round(value, 4) if isinstance(value, float) else value


SCORE_CODE = (
    "block.py",
    "observed.py",
    "risk_history.py",
    "risk/alerts.py",
    "risk/features.py",
    "risk/score_fit.py",
)
"""Code that makes rows of outcomes and fits the score, beside the rooms of `methods_digest`."""


def rows_digest() -> dict[str, str]:
    """SHA-256 of all that a shipped score was made with, by part: it is stale if one of them is another today.

    Returns
    -------
    ``methods`` (the rooms that observe, monitor and judge), ``decision_table`` (thresholds of alerts) and ``score``
    (features, rows and fitting).
    """
    home = resources.files("geocollateral")
    code = hashlib.sha256()
    for name in SCORE_CODE:
        code.update(name.encode() + b"\0" + (home / name).read_bytes())
    table = (home / "assets" / "decision.yaml").read_bytes()
    return {
        "methods": methods_digest(),
        "decision_table": hashlib.sha256(table).hexdigest(),
        "score": code.hexdigest(),
    }
