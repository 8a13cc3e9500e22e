"""What parcels of a kind have in common on a look."""

import numpy as np
import pytest
import xarray as xr

from geocollateral.change import monitor
from geocollateral.change.peers import monitor_with_peers, peer_departure
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
