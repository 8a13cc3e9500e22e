"""Indices by name."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import spyndex
import xarray as xr

from geocollateral.errors import InvalidInput
from geocollateral.observe.indices import INDICES, bands_of, compute_indices

REFLECTANCE = {"blue": 0.05, "green": 0.08, "red": 0.1, "nir": 0.4, "nir08": 0.5, "swir16": 0.2, "swir22": 0.15}
"""A distinct constant per band: a wrong band cannot give the right index (T36)."""


def bands(**values: object) -> xr.Dataset:
    return xr.Dataset({k: (("time", "pixel"), np.atleast_2d(np.asarray(v, np.float32))) for k, v in values.items()})


CLOSED_FORMS = {
    "ndvi": (0.4 - 0.1) / (0.4 + 0.1),
    "ndmi": (0.5 - 0.2) / (0.5 + 0.2),
    "nbr": (0.5 - 0.15) / (0.5 + 0.15),
    "ndwi": (0.08 - 0.4) / (0.08 + 0.4),
    "mndwi": (0.08 - 0.2) / (0.08 + 0.2),
    "evi": 2.5 * (0.4 - 0.1) / (0.4 + 6 * 0.1 - 7.5 * 0.05 + 1),
    "savi": 2 * (0.4 - 0.1) / (0.4 + 0.1 + 1),  # the catalogue's own L is 1
    "bi": (0.2 + 0.1 - 0.4 - 0.05) / (0.2 + 0.1 + 0.4 + 0.05),
    "gndvi": (0.4 - 0.08) / (0.4 + 0.08),
    "ndbi": (0.2 - 0.5) / (0.2 + 0.5),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_t36_each_index_is_its_closed_form(name: str) -> None:
    expected = CLOSED_FORMS[name]
    if name == "bi":  # also mixes near and short-wave infrared: the 20 m near infrared is taken
        expected = (0.2 + 0.1 - 0.5 - 0.05) / (0.2 + 0.1 + 0.5 + 0.05)
    got = compute_indices(bands(**REFLECTANCE), [name])
    assert list(got.data_vars) == [name]
    assert got[name].dtype == np.float32
    assert got[name].values.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "offered", "expected"),
    [
        ("ndvi", None, {"nir", "red"}),
        ("ndvi", {"nir", "nir08", "red"}, {"nir", "red"}),
        ("ndmi", None, {"nir08", "swir16"}),
        ("ndmi", {"nir", "nir08", "swir16"}, {"nir08", "swir16"}),
        ("ndmi", {"nir", "swir16"}, {"nir", "swir16"}),
        ("nbr", {"nir", "nir08", "swir22"}, {"nir08", "swir22"}),
        ("vv", None, {"vv"}),
    ],
)
def test_bands_needed(name: str, offered: set[str] | None, expected: set[str]) -> None:
    assert set(bands_of(name, offered)) == expected


def test_without_the_20_m_near_infrared_the_10_m_one_serves() -> None:
    got = compute_indices(bands(nir=0.4, swir16=0.2), ["ndmi"])
    assert got["ndmi"].values.item() == pytest.approx((0.4 - 0.2) / 0.6, abs=1e-6)


def test_backscatter_is_passed_on_as_power() -> None:
    got = compute_indices(bands(vv=[0.1, 0.2], vh=[0.01, np.nan]), ["vv", "vh"])
    assert np.allclose(got["vv"].values, [[0.1, 0.2]])
    assert np.allclose(got["vh"].values, [[0.01, np.nan]], equal_nan=True)


@pytest.mark.parametrize("name", ["ndvy", "NDVI", "", "vv2"])
def test_unknown_name_says_what_is_known(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"Unknown index .*Known: .*vv.*catalogue of \d{3} spectral indices"):
        bands_of(name)


def test_a_formula_our_bands_cannot_feed_says_what_it_needs() -> None:
    with pytest.raises(InvalidInput, match=r"'kndvi' needs .*kNN"):
        bands_of("kndvi")


@pytest.mark.parametrize(("name", "symbol"), [("fai", "lambdaN"), ("nirvp", "PAR")])
def test_a_constant_without_a_value_is_told(name: str, symbol: str) -> None:
    with pytest.raises(InvalidInput, match=rf"needs .*{symbol}"):
        bands_of(name)


def test_names_of_the_catalogue_stay_apart_in_lower_case() -> None:
    """Two formulas under one name would replace each other without a word."""
    count = Counter(name.lower() for name in spyndex.indices)
    assert set(INDICES).isdisjoint(count)
    twins = {name for name, n in count.items() if n > 1}
    assert twins == {"bai", "msr705"}
    for name in twins:
        with pytest.raises(InvalidInput, match=rf"Index '{name}' could be '\w+' or '\w+'"):
            bands_of(name)
    assert set(bands_of("BAI")) == {"red", "nir"}
    assert set(bands_of("BaI")) == {"red", "swir16", "nir08"}


def test_no_finite_value_is_nan() -> None:
    got = compute_indices(bands(red=[0.0, 0.1, np.nan], nir=[0.0, np.nan, 0.3]), ["ndvi"])
    assert np.isnan(got["ndvi"].values).all()


def test_reflectance_below_zero_counts_as_zero() -> None:
    """An offset leaves dark ground slightly below zero; no index may leave its range for it."""
    got = compute_indices(bands(red=[-0.01, 0.02, -0.01], nir=[0.3, -0.005, -0.02]), ["ndvi"])
    assert np.allclose(got["ndvi"].values, [[1.0, -1.0, np.nan]], equal_nan=True)


def test_dims_coordinates_and_attributes_are_kept() -> None:
    cube = bands(red=[0.1], nir=[0.4]).assign_coords(time=[np.datetime64("2020-01-01", "ns")]).assign_attrs(crs="x")
    got = compute_indices(cube, ["ndvi"])
    assert got["ndvi"].dims == ("time", "pixel")
    assert got["time"].equals(cube["time"])
    assert got.attrs == {"crs": "x"}
