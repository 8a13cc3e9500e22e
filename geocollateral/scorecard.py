"""A backtest in words and numbers: Markdown to read, JSON values to keep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from geocollateral.assets import DecisionParams
from geocollateral.blind_times import BLIND_DAYS
from geocollateral.change.calibration import Reliability
from geocollateral.change.evaluation import (
    DateScores,
    Evaluation,
    Figure,
    PresenceScores,
    Scores,
    scores,
    scores_by_kind,
)
from geocollateral.operating_points import Cases, Rate, rates, reliability_by_class
from geocollateral.what_if import BlindScores, Replay, StressScores
from geocollateral.world_truth import MIN_AREA_M2


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What a backtest found."""

    world: str
    classes: tuple[str, ...]
    """Asset classes that were judged."""
    confirmed: Evaluation
    early: Evaluation | None
    """With early warnings; None where the product gave none."""
    stages: Mapping[str, Figure]
    """Root mean square error of the shares of stages [0-1]; empty where none were given."""
    dates: Mapping[str, DateScores]
    """Agreement of the days of crop seasons, by name of the day."""
    presence: Mapping[str, PresenceScores]
    """Agreement of what is said to be there, by name."""
    replays: tuple[Replay, ...]
    blind: tuple[BlindScores, ...] = ()
    """What radar alone finds through two months without an optical look."""
    rivals: tuple[Mapping[str, Any], ...] = ()
    """Rows of other methods at the same rate of false alarms: ``kind, method, recall, recall_low, recall_high,
    recall_n, false_per_100, lag_due_days, ours`` (recall of ours)."""
    cases: Cases | None = None
    """Every alert against the truth, withheld ones too."""
    decision: DecisionParams | None = None
    """The table and the budgets with which alerts were decided."""
    stale_table: bool = False
    """Whether the table was made by other code than scored these alerts."""
    stress: tuple[StressScores, ...] = ()
    """False alerts under disturbances."""

    @property
    def reliability(self) -> dict[str, Reliability]:
        """Calibrated probabilities against what came true, by asset class."""
        return {} if self.cases is None else reliability_by_class(self.cases)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """False alerts against the budget, by asset class and point."""
        if self.cases is None or self.decision is None:
            return ()
        return rates(self.cases, self.decision.budget_confirmed, self.decision.budget_early_warning)


STRATA = (("asset_class",), ("site",), ("cloudiness",), ("event_size",), ("parcel_size",), ("asset_class", "site"))


def values_of(found: Backtest) -> dict[str, Any]:
    """All figures as JSON values; NaN and infinities are None."""
    out: dict[str, Any] = {"world": found.world, "classes": list(found.classes), "operating_points": {}}
    for name, evaluation in _points(found):
        by = {"all": scores(evaluation), "kind": scores_by_kind(evaluation, MIN_AREA_M2)}
        by |= {"+".join(names): scores(evaluation, names) for names in STRATA}
        out["operating_points"][name] = {stratum: [_plain(one.row()) for one in rows] for stratum, rows in by.items()}
    out["stages_rmse"] = {name: _plain(vars(figure)) for name, figure in found.stages.items()}
    out["dates"] = {name: _figures(one) for name, one in found.dates.items()}
    out["presence"] = {name: _figures(one) for name, one in found.presence.items()}
    out["replays"] = [
        {"day": r.day.isoformat(), "n_alerts": r.n_alerts, "faults": list(r.faults)} for r in found.replays
    ]
    out["blind"] = [
        {n: _plain(vars(v)) if isinstance(v, Figure) else v for n, v in vars(b).items()} for b in found.blind
    ]
    out["rivals"] = [_plain(row) for row in found.rivals]
    out["budget"] = [_flat(r) for r in found.rates]
    out["stale_table"] = found.stale_table
    out["reliability"] = {
        name: {**_flat(r), "bins": [{"stated": stated, **_plain(vars(true))} for stated, true in r.bins]}
        for name, r in found.reliability.items()
    }
    out["stress"] = [_flat(row) for row in found.stress]
    return out


def _flat(record: Rate | Reliability | StressScores) -> dict[str, Any]:
    return {n: _plain(vars(v)) if isinstance(v, Figure) else _number_or_none(v) for n, v in vars(record).items()}


def _number_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _points(found: Backtest) -> list[tuple[str, Evaluation]]:
    points = [("confirmed", found.confirmed)]
    return points if found.early is None else [*points, ("early_warning", found.early)]


def _figures(record: DateScores | PresenceScores) -> dict[str, Any]:
    return {n: _plain(vars(v)) if isinstance(v, Figure) else v for n, v in vars(record).items()}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in row.items()}


def markdown(found: Backtest) -> str:
    """The same as Markdown: the goals first, then the strata, then what was false and why."""
    parts = [
        f"# Backtest on `{found.world}`",
        "Asset classes judged: "
        + ", ".join(found.classes)
        + ". In brackets: 95 % confidence intervals. Recall in italics "
        "counts what could not be told as missed. Lag in looks: 0 = said on the first clear look that could show it.",
    ]
    for name, evaluation in _points(found):
        parts += [f"## {name.replace('_', ' ').capitalize()} alerts", "### By kind of event"]
        parts.append(_score_table(scores_by_kind(evaluation, MIN_AREA_M2)))
        for by in ((), *STRATA):
            parts += [f"### By {' and '.join(by).replace('_', ' ')}" if by else "### All"]
            parts.append(_score_table(scores(evaluation, by)))
        parts += ["### Which alert answered which event", _confusion(evaluation)]
        parts += _causes(evaluation)
        parts += ["### False alerts in quiet years", _wolves(evaluation)]
    parts += [*_decisions(found), *_more(found)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _decisions(found: Backtest) -> list[str]:
    """Budget, reliability and stress."""
    parts: list[str] = []
    if found.rates:
        head: tuple[str, ...] = ("asset class", "point", "false / 100 parcel-years", "budget", "parcel-years")
        rows: list[Sequence[str]] = [
            (r.asset_class, r.point, _figure(r.false_per_100), f"{r.budget:g}", _number(r.false_per_100.n, 0))
            for r in found.rates
        ]
        made = found.decision.table.made_on if found.decision is not None else ()
        parts += ["## False alerts against the budget", f"Decision table made on: {', '.join(made) or 'nothing yet'}."]
        if found.stale_table:
            parts.append("**The table was made by other code than scored these alerts: make it anew (`--calibrate`).**")
        parts.append(table(head, rows))
    if found.reliability:
        head = ("asset class", "alerts", "stated", "came true", "Brier", "Brier of the share", "slope")
        rows = [
            (
                name,
                str(r.n),
                _number(r.stated),
                _figure(r.came_true),
                _number(r.brier, 3),
                _number(r.brier_of_share, 3),
                _figure(r.slope),
            )
            for name, r in found.reliability.items()
        ]
        parts += ["## Calibrated probabilities against what came true", table(head, rows)]
        bins = [
            (name, _number(stated), _figure(true), str(int(true.n)))
            for name, r in found.reliability.items()
            for stated, true in r.bins
        ]
        parts.append(table(("asset class", "stated", "came true", "alerts"), bins))
    if found.stress:
        head = (
            "disturbance",
            "asset class",
            "point",
            "before",
            "under it",
            "added / 100 parcel-years",
            "budget",
            "parcel-years",
            "said in addition",
        )
        rows = [
            (
                s.name,
                s.asset_class,
                s.point,
                _number(s.before.value),
                _figure(s.under),
                _figure(s.added),
                f"{s.budget:g}",
                _number(s.under.n, 0),
                ", ".join(f"{kind} {n}" for kind, n in sorted(s.kinds.items())) or "-",
            )
            for s in found.stress
        ]
        parts += ["## False alerts under disturbances", table(head, rows)]
    return parts


def _more(found: Backtest) -> list[str]:
    parts: list[str] = []
    head: tuple[str, ...]
    if found.rivals:
        head = ("event", "method", "false / 100 parcel-years", "recall", "recall of ours", "median lag [days]")
        rows = [
            (
                r["kind"],
                r["method"],
                _number(r["false_per_100"]),
                _figure(Figure(value=r["recall"], low=r["recall_low"], high=r["recall_high"], n=r["recall_n"])),
                _number(r["ours"]),
                _number(r["lag_due_days"], 0),
            )
            for r in found.rivals
        ]
        parts += ["## Other methods at the same rate of false alarms", table(head, rows)]
    if found.blind:
        rows_of_blind = [(b.kind, b.point, _figure(b.recall), _figure(b.false_per_100)) for b in found.blind]
        head = ("event", "point", f"found within {BLIND_DAYS} days of it", "false / 100 parcel-years, all kinds")
        parts += [
            f"## Radar alone: no optical look for {BLIND_DAYS} days from the event on",
            table(head, rows_of_blind),
        ]
    if found.stages:
        rows_of_stages = [(name, _figure(figure)) for name, figure in found.stages.items()]
        parts += ["## Shares of stages", table(("share", "RMSE"), rows_of_stages)]
    if found.dates:
        head = ("day", "true days found", "found days true", "MAE [days]", "bias [days]", "RMSE [days]")
        rows_of_dates = [
            (n, _figure(d.recall), _figure(d.precision), _figure(d.mae, 1), _figure(d.bias, 1), _figure(d.rmse, 1))
            for n, d in found.dates.items()
        ]
        parts += ["## Days of crop seasons", table(head, rows_of_dates)]
    if found.presence:
        head = ("what", "F1", "recall", "precision", "cannot tell")
        rows_of_presence = [
            (n, _figure(p.f1), _figure(p.recall), _figure(p.precision), str(p.n_cannot_tell))
            for n, p in found.presence.items()
        ]
        parts += ["## Presence", table(head, rows_of_presence)]
    if found.replays:
        rows_of_replays = [(str(r.day), str(r.n_parcels), str(r.n_alerts), str(len(r.faults))) for r in found.replays]
        parts += ["## Replay of earlier days", table(("as of", "parcels", "alerts", "faults"), rows_of_replays)]
        parts.append("\n".join(f"* {fault}" for r in found.replays for fault in r.faults))
    return parts


def _score_table(rows: Iterable[Scores]) -> str:
    head = (
        "stratum",
        "events",
        "untold",
        "recall",
        "*strict*",
        "alerts",
        "precision",
        "alarm precision",
        "false / 100 parcel-years",
        "lag [looks]",
        "lag from due [days]",
        "from half [days]",
        "date MAE [days]",
        "bias",
        "interval holds",
    )
    return table(
        head,
        [
            (
                ", ".join(s.stratum.values()) or "all",
                str(s.n_events),
                str(s.n_untold),
                _figure(s.recall),
                f"*{_number(s.recall_strict.value)}*",
                str(s.n_alerts),
                _figure(s.precision),
                _number(s.alarm_precision.value),
                _figure(s.false_per_100),
                _figure(s.lag_looks, 0),
                _figure(s.lag_due_days, 0),
                _number(s.lag_half_days.value, 0),
                _figure(s.date_mae, 1),
                _number(s.date_bias.value, 1),
                _number(s.holds.value),
            )
            for s in rows
        ],
    )


def _confusion(evaluation: Evaluation) -> str:
    """Kinds of true events against the kind first said during them."""
    named = dict(zip(evaluation.events["event_id"], evaluation.events["kind"], strict=True))
    alerts = evaluation.alerts
    met = alerts[alerts["event_id"].isin(list(named))]
    if met.empty:
        return "None."
    crossed = pd.crosstab(met["event_id"].map(named), met["kind"])
    head = ("true event", *map(str, crossed.columns))
    return table(
        head, [(str(kind), *map(str, row)) for kind, row in zip(crossed.index, crossed.to_numpy(), strict=True)]
    )


def _causes(evaluation: Evaluation) -> list[str]:
    """Kinds of true events against the likeliest cause named by the alert that found them."""
    alerts = evaluation.alerts
    if "cause" not in alerts:
        return []
    right = alerts[(alerts["outcome"] == "right") & (alerts["cause"] != "")]
    if right.empty:
        return []
    named = dict(zip(evaluation.events["event_id"], evaluation.events["kind"], strict=True))
    crossed = pd.crosstab(right["event_id"].map(named), right["cause"])
    head = ("true event", *map(str, crossed.columns))
    rows = [(str(kind), *map(str, row)) for kind, row in zip(crossed.index, crossed.to_numpy(), strict=True)]
    return ["### Which cause was named likeliest", table(head, rows)]


def _wolves(evaluation: Evaluation) -> str:
    """Kinds of false alerts by asset class and what grew there."""
    wolf = evaluation.alerts[evaluation.alerts["in_quiet_year"]]
    if wolf.empty:
        return "None."
    count = wolf.groupby(["asset_class", "cover_at_start", "kind"]).size()
    return table(
        ("asset class", "cover", "said", "times"),
        [(*map(str, key), str(n)) for key, n in zip(count.index.tolist(), count.tolist(), strict=True)],
    )


def _figure(figure: Figure, digits: int = 2) -> str:
    if not math.isfinite(figure.value):
        return "-"
    value = f"{figure.value:.{digits}f}"
    return f"{value} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]" if math.isfinite(figure.low) else value


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
