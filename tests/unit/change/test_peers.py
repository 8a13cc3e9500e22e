"""What parcels of a kind have in common on a look."""

import numpy as np
import pytest
import xarray as xr

from geocollateral.change import SequentialParams, monitor, monitor_joint
from geocollateral.change.peers import monitor_with_peers, peer_departure, weather_of_stands
from geocollateral.errors import InvalidInput
from geocollateral.types import CONFIRMED

TIME = np.arange(np.datetime64("2018-01-05"), np.datetime64("2021-12-31"), 10).astype("datetime64[ns]")


def test_the_median_of_the_others() -> None:
    residuals = np.array([[1.0, 2, 3, 4, 5, 100]])
    middle, error = peer_departure(residuals, ["a"] * 6)
    np.testing.assert_allclose(middle, [[4, 4, 4, 3, 3, 3]])
    assert (error > 0).all()


@pytest.mark.parametrize("n", [6, 7, 12])
def test_it_is_the_plain_median_without_oneself(n: int) -> None:
    rng = np.random.default_rng(n)
    residuals = rng.normal(size=(40, n))
    residuals[rng.random(residuals.shape) < 0.2] = np.nan
    middle, _ = peer_departure(residuals, ["a"] * n, min_peers=1)
    for i in range(n):
        with np.errstate(invalid="ignore"):
            wanted = np.nanmedian(np.delete(residuals, i, axis=1), axis=1)
        np.testing.assert_allclose(middle[:, i], wanted)


def test_few_peers_and_other_kinds_say_nothing() -> None:
    residuals = np.full((1, 7), -0.3)
    middle, error = peer_departure(residuals, ["a"] * 5 + ["b"] * 2)
    assert np.isnan(middle).all()
    assert np.isnan(error).all()
    with pytest.raises(InvalidInput):
        peer_departure(residuals, ["a"])


def field(n: int, seed: int = 0) -> np.ndarray:
    return 0.7 + np.random.default_rng(seed).normal(0, 0.02, (len(TIME), n))


def test_a_drought_for_all_is_no_change_and_a_felling_in_it_is() -> None:
    values = field(9)
    dry = (np.datetime64("2020-05-01") < TIME) & (np.datetime64("2020-10-01") > TIME)
    values[dry] -= 0.3
    values[np.datetime64("2020-07-01") < TIME, 4] -= 0.35
    series = xr.DataArray(values, dims=("time", "parcel"), coords={"time": TIME}, name="ndvi")
    alone = monitor(series, "2019-12-31")
    assert (alone["status"].values == CONFIRMED).all()
    found, common, _ = monitor_with_peers(series, ["wood"] * 9, "2019-12-31")
    assert (found["status"].values == CONFIRMED).tolist() == [n == 4 for n in range(9)]
    assert found["break_date"].values[4] == TIME[np.datetime64("2020-07-01") < TIME][0]
    assert float(common.sel(time="2020-06").mean()) == pytest.approx(-0.3, abs=0.03)


def test_later_looks_do_not_change_what_the_peers_said() -> None:
    values = field(8, 1)
    values[200 // 10 + 80 :, 3] -= 0.3
    series = xr.DataArray(values, dims=("time", "parcel"), coords={"time": TIME}, name="ndvi")
    _, common, _ = monitor_with_peers(series, ["wood"] * 8, None)
    for until in (60, 110):
        _, then, _ = monitor_with_peers(series[:until], ["wood"] * 8, None)
        np.testing.assert_array_equal(then.values, common.values[:until])


PARAMS = {
    "ndvi": SequentialParams(direction="down", changed_level=0.60, min_magnitude=0.12),
    "ndmi": SequentialParams(direction="down", changed_level=0.15, min_magnitude=0.10),
}


def stands(n: int = 9) -> xr.Dataset:
    axes = {"dims": ("time", "parcel"), "coords": {"time": TIME}}
    return xr.Dataset({"ndvi": xr.DataArray(field(n) + 0.12, **axes), "ndmi": xr.DataArray(field(n, 1) - 0.35, **axes)})


def confirmed(series: xr.Dataset) -> list[bool]:
    common, doubt = weather_of_stands(series, PARAMS)
    off = {"common": {"s2": common}, "common_sd": {"s2": doubt}}
    found = monitor_joint({"s2": series}, None, PARAMS, **off)
    return (found["status"].values == CONFIRMED).tolist()


def lowered(series: xr.Dataset, when: np.ndarray, by: float, parcels: slice) -> xr.Dataset:
    changed = series.copy(deep=True)
    for name in changed.data_vars:
        changed[name].values[when, parcels] -= by
    return changed


DRY = (np.datetime64("2020-05-01") < TIME) & (np.datetime64("2020-10-01") > TIME)
FELLED = np.datetime64("2020-07-01") < TIME


def test_a_dip_of_all_stands_is_weather_and_one_felled_in_it_is_not() -> None:
    dry = lowered(stands(), DRY, 0.24, slice(None))
    dry["ndmi"].values[DRY] += 0.10  # the canopy keeps some of its water
    alone = monitor_joint({"s2": dry}, None, PARAMS)
    assert (alone["status"].values == CONFIRMED).all()
    assert not any(confirmed(dry))
    felled = lowered(dry, FELLED, 0.3, slice(4, 5))
    assert confirmed(felled) == [n == 4 for n in range(9)]


def test_a_drought_that_takes_all_stands_down_to_the_level_of_cleared_ground_is_weather() -> None:
    dry = lowered(stands(), DRY, 0.27, slice(None))
    assert (monitor_joint({"s2": dry}, None, PARAMS)["status"].values == CONFIRMED).all()
    assert not any(confirmed(dry))


def test_all_stands_felled_at_once_are_an_event() -> None:
    assert all(confirmed(lowered(stands(), FELLED, 0.45, slice(None))))


@pytest.mark.parametrize("hit", [2, 4])
def test_stands_felled_together_are_found_while_others_stand(hit: int) -> None:
    assert confirmed(lowered(stands(), FELLED, 0.3, slice(hit))) == [n < hit for n in range(9)]


def test_a_few_stands_share_only_what_all_of_them_lost() -> None:
    common, doubt = weather_of_stands(lowered(stands(5), DRY, 0.1, slice(None)), PARAMS)
    late = (np.datetime64("2020-06-01") < TIME) & (np.datetime64("2020-09-01") > TIME)
    assert (common["ndvi"].values[late] < 0).any()
    one_well = lowered(stands(5), DRY, 0.1, slice(4))
    assert np.nan_to_num(weather_of_stands(one_well, PARAMS)[0]["ndvi"].values[late, :4]).min() > -0.08
    assert (doubt["ndvi"] <= -common["ndvi"]).where(common["ndvi"].notnull(), True).all()


def test_what_only_some_peers_lost_is_no_weather() -> None:
    late = (np.datetime64("2020-06-01") < TIME) & (np.datetime64("2020-09-01") > TIME)
    half = lowered(stands(13), DRY, 0.1, slice(7))  # the others of a stand: half of them dip, half do not
    assert np.nan_to_num(weather_of_stands(half, PARAMS)[0]["ndvi"].values[late]).min() > -0.02
    every = lowered(stands(13), DRY, 0.1, slice(None))
    assert np.nan_to_num(weather_of_stands(every, PARAMS)[0]["ndvi"].values[late]).min() < -0.06


def test_a_common_dip_within_the_noise_is_left() -> None:
    common, _ = weather_of_stands(lowered(stands(12), DRY, 0.02, slice(None)), PARAMS)
    assert not (common["ndvi"].values < 0).any()


def test_with_too_few_stands_of_like_course_nothing_is_taken_off() -> None:
    common, _ = weather_of_stands(lowered(stands(3), DRY, 0.1, slice(None)), PARAMS)
    assert np.isnan(common["ndvi"]).all()


def test_later_looks_do_not_change_the_weather_of_stands() -> None:
    series = lowered(lowered(stands(), DRY, 0.14, slice(None)), FELLED, 0.4, slice(3))
    common, doubt = weather_of_stands(series, PARAMS)
    for until in (70, 90, 110):
        then = weather_of_stands(series.isel(time=slice(until)), PARAMS)
        xr.testing.assert_equal(then[0], common.isel(time=slice(until)))
        xr.testing.assert_equal(then[1], doubt.isel(time=slice(until)))
