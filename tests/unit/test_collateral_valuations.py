"""Days and caps of Articles 208 and 229 as columns of a run."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from geocollateral.collateral_risk import judge_risk
from geocollateral.config import Settings

DAY = dt.date(2026, 6, 1)
STATED: dict[str, Any] = {
    "loan_id": "L",
    "loan_currency": "CNY",
    "loan_start": dt.date(2022, 6, 1),
    "loan_property_kind": "commercial",
    "loan_valued_on": dt.date(2025, 3, 1),
    "loan_value": 120.0,
    "loan_value_at_start": 100.0,
    "loan_value_history": "2022-03-01=90; 2023-03-01=100; 2024-03-01=125",
}


def judged(*, status: str = "ok", **changes: Any) -> tuple[dict[str, Any], dict[str, str]]:
    given = {name: value for name, value in {**STATED, **changes}.items() if value is not None}
    own = {
        "asset_class": "agriculture",
        "obs_area_m2": 1e4,
        "meta_status": status,
        "meta_last_clear": pd.Timestamp("2026-05-20"),
        "val_p05": None,
        "val_p50": None,
        "val_p95": None,
        "val_currency": None,
        "risk_ltv": None,
        **given,
    }
    table = pd.DataFrame([own], index=pd.Index(["a"], name="parcel_id"))
    look = {"parcel_id": "a", "time": pd.Timestamp("2026-05-20"), "sensor": "sentinel-2", "index": "ndvi", "mean": 0.5}
    series = pd.DataFrame([{**look, "valid_fraction": 1.0}])
    found = judge_risk(table, [], series, None, Settings(), DAY)
    rules = found.tables["risk_rules"].set_index("rule")["outcome"].to_dict()
    return found.columns.iloc[0].to_dict(), rules


def test_days_and_cap_of_what_the_file_states() -> None:
    columns, rules = judged()
    assert columns["risk_revaluation_due_on"] == "2026-03-01"
    assert columns["risk_monitoring_due_on"] == "2026-03-01"
    assert columns["risk_review_due_on"] is None  # whether the loan is large is not known
    assert columns["risk_value_cap"] == 105.0
    assert (rules["monitoring_overdue"], rules["value_above_cap"]) == ("breach", "breach")
    assert rules["review_overdue"] == "cannot_tell"


def test_without_the_columns_nothing_can_be_told_and_no_column_is_made() -> None:
    lacking = {name: None for name in STATED if "valu" in name}
    columns, rules = judged(**lacking)
    assert not [name for name in columns if name.endswith("_due_on") or name == "risk_value_cap"]
    for rule in ("revaluation_overdue", "monitoring_overdue", "review_overdue", "value_above_cap"):
        assert rules[rule] == "cannot_tell"


def test_a_parcel_that_cannot_be_judged_has_no_number_but_its_due_days() -> None:
    columns, rules = judged(status="cannot_tell")
    assert columns["risk_value_cap"] is None
    assert columns["risk_revaluation_due_on"] == "2026-03-01"
    assert rules["value_above_cap"] == "breach"
