"""Indices against the catalogue's own library in float64."""

from __future__ import annotations

import numpy as np
import pytest
import spyndex
import xarray as xr

from geocollateral.observe.indices import CATALOGUE_BANDS, bands_of, compute_indices

NAMES = (
    "ndvi",
    "ndmi",
    "nbr",
    "evi",
    "ndwi",
    "bi",
    "mndwi",
    "savi",
    "ndbi",
    "gndvi",
    "nbr2",
    "osavi",
    "arvi",
)
SYMBOLS = {band: symbol for symbol, band in CATALOGUE_BANDS.items()}


@pytest.fixture(scope="module")
def reflectance() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(36)
    # Blue as low as land is: where EVI's denominator nears zero, nothing in float32 is near anything.
    most = {"blue": 0.1}
    return {band: rng.uniform(0.005, most.get(band, 0.8), 400).astype(np.float32) for band in SYMBOLS}


@pytest.mark.parametrize("name", NAMES)
def test_index_equals_the_catalogue_in_float64(name: str, reflectance: dict[str, np.ndarray]) -> None:
    short_name = next(known for known in spyndex.indices if known.lower() == name)
    entry = spyndex.indices[short_name]
    feeds = {
        symbol: reflectance[CATALOGUE_BANDS[symbol]].astype(np.float64)
        for symbol in entry.bands
        if symbol in CATALOGUE_BANDS
    }
    if {"S1", "S2"} & set(feeds) and "N" in feeds:
        feeds["N"] = reflectance["nir08"].astype(np.float64)
    constants = {symbol: spyndex.constants[symbol].default for symbol in entry.bands if symbol not in feeds}
    expected = spyndex.computeIndex(short_name, params={**feeds, **constants})
    cube = xr.Dataset({band: (("pixel",), values) for band, values in reflectance.items()})
    got = compute_indices(cube, [name])[name].values
    assert set(bands_of(name)) <= set(reflectance)
    assert np.allclose(got, expected, rtol=1e-5, atol=1e-6)
