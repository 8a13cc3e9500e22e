"""Alerts with their outcomes to the decision table, on alerts made by hand."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from geocollateral.backtest import ALERT_COLUMNS, Told
from geocollateral.change.evaluation import Truth
from geocollateral.config import load_decision_table, load_settings
from geocollateral.errors import InvalidInput, MissingInput
from geocollateral.operating_points import cases_of, make_table, rates, reliability_by_class, table_text
from geocollateral.what_if import score_stress

YEARS = 4
PARCELS = [f"p{n}" for n in range(50)]


def truth() -> Truth:
    """Fifty stands with four quiet years; twelve of them are cut afterwards."""
    quiet = [(p, f"{y}-01-01", f"{y}-12-31") for p in PARCELS for y in range(2018, 2018 + YEARS)]
    cut = [(f"e{p}", p, "clear_cut", "2022-03-01", "2022-04-01", 5000.0) for p in PARCELS[:12]]
    events = pd.DataFrame(cut, columns=["event_id", "parcel_id", "kind", "start", "end", "area_m2"])
    years = pd.DataFrame(quiet, columns=["parcel_id", "start", "end"])
    for table in (events, years):
        table[["start", "end"]] = table[["start", "end"]].apply(pd.to_datetime)
    return Truth(
        parcels=pd.DataFrame({"parcel_id": PARCELS, "asset_class": "forestry"}), events=events, quiet_years=years
    )


def alert(parcel_id: str, day: str, score: float, **more: Any) -> dict[str, Any]:
    said = pd.Timestamp(day)
    return {
        "parcel_id": parcel_id,
        "kind": "stand_loss",
        "rule": "stand_loss",
        "operating_point": "confirmed",
        "last_clear_before": said - pd.Timedelta(days=20),
        "first_clear_after": said - pd.Timedelta(days=10),
        "detected_on": said,
        "area_m2": 5000.0,
        "probability": score,
        "sensors": "sentinel-2",
        "cause": "",
        "score": score,
        "said": "confirmed",
        "calibrated": False,
    } | more


def told(*alerts: dict[str, Any]) -> Told:
    days = pd.date_range("2017-01-05", "2023-12-30", freq="10D")
    return Told(
        alerts=pd.DataFrame(alerts, columns=list(ALERT_COLUMNS)),
        parcels=pd.DataFrame({"parcel_id": PARCELS, "asset_class": "forestry", "status": "ok", "reason": ""}),
        looks=pd.concat([pd.DataFrame({"parcel_id": p, "day": days}) for p in PARCELS]),
        tables={},
    )


RIGHT = [alert(p, "2022-03-30", 0.9) for p in PARCELS[:12]]
FALSE = [alert(p, "2020-06-01", score) for p, score in zip(PARCELS[20:26], (0.3, 0.4, 0.5, 0.6, 0.7, 0.8), strict=True)]


def test_a_table_keeps_both_budgets_and_reads_back(tmp_path: Path) -> None:
    table = make_table([cases_of(told(*RIGHT, *FALSE), truth(), "small")], 1.0, 2.0)
    (row,) = table.rows
    assert (row.n_alerts, row.n_right, row.n_false) == (18, 12, 6)
    assert row.parcel_years == pytest.approx(50 * YEARS, rel=0.01)
    # Two false alarms in 200 parcel-years are confirmed, two more warned of.
    assert row.confirmed is not None
    assert row.early_warning is not None
    assert 0.6 < row.confirmed <= 0.7
    assert 0.4 < row.early_warning <= 0.5
    assert row.confirmed_false_per_100[0] == pytest.approx(1.0, rel=0.01)
    assert row.information is not None
    assert row.information[0] == 1.0
    assert row.way == "logistic"
    assert row.events_per_100 == pytest.approx(6.0, rel=0.01)
    path = tmp_path / "table.yaml"
    path.write_text(table_text(table), encoding="utf-8")
    assert load_decision_table(path) == table
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"decision:\n  table: {path}\n", encoding="utf-8")
    assert load_settings(settings).decision.table == table


def test_two_worlds_count_together() -> None:
    one = cases_of(told(*RIGHT, *FALSE), truth(), "one")
    (row,) = make_table([one, one], 1.0, 2.0).rows
    assert (row.n_alerts, row.n_false) == (36, 12)
    assert row.parcel_years == pytest.approx(100 * YEARS, rel=0.01)


def test_an_early_warning_takes_nothing_from_what_confirms_it() -> None:
    warned = [a | {"said": "early_warning", "detected_on": a["detected_on"] - pd.Timedelta(days=3)} for a in RIGHT]
    rows = make_table([cases_of(told(*warned, *RIGHT), truth(), "small")], 1.0, 2.0).rows
    assert [(row.said, row.n_right) for row in rows] == [("confirmed", 12), ("early_warning", 12)]
    assert rows[1].confirmed is None


def test_what_is_withheld_is_no_false_alarm_but_counts_for_the_next_table() -> None:
    slight = [a | {"operating_point": "withheld"} for a in FALSE[:4]]
    cases = cases_of(told(*RIGHT, *slight, *FALSE[4:]), truth(), "small")
    confirmed, early = rates(cases, 1.0, 3.0)
    assert confirmed.false_per_100.value == early.false_per_100.value == pytest.approx(1.0, rel=0.01)
    assert make_table([cases], 1.0, 2.0).rows[0].n_false == 6


def test_only_calibrated_probabilities_are_held_against_what_came_true() -> None:
    known = [a | {"calibrated": True, "probability": 0.75} for a in (*RIGHT, *FALSE[:3])]
    found = reliability_by_class(cases_of(told(*known, *FALSE[3:]), truth(), "small"))
    assert set(found) == {"forestry", "all"}
    assert (found["all"].n, found["all"].stated, found["all"].came_true.value) == (15, 0.75, 0.8)


def test_stress_counts_what_is_said_in_addition() -> None:
    moved = FALSE[0] | {"first_clear_after": FALSE[0]["first_clear_after"] + pd.Timedelta(days=3)}
    rows = score_stress("haze", told(FALSE[0]), told(moved, FALSE[1]), truth(), load_settings())
    confirmed = next(row for row in rows if row.point == "confirmed")
    assert (confirmed.before.value, confirmed.under.value, confirmed.added.value) == pytest.approx(
        (0.5, 1.0, 0.5), rel=0.01
    )
    assert confirmed.kinds == {"stand_loss": 1}


def test_a_table_that_is_not_there_or_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="does not exist"):
        load_decision_table(tmp_path / "none.yaml")
    path = tmp_path / "odd.yaml"
    path.write_text("rows:\n- {asset_class: forestry}\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="kind: Field required"):
        load_decision_table(path)
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"decision: {{table: {tmp_path / 'none.yaml'}}}\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="does not exist"):
        load_settings(settings)


def test_the_shipped_table_is_the_default() -> None:
    assert load_settings().decision.table == load_decision_table()
