"""What callers give: understood in one way only, or refused with what to do."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geocollateral.change import monitor
from geocollateral.change.given import day_number, days_of, is_decibel, require_no_fill, require_scale
from geocollateral.errors import InvalidInput

DATES = pd.date_range("2017-01-01", periods=100, freq="12D")


def a_series(values: np.ndarray, name: str = "ndvi", times: object = DATES, **attrs: str) -> xr.DataArray:
    dims = ("time", "parcel")[: values.ndim]
    return xr.DataArray(values, dims=dims, coords={"time": times}, name=name, attrs=attrs)


def decibels() -> np.ndarray:
    return np.random.default_rng(0).normal(-13, 1, len(DATES))


class TestScale:
    @pytest.mark.parametrize("name", ["vh", "VV", "gamma0_vh", "sigma0_VV", "vh_asc", "S1_VH", "VH_dB"])
    def test_backscatter_in_db_is_known_by_its_name(self, name: str) -> None:
        assert is_decibel(a_series(decibels(), name))

    @pytest.mark.parametrize("name", ["ndvi", "coherence_vv", "vh_vv_ratio", "rvi"])
    def test_other_names_are_no_backscatter(self, name: str) -> None:
        series = a_series(np.full(len(DATES), 0.4), name)
        assert not is_decibel(series)
        require_scale(series)

    @pytest.mark.parametrize("name", ["vh", "gamma0_vh"])
    def test_power_under_any_name_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidInput, match="give 10"):
            require_scale(a_series(10 ** (decibels() / 10), name))

    def test_power_that_says_it_is_in_db_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="as power"):
            require_scale(a_series(10 ** (decibels() / 10), "vh", units="dB"))

    @pytest.mark.parametrize("units", [{}, {"units": "dB"}])
    def test_scaled_db_is_refused(self, units: dict[str, str]) -> None:
        with pytest.raises(InvalidInput, match="divide by its scale"):
            require_scale(a_series((decibels() * 100).astype(np.int16), "vh", **units))

    def test_bright_backscatter_is_not_taken_for_power(self) -> None:
        require_scale(a_series(decibels() + 13.5, "vv", units="dB"))

    def test_a_value_beyond_the_range_that_comes_back_is_a_fill_value(self) -> None:
        values = np.random.default_rng(0).normal(0.6, 0.02, len(DATES))
        values[::7] = -3
        with pytest.raises(InvalidInput, match="15 times the value -3: set fill values to NaN"):
            require_scale(a_series(values))

    def test_wild_values_that_do_not_come_back_are_looks(self) -> None:
        values = np.random.default_rng(0).normal(0.6, 0.02, len(DATES))
        values[::7] = np.linspace(-2, -1.1, 15)
        require_scale(a_series(values, "evi"))

    def test_a_fill_value_all_through_one_of_very_many_series_is_found_afterwards(self) -> None:
        series = a_series(np.zeros((len(DATES), 2)))
        found = xr.Dataset({"season_max": ("parcel", [0.7, -9999.0]), "season_min": ("parcel", [np.nan, -9999.0])})
        with pytest.raises(InvalidInput, match="1 series far beyond it: set fill values to NaN"):
            require_no_fill(series, found)


class TestTimes:
    def test_iso_texts(self) -> None:
        texts = ["2017-01-01", "2017-01-13T23:30:00+08:00", "2017-01-26 10:00"]
        days, _ = days_of(a_series(np.zeros(3), times=np.array(texts, object)))
        assert days.astype("datetime64[D]").astype(str).tolist() == ["2017-01-01", "2017-01-13", "2017-01-26"]

    @pytest.mark.parametrize("text", ["01/02/2017", "20170101", "2017-13-01", "2017"])
    def test_other_texts_are_refused(self, text: str) -> None:
        with pytest.raises(InvalidInput, match="convert with pandas"):
            days_of(a_series(np.zeros(1), times=np.array([text], object)))

    def test_before_1970_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="got 1969-12-31"):
            days_of(a_series(np.zeros(2), times=pd.DatetimeIndex(["1969-12-31", "2000-01-01"])))

    def test_what_is_advised_for_two_looks_of_a_day_works(self) -> None:
        times = pd.DatetimeIndex(["2020-01-01T10:00", "2020-01-02T10:00", "2020-01-01T11:00"])
        series = a_series(np.array([0.2, 0.5, 0.4]), times=times)
        with pytest.raises(InvalidInput, match="fuse the looks of a day first"):
            monitor(series, None)
        fused = series.groupby(series["time"].dt.floor("D")).mean().rename(floor="time")
        np.testing.assert_allclose(fused.values, [0.3, 0.5])
        assert len(days_of(fused)[0]) == 2


class TestHistoryEnd:
    def test_a_time_of_the_series_itself(self) -> None:
        assert day_number(a_series(np.zeros(100))["time"][3]) == day_number("2017-02-06")

    @pytest.mark.parametrize("end", [np.datetime64("2018"), np.datetime64("2018-06")])
    def test_a_year_or_a_month_is_no_day(self, end: np.datetime64) -> None:
        with pytest.raises(InvalidInput, match="must be a date"):
            day_number(end)
