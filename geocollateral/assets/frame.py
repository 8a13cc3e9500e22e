"""Pixels of a parcel as a picture, its days as numbers, and medians that pass over what is missing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from geocollateral.types import ParcelEvidence

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def to_plane(mask: Mask, evidence: ParcelEvidence) -> tuple[Mask, NDArray[np.int64], NDArray[np.int64]]:
    """The mask, shape (pixel,), as a picture of the parcel's frame, and row and column in it of each pixel."""
    row, col = evidence.row - evidence.row.min(), evidence.col - evidence.col.min()
    plane = np.zeros((int(row.max()) + 1, int(col.max()) + 1), bool)
    plane[row, col] = mask
    return plane, row, col


def grow(mask: Mask, evidence: ParcelEvidence, pixels: int = 1) -> Mask:
    """Pixels that are masked or at most so many away from one that is (eight neighbours)."""
    plane, row, col = to_plane(mask, evidence)
    return np.asarray(ndimage.binary_dilation(plane, np.ones((3, 3)), iterations=pixels)[row, col], bool)


def mask_of(pixels: tuple[int, ...], evidence: ParcelEvidence) -> Mask:
    """Shape (pixel,), True at the positions given."""
    mask = np.zeros(len(evidence.area_m2), bool)
    mask[list(pixels)] = True
    return mask


def middle_of(values: Floats) -> Floats:
    """Median along the first axis without NaN; NaN where there is nothing. Faster than numpy's on small arrays."""
    ordered = np.sort(values, axis=0)  # NaN sorts last
    count = np.isfinite(values).sum(axis=0)
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    low, high = np.maximum((count - 1) // 2, 0)[None], np.minimum(count // 2, len(values) - 1)[None]
    middle = (np.take_along_axis(ordered, low, 0)[0] + np.take_along_axis(ordered, high, 0)[0]) / 2
    return np.where(count > 0, middle, np.nan)


def parcels_among(peers: xr.Dataset) -> xr.Dataset:
    """Peers that are parcels of the same asset class, without cells of ground on which anything may grow."""
    return peers.isel(peer=np.flatnonzero(peers["is_parcel"].values)) if "is_parcel" in peers.coords else peers


def numbers_of(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Days since 1970."""
    return days.astype("datetime64[D]").astype(np.int64)


def number_of(day: dt.date) -> int:
    """Days since 1970."""
    return int(np.datetime64(day, "D").astype(np.int64))


def date_of(day: np.datetime64 | np.int64 | int) -> dt.date:
    """The date of a day, or of a number of days since 1970."""
    whole = day.astype("datetime64[D]") if isinstance(day, np.datetime64) else np.datetime64(int(day), "D")
    date: dt.date = whole.astype(dt.date)
    return date


__all__ = ["date_of", "grow", "mask_of", "middle_of", "number_of", "numbers_of", "parcels_among", "to_plane"]
