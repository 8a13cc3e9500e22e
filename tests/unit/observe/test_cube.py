"""Digital numbers to physical values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from geocollateral.errors import BrokenData
from geocollateral.observe.cube import take_pixels, to_physical

TRANSFORM = (10.0, 0.0, 0.0, 0.0, -10.0, 0.0)


def numbers(
    bands: dict[str, Any],
    scale: dict[str, list[float]] | None = None,
    offset: dict[str, list[float]] | None = None,
    status: dict[str, list[str]] | None = None,
    attrs: dict[str, dict[str, Any]] | None = None,
) -> xr.Dataset:
    """As a source's ``read`` returns it; arrays have shape (time, y, x)."""
    names = list(bands)
    n_time = len(next(iter(bands.values())))

    def table(given: dict[str, list[Any]] | None, default: Any) -> tuple[tuple[str, str], np.ndarray]:
        return ("time", "band"), np.array([(given or {}).get(b, [default] * n_time) for b in names]).T

    variables = {b: (("time", "y", "x"), v, (attrs or {}).get(b, {"nodata": 0})) for b, v in bands.items()}
    return xr.Dataset(
        {**variables, "scale": table(scale, 1e-4), "offset": table(offset, 0.0), "status": table(status, "ok")},
        coords={
            "time": np.datetime64("2020-01-01", "ns") + np.arange(n_time) * np.timedelta64(5, "D"),
            "band": names,
            "scene_id": ("time", [f"s{n}" for n in range(n_time)]),
        },
        attrs={"crs": "EPSG:32633", "transform": TRANSFORM},
    )


def test_scale_and_offset_are_those_of_each_time() -> None:
    """Before and after processing baseline 04.00: the same ground, once with an offset, once without."""
    red = np.array([[[3000]], [[4000]]], np.uint16)
    got = to_physical(numbers({"red": red}, offset={"red": [0.0, -0.1]}))
    assert got["red"].dtype == np.float32
    assert np.allclose(got["red"].values.ravel(), [0.3, 0.3], rtol=0, atol=1e-7)


def test_t3_unsigned_numbers_do_not_wrap_around() -> None:
    """500 - 1000 in uint16 is 65036; as reflectance it is slightly below zero (T3)."""
    got = to_physical(numbers({"red": np.array([[[500, 1000, 65535]]], np.uint16)}, offset={"red": [-0.1]}))
    assert np.allclose(got["red"].values.ravel(), [-0.05, 0.0, 6.4535], rtol=0, atol=1e-6)


def test_t4_nodata_is_nan_and_never_zero() -> None:
    red = np.array([[[0, 3000, 3100]]], np.uint16)
    assert np.isnan(to_physical(numbers({"red": red}, offset={"red": [-0.1]}))["red"].values.ravel()).tolist() == [
        True,
        False,
        False,
    ]


def test_nodata_is_what_the_band_declares() -> None:
    red = np.array([[[0, 65535, 3100]]], np.uint16)
    got = to_physical(numbers({"red": red}, attrs={"red": {"nodata": 65535}}))["red"].values.ravel()
    assert np.isnan(got).tolist() == [False, True, False]
    floats = np.array([[[np.nan, np.inf, 0.3]]], np.float32)
    for attrs in ({"nodata": np.nan}, {}):
        got = to_physical(numbers({"red": floats}, scale={"red": [1.0]}, attrs={"red": attrs}))["red"].values.ravel()
        assert np.isnan(got).tolist() == [True, True, False]


@pytest.mark.parametrize("status", ["outside", "missing", "corrupt", "quarantined"])
def test_t37_what_was_not_read_has_no_value(status: str) -> None:
    value = np.full((2, 1, 2), 3000, np.uint16)
    scl = np.full((2, 1, 2), 4, np.uint8)
    got = to_physical(numbers({"red": value, "scl": scl}, status={"red": [status, "ok"], "scl": ["ok", status]}))
    assert np.isnan(got["red"].values).all(axis=(1, 2)).tolist() == [True, False]
    assert got["scl"].values[:, 0, 0].tolist() == [4, 0]
    assert got["scl"].dtype == np.uint8


def test_reflectance_is_not_clipped_so_that_a_wrong_offset_shows() -> None:
    got = to_physical(numbers({"red": np.array([[[200, 15000]]], np.uint16)}, offset={"red": [-0.1]}))
    assert np.allclose(got["red"].values.ravel(), [-0.08, 1.4], atol=1e-6)


def test_backscatter_in_decibel_becomes_power() -> None:
    attrs = {"vv": {"units": "dB"}, "vh": {"units": "1"}}
    bands = {"vv": np.array([[[-10.0, -20.0, 0.0]]]), "vh": np.array([[[0.1, 0.01, 1.0]]])}
    got = to_physical(numbers(bands, scale={"vv": [1.0], "vh": [1.0]}, attrs=attrs))
    assert np.allclose(got["vv"].values, [[[0.1, 0.01, 1.0]]], rtol=1e-6)
    assert np.allclose(got["vh"].values, got["vv"].values, rtol=1e-6)


def test_scaled_decibel_is_scaled_before_it_becomes_power() -> None:
    raw = np.array([[[-1000, -2000]]], np.int16)
    attrs = {"vv": {"units": "dB", "nodata": -32768}}
    assert np.allclose(to_physical(numbers({"vv": raw}, scale={"vv": [0.01]}, attrs=attrs))["vv"], [[[0.1, 0.01]]])


def test_t33_border_noise_and_zeros_are_no_backscatter() -> None:
    """The logarithm of zero is minus infinity, and strips of next to nothing would be read as water (T33)."""
    power = np.array([[[0.0, 1e-5, -0.01, np.nan, 1e-3]]], np.float32)
    decibel = np.array([[[-np.inf, -50.0, -60.0, np.nan, -30.0]]], np.float32)
    attrs = {"vv": {"units": "1"}, "vh": {"units": "dB"}}
    got = to_physical(numbers({"vv": power, "vh": decibel}, scale={"vv": [1.0], "vh": [1.0]}, attrs=attrs))
    for band in ("vv", "vh"):
        assert np.isfinite(got[band].values.ravel()).tolist() == [False, False, False, False, True]


def test_pixels_are_taken_row_by_row() -> None:
    cube = numbers({"red": np.arange(24, dtype=np.uint16).reshape(2, 3, 4)})
    got = take_pixels(cube, np.array([0, 5, 11]))
    assert got["red"].dims == ("time", "pixel")
    assert got["red"].values.tolist() == [[0, 5, 11], [12, 17, 23]]
    assert got["red"].attrs == {"nodata": 0}
    assert got["scale"].equals(cube["scale"])
    assert got["scene_id"].values.tolist() == ["s0", "s1"]


def test_values_of_pixels_are_pixels_of_values() -> None:
    cube = numbers({"red": np.arange(24, dtype=np.uint16).reshape(2, 3, 4)}, offset={"red": [0.0, -0.1]})
    taken = to_physical(take_pixels(cube, np.array([1, 7])))["red"].values
    assert np.array_equal(taken, to_physical(cube)["red"].values.reshape(2, 12)[:, [1, 7]])


def test_pixels_are_taken_from_cubes_only() -> None:
    cube = numbers({"red": np.ones((2, 1, 1), np.uint16)})
    with pytest.raises(BrokenData, match="time must not fall"):
        take_pixels(cube.isel(time=[1, 0]), np.array([0]))
