"""Spectral indices by name: our own functions first, else the catalogue that ``spyndex`` ships.

A function registered here names the bands it needs as arguments and gets float32 arrays; NaN in, NaN out. A lower-case
name of the catalogue (``ndvi``, ``ndmi``, ``nbr`` ...) works without further ado if our bands can feed its formula.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import cache

import numpy as np
import spyndex
import xarray as xr
from numpy.typing import NDArray

from geocollateral.errors import InvalidInput
from geocollateral.registry import Registry
from geocollateral.types import OPTICAL_BANDS

IndexFunction = Callable[..., NDArray[np.float32]]
INDICES: Registry[IndexFunction] = Registry("index")

CATALOGUE_BANDS: dict[str, str] = {
    "A": "coastal",
    "B": "blue",
    "G": "green",
    "R": "red",
    "RE1": "rededge071",
    "RE2": "rededge075",
    "RE3": "rededge078",
    "N": "nir",
    "N2": "nir08",
    "WV": "nir09",
    "S1": "swir16",
    "S2": "swir22",
    "VV": "vv",
    "VH": "vh",
}
"""Band symbol of the catalogue to our band name."""


@INDICES.register("vv")
def vv(vv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Co-polarised backscatter, linear power [1]: averaged as such, shown in dB."""
    return vv


@INDICES.register("vh")
def vh(vh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cross-polarised backscatter, linear power [1]: averaged as such, shown in dB."""
    return vh


def bands_of(name: str, offered: Collection[str] | None = None) -> tuple[str, ...]:
    """Bands an index needs.

    A formula that mixes the near infrared with a 20 m short-wave band takes the 20 m near infrared (B8A) where it is
    offered: with the 10 m band the two would see different ground, and every edge would show a change that is none.

    Parameters
    ----------
    offered
        Bands there are; None for all.

    Raises
    ------
    InvalidInput
        Neither registered nor in the catalogue, or its formula needs what our bands cannot feed.
    """
    if name in INDICES:
        return tuple(inspect.signature(INDICES[name]).parameters)
    return tuple(_feeds(name, offered).values())


def _feeds(name: str, offered: Collection[str] | None) -> dict[str, str]:
    """Band symbol of the catalogue's formula to the band that feeds it."""
    symbols = _catalogue_entry(name).bands
    foreign = [symbol for symbol in symbols if symbol not in CATALOGUE_BANDS and not _has_default(symbol)]
    if foreign:
        raise InvalidInput(
            f"Index {name!r} needs {foreign}, which neither our bands nor the catalogue's constants give."
        )
    feeds = {symbol: CATALOGUE_BANDS[symbol] for symbol in symbols if symbol in CATALOGUE_BANDS}
    if "N" in feeds and {"S1", "S2"} & set(feeds) and (offered is None or "nir08" in offered):
        feeds["N"] = "nir08"
    return feeds


def _has_default(symbol: str) -> bool:
    """Whether the catalogue knows a constant's value; wavelengths and radiation differ by sensor and day."""
    return symbol in spyndex.constants and spyndex.constants[symbol].default is not None


def compute_indices(bands: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """One float32 variable per index.

    Parameters
    ----------
    bands
        Reflectance or linear backscatter by band name, any dims.
    names
        Index names, lower case.

    Returns
    -------
    NaN where a band is NaN or the formula has no finite value.
    """
    return xr.Dataset({name: _compute(bands, name) for name in names}, attrs=bands.attrs)


def formula_of(name: str, offered: Collection[str] | None = None) -> str | None:
    """Formula of an optical index in our names of bands, such as ``(nir-red)/(nir+red)``, for services that compute.

    None for an index of our own, which is code, and for one of radar.

    Raises
    ------
    InvalidInput
        As `bands_of`.
    """
    if name in INDICES:
        return None
    feeds = _feeds(name, offered)
    if not set(feeds.values()) <= set(OPTICAL_BANDS):
        return None

    def word(match: re.Match[str]) -> str:
        symbol = match[0]
        return feeds[symbol] if symbol in feeds else repr(float(spyndex.constants[symbol].default))

    return re.sub(r"[A-Za-z_]\w*", word, _catalogue_entry(name).formula)


def _compute(bands: xr.Dataset, name: str) -> xr.DataArray:
    needed = bands_of(name, set(map(str, bands.data_vars)))
    with np.errstate(divide="ignore", invalid="ignore"):
        if name in INDICES:
            values = INDICES[name](**{band: _values(bands, band) for band in needed})
        else:
            entry = _catalogue_entry(name)
            feeds = {
                symbol: _values(bands, band)
                for symbol, band in zip(_feeds(name, set(map(str, bands.data_vars))), needed, strict=True)
            }
            constants = {symbol: spyndex.constants[symbol].default for symbol in entry.bands if symbol not in feeds}
            values = spyndex.computeIndex(entry.short_name, params={**feeds, **constants})
    values = np.where(np.isfinite(values), values, np.nan).astype(np.float32)
    return bands[needed[0]].copy(data=values).rename(name)


def _values(bands: xr.Dataset, band: str) -> NDArray[np.float32]:
    """Values of a band. Reflectance below zero, which an offset leaves over dark ground, counts as zero.

    Products before processing baseline 04.00 were cut off there too; kept, it would drive ratios out of their range.
    """
    values = bands[band].values
    return np.maximum(values, values.dtype.type(0)) if band in OPTICAL_BANDS else values


@cache
def _catalogue() -> dict[str, spyndex.axioms.SpectralIndex]:
    # Two names differ in case only (BAI, burned area, and BaI, bareness): these keep their own spelling.
    count = Counter(short_name.lower() for short_name in spyndex.indices)
    return {name if count[name.lower()] > 1 else name.lower(): entry for name, entry in spyndex.indices.items()}


def _catalogue_entry(name: str) -> spyndex.axioms.SpectralIndex:
    try:
        return _catalogue()[name]
    except KeyError:
        twins = sorted(known for known in _catalogue() if known.lower() == name.lower() and known != name.lower())
        if twins:
            raise InvalidInput(f"Index {name!r} could be {' or '.join(map(repr, twins))}: spell it out.") from None
        raise InvalidInput(
            f"{INDICES.explain_unknown(name)} The catalogue of {len(_catalogue())} spectral indices has none of that "
            "name either (lower case, e.g. 'ndvi', 'ndmi', 'nbr')."
        ) from None
