"""What strangers give to ``monitor``: a sensible answer, or an error that says what to do."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geocollateral.change import default_params, monitor, monitor_joint
from geocollateral.change.evidence import SequentialParams
from geocollateral.errors import InvalidInput
from geocollateral.types import CANNOT_TELL, CONFIRMED, STABLE

DATES = pd.date_range("2017-01-05", "2020-12-30", freq="10D")
EVENT = pd.Timestamp("2019-06-15")
FIRST = np.datetime64("2019-06-24")
NDVI = np.where(DATES >= EVENT, 0.35, 0.80) + np.random.default_rng(0).normal(0, 0.02, len(DATES))
VH_DB = np.where(DATES >= EVENT, -19.0, -13.0) + np.random.default_rng(1).normal(0, 0.8, len(DATES))
EVERY_NINTH = np.arange(len(DATES)) % 9 == 0


def a_series(values: Any, time: Any = DATES, name: str | None = "ndvi", **attrs: str) -> xr.DataArray:
    dims = ("time", "y", "x")[: np.ndim(values)]
    return xr.DataArray(values, dims=dims, coords={"time": time}, name=name, attrs=attrs)


def breaks_of(found: xr.Dataset) -> list[str]:
    return found["break_date"].values.ravel().astype("datetime64[D]").astype(str).tolist()


def assert_found(found: xr.Dataset) -> None:
    assert (found["status"].values == CONFIRMED).all()
    assert set(breaks_of(found)) == {str(FIRST)}


@dataclass(frozen=True)
class Moment:
    """A day as cftime gives it."""

    year: int
    month: int
    day: int


class TestTimes:
    @pytest.mark.parametrize(
        "time",
        [
            pytest.param(DATES.tz_localize("UTC"), id="zone"),
            pytest.param(DATES.astype("datetime64[s]"), id="seconds"),
            pytest.param(np.array([d.date() for d in DATES], object), id="dates"),
            pytest.param(np.array(DATES.to_pydatetime(), object), id="datetimes"),
            pytest.param(np.array([d.to_pydatetime() for d in DATES.tz_localize("UTC")], object), id="zoned datetimes"),
            pytest.param(np.array([Moment(d.year, d.month, d.day) for d in DATES], object), id="cftime"),
        ],
    )
    def test_dates_of_any_kind(self, time: Any) -> None:
        assert_found(monitor(a_series(NDVI, time), None))

    def test_a_zone_counts_in_utc(self) -> None:
        """Midday in Auckland is the day before in UTC."""
        there = (DATES + pd.Timedelta("30h")).tz_localize("UTC").tz_convert("Pacific/Auckland")
        found = monitor(a_series(NDVI, there), None)
        assert breaks_of(found) == [str((pd.Timestamp(FIRST) + pd.Timedelta("1D")).date())]

    @pytest.mark.parametrize(
        ("time", "received"),
        [
            pytest.param(np.arange(len(DATES)), "0", id="numbers"),
            pytest.param(2017 + np.arange(len(DATES)) / 36.5, "2017.0", id="decimal years"),
            pytest.param(DATES.strftime("%d.%m.%Y").to_numpy(object), "'05.01.2017'", id="text that is no ISO date"),
            pytest.param(np.array([Moment(2017, 2, 30)] * len(DATES), object), "Moment", id="calendar of 360 days"),
        ],
    )
    def test_what_is_no_date_is_refused(self, time: Any, received: str) -> None:
        with pytest.raises(InvalidInput, match="datetime64") as refused:
            monitor(a_series(NDVI, time), None)
        assert received in str(refused.value)
        assert "to_datetime" in str(refused.value)

    def test_a_missing_time_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="1 looks without a time"):
            monitor(a_series(NDVI, np.r_[DATES.values[:-1], np.datetime64("NaT")]), None)

    def test_order_does_not_matter(self) -> None:
        xr.testing.assert_identical(
            monitor(a_series(NDVI[::-1], DATES[::-1]), None), monitor(a_series(NDVI, DATES), None)
        )


class TestEndOfHistory:
    @pytest.mark.parametrize(
        "end",
        [
            "2018-12-31",
            "2018-12-31T10:00",
            dt.date(2018, 12, 31),
            dt.datetime(2018, 12, 31, 5, tzinfo=dt.UTC),
            np.datetime64("2018-12-31"),
            pd.Timestamp("2018-12-31"),
        ],
    )
    def test_any_whole_date(self, end: Any) -> None:
        assert_found(monitor(a_series(NDVI), end))

    @pytest.mark.parametrize("end", ["2018", 2018, 2018.5, "31/12/2018", "01/02/2018", "yesterday", "", pd.NaT, True])
    def test_what_is_none_is_refused(self, end: Any) -> None:
        with pytest.raises(InvalidInput, match=r"history_end must be a date or None.*'YYYY-MM-DD'"):
            monitor(a_series(NDVI), end)

    @pytest.mark.parametrize("end", ["2010-01-01", "2017-01-05", "2020-12-30", "2030-01-01"])
    def test_before_the_first_look_or_after_the_last_cannot_tell(self, end: str) -> None:
        assert int(monitor(a_series(NDVI), end)["status"]) == CANNOT_TELL


class TestScale:
    @pytest.mark.parametrize(
        "values",
        [
            pytest.param((NDVI * 10_000).astype(np.int16), id="integers"),
            pytest.param(NDVI * 10_000, id="scaled floats"),
            pytest.param(NDVI * 100, id="percent"),
            pytest.param((NDVI * 200).astype(np.uint8), id="bytes"),
            pytest.param(VH_DB, id="dB without a unit"),
        ],
    )
    def test_another_scale_is_refused(self, values: Any) -> None:
        with pytest.raises(InvalidInput, match=r"within about -1..1.*divide by its scale.*'dB'.*params"):
            monitor(a_series(values), None)

    def test_another_scale_with_parameters_of_its_own(self) -> None:
        params = SequentialParams(amplitude_prior=2500, noise_floor=300, min_magnitude=1200)
        assert_found(monitor(a_series(NDVI * 10_000), None, params=params))

    @pytest.mark.parametrize("fill", [-9999.0, -3000.0, 255.0, 1e20])
    def test_fill_values_are_refused(self, fill: float) -> None:
        with pytest.raises(InvalidInput, match=rf"{EVERY_NINTH.sum()} values.*fill values to NaN"):
            monitor(a_series(np.where(EVERY_NINTH, fill, NDVI)), None)

    @pytest.mark.parametrize("odd", [np.inf, -np.inf])
    def test_infinite_is_no_observation(self, odd: float) -> None:
        infinite = monitor(a_series(np.where(EVERY_NINTH, odd, NDVI)), None)
        xr.testing.assert_identical(infinite, monitor(a_series(np.where(EVERY_NINTH, np.nan, NDVI)), None))
        assert int(infinite["status"]) == CONFIRMED

    def test_odd_looks_beyond_the_range_are_only_odd(self) -> None:
        """EVI of cloud edges can be anything; it is an outlier and no reason to refuse the series."""
        values = NDVI.copy()
        values[[5, 40, 77]] = [3.2, -7.0, 12.0]
        assert_found(monitor(a_series(values), None))

    @pytest.mark.parametrize("units", ["dB", "db", " decibel "])
    def test_decibels_in_any_spelling(self, units: str) -> None:
        assert default_params(a_series(VH_DB, name="sigma0", units=units)).min_magnitude == 2.0
        assert_found(monitor(a_series(VH_DB, name="sigma0", units=units), None))

    @pytest.mark.parametrize("name", ["vh", "VV", "hv"])
    def test_a_polarisation_below_nought_is_in_decibels(self, name: str) -> None:
        assert_found(monitor(a_series(VH_DB, name=name), None))

    @pytest.mark.parametrize("units", [{}, {"units": "1"}])
    def test_power_is_refused(self, units: dict[str, str]) -> None:
        with pytest.raises(InvalidInput, match=r"not in dB.*10 \* log10\(power\)"):
            monitor(a_series(10 ** (VH_DB / 10), name="vh", **units), None)

    @pytest.mark.parametrize("name", ["evi", "EVI2", "savi", "kndvi"])
    def test_damped_indices_have_damped_thresholds(self, name: str) -> None:
        assert default_params(a_series(NDVI, name=name)).min_magnitude == pytest.approx(0.08)
        # A loss that would be slight for NDVI.
        values = np.where(DATES >= EVENT, 0.22, 0.36) + np.random.default_rng(3).normal(0, 0.015, len(DATES))
        assert int(monitor(a_series(values, name=name), None)["status"]) == CONFIRMED

    @pytest.mark.parametrize("name", [None, "tcw", "my_index"])
    def test_an_unknown_name_is_an_index(self, name: str | None) -> None:
        assert_found(monitor(a_series(NDVI, name=name), None))


class TestValues:
    @pytest.mark.parametrize("kind", ["float16", "float32", "float64", "object"])
    def test_any_real_type(self, kind: str) -> None:
        assert_found(monitor(a_series(NDVI.astype(kind)), None))

    def test_none_among_objects_is_no_observation(self) -> None:
        values = np.array([None if ninth else value for ninth, value in zip(EVERY_NINTH, NDVI, strict=True)], object)
        assert int(monitor(a_series(values), None)["status"]) == CONFIRMED

    @pytest.mark.parametrize("kind", ["complex128", "str"])
    def test_what_is_no_number_is_refused(self, kind: str) -> None:
        with pytest.raises(InvalidInput, match="real numbers"):
            monitor(a_series(NDVI.astype(kind)), None)
        with pytest.raises(InvalidInput, match="must hold numbers"):
            monitor(a_series(np.array(["cloudy"] * len(DATES), object)), None)

    @pytest.mark.parametrize(
        ("given", "hint"),
        [(NDVI, "build one"), (pd.Series(NDVI, DATES), "build one"), (a_series(NDVI).to_dataset(), "variables")],
    )
    def test_what_is_no_array_of_xarray_is_refused(self, given: Any, hint: str) -> None:
        with pytest.raises(InvalidInput, match=f"must be an xarray.DataArray, got {type(given).__name__}.*{hint}"):
            monitor(given, None)

    def test_a_chunked_cube_is_as_one_in_memory(self) -> None:
        pytest.importorskip("dask")
        cube = a_series(np.broadcast_to(NDVI[:, None, None], (len(DATES), 2, 3)).copy())
        xr.testing.assert_identical(monitor(cube.chunk({"time": 40, "x": 1}), None), monitor(cube, None))

    def test_masked_looks_are_no_observations(self) -> None:
        cloudy = np.ma.masked_array(np.where(EVERY_NINTH, 0.0, NDVI), mask=EVERY_NINTH)
        xr.testing.assert_identical(
            monitor(a_series(cloudy), None), monitor(a_series(np.where(EVERY_NINTH, np.nan, NDVI)), None)
        )

    def test_nothing_seen_and_nothing_changing(self) -> None:
        values = np.stack([np.full(len(DATES), np.nan), np.full(len(DATES), 0.5), np.zeros(len(DATES)), NDVI], axis=1)
        found = monitor(a_series(values), None)
        assert found["status"].values.tolist() == [CANNOT_TELL, STABLE, STABLE, CONFIRMED]

    def test_sensors_together_are_checked_alike(self) -> None:
        ndvi = a_series(NDVI, np.array([d.date() for d in DATES], object)).to_dataset()
        params = {"ndvi": SequentialParams()}
        assert int(monitor_joint({"optical": ndvi}, None, params)["status"]) == CONFIRMED
        with pytest.raises(InvalidInput, match="first dimension"):
            monitor_joint({"optical": ndvi.expand_dims(pixel=1).transpose("pixel", "time")}, None, params)


def test_one_missed_cloud_alone_in_its_season_does_not_bend_the_history() -> None:
    """As on a pixel of tropical forest: a cloud in March is the one look of the wet season.

    The curve must not follow it, or what falls in the next wet season is as expected.
    """
    months = {
        "2014-08": (16, 24), "2014-09": (1, 17), "2014-10": (3, 11, 19, 27), "2014-12": (6, 30),
        "2015-01": (7, 23, 31), "2015-02": (24,), "2015-03": (20,), "2015-06": (8,), "2015-08": (11, 19),
        "2015-09": (20,), "2015-10": (6, 22), "2015-11": (15,), "2015-12": (1, 9, 17),
    }  # fmt: skip
    days = [f"{month}-{day:02d}" for month, looks in months.items() for day in looks]
    after = ["2016-01-18", "2016-02-11", "2016-03-14", "2016-03-30", "2016-05-01", "2016-05-25"]
    values = np.r_[np.full(len(days), 0.85), np.full(len(after), 0.36)]
    values[days.index("2015-03-20")] = 0.44
    series = a_series(values, pd.to_datetime(days + after))
    found = monitor(series, None, curves=True)
    assert int(found["status"]) == CONFIRMED
    assert breaks_of(found) == [after[0]]
    told = found.sel(time="2016-03-14")
    assert float(told["expected"]) > 0.6
    assert float(told["spread"]) > 1.5 * float(found["spread"].sel(time="2015-12-17"))
