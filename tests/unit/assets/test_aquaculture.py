"""Ponds of 8 x 8 pixels: a look every ten days for three years, with or without radar every six."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from evidence_by_hand import MUD, WATER, days_between, known_on, painted, parcel, picture, radar_of
from hypothesis import given, settings
from hypothesis import strategies as st

from geocollateral.assets.aquaculture import AQUACULTURE, AquacultureParams
from geocollateral.assets.water import WaterParams, water_looks
from geocollateral.types import Judgement, ParcelEvidence, RadarEvidence

SIDE = (8, 8)
DAYS = days_between("2020-01-05", "2022-12-31", 10)
PASSES = days_between("2020-01-03", "2022-12-31", 6)
ALL = np.ones(64, bool)
PARAMS = AquacultureParams()
PLANTS = {"green": 0.06, "red": 0.04, "nir": 0.35, "nir08": 0.36, "swir16": 0.20, "swir22": 0.10}
ICE = {"green": 0.55, "red": 0.50, "nir": 0.40, "nir08": 0.38, "swir16": 0.05, "swir22": 0.03}


def between(days: np.ndarray, first: str, last: str = "2030-01-01") -> np.ndarray:
    return (days >= np.datetime64(first)) & (days < np.datetime64(last))


def pond(
    dry: tuple[str, str] | None = None, cover: dict[str, float] = MUD, radar: RadarEvidence | None = None
) -> ParcelEvidence:
    bands = picture(SIDE, WATER, len(DAYS))
    if dry:
        bands = painted(bands, between(DAYS, *dry), ALL, cover)
    return parcel(SIDE, DAYS, bands, radar=radar)


def backscatter(dry: tuple[str, str] | None = None) -> RadarEvidence:
    noise = np.random.default_rng(1).normal(0, 0.7, (len(PASSES), 64))
    rise = 5.0 * between(PASSES, *dry)[:, None] if dry else 0.0
    return radar_of(PASSES, {"vv": -15.5 + noise + rise, "vh": -22.5 + noise + rise})


def judge(evidence: ParcelEvidence) -> Judgement:
    return AQUACULTURE.judge(evidence, PARAMS)


def test_a_pond_is_water() -> None:
    found = judge(pond(radar=backscatter()))
    assert found.status == "ok"
    assert found.events == ()
    assert found.columns["obs_water_share_frac"] == 1.0
    assert found.columns["chg_pond_state"] == "water"
    assert found.quantity is not None
    assert found.quantity[0] <= found.quantity[1] == pytest.approx(0.64)
    assert {row["sensor"] for row in found.tables["water"]} == {"sentinel-1", "sentinel-2"}
    assert AQUACULTURE.hits(pond(), found, PARAMS) == []


def test_a_pond_drained_for_good() -> None:
    evidence = pond(("2021-06-01", "2030-01-01"), radar=backscatter(("2021-06-01", "2030-01-01")))
    found = judge(evidence)
    (event,) = found.events
    assert event.kind == "pond_drained"
    assert event.last_clear_before < dt.date(2021, 6, 1) <= event.first_clear_after
    assert (event.detected_on - event.first_clear_after).days >= PARAMS.grace_days
    assert event.detected_on <= dt.date(2021, 8, 20)
    assert event.sensors == ("sentinel-2", "sentinel-1")
    assert found.columns["obs_water_share_frac"] == 0.0
    assert event.area_m2 == pytest.approx(6400, rel=0.05)
    (hit,) = AQUACULTURE.hits(evidence, found, PARAMS)
    assert (hit.rule, hit.severity, hit.operating_point) == ("pond_drained", "high", "confirmed")


def test_draining_for_harvest_is_an_early_warning_and_then_nothing() -> None:
    evidence = pond(("2021-06-01", "2021-07-10"))
    then = known_on(evidence, "2021-07-05")
    (hit,) = AQUACULTURE.hits(then, judge(then), PARAMS)
    assert (hit.rule, hit.operating_point, hit.event.kind) == ("pond_empty", "early_warning", "pond_empty")
    found = judge(evidence)
    assert found.events == ()
    assert AQUACULTURE.hits(evidence, found, PARAMS) == []
    assert "lay dry 1 time" in found.reason


def test_a_loss_that_was_filled_again_says_so() -> None:
    (event,) = judge(pond(("2021-03-01", "2021-10-01"))).events
    assert event.recovered_on is not None
    assert dt.date(2021, 10, 1) <= event.recovered_on <= dt.date(2021, 11, 15)


@pytest.mark.parametrize(
    ("cover", "name"),
    [pytest.param(ICE, "ice", id="frozen"), pytest.param({**WATER, "nir": 0.12, "nir08": 0.12}, "algae", id="algae")],
)
def test_what_is_water_still(cover: dict[str, float], name: str) -> None:
    assert judge(pond(("2021-11-01", "2022-03-15"), cover)).events == (), name


def test_one_odd_look_decides_nothing() -> None:
    found = judge(pond(("2021-06-01", "2021-06-09")))
    assert found.events == ()
    assert found.columns["chg_pond_state"] == "water"


def hidden(evidence: ParcelEvidence, first: str, last: str) -> ParcelEvidence:
    """Without the optical looks of some time."""
    kept = ~between(evidence.look_days, first, last)
    assert evidence.optical is not None
    return replace(
        evidence,
        optical=evidence.optical.isel(time=kept),
        look_days=evidence.look_days[kept],
        look_fraction=evidence.look_fraction[kept],
    )


def test_frozen_ground_is_dark_to_radar_and_fills_no_pond() -> None:
    summer = backscatter(("2021-06-01", "2021-11-01"))
    evidence = hidden(pond(("2021-06-01", "2030-01-01"), radar=summer), "2021-11-01", "2022-04-01")
    (event,) = judge(evidence).events
    assert event.recovered_on is None
    filled = hidden(pond(("2021-06-01", "2022-03-01"), radar=summer), "2021-11-01", "2022-04-01")
    (event,) = judge(filled).events
    assert event.recovered_on is not None


def test_radar_that_meets_smooth_mud_is_no_last_look_with_water() -> None:
    late = backscatter(("2021-09-01", "2030-01-01"))
    (event,) = judge(hidden(pond(("2021-06-01", "2030-01-01"), radar=late), "2021-06-01", "2021-09-10")).events
    assert event.last_clear_before < dt.date(2021, 6, 1) <= event.first_clear_after


def test_radar_alone_finds_it_under_cloud() -> None:
    evidence = pond(radar=backscatter(("2021-06-01", "2030-01-01")))
    seen = np.flatnonzero(evidence.look_days < np.datetime64("2021-05-20"))
    assert evidence.optical is not None
    cloudy = replace(
        evidence,
        look_days=evidence.look_days[seen],
        look_fraction=evidence.look_fraction[seen],
        optical=evidence.optical.isel(time=seen),
    )
    (event,) = judge(cloudy).events
    assert event.sensors == ("sentinel-1",)
    assert event.first_clear_after <= dt.date(2021, 6, 20)
    assert (event.detected_on - event.first_clear_after).days >= PARAMS.radar_grace_days


@settings(max_examples=12)
@given(st.integers(0, len(DAYS) - 1))
def test_no_look_is_used_before_its_day(n: int) -> None:
    evidence = pond(("2021-03-01", "2021-10-01"), radar=backscatter(("2021-03-01", "2021-10-01")))
    whole = water_looks(evidence, WaterParams())
    last = np.datetime64(max(DAYS[n], np.datetime64("2021-01-10")))
    then = water_looks(known_on(evidence, str(last)), WaterParams())
    told = whole.day <= last
    np.testing.assert_array_equal(then.day, whole.day[told])
    np.testing.assert_array_equal(then.p_dry, whole.p_dry[told])


def test_a_field_is_no_pond() -> None:
    found = judge(parcel(SIDE, DAYS, picture(SIDE, PLANTS, len(DAYS)), radar=backscatter()))
    assert found.columns["chg_pond_state"] == "no pond"
    assert found.events == ()
    assert found.quantity == pytest.approx((0, 0, 0.04), abs=0.05)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"n_full_pixels": 5}, "Too small", id="small"),
        pytest.param({"visible_fraction": 0.5}, "outside the imagery", id="outside"),
        pytest.param({"as_of": dt.date(2023, 9, 1)}, "days old", id="stale"),
    ],
)
def test_cannot_tell(change: dict[str, object], reason: str) -> None:
    found = judge(replace(pond(), **change))  # type: ignore[arg-type]
    assert (found.status, found.quantity) == ("cannot_tell", None)
    assert reason in found.reason


@pytest.mark.parametrize(("claimed", "verdict"), [(0.95, "match"), (0.5, "mismatch")])
def test_claimed_water(claimed: float, verdict: str) -> None:
    evidence = pond()
    evidence = replace(evidence, attributes={**evidence.attributes, "claim_water_share_frac": claimed})
    (check,) = judge(evidence).claims
    assert (check.claim, check.verdict, check.claimed) == ("water", verdict, claimed)
    assert check.low is not None
    assert check.high is not None
    assert check.low <= check.high


def test_the_threshold_follows_the_parcel_where_it_parts_water_from_land() -> None:
    shallow = {**WATER, "green": 0.08, "swir16": 0.09}  # MNDWI -0.06
    bands = painted(picture(SIDE, PLANTS, len(DAYS)), np.ones(len(DAYS), bool), np.arange(64) % 8 < 4, shallow)
    looks = water_looks(parcel(SIDE, DAYS, bands), WaterParams(threshold_reach=0.3))
    assert -0.5 < looks.threshold < -0.06
    assert looks.usual_share == pytest.approx(0.5)
