"""Fire and flood on a parcel of 8 x 8 pixels whose left half is hit on 1 June 2021."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from evidence_by_hand import MUD, STAND, WATER, days_between, painted, parcel, picture, radar_of

from geocollateral.assets.damage import DamageParams, assess_damage
from geocollateral.types import ParcelEvidence

SIDE = (8, 8)
DAYS = days_between("2020-01-02", "2022-06-30", 5)
LEFT = np.arange(64) % 8 < 4
DAY = dt.date(2021, 6, 1)
AFTER = np.datetime64(DAY) <= DAYS
CHAR = {"green": 0.045, "red": 0.05, "nir": 0.11, "nir08": 0.12, "swir16": 0.13, "swir22": 0.14}
PARAMS = DamageParams()


def seen(evidence: ParcelEvidence, keep: np.ndarray) -> ParcelEvidence:
    at = np.flatnonzero(keep)
    assert evidence.optical is not None
    return replace(
        evidence,
        look_days=evidence.look_days[at],
        look_fraction=np.ones(len(at)),
        optical=evidence.optical.isel(time=at),
    )


def burnt(share: float = 1.0) -> ParcelEvidence:
    return parcel(SIDE, DAYS, painted(picture(SIDE, STAND, len(DAYS)), AFTER, LEFT, CHAR, share))


def test_half_of_it_burnt() -> None:
    found = assess_damage(burnt(), DAY, "fire", PARAMS)
    assert found.verdict == "match"
    assert found.share is not None
    assert found.share[0] <= found.share[1] == 0.5 <= found.share[2]
    assert found.classes["high"] == 0.5
    assert sum(found.classes.values()) == 0.5
    assert not found.window_missed
    assert "50% of the parcel's plants burnt" in found.reason


def test_nothing_burnt() -> None:
    found = assess_damage(burnt(0.0), DAY, "fire", PARAMS)
    assert (found.verdict, found.share) == ("mismatch", (0.0, 0.0, 0.05))


def test_a_fire_seen_late_is_a_least() -> None:
    found = assess_damage(seen(burnt(), ~AFTER | (np.datetime64("2021-09-01") < DAYS)), DAY, "fire", PARAMS)
    assert found.window_missed
    assert found.share is not None
    assert found.share[2] == 1.0
    assert "window was missed" in found.reason


def test_a_leafless_stand_is_told_by_its_next_season() -> None:
    winter = (np.isin(DAYS.astype("datetime64[M]").astype(int) % 12, (10, 11, 0, 1, 2, 3))) & True
    bands = painted(picture(SIDE, STAND, len(DAYS)), winter, np.ones(64, bool), MUD)
    bands = painted(bands, np.datetime64("2021-03-15") <= DAYS, LEFT, CHAR)
    found = assess_damage(parcel(SIDE, DAYS, bands), dt.date(2021, 3, 15), "fire", PARAMS)
    assert found.verdict == "match"
    assert found.share is not None
    assert found.share[1] == 0.5


def test_bare_ground_cannot_burn() -> None:
    bare = parcel(SIDE, DAYS, picture(SIDE, MUD, len(DAYS)))
    assert assess_damage(bare, DAY, "fire", PARAMS).verdict == "cannot_tell"


def flooded() -> ParcelEvidence:
    wet = AFTER & (np.datetime64("2021-06-12") > DAYS)
    drowned = AFTER & ~wet & (np.datetime64("2021-09-01") > DAYS)
    bands = painted(painted(picture(SIDE, STAND, len(DAYS)), wet, LEFT, WATER), drowned, LEFT, MUD)
    return parcel(SIDE, DAYS, bands)


def test_half_of_it_flooded_by_optical_looks() -> None:
    found = assess_damage(flooded(), DAY, "flood", PARAMS)
    assert found.verdict == "match"
    assert found.share == (0.4, 0.5, 0.6)
    assert found.sensors == ("sentinel-2",)
    assert found.plants_lost == 0.5


def test_radar_sees_a_flood_under_cloud() -> None:
    level = np.where(AFTER[:, None] & LEFT[None, :] & (np.datetime64("2021-06-12") > DAYS)[:, None], -18.0, -10.0)
    clear = seen(flooded(), ~AFTER | (np.datetime64("2021-07-15") < DAYS))
    found = assess_damage(replace(clear, radar={"a": radar_of(DAYS, {"vv": level})}), DAY, "flood", PARAMS)
    assert found.sensors == ("sentinel-1",)
    assert found.share is not None
    assert found.share[1] == pytest.approx(0.5, abs=0.15)


def test_radar_alone_against_plants_that_fared_well_is_doubted() -> None:
    wet = AFTER & (np.datetime64("2021-06-12") > DAYS)
    level = np.where(wet[:, None] & LEFT[None, :], -18.0, -10.0)
    green = parcel(SIDE, DAYS, picture(SIDE, STAND, len(DAYS)), radar=radar_of(DAYS, {"vv": level}))
    found = assess_damage(seen(green, ~wet), DAY, "flood", PARAMS)
    assert (found.verdict, found.plants_lost) == ("cannot_tell", 0.0)
    assert "it may be wet soil" in found.reason


def test_a_paddy_cannot_show_a_flood_to_radar() -> None:
    often = np.arange(len(DAYS)) % 3 == 0
    level = np.repeat(np.where(often | AFTER, -18.0, -10.0)[:, None], 64, axis=1)
    clear = seen(flooded(), ~AFTER)
    found = assess_damage(replace(clear, radar={"a": radar_of(DAYS, {"vv": level})}), DAY, "flood", PARAMS)
    assert found.verdict == "cannot_tell"


def test_a_satellite_that_came_late_has_missed_the_flood() -> None:
    found = assess_damage(seen(flooded(), ~AFTER | (np.datetime64("2021-06-20") < DAYS)), DAY, "flood", PARAMS)
    assert (found.verdict, found.share, found.window_missed) == ("cannot_tell", None, True)
    assert "Window missed" in found.reason
    assert found.plants_lost == 0.5


def test_no_look_before_the_day_is_known_after_it() -> None:
    then = seen(burnt(), ~AFTER)
    assert assess_damage(then, DAY, "fire", PARAMS).verdict == "cannot_tell"
