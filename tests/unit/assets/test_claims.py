import pytest

from geocollateral.assets.claims import (
    AREA,
    DRAW,
    PROGRESS,
    SHARE,
    checked_number,
    checked_words,
    judge_area,
    judge_share,
    untold,
    verdict_of,
)
from geocollateral.errors import BrokenData

HECTARE = 10_000.0


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (0.0, "match"),
        (0.05, "match"),
        (0.0949, "match"),
        (0.0951, "mismatch"),  # printed as 10 %
        (0.0997, "mismatch"),
        (0.10, "mismatch"),
        (0.25, "mismatch"),
        (-0.05, "match"),
        (-0.0949, "match"),
        (-0.0951, "mismatch"),
        (-0.10, "mismatch"),
    ],
)
def test_an_area_is_judged_by_the_per_cent_that_is_printed(error: float, verdict: str) -> None:
    check = judge_area({"claim_area_m2": HECTARE * (1 + error), "obs_area_m2": HECTARE})
    assert check is not None
    assert check.verdict == verdict
    assert f"{100 * error:+.0f}%" in check.reason
    assert ("10%" in check.reason) is True
    assert (check.observed, check.low, check.high, check.n_looks, check.n_pixels) == (HECTARE, HECTARE, HECTARE, 0, 0)


def test_no_area_claimed_no_check() -> None:
    assert judge_area({"claim_area_m2": float("nan"), "obs_area_m2": HECTARE}) is None
    assert judge_area({"obs_area_m2": HECTARE}) is None


@pytest.mark.parametrize(
    ("claimed", "observed", "verdict"),
    [
        (0.90, (0.89, 0.90, 0.91), "match"),
        (0.90, (0.80, 0.81, 0.82), "mismatch"),
        (0.90, (0.60, 0.80, 1.00), "cannot_tell"),  # wide: neither believed nor refused
        (0.90, (0.70, 0.90, 1.00), "cannot_tell"),  # and no blank cheque where the middle agrees
        (0.90, (0.30, 0.50, 0.70), "mismatch"),  # wide, and still far off
        (0.50, (0.79, 0.80, 0.81), "mismatch"),  # less claimed than is there
        (0.78, (0.79, 0.80, 0.81), "match"),
        (0.50, (0.0, 0.0, 0.0), "mismatch"),
        (0.0, (0.0, 0.0, 0.005), "match"),
        (0.03, (0.02, 0.025, 0.03), "match"),  # a point of share is no error, whatever it is in per cent
        (0.0, (0.0, 0.0, 0.4), "cannot_tell"),
    ],
)
def test_a_claimed_share(claimed: float, observed: tuple[float, float, float], verdict: str) -> None:
    assert verdict_of(claimed, observed, SHARE, "frac") == verdict


@pytest.mark.parametrize(
    ("claimed", "observed", "both", "draw"),
    [
        (0.50, (0.48, 0.50, 0.52), "match", "match"),
        (0.50, (0.66, 0.70, 0.74), "mismatch", "match"),  # ahead of what is claimed
        (0.50, (0.26, 0.30, 0.34), "mismatch", "mismatch"),
        (0.50, (0.30, 0.45, 0.60), "cannot_tell", "cannot_tell"),
        (0.50, (0.45, 0.60, 0.75), "cannot_tell", "match"),
    ],
)
def test_progress_is_two_sided_and_a_draw_is_not(
    claimed: float, observed: tuple[float, float, float], both: str, draw: str
) -> None:
    assert verdict_of(claimed, observed, PROGRESS, "frac") == both
    assert verdict_of(claimed, observed, DRAW, "frac") == draw


def test_the_sentence_says_what_the_verdict_rests_on() -> None:
    over = checked_number("living", 1.0, (0.77, 0.80, 0.84), unit="frac", rule=SHARE, what="living stand")
    assert over.reason == (
        "Claimed 100% living stand; observed 80% (77% to 84%); an error of +25% (+19% to +30%) where less than 10% is "
        "tolerated: over-claimed."
    )
    under = checked_number("living", 0.5, (0.77, 0.80, 0.84), unit="frac", rule=SHARE)
    assert "under-claimed, more is there than claimed" in under.reason
    none = checked_number("living", 0.5, (0.0, 0.0, 0.0), unit="frac", rule=SHARE)
    assert "none of it is there" in none.reason
    wide = checked_number("capacity", 10.0, (0.0, 9.0, 14.0), unit="mw", rule=AREA)
    assert "(-29% or more), too uncertain" in wide.reason


def test_the_last_digits_of_an_interval_do_not_matter() -> None:
    check = checked_number("living", 0.4, (0.35, 0.41498659345655126, 0.41498659345655114), unit="frac", rule=SHARE)
    assert check.high == check.observed == 0.41498659345655126


def test_what_is_no_interval_is_refused() -> None:
    with pytest.raises(BrokenData, match="low <= middle <= high"):
        checked_number("living", 0.5, (0.5, 0.4, 0.6), unit="frac", rule=SHARE)
    with pytest.raises(BrokenData):
        checked_number("living", 0.5, (float("nan"), 0.4, 0.6), unit="frac", rule=SHARE)


@pytest.mark.parametrize(("chance", "verdict"), [(0.95, "match"), (0.5, "cannot_tell"), (0.03, "mismatch")])
def test_words_go_by_the_probability_of_the_claimed_one(chance: float, verdict: str) -> None:
    check = checked_words("use", "rice", observed="maize", chance=chance, reason="Maize was seen.", n_looks=9)
    assert (check.verdict, check.observed, check.tolerance, check.n_looks) == (verdict, "maize", None, 9)


def test_a_share_that_could_not_be_judged_says_why() -> None:
    check = judge_share(
        "water", {"claim_water_share_frac": 0.9}, "claim_water_share_frac", None, what="water", why_not="Clouds."
    )
    assert check == untold(
        "water", 0.9, "Claimed 90% water; how much there is could not be judged. Clouds.", unit="frac"
    )
