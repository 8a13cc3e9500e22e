"""WKB of polygons (OGC 06-103r4), ISO and extended, as GeoPackage holds it."""

from __future__ import annotations

import struct
from array import array
from sys import byteorder
from typing import Any

POINT, LINE, POLYGON, MULTI_POINT, MULTI_LINE, MULTI_POLYGON = range(1, 7)
_NAMES = {
    1: "Point", 2: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString", 6: "MultiPolygon",
    7: "GeometryCollection", 8: "CircularString", 9: "CompoundCurve", 10: "CurvePolygon", 11: "MultiCurve",
    12: "MultiSurface", 15: "PolyhedralSurface", 16: "TIN", 17: "Triangle",
}  # fmt: skip
_EWKB_Z, _EWKB_M, _EWKB_SRID = 0x80000000, 0x40000000, 0x20000000


class WkbFault(ValueError):
    """Why bytes are no WKB."""


def parse_wkb(content: bytes, start: int = 0) -> dict[str, Any]:
    """GeoJSON geometry of the WKB that begins at ``start`` and ends with the content. Types other than polygons have no
    coordinates.

    Raises
    ------
    WkbFault
        The content is no WKB.
    """
    try:
        geometry, end = _parse(content, start, depth=0)
    except (struct.error, ValueError) as exc:
        raise WkbFault(f"expected a geometry as WKB, got other bytes ({exc})") from exc
    if "coordinates" in geometry and end != len(content):
        raise WkbFault("expected a geometry as WKB, got more bytes than it needs")
    return geometry


def _parse(content: bytes, place: int, depth: int) -> tuple[dict[str, Any], int]:
    order = {0: ">", 1: "<"}.get(content[place] if place < len(content) else -1)
    if order is None:
        raise ValueError("no byte order")
    (code,) = struct.unpack_from(f"{order}I", content, place + 1)
    place += 5
    dimensions = 2 + bool(code & _EWKB_Z) + bool(code & _EWKB_M)
    place += 4 if code & _EWKB_SRID else 0
    code &= 0x1FFFFFFF
    dimensions += {0: 0, 1: 1, 2: 1, 3: 2}.get(code // 1000, 0)
    kind = code % 1000
    if code >= 4000 or kind not in _NAMES:
        raise ValueError(f"type {code}")
    if kind == POLYGON:
        rings, place = _rings(content, place, order, dimensions)
        return {"type": "Polygon", "coordinates": rings}, place
    if kind != MULTI_POLYGON or depth:
        return {"type": _NAMES[kind]}, place
    (count,) = struct.unpack_from(f"{order}I", content, place)
    place += 4
    polygons: list[Any] = []
    for _ in range(_possible(count, 9, content, place)):
        part, place = _parse(content, place, depth + 1)
        if part["type"] != "Polygon":
            raise ValueError("a part that is no polygon")
        polygons.append(part["coordinates"])
    return {"type": "MultiPolygon", "coordinates": polygons}, place


def _rings(content: bytes, place: int, order: str, dimensions: int) -> tuple[list[Any], int]:
    (count,) = struct.unpack_from(f"{order}I", content, place)
    place += 4
    rings: list[Any] = []
    for _ in range(_possible(count, 4, content, place)):
        (size,) = struct.unpack_from(f"{order}I", content, place)
        place += 4
        end = place + _possible(size, 8 * dimensions, content, place) * 8 * dimensions
        rings.append(positions(content[place:end], dimensions, order))
        place = end
    return rings, place


def positions(content: bytes, dimensions: int, order: str = "<") -> list[list[float]]:
    """Longitude and latitude (or x and y) of packed doubles; further dimensions are left out."""
    numbers = array("d")
    numbers.frombytes(content)
    if (order == "<") != (byteorder == "little"):
        numbers.byteswap()
    return [list(pair) for pair in zip(numbers[::dimensions], numbers[1::dimensions], strict=True)]


def _possible(count: int, size: int, content: bytes, place: int) -> int:
    if count * size > len(content) - place:
        raise ValueError(f"{count:,} parts in too few bytes")
    return count
