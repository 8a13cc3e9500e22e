"""Figures of an evaluation, on a portfolio small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from geocollateral.change.evaluation import (
    Truth,
    classes_of,
    evaluate,
    match_dates,
    score_presence,
    scores,
    scores_by_kind,
    share_errors,
    threshold_for_budget,
)
from geocollateral.errors import InvalidInput

ANSWERS = {"clear_cut": ("stand_loss",), "fire": ("stand_loss",), "crop_failure": ("crop_failure",), "beetle": ()}
PARCELS = pd.DataFrame(
    {
        "parcel_id": ["f1", "f2", "f3", "f4", "a1", "a2"],
        "asset_class": ["forestry"] * 4 + ["agriculture"] * 2,
        "site": ["north", "north", "south", "south", "north", "south"],
    }
)
EVENTS = pd.DataFrame(
    [
        ("e1", "f1", "clear_cut", "2021-03-05", "2021-03-15", 8000.0),
        ("e2", "f2", "clear_cut", "2021-05-05", "2021-05-15", 2000.0),
        ("e3", "f3", "fire", "2021-07-05", "2021-07-06", 9000.0),
        ("e4", "a1", "crop_failure", "2021-06-01", "2021-07-01", 5000.0),
        ("e5", "f4", "beetle", "2021-06-01", "2021-12-01", 5000.0),
    ],
    columns=["event_id", "parcel_id", "kind", "start", "end", "area_m2"],
)
QUIET = pd.DataFrame(
    {
        "parcel_id": ["f1", "f2", "f3", "f4", "a1", "a2", "a2"],
        "start": pd.to_datetime(["2020-01-01"] * 6 + ["2020-12-31"]),
        "end": pd.to_datetime(["2020-12-30"] * 6 + ["2021-12-30"]),
    }
)
TRUTH = Truth(parcels=PARCELS, events=EVENTS, quiet_years=QUIET)
DAYS = pd.date_range("2020-01-01", "2021-12-31", freq="10D")
LOOKS = pd.concat([pd.DataFrame({"parcel_id": i, "day": DAYS}) for i in PARCELS["parcel_id"]])
STATUS = dict.fromkeys(PARCELS["parcel_id"], "ok") | {"f3": "cannot_tell"}
FOUND = pd.DataFrame(
    [
        ("f1", "stand_loss", "2021-03-01", "2021-03-11", "2021-03-31", 7000.0),  # right
        ("f1", "stand_loss", "2021-03-11", "2021-03-21", "2021-04-10", 900.0),  # repeat
        ("f2", "stand_loss", "2020-06-01", "2020-06-11", "2020-06-21", 6000.0),  # false, in a quiet year
        ("f2", "stand_loss", "2021-08-01", "2021-08-11", "2021-08-21", 500.0),  # false, after the event
        ("a1", "abandonment", "2021-06-01", "2021-06-11", "2021-06-21", 5000.0),  # other kind
        ("f4", "stand_loss", "2021-06-11", "2021-06-21", "2021-07-01", 5000.0),  # other kind: beetle needs no answer
    ],
    columns=["parcel_id", "kind", "last_clear_before", "first_clear_after", "detected_on", "area_m2"],
)


def test_the_whole_by_hand() -> None:
    (total,) = scores(evaluate(FOUND, TRUTH, STATUS, LOOKS, ANSWERS))
    assert (total.n_events, total.n_untold) == (4, 1)  # the beetle need not be found; the fire could not be told
    assert total.recall.value == 1 / 3
    assert total.recall_strict.value == 1 / 4
    assert (total.n_alerts, total.n_repeats) == (6, 1)
    assert total.precision.value == 1 / 5
    assert total.alarm_precision.value == 3 / 5
    assert total.false_per_100.n == 6.0  # seven quiet years, one of a parcel that could not be judged
    assert total.false_per_100.value == pytest.approx(100 / 6)
    assert total.lag_due_days.value == 26
    assert total.holds.value == 1.0
    assert total.row()["recall_n"] == 3


def test_strata_share_out_the_whole() -> None:
    evaluation = evaluate(FOUND, TRUTH, STATUS, LOOKS, ANSWERS)
    parts = scores(evaluation, by=["asset_class", "site"])
    assert [tuple(p.stratum.values()) for p in parts] == [
        ("agriculture", "north"),
        ("agriculture", "south"),
        ("forestry", "north"),
        ("forestry", "south"),
    ]
    (total,) = scores(evaluation)
    for count in ("n_events", "n_untold", "n_alerts", "n_repeats"):
        assert sum(getattr(p, count) for p in parts) == getattr(total, count)
    assert sum(p.false_per_100.n for p in parts) == total.false_per_100.n


def test_kinds_and_their_smallest_size() -> None:
    evaluation = evaluate(FOUND, TRUTH, STATUS, LOOKS, ANSWERS)
    found = {s.stratum["kind"]: s for s in scores_by_kind(evaluation)}
    assert list(found) == ["clear_cut", "fire", "crop_failure"]
    assert found["clear_cut"].recall.value == 1 / 2
    assert found["clear_cut"].precision.value == 1 / 4  # right, two false, one about a beetle
    assert found["clear_cut"].false_per_100.n == 3.0  # forests only
    large = {s.stratum["kind"]: s for s in scores_by_kind(evaluation, {"clear_cut": 3000.0})}["clear_cut"]
    assert large.recall.value == 1.0
    assert large.precision.value == 1 / 3  # the false alert of 500 m2 is too small to count


def test_a_parcel_not_asked_for_is_left_out() -> None:
    some = evaluate(FOUND[FOUND["parcel_id"] == "f1"], TRUTH, {"f1": "ok"}, LOOKS, ANSWERS)
    assert some.events["event_id"].tolist() == ["e1"]
    assert some.exposure["parcel_id"].tolist() == ["f1"]
    with pytest.raises(InvalidInput, match="does not know"):
        evaluate(FOUND, TRUTH, {"f1": "ok"}, LOOKS, ANSWERS)


def test_classes_have_their_lower_bound() -> None:
    values = pd.Series([0.1, 0.3, 0.99, 3.0, np.nan])
    assert classes_of(values, (0.3, 1.0), "ha").tolist() == ["< 0.3 ha", "0.3-1 ha", "0.3-1 ha", ">= 1 ha", "unknown"]


@pytest.mark.parametrize(
    ("budget", "confidence", "passing"),
    [
        (1.0, None, 3),  # 3 in 300 parcel-years
        (0.99, None, 2),
        (0.0, None, 0),
        (100.0, None, 6),
        (1.0, 0.9, 0),  # none seen: up to 2.30 are credible; one seen: up to 3.89
        (1.3, 0.9, 1),
        (0.7, 0.9, -1),  # 2.1 expected is less than what none seen can promise
    ],
)
def test_threshold_is_the_smallest_within_the_budget(budget: float, confidence: float | None, passing: int) -> None:
    quiet = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, np.nan])
    threshold = threshold_for_budget(quiet, 300.0, budget, confidence)
    assert (quiet >= threshold).sum() == max(passing, 0)
    if passing < 0:
        assert threshold == np.inf
    if passing == 6:
        assert threshold == -np.inf


def test_ties_pass_together_or_not_at_all() -> None:
    assert threshold_for_budget([0.5, 0.5, 0.5], 100.0, 2.0) > 0.5
    with pytest.raises(InvalidInput, match="parcel_years must be positive"):
        threshold_for_budget([0.5], 0.0, 1.0)


def days(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["parcel_id", "day"])


def test_dates_are_paired_once_the_closest_first() -> None:
    true = days(("p", "2020-06-10"), ("p", "2020-06-30"), ("q", "2020-07-01"))
    found = days(("p", "2020-06-18"), ("p", "2020-06-21"), ("r", "2020-07-01"))
    told = match_dates(found, true, within_days=10)
    # 06-18 goes with 06-10 (8 days), 06-21 with 06-30 (9 days); q is missed, r invented.
    assert told.recall.value == 2 / 3
    assert told.precision.value == 2 / 3
    assert told.f1.value == 2 / 3
    assert told.mae.value == 8.5
    assert told.bias.value == -0.5
    assert told.rmse.value == pytest.approx(np.sqrt((64 + 81) / 2))


def test_shares_are_compared_where_both_speak() -> None:
    true = pd.DataFrame(
        {"parcel_id": "p", "date": pd.date_range("2020-01-01", periods=4, freq="10D"), "built": [0.0, 0.0, 0.5, 1.0]}
    )
    found = pd.DataFrame({"parcel_id": "p", "date": ["2020-01-01", "2020-01-21"], "built": [0.2, 0.4]})
    errors = share_errors(found, true, ["built"])
    # 0.2, 0.3 (drawn between) and 0.4 against 0, 0, 0.5; the last date is after the last found one.
    assert errors["built"].value == pytest.approx(np.sqrt((0.04 + 0.09 + 0.01) / 3))
    assert errors["all"].value == errors["built"].value
    with pytest.raises(InvalidInput, match="lack the columns cleared"):
        share_errors(found, true, ["cleared"])


def test_presence_leaves_out_what_cannot_be_told() -> None:
    true = pd.Series([True, True, True, False, False, True], index=list("abcdef"))
    found = pd.Series([True, True, False, True, False], index=list("abcde"), dtype=object)
    found["c"] = None
    told = score_presence(found, true)
    assert told.n_cannot_tell == 2
    assert told.recall.value == 1.0
    assert told.precision.value == 2 / 3
    assert told.f1.value == 0.8
