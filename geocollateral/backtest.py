"""A simulated world judged by the product itself, and the product judged by the world's truth.

The order of the stages is that of `block`; only alerts and tables are kept of each block, and held against the tables
of truth by `change.evaluation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from geocollateral.assets import ASSETS
from geocollateral.blind_times import Window, blind
from geocollateral.block import BlockResult, BlockTask, evidence_of, judge_block
from geocollateral.change.evaluation import (
    LOOKS_PER_YEAR,
    DateScores,
    Evaluation,
    Figure,
    PresenceScores,
    Truth,
    classes_of,
    evaluate,
    match_dates,
    score_presence,
    share_errors,
)
from geocollateral.compute import Progress, run_blocks
from geocollateral.config import Settings
from geocollateral.kept_looks import looks_of
from geocollateral.observed import Observed
from geocollateral.types import Hit
from geocollateral.world_truth import ANSWERS

MIN_LOOK_FRACTION = 0.5
"""Clear share of a parcel from which a look counts."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the product said of the parcels of one block or of many, without its imagery."""

    alerts: pd.DataFrame
    """One row per alert: ``parcel_id, kind, rule, operating_point, last_clear_before, first_clear_after, detected_on,
    area_m2, probability, sensors, cause`` (the likeliest; ``""`` where none was considered), ``score``, ``said`` (point
    the rule gave) and ``calibrated``. Those below every threshold are there too, with the point `WITHHELD`."""
    parcels: pd.DataFrame
    """One row per parcel: ``parcel_id, asset_class, status, reason`` and the columns of its judgement."""
    looks: pd.DataFrame
    """Clear looks: ``parcel_id, day``."""
    tables: Mapping[str, pd.DataFrame]
    """Tables of the judgements, such as ``stages`` and ``seasons``, with ``parcel_id``; and ``presence``: ``parcel_id,
    name, there`` (None: cannot tell)."""


ALERT_COLUMNS = (
    "parcel_id",
    "kind",
    "rule",
    "operating_point",
    "last_clear_before",
    "first_clear_after",
    "detected_on",
    "area_m2",
    "probability",
    "sensors",
    "cause",
    "score",
    "said",
    "calibrated",
)
WITHHELD = "withheld"


def judge_world(
    tasks: Sequence[BlockTask],
    settings: Settings,
    kept: Path | None = None,
    progress: Progress | None = None,
    windows: Mapping[str, Window] | None = None,
) -> Told:
    """What the product says of all parcels of some tasks.

    Parameters
    ----------
    kept
        Folder of looks kept from earlier runs and for later ones; None reads imagery and keeps nothing.
    windows
        By parcel, a time whose optical looks are taken away.
    """
    return join(run_blocks(_judge, [(task, kept, windows or {}) for task in tasks], settings.compute, progress))


def _judge(given: tuple[BlockTask, Path | None, Mapping[str, Window]]) -> Told:
    task, kept, windows = given
    seen = looks_of(task, kept)
    if windows:
        seen = blind(seen, windows)
    told = told_by(judge_block(task, seen, alerts_only=True), task)
    return replace(told, tables={**told.tables, "presence": _presence(task, seen)})


def told_by(result: BlockResult, task: BlockTask) -> Told:
    """What the result of a block says, as tables."""
    known = [(i, j) for i, j in result.judgements.items() if str(task.attributes[i]["asset_class"]) in ASSETS]
    tables: dict[str, list[dict[str, Any]]] = {}
    for parcel_id, judgement in known:
        for name, rows in judgement.tables.items():
            tables.setdefault(name, []).extend({"parcel_id": parcel_id, **row} for row in rows)
    series = result.series
    clear = series[
        (series["index"] == "ndvi")
        & (series["valid_fraction"] >= MIN_LOOK_FRACTION)
        & (series["sensor"] == "sentinel-2")
    ]
    return Told(
        alerts=pd.DataFrame([_alert(hit) for hit in (*result.hits, *result.withheld)], columns=list(ALERT_COLUMNS)),
        parcels=pd.DataFrame(
            [
                {
                    "parcel_id": i,
                    "asset_class": str(task.attributes[i]["asset_class"]),
                    "status": j.status,
                    "reason": j.reason,
                    **j.columns,
                }
                for i, j in known
            ]
        ),
        looks=clear[["parcel_id", "time"]].rename(columns={"time": "day"}).reset_index(drop=True),
        tables={name: pd.DataFrame(rows) for name, rows in tables.items()},
    )


def _alert(hit: Hit) -> dict[str, Any]:
    event, decision = hit.event, hit.decision
    return {
        "parcel_id": hit.parcel_id,
        "kind": event.kind,
        "rule": hit.rule,
        "operating_point": WITHHELD if decision is not None and decision.point is None else hit.operating_point,
        "last_clear_before": pd.Timestamp(event.last_clear_before),
        "first_clear_after": pd.Timestamp(event.first_clear_after),
        "detected_on": pd.Timestamp(event.detected_on),
        "area_m2": event.area_m2,
        "probability": event.probability,
        "sensors": "+".join(hit.sensors),
        "cause": max(event.causes, key=lambda name: event.causes[name]) if event.causes else "",
        "score": event.probability if decision is None else decision.score,
        "said": hit.operating_point if decision is None else decision.said,
        "calibrated": decision is not None and decision.calibrated,
    }


def join(parts: Sequence[Told]) -> Told:
    """What was said of several blocks, as one."""
    names = sorted({name for part in parts for name in part.tables})
    return Told(
        alerts=_concat([part.alerts for part in parts], ALERT_COLUMNS),
        parcels=_concat([part.parcels for part in parts], ("parcel_id", "asset_class", "status", "reason")),
        looks=_concat([part.looks for part in parts], ("parcel_id", "day")),
        tables={name: _concat([p.tables[name] for p in parts if name in p.tables], ("parcel_id",)) for name in names},
    )


def _concat(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))


def hold_against(told: Told, truth: Truth, operating_point: str = "confirmed") -> Evaluation:
    """Alerts against the truth, at one operating point; an early warning is also what is confirmed."""
    points = ("confirmed",) if operating_point == "confirmed" else ("confirmed", "early_warning")
    alerts = told.alerts[told.alerts["operating_point"].isin(points)]
    # Rules may fire twice on one event: one event is one alert.
    alerts = alerts.drop_duplicates(["parcel_id", "kind", "last_clear_before", "first_clear_after"])
    status = dict(zip(told.parcels["parcel_id"], told.parcels["status"], strict=True))
    days = told.looks["day"]
    years = max((days.max() - days.min()).days / 365.25, 1e-9) if len(days) else 1.0
    per_year = told.looks.groupby("parcel_id").size() / years
    looked = truth.parcels["parcel_id"].map(per_year).fillna(0.0)
    truth = replace(truth, parcels=truth.parcels.assign(cloudiness=classes_of(looked, LOOKS_PER_YEAR, "looks/year")))
    return evaluate(alerts, truth, status, told.looks, ANSWERS)


def stage_errors(told: Told, folder: Path) -> dict[str, Figure]:
    """Errors of the shares of stages of building sites; nothing where the product gives none."""
    true = pd.read_parquet(folder / "truth" / "stages.parquet")
    found = told.tables.get("stages", pd.DataFrame())
    shares = [name for name in STAGE_SHARES if name in found]
    if not shares:
        return {}
    sites = told.parcels.loc[told.parcels["asset_class"] == "construction", "parcel_id"]
    return share_errors(found, true[true["parcel_id"].isin(sites)], shares)


STAGE_SHARES = ("vegetated", "water", "cleared", "building", "built")
SEASON_DAYS: Mapping[str, int] = {"harvested": 45, "emerged": 45}
"""Days of crop seasons that are judged, and how far apart two days may lie to be the same [days]."""


def season_dates(told: Told, truth: Truth, folder: Path) -> dict[str, DateScores]:
    """Agreement of the days of crop seasons, of parcels that could be judged, within the time of their looks.

    Seasons that failed have no harvest, and what happens to a parcel from its first event on is not compared.
    """
    found = told.tables.get("seasons", pd.DataFrame())
    true = pd.read_parquet(folder / "truth" / "seasons.parquet")
    judged = told.parcels.loc[told.parcels["status"] == "ok", "parcel_id"]
    true = true[~true["failed"] & true["parcel_id"].isin(judged)]
    since = truth.events.groupby("parcel_id")["start"].min()
    out = {}
    for name, within in SEASON_DAYS.items():
        if name not in found:
            continue
        said, there = (_of_quiet_time(t, name, since, told.looks["day"]) for t in (found, true))
        said = said[said["parcel_id"].isin(set(true["parcel_id"]))]
        out[name] = match_dates(said, there, within_days=within)
    return out


def _of_quiet_time(table: pd.DataFrame, name: str, since: pd.Series, looks: pd.Series) -> pd.DataFrame:
    """Days of a table before the parcel's first event, and a month inside the time of the looks."""
    days = table[["parcel_id"]].assign(day=pd.to_datetime(table[name])).dropna(subset=["day"])
    margin = pd.Timedelta(days=30)
    quiet = days["day"] < days["parcel_id"].map(since).fillna(pd.Timestamp.max.floor("D").as_unit("s"))
    return days[quiet & days["day"].between(looks.min() + margin, looks.max() - margin)]


PRESENT: Mapping[str, tuple[str, str, str, str]] = {"solar modules": ("solar", "obs_pv_present", "solar", "pv_build")}
"""By name: the asset class and its column that say whether it is there, the cover that it is, and the kind of event
that brings it."""


def _presence(task: BlockTask, seen: Observed) -> pd.DataFrame:
    """Whether things are there, asked of every parcel as if it were pledged as such: look-alikes must be refused."""
    rows = []
    for name, (asset_class, column, _, _) in PRESENT.items():
        if asset_class not in ASSETS:
            continue
        asset, params = ASSETS[asset_class], getattr(task.settings, asset_class)
        for position, parcel_id in enumerate(seen.cover.parcel_ids):
            judgement = asset.judge(evidence_of(task, seen, position, {}), params)
            rows.append({"parcel_id": parcel_id, "name": name, "there": judgement.columns.get(column)})
    return pd.DataFrame(rows, columns=["parcel_id", "name", "there"])


def presence_scores(told: Told, truth: Truth) -> dict[str, PresenceScores]:
    """Agreement of what is said to be there on the last day, on all parcels; works that go on then are left out."""
    said = told.tables.get("presence", pd.DataFrame(columns=["parcel_id", "name", "there"]))
    out = {}
    for name, (_, _, cover, event) in PRESENT.items():
        answer = said[said["name"] == name].set_index("parcel_id")["there"]
        if answer.empty:
            continue
        built = truth.events[truth.events["kind"] == event]
        over = built["end"] < told.looks["day"].max()
        asked = truth.parcels[truth.parcels["parcel_id"].isin(answer.index)].set_index("parcel_id")
        there = (asked["cover_at_start"] == cover) | asked.index.isin(built.loc[over, "parcel_id"])
        out[name] = score_presence(answer, there[~asked.index.isin(built.loc[~over, "parcel_id"])])
    return out
