"""The series that baselines get: means of parcels, and of squares of 3 x 3 pixels inside stands.

The same looks and the same masks as our own methods see.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
SCALE, HIDDEN = 1e-4, -32768
"""Step of the reflectance kept, and the number of what was not seen."""
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")


@dataclass(frozen=True, kw_only=True)
class PeerSeries:
    """Series of some blocks. Values are ``(time, series, band)`` float32 reflectance; NaN = no look that counts."""

    bands: tuple[str, ...]
    """Those of `BANDS` that were kept: what no asset class reads is not there."""
    days: NDArray[np.datetime64]
    parcels: NDArray[np.str_]
    parcel_values: NDArray[np.float32]
    squares: NDArray[np.str_]
    """Parcel that each square lies in."""
    square_values: NDArray[np.float32]


def of_kept_block(home: Path, stands: Collection[str]) -> PeerSeries:
    """Series of a block from the folder that ``geocollateral.kept_looks`` wrote.

    Parameters
    ----------
    stands
        Parcels that are cut into squares.
    """
    about = json.loads((home / "whole.json").read_text(encoding="utf-8"))
    packed = np.load(home / "optical.npy", mmap_mode="r")
    with np.load(home / "cover.npz") as cover:
        parcels, whole, row, col = cover["parcels"], cover["whole"], cover["row"], cover["col"]
        shape = (len(parcels), len(row))
        fraction = csr_array((cover["shares"], cover["pixels"], cover["starts"]), shape=shape)
    wanted = [n for n, parcel_id in enumerate(parcels.tolist()) if parcel_id in stands]
    squares, owner = squares_of(fraction, row, col, wanted)
    values: list[list[NDArray[np.float32]]] = [[], []]
    bands = tuple(band for band in BANDS if band in about["bands"])
    for band in bands:  # one at a time: a block is large
        numbers = packed[about["bands"].index(band)]
        seen = np.where(numbers == HIDDEN, np.nan, numbers * np.float32(SCALE)).astype(np.float32)
        values[0].append(means([seen], fraction, whole))
        values[1].append(means([seen], squares, np.asarray(squares.sum(axis=1)).ravel()))
    return PeerSeries(
        bands=bands,
        days=np.array(about["days"], "datetime64[D]"),
        parcels=parcels,
        parcel_values=np.concatenate(values[0], axis=-1),
        squares=parcels[owner],
        square_values=np.concatenate(values[1], axis=-1),
    )


def joined(parts: Sequence[PeerSeries]) -> PeerSeries:
    """Series of several blocks on all their days."""
    days = np.unique(np.concatenate([part.days for part in parts]))

    def spread(values: NDArray[np.float32], own: NDArray[np.datetime64]) -> NDArray[np.float32]:
        out = np.full((len(days), *values.shape[1:]), np.nan, np.float32)
        out[np.searchsorted(days, own)] = values
        return out

    return PeerSeries(
        bands=parts[0].bands,
        days=days,
        parcels=np.concatenate([part.parcels for part in parts]),
        parcel_values=np.concatenate([spread(part.parcel_values, part.days) for part in parts], axis=1),
        squares=np.concatenate([part.squares for part in parts]),
        square_values=np.concatenate([spread(part.square_values, part.days) for part in parts], axis=1),
    )


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
