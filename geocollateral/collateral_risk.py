"""Tables of a run to the facts of the risk rules and the score, and back to columns and tables of the result."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from geocollateral.config import Settings
from geocollateral.intake.contract import parse_values
from geocollateral.risk.caps import ValuePoint
from geocollateral.risk.features import FEATURES, alerts_table, features_at, hurt_already, tracks_of
from geocollateral.risk.findings import Finding, worst
from geocollateral.risk.rollup import GroupBy, Secured, scenario_rows
from geocollateral.risk.rules import (
    RULES,
    SEVERITIES,
    Asked,
    LoanFacts,
    ParcelFacts,
    judge_loan,
    judge_parcel,
    judge_portfolio,
)
from geocollateral.risk.scenarios import ValueBand
from geocollateral.risk.score import NO_BOOSTING, ScoreModel, ScoreParams, reasons_of
from geocollateral.risk.sums import OWN
from geocollateral.risk.valuations import Valuations
from geocollateral.types import CLOSED_STATUSES, Alert, Verdict

HURT = "A confirmed alert of an adverse event is open: what the risk score warns of has happened."
NOT_JUDGED = "The parcel could not be judged, and neither can its risk."
DUE = {
    "risk_revaluation_due_on": "revaluation_overdue",
    "risk_monitoring_due_on": "monitoring_overdue",
    "risk_review_due_on": "review_overdue",
}
"""Columns of days and the rules that give them; only where the file says when the parcel was last valued."""
COLUMNS = ("risk_score", "risk_score_reason", "risk_codes", "risk_state")
LEARNED = "learned"
"""What ``val_approach`` says of values learned from sales."""
PLEDGE = "claim_pledge_verdict"
GROUPED_BY: tuple[GroupBy, ...] = ("all", "borrower", "branch", "class")
RULE_COLUMNS = ("rule", "subject", "key", "outcome", "reason", "wording", "reference")


@dataclass(frozen=True, kw_only=True)
class RiskResult:
    """What is said of the risk of a run."""

    columns: pd.DataFrame
    """Index ``parcel_id``; columns `COLUMNS`: probability or None, why there is none, codes of its reasons, and the
    worst answer of the rules of the parcel and of its loan."""
    tables: dict[str, pd.DataFrame]
    """``risk_rules`` (every answer), ``risk_features`` (what the score was made of: add the column ``adverse`` half a
    year later and train on it) and ``risk_rollup`` (per scenario and group; only where loans are named)."""


@dataclass(frozen=True, kw_only=True)
class LoanRisk:
    """What is said of the loans that parcels secure, with what is known of each parcel."""

    facts: Mapping[str, ParcelFacts]
    found: Sequence[Finding]
    rollup: pd.DataFrame | None
    """None where no loan is named."""


def judge_risk(
    table: pd.DataFrame,
    alerts: Sequence[Alert],
    series: pd.DataFrame,
    model: ScoreModel | None,
    settings: Settings,
    day: dt.date,
    *,
    values: pd.DataFrame | None = None,
    branch: str | None = None,
) -> RiskResult:
    """Rules, score and roll-up of a run.

    Parameters
    ----------
    table
        Columns of ``parcels.geojson`` with those of the file (`loan_*`), index ``parcel_id``.
    model
        None where LightGBM cannot be loaded: no parcel gets a score, and each says why.
    values
        The table ``values``: which errors the values of parcels have in common. None: all of them.
    branch
        Of loans for which the file names none; None: not known.
    """
    open_alerts = [alert for alert in alerts if alert.status not in CLOSED_STATUSES]
    score = _scores(table, open_alerts, series, model, settings.risk_score, day)
    told = judge_loans(
        table.assign(risk_score=score["risk_score"], risk_score_reason=score["risk_score_reason"]),
        severities_of(open_alerts),
        settings,
        day,
        values=values,
        branch=branch,
        common_spread=None if model is None else model.common_spread,
    )
    columns = score[["risk_score", "risk_score_reason", "risk_codes"]].assign(
        risk_state=pd.Series(_states(told.facts, told.found), dtype=object)
    )
    if "loan_valued_on" in table:
        columns = columns.assign(**_due_columns(table, told.found))
    tables = {"risk_rules": _rule_table(told.found), "risk_features": _feature_table(score, table, day)}
    if told.rollup is not None:
        tables["risk_rollup"] = told.rollup
    return RiskResult(columns=columns, tables=tables)


def judge_loans(
    table: pd.DataFrame,
    severities: Mapping[str, Sequence[str]],
    settings: Settings,
    day: dt.date,
    *,
    values: pd.DataFrame | None = None,
    branch: str | None = None,
    common_spread: float | None = None,
    grouped_by: Sequence[GroupBy] = GROUPED_BY,
) -> LoanRisk:
    """Answers of the rules and sums of the loans.

    Parameters
    ----------
    table
        As for `judge_risk`, with ``risk_score`` and ``risk_score_reason``.
    severities
        Of the open alerts, by parcel.
    values, branch
        As for `judge_risk`.
    common_spread
        Of the score (`risk.score_judge.common_spread`).
    """
    facts = {str(i): _facts(str(i), row, severities.get(str(i), ())) for i, row in table.iterrows()}
    errors = {} if values is None else _errors(values)
    asked = Asked(as_of=day, limits=settings.limits, clocks=settings.clocks)
    loans = [_secured(name, own, facts, errors, branch) for name, own in _by_loan(table)]
    found = [finding for parcel in facts.values() for finding in judge_parcel(parcel, asked)]
    found += [finding for loan in loans for finding in judge_loan(loan.facts, asked)]
    found += judge_portfolio([loan.facts for loan in loans], asked)
    rows = scenario_rows(loans, grouped_by, settings.stress, common_spread)
    return LoanRisk(facts=facts, found=found, rollup=pd.DataFrame(rows) if loans else None)


def severities_of(alerts: Sequence[Alert]) -> dict[str, list[str]]:
    """Severities of alerts by parcel."""
    out: dict[str, list[str]] = {}
    for alert in alerts:
        out.setdefault(alert.parcel_id, []).append(alert.severity)
    return out


def _errors(values: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By parcel, share of its value's variance by source of error: one figure of the bank is one source."""
    out: dict[str, dict[str, float]] = {}
    for row in values[values["leads"].astype(bool)].to_dict("records"):
        observed = pd.isna(row["line"])
        source = OWN if observed else f"{row['name']}|{row['source']}|{row['dated']}|{row['p50']:g} {row['unit']}"
        own = out.setdefault(str(row["parcel_id"]), {})
        own[source] = own.get(source, 0.0) + float(row["variance_share"])
    return out


def _scores(
    table: pd.DataFrame,
    alerts: Sequence[Alert],
    series: pd.DataFrame,
    model: ScoreModel | None,
    params: ScoreParams,
    day: dt.date,
) -> pd.DataFrame:
    """Features, score, why there is none, and reasons; one row per parcel."""
    told = alerts_table(alerts)
    parcels = pd.DataFrame(
        {
            "asset_class": table["asset_class"],
            "area_m2": table["obs_area_m2"],
            "ltv": pd.to_numeric(table["risk_ltv"], errors="coerce"),
            "claims_wrong_n": [_claims_wrong(row) for _, row in table.iterrows()],
            "draw_gap": [_draw_gap(row) for _, row in table.iterrows()],
        },
        index=table.index,
    )
    features = features_at(parcels, told, tracks_of(series), day)
    hurt = hurt_already(told, day)
    refusals = [NO_BOOSTING] * len(features) if model is None else model.refusals(features, params)
    why = [
        HURT if str(i) in hurt else NOT_JUDGED if status != "ok" else refusal
        for i, status, refusal in zip(features.index, table["meta_status"], refusals, strict=True)
    ]
    codes: list[list[str]] = [[] for _ in why]
    scores: list[float | None] = [None for _ in why]
    if model is not None:
        parts = model.contributions(features)
        codes = [[] if w else reasons_of(own, params) for w, (_, own) in zip(why, parts.iterrows(), strict=True)]
        scores = [None if w else round(float(p), 4) for w, p in zip(why, model.predict(features), strict=True)]
    return features.assign(
        risk_score=pd.Series(scores, index=features.index, dtype=object),
        risk_score_reason=pd.Series(why, index=features.index, dtype=object),
        risk_codes=pd.Series(codes, index=features.index, dtype=object),
    )


def _claims_wrong(row: pd.Series[Any]) -> float:
    """Claims contradicted; NaN where none could be judged."""
    judged = [verdict for verdict in _verdicts(row).values() if verdict != "cannot_tell"]
    return float(sum(verdict == "mismatch" for verdict in judged)) if judged else float("nan")


def _draw_gap(row: pd.Series[Any]) -> float:
    """Drawn share of the loan less progress of the works [1]; NaN where one is not known."""
    drawn, amount = _number(row.get("loan_outstanding")), _number(row.get("loan_amount"))
    progress = _number(row.get("obs_progress_frac"))
    if row["asset_class"] != "construction" or drawn is None or not amount or progress is None:
        return float("nan")
    return drawn / amount - progress


def _verdicts(row: pd.Series[Any]) -> dict[str, Verdict]:
    """By claim that was made."""
    return {
        name.removeprefix("claim_").removesuffix("_verdict"): row[name]
        for name in map(str, row.index)
        if _is_verdict(name) and _given(row[name])
    }


def _facts(parcel_id: str, row: pd.Series[Any], severities: Sequence[str]) -> ParcelFacts:
    return ParcelFacts(
        parcel_id=parcel_id,
        asset_class=str(row["asset_class"]),
        loan=_text(row.get("loan_id")),
        judged=row["meta_status"] == "ok",
        verdicts=_verdicts(row),
        alerts={name: list(severities).count(name) for name in SEVERITIES},
        hurt=row["risk_score_reason"] == HURT,
        pledge=row[PLEDGE] if _given(row.get(PLEDGE)) else None,
        valuations=_valuations(row),
        last_clear=_day(row.get("meta_last_clear")),
        progress_low=_number(row.get("obs_progress_low_frac")),
        progress_high=_number(row.get("obs_progress_high_frac")),
        score=_number(row.get("risk_score")),
    )


def _valuations(row: pd.Series[Any]) -> Valuations:
    """Values by valuers as the file states them; a value without its day or currency is none."""
    currency, on, start = _text(row.get("loan_currency")), _day(row.get("loan_valued_on")), _day(row.get("loan_start"))

    def point(day: dt.date | None, value: float | None) -> ValuePoint | None:
        if day is None or value is None or currency is None:
            return None
        return ValuePoint(day=day, value=value, currency=currency)

    history = parse_values(_text(row.get("loan_value_history")) or "")
    return Valuations(
        kind=row["loan_property_kind"] if _given(row.get("loan_property_kind")) else None,
        valued_on=on,
        valued=point(on, _number(row.get("loan_value"))),
        at_start=point(start, _number(row.get("loan_value_at_start"))),
        earlier=tuple(found for day, value in history if (found := point(day, value)) is not None),
        ours=_band(row) if _given(row["val_p50"]) else None,
        outstanding=_number(row.get("loan_outstanding")),
        currency=currency,
    )


def _approach(row: pd.Series[Any]) -> str:
    """Approach whose elasticities hold: values learned from sales follow prices as those of comparables do."""
    named = _text(row.get("val_approach"))
    return "market" if named in (None, LEARNED) else str(named)


def _band(row: pd.Series[Any]) -> ValueBand:
    return ValueBand(p05=row["val_p05"], p50=row["val_p50"], p95=row["val_p95"], currency=str(row["val_currency"]))


def _is_verdict(name: str) -> bool:
    """Of a claim; that of the pledge has a rule of its own."""
    return name.startswith("claim_") and name.endswith("_verdict") and name != PLEDGE


def _by_loan(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    if "loan_id" not in table:
        return []
    return [(str(name), own) for name, own in table.dropna(subset=["loan_id"]).groupby("loan_id")]


def _secured(
    name: str,
    own: pd.DataFrame,
    facts: Mapping[str, ParcelFacts],
    errors: Mapping[str, Mapping[str, float]],
    branch: str | None,
) -> Secured:
    """A loan of a file; a parcel may leave out what another one of the loan states."""
    values = {
        str(i): (
            _band(row),
            _approach(row),
        )
        for i, row in own.iterrows()
        if _given(row["val_p50"])
    }
    currency = _text(_stated(own, "loan_currency"))
    whole = None
    if len(values) == len(own) and {band.currency for band, _ in values.values()} == {currency}:
        whole = float(sum(band.p50 for band, _ in values.values()))
    return Secured(
        facts=LoanFacts(
            loan=name,
            parcels=tuple(facts[str(i)] for i in own.index),
            outstanding=_number(_stated(own, "loan_outstanding")),
            amount=_number(_stated(own, "loan_amount")),
            currency=currency,
            value=whole,
            borrower=_text(_stated(own, "loan_borrower_id")),
            branch=_text(_stated(own, "loan_branch")) or branch,
        ),
        values=values,
        # What sales taught is no row of the tables: its errors are one for all, as far as anybody knows.
        errors={i: errors[i] for i in values if i in errors and own.loc[i].get("val_approach") != LEARNED},
    )


def _states(facts: Mapping[str, ParcelFacts], found: Sequence[Finding]) -> dict[str, str]:
    """The worst answer by parcel, those of its loan included; what nobody asked of cannot be told."""
    of_parcel = {name: [f.outcome for f in found if f.subject == "parcel" and f.key == name] for name in facts}
    of_loan: dict[str, list[Any]] = {}
    for finding in found:
        if finding.subject == "loan":
            of_loan.setdefault(finding.key, []).append(finding.outcome)
    return {name: worst([*of_parcel[name], *of_loan.get(parcel.loan or "", ())]) for name, parcel in facts.items()}


def _due_columns(table: pd.DataFrame, found: Sequence[Finding]) -> dict[str, pd.Series[Any]]:
    """Days (ISO) until when a value is due, and the cap; no number for a parcel that cannot be judged."""
    inputs = {(finding.key, finding.rule): finding.inputs for finding in found}
    columns = {
        column: pd.Series([inputs[(str(i), rule)]["due_on"] for i in table.index], table.index, dtype=object)
        for column, rule in DUE.items()
    }
    caps = [
        inputs[(str(i), "value_above_cap")]["cap"] if status == "ok" else None
        for i, status in table["meta_status"].items()
    ]
    return {**columns, "risk_value_cap": pd.Series(caps, table.index, dtype=object)}


def _rule_table(found: Sequence[Finding]) -> pd.DataFrame:
    rules = {rule.id: rule for rule in RULES}
    rows = [
        {
            "parcel_id": f.key if f.subject == "parcel" else None,
            **{name: getattr(f, name) for name in ("rule", "subject", "key", "outcome", "reason")},
            "wording": rules[f.rule].wording,
            "reference": rules[f.rule].reference,
            "inputs": "; ".join(f"{name} = {value}" for name, value in f.inputs.items()),
        }
        for f in found
    ]
    return pd.DataFrame(rows, columns=["parcel_id", *RULE_COLUMNS, "inputs"])


def _feature_table(score: pd.DataFrame, table: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    own = score[[*FEATURES]].reset_index(names="parcel_id").assign(as_of=day.isoformat())
    own["scored"] = score["risk_score"].notna().to_numpy()
    return own.assign(asset_class=table["asset_class"].to_numpy())


def _stated(own: pd.DataFrame, name: str) -> Any:
    known = own[name].dropna().tolist() if name in own else []
    return known[0] if known else None


def _given(value: Any) -> bool:
    return value is not None and not pd.isna(value)


def _text(value: Any) -> str | None:
    return str(value) if _given(value) else None


def _number(value: Any) -> float | None:
    return float(value) if _given(value) else None


def _day(value: Any) -> dt.date | None:
    return pd.Timestamp(value).date() if _given(value) else None


__all__ = ["COLUMNS", "LoanRisk", "RiskResult", "judge_loans", "judge_risk", "severities_of"]
