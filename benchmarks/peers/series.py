"""The series that baselines get: means of parcels, and of squares of 3 x 3 pixels inside stands.

The same looks and the same masks as our own methods see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

SIDE = 3
"""Pixels along a square: 0.09 ha, a Landsat pixel, for which most of the baselines were made."""
MIN_PIXELS = 5
"""Pixels of the parcel that a square must hold."""
INSIDE = 0.5
"""Covered share from which a pixel belongs to the parcel."""
MIN_CLEAR = 0.5
"""Clear share of a parcel or square from which a look counts, as for our own methods."""
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")


@dataclass(frozen=True, kw_only=True)
class PeerSeries:
    """Series of one block. Arrays are ``(time, series, band)`` float32 reflectance; NaN = no look that counts."""

    days: NDArray[np.datetime64]
    parcels: tuple[str, ...]
    parcel_values: NDArray[np.float32]
    square_parcel: NDArray[np.int64]
    """Position of the parcel that each square lies in."""
    square_values: NDArray[np.float32]


def squares_of(
    fraction: csr_array, rows: NDArray[np.int64], columns: NDArray[np.int64], wanted: Sequence[int]
) -> tuple[csr_array, NDArray[np.int64]]:
    """Squares of pixels inside some parcels: ``(square, pixel)`` of ones, and the parcel of each.

    Parameters
    ----------
    fraction
        ``(parcel, pixel)`` covered share of each pixel.
    rows, columns
        Shape (pixel,): place of each pixel in the grid.
    wanted
        Positions of the parcels.
    """
    members: list[NDArray[np.int64]] = []
    owner: list[int] = []
    for parcel in wanted:
        part = slice(fraction.indptr[parcel], fraction.indptr[parcel + 1])
        pixels = fraction.indices[part][fraction.data[part] >= INSIDE]
        place = (rows[pixels] // SIDE) * 1_000_000 + columns[pixels] // SIDE
        for square in np.unique(place):
            own = pixels[place == square]
            if len(own) >= MIN_PIXELS:
                members.append(own.astype(np.int64))
                owner.append(int(parcel))
    indptr = np.concatenate([[0], np.cumsum([len(m) for m in members])]).astype(np.int64)
    columns_of = np.concatenate([*members, np.zeros(0, np.int64)])
    ones = csr_array((np.ones(len(columns_of)), columns_of, indptr), shape=(len(members), fraction.shape[1]))
    return ones, np.array(owner, np.int64)


def means(bands: Iterable[NDArray[np.floating]], weights: csr_array, whole: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weighted means of pixels, ``(time, series, band)``; NaN where less than `MIN_CLEAR` of the series was seen.

    Parameters
    ----------
    bands
        Each ``(time, pixel)``, NaN = not seen clearly.
    weights
        ``(series, pixel)``.
    whole
        Shape (series,): weight of a series seen wholly.
    """
    out = []
    for values in bands:
        seen = np.isfinite(values)
        weight = weights @ seen.T.astype(np.float32)
        total = weights @ np.where(seen, values, 0).T.astype(np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            out.append(np.where(weight >= MIN_CLEAR * whole[:, None], total / weight, np.nan).T)
    return np.stack(out, axis=-1).astype(np.float32)


def index_of(values: NDArray[np.float32], name: str, names: Sequence[str] = BANDS) -> NDArray[np.float32]:
    """Normalised difference of means: ``ndvi``, ``ndmi`` or ``nbr``, without the band axis."""
    pair: Mapping[str, tuple[str, str]] = {
        "ndvi": ("nir", "red"),
        "ndmi": ("nir", "swir16"),
        "nbr": ("nir", "swir22"),
    }
    a, b = (values[..., list(names).index(band)] for band in pair[name])
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float32] = (a - b) / (a + b)
    return found
