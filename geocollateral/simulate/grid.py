"""Where a site lies: a crop of a tile of the military grid, on the grid of its Sentinel-2 scenes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geocollateral.errors import InvalidInput

if TYPE_CHECKING:
    from pyproj import Transformer

PIXEL_M = 10.0
COARSE_M = 60
"""Tiles of Sentinel-2 start at whole multiples of their coarsest pixel [m]."""
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
_ROWS = ("FGHJKLMNPQRSTUVABCDE", "ABCDEFGHJKLMNPQRSTUV")
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_DEGREE_M = 110_574.0


@lru_cache(maxsize=64)
def _transformer(epsg: int) -> Transformer:
    from pyproj import Transformer

    return Transformer.from_crs(epsg, 4326, always_xy=True)


def tile_corner(tile: str) -> tuple[int, float, float]:
    """EPSG code, left and top [m] of the Sentinel-2 tile of a square of the military grid, such as ``50SKE``.

    Raises
    ------
    InvalidInput
        There is no such square on the northern hemisphere.
    """
    zone, band, column, row = int(tile[:2]), tile[2], tile[3], tile[4]
    letters, rows = _COLUMNS[zone % 3], _ROWS[zone % 2]
    if column not in letters or row not in rows or band not in _BANDS[10:]:
        raise InvalidInput(f"Expected a square of the northern hemisphere such as 50SKE, got {tile!r}.")
    easting = (letters.index(column) + 1) * 100_000
    south_deg = 8 * _BANDS.index(band) - 80
    cycle = rows.index(row) * 100_000
    candidates = (cycle + n * 2_000_000 for n in range(5))
    within = [n for n in candidates if south_deg - 1 <= n / _DEGREE_M <= south_deg + 8]
    if not within:
        raise InvalidInput(f"Expected a row that lies in band {band}, got {tile!r}.")
    top = within[0] + 100_000
    return 32600 + zone, float(easting // COARSE_M * COARSE_M), float(math.ceil(top / COARSE_M) * COARSE_M)


@dataclass(frozen=True, kw_only=True)
class SiteGrid:
    """The square of 10 m pixels that a site covers."""

    epsg: int
    left: float
    top: float
    """Of the upper left corner [m]; whole multiples of 20 m from the tile's corner."""
    size: int
    """Pixels a side; even."""

    @property
    def extent_m(self) -> float:
        """Length of a side [m]."""
        return self.size * PIXEL_M

    def transform(self, pixel_m: float = PIXEL_M) -> tuple[float, float, float, float, float, float]:
        """Row-major affine of the site's grid at a pixel size."""
        return (pixel_m, 0.0, self.left, 0.0, -pixel_m, self.top)

    def to_lonlat(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Longitudes and latitudes [degrees, WGS 84] of positions in metres from the site's lower left corner."""
        to = _transformer(self.epsg)
        bottom = self.top - self.extent_m
        lon, lat = to.transform(np.asarray(x) + self.left, np.asarray(y) + bottom)
        return np.asarray(lon), np.asarray(lat)

    def centre(self) -> tuple[float, float]:
        """Longitude and latitude of the middle [degrees]."""
        half = np.array([self.extent_m / 2])
        lon, lat = self.to_lonlat(half, half)
        return float(lon[0]), float(lat[0])


def site_grid(tile: str, corner: Sequence[int], size: int) -> SiteGrid:
    """Grid of a site whose upper left pixel is at ``corner`` (column, row) of the tile's 10 m grid.

    Raises
    ------
    InvalidInput
        The corner or the size does not lie on the 20 m grid, or the site leaves the tile.
    """
    epsg, left, top = tile_corner(tile)
    if size % 2 or corner[0] % 2 or corner[1] % 2:
        raise InvalidInput(f"Expected corner and size on the 20 m grid (even numbers), got {tuple(corner)} and {size}.")
    if max(corner) + size > 10_980 or min(corner) < 0:
        raise InvalidInput(f"Expected a site inside the 10,980 pixels of tile {tile}, got {tuple(corner)} and {size}.")
    return SiteGrid(epsg=epsg, left=left + corner[0] * PIXEL_M, top=top - corner[1] * PIXEL_M, size=size)
