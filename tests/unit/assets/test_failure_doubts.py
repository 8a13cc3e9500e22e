"""What keeps a failed crop an early warning, on looks built by hand."""

from dataclasses import replace

import numpy as np
import pytest

from geocollateral.assets.failure_doubts import DoubtParams, Missed, doubts_of

PARAMS = DoubtParams()
DAYS = np.arange(5, 3 * 365, 10)
GONE = 2 * 365 + 200


def crop(days: np.ndarray, falls: int = 270) -> np.ndarray:
    """Bare, and green from day 110 of each year to another."""
    return np.where((days % 365 >= 110) & (days % 365 < falls), 0.8, 0.15)


def missed(own: np.ndarray | None = None, around: np.ndarray | None = None, **changes: object) -> Missed:
    """A crop that is gone on day 200 of the third year, twenty days before the alarm; twelve neighbours that stand."""
    if own is None:
        own = np.where(DAYS < GONE, crop(DAYS), 0.15)
    if around is None:
        around = np.tile(crop(DAYS)[:, None], 12)
    built = Missed(
        day=int(DAYS[DAYS >= GONE][0]),
        alarm=GONE + 20,
        level=0.8,
        unlike=0.2,
        days=DAYS,
        own=own,
        around=around,
        member=np.ones(12, bool),
    )
    return replace(built, **changes)


def doubts(of: Missed) -> tuple[str, ...]:
    return doubts_of(of, 0.10, 0.30, PARAMS)


def test_a_crop_gone_amid_its_season_while_all_others_stand_leaves_none() -> None:
    assert doubts(missed()) == ()


def test_land_out_of_step_may_not_have_been_sown() -> None:
    (found,) = doubts(missed(unlike=0.6))
    assert "not sown" in found


@pytest.mark.parametrize(("unseen", "told"), [(20, False), (80, True)])
def test_a_border_of_seasons_that_no_look_saw(unseen: int, told: bool) -> None:
    """Two crops a year: the border at day 150 of earlier years lies within the time without a look, or before it."""
    twice = np.where((DAYS % 365 >= 140) & (DAYS % 365 < 160), 0.15, crop(DAYS))
    own = np.where(DAYS < GONE, twice, 0.15)
    own = np.where((GONE - unseen <= DAYS) & (DAYS < GONE), np.nan, own)
    found = doubts(missed(own))
    assert any("one crop may have followed another" in text for text in found) is told


def test_a_harvest_of_all() -> None:
    fallen = np.tile(crop(DAYS)[:, None], 12)
    fallen[(DAYS >= GONE), :5] = 0.15
    (found,) = doubts(missed(around=fallen))
    assert "42%" in found
    assert "harvest of all" in found


def test_too_few_around_tell_of_no_harvest() -> None:
    fallen = np.tile(crop(DAYS)[:, None], 12)
    fallen[(DAYS >= GONE), :3] = 0.15
    fallen[:, 4:] = np.nan
    assert not any("harvest of all" in text for text in doubts(missed(around=fallen)))


def test_near_the_harvest_of_earlier_years_it_may_be_an_early_one() -> None:
    own = np.where(DAYS < GONE, crop(DAYS, 215), 0.15)
    (found,) = doubts(missed(own, alarm=GONE + 10))
    assert "early one" in found


def test_peers_that_stand_long_after_rule_an_early_harvest_out() -> None:
    own = np.where(DAYS < GONE, crop(DAYS, 215), 0.15)
    assert doubts(missed(own, alarm=GONE + 30)) == ()


def test_looks_after_the_alarm_change_nothing() -> None:
    one = missed(unlike=0.6)
    later = one.alarm < DAYS
    other = replace(one, own=np.where(later, 0.9, one.own), around=np.where(later[:, None], 0.0, one.around))
    assert doubts(one) == doubts(other)
    assert doubts(one)


def test_nothing_seen_around_or_before_is_no_fault() -> None:
    own = np.where(DAYS >= GONE, 0.15, np.nan)
    around = np.full((len(DAYS), 12), np.nan)
    assert doubts(missed(own, around)) == ()
