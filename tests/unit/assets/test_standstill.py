"""A site against itself: looks built by hand."""

from dataclasses import replace

import numpy as np

from geocollateral.assets import standstill
from geocollateral.assets.standstill import StandstillParams
from tests.unit.assets.test_sites import CONCRETE, DAYS, SUBSOIL, WHITE, evidence, field, part, turned

SINCE = np.datetime64("2021-06-15")
HOUSE = part(slice(2, 12), slice(2, 9))
WING = part(slice(2, 12), slice(9, 12))


def cleared() -> np.ndarray:
    look = turned(field(), "2021-06-10", SUBSOIL)
    return turned(look, "2021-07-10", CONCRETE, HOUSE)


def on(look: np.ndarray, day: str) -> tuple[bool, bool]:
    """Whether the site is still, and goes on, at the last look up to a day."""
    params = StandstillParams()
    found = standstill.compare(evidence(look), SINCE, params)
    n = int(np.searchsorted(found.days.astype("datetime64[D]"), np.datetime64(day), side="right")) - 1
    return bool(found.is_still(params)[n]), bool(found.goes_on(params)[n])


def test_a_site_at_rest_is_still() -> None:
    assert on(cleared(), "2022-03-01") == (True, False)


def test_a_new_wing_is_no_standstill() -> None:
    assert on(turned(cleared(), "2022-01-10", WHITE, WING), "2022-03-01") == (False, True)


def test_a_site_that_is_wet_is_still() -> None:
    look = cleared()
    wet = (np.datetime64("2022-01-10") <= DAYS) & (np.datetime64("2022-03-10") >= DAYS)
    look[np.ix_(wet, ~HOUSE)] *= 0.9
    assert on(look, "2022-03-01")[1] is False


def test_a_standstill_is_dated_between_the_last_works_and_the_rest() -> None:
    params = StandstillParams()
    site = turned(cleared(), "2022-01-10", WHITE, WING)
    found = standstill.compare(evidence(site), SINCE, params)
    day = found.days.astype("datetime64[D]")
    look = int(np.flatnonzero(found.is_still(params) & (day > np.datetime64("2022-02-01")))[0])
    before, after = standstill.began(found, look, SINCE, params)
    assert before <= np.datetime64("2022-01-10") <= after < day[look]
    alone = standstill.began(
        replace(found, optical=np.zeros(len(day)), likeness=np.ones(len(day))), look, SINCE, params
    )
    assert alone[0] >= SINCE


def test_without_looks_in_winter_nothing_is_said() -> None:
    given = evidence(cleared())
    dark = (given.look_days > np.datetime64("2021-11-01")) & (given.look_days < np.datetime64("2022-02-20"))
    params = StandstillParams()
    assert given.optical is not None
    seen = replace(
        given,
        look_days=given.look_days[~dark],
        look_fraction=given.look_fraction[~dark],
        optical=given.optical.isel(time=~dark),
    )
    found = standstill.compare(seen, SINCE, params)
    n = int(np.searchsorted(found.days.astype("datetime64[D]"), np.datetime64("2022-02-21")))
    assert not found.is_still(params)[n]
    assert not found.goes_on(params)[n]
