"""Curves, seasons and mowings of series built by hand, and of one real field."""

import numpy as np
import pytest
from conftest import REALDATA
from hypothesis import given, settings
from hypothesis import strategies as st

from geocollateral.assets.mowing import MowingParams, find_mowings
from geocollateral.assets.phenology import PhenologyParams, borrow_from_radar, despike, find_seasons, smooth

PARAMS = PhenologyParams()
YEAR = 365


def field(days: np.ndarray, *, up: float = 120.0, down: float = 250.0) -> np.ndarray:
    """Ground of 0.15 and each year a crop of 0.65 more between two days, with flanks of ten days."""
    of_year = days % YEAR
    rise = 1 / (1 + np.exp(-(of_year - up) / 5))
    fall = 1 / (1 + np.exp(-(of_year - down) / 5))
    return 0.15 + 0.65 * (rise - fall)


DAYS = np.arange(0, 3 * YEAR, 5)


def curve(days: np.ndarray, values: np.ndarray):
    return smooth(days, values, np.ones(len(days)), PARAMS)


def test_a_straight_line_stays_a_straight_line() -> None:
    line = 0.2 + 0.0005 * DAYS
    assert curve(DAYS, line).value == pytest.approx(0.2 + 0.0005 * np.arange(DAYS[-1] + 1), abs=1e-6)


def test_uncertainty_is_large_in_a_gap() -> None:
    gap = (DAYS < 200) | (DAYS > 320)
    found = curve(DAYS[gap], field(DAYS[gap]))
    assert found.sd[260] > 3 * found.sd[100]


def test_missed_clouds_are_passed_over() -> None:
    values = field(DAYS)
    values[[31, 38, 44]] = 0.05
    assert not despike(DAYS, values, PARAMS)[[31, 38, 44]].any()
    assert np.abs(curve(DAYS, values).at(DAYS)[25:45] - field(DAYS)[25:45]).max() < 0.12


def test_seasons_of_a_crop_a_year() -> None:
    found = find_seasons(curve(DAYS, field(DAYS)), PARAMS, looks=DAYS)
    assert len(found) == 3
    for year, season in enumerate(found):
        assert season.ended is not None
        assert season.known_on is not None
        assert abs(season.emerged - (year * YEAR + 115)) <= 8
        assert abs(season.ended - (year * YEAR + 257)) <= 6
        assert season.ended_low <= season.ended <= season.ended_high
        assert season.known_on >= season.ended
        assert season.after == pytest.approx(0.15, abs=0.05)


def test_a_standing_crop_has_no_harvest() -> None:
    some = DAYS[DAYS < 2 * YEAR + 200]
    last = find_seasons(curve(some, field(some)), PARAMS)[-1]
    assert last.ended is None
    assert abs(last.emerged - (2 * YEAR + 115)) <= 8


def test_bare_ground_has_no_season() -> None:
    assert find_seasons(curve(DAYS, np.full(len(DAYS), 0.15)), PARAMS) == ()


@settings(max_examples=20)
@given(keep=st.sets(st.integers(0, len(DAYS) - 1), max_size=60), noise=st.integers(0, 2**31))
def test_any_looks_give_finite_curves_and_ordered_seasons(keep: set[int], noise: int) -> None:
    values = field(DAYS) + np.random.default_rng(noise).normal(0, 0.05, len(DAYS))
    hidden = np.array(sorted(set(range(len(DAYS))) - keep)[::7], int)
    values[hidden] = np.nan
    found = curve(DAYS, values)
    assert np.isfinite(found.value).all()
    previous = -1
    for season in find_seasons(found, PARAMS):
        assert previous < season.emerged <= season.peak
        previous = season.peak if season.ended is None else season.ended


def test_too_few_looks_give_no_curve() -> None:
    found = smooth(DAYS[:1], np.array([0.3]), np.ones(1), PARAMS)
    assert np.isnan(found.value).all()
    assert find_seasons(found, PARAMS) == ()


def test_radar_lends_what_it_knows_of_green() -> None:
    values = field(DAYS)
    radar = np.column_stack([10 * values - 20, np.full(len(DAYS), -10.0)])
    told, sd = borrow_from_radar(DAYS, values, DAYS, radar)
    assert sd < 0.05
    assert told == pytest.approx(values, abs=0.05)


def test_radar_that_knows_too_little_is_not_asked() -> None:
    told, sd = borrow_from_radar(DAYS[:5], field(DAYS[:5]), DAYS[:5], np.zeros((5, 2)))
    assert np.isnan(told).all()
    assert sd == float("inf")


# ---- meadows


def meadow(days: np.ndarray, cut: int) -> np.ndarray:
    since = days - cut
    return 0.8 - np.where(since >= 0, 0.4 * np.exp(-np.maximum(since, 0) / 25), 0.0)


def test_a_mowing_is_found_under_clouds() -> None:
    days = np.arange(100, 260, 5)
    green = meadow(days, 171)
    green[::3] = 0.05
    (found,) = find_mowings(days, green, MowingParams())
    assert found.before < 171 <= found.after + 5
    assert abs(found.day - 171) <= 8


def test_clouds_alone_are_no_mowing() -> None:
    days = np.arange(100, 260, 5)
    green = np.full(len(days), 0.8)
    green[1::2] = 0.1
    assert find_mowings(days, green, MowingParams()) == ()


def test_coherence_bears_out_a_slight_fall() -> None:
    days = np.arange(100, 260, 5)
    green = np.where(days >= 171, 0.70, 0.80)
    radar_days = np.arange(100, 260, 6)
    coherence = np.where(radar_days >= 171, 0.55, 0.40)
    assert find_mowings(days, green, MowingParams()) == ()
    (found,) = find_mowings(days, green, MowingParams(), coherence_days=radar_days, coherence=coherence)
    assert abs(found.day - 171) <= 8


@pytest.mark.realdata
def test_real_field_in_spain_greens_up_in_march_and_is_harvested_around_the_end_of_june() -> None:
    path = REALDATA / "farm_fusets_spain" / "raw_s2_ndvi_field.nc"
    import xarray as xr

    with xr.open_dataset(path) as cube:
        green = cube["NDVI"].median(("x", "y")).values.astype(np.float64)
        days = cube["t"].values.astype("datetime64[D]").astype(np.int64)
    clear = despike(days, green, PARAMS)
    first = find_seasons(curve(days[clear], green[clear]), PARAMS)[0]
    assert np.datetime64("2019-03-10") <= np.datetime64(first.emerged, "D") <= np.datetime64("2019-04-05")
    assert np.datetime64("2019-06-15") <= np.datetime64(first.ended, "D") <= np.datetime64("2019-07-12")


@pytest.mark.realdata
def test_real_mowings_are_found_within_ten_days() -> None:
    home = REALDATA / "farm_salms_mowing"
    import pandas as pd

    events = pd.read_csv(home / "gtdir" / "FOIinfo.csv")
    true = found = right = 0
    for meadow_id, own in events.groupby("ID"):
        dates = pd.to_datetime(own["Event_date"], dayfirst=True).values.astype("datetime64[D]").astype(np.int64)
        index = pd.read_csv(home / "tsdir" / f"{meadow_id}_s2_idx_ts.csv")
        index = index[index["band"] == "NDVI"]
        radar = pd.read_csv(home / "tsdir" / f"{meadow_id}_s1_coh6_ts.csv")
        radar = radar[radar["band"] == "s1_coh6"]
        radar_days = pd.to_datetime(radar["date"].astype(str).str[:8]).values.astype("datetime64[D]").astype(np.int64)
        days = pd.to_datetime(index["date"]).values.astype("datetime64[D]").astype(np.int64)
        seen = find_mowings(
            days, index["MEAN"].values, MowingParams(), coherence_days=radar_days, coherence=radar["MEAN"].values
        )
        season = [m.day for m in seen if "2020-04-01" <= str(np.datetime64(m.after, "D")) <= "2020-10-31"]
        true, found = true + len(dates), found + len(season)
        for date in dates:
            near = [day for day in season if abs(day - date) <= 10]
            right += bool(near)
            season = [day for day in season if day not in near[:1]]
    assert true == 17
    assert 2 * right / (true + found) >= 0.6
