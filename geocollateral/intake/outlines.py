"""Outlines as received: polygons, rings and positions in whatever coordinates the file has, structure checked."""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

MAX_VERTICES = 100_000

Position = tuple[float, float]
Ring = NDArray[np.float64]
"""Shape (position, 2): x and y, as the file has them; not closed yet."""
Outline = tuple[tuple[Ring, ...], ...]
"""Polygons; of each the outer ring, then its holes."""


class GeometryFault(ValueError):
    """Why a geometry is refused, and where."""

    def __init__(self, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.position = position


def outline_of_geojson(geometry: object) -> Outline:
    """Outline of a GeoJSON geometry.

    Raises
    ------
    GeometryFault
        Not a Polygon or MultiPolygon of positions.
    """
    if not isinstance(geometry, dict):
        raise GeometryFault("expected a geometry of type Polygon or MultiPolygon, got none")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        hint = ". Give one feature for each polygon" if kind == "GeometryCollection" else ""
        raise GeometryFault(f"expected a geometry of type Polygon or MultiPolygon, got {kind!r:.60}{hint}")
    polygons = [coordinates] if kind == "Polygon" else _require_list(coordinates, "a list of polygons")
    if not polygons:
        raise GeometryFault(f"the {kind} has no coordinates")
    raw = [_require_list(polygon, "a list of rings") for polygon in polygons]
    _require_count(sum(len(ring) for rings in raw for ring in rings if isinstance(ring, list)))
    parsed = tuple(
        tuple(_ring([_parse_position(p) for p in _require_list(ring, "a list of positions")]) for ring in rings)
        for rings in raw
    )
    if not all(parsed):
        raise GeometryFault("a polygon has no rings")
    return parsed


def outline_of_shape(geometry: BaseGeometry | None) -> Outline:
    """Outline of a polygon that another reader made, in the file's own coordinates.

    Raises
    ------
    GeometryFault
        Not a Polygon or MultiPolygon, or empty.
    """
    if geometry is None or geometry.is_empty:
        raise GeometryFault("expected a geometry of type Polygon or MultiPolygon, got none")
    if not isinstance(geometry, (Polygon, MultiPolygon)):
        raise GeometryFault(f"expected a geometry of type Polygon or MultiPolygon, got {geometry.geom_type!r}")
    _require_count(int(shapely.get_num_coordinates(geometry)))
    outline = tuple(
        tuple(np.asarray(ring.coords, np.float64)[:, :2] for ring in (part.exterior, *part.interiors))
        for part in shapely.get_parts(geometry)
    )
    for ring in (ring for rings in outline for ring in rings):
        if not np.isfinite(ring).all():
            raise GeometryFault("expected finite coordinates")
    return outline


def positions_of(outline: Outline) -> Ring:
    """All positions of an outline, shape (position, 2)."""
    return np.concatenate([ring for rings in outline for ring in rings])


def _ring(positions: list[Position]) -> Ring:
    return np.asarray(positions, np.float64).reshape(-1, 2)


def _require_count(count: int) -> None:
    if count > MAX_VERTICES:
        raise GeometryFault(f"expected at most {MAX_VERTICES:,} vertices, got {count:,}. Thin out the outline")


def _require_list(value: object, expected: str) -> list[object]:
    if not isinstance(value, list):
        raise GeometryFault(f"expected {expected}, got {value!r:.60}")
    return value


def _parse_position(value: object) -> Position:
    if not isinstance(value, list) or not 2 <= len(value) <= 4:
        raise GeometryFault(f"expected a position [longitude, latitude], got {value!r:.60}")
    for number in value:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise GeometryFault(f"expected coordinates that are numbers, got {value!r:.60}")
        if isinstance(number, float) and not math.isfinite(number):
            raise GeometryFault(f"expected finite coordinates, got {value!r:.60}")
        if abs(number) > 1e15:
            raise GeometryFault(f"expected longitude -180..180 and latitude -90..90, got {value!r:.60}")
    return float(value[0]), float(value[1])
