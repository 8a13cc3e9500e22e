"""Ground that was not tilled with its neighbours'."""

from __future__ import annotations

import numpy as np
import pytest

from geocollateral.assets.neighbours import Channel, NeighbourParams, choose
from geocollateral.assets.untilled import Untilled, UntilledParams, find_untilled, telling_looks

LEFT = 3 * 365
"""Nothing is sown from this day on; the sowing that did not come was on day 90 after it."""
SOWN, UP, HARVESTED = 90, 120, 270


def crop(days: np.ndarray) -> np.ndarray:
    """Sown on day 90 of each year, green from day 120 to 270, bare between."""
    of_year = days % 365
    return np.where((of_year >= UP) & (of_year < HARVESTED), 0.8, 0.15)


def weeds(days: np.ndarray) -> np.ndarray:
    """Green from day 55 to 330 of each year, withered in winter."""
    of_year = days % 365
    return np.where((of_year >= 55) & (of_year < 330), 0.5, 0.2)


def told(own: np.ndarray, days: np.ndarray) -> list[Untilled]:
    peers = crop(days)[:, None] + np.random.default_rng(0).normal(0, 0.01, (len(days), 8))
    channel = Channel(name="ndvi", sensor="sentinel-2", days=days, own=own, peers=peers, noise=0.08)
    choice = choose([channel], 0, NeighbourParams(step_days=10), lag_days=400)
    return list(find_untilled(telling_looks(channel, choice, UntilledParams()), UntilledParams()))


def looks(seed: int = 0) -> np.ndarray:
    return np.unique(np.random.default_rng(seed).integers(3, 6 * 365, 330))


@pytest.mark.parametrize("seed", range(3))
def test_left_ground_is_told_at_the_second_sowing(seed: int) -> None:
    days = looks(seed)
    (first, *_) = told(np.where(days < LEFT, crop(days), weeds(days)), days)
    assert LEFT + 365 - 25 <= first.known_on <= LEFT + 365 + UP
    assert first.worked_on < LEFT + SOWN
    assert LEFT + 55 <= first.missed_on < LEFT + UP
    assert first.own == pytest.approx(0.5)
    assert first.level == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_a_fallow_year_ends_with_tillage(seed: int) -> None:
    days = looks(seed)
    fallow = (days >= LEFT) & (days < LEFT + 365 + 50)
    assert told(np.where(fallow, weeds(days), crop(days)), days) == []


def test_cropped_ground_is_never_told() -> None:
    days = looks()
    assert told(crop(days), days) == []


def test_one_look_decides_nothing() -> None:
    days = looks()
    own = np.where(days < LEFT, crop(days), weeds(days))
    second = (days >= LEFT + 365) & (days < LEFT + 365 + UP)
    hidden = second & (np.cumsum(second & (days % 365 >= 55)) != 1)
    found = told(np.where(hidden, np.nan, own), days)
    assert all(one.known_on >= LEFT + 365 + HARVESTED for one in found)


def test_later_looks_change_nothing_said_before() -> None:
    days = looks()
    own = np.where(days < LEFT, crop(days), weeds(days))
    (first, *_) = told(own, days)
    known = days <= first.known_on
    assert told(own[known], days[known]) == [first]


def test_ground_never_seen_worked_is_not_left() -> None:
    days = looks()
    assert told(weeds(days), days) == []


def test_unseen_ground_and_unseen_peers_tell_nothing() -> None:
    days = looks()
    assert told(np.full(len(days), np.nan), days) == []


def late_weeds(days: np.ndarray) -> np.ndarray:
    """Withered until the crops around are up, then green into the winter: the sowing of the peers tells nothing."""
    of_year = days % 365
    return np.where((of_year >= UP) & (of_year < 320), 0.7, 0.25)


@pytest.mark.parametrize("seed", range(3))
def test_stubble_that_stays_green_for_a_year_and_a_half_was_left(seed: int) -> None:
    days = looks(seed)
    (first, *_) = told(np.where(days < LEFT, crop(days), late_weeds(days)), days)
    assert first.lasting
    assert LEFT + HARVESTED <= first.missed_on < LEFT + 365
    assert first.missed_on + UntilledParams().lasting_days <= first.known_on < LEFT + 3 * 365


@pytest.mark.parametrize("seed", range(3))
def test_two_green_autumns_around_a_tilled_spring_are_not_left(seed: int) -> None:
    days = looks(seed)
    own = np.where(days < LEFT, crop(days), np.where(days % 365 < SOWN + 10, crop(days), late_weeds(days)))
    assert told(own, days) == []


def test_grass_that_was_mown_short_once_was_never_tilled() -> None:
    days = looks()
    mown = (days >= 2 * 365 + HARVESTED) & (days < 2 * 365 + HARVESTED + 40)
    own = np.where(mown, 0.15, 0.5)
    assert told(own, days) == []
    assert told(np.where((days < LEFT) & ~mown, crop(days), own), days), "the same ground, tilled before, was left"
