"""``monitor``: what it accepts, what it returns, and what it says of planted changes."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geocollateral.change import METHODS, default_params, monitor
from geocollateral.change.evidence import SequentialParams
from geocollateral.change.history import history_ends
from geocollateral.change.monitor import BACKSCATTER_DB
from geocollateral.change.streams import Looks
from geocollateral.errors import InvalidInput
from geocollateral.types import CANNOT_TELL, CHANGE_STATUSES, CONFIRMED, STABLE, SUSPECTED, UNSTABLE_HISTORY

START, YEARS = np.datetime64("2017-01-05"), 4
DATES = np.arange(START, START + 365 * YEARS, 10).astype("datetime64[ns]")
EVENT = np.datetime64("2019-06-15")
FOREST = SequentialParams(direction="down", changed_level=0.55, min_magnitude=0.12)


def a_series(values: np.ndarray, dates: np.ndarray = DATES, name: str = "ndvi", units: str = "1") -> xr.DataArray:
    dims = ("time", "pixel")[: np.ndim(values)]
    return xr.DataArray(values, dims=dims, coords={"time": dates}, name=name, attrs={"units": units})


def flat(level: float = 0.8, noise: float = 0.02, seed: int = 0, dates: np.ndarray = DATES) -> np.ndarray:
    return level + np.random.default_rng(seed).normal(0, noise, len(dates))


def deciduous(dates: np.ndarray = DATES, seed: int = 0) -> np.ndarray:
    """Leafless 0.5, in leaf 0.9; leaves from day 118 to day 285."""
    doy = pd.DatetimeIndex(dates).day_of_year.to_numpy()
    leaf = 1 / (1 + np.exp(-(doy - 118) / 5)) - 1 / (1 + np.exp(-(doy - 285) / 8))
    return 0.5 + 0.4 * leaf + np.random.default_rng(seed).normal(0, 0.02, len(dates))


def day(found: xr.Dataset, name: str) -> np.datetime64:
    return found[name].values.astype("datetime64[D]")[()]


def status(found: xr.Dataset) -> str:
    return CHANGE_STATUSES[int(found["status"])]


class TestInput:
    def test_time_must_come_first(self) -> None:
        with pytest.raises(InvalidInput, match="first dimension"):
            monitor(xr.DataArray(np.zeros((2, len(DATES))), dims=("pixel", "time"), coords={"time": DATES}), None)

    def test_time_needs_dates(self) -> None:
        with pytest.raises(InvalidInput, match="datetime64"):
            monitor(xr.DataArray(np.zeros(3), dims="time"), None)
        with pytest.raises(InvalidInput, match="datetime64"):
            monitor(xr.DataArray(np.zeros(3), dims="time", coords={"time": [1, 2, 3]}), None)

    def test_two_values_of_a_day_are_refused(self) -> None:
        twice = np.array(["2020-01-01T10:00", "2020-01-02T10:00", "2020-01-01T11:00"], "datetime64[ns]")
        with pytest.raises(InvalidInput, match="more than one value for 2020-01-01"):
            monitor(a_series(np.zeros(3), twice), None)

    def test_unknown_method(self) -> None:
        with pytest.raises(InvalidInput, match="sequential"):
            monitor(a_series(flat()), None, method="crystal_ball")

    def test_parameters_of_another_method(self) -> None:
        with pytest.raises(InvalidInput, match="SequentialParams"):
            monitor(a_series(flat()), None, params={"harmonics": 1})  # type: ignore[arg-type]

    def test_no_time_at_all(self) -> None:
        found = monitor(a_series(np.zeros((0, 2)), DATES[:0]), None)
        assert found["status"].values.tolist() == [CANNOT_TELL, CANNOT_TELL]
        assert np.isnat(found["break_date"].values).all()

    @pytest.mark.parametrize("end", ["2018-12-31", dt.date(2018, 12, 31), pd.Timestamp("2018-12-31T10:00")])
    def test_history_end_in_any_form(self, end: object) -> None:
        values = flat()
        values[EVENT <= DATES] -= 0.4
        assert day(monitor(a_series(values), end), "break_date") == np.datetime64("2019-06-24")  # type: ignore[arg-type]

    def test_defaults_follow_the_unit(self) -> None:
        assert default_params(a_series(flat(), units="dB")).model_dump().items() >= BACKSCATTER_DB.items()
        assert default_params(a_series(flat())).min_magnitude == 0.12
        assert list(METHODS) == ["sequential"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("harmonics", 5), ("huber", 0), ("confirm_looks", 0), ("direction", "sideways"), ("knob", 1)],
    )
    def test_knobs_have_bounds(self, name: str, value: object) -> None:
        with pytest.raises(ValueError, match=name):
            SequentialParams.model_validate({name: value})


class TestOutput:
    def test_shape_and_flags(self) -> None:
        cube = xr.DataArray(
            np.broadcast_to(flat()[:, None, None], (len(DATES), 2, 3)),
            dims=("time", "y", "x"),
            coords={"time": DATES, "y": [1.0, 2.0], "x": [1.0, 2.0, 3.0]},
            name="ndvi",
        )
        found = monitor(cube, None, curves=True)
        assert found["status"].dims == ("y", "x")
        assert found["status"].dtype == np.int8
        assert found["status"].attrs["flag_meanings"].split() == list(CHANGE_STATUSES)
        assert found["expected"].dims == ("time", "y", "x")
        assert found["x"].values.tolist() == [1, 2, 3]
        assert found.attrs == {"index": "ndvi", "method": "sequential"}

    def test_curves_come_back_in_the_order_given(self) -> None:
        values = deciduous()
        straight = monitor(a_series(values), None, curves=True)
        backwards = monitor(a_series(values[::-1], DATES[::-1]), None, curves=True)
        np.testing.assert_array_equal(backwards["expected"].values[::-1], straight["expected"].values)

    def test_the_input_is_left_alone(self) -> None:
        values = flat()
        values[3] = np.inf
        before = values.copy()
        monitor(a_series(values), None)
        np.testing.assert_array_equal(values, before)


class TestHistory:
    @pytest.mark.parametrize(
        ("days", "end", "n_history", "adequate"),
        [
            pytest.param(np.arange(0, 400, 40), None, 10, True, id="nine looks reached first, then 330 days"),
            pytest.param(np.arange(0, 800, 100), None, 0, False, id="too few looks"),
            pytest.param(np.arange(0, 1000, 100), None, 9, True, id="330 days reached first, then nine looks"),
            pytest.param(np.arange(0, 100, 5), None, 0, False, id="too short"),
            pytest.param(np.arange(0, 1000, 40), 500, 13, True, id="given end"),
            pytest.param(np.arange(0, 1000, 40), 200, 0, False, id="given end too early"),
        ],
    )
    def test_shortest_beginning(self, days: np.ndarray, end: int | None, n_history: int, adequate: bool) -> None:
        inside = days[days <= end] if end is not None else days
        looks = Looks(days=inside.astype(np.int32), values=np.ones((1, len(inside), 1), np.float32))
        found = history_ends(looks, np.arange(1), end, SequentialParams())[0]
        assert found == (inside[n_history - 1] if adequate else -1)

    def test_gaps_do_not_count(self) -> None:
        days = np.arange(0, 1000, 40, dtype=np.int32)
        values = np.ones((1, len(days), 2), np.float32)
        values[:, :5, 1] = np.nan
        ends = history_ends(Looks(days=days, values=values), np.arange(2), None, SequentialParams())
        assert ends[1] == ends[0] + 5 * 40

    def test_a_change_inside_the_history_makes_it_unstable(self) -> None:
        values = flat()
        values[(np.datetime64("2017-09-01") <= DATES) & (np.datetime64("2017-11-20") > DATES)] -= 0.5
        found = monitor(a_series(values), "2018-12-31")
        assert status(found) == "unstable_history"
        assert np.isnat(day(found, "break_date"))
        assert np.isnan(found["probability"])

    def test_one_year_of_looks_cannot_tell(self) -> None:
        short = DATES[:30]
        found = monitor(a_series(flat(dates=short), short), None, curves=True)
        assert status(found) == "cannot_tell"
        assert np.isnan(found["expected"].values).all()

    def test_nothing_after_the_history_cannot_tell(self) -> None:
        assert status(monitor(a_series(flat()), "2030-01-01")) == "cannot_tell"


class TestPlanted:
    @pytest.mark.parametrize("direction", ["down", "both"])
    def test_step_is_found_and_dated(self, direction: str) -> None:
        values = flat()
        values[EVENT <= DATES] -= 0.4
        found = monitor(a_series(values), None, params=SequentialParams(direction=direction))  # type: ignore[arg-type]
        assert status(found) == "confirmed"
        assert day(found, "last_clear_before") == np.datetime64("2019-06-14")
        assert day(found, "break_date") == np.datetime64("2019-06-24")
        assert day(found, "detected_on") == np.datetime64("2019-07-14")
        assert float(found["magnitude"]) == pytest.approx(-0.4, abs=0.05)
        assert float(found["probability"]) > 0.9
        assert np.isnat(day(found, "recovered_on"))

    @pytest.mark.parametrize(
        ("direction", "expected"), [("down", "stable"), ("up", "confirmed"), ("both", "confirmed")]
    )
    def test_rise(self, direction: str, expected: str) -> None:
        values = flat(0.4)
        values[EVENT <= DATES] += 0.4
        found = monitor(a_series(values), None, params=SequentialParams(direction=direction))  # type: ignore[arg-type]
        assert status(found) == expected

    @pytest.mark.parametrize("length", [1, 2])
    def test_spike_is_no_break(self, length: int) -> None:
        values = flat()
        first = int(np.argmax(EVENT <= DATES))
        values[first : first + length] -= 0.6
        found = monitor(a_series(values), None)
        assert status(found) == "stable"
        assert float(found["probability"]) < 0.05

    def test_newest_looks_are_a_suspicion(self) -> None:
        values = flat()
        values[-2:] -= 0.5
        found = monitor(a_series(values), None)
        assert status(found) == "suspected"
        assert day(found, "break_date") == DATES[-2].astype("datetime64[D]")
        assert np.isnat(day(found, "detected_on"))
        assert 0.05 < float(found["probability"]) < 1

    def test_gap_widens_the_interval(self) -> None:
        values = flat()
        values[EVENT <= DATES] -= 0.4
        values[(np.datetime64("2019-04-01") <= DATES) & (np.datetime64("2019-09-01") > DATES)] = np.nan
        found = monitor(a_series(values), None)
        assert day(found, "last_clear_before") < np.datetime64("2019-04-01")
        assert day(found, "break_date") >= np.datetime64("2019-09-01")

    def test_one_miss_among_the_hits_is_tolerated(self) -> None:
        values = flat()
        after = np.flatnonzero(EVENT <= DATES)
        values[after] -= 0.4
        values[after[1]] += 0.4
        found = monitor(a_series(values), None)
        assert status(found) == "confirmed"
        assert day(found, "break_date") == DATES[after[0]].astype("datetime64[D]")
        assert day(found, "detected_on") == DATES[after[4]].astype("datetime64[D]")

    def test_opposite_departures_do_not_confirm(self) -> None:
        values = flat(0.5)
        after = np.flatnonzero(EVENT <= DATES)[:6]
        values[after] += np.where(np.arange(6) % 2, 0.4, -0.4)
        assert status(monitor(a_series(values), None)) == "stable"

    @pytest.mark.parametrize(("every", "expected"), [(None, "confirmed"), (8, "stable")])
    def test_three_departures_are_common_where_one_look_in_eight_departs(
        self, every: int | None, expected: str
    ) -> None:
        """A cloud mask that leaks: what the history shows again and again is no news."""
        values = flat()
        if every is not None:
            values[: np.searchsorted(DATES, EVENT) : every] -= 0.4
        after = np.flatnonzero(EVENT <= DATES)[:3]
        values[after] -= 0.4
        found = monitor(a_series(values), "2019-03-31")
        assert status(found) == expected

    def test_recovery_is_dated_by_its_first_look(self) -> None:
        values = flat()
        values[(EVENT <= DATES) & (np.datetime64("2020-03-01") > DATES)] -= 0.4
        found = monitor(a_series(values), None)
        assert status(found) == "confirmed"
        assert np.datetime64("2020-03-01") <= day(found, "recovered_on") < np.datetime64("2020-03-12")

    @pytest.mark.parametrize(("step", "expected"), [(-6.0, "confirmed"), (0.5, "stable"), (-0.5, "stable")])
    def test_backscatter(self, step: float, expected: str) -> None:
        values = flat(-14.0, 0.8)
        values[EVENT <= DATES] += step
        assert status(monitor(a_series(values, name="vh", units="dB"), None)) == expected


class TestLeaflessSeason:
    """A stand felled in winter looks like any leafless stand until its leaves fail to come."""

    FELLED = np.datetime64("2019-01-10")

    def felled(self) -> np.ndarray:
        values = deciduous()
        after = self.FELLED <= DATES
        values[after] = 0.35 + np.random.default_rng(9).normal(0, 0.02, int(after.sum()))
        return values

    def test_winter_looks_are_uninformative(self) -> None:
        found = monitor(a_series(deciduous()), None, params=FOREST, curves=True)
        informative = found["informative"].to_series()
        assert not informative[informative.index.month.isin([12, 1, 2, 3])]["2018-06":].any()
        assert informative[informative.index.month.isin([6, 7, 8])]["2018-06":].all()
        assert status(found) == "stable"
        assert pd.Timestamp(day(found, "last_informative")).month in (9, 10, 11)

    @pytest.mark.parametrize("until", ["2019-01-31", "2019-03-31", "2019-04-15"])
    def test_nothing_is_said_before_leaf_out(self, until: str) -> None:
        part = np.datetime64(until) >= DATES
        found = monitor(a_series(self.felled()[part], DATES[part]), None, params=FOREST)
        assert int(found["status"]) == STABLE
        assert day(found, "last_informative") < self.FELLED

    def test_dated_between_the_last_leaves_and_the_missing_ones(self) -> None:
        found = monitor(a_series(self.felled()), None, params=FOREST)
        assert int(found["status"]) == CONFIRMED
        assert day(found, "last_clear_before") < self.FELLED < day(found, "break_date")
        assert day(found, "detected_on") < np.datetime64("2019-07-15")

    def test_only_winter_looks_after_the_history_cannot_tell(self) -> None:
        part = np.datetime64("2019-02-28") >= DATES
        found = monitor(a_series(deciduous()[part], DATES[part]), "2018-11-30", params=FOREST)
        assert int(found["status"]) == CANNOT_TELL

    def test_a_half_changed_look_neither_clears_nor_dates(self) -> None:
        """After a felling, a look too slight for a hit must not pass as the last look with the stand in place."""
        values = flat(0.9)
        after = np.flatnonzero(EVENT <= DATES)
        values[after] = 0.40
        values[after[0]] = 0.70  # more than half of the way to cleared ground, within the limit
        params = FOREST.model_copy(update={"min_magnitude": 0.25})
        found = monitor(a_series(values), None, params=params)
        assert int(found["status"]) == CONFIRMED
        assert day(found, "last_clear_before") == DATES[after[0] - 1].astype("datetime64[D]")
        assert day(found, "break_date") == DATES[after[1]].astype("datetime64[D]")

    def test_slight_early_hits_do_not_date_the_break(self) -> None:
        values = flat(0.9)
        after = np.flatnonzero(EVENT <= DATES)
        values[after[0]] = 0.68  # a dry week
        values[after[1:]] = 0.40
        kept = monitor(a_series(values), None, params=FOREST.model_copy(update={"full_share": 0.0}))
        found = monitor(a_series(values), None, params=FOREST)
        assert day(kept, "break_date") == DATES[after[0]].astype("datetime64[D]")
        assert day(found, "break_date") == DATES[after[1]].astype("datetime64[D]")
        assert day(found, "last_clear_before") == DATES[after[0]].astype("datetime64[D]")
        assert day(found, "detected_on") == day(kept, "detected_on")


def test_statuses_are_those_of_the_contract() -> None:
    found = [CHANGE_STATUSES[n] for n in (STABLE, SUSPECTED, CONFIRMED, UNSTABLE_HISTORY, CANNOT_TELL)]
    assert found == ["stable", "suspected", "confirmed", "unstable_history", "cannot_tell"]


@pytest.mark.parametrize("felled_on", ["2018-05-20", "2018-07-01", "2018-08-15", "2018-10-01", "2018-11-15"])
@pytest.mark.parametrize("seed", range(3))
def test_a_felling_in_the_baseline_year_is_never_dated_after_it(felled_on: str, seed: int) -> None:
    """The baseline takes up the step, and a later season breaks: the interval must still reach back to the felling."""
    time = pd.date_range("2018-01-04", "2021-12-30", freq="10D")
    season = 0.7 + 0.2 * np.cos(2 * np.pi * (time.day_of_year.to_numpy() - 200) / 365.25)
    noise = np.random.default_rng(seed).normal(0, 0.02, len(time))
    values = np.where(time < pd.Timestamp(felled_on), season, 0.45) + noise
    series = xr.DataArray(values, dims=("time",), coords={"time": time}, name="ndvi")
    params = SequentialParams(direction="down", changed_level=0.55, min_magnitude=0.12)
    found = monitor(series, None, params=params)
    if int(found["status"]) == CONFIRMED:
        # A month of grace: around leaf-out and leaf fall a stand's own value is near that of cleared ground.
        assert pd.Timestamp(found["last_clear_before"].values) <= pd.Timestamp(felled_on) + pd.Timedelta("30D")


def test_a_hit_of_last_autumn_does_not_date_a_felling_of_spring() -> None:
    """One low look in October, none through the winter, three in May: the stand fell somewhere in between."""
    time = pd.date_range("2016-01-05", "2018-09-30", freq="10D")
    values = np.where(np.isin(time.month, [11, 12, 1, 2, 3]), np.nan, 0.85)
    values = values + np.random.default_rng(0).normal(0, 0.01, len(time))
    values[(time.year == 2017) & (time.month == 10) & (time.day > 20)] = 0.4
    values[time >= pd.Timestamp("2018-04-01")] = 0.4
    series = xr.DataArray(values, dims=("time",), coords={"time": time}, name="ndvi")
    found = monitor(series, "2017-06-30", params=SequentialParams(direction="down", changed_level=0.55))
    assert int(found["status"]) == CONFIRMED
    assert pd.Timestamp(found["break_date"].values) == time[time >= pd.Timestamp("2018-04-01")][0]
    assert pd.Timestamp(found["last_clear_before"].values) < pd.Timestamp("2017-10-21")
