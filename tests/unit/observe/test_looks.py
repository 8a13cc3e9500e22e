"""One look per day and pixel."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geocollateral.observe.looks import fuse_days, longitude_of, look_days


def scenes(values: list[list[float]], times: list[str]) -> xr.Dataset:
    return xr.Dataset(
        {"ndvi": (("time", "pixel"), np.array(values, np.float32))},
        coords={"time": np.array(times, "datetime64[ns]")},
    )


def test_t12_four_copies_of_a_scene_count_as_one_look() -> None:
    """Overlapping tiles of one overpass: the same mean, one date (T12)."""
    one = [[0.2, 0.8, 0.5]]
    times = ["2020-06-01T10:00:00", "2020-06-01T10:00:00", "2020-06-01T10:00:14", "2020-06-01T10:00:28"]
    got = fuse_days(scenes(one * 4, times), np.ones((4, 3), bool), ["d", "a", "c", "b"])
    assert got.values.sizes["time"] == 1
    assert np.allclose(got.values["ndvi"].values, one)
    assert got.scene_ids == ("a+b+c+d",)
    assert got.clear.tolist() == [[True, True, True]]
    assert got.values["time"].values[0] == np.datetime64("2020-06-01", "ns")


def test_parts_of_a_day_fill_each_other() -> None:
    values = [[0.2, 0.9, np.nan], [0.4, 0.6, np.nan]]
    clear = np.array([[True, False, True], [True, True, False]])
    got = fuse_days(scenes(values, ["2020-06-01T10:00", "2020-06-01T10:01"]), clear, ["a", "b"])
    assert np.allclose(got.values["ndvi"].values, [[0.3, 0.6, np.nan]], equal_nan=True, atol=1e-7)
    assert got.clear.tolist() == [[True, True, True]]


def test_unclear_values_do_not_count() -> None:
    got = fuse_days(scenes([[0.9]], ["2020-06-01T10:00"]), np.array([[False]]), ["a"])
    assert np.isnan(got.values["ndvi"].values).all()
    assert got.clear.tolist() == [[False]]


def test_days_rise_whatever_the_order_of_scenes() -> None:
    values = [[0.3], [0.1], [0.2], [0.5]]
    times = ["2020-06-03T10:00", "2020-06-01T10:00", "2020-06-02T23:59", "2020-06-03T00:00"]
    got = fuse_days(scenes(values, times), np.ones((4, 1), bool), ["c", "a", "b", "d"])
    order = [1, 3, 0, 2]
    other = fuse_days(
        scenes([values[n] for n in order], [times[n] for n in order]),
        np.ones((4, 1), bool),
        [["c", "a", "b", "d"][n] for n in order],
    )
    assert got.values.equals(other.values)
    assert got.scene_ids == other.scene_ids == ("a", "b", "c+d")
    assert np.allclose(got.values["ndvi"].values.ravel(), [0.1, 0.2, 0.4])


def test_each_index_has_its_own_gaps() -> None:
    both = scenes([[0.2], [np.nan]], ["2020-06-01T10:00", "2020-06-01T10:01"]).assign(
        ndmi=(("time", "pixel"), np.array([[np.nan], [0.4]], np.float32))
    )
    got = fuse_days(both, np.ones((2, 1), bool), ["a", "b"])
    assert np.allclose(got.values["ndvi"].values, [[0.2]])
    assert np.allclose(got.values["ndmi"].values, [[0.4]])


@pytest.mark.parametrize(
    ("longitude", "times", "days"),
    [
        pytest.param(170, ["2021-03-03T23:57", "2021-03-04T00:03"], ["2021-03-03"] * 2, id="over-midnight"),
        pytest.param(178.5, ["2021-03-03T22:30", "2021-03-04T22:30"], ["2021-03-03", "2021-03-04"], id="two-passes"),
        pytest.param(-178.5, ["2021-03-03T22:20", "2021-03-04T22:20"], ["2021-03-03", "2021-03-04"], id="west"),
        pytest.param(115, ["2021-03-03T03:00", "2021-03-03T03:01"], ["2021-03-03"] * 2, id="china"),
        pytest.param(25, ["2021-03-03T09:30", "2021-03-04T09:20"], ["2021-03-03", "2021-03-04"], id="europe"),
    ],
)
def test_t14_a_look_is_a_solar_day(longitude: float, times: list[str], days: list[str]) -> None:
    found = look_days(np.array(times, "datetime64[ns]"), longitude)
    assert found.astype(str).tolist() == days


def test_looks_of_an_overpass_parted_by_midnight_are_fused() -> None:
    times = ["2021-03-03T23:57", "2021-03-04T00:03"]
    data = scenes([[0.2], [0.4]], times)
    got = fuse_days(data, np.ones((2, 1), bool), ["a", "b"], look_days(data["time"].values, 170.0))
    assert got.values.sizes["time"] == 1
    assert got.scene_ids == ("a+b",)


def test_longitude_is_that_of_the_middle() -> None:
    block = GeoBox((10, 10), Affine(10, 0, 499_950, 0, -10, 4_000_000), "EPSG:32650")
    assert longitude_of(block) == pytest.approx(117.0, abs=1e-9)
