"""Area averages of fine pixels over the cells of a coarser grid, a part of the file at a time.

Every pixel counts with the share of it that lies in a cell, so that nothing depends on how the file is cut into parts,
and no overview is read: their makers average no-data in, or take every n-th pixel.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray
from odc.geo import CRS
from odc.geo.geobox import GeoBox
from scipy.sparse import csr_array

from geocollateral.sources.raster.request import RasterProfile

PART_PIXELS = 1 << 22
"""Pixels decoded at once, where the file's tiles allow."""
NODE_PIXELS = 128
Span = tuple[slice, slice]


def parts_of(profile: RasterProfile, window: Span) -> Iterator[Span]:
    """A window in parts along the file's tiles, each about `PART_PIXELS` or one tile."""
    th, tw = profile.tile
    whole_rows = tw >= profile.shape[1]
    side = int((PART_PIXELS / (th * tw)) ** 0.5)
    tall, wide = (max(PART_PIXELS // (th * tw), 1), 1) if whole_rows else (max(side, 1), max(side, 1))
    rows, cols = window
    for top in range(rows.start // th * th, rows.stop, tall * th):
        for left in range(cols.start // tw * tw, cols.stop, wide * tw):
            yield (
                slice(max(top, rows.start), min(top + tall * th, rows.stop)),
                slice(max(left, cols.start), min(left + wide * tw, cols.stop)),
            )


def window_over(profile: RasterProfile, geobox: GeoBox) -> Span | None:
    """Rows and columns of the file that a grid meets; None where it meets none."""
    box = geobox.boundingbox
    steps = np.linspace(0, 1, 21)
    across, up = np.meshgrid(box.left + steps * (box.right - box.left), box.bottom + steps * (box.top - box.bottom))
    to_file = pyproj.Transformer.from_crs(str(geobox.crs), profile.crs, always_xy=True)
    x, y = to_file.transform(across.ravel(), up.ravel())
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    a, b, c, d, e, f = tuple(~Affine(*profile.transform))[:6]
    col, row = a * x + b * y + c, d * x + e * y + f
    # Two pixels more: between the points looked at an edge may bulge.
    r0, r1 = max(int(np.floor(row.min())) - 2, 0), min(int(np.ceil(row.max())) + 2, profile.shape[0])
    c0, c1 = max(int(np.floor(col.min())) - 2, 0), min(int(np.ceil(col.max())) + 2, profile.shape[1])
    return (slice(r0, r1), slice(c0, c1)) if r0 < r1 and c0 < c1 else None


class AreaSum:
    """Sums over the cells of a grid, built up from parts of a file."""

    def __init__(self, geobox: GeoBox, profile: RasterProfile, n_bands: int) -> None:

        self._geobox, self._profile = geobox, profile
        self._total = np.zeros((n_bands + 1, *map(int, geobox.shape)))
        _, b, _, d, _, _ = profile.transform
        self._aligned = b == 0 and d == 0 and CRS(profile.crs or "") == geobox.crs

    def add(self, values: NDArray[np.float32], valid: NDArray[np.bool_], at: Span) -> None:
        """Add a part.

        Parameters
        ----------
        values
            Shape (band, rows, cols).
        valid
            Shape (rows, cols), True = counts.
        at
            Rows and columns of the part in the file.
        """
        stack = np.concatenate([np.where(valid, values, 0), valid[None]], dtype=np.float32)
        if self._aligned:
            self._add_aligned(stack, at)
        else:
            self._add_scattered(stack, at)

    def means(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean of each band, shape (band, y, x), NaN in a cell without a valid pixel; share of each cell's area that
        valid pixels cover, shape (y, x) [0-1].
        """
        weight = self._total[-1]
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.where(weight > 1e-9, self._total[:-1] / weight, np.nan)
        return means.astype(np.float32), np.clip(weight, 0, 1).astype(np.float32)

    def _add_aligned(self, stack: NDArray[np.float32], at: Span) -> None:
        """Grids that are parallel: shares of rows and of columns are all there is to know."""
        grid, (a, _, c, _, e, f) = self._geobox.affine, self._profile.transform
        down = _overlaps(f + e * at[0].start, e, stack.shape[1], grid.f, grid.e, self._total.shape[1])
        across = _overlaps(c + a * at[1].start, a, stack.shape[2], grid.c, grid.a, self._total.shape[2])
        for total, plane in zip(self._total, stack, strict=True):
            total += (across @ (down @ plane).T).T

    def _add_scattered(self, stack: NDArray[np.float32], at: Span) -> None:
        """Any other grid: pixels, cut into pieces of at most half a cell, go to the cell that holds their middle."""
        rows, cols = self._total.shape[1:]
        share = self._pixel_share()
        cut = max(int(np.ceil(2 * share**0.5)), 1)
        x, y = self._places(stack.shape[1] * cut, stack.shape[2] * cut, at, cut)
        inside = (x >= 0) & (x < cols) & (y >= 0) & (y < rows)
        cells = y[inside].astype(np.int64) * cols + x[inside].astype(np.int64)
        for total, plane in zip(self._total, stack, strict=True):
            fine = np.repeat(np.repeat(plane, cut, axis=0), cut, axis=1) if cut > 1 else plane
            summed = np.bincount(cells, weights=fine[inside], minlength=rows * cols)
            total += summed.reshape(rows, cols) * (share / cut**2)

    def _places(self, rows: int, cols: int, at: Span, cut: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Column and row in the grid of the middle of each piece, shapes (rows, cols).

        Exact at nodes `NODE_PIXELS` apart, linear in between: over that distance a projection bends by far less than a
        pixel.
        """
        node_rows = np.unique([*range(0, rows, NODE_PIXELS), rows - 1])
        node_cols = np.unique([*range(0, cols, NODE_PIXELS), cols - 1])
        c, r = np.meshgrid((node_cols + 0.5) / cut + at[1].start, (node_rows + 0.5) / cut + at[0].start)
        turn = pyproj.Transformer.from_crs(self._profile.crs, str(self._geobox.crs), always_xy=True)
        placed = ~self._geobox.affine @ turn.transform(*(Affine(*self._profile.transform) @ (c, r)))
        return tuple(  # type: ignore[return-value]
            _stretch(_stretch(np.asarray(nodes), node_rows, rows).T, node_cols, cols).T for nodes in placed
        )

    def _pixel_share(self) -> float:
        """Area of one pixel of the file in cells of the grid, in the middle of the grid."""
        grid, pixels = self._geobox.affine, Affine(*self._profile.transform)
        x, y = grid @ (self._total.shape[2] / 2, self._total.shape[1] / 2)
        crs, here = self._profile.crs, str(self._geobox.crs)
        col, row = ~pixels @ pyproj.Transformer.from_crs(here, crs, always_xy=True).transform(x, y)
        back = pyproj.Transformer.from_crs(crs, here, always_xy=True)
        (x0, y0), (x1, y1), (x2, y2) = (
            back.transform(*(pixels @ (col + dc, row + dr))) for dc, dr in ((0, 0), (1, 0), (0, 1))
        )
        return float(abs(((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) / (grid.a * grid.e)))


def _stretch(nodes: NDArray[np.float64], at: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Rows between rows of nodes, by straight lines; shape (n, ...)."""
    if len(at) == 1:
        return np.repeat(nodes, n, axis=0)
    places = np.arange(n)
    lower = np.clip(np.searchsorted(at, places, side="right") - 1, 0, len(at) - 2)
    share = ((places - at[lower]) / (at[lower + 1] - at[lower]))[:, None]
    return np.asarray(nodes[lower] * (1 - share) + nodes[lower + 1] * share)


def _overlaps(start: float, step: float, n: int, grid_start: float, grid_step: float, cells: int) -> csr_array:
    """Share of each cell (row) that each pixel (column) covers along one axis."""
    edges = (start + step * np.arange(n + 1) - grid_start) / grid_step
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    first = np.floor(low).astype(np.int64)
    rows, cols, shares = [], [], []
    for ahead in range(int(np.ceil(abs(step / grid_step))) + 1):
        cell = first + ahead
        share = np.minimum(high, cell + 1) - np.maximum(low, cell)
        keep = (share > 0) & (cell >= 0) & (cell < cells)
        rows.append(cell[keep])
        cols.append(np.flatnonzero(keep))
        shares.append(share[keep].astype(np.float32))
    places = (np.concatenate(rows), np.concatenate(cols))
    return csr_array((np.concatenate(shares), places), shape=(cells, n))
