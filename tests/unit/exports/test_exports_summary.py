"""`exports.summary`: which of the three answers each parcel gets."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from geocollateral.exports.summary import summarise


def _facts(assessment, parcel_id="RO-001"):
    return next(f for f in summarise(assessment) if f.parcel_id == parcel_id)


@pytest.mark.parametrize(
    ("parcel_id", "state"),
    [
        ("RO-001", "fine"),
        ("RO-003", "attention"),
        ("RO-004", "attention"),
        ("RO-007", "fine"),
        ("RO-009", "cannot_tell"),
        ("RO-010", "cannot_tell"),
    ],
)
def test_states(assessment, parcel_id, state):
    assert _facts(assessment, parcel_id).state == state


def test_a_parcel_that_cannot_be_judged_has_no_figure(build_assessment):
    assessment = build_assessment()
    assessment.parcels.loc["RO-010", ["val_p05", "val_p50", "val_p95", "obs_living_share_frac"]] = 0.5
    facts = _facts(assessment, "RO-010")
    assert facts.value is facts.living_frac is facts.disturbed_m2 is None
    assert all(y.living_frac is None for y in facts.years)


def test_a_year_without_a_look_has_no_figure(assessment):
    last = _facts(assessment).years[-1]
    assert last.n_looks == 0
    assert last.living_frac is last.disturbed_m2 is None


def test_a_closed_alert_asks_nothing_more(build_assessment):
    alerts = tuple(dataclasses.replace(a, status="dismissed") for a in build_assessment().alerts)
    facts = _facts(build_assessment(alerts=alerts), "RO-004")
    assert facts.state == "fine"
    assert len(facts.alerts) == 1
    assert not facts.open_alerts


def test_a_claim_that_does_not_match_needs_attention(build_assessment):
    assessment = build_assessment()
    assessment.parcels["claim_area_verdict"] = "match"
    assessment.parcels["claim_area_reason"] = "as claimed"
    assessment.parcels["claim_area_mu"] = 12.0
    assessment.parcels.loc["RO-001", "claim_area_verdict"] = "mismatch"
    assert _facts(assessment, "RO-001").state == "attention"
    assert _facts(assessment, "RO-001").mismatches == ("area",)
    assert _facts(assessment, "RO-001").verdict_reasons == {"area": "as claimed"}
    assert _facts(assessment, "RO-001").claims == {"claim_area_mu": 12.0}
    assert _facts(assessment, "RO-002").state == "fine"


def test_living_share_and_disturbed_area_fall_back_on_the_years(build_assessment):
    parcels = build_assessment().parcels.drop(columns=["obs_living_share_frac", "chg_disturbed_m2"])
    facts = _facts(build_assessment(parcels=parcels), "RO-004")
    assert facts.living_frac == pytest.approx(0.82)
    assert facts.disturbed_m2 == pytest.approx(11_200)


def test_status_by_number_equals_status_by_name(build_assessment):
    changes = build_assessment().changes
    numbers = {"stable": 0, "suspected": 1, "confirmed": 2, "cannot_tell": 4}
    changes["status"] = changes["status"].map(numbers).astype(np.int8)
    by_number, by_name = summarise(build_assessment(changes=changes)), summarise(build_assessment())
    assert [(f.state, f.breaks) for f in by_number] == [(f.state, f.breaks) for f in by_name]


def test_the_parcel_mean_adds_no_second_break(build_assessment):
    changes = build_assessment().changes
    mean = changes.assign(level="parcel", last_clear_before=changes["last_clear_before"] - pd.Timedelta(9, "D"))
    for both in (pd.concat([changes, mean]), pd.concat([mean, changes])):
        found = _facts(build_assessment(changes=both.reset_index(drop=True)), "RO-004").breaks
        assert [b.last_clear_before.isoformat() for b in found] == ["2018-05-02"]


def test_one_break_seen_in_two_indices_is_one_break(build_assessment):
    changes = build_assessment().changes
    twice = pd.concat([changes, changes.assign(index="nbr")], ignore_index=True)
    assert len(_facts(build_assessment(changes=twice), "RO-004").breaks) == 1


def test_a_break_has_the_name_the_dates_and_the_certainty_of_its_alert(build_assessment):
    """Every event is a row ``confirmed`` of `changes`, early warnings and what led to the alert too."""
    built = build_assessment()
    alert = next(a for a in built.alerts if a.parcel_id == "RO-004")
    row = built.changes[built.changes["parcel_id"] == "RO-004"]
    stall = dataclasses.replace(alert, rule="construction_stall")
    early = {
        "alert_id": "a-2",
        "rule": "stall_suspected",
        "last_clear_before": dt.date(2018, 5, 10),
        "first_clear_after": dt.date(2018, 6, 2),
        "detected_on": dt.date(2018, 7, 9),
        "evidence": {"operating_point": "early_warning"},
    }
    warned = row.assign(
        last_clear_before=pd.Timestamp("2018-04-01"), detected_on=pd.Timestamp("2018-06-01")
    )  # led to the alert
    doubted = row.assign(
        last_clear_before=pd.Timestamp("2018-05-10"),
        first_clear_after=pd.Timestamp("2018-06-02"),
        detected_on=pd.Timestamp("2018-07-09"),
    )
    alerts = (stall, dataclasses.replace(alert, **early))
    changes = pd.concat([warned, doubted, row], ignore_index=True)
    found = _facts(build_assessment(alerts=alerts, changes=changes), "RO-004").breaks
    assert [(b.kind, b.confirmed, b.last_clear_before.isoformat()) for b in found] == [
        ("construction_stall", True, "2018-05-02"),
        ("stall_suspected", False, "2018-05-10"),
    ]
    assert found[1].detected_on is None


def test_an_event_without_an_alert_has_the_name_of_the_look_back(build_assessment):
    built = build_assessment()
    row = built.changes[built.changes["parcel_id"] == "RO-004"].iloc[0]
    event = {"from": "2018-05-02", "to": "2018-05-22", "detected_on": "2018-06-26", "certainty": "confirmed"}
    history = pd.DataFrame([{"parcel_id": "RO-004", "kind": "construction_finished", **event}])
    assert row["detected_on"] == pd.Timestamp("2018-06-26")
    facts = _facts(build_assessment(alerts=(), tables={"history": history}), "RO-004")
    assert [(b.kind, b.has_alert) for b in facts.breaks] == [("construction_finished", False)]


def test_the_living_share_has_the_range_of_what_is_lost(build_assessment):
    parcels = build_assessment().parcels
    area, lost = parcels.loc["RO-004", "obs_area_m2"], parcels.loc["RO-004", "chg_disturbed_m2"]
    parcels["chg_disturbed_low_m2"], parcels["chg_disturbed_high_m2"] = lost * 0.9, lost * 1.2
    low, high = _facts(build_assessment(parcels=parcels), "RO-004").living_range_frac
    assert low == pytest.approx(1 - 1.2 * lost / area)
    assert high == pytest.approx(1 - 0.9 * lost / area)
    parcels["obs_living_share_frac"] = 0.9  # green again in part: the loss says nothing of today
    assert _facts(build_assessment(parcels=parcels), "RO-004").living_range_frac is None
