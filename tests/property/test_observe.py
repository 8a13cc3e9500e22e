"""Laws of pixels and parcels for every input."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import spyndex
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from odc.geo.geobox import GeoBox
from shapely import affinity, box

from geocollateral.errors import InvalidInput
from geocollateral.observe.cube import to_physical
from geocollateral.observe.indices import INDICES, bands_of, compute_indices
from geocollateral.observe.looks import fuse_days
from geocollateral.observe.masks import MaskParams, haze_screen
from geocollateral.observe.zonal import coverage, weighted_quantiles, zonal_statistics

GRID = GeoBox((16, 16), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
NUMBERS = hnp.arrays(np.uint16, 12, elements=st.integers(0, 65535))


def catalogue_names() -> list[str]:
    """Every name of the catalogue that our bands can feed."""
    found = []
    for name in sorted(spyndex.indices):
        try:
            bands_of(name.lower())
        except InvalidInput:
            continue
        found.append(name.lower())
    return found


FED = catalogue_names()


def read(red: np.ndarray, nir: np.ndarray, offset: float) -> xr.Dataset:
    """Two bands as a source returns them, dims (time, y, x) = (1, 1, n)."""
    dims = ("time", "y", "x")
    table = ("time", "band")
    return xr.Dataset(
        {
            "red": (dims, red[None, None], {"nodata": 0}),
            "nir": (dims, nir[None, None], {"nodata": 0}),
            "scale": (table, [[1e-4, 1e-4]]),
            "offset": (table, [[offset, offset]]),
            "status": (table, [["ok", "ok"]]),
        },
        coords={"time": np.array(["2020-06-01"], "datetime64[ns]"), "band": ["red", "nir"]},
        attrs={"crs": "EPSG:32633", "transform": (10.0, 0.0, 0.0, 0.0, -10.0, 0.0)},
    )


@given(red=NUMBERS, nir=NUMBERS, offset=st.sampled_from([0.0, -0.1]))
def test_ndvi_of_any_numbers_is_in_range_and_equals_float64(red: np.ndarray, nir: np.ndarray, offset: float) -> None:
    """Unsigned numbers, nodata, offsets (T3): never outside -1..1, and what a slow float64 version gives."""
    got = compute_indices(to_physical(read(red, nir, offset)), ["ndvi"])["ndvi"].values.ravel()
    for r, n, value in zip(red.tolist(), nir.tolist(), got.tolist(), strict=True):
        red_64, nir_64 = (max(int(number) * 1e-4 + offset, 0.0) for number in (r, n))
        if r == 0 or n == 0:
            assert np.isnan(value)
        elif red_64 + nir_64 > 1e-5:
            assert -1 <= value <= 1
            # float32 keeps seven digits of a reflectance; what that is of the sum grows as the ground gets dark.
            tolerance = max(1e-6, 1e-7 / (red_64 + nir_64))
            assert value == pytest.approx((nir_64 - red_64) / (nir_64 + red_64), abs=tolerance)


@pytest.mark.parametrize("name", sorted({*INDICES, *FED}))
def test_nan_in_is_nan_out(name: str) -> None:
    """For every index there is: a band without a value leaves the index without one, whichever band it is."""
    needed = bands_of(name)
    rng = np.random.default_rng(1)
    values = {band: rng.uniform(0.05, 0.6, len(needed) + 1).astype(np.float32) for band in needed}
    for position, band in enumerate(needed):
        values[band][position] = np.nan
    got = compute_indices(xr.Dataset({band: (("pixel",), v) for band, v in values.items()}), [name])[name].values
    assert np.isnan(got[:-1]).all()
    assert got.dtype == np.float32
    assert not np.isinf(got).any()


def test_the_catalogue_is_really_there() -> None:
    assert {"ndvi", "ndmi", "nbr", "evi"} <= set(FED)
    assert len(FED) > 150


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_scenes_and_pixels_changes_no_look(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_time, n_pixel = 8, 5
    times = np.datetime64("2020-06-01", "ns") + rng.integers(0, 5, n_time) * np.timedelta64(1, "D")
    values = np.where(rng.random((n_time, n_pixel)) < 0.2, np.nan, rng.random((n_time, n_pixel))).astype(np.float32)
    clear = rng.random((n_time, n_pixel)) < 0.7
    names = [f"s{n}" for n in range(n_time)]

    def fuse(scenes: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        cube = xr.Dataset({"ndvi": (("time", "pixel"), values[scenes][:, pixels])}, coords={"time": times[scenes]})
        got = fuse_days(cube, clear[scenes][:, pixels], [names[n] for n in scenes])
        back = np.argsort(pixels)
        return got.values["ndvi"].values[:, back], got.clear[:, back], got.scene_ids

    one = fuse(np.arange(n_time), np.arange(n_pixel))
    other = fuse(rng.permutation(n_time), rng.permutation(n_pixel))
    assert np.allclose(one[0], other[0], rtol=0, atol=1e-6, equal_nan=True)
    assert np.array_equal(one[1], other[1])
    assert one[2] == other[2]


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_haze_is_a_clear_look_only_and_order_of_pixels_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blue = (0.03 + rng.gamma(0.3, 0.03, (15, 6))).astype(np.float32)
    clear = rng.random(blue.shape) < 0.7
    order = rng.permutation(6)

    def screen(columns: np.ndarray) -> np.ndarray:
        dims = ("time", "pixel")
        cube = xr.Dataset({"blue": (dims, blue[:, columns]), "red": (dims, np.full((15, 6), 0.04, np.float32))})
        return haze_screen(cube, clear[:, columns], MaskParams())

    one = screen(np.arange(6))
    assert not (one & ~clear).any()
    assert np.array_equal(one[:, order], screen(order))


def some_parcels(rng: np.random.Generator, n: int) -> dict[str, shapely.Geometry]:
    shapes = {}
    for number in range(n):
        x, y, w, h, angle = rng.uniform([0, 0, 0.3, 0.3, 0], [14, 14, 6, 6, 180])
        ground = affinity.rotate(box(x, y, x + w, y + h), angle)
        shapes[f"p{number}"] = affinity.affine_transform(ground, list(GRID.affine.to_shapely()))
    return shapes


def statistics(shapes: dict[str, shapely.Geometry], plane: np.ndarray) -> xr.Dataset:
    cover = coverage(shapes, GRID)
    values = plane.reshape(len(plane), -1)[:, cover.pixels]
    days = np.datetime64("2020-06-01", "ns") + np.arange(len(plane)) * np.timedelta64(5, "D")
    cube = xr.Dataset({"ndvi": (("time", "pixel"), values)}, coords={"time": days})
    return zonal_statistics(cube, np.isfinite(values), cover)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_company_and_order_of_parcels_change_no_statistic(seed: int) -> None:
    rng = np.random.default_rng(seed)
    plane = np.where(rng.random((2, 16, 16)) < 0.2, np.nan, rng.random((2, 16, 16))).astype(np.float32)
    shapes = some_parcels(rng, 5)
    together = statistics(shapes, plane)
    reverse = statistics(dict(reversed(shapes.items())), plane)
    assert together.equals(reverse)
    for name, shape in shapes.items():
        assert statistics({name: shape}, plane).isel(parcel=0, drop=True).equals(together.sel(parcel=name, drop=True))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), cut=st.floats(0.1, 0.9))
def test_parts_add_up_to_the_whole(seed: int, cut: float) -> None:
    """Two halves of a parcel: areas add up, and the mean of the whole is the area-weighted mean of the halves."""
    rng = np.random.default_rng(seed)
    [whole] = some_parcels(rng, 1).values()
    left, bottom, right, top = whole.bounds
    line = left + cut * (right - left)
    halves = {
        "a": whole.intersection(box(left - 1, bottom - 1, line, top + 1)),
        "b": whole.intersection(box(line, bottom - 1, right + 1, top + 1)),
    }
    frame = box(*GRID.boundingbox.bbox)
    plane = rng.random((1, 16, 16)).astype(np.float32)
    got = statistics({"whole": whole, **halves}, plane).isel(index=0, time=0)
    area = {name: shape.intersection(frame).area for name, shape in halves.items()}
    total = sum(got["mean"].sel(parcel=name).item() * a for name, a in area.items() if a > 1e-6)
    assert got["mean"].sel(parcel="whole").item() * sum(area.values()) == pytest.approx(total, rel=1e-5)
    seen = sum(got["valid_fraction"].sel(parcel=name).item() * halves[name].area for name in halves)
    assert got["valid_fraction"].sel(parcel="whole").item() * whole.area == pytest.approx(seen, rel=1e-5)


@given(
    values=hnp.arrays(np.float64, (1, 9), elements=st.floats(-1, 1)),
    weights=hnp.arrays(np.float64, 9, elements=st.floats(0.01, 1)),
)
def test_quantiles_rise_are_seen_values_and_hold_their_share(values: np.ndarray, weights: np.ndarray) -> None:
    asked = (0.1, 0.5, 0.9)
    [got] = weighted_quantiles(values, weights, asked)
    assert list(got) == sorted(got)
    for quantile, value in zip(asked, got, strict=True):
        assert value in values
        assert weights[values[0] <= value].sum() >= quantile * weights.sum() * (1 - 1e-9)
        assert weights[values[0] < value].sum() <= quantile * weights.sum() * (1 + 1e-9)
