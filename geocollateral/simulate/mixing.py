"""How zones mix in pixels: the share of each zone in each 10 m pixel, for a picture that lies a little off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from geocollateral.simulate.grid import PIXEL_M
from geocollateral.simulate.zones import Zone

CELLS = 4
"""Cells of the fine raster along a side of a pixel."""
CELL_M = PIXEL_M / CELLS
REACH = 2
"""Cells a picture may lie off in each direction: 5 m."""


@dataclass(frozen=True, eq=False)
class ZoneMap:
    """Which zone each cell of 2.5 m belongs to."""

    cells: NDArray[np.int32]
    """Shape (row, column): position of the zone, with a margin of `REACH` cells on each side."""
    size: int
    """Pixels a side."""
    n_zones: int

    def shares(self, east: int = 0, south: int = 0) -> csr_array:
        """Shape (pixel, zone), rows sum to 1: what is seen by pixels that lie so many cells to the east and south."""
        return _shares(self, east, south)

    def shares_without_jitter(self) -> csr_array:
        """What the pixels of the grid hold in truth."""
        return _shares(self, 0, 0)


def map_zones(zones: Sequence[Zone], size: int) -> ZoneMap:
    """Raster of zones; later ones lie over earlier ones."""
    from affine import Affine
    from rasterio.features import rasterize  # type: ignore[import-untyped]

    margin = REACH * CELL_M
    side = size * CELLS + 2 * REACH
    transform = Affine(CELL_M, 0, -margin, 0, -CELL_M, size * PIXEL_M + margin)
    shapes = [(zone.outline, n) for n, zone in enumerate(zones)]
    cells = rasterize(shapes, out_shape=(side, side), transform=transform, fill=0, dtype="int32")
    return ZoneMap(cells, size, len(zones))


@lru_cache(maxsize=30)
def _shares(zones: ZoneMap, east: int, south: int) -> csr_array:
    side = zones.size * CELLS
    view = zones.cells[REACH + south : REACH + south + side, REACH + east : REACH + east + side]
    blocks = view.reshape(zones.size, CELLS, zones.size, CELLS).transpose(0, 2, 1, 3).reshape(-1, CELLS * CELLS)
    pure = (blocks == blocks[:, :1]).all(axis=1)
    mixed = np.flatnonzero(~pure)
    rows = np.concatenate([np.flatnonzero(pure), mixed.repeat(CELLS * CELLS)])
    columns = np.concatenate([blocks[pure, 0], blocks[mixed].ravel()])
    weights = np.concatenate([np.ones(int(pure.sum())), np.full(mixed.size * CELLS * CELLS, 1 / CELLS**2)])
    shape = (zones.size**2, zones.n_zones)
    return csr_array((weights.astype(np.float32), (rows, columns)), shape=shape)
