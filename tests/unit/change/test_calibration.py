"""Thresholds from a budget and scores as probabilities, on cases one can count, and beside slow obvious versions."""

import itertools

import numpy as np
import pytest
import statsmodels.api as sm

from geocollateral.change.calibration import (
    FEWEST,
    calibrate,
    fair_shares,
    information,
    isotonic,
    platt,
    reliability,
    shift_prior,
    thresholds_for_budget,
)
from geocollateral.errors import InvalidInput


@pytest.mark.parametrize(
    ("needs", "allowed", "expected"),
    [
        ({"a": 5, "b": 5}, 4, {"a": 2, "b": 2}),
        ({"a": 5, "b": 1}, 4, {"a": 3, "b": 1}),  # what b does not need goes to a
        ({"a": 1, "b": 1}, 9, {"a": 1, "b": 1}),
        ({"a": 3, "b": 3}, 3, {"a": 2, "b": 1}),
        ({}, 3, {}),
    ],
)
def test_shares_are_fair(needs: dict[str, int], allowed: int, expected: dict[str, int]) -> None:
    assert fair_shares(needs, allowed) == expected


def test_what_a_kind_has_already_counts() -> None:
    assert fair_shares({"a": 5, "b": 5}, 4, {"a": 3}) == {"a": 3, "b": 1}


def test_thresholds_keep_the_budget_of_all_kinds_together() -> None:
    false = {"cut": [0.9, 0.8, 0.3], "fire": [0.7], "flood": []}
    found = thresholds_for_budget(false, parcel_years=200, budget=1.0)  # two false alarms
    assert found["flood"].score == -np.inf
    assert found["fire"].score == -np.inf
    assert 0.8 < found["cut"].score <= 0.9
    assert sum(one.false_per_100.value for one in found.values()) == pytest.approx(1.0)
    # 0 seen in 200 parcel-years leaves up to 3.69 credible: Garwood's bound, not nought.
    assert found["flood"].false_per_100.high == pytest.approx(3.689 / 2, abs=1e-3)


def test_a_constant_score_is_all_or_nothing() -> None:
    false = {"start": [0.9] * 5}
    assert thresholds_for_budget(false, 100, 4.0)["start"].score > 0.9
    assert thresholds_for_budget(false, 100, 5.0)["start"].score == -np.inf


def test_the_looser_budget_is_never_stricter() -> None:
    false = {"cut": [0.9, 0.8], "fire": [0.7, 0.6, 0.5], "warned": [0.4] * 3}
    strict = thresholds_for_budget({k: false[k] for k in ("cut", "fire")}, 100, 2.0)
    loose = thresholds_for_budget(false, 100, 4.0, strict)
    assert all(loose[kind].score <= one.score for kind, one in strict.items())
    assert sum(one.false_per_100.value for one in loose.values()) <= 4.0


@pytest.mark.parametrize(("years", "budget"), [(0.0, 1.0), (10.0, -1.0)])
def test_no_threshold_without_parcel_years_or_below_nought(years: float, budget: float) -> None:
    with pytest.raises(InvalidInput, match="parcel_years must be positive"):
        thresholds_for_budget({}, years, budget)


def test_information_is_the_share_of_pairs_ordered_rightly() -> None:
    rng = np.random.default_rng(3)
    scores, right = rng.integers(0, 6, 40) / 5, rng.random(40) < 0.6
    pairs = list(itertools.product(scores[right], scores[~right]))
    slow = np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs])
    assert information(scores, right).value == pytest.approx(slow)
    assert information(np.full(9, 0.9), np.arange(9) < 4).value == 0.5
    assert np.isnan(information(np.ones(4), np.ones(4, bool)).value)


def test_platt_is_a_binomial_regression_on_his_targets() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.05, 0.95, 60)
    right = rng.random(60) < scores**2
    n_right, n_wrong = right.sum(), (~right).sum()
    target = np.where(right, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))
    odds = np.log(scores / (1 - scores))
    judge = sm.GLM(target, sm.add_constant(odds), family=sm.families.Binomial()).fit()
    assert platt(scores, right) == pytest.approx(tuple(judge.params), abs=1e-6)


def test_isotonic_is_the_best_monotone_curve_before_smoothing() -> None:
    """Min-max formula of the pooled means (Barlow et al. 1972), on cases with ties."""
    rng = np.random.default_rng(5)
    scores, right = rng.integers(0, 9, 300) / 8, rng.random(300) < 0.5
    places = np.unique(scores)
    at, shares = isotonic(scores, right)

    def pooled(a: float, b: float) -> tuple[int, int]:
        own = right[(scores >= a) & (scores <= b)]
        return int(own.sum()), len(own)

    for place in places:
        best = max(
            (min(((h / n, -n, h, n) for b in places[places >= place] for h, n in [pooled(a, b)])))
            for a in places[places <= place]
        )
        assert np.interp(place, at, shares) == pytest.approx((best[2] + 1) / (best[3] + 2), abs=0.02)


def test_few_cases_are_not_calibrated_and_an_idle_score_gives_one_share() -> None:
    assert calibrate(np.full(FEWEST - 1, 0.5), np.ones(FEWEST - 1, bool)) is None
    level = calibrate(np.full(20, 0.9), np.arange(20) < 12)
    assert level is not None
    assert level.way == "share"
    assert level.at(np.array([0.0, 0.9])) == pytest.approx(13 / 22)


def test_a_telling_score_gives_a_rising_curve_near_the_truth() -> None:
    rng = np.random.default_rng(2)
    scores = rng.uniform(0.02, 0.98, 4000)
    right = rng.random(4000) < scores**2
    for n, way in ((120, "logistic"), (4000, "isotonic")):
        curve = calibrate(scores[:n], right[:n])
        assert curve is not None
        assert curve.way == way
        at = np.array([0.3, 0.6, 0.9])
        assert curve.at(at) == pytest.approx(at**2, abs=0.2 if n == 120 else 0.08)


def test_another_base_rate_scales_the_odds() -> None:
    assert shift_prior(np.array([0.5]), 10.0, 10.0) == pytest.approx([0.5])
    assert shift_prior(np.array([0.5]), 10.0, 1.0) == pytest.approx([1 / 11])
    with pytest.raises(InvalidInput, match="rates of events"):
        shift_prior(np.array([0.5]), 0.0, 1.0)


def test_the_base_rate_is_what_counting_says() -> None:
    """100 events found at 0.8 and 20 false alarms; a tenth of the events leaves 10 right of 30."""
    assert shift_prior(np.array([100 / 120]), 5.0, 0.5) == pytest.approx([10 / 30])


def test_reliability_counts() -> None:
    stated = np.repeat([0.2, 0.8], 50)
    right = np.concatenate([np.arange(50) < 10, np.arange(50) < 40])
    found = reliability(stated, right)
    assert (found.n, found.stated, found.came_true.value) == (100, pytest.approx(0.5), 0.5)
    assert found.brier == pytest.approx(0.16)
    assert found.brier_of_share == pytest.approx(0.25)
    assert found.slope.value == pytest.approx(1.0, abs=1e-6)
    assert [(pytest.approx(stated), true.value) for stated, true in found.bins] == [(0.2, 0.2), (0.8, 0.8)]


def test_too_sure_has_a_slope_below_one() -> None:
    stated = np.repeat([0.01, 0.99], 50)
    right = np.concatenate([np.arange(50) < 15, np.arange(50) < 35])
    slope = reliability(stated, right).slope
    assert slope.high < 1
    assert slope.value == pytest.approx(np.log(0.7 / 0.3) / np.log(99), abs=1e-6)


def test_nothing_to_hold_is_nothing_said() -> None:
    found = reliability(np.array([np.nan]), np.array([True]))
    assert found.n == 0
    assert np.isnan(found.brier)
    assert found.bins == ()


def test_a_score_is_a_share() -> None:
    with pytest.raises(InvalidInput, match=r"within 0\.\.1"):
        calibrate(np.full(12, 7.0), np.ones(12, bool))
    with pytest.raises(InvalidInput, match="one outcome per score"):
        calibrate(np.full(12, 0.7), np.ones(11, bool))
