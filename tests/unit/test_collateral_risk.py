"""Tables of a run to facts and features of risk, and back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geocollateral import collateral_risk, value_columns
from geocollateral.config import Settings
from geocollateral.risk.features import OPTICAL
from geocollateral.risk.sums import Term, sum_of
from geocollateral.types import Alert
from geocollateral.valuation import ApproachParams, Seen, parse_value_tables, value_parcel
from geocollateral.valuation.value_tables import COLUMNS

DAY = dt.date(2024, 6, 1)
ROWS = """yield,agriculture,*,t/ha/year,,4.5,6,7.5,2024-01-01,,book
price,agriculture,*,per t,CNY,2200,2500,2800,2024-01-01,,book
cost_share,agriculture,*,share,,0.5,0.6,0.7,2024-01-01,,book
discount_rate,agriculture,*,per year,,0.05,0.06,0.08,2024-01-01,,book
remaining_years,agriculture,*,years,,8,10,10,2024-01-01,,book
comparable,forestry,*,per ha,CNY,30000,45000,67000,2024-01-01,,sale
unit_cost,construction,*,per ha,CNY,15000000,20000000,26000000,2024-01-01,,book
"""
CLASSES = {"field": "agriculture", "stand": "forestry", "site": "construction"}


def alert(parcel_id: str, **changes: Any) -> Alert:
    facts: dict[str, Any] = {
        "alert_id": "a",
        "parcel_id": parcel_id,
        "rule": "works_suspected",
        "severity": "low",
        "status": "new",
        "break_date": DAY,
        "last_clear_before": DAY,
        "first_clear_after": DAY,
        "detected_on": DAY,
        "area_m2": 1.0,
        "probability": 0.5,
        "sensors": (),
        "evidence": {"operating_point": "early_warning"},
        "reasons": (),
    }
    return Alert(**facts | changes)


def judged(alerts: tuple[Alert, ...] = (), **columns: Any) -> collateral_risk.RiskResult:
    """Risk of three parcels of one loan, valued from tables; ``columns`` are by parcel, or of all."""
    rows = parse_value_tables(",".join(COLUMNS) + "\n" + ROWS, "t.csv")
    values = [
        value_parcel(
            Seen(parcel_id=i, asset_class=c, quantity=(0.9, 1.0, 1.1), quantity_unit="ha", whole_ha=1.2), rows, DAY
        )
        for i, c in CLASSES.items()
    ]
    table = pd.DataFrame(
        {
            "asset_class": CLASSES,
            "obs_area_m2": 12_000.0,
            "meta_status": "ok",
            "meta_last_clear": pd.Timestamp(DAY),
            "risk_ltv": None,
            "loan_id": "L",
            "loan_currency": "CNY",
            "loan_outstanding": 1e7,
            "loan_amount": 2e7,
        }
    ).rename_axis("parcel_id")
    table = table.join(pd.DataFrame({v.parcel_id: value_columns.columns_of(v) for v in values}).T)
    for name, given in columns.items():
        table[name] = pd.Series(given) if isinstance(given, dict) else given
    series = pd.DataFrame(
        [
            {"parcel_id": i, "time": day, "sensor": OPTICAL, "index": "ndvi", "mean": 0.5, "valid_fraction": 1.0}
            for i in CLASSES
            for day in pd.date_range("2022-01-01", DAY, freq="10D")
        ]
    )
    return collateral_risk.judge_risk(
        table, alerts, series, None, Settings(), DAY, values=value_columns.table_of(values)
    )


def features(**columns: Any) -> pd.DataFrame:
    return judged(**columns).tables["risk_features"].set_index("parcel_id")


def test_claims_contradicted_are_counted_and_none_judged_is_not_known() -> None:
    own = features(
        claim_use_verdict={"field": "mismatch", "stand": "cannot_tell", "site": None},
        claim_area_verdict={"field": "mismatch", "site": "match"},
        claim_pledge_verdict="mismatch",
    )["claims_wrong_n"]
    assert own["field"] == 2.0
    assert own["site"] == 0.0
    assert np.isnan(own["stand"])


def test_the_draw_is_held_against_the_works_of_sites_only() -> None:
    own = features(obs_progress_frac={"site": 0.3, "field": 0.3})["draw_gap"]
    assert own["site"] == pytest.approx(0.5 - 0.3)
    assert own.drop("site").isna().all()
    assert features(obs_progress_frac=0.3, loan_amount=None)["draw_gap"].isna().all()
    assert features()["draw_gap"].isna().all()


def rollup(**columns: Any) -> pd.DataFrame:
    return judged(**columns).tables["risk_rollup"].set_index(["scenario", "by", "group"]).sort_index()


def test_scenarios_follow_the_approach_of_the_tables_of_values() -> None:
    own = rollup(loan_id={"field": "F", "stand": "S", "site": "C"})
    before = own.loc[("as_is", "class")]
    for scenario, factors in {
        "yield_down": {"agriculture": 0.7, "forestry": 0.7**0.5, "construction": 1.0},
        "price_down": {"agriculture": 0.8, "forestry": 0.8, "construction": 1.0},
        "works_stopped": {"agriculture": 1.0, "forestry": 1.0, "construction": 0.5},
    }.items():
        after = own.loc[(scenario, "class")]
        for name, factor in factors.items():
            assert after.loc[name, "value"] == pytest.approx(factor * before.loc[name, "value"])
            assert after.loc[name, "ltv"] == pytest.approx(before.loc[name, "ltv"] / factor)
            assert after.loc[name, "ltv_as_is"] == pytest.approx(before.loc[name, "ltv"])


def test_the_branch_is_of_the_file_and_said_to_be_unknown_without_it() -> None:
    assert "unknown" in rollup().loc[("as_is", "branch")].index
    assert rollup(loan_branch="north").loc[("as_is", "branch")].index.tolist() == ["north"]
    with_alert = judged((alert("field"),), loan_branch="north").tables["risk_rollup"]
    assert set(with_alert["alert_frac"]) == {1.0}


def test_one_row_of_the_banks_table_is_one_source_of_error() -> None:
    own = judged().tables["risk_rollup"].set_index(["scenario", "by"]).sort_index().loc[[("as_is", "all")]].iloc[0]
    apart = sum(
        (row["value_high"] - row["value"]) ** 2
        for _, row in rollup(loan_id={"field": "F", "stand": "S", "site": "C"}).loc[("as_is", "class")].iterrows()
    )
    # Three classes have no row in common, so their errors are independent.
    assert own["value_high"] - own["value"] == pytest.approx(apart**0.5)


def test_values_learned_from_sales_share_their_errors_whatever_the_tables_say() -> None:
    def half(**columns: Any) -> float:
        own = rollup(asset_class="agriculture", **columns).loc[("as_is", "all")].iloc[0]
        return float(own["value_high"] - own["value"])

    apart = rollup(loan_id={"field": "F", "stand": "S", "site": "C"}).loc[("as_is", "class")]
    # One class and one model: nobody knows that any part of the errors is a parcel's own, so all of it adds up.
    assert half(val_approach="learned") == pytest.approx((apart["value_high"] - apart["value"]).sum())
    assert half() < half(val_approach="learned")


def sum_coverage(asset_class: str, portfolios: int, parcels: int, seed: int) -> tuple[float, float]:
    """How often the interval of a portfolio's value holds the true one: as it is made, and with errors as independent.

    The true figures of the bank's table are drawn once per portfolio, within the spreads that the table states.
    """
    rng = np.random.default_rng(seed)
    rows = parse_value_tables(",".join(COLUMNS) + "\n" + ROWS, "t.csv")
    own = {row.kind: row for row in rows if row.asset_class == asset_class}

    def true_of(kind: str) -> float:
        row, z = own[kind], rng.normal() / 1.6449
        return float(row.p50 * (row.p95 / row.p50 if z > 0 else row.p50 / row.p05) ** z)

    held, apart = [], []
    for number in range(portfolios):
        if asset_class == "agriculture":
            rate, years = true_of("discount_rate"), true_of("remaining_years")
            income = true_of("yield") * true_of("price") * (1 - min(true_of("cost_share"), 1))
            unit = income * (1 - (1 + rate) ** -years) / rate
        else:
            unit = true_of("unit_cost")
        values, true = [], 0.0
        for parcel in range(parcels):
            whole = float(np.exp(rng.normal(2, 0.5)))
            area = whole * rng.uniform(0.6, 1)
            seen = float(np.clip(area * (1 + 0.1 * rng.normal() / 1.6449), 0, whole))
            true += area * unit
            look = Seen(
                parcel_id=f"{number}-{parcel}",
                asset_class=asset_class,
                quantity=(0.9 * seen, seen, 1.1 * seen),
                quantity_unit="ha",
                whole_ha=whole,
            )
            values.append(value_parcel(look, rows, DAY, ApproachParams(draws=512)))
        errors = collateral_risk._errors(value_columns.table_of(values))
        for found, by_source in ((held, errors), (apart, {v.parcel_id: {} for v in values})):
            low, _, high = sum_of(
                Term(low=v.lead.p05, middle=v.lead.p50, high=v.lead.p95, shares=by_source[v.parcel_id])
                for v in values
                if v.lead is not None
            )
            found.append(low <= true <= high)
    return float(np.mean(held)), float(np.mean(apart))


def test_the_interval_of_a_portfolio_holds_its_true_value() -> None:
    held, apart = sum_coverage("construction", 80, 10, 1)
    assert 0.8 <= held <= 0.98  # 0.90 within three standard errors
    assert apart < 0.65
