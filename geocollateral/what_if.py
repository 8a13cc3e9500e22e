"""The same world seen otherwise: as on an earlier day, for two months by radar alone, or under a disturbance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.backtest import WITHHELD, Told, join, told_by
from geocollateral.blind_times import Window
from geocollateral.block import BlockResult, BlockTask, judge_block, observe_block
from geocollateral.change.evaluation import NOTHING, Figure, Truth, evaluate, rate, share
from geocollateral.compute import Progress, run_blocks
from geocollateral.config import Settings
from geocollateral.kept_looks import looks_of
from geocollateral.operating_points import cases_of, rates
from geocollateral.stress import NONE, stressed
from geocollateral.world_truth import ANSWERS, MIN_AREA_M2, rows_of


@dataclass(frozen=True, kw_only=True)
class BlindScores:
    """What is found while no optical look comes, by radar alone."""

    kind: str
    point: str
    """Operating point: ``confirmed``, or ``early_warning`` for confirmed alerts and warnings together."""
    recall: Figure
    """Share of events found by the end of the window in which nothing optical was seen, from the event on [0-1]."""
    false_per_100: Figure
    """False alerts said within such windows of parcels without events, per 100 parcel-years of windows, all kinds."""


POINTS: Mapping[str, tuple[str, ...]] = {"confirmed": ("confirmed",), "early_warning": ("confirmed", "early_warning")}


def score_blind(told: Told, truth: Truth, windows: Mapping[str, Window]) -> list[BlindScores]:
    """Score alerts said within the windows, at each operating point: most of what radar says alone is a warning."""
    return [row for point in POINTS for row in _score_blind(told, truth, windows, point)]


def _score_blind(told: Told, truth: Truth, windows: Mapping[str, Window], point: str) -> list[BlindScores]:
    spans = pd.DataFrame(
        [(i, pd.Timestamp(a), pd.Timestamp(b)) for i, (a, b) in windows.items()], columns=["parcel_id", "start", "end"]
    )
    alerts = told.alerts.drop(columns=["start", "end"], errors="ignore").merge(spans, on="parcel_id")
    said = alerts[(alerts["detected_on"] >= alerts["start"]) & (alerts["detected_on"] <= alerts["end"])]
    said = said[said["operating_point"].isin(POINTS[point])].drop(columns=["start", "end"])
    judged = told.parcels.loc[told.parcels["status"] == "ok", "parcel_id"]
    calm = spans[spans["parcel_id"].isin(judged) & ~spans["parcel_id"].isin(truth.events["parcel_id"])]
    wolves = said[said["parcel_id"].isin(calm["parcel_id"])]
    false = rate(len(wolves), float((calm["end"] - calm["start"]).dt.days.sum()) / 365, per=100)
    looks = told.looks.iloc[:0]
    evaluation = evaluate(
        said, truth, dict(zip(told.parcels["parcel_id"], told.parcels["status"], strict=True)), looks, ANSWERS
    )
    events = evaluation.events.merge(spans.rename(columns={"start": "from"})[["parcel_id", "from"]], on="parcel_id")
    events = events[(events["start"] == events["from"]) & events["parcel_id"].isin(judged)]
    events = events[events["area_m2"] >= events["kind"].map(MIN_AREA_M2).fillna(0.0)]
    return [
        BlindScores(kind=str(kind), point=point, recall=share(int(own["found"].sum()), len(own)), false_per_100=false)
        for kind, own in events.groupby("kind")
    ]


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
    then = replace(then, alerts=then.alerts[then.alerts["operating_point"] != WITHHELD])
    now = last.alerts[
        last.alerts["parcel_id"].isin(then.parcels["parcel_id"]) & (last.alerts["operating_point"] != WITHHELD)
    ]
    until = now[now["detected_on"] <= pd.Timestamp(day)]
    faults = [
        f"{_words(row)}: said on {day} already"
        for row in rows_of(then.alerts)
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


def _words(row: Mapping[str, Any]) -> str:
    before, after, said = (
        f"{row[name]:%Y-%m-%d}" for name in ("last_clear_before", "first_clear_after", "detected_on")
    )
    return f"{row['parcel_id']} {row['kind']} {before}..{after}, detected {said}"


def _without_twin(alerts: pd.DataFrame, others: pd.DataFrame) -> list[str]:
    """Alerts that no other one of the parcel and kind shares a day with, in words."""
    return [_words(row) for row, new in zip(rows_of(alerts), _is_new(alerts, others), strict=True) if new]


def _is_new(alerts: pd.DataFrame, others: pd.DataFrame) -> NDArray[np.bool_]:
    """Of each alert, whether no other one of the parcel and kind shares a day with it."""
    found = []
    for row in rows_of(alerts):
        own = others[(others["parcel_id"] == row["parcel_id"]) & (others["kind"] == row["kind"])]
        apart = (own["last_clear_before"] > row["first_clear_after"]) | (
            own["first_clear_after"] < row["last_clear_before"]
        )
        found.append(bool(apart.all()))
    return np.array(found, bool)


@dataclass(frozen=True, kw_only=True)
class StressScores:
    """False alerts of one asset class at one operating point under a disturbance."""

    name: str
    asset_class: str
    point: str
    before: Figure
    """False alerts without it, per 100 quiet parcel-years, all kinds."""
    under: Figure
    """The same under it."""
    added: Figure
    """Those under it that no alert of the parcel and kind shares a day with before."""
    budget: float
    kinds: Mapping[str, int]
    """How often each kind of event was said in addition."""


def stress(
    tasks: Sequence[BlockTask],
    names: Sequence[str],
    truth: Truth,
    settings: Settings,
    kept: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[StressScores]:
    """Judge blocks with their looks disturbed, one disturbance at a time, and count what is said in quiet years."""
    every = (NONE, *(name for name in names if name != NONE))
    parts = run_blocks(_under_stress, [(task, every, kept, seed) for task in tasks], settings.compute, progress)
    told = {name: join([part[name] for part in parts]) for name in every}
    return [row for name in every[1:] for row in score_stress(name, told[NONE], told[name], truth, settings)]


def _under_stress(given: tuple[BlockTask, Sequence[str], Path | None, int]) -> dict[str, Told]:
    task, names, kept, seed = given
    seen = looks_of(task, kept)
    return {
        name: told_by(judge_block(task, stressed(seen, name, task.settings, seed), alerts_only=True), task)
        for name in names
    }


def score_stress(name: str, before: Told, under: Told, truth: Truth, settings: Settings) -> list[StressScores]:
    """Compare what is said in quiet years under a disturbance with what is said without it."""
    calm, disturbed = cases_of(before, truth, ""), cases_of(under, truth, "")
    budgets = settings.decision.budget_confirmed, settings.decision.budget_early_warning
    known = {(r.asset_class, str(r.point)): r.false_per_100 for r in rates(calm, *budgets)}
    found = []
    for row in rates(disturbed, *budgets):
        points = POINTS[row.point]
        own = disturbed.alerts[
            disturbed.alerts["in_quiet_year"]
            & (disturbed.alerts["asset_class"] == row.asset_class)
            & disturbed.alerts["operating_point"].isin(points)
        ].drop_duplicates(["parcel_id", "kind", "last_clear_before", "first_clear_after"])
        new = own[_is_new(own, before.alerts[before.alerts["operating_point"].isin(points)])]
        found.append(
            StressScores(
                name=name,
                asset_class=row.asset_class,
                point=row.point,
                before=known.get((row.asset_class, row.point), NOTHING),
                under=row.false_per_100,
                added=rate(len(new), row.false_per_100.n, per=100),
                budget=row.budget,
                kinds={str(kind): int(n) for kind, n in new.groupby("kind").size().items()},
            )
        )
    return found
