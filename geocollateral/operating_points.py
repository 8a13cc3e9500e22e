"""Alerts of worlds with known truth to the table of the decision layer, and that table held against another world."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

import geocollateral
from geocollateral.assets import DecisionRow, DecisionTable
from geocollateral.backtest import WITHHELD, Told
from geocollateral.change.calibration import (
    Curve,
    Reliability,
    Threshold,
    calibrate,
    information,
    reliability,
    thresholds_for_budget,
)
from geocollateral.change.evaluation import Figure, Truth, evaluate, rate
from geocollateral.change.matching import FALSE, OTHER_KIND, RIGHT
from geocollateral.types import OperatingPoint
from geocollateral.world_truth import ANSWERS

METHODS = ("change", "assets", "observe")
"""Rooms whose code makes the scores."""
DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Alerts of one world held against its truth, each kind of alert by itself."""

    world: str
    alerts: pd.DataFrame
    """Columns of `Told.alerts`, ``asset_class``, ``outcome`` and ``in_quiet_year``; withheld ones too. Repeats are told
    by kind and point said: that an early warning came first takes nothing from what confirms it."""
    parcel_years: pd.Series
    """Quiet parcel-years of parcels that could be judged, by asset class."""
    events: pd.DataFrame
    """True events that could be told: ``asset_class, kind``."""


def cases_of(told: Told, truth: Truth, world: str) -> Cases:
    """Hold every alert against the truth, whatever its operating point."""
    status = dict(zip(told.parcels["parcel_id"], told.parcels["status"], strict=True))
    # Rules may fire twice on one event: one event is one alert, of its highest score.
    alerts = told.alerts.sort_values("score", ascending=False, kind="stable").drop_duplicates(
        ["parcel_id", "kind", "said", "last_clear_before", "first_clear_after"]
    )
    empty = evaluate(alerts.iloc[:0], truth, status, told.looks, ANSWERS)
    parts = [
        evaluate(own, truth, status, told.looks, ANSWERS).alerts
        for _, own in alerts.sort_index().groupby(["kind", "said"])
    ]
    judged = empty.exposure[empty.exposure["judged"]]
    return Cases(
        world=world,
        alerts=pd.concat(parts, ignore_index=True) if parts else empty.alerts,
        parcel_years=judged.groupby("asset_class")["parcel_years"].sum(),
        events=empty.events.loc[empty.events["told"], ["asset_class", "kind"]],
    )


def make_table(cases: Sequence[Cases], budget_confirmed: float, budget_early_warning: float) -> DecisionTable:
    """Thresholds within the budgets of each asset class, and probabilities, from all worlds together."""
    alerts = pd.concat([one.alerts for one in cases], ignore_index=True)
    events = pd.concat([one.events for one in cases], ignore_index=True)
    years = pd.concat([one.parcel_years for one in cases]).groupby(level=0).sum()
    rows: list[DecisionRow] = []
    for asset_class, own in alerts.groupby("asset_class"):
        parcel_years = float(years.get(str(asset_class), 0.0))
        if parcel_years <= 0:
            continue  # without a quiet year nothing is known of false alarms: its alerts stay as the rules say them
        keys = {_name(kind, said): part for (kind, said), part in own.groupby(["kind", "said"])}
        points = _thresholds(keys, parcel_years, budget_confirmed, budget_early_warning)
        rows += [
            _row(str(asset_class), part, parcel_years, events, points[name]) for name, part in sorted(keys.items())
        ]
    return DecisionTable(
        made_on=tuple(one.world for one in cases),
        version=geocollateral.__version__,
        methods=methods_digest(),
        budget_confirmed=budget_confirmed,
        budget_early_warning=budget_early_warning,
        rows=tuple(rows),
    )


def _name(kind: object, said: object) -> str:
    return f"{kind} {said}"


Points = tuple[Threshold | None, Threshold]
"""Of a confirmed alert (None: the rule gives no such), and of an early warning."""


def _thresholds(keys: Mapping[str, pd.DataFrame], years: float, confirmed: float, early: float) -> dict[str, Points]:
    """Thresholds of the kinds of one class: confirmed ones first, early warnings from what is left of their budget."""
    false = {name: part.loc[part["in_quiet_year"], "score"].to_numpy(float) for name, part in keys.items()}
    sure = {name: scores for name, scores in false.items() if (keys[name]["said"] == "confirmed").all()}
    strict = thresholds_for_budget(sure, years, confirmed) if sure else {}
    loose = thresholds_for_budget(false, years, max(early, confirmed), strict)
    return {name: (strict.get(name), loose[name]) for name in keys}


def _row(asset_class: str, part: pd.DataFrame, years: float, events: pd.DataFrame, points: Points) -> DecisionRow:
    kind, said = str(part["kind"].iloc[0]), part["said"].iloc[0]
    judged = part[part["outcome"].isin([RIGHT, OTHER_KIND, FALSE])]
    scores, right = judged["score"].to_numpy(float), (judged["outcome"] == RIGHT).to_numpy()
    curve = calibrate(scores, right)
    told = information(scores, right)
    answered = [true for true, found in ANSWERS.items() if kind in found]
    n_events = int(((events["asset_class"] == asset_class) & events["kind"].isin(answered)).sum())
    strict, loose = points
    return DecisionRow(
        asset_class=asset_class,
        kind=kind,
        said=said,
        n_alerts=len(judged),
        n_right=int(right.sum()),
        n_false=int(part["in_quiet_year"].sum()),
        parcel_years=round(years, 1),
        events_per_100=round(100 * n_events / years, DIGITS),
        confirmed=None if strict is None else _score(strict),
        confirmed_false_per_100=(0.0, 0.0, 0.0) if strict is None else _three(strict.false_per_100),
        early_warning=_score(loose),
        early_warning_false_per_100=_three(loose.false_per_100),
        information=None if math.isnan(told.value) else _three(told),
        way="none" if curve is None else curve.way,
        **_points(curve),
    )


def _score(threshold: Threshold) -> float | None:
    """A threshold as written: 0 lets every score pass; None none. Not rounded: it lies a hair above a false alert."""
    return None if threshold.score > 1 else max(threshold.score, 0.0)


def _three(figure: Figure) -> tuple[float, float, float]:
    return (round(figure.value, DIGITS), round(figure.low, DIGITS), round(figure.high, DIGITS))


def _points(curve: Curve | None) -> dict[str, tuple[float, ...]]:
    if curve is None:
        return {}
    kept: dict[float, float] = {}
    for score, probability in zip(curve.scores, curve.probabilities, strict=True):
        kept[round(score, 6)] = round(probability, DIGITS)
    return {"scores": tuple(kept), "probabilities": tuple(kept.values())}


def methods_digest() -> str:
    """Digest of the code that makes the scores: a table made by other code does not fit them for certain."""
    home = Path(geocollateral.__file__).parent
    files = sorted(path for room in METHODS for path in (home / room).glob("*.py"))
    text = b"".join(path.relative_to(home).as_posix().encode() + path.read_bytes() for path in files)
    return hashlib.sha256(text).hexdigest()[:16]


def table_text(table: DecisionTable) -> str:
    """The table as YAML, as `config.load_decision_table` reads it."""
    head = "# Made by pipelines/backtest.py --calibrate: do not edit. docs/methods.md says how to read it.\n"
    return head + yaml.safe_dump(table.model_dump(mode="json"), sort_keys=False, width=120, default_flow_style=None)


def reliability_by_class(cases: Cases) -> dict[str, Reliability]:
    """Calibrated probabilities of alerts that are said against what came true, by asset class and of all."""
    alerts = cases.alerts
    said = alerts[
        alerts["calibrated"].astype(bool)
        & (alerts["operating_point"] != WITHHELD)
        & alerts["outcome"].isin([RIGHT, OTHER_KIND, FALSE])
    ]
    groups: list[tuple[str, pd.DataFrame]] = [(str(name), own) for name, own in said.groupby("asset_class")]
    if len(said):
        groups.append(("all", said))
    return {
        name: reliability(own["probability"].to_numpy(float), (own["outcome"] == RIGHT).to_numpy())
        for name, own in groups
    }


@dataclass(frozen=True, kw_only=True)
class Rate:
    """False alerts of one asset class at one operating point."""

    asset_class: str
    point: OperatingPoint
    false_per_100: Figure
    budget: float


def rates(cases: Cases, budget_confirmed: float, budget_early_warning: float) -> tuple[Rate, ...]:
    """False alerts per 100 quiet parcel-years of each class and point, all kinds together, against the budget."""
    wolf = cases.alerts[cases.alerts["in_quiet_year"]] if len(cases.alerts) else cases.alerts
    # An event may be said by two rules of two points: it is one alert.
    wolf = wolf.drop_duplicates(["parcel_id", "kind", "last_clear_before", "first_clear_after"])
    found = []
    points: Iterable[tuple[OperatingPoint, float, tuple[str, ...]]] = (
        ("confirmed", budget_confirmed, ("confirmed",)),
        ("early_warning", budget_early_warning, ("confirmed", "early_warning")),
    )
    for point, budget, names in points:
        for asset_class, years in cases.parcel_years.items():
            own = wolf[(wolf["asset_class"] == asset_class) & wolf["operating_point"].isin(names)]
            found.append(
                Rate(
                    asset_class=str(asset_class),
                    point=point,
                    false_per_100=rate(len(own), float(years), per=100),
                    budget=budget,
                )
            )
    return tuple(found)


__all__ = ["Cases", "Rate", "cases_of", "make_table", "methods_digest", "rates", "reliability_by_class", "table_text"]
