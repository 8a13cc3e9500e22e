"""Boxes in longitude and latitude, on a sphere whose longitudes meet at 180 degrees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import pyproj

Box = tuple[float, float, float, float]
"""West, south, east, north [degrees, WGS 84], west <= east."""

_SIDE_POINTS = 8
"""Points along each side of a projected frame: its sides are curves in longitude and latitude."""


def split_bounds(bounds: Box) -> tuple[Box, ...]:
    """Bounds as one box, or as two where they run across 180 degrees.

    West greater than east means across 180 degrees (RFC 7946). Bounds wider than 180 degrees are taken at their word:
    which parts of them are meant cannot be told from the outermost longitudes alone.
    """
    west, south, east, north = bounds
    if west <= east:
        return (bounds,)
    return ((west, south, 180.0, north), (-180.0, south, east, north))


def meet(a: Iterable[Box], b: Iterable[Box]) -> bool:
    """Whether any box of one set touches any box of the other."""
    others = tuple(b)
    return any(w1 <= e2 and w2 <= e1 and s1 <= n2 and s2 <= n1 for w1, s1, e1, n1 in a for w2, s2, e2, n2 in others)


def footprint_boxes(code: str, transform: Sequence[float], shape: Sequence[int]) -> tuple[Box, ...]:
    """Boxes that a raster's frame covers: one, or two across 180 degrees.

    Parameters
    ----------
    code
        CRS, such as ``EPSG:32601``.
    transform
        Row-major affine [m].
    shape
        Rows and columns.
    """
    return _footprint_boxes(code, tuple(float(v) for v in transform[:6]), (int(shape[0]), int(shape[1])))


@lru_cache(maxsize=1024)
def _footprint_boxes(code: str, transform: tuple[float, ...], shape: tuple[int, int]) -> tuple[Box, ...]:
    a, b, c, d, e, f = transform
    share = np.linspace(0, 1, _SIDE_POINTS, endpoint=False)
    rows = shape[0] * np.concatenate([np.zeros(_SIDE_POINTS), share, np.ones(_SIDE_POINTS), 1 - share])
    columns = shape[1] * np.concatenate([share, np.ones(_SIDE_POINTS), 1 - share, np.zeros(_SIDE_POINTS)])
    lon, lat = _to_wgs84(code).transform(a * columns + b * rows + c, d * columns + e * rows + f)
    # Each point is taken the short way from the one before, so that a frame across 180 degrees stays in one piece.
    lon = np.unwrap(np.asarray(lon, dtype=np.float64), period=360)
    west, east = float(lon.min()), float(lon.max())
    south, north = float(np.min(lat)), float(np.max(lat))
    if east > 180:
        west, east = (west, east - 360) if west <= 180 else (west - 360, east - 360)
    elif west < -180:
        west, east = (west + 360, east) if east >= -180 else (west + 360, east + 360)
    return split_bounds((west, south, east, north))


@lru_cache(maxsize=128)
def _to_wgs84(code: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(code, "EPSG:4326", always_xy=True)
