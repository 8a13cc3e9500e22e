"""A simulated world judged by the product itself, and the product judged by the world's truth.

The order of the stages is that of `block`; only alerts and tables are kept of each block, and held against the tables
of truth by `change.evaluation`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geocollateral.assets import ASSETS
from geocollateral.block import BlockResult, BlockTask, judge_block, observe_block
from geocollateral.change.evaluation import (
    LOOKS_PER_YEAR,
    SIZES_HA,
    Answers,
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
from geocollateral.errors import MissingInput
from geocollateral.kept_looks import looks_of
from geocollateral.types import Hit

STAND = ("stand_loss", "clear_cut", "thinning", "fire", "storm", "beetle", "decline", "gradual_decline", "conversion")
"""Any name for a loss of stand answers any: that it is gone matters first, the cause has a table of its own."""
ANSWERS: Answers = {
    "clear_cut": STAND,
    "thinning": STAND,
    "fire": STAND,
    "storm": STAND,
    "beetle": STAND,
    "crop_failure": ("crop_failure",),
    "abandonment": ("abandonment",),
    "flood": ("flood", "crop_failure"),
    "land_preparation": ("land_preparation", "encroachment", "clearing"),
    "encroachment": ("land_preparation", "encroachment", "clearing"),
    "construction": ("construction_start", "construction"),
    "stall": ("stall", "stalled"),
    "demolition": ("demolition",),
    "pv_build": ("pv_build",),
    "wind_build": ("wind_build",),
    "pond_drained": ("pond_drained",),
}
"""Kinds of true events of a world, and the kinds of alerts that answer each."""
MIN_AREA_M2: Mapping[str, float] = {"construction": 5000.0, "clear_cut": 3000.0}
"""Smallest true event that must be found [m2]; of kinds without an entry, any."""
STALL_GRACE_DAYS = 90
"""A site that has stood still for less is not stalled [days]."""
ABANDONED_AFTER_DAYS = 365
"""Before this a field without crop may as well lie fallow [days]."""
MIN_LOOK_FRACTION = 0.5
"""Clear share of a parcel from which a look counts."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the product said of the parcels of one block or of many, without its imagery."""

    alerts: pd.DataFrame
    """One row per alert: ``parcel_id, kind, rule, operating_point, last_clear_before, first_clear_after, detected_on,
    area_m2, probability, sensors``."""
    parcels: pd.DataFrame
    """One row per parcel: ``parcel_id, asset_class, status, reason`` and the columns of its judgement."""
    looks: pd.DataFrame
    """Clear looks: ``parcel_id, day``."""
    tables: Mapping[str, pd.DataFrame]
    """Tables of the judgements, such as ``stages`` and ``seasons``, with ``parcel_id``."""


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
)


def judge_world(
    tasks: Sequence[BlockTask], settings: Settings, kept: Path | None = None, progress: Progress | None = None
) -> Told:
    """What the product says of all parcels of some tasks.

    Parameters
    ----------
    kept
        Folder of looks kept from earlier runs and for later ones; None reads imagery and keeps nothing.
    """
    return join(run_blocks(_judge, [(task, kept) for task in tasks], settings.compute, progress))


def _judge(given: tuple[BlockTask, Path | None]) -> Told:
    task, kept = given
    return told_by(judge_block(task, looks_of(task, kept)), task)


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
        alerts=pd.DataFrame([_alert(hit) for hit in result.hits], columns=list(ALERT_COLUMNS)),
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
    event = hit.event
    return {
        "parcel_id": hit.parcel_id,
        "kind": event.kind,
        "rule": hit.rule,
        "operating_point": hit.operating_point,
        "last_clear_before": pd.Timestamp(event.last_clear_before),
        "first_clear_after": pd.Timestamp(event.first_clear_after),
        "detected_on": pd.Timestamp(event.detected_on),
        "area_m2": event.area_m2,
        "probability": event.probability,
        "sensors": "+".join(hit.sensors),
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


# ---- the truth


def read_truth(folder: Path) -> Truth:
    """Truth of a simulated world, with the days from which its events can be said.

    Raises
    ------
    MissingInput
        The folder holds no simulated world.
    """
    home = folder / "truth"
    if not home.is_dir():
        raise MissingInput(f"{folder} holds no simulated world: it has no folder 'truth'.")
    tables = {name: pd.read_parquet(home / f"{name}.parquet") for name in _TABLES}
    events = _with_days(tables["events"], tables["stages"], tables["phenology"])
    parcels = tables["parcels"]
    parcels = parcels[["parcel_id", "site", "asset_class", "cover_at_start"]].assign(
        parcel_size=classes_of(parcels["area_m2"] / 1e4, SIZES_HA, "ha")
    )
    events = events.assign(event_size=classes_of(events["area_m2"] / 1e4, SIZES_HA, "ha")).drop(columns="site")
    return Truth(parcels=parcels, events=events, quiet_years=tables["quiet_years"])


_TABLES = ("parcels", "events", "quiet_years", "stages", "phenology")


def _with_days(events: pd.DataFrame, stages: pd.DataFrame, phenology: pd.DataFrame) -> pd.DataFrame:
    """Events with ``due``, ``half`` and ``done``; what is not set here is left to the matching.

    1. A site: its clearing is the start, and the table of stages says how far it was.
    2. A crop that fails: the table of green cover says how fast.
    3. A flood rises in two days.
    4. Abandonment is there from the day of the sowing that did not come, and can be told from a fallow year later.
    5. A stall is there from its first day, and can be told when its grace is over; one that ends sooner is none.
    """
    rows = []
    greens = dict(tuple(phenology.groupby("parcel_id"))) if len(phenology) else {}
    plans = dict(tuple(stages.groupby("parcel_id"))) if len(stages) else {}
    for event in _rows(events):
        start, kind = pd.Timestamp(event["start"]), event["kind"]
        if kind == "construction" and event["parcel_id"] in plans:
            own = plans[event["parcel_id"]].set_index("date")["vegetated"]
            event |= _fall(own, start, event["end"], down_to=0.0)
        elif kind == "crop_failure" and event["parcel_id"] in greens:
            own = greens[event["parcel_id"]].set_index("date")["green_cover"]
            event |= _fall(own, start, event["end"], down_to=1 - float(event["severity"]))
        elif kind == "flood":
            event |= {"half": start + pd.Timedelta(days=1), "done": start + pd.Timedelta(days=2)}
        elif kind == "abandonment":
            event |= {"half": start, "done": start, "due": start + pd.Timedelta(days=ABANDONED_AFTER_DAYS)}
        elif kind == "stall":
            due = start + pd.Timedelta(days=STALL_GRACE_DAYS)
            event |= {"half": start, "done": start, "due": due}
            if due > event["end"]:
                event["kind"] = "short_stall"
        rows.append(event)
    columns = [*events, *(name for name in ("due", "half", "done") if name not in events)]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(("due", "half", "done"), "datetime64[s]"))


def _fall(cover: pd.Series, start: pd.Timestamp, end: pd.Timestamp, down_to: float) -> dict[str, pd.Timestamp]:
    """Days on which half and nine tenths of a fall of cover to a share of what it was are done; ``end`` if never."""
    before = cover[cover.index <= start]
    after = cover[cover.index >= start]
    if before.empty or before.iloc[-1] <= 0:
        return {}
    left = (after / before.iloc[-1] - down_to) / (1 - down_to)
    days = {}
    for name, share in (("half", 0.5), ("done", 0.1)):
        reached = left.index[left <= share]
        days[name] = pd.Timestamp(reached[0]) if len(reached) else pd.Timestamp(end)
    return days


# ---- the two together


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


PRESENT: Mapping[str, tuple[str, str, str]] = {"solar modules": ("obs_pv_present", "solar", "pv_build")}
"""By name: the column that says whether it is there, the cover that it is, and the kind of event that brings it."""


def presence_scores(told: Told, truth: Truth) -> dict[str, PresenceScores]:
    """Agreement of what is said to be there on the last day, on all parcels where the question was asked."""
    out = {}
    for name, (column, cover, event) in PRESENT.items():
        if column not in told.parcels:
            continue
        built = truth.events[truth.events["kind"] == event]
        over = built["end"] < built["end"].max()  # works that go on at the end are neither there nor not
        asked = truth.parcels[truth.parcels["parcel_id"].isin(told.parcels["parcel_id"])].set_index("parcel_id")
        there = (asked["cover_at_start"] == cover) | asked.index.isin(built.loc[over, "parcel_id"])
        unsure = asked.index.isin(built.loc[~over, "parcel_id"])
        answer = told.parcels.set_index("parcel_id")[column]
        out[name] = score_presence(answer, there[~unsure])
    return out


# ---- no look ahead


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What a run of an earlier day said, against the run of the last day."""

    day: dt.date
    n_parcels: int
    n_alerts: int
    faults: tuple[str, ...]
    """One sentence each; none where nothing looked ahead."""


def replay(task: BlockTask, day: dt.date, last: Told) -> Replay:
    """Judge a block as on an earlier day, from the scenes of up to that day, and compare with the run of the last day.

    Alerts of the earlier run must date from its time and be known later; alerts of the last run that say they were
    detected by that day must have been known then.
    """
    then = told_by(_assess(cut(task, day)), task)
    now = last.alerts[last.alerts["parcel_id"].isin(then.parcels["parcel_id"])]
    until = now[now["detected_on"] <= pd.Timestamp(day)]
    faults = [
        f"{_words(row)}: said on {day} already"
        for row in _rows(then.alerts)
        if max(row["detected_on"], row["first_clear_after"]) > pd.Timestamp(day)
    ]
    faults += [f"{text}: known on {day}, later no more" for text in _without_twin(then.alerts, now)]
    faults += [f"{text}: later said to be known, on {day} it was not" for text in _without_twin(until, then.alerts)]
    return Replay(day=day, n_parcels=len(then.parcels), n_alerts=len(then.alerts), faults=tuple(faults))


def sample_days(tasks: Sequence[BlockTask], n: int, seed: int = 0) -> list[tuple[BlockTask, dt.date]]:
    """Random pairs of a block and a day of the last four fifths of its time."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(n):
        task = tasks[int(rng.integers(len(tasks)))]
        days = sorted({item.datetime.date() for item in task.block.items if item.datetime is not None})
        pairs.append((task, days[int(rng.integers(len(days) // 5, len(days)))]))
    return pairs


def _assess(task: BlockTask) -> BlockResult:
    return judge_block(task, observe_block(task))


def cut(task: BlockTask, day: dt.date) -> BlockTask:
    """The same task as it would have been on an earlier day."""

    def of_part(part: Any) -> Any:
        items = tuple(i for i in part.block.items if i.datetime is not None and i.datetime.date() <= day)
        return replace(part, block=replace(part.block, items=items))

    return replace(
        task,
        optical=None if task.optical is None else of_part(task.optical),
        radar=tuple(part for part in map(of_part, task.radar) if part.block.items),
        as_of=day,
    )


def _rows(alerts: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in alerts.to_dict("records")]


def _words(row: Mapping[str, Any]) -> str:
    before, after, said = (
        f"{row[name]:%Y-%m-%d}" for name in ("last_clear_before", "first_clear_after", "detected_on")
    )
    return f"{row['parcel_id']} {row['kind']} {before}..{after}, detected {said}"


def _without_twin(alerts: pd.DataFrame, others: pd.DataFrame) -> list[str]:
    """Alerts that no other one of the parcel and kind shares a day with, in words."""
    found = []
    for row in _rows(alerts):
        own = others[(others["parcel_id"] == row["parcel_id"]) & (others["kind"] == row["kind"])]
        apart = (own["last_clear_before"] > row["first_clear_after"]) | (
            own["first_clear_after"] < row["last_clear_before"]
        )
        if apart.all():
            found.append(_words(row))
    return found
