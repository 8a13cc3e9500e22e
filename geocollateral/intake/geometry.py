"""Polygons of parcels: structure, range, repair and geodesic area."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import pyproj
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.polygon import orient

MAX_VERTICES = 100_000
MAX_EXTENT_DEG = 2.0
"""Largest width or height of a parcel [degrees]."""
MIN_AREA_M2 = 1.0
MAX_AREA_M2 = 1e9
"""100,000 ha: beyond any single parcel of a pledge."""
REPAIR_TOLERANCE = 1e-3
"""Largest relative difference between the areas of two methods of repair."""
MAX_LATITUDE = 84.0
"""Sentinel-2 takes no images nearer to the poles."""
CHINA = (73.0, 18.0, 135.5, 54.0)
"""West, south, east, north of the box in which most parcels lie [degrees]."""

_GEOD = pyproj.Geod(ellps="WGS84")
_SEGMENT_DEG = 0.05
_PLACE = re.compile(r"\[(\S+) (\S+)\]")

Position = tuple[float, float]
Ring = list[Position]


class GeometryFault(ValueError):
    """Why a geometry is refused, and where."""

    def __init__(self, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A valid polygon in longitude and latitude, exterior rings counter-clockwise."""

    polygon: Polygon | MultiPolygon
    area_m2: float
    """Geodesic, on the WGS 84 ellipsoid."""
    repairs: tuple[tuple[str, Position | None], ...]
    """What was mended, and where."""
    warnings: tuple[str, ...]


def parse_shape(geometry: object, *, max_area_m2: float = MAX_AREA_M2, max_extent_deg: float = MAX_EXTENT_DEG) -> Shape:
    """Shape of a GeoJSON geometry.

    Parameters
    ----------
    geometry
        Polygon or MultiPolygon.
    max_area_m2, max_extent_deg
        Beyond them it is refused [m2, degrees].

    Raises
    ------
    GeometryFault
        The geometry cannot be taken as the outline of one parcel.
    """
    repairs: list[tuple[str, Position | None]] = []
    warnings: list[str] = []
    polygon = _build(_parse_polygons(geometry, repairs))
    _require_extent(polygon, max_extent_deg)
    if not polygon.is_valid:
        polygon = _repair(polygon, repairs)
    polygon = _orient(polygon)
    area_m2 = geodesic_area(polygon)
    if area_m2 < MIN_AREA_M2:
        raise GeometryFault(f"expected an area of at least {MIN_AREA_M2:g} m2, got {area_m2:.3g} m2")
    if area_m2 > max_area_m2:
        raise GeometryFault(f"expected a parcel of at most {max_area_m2 / 1e4:,.0f} ha, got {area_m2 / 1e4:,.0f} ha")
    if _looks_swapped_into_china(polygon):
        warnings.append(
            "lies outside China, but inside it if latitude and longitude were swapped; expected longitude first"
        )
    return Shape(polygon=polygon, area_m2=area_m2, repairs=tuple(repairs), warnings=tuple(warnings))


def geodesic_area(polygon: Polygon | MultiPolygon) -> float:
    """Area on the WGS 84 ellipsoid [m2]; edges are straight in longitude and latitude, as RFC 7946 has them."""
    fine = shapely.segmentize(_orient(polygon), _SEGMENT_DEG)
    return abs(float(_GEOD.geometry_area_perimeter(fine)[0]))


def polygonal(geometry: shapely.Geometry) -> Polygon | MultiPolygon:
    """The polygons of any geometry; lines and points are dropped."""
    parts = [
        part
        for part in shapely.get_parts(shapely.get_parts(geometry))
        if isinstance(part, Polygon) and not part.is_empty
    ]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _parse_polygons(geometry: object, repairs: list[tuple[str, Position | None]]) -> list[list[Ring]]:
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
    count = sum(len(ring) for rings in raw for ring in rings if isinstance(ring, list))
    if count > MAX_VERTICES:
        raise GeometryFault(f"expected at most {MAX_VERTICES:,} vertices, got {count:,}. Thin out the outline")
    parsed = [
        [[_parse_position(p) for p in _require_list(ring, "a list of positions")] for ring in rings] for rings in raw
    ]
    if not all(parsed):
        raise GeometryFault("a polygon has no rings")
    _require_range([position for rings in parsed for ring in rings for position in ring])
    return [[_close(ring, repairs) for ring in rings] for rings in parsed]


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


def _require_range(positions: list[Position]) -> None:
    wrong = [(x, y) for x, y in positions if not (-180 <= x <= 180 and -90 <= y <= 90)]
    if wrong:
        raise GeometryFault(
            f"expected longitude -180..180 and latitude -90..90, got {list(wrong[0])}.{_guess_cause(positions)}",
            wrong[0],
        )
    polar = [(x, y) for x, y in positions if abs(y) > MAX_LATITUDE]
    if polar:
        raise GeometryFault(
            f"latitude {polar[0][1]:g} is nearer to a pole than satellites look (84). Expected longitude first: are "
            f"latitude and longitude swapped?",
            polar[0],
        )


def _guess_cause(positions: list[Position]) -> str:
    if any(abs(x) > 1000 or abs(y) > 1000 for x, y in positions):
        return " These look like metres of a projected grid; reproject to WGS 84 degrees"
    if all(abs(x) <= 90 and abs(y) <= 180 for x, y in positions):
        return " Latitude and longitude look swapped; longitude comes first"
    return ""


def _close(ring: Ring, repairs: list[tuple[str, Position | None]]) -> Ring:
    if ring and ring[0] != ring[-1]:
        repairs.append(("the ring was not closed; its first position was added at its end", ring[-1]))
        ring = [*ring, ring[0]]
    if len(ring) < 4:
        at = ring[0] if ring else None
        raise GeometryFault(
            f"expected a ring of at least 4 positions, the last equal to the first, got {len(ring)}", at
        )
    return ring


def _build(polygons: list[list[Ring]]) -> Polygon | MultiPolygon:
    shapes = [Polygon(rings[0], rings[1:]) for rings in polygons]
    return shapes[0] if len(shapes) == 1 else MultiPolygon(shapes)


def _require_extent(polygon: Polygon | MultiPolygon, max_extent_deg: float) -> None:
    west, south, east, north = polygon.bounds
    parts = [part.bounds for part in shapely.get_parts(polygon)]
    if any(right - left > 180 for left, _, right, _ in parts):
        raise GeometryFault(
            "the parcel reaches around the globe. If it crosses the 180th meridian, cut it there into the two parts of "
            "a MultiPolygon, as RFC 7946 has it",
            (west, south),
        )
    if east - west > 180:  # parts on both sides of the 180th meridian
        west, east = min(left % 360 for left, *_ in parts), max((right - 1e-12) % 360 for _, _, right, _ in parts)
    if max(east - west, north - south) > max_extent_deg:
        raise GeometryFault(
            f"expected a parcel of at most {max_extent_deg:g} degrees, got {east - west:.2f} by {north - south:.2f} "
            f"degrees. Is a vertex misplaced? Give parts that lie far apart as parcels of their own",
            (west, south),
        )


def _repair(polygon: Polygon | MultiPolygon, repairs: list[tuple[str, Position | None]]) -> Polygon | MultiPolygon:
    """Mend an invalid polygon where two methods agree what it encloses, else refuse with the place."""
    reason = shapely.is_valid_reason(polygon)
    found = _PLACE.search(reason)
    place = (float(found[1]), float(found[2])) if found else None
    what = reason.split("[")[0].strip().lower()
    methods: tuple[Callable[[shapely.Geometry], shapely.Geometry], ...] = (shapely.make_valid, _buffer_zero)
    candidates = [polygonal(method(polygon)) for method in methods]
    areas = [geodesic_area(candidate) if not candidate.is_empty else 0.0 for candidate in candidates]
    if min(areas) < MIN_AREA_M2 or abs(areas[0] - areas[1]) > REPAIR_TOLERANCE * max(areas):
        raise GeometryFault(
            f"the outline is not valid ({what}), and what it encloses is not clear: two ways of mending it give "
            f"{areas[0]:,.0f} and {areas[1]:,.0f} m2. Redraw it so that it does not cross itself",
            place,
        )
    repairs.append((f"the outline was not valid ({what}); it was mended to {areas[0]:,.0f} m2", place))
    return candidates[0]


def _buffer_zero(polygon: shapely.Geometry) -> shapely.Geometry:
    return shapely.buffer(polygon, 0)


def _orient(polygon: Polygon | MultiPolygon) -> Polygon | MultiPolygon:
    if isinstance(polygon, MultiPolygon):
        return MultiPolygon([orient(part) for part in polygon.geoms])
    return orient(polygon)


def _looks_swapped_into_china(polygon: Polygon | MultiPolygon) -> bool:
    point = polygon.representative_point()
    west, south, east, north = CHINA

    def inside(x: float, y: float) -> bool:
        return west <= x <= east and south <= y <= north

    return inside(point.y, point.x) and not inside(point.x, point.y)
