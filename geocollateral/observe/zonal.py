"""Parcel statistics weighted by how much of each pixel a parcel covers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy import ndimage
from scipy.sparse import csr_array
from shapely.geometry.base import BaseGeometry

from geocollateral.errors import BrokenData

QUANTILES: tuple[float, ...] = (0.1, 0.5, 0.9)
FULL_PIXEL = 1 - 1e-6
"""Coverage from which a pixel counts as wholly inside [1]."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of each pixel each parcel covers, computed once per block."""

    parcel_ids: tuple[str, ...]
    pixels: NDArray[np.int64]
    """Shape (pixel,): positions in the block's flattened plane, row by row; only pixels that some parcel touches."""
    fraction: csr_array
    """Shape (parcel, pixel): covered share of the pixel [0-1]."""
    whole: NDArray[np.float64]
    """Shape (parcel,): pixels' worth of the whole parcel, the part outside the block included [pixels]."""

    @property
    def inside(self) -> NDArray[np.float64]:
        """Shape (parcel,): share of each parcel that lies inside the block [0-1]."""
        return np.asarray(self.fraction.sum(axis=1)).ravel() / self.whole

    @property
    def n_full(self) -> NDArray[np.int64]:
        """Shape (parcel,): pixels wholly inside each parcel."""
        full: NDArray[np.int64] = np.diff(csr_array(self.fraction >= FULL_PIXEL).indptr)
        return full


def coverage(geometries: Mapping[str, BaseGeometry], geobox: GeoBox) -> Coverage:
    """Exact covered shares of the pixels of a block.

    Parameters
    ----------
    geometries
        Parcels by id, in the CRS of ``geobox``.
    """
    ids = tuple(sorted(geometries))
    box = geobox.boundingbox
    plane = np.zeros(geobox.shape, np.uint8)
    if geobox.crs is None:
        raise BrokenData("the block has no CRS")
    wkt = geobox.crs.to_wkt()
    raster = NumPyRasterSource(plane, box.left, box.bottom, box.right, box.top, srs_wkt=wkt)
    frame = gpd.GeoDataFrame({"parcel_id": list(ids)}, geometry=[geometries[i] for i in ids], crs=wkt)
    rows = exact_extract(raster, frame, ["cell_id", "coverage"], include_cols=["parcel_id"], output="pandas")
    cells = [np.asarray(c, np.int64) for c in rows["cell_id"]]
    shares = [np.asarray(c, np.float64) for c in rows["coverage"]]
    pixels, columns = np.unique(np.concatenate([*cells, np.array([], np.int64)]), return_inverse=True)
    indptr = np.concatenate([[0], np.cumsum([len(c) for c in cells])])
    fraction = csr_array((np.concatenate([*shares, np.array([])]), columns, indptr), shape=(len(ids), len(pixels)))
    pixel_area = abs(geobox.resolution.x * geobox.resolution.y)
    whole = np.array([geometries[i].area / pixel_area for i in ids])
    return Coverage(parcel_ids=ids, pixels=pixels, fraction=fraction, whole=whole)


def zonal_statistics(indices: xr.Dataset, clear: NDArray[np.bool_], cover: Coverage) -> xr.Dataset:
    """Weighted statistics of each index over the clear part of each parcel, per look.

    Parameters
    ----------
    indices
        Dims ``(time, pixel)``, the pixels of ``cover``.
    clear
        Shape (time, pixel), True = clear.

    Returns
    -------
    Dims ``(index, time, parcel)``: ``mean`` (the mean of the index, not the index of means), ``p10``, ``p50``, ``p90``
    (weighted, smallest value at or above the share), ``valid_fraction`` (clear share of the *whole* parcel, 0-1) and
    ``n_pixels`` (clear pixels touched). NaN where nothing was clear.
    """
    names = list(map(str, indices.data_vars))
    shape = (len(names), indices.sizes["time"], len(cover.parcel_ids))
    out = {name: np.full(shape, np.nan) for name in ("mean", "p10", "p50", "p90")}
    out["valid_fraction"] = np.zeros(shape)
    n_pixels = np.zeros(shape, np.int32)
    for number, name in enumerate(names):
        values = indices[name].values
        usable = clear & np.isfinite(values)
        weight = cover.fraction @ usable.T.astype(np.float64)
        total = cover.fraction @ np.where(usable, values, 0.0).T.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            out["mean"][number] = np.where(weight > 0, total / weight, np.nan).T
        out["valid_fraction"][number] = np.clip(weight / cover.whole[:, None], 0, 1).T
        n_pixels[number] = ((cover.fraction > 0).astype(np.int32) @ usable.T.astype(np.int32)).T
        for position in range(len(cover.parcel_ids)):
            part = slice(cover.fraction.indptr[position], cover.fraction.indptr[position + 1])
            columns, shares = cover.fraction.indices[part], cover.fraction.data[part]
            found = weighted_quantiles(np.where(usable[:, columns], values[:, columns], np.nan), shares, QUANTILES)
            for quantile, label in enumerate(("p10", "p50", "p90")):
                out[label][number, :, position] = found[:, quantile]
    dims = ("index", "time", "parcel")
    return xr.Dataset(
        {**{k: (dims, v) for k, v in out.items()}, "n_pixels": (dims, n_pixels)},
        coords={"index": names, "time": indices["time"], "parcel": list(cover.parcel_ids)},
    )


CELL_PIXELS = 3
"""Side of a cell of ground around the parcels [pixels]."""
CELL_STEP = 9
"""Distance of two cells [pixels]."""


def ground_around(cover: Coverage, geobox: GeoBox) -> Coverage:
    """Cells of the window that touch no parcel: what happens to them and to a parcel alike is weather.

    The cells lie on a lattice of the CRS, not of the window, so that two windows over one place have the same ones.

    Parameters
    ----------
    cover
        Of the parcels in the same window.

    Returns
    -------
    Cells of `CELL_PIXELS` a side as if they were parcels, row by row, named ``~row-column`` of their upper left pixel
    in the window.
    """
    return _cells(cover, geobox, CELL_STEP, None)


def ground_beside(cover: Coverage, geobox: GeoBox, parcel_ids: Collection[str], reach: int) -> Coverage:
    """Cells without gaps that touch no parcel but come within some pixels of one of those asked for.

    Parameters
    ----------
    cover
        Of the parcels in the same window.
    parcel_ids
        Parcels whose surroundings are asked for; unknown ones have none.
    reach
        How far from a parcel's pixels the nearest pixel of a cell may lie, along rows and along columns [pixels].

    Returns
    -------
    Cells as those of `ground_around`.
    """
    near = np.zeros((int(geobox.shape.y), int(geobox.shape.x)), bool)
    for position, parcel_id in enumerate(cover.parcel_ids):
        if parcel_id in parcel_ids:
            part = slice(cover.fraction.indptr[position], cover.fraction.indptr[position + 1])
            near.ravel()[cover.pixels[cover.fraction.indices[part]]] = True
    near = ndimage.binary_dilation(near, np.ones((2 * reach + 1, 2 * reach + 1), bool))
    return _cells(cover, geobox, CELL_PIXELS, near.ravel())


def _cells(cover: Coverage, geobox: GeoBox, step: int, near: NDArray[np.bool_] | None) -> Coverage:
    """Cells on a lattice of some step that touch no parcel and, where `near` is given, a pixel that is near."""
    height, width = int(geobox.shape.y), int(geobox.shape.x)
    taken = np.zeros((height, width), bool)
    taken.ravel()[cover.pixels] = True
    rows, columns = (
        np.arange(-round(origin / size) % step, n - CELL_PIXELS + 1, step)
        for origin, size, n in (
            (geobox.affine.f, geobox.affine.e, height),
            (geobox.affine.c, geobox.affine.a, width),
        )
    )
    top, left = (places.ravel() for places in np.meshgrid(rows, columns, indexing="ij"))
    inside = (np.arange(CELL_PIXELS)[:, None] * width + np.arange(CELL_PIXELS)).ravel()
    member = (top * width + left)[:, None] + inside
    free = ~taken.ravel()[member].any(axis=1)
    if near is not None:
        free &= near[member].any(axis=1)
    top, left, member = top[free], left[free], member[free]
    n = member.shape[1]
    pixels, positions = np.unique(member, return_inverse=True)
    fraction = csr_array(
        (np.ones(member.size), positions.ravel(), np.arange(len(top) + 1) * n), shape=(len(top), len(pixels))
    )
    names = tuple(f"~{r}-{c}" for r, c in zip(top.tolist(), left.tolist(), strict=True))
    return Coverage(parcel_ids=names, pixels=pixels, fraction=fraction, whole=np.full(len(top), float(n)))


def corner_of(name: str) -> tuple[int, int]:
    """Row and column in the window of the upper left pixel of a cell of ground."""
    row, column = name.removeprefix("~").split("-")
    return int(row), int(column)


def zonal_means(indices: xr.Dataset, clear: NDArray[np.bool_], cover: Coverage) -> xr.Dataset:
    """``mean`` and ``valid_fraction`` of `zonal_statistics`, without the quantiles that take most of its time."""
    names = list(map(str, indices.data_vars))
    means, shares = [], []
    for name in names:
        usable = clear & np.isfinite(indices[name].values)
        weight = cover.fraction @ usable.T.astype(np.float64)
        total = cover.fraction @ np.where(usable, indices[name].values, 0.0).T.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            means.append(np.where(weight > 0, total / weight, np.nan).T)
        shares.append(np.clip(weight / cover.whole[:, None], 0, 1).T)
    dims = ("index", "time", "parcel")
    empty = np.zeros((0, indices.sizes["time"], len(cover.parcel_ids)))
    return xr.Dataset(
        {
            "mean": (dims, np.stack(means) if means else empty),
            "valid_fraction": (dims, np.stack(shares) if shares else empty),
        },
        coords={"index": names, "time": indices["time"], "parcel": list(cover.parcel_ids)},
    )


def to_decibel(statistics: xr.Dataset) -> xr.Dataset:
    """The same statistics with ``mean``, ``p10``, ``p50`` and ``p90`` of linear power turned into dB [dB]."""
    turned = {name: 10 * np.log10(statistics[name]) for name in ("mean", "p10", "p50", "p90") if name in statistics}
    return statistics.assign(turned)


def weighted_quantiles(
    values: NDArray[np.floating], weights: NDArray[np.float64], quantiles: Sequence[float]
) -> NDArray[np.float64]:
    """Smallest value at or below which at least the asked share of the weight lies.

    Parameters
    ----------
    values
        Shape (time, pixel); NaN = not seen.
    weights
        Shape (pixel,), positive.

    Returns
    -------
    Shape (time, quantile); NaN where nothing was seen.
    """
    if values.shape[1] == 0:
        return np.full((len(values), len(quantiles)), np.nan)
    order = np.argsort(values, axis=1, kind="stable")  # NaN last
    ranked = np.take_along_axis(values, order, axis=1).astype(np.float64)
    seen = np.where(np.isfinite(ranked), weights[order], 0.0)
    reached = np.cumsum(seen, axis=1)
    total = reached[:, -1:]
    out = np.full((len(values), len(quantiles)), np.nan)
    for number, quantile in enumerate(quantiles):
        # A hair below the exact share: sums of floats must not push a tie to the next value.
        at = np.argmax(reached >= quantile * total - 1e-12 * total, axis=1)
        out[:, number] = np.take_along_axis(ranked, at[:, None], axis=1)[:, 0]
    out[total[:, 0] <= 0] = np.nan
    return out


def series_table(statistics: xr.Dataset, scene_ids: Sequence[str], sensor: str) -> pd.DataFrame:
    """Long table of the looks with at least one clear pixel; columns of ``series.parquet``."""
    frame = statistics.to_dataframe().reset_index().rename(columns={"parcel": "parcel_id"})
    by_time = pd.Series(
        list(scene_ids), index=pd.MultiIndex.from_arrays([statistics["time"].values, range(len(scene_ids))])
    )
    scene = by_time.groupby(level=0, sort=False).agg("+".join)
    frame = frame[frame["n_pixels"] > 0]
    return frame.assign(sensor=sensor, scene_id=frame["time"].map(scene))
