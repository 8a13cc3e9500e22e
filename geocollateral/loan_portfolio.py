"""What the registry's loans amount to today: rules and sums over the newest linked run of each project.

Loans are those in force in the registry, whatever a run's file said of them; values, scores and alerts are those of the
run. What no run tells is exposure that cannot be told, never left out. Returns JSON values.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from geocollateral.collateral_risk import GROUPED_BY, LoanRisk, judge_loans
from geocollateral.config import Settings
from geocollateral.errors import BrokenData, MissingInput
from geocollateral.loan_projects import is_live
from geocollateral.risk.rollup import GroupBy
from geocollateral.risk.score import ScoreModel
from geocollateral.store import LiveQuery, LoanRegistry, LoanRow, PledgedParcel, RunRow, read_outputs
from geocollateral.types import CLOSED_STATUSES

PARCELS, ALERTS, VALUES = "parcels.geojson", "alerts.json", "tables/values.parquet"
AREA_DIFFERS = 0.01
"""Share of its area from which a parcel of a run is another than that of the registry [1]."""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What is read of a linked run; parcels by their names in the project."""

    parcels: Mapping[str, Mapping[str, Any]]
    severities: Mapping[str, Sequence[str]]
    values: pd.DataFrame | None


def portfolio_record(
    registry: LoanRegistry, day: dt.date, branch: str | None, settings: Settings, model: ScoreModel | None
) -> dict[str, Any]:
    """Sums by scenario and group, and answers of the rules, over the loans that live pledges secure.

    Parameters
    ----------
    branch
        Only of this one; None for all, and then borrowers are not told apart: who borrows where stays in each branch.

    Returns
    -------
    ``day``, ``rows`` (`risk.rollup.scenario_rows`), ``rules`` (answers that are not *ok*), ``runs`` (read, oldest day
    first) and ``cannot_tell`` (why something is not told, one sentence each).
    """
    pledges = [p for p in registry.pledges(LiveQuery(day=day, branch=branch)) if is_live(p, day)]
    missing: list[str] = []
    runs = {n: _newest(registry.runs_of(n), day) for n in sorted({p.project_id for p in pledges})}
    read = {n: _read(n, run, missing) for n, run in runs.items()}
    terms = {(p.branch, loan.key): loan for p in _one_by_project(pledges) for loan in registry.loans_of(p.project_id)}
    table, severities = _table(pledges, read, terms, missing, several_branches=branch is None)
    values = [run.values for run in read.values() if run is not None and run.values is not None]
    groupings: tuple[GroupBy, ...] = GROUPED_BY if branch is not None else ("all", "branch", "class")
    told = judge_loans(
        table,
        severities,
        settings,
        day,
        values=pd.concat(values, ignore_index=True) if values else None,
        common_spread=None if model is None else model.common_spread,
        grouped_by=groupings,
    )
    return {
        "day": day.isoformat(),
        "branch": branch,
        "rows": [] if told.rollup is None else _plain(told.rollup),
        "rules": _breaches(told, with_borrowers=branch is not None),
        "runs": [
            {"project": f"P{n}", "run_id": run.run_id, "as_of": run.as_of.isoformat()}
            for n, run in sorted(runs.items(), key=lambda item: item[1].as_of if item[1] else day)
            if run is not None and read[n] is not None
        ],
        "cannot_tell": missing,
    }


def _one_by_project(pledges: Sequence[PledgedParcel]) -> list[PledgedParcel]:
    return list({pledge.project_id: pledge for pledge in pledges}.values())


def _newest(runs: Sequence[RunRow], day: dt.date) -> RunRow | None:
    """The run that speaks for the latest day; of two for one day the one linked last."""
    known = [(run.as_of, n, run) for n, run in enumerate(runs) if run.as_of <= day]
    return max(known)[2] if known else None


def _read(project_id: int, run: RunRow | None, missing: list[str]) -> _Run | None:
    """The run's folder; where it is gone or changed, why goes to what is missing."""
    if run is None:
        missing.append(f"Project P{project_id} has no run linked: `geocollateral project link`.")
        return None
    try:
        content = read_outputs(run.folder, (PARCELS, ALERTS, VALUES), record_sha256=run.record_sha256)
    except (MissingInput, BrokenData) as error:
        missing.append(f"The run of {run.as_of} of project P{project_id} cannot be used: {error}")
        return None
    features = json.loads(content[PARCELS])["features"]
    severities: dict[str, list[str]] = {}
    for alert in json.loads(content[ALERTS]):
        if alert["status"] not in CLOSED_STATUSES:
            severities.setdefault(str(alert["parcel_id"]), []).append(str(alert["severity"]))
    values = pd.read_parquet(io.BytesIO(content[VALUES])) if VALUES in content else None
    if values is not None:
        values = values.assign(parcel_id=[_key(project_id, str(i)) for i in values["parcel_id"]])
    return _Run(
        parcels={str(f["properties"]["parcel_id"]): f["properties"] for f in features},
        severities=severities,
        values=values,
    )


def _key(project_id: int, parcel: str) -> str:
    """Name of a parcel among all projects."""
    return f"P{project_id}/{parcel}"


def _table(
    pledges: Sequence[PledgedParcel],
    read: Mapping[int, _Run | None],
    terms: Mapping[tuple[str, str], LoanRow],
    missing: list[str],
    *,
    several_branches: bool,
) -> tuple[pd.DataFrame, dict[str, Sequence[str]]]:
    """One row per pledge of a loan, as `collateral_risk.judge_loans` takes it, and severities of alerts.

    A parcel that secures several loans stands under each, without a value: what is left of it for the second depends
    on the rank of the pledges, which the registry does not know.
    """
    of_loan = [pledge for pledge in pledges if pledge.loan is not None]
    if len(of_loan) < len(pledges):
        missing.append(f"{len(pledges) - len(of_loan)} pledges name no loan and are in no sum.")
    loans: dict[str, int] = {}
    for pledge in of_loan:
        key = _key(pledge.project_id, pledge.parcel)
        loans[key] = loans.get(key, 0) + 1
    rows: dict[str, dict[str, Any]] = {}
    severities: dict[str, Sequence[str]] = {}
    for pledge in of_loan:
        key = _key(pledge.project_id, pledge.parcel)
        run = read[pledge.project_id]
        row = _row(key, pledge, run, missing)
        if loans[key] > 1:
            row |= {"val_p50": None}
            missing.append(f"Parcel {key} secures several loans: which of them its value covers is not known.")
            key = f"{key} for {pledge.loan}"
        loan = terms.get((pledge.branch, str(pledge.loan)))
        rows[key] = row | _terms(pledge, loan, several_branches=several_branches)
        severities[key] = () if run is None else run.severities.get(pledge.parcel, ())
    return pd.DataFrame.from_dict(rows, orient="index").astype(object).rename_axis("parcel_id"), severities


def _row(key: str, pledge: PledgedParcel, run: _Run | None, missing: list[str]) -> dict[str, Any]:
    """What the run says of the parcel, without its file's figures of the loan; nothing where it says nothing."""
    known = None if run is None else run.parcels.get(pledge.parcel)
    nothing = {"asset_class": pledge.asset_class, "meta_status": "cannot_tell", "val_p50": None}
    nothing |= {"risk_score": None, "risk_score_reason": None}
    if run is None:
        return nothing
    if known is None:
        missing.append(f"Parcel {key} is not in the newest run of its project.")
        return nothing
    if abs(float(known["obs_area_m2"]) / pledge.area_m2 - 1) > AREA_DIFFERS:
        missing.append(f"Parcel {key} has another outline in the registry than in the newest run of its project.")
        return nothing
    return nothing | {name: value for name, value in known.items() if not name.startswith("loan_")}


def _terms(pledge: PledgedParcel, loan: LoanRow | None, *, several_branches: bool) -> dict[str, Any]:
    def number(value: Any) -> float | None:
        return None if value is None else float(value)

    return {
        "loan_id": f"{pledge.branch}/{pledge.loan}" if several_branches else pledge.loan,
        "loan_branch": pledge.branch,
        "loan_borrower_id": pledge.borrower,
        "loan_outstanding": None if loan is None else number(loan.balance),
        "loan_amount": None if loan is None else number(loan.amount),
        "loan_currency": None if loan is None else loan.currency,
    }


def _breaches(told: LoanRisk, *, with_borrowers: bool) -> list[dict[str, Any]]:
    return [
        {name: getattr(finding, name) for name in ("rule", "subject", "key", "outcome", "reason")}
        for finding in told.found
        if finding.outcome != "ok" and (with_borrowers or finding.subject != "borrower")
    ]


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with None for what is not known."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]


__all__ = ["portfolio_record"]
