"""The pixel grid of a cube, from the coordinates of its pixel centres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj.exceptions import CRSError

from geocollateral.errors import BrokenData, InvalidInput

SPACING_TOLERANCE = 1e-6
"""Largest departure of a pixel from its place [pixels]."""
AREA_TOLERANCE = 0.01
"""Largest relative difference between a grid's planar and geodesic area; a neighbouring UTM zone stays below."""
MIN_PIXEL_M = 0.1
USE_MARGIN_DEG = 6.0
"""How far outside the published area of use of its CRS a grid may lie [degrees]: one UTM zone."""

_SIDE_POINTS = 8
"""Points along each side of a footprint."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A regular, north-up grid in metres."""

    geobox: GeoBox
    south_up: bool = False
    """True where the file stores rows from south to north; they are turned round when read."""

    @property
    def pixel_m(self) -> float:
        """Height of a pixel [m]."""
        return float(-self.geobox.affine.e)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Rows and columns of a grid, half-open."""

    rows: slice
    columns: slice


def parse_crs(text: str, origin: str) -> pyproj.CRS:
    """CRS from an EPSG code, WKT or PROJ string.

    Raises
    ------
    InvalidInput
        The text names no CRS, or one that is not projected in metres.
    """
    try:
        crs = pyproj.CRS.from_user_input(text)
    except CRSError as exc:
        raise InvalidInput(f"{origin} is not a coordinate reference system: {text[:80]!r}.") from exc
    crs = _drop_null_shift(crs)
    if crs.is_geographic:
        raise InvalidInput(
            f"{origin} is geographic ({crs.name}): its pixels have no fixed size in metres. Expected a projected grid, "
            f"such as the UTM grid of the Sentinel tile; reproject the cube before using it here."
        )
    # By size, not by name: some producers call the metre "m".
    if not crs.is_projected or any(abs(axis.unit_conversion_factor - 1) > 1e-9 for axis in crs.axis_info[:2]):
        raise InvalidInput(f"{origin} must be projected in metres, got {crs.name}.")
    return crs


@lru_cache(maxsize=64)
def crs_name(crs: pyproj.CRS) -> str:
    """``EPSG:n`` where the CRS puts coordinates where EPSG:n does, whatever the order of axes; else WKT 2."""
    identity = crs.to_json_dict().get("id", {})
    code = crs.to_epsg() or (identity.get("code") if identity.get("authority") == "EPSG" else None)
    if code is not None and _agree(crs, pyproj.CRS.from_epsg(code)):
        return f"EPSG:{code}"
    return str(crs.to_wkt())


def grid_from_centres(x: NDArray[np.float64], y: NDArray[np.float64], crs: pyproj.CRS) -> Grid:
    """Grid whose pixel centres are ``x`` (columns) and ``y`` (rows) [m].

    Raises
    ------
    InvalidInput
        Spacing is irregular, or the coordinates do not fit the CRS.
    """
    step_x, step_y = _spacing(x, "x"), _spacing(y, "y")
    if step_x < 0:
        raise InvalidInput("Coordinate 'x' must rise from west to east; sort the cube along x.")
    south_up = step_y > 0
    top = y[-1] if south_up else y[0]
    height = abs(step_y)
    affine = Affine(step_x, 0.0, x[0] - step_x / 2, 0.0, -height, top + height / 2)
    grid = Grid(geobox=GeoBox((y.size, x.size), affine, crs_name(crs)), south_up=south_up)
    _require_place(grid, crs)
    return grid


def footprint(grid: Grid) -> tuple[list[tuple[float, float]], tuple[float, float, float, float]]:
    """Outline of the grid, closed [degrees, WGS 84], and its bounds west, south, east, north."""
    left, bottom, right, top = grid.geobox.boundingbox.bbox
    # Counter-clockwise; the sides are curves in longitude and latitude, so they get points between the corners.
    share = np.arange(_SIDE_POINTS) / _SIDE_POINTS
    x = np.concatenate([left + share * (right - left), np.full(_SIDE_POINTS, right)])
    y = np.concatenate([np.full(_SIDE_POINTS, bottom), bottom + share * (top - bottom)])
    x, y = np.concatenate([x, left + right - x]), np.concatenate([y, bottom + top - y])
    lons, lats = _to_wgs84(str(grid.geobox.crs)).transform(x, y)
    ring = [(float(lon), float(lat)) for lon, lat in zip(lons, lats, strict=True)]
    ring.append(ring[0])
    lon, lat = [p[0] for p in ring], [p[1] for p in ring]
    return ring, (min(lon), min(lat), max(lon), max(lat))


def replication(fine: Grid, coarse: Grid) -> int:
    """How many fine pixels lie along the side of a coarse one.

    Raises
    ------
    BrokenData
        The two grids do not lie exactly on each other.
    """
    factor = round(coarse.pixel_m / fine.pixel_m)
    a, b = fine.geobox.affine, coarse.geobox.affine
    tolerance = SPACING_TOLERANCE * fine.pixel_m * max(fine.geobox.shape)
    aligned = (
        fine.geobox.crs == coarse.geobox.crs
        and tuple(fine.geobox.shape) == tuple(factor * n for n in coarse.geobox.shape)
        and np.allclose((a.a * factor, a.e * factor, a.c, a.f), (b.a, b.e, b.c, b.f), rtol=0, atol=tolerance)
    )
    if not aligned:
        raise BrokenData(
            f"Grids of two resolutions do not lie on each other: {tuple(fine.geobox.shape)} pixels with transform "
            f"{tuple(a)[:6]} and {tuple(coarse.geobox.shape)} pixels with transform {tuple(b)[:6]}."
        )
    return factor


def window_of(grid: Grid, asked: GeoBox) -> Window:
    """Rows and columns of the grid that a window asked for covers.

    Raises
    ------
    BrokenData
        The window is on another grid or reaches past the imagery; blocks are planned on the grid and clipped to it.
    """
    if asked.crs != grid.geobox.crs:
        raise BrokenData(f"A block must be in the imagery's CRS {grid.geobox.crs}, got {asked.crs}")
    a, b = grid.geobox.affine, asked.affine
    column, row = (b.c - a.c) / a.a, (b.f - a.f) / a.e
    same_pixels = np.allclose((b.a, b.b, b.d, b.e), (a.a, 0, 0, a.e), rtol=SPACING_TOLERANCE, atol=1e-9)
    if not same_pixels or abs(column - round(column)) > 1e-3 or abs(row - round(row)) > 1e-3:
        raise BrokenData(f"A block must lie on the imagery's pixels {tuple(a)[:6]}, got {tuple(b)[:6]}")
    top, left = round(row), round(column)
    bottom, right = top + asked.shape[0], left + asked.shape[1]
    if top < 0 or left < 0 or bottom > grid.geobox.shape[0] or right > grid.geobox.shape[1]:
        raise BrokenData(
            f"A block must lie inside the imagery of {tuple(grid.geobox.shape)} pixels, got rows {top}:{bottom}, "
            f"columns {left}:{right}; clip blocks to the grid"
        )
    return Window(rows=slice(top, bottom), columns=slice(left, right))


@lru_cache(maxsize=64)
def _to_wgs84(crs: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


def _agree(crs: pyproj.CRS, published: pyproj.CRS) -> bool:
    """Whether two CRS put the middle of the published one's area of use at the same coordinates, within 1 mm."""
    use = published.area_of_use
    if use is None:
        return False
    lon, lat = (use.west + use.east) / 2, (use.south + use.north) / 2
    a, b = (pyproj.Transformer.from_crs(4326, c, always_xy=True).transform(lon, lat) for c in (crs, published))
    return math.dist(a, b) <= 1e-3


def _drop_null_shift(crs: pyproj.CRS) -> pyproj.CRS:
    """The CRS without a ``TOWGS84[0,0,0,...]``, which older writers add and which says nothing."""
    operation = crs.coordinate_operation
    if crs.is_bound and crs.source_crs is not None and operation is not None and not any(operation.towgs84):
        return crs.source_crs
    return crs


def _spacing(values: NDArray[np.float64], name: str) -> float:
    if values.size < 2:
        raise InvalidInput(f"Coordinate {name!r} must have at least 2 pixels to tell their size, got {values.size}.")
    if not np.isfinite(values).all():
        raise InvalidInput(f"Coordinate {name!r} holds values that are not finite numbers.")
    step = float((values[-1] - values[0]) / (values.size - 1))
    straight = values[0] + step * np.arange(values.size)
    if step == 0 or np.abs(values - straight).max() > SPACING_TOLERANCE * abs(step):
        steps = np.diff(values)
        raise InvalidInput(
            f"Coordinate {name!r} must be evenly spaced, got steps from {steps.min():g} to {steps.max():g} m. "
            f"Coordinates stored as float32 lose centimetres: store them as float64."
        )
    return step


def _require_place(grid: Grid, crs: pyproj.CRS) -> None:
    """Coordinates must fit the CRS that is said of them: in its area of use, at its scale."""
    left, bottom, right, top = grid.geobox.boundingbox.bbox
    if grid.pixel_m < MIN_PIXEL_M:
        raise InvalidInput(
            f"Pixels are {grid.pixel_m:g} m high in {crs.name}. Are the coordinates degrees? Expected metres on a "
            f"projected grid; reproject the cube."
        )
    ring, (west, south, east, north) = footprint(grid)
    if not all(map(math.isfinite, (west, south, east, north))):
        raise InvalidInput(f"Coordinates x {left:g}..{right:g}, y {bottom:g}..{top:g} cannot be placed in {crs.name}.")
    use = crs.area_of_use
    lon, lat = (west + east) / 2, (south + north) / 2
    if use is not None and use.west <= use.east:
        m = USE_MARGIN_DEG
        if not (use.west - m <= lon <= use.east + m and use.south - m <= lat <= use.north + m):
            raise InvalidInput(
                f"Coordinates x {left:g}..{right:g}, y {bottom:g}..{top:g} read as {crs.name} lie at longitude "
                f"{lon:.2f}, latitude {lat:.2f}, far outside its area of use ({use.name}). Is the CRS the right one?"
            )
    lons, lats = [p[0] for p in ring], [p[1] for p in ring]
    geodesic = abs(pyproj.Geod(ellps="WGS84").polygon_area_perimeter(lons, lats)[0])
    planar = (right - left) * (top - bottom)
    if abs(planar / geodesic - 1) > AREA_TOLERANCE:
        raise InvalidInput(
            f"The grid in {crs.name} is {100 * (planar / geodesic - 1):+.0f} % off in area, so pixels cannot be "
            f"counted as hectares. Expected the UTM grid of the Sentinel tile; reproject the cube."
        )
