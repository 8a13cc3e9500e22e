"""Capacity of solar plants by hand: 0.1 km2 of parcel, half or all of it under rows."""

import datetime as dt
import math

import pytest

from geocollateral.assets.plant_capacity import DENSITY, SeenModules, capacity, judge_capacity

DAY = dt.date(2024, 6, 1)
HALF = capacity(0.5, 0.03, 0.1)


def seen(*, present: bool = True, growing: bool = False, share: float = 0.5) -> SeenModules:
    megawatts = capacity(share if present else 0.0, 0.03, 0.1)
    return SeenModules(
        present=present, growing=growing, megawatts=megawatts, km2=0.1, n_looks=40, n_pixels=500, day=DAY
    )


def test_capacity_is_footprint_times_density() -> None:
    assert capacity(0.5, 0.0, 1.0) == pytest.approx((18.5, 43.5, 70.0))


def test_errors_of_footprint_and_density_are_independent() -> None:
    low, middle, high = capacity(0.5, 0.05, 1.0)
    assert middle == pytest.approx(43.5)
    up = math.log(high / middle)
    assert up**2 == pytest.approx(math.log(DENSITY[2] / DENSITY[1]) ** 2 + math.log(1 + 1.64 * 0.1) ** 2)
    assert low < 18.5


def test_a_footprint_does_not_reach_beyond_the_parcel() -> None:
    assert capacity(1.0, 0.3, 1.0)[2] == pytest.approx(140.0)


def test_without_modules_what_is_missed_is_an_upper_bound() -> None:
    assert capacity(0.0, 0.05, 1.0) == pytest.approx((0.0, 0.0, 1.64 * 0.05 * 140))


@pytest.mark.parametrize(
    ("claimed", "verdict", "word"),
    [
        (0.9 * HALF[0] / 1.3, "mismatch", "more stands there than claimed"),
        (1.1 * HALF[0] / 1.3, "match", "an over-claim of 50% is excluded"),
        (1.4 * HALF[0], "match", "an over-claim of 50% is excluded"),
        (1.6 * HALF[0], "cannot_tell", "not seen at 10 m"),
        (HALF[1], "cannot_tell", "100% of the usual density"),
        (0.99 * HALF[2], "cannot_tell", "not seen at 10 m"),
        (1.2 * HALF[2], "mismatch", "over-claimed by 20% or more"),
        (15.0, "mismatch", "the whole parcel 14.00 MW"),
    ],
)
def test_claims_of_a_plant(claimed: float, verdict: str, word: str) -> None:
    check = judge_capacity({"claim_capacity_mw": claimed}, seen(), DAY)
    assert check is not None
    assert (check.claim, check.unit, check.verdict) == ("capacity", "mw", verdict)
    assert word in check.reason
    assert (check.low, check.observed, check.high) == HALF
    assert (check.n_looks, check.n_pixels) == (40, 500)


@pytest.mark.parametrize(
    ("claims", "as_of", "verdict"),
    [
        ({}, DAY, "mismatch"),
        ({"claim_stage": "complete"}, DAY, "mismatch"),
        ({"claim_stage": "operating"}, DAY, "mismatch"),
        ({"claim_stage": "planned"}, DAY, "cannot_tell"),
        ({"claim_stage": "structure"}, DAY, "cannot_tell"),
        ({"claim_commissioned_on": dt.date(2025, 1, 1)}, DAY, "cannot_tell"),
        ({"claim_commissioned_on": dt.date(2025, 1, 1)}, dt.date(2025, 2, 1), "mismatch"),
        ({"claim_commissioned_on": "2023-01-01"}, DAY, "mismatch"),
        ({"claim_commissioned_on": float("nan")}, DAY, "mismatch"),
    ],
)
def test_no_modules(claims: dict[str, object], as_of: dt.date, verdict: str) -> None:
    check = judge_capacity({"claim_capacity_mw": 5.0, **claims}, seen(present=False), as_of)
    assert check is not None
    assert check.verdict == verdict
    assert check.observed == 0.0


def test_a_small_plant_may_be_missed() -> None:
    check = judge_capacity({"claim_capacity_mw": 0.3}, seen(present=False), DAY)
    assert check is not None
    assert check.verdict == "cannot_tell"
    assert "could be missed" in check.reason


def test_a_plant_that_grows_is_held_against_its_whole_parcel() -> None:
    some, more = (judge_capacity({"claim_capacity_mw": mw}, seen(growing=True, share=0.3), DAY) for mw in (10.0, 14.5))
    assert some is not None
    assert more is not None
    assert (some.verdict, more.verdict) == ("cannot_tell", "mismatch")


@pytest.mark.parametrize("claims", [{}, {"claim_capacity_mw": None}, {"claim_capacity_mw": float("nan")}])
def test_nothing_claimed(claims: dict[str, object]) -> None:
    assert judge_capacity(claims, seen(), DAY) is None
    assert judge_capacity(claims, None, DAY) is None


def test_not_judged_says_why() -> None:
    check = judge_capacity({"claim_capacity_mw": 5.0}, None, DAY, "Too few looks.")
    assert check is not None
    assert (check.verdict, check.observed, check.low, check.n_looks) == ("cannot_tell", None, None, 0)
    assert "Too few looks." in check.reason
