"""Polygons of parcels in longitude and latitude: rings, the 180th meridian, repair, limits and geodesic area."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.polygon import orient

from geocollateral.intake.outlines import GeometryFault, Outline, Position, Ring
from geocollateral.types import MU_M2

MAX_EXTENT_DEG = 2.0
"""Largest width or height of a parcel [degrees]."""
MIN_AREA_M2 = 100.0
"""0.01 ha, one pixel of 10 m: nothing can be seen of less."""
MAX_AREA_M2 = 1e9
"""100,000 ha: beyond any single parcel of a pledge."""
REPAIR_TOLERANCE = 1e-3
"""Largest relative difference between the areas of two ways of mending."""
SLIVER_WIDTH_M = 2.0
"""A part or an overlap narrower than this is an artefact of drawing."""
SPIKE_DEG = 1.0
"""A corner sharper than this [degrees of angle] is a spike where it encloses next to nothing."""

_GEOD = pyproj.Geod(ellps="WGS84")
_E2 = _GEOD.es
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_PLACE = re.compile(r"\[(\S+) (\S+)\]")

Repairs = list[tuple[str, Position | None]]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A valid polygon in longitude and latitude, exterior rings counter-clockwise."""

    polygon: Polygon | MultiPolygon
    area_m2: float
    """Geodesic, on the WGS 84 ellipsoid."""
    repairs: tuple[tuple[str, Position | None], ...]
    """What was mended, and where."""
    warnings: tuple[tuple[str, Position | None], ...]
    """What is worth knowing, and where."""


def shape_of(outline: Outline, *, max_area_m2: float = MAX_AREA_M2, max_extent_deg: float = MAX_EXTENT_DEG) -> Shape:
    """Shape of an outline in longitude and latitude, WGS 84.

    Parameters
    ----------
    outline
        Polygons of rings.
    max_area_m2, max_extent_deg
        Beyond them it is refused [m2, degrees].

    Raises
    ------
    GeometryFault
        It cannot be taken as the outline of one parcel.
    """
    repairs: Repairs = []
    rings = tuple(tuple(_close(_clean(ring, repairs), repairs) for ring in polygon) for polygon in outline)
    polygon, n_drawn = _build(rings, repairs, max_extent_deg)
    _require_extent(polygon, max_extent_deg)
    if not polygon.is_valid:
        polygon = _repair(polygon, repairs)
    polygon = _orient(polygon)
    area_m2 = geodesic_area(polygon)
    if area_m2 < MIN_AREA_M2:
        raise GeometryFault(
            f"expected an area of at least {MIN_AREA_M2:g} m2 (0.01 ha, one pixel of the satellite), got {area_m2:.3g} "
            f"m2. Join it to a neighbouring parcel, or leave it out",
            _corner(polygon),
        )
    if area_m2 > max_area_m2:
        raise GeometryFault(
            f"expected a parcel of at most {max_area_m2 / 1e4:,.0f} ha, got {area_m2 / 1e4:,.0f} ha", _corner(polygon)
        )
    return Shape(
        polygon=polygon,
        area_m2=area_m2,
        repairs=tuple(repairs),
        warnings=(*_tell_parts(polygon, n_drawn), *_tell_spikes(polygon, area_m2)),
    )


def geodesic_area(polygon: Polygon | MultiPolygon) -> float:
    """Area on the WGS 84 ellipsoid [m2]; edges are straight in longitude and latitude, as RFC 7946 has them.

    By Green's theorem: the area between each edge and a parallel, in closed form in latitude, and by five nodes of
    Gauss along the edge, which is exact to rounding for edges of some degrees. No edge is replaced by a geodesic: so
    slivers are as right as squares. A geodesic of 1 km lies up to 2 cm off, which is a large part of a strip.
    """
    return sum(
        _ring_area(part.exterior) - sum(_ring_area(hole) for hole in part.interiors)
        for part in shapely.get_parts(polygon)
        if isinstance(part, Polygon) and not part.is_empty
    )


def _ring_area(ring: shapely.LinearRing) -> float:
    """Area within a ring, whichever way it turns [m2]."""
    at = np.radians(shapely.get_coordinates(ring))
    step = np.diff(at, axis=0)
    middle = (at[:, 1].min() + at[:, 1].max()) / 2
    latitude = at[:-1, 1, None] + step[:, 1, None] * (_NODES + 1) / 2
    height = (_band(latitude) - _band(middle)) @ _WEIGHTS / 2
    return abs(float(height @ step[:, 0]))


def _band(latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area between the equator and a latitude [radians], for each radian of longitude [m2] (Snyder 1987, eq. 3-12)."""
    sine, e = np.sin(latitude), np.sqrt(_E2)
    return np.asarray(_GEOD.b**2 / 2 * (sine / (1 - _E2 * sine**2) + np.arctanh(e * sine) / e))


def mean_width(polygon: Polygon | MultiPolygon, area_m2: float) -> float:
    """Area over half the perimeter [m]: about the width of what is long and thin."""
    perimeter = float(_GEOD.geometry_length(polygon.boundary))
    return 2 * area_m2 / perimeter if perimeter > 0 else 0.0


def polygonal(geometry: shapely.Geometry) -> Polygon | MultiPolygon:
    """The polygons of any geometry; lines and points are dropped."""
    parts = [
        part
        for part in shapely.get_parts(shapely.get_parts(geometry))
        if isinstance(part, Polygon) and not part.is_empty
    ]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _corner(polygon: Polygon | MultiPolygon) -> Position:
    west, south, _, _ = polygon.bounds
    return west, south


# --------------------------------------------------------------------------------------------------------------- rings


def _clean(ring: Ring, repairs: Repairs) -> Ring:
    """Without a position given twice in a row."""
    if len(ring) < 2:
        return ring
    same = (ring[1:] == ring[:-1]).all(axis=1)
    if not same.any():
        return ring
    at = ring[1:][same][0]
    repairs.append((f"{int(same.sum())} positions repeat the one before; they were left out", (at[0], at[1])))
    kept: Ring = ring[np.concatenate([[True], ~same])]
    return kept


def _close(ring: Ring, repairs: Repairs) -> Ring:
    if len(ring) and (ring[0] != ring[-1]).any():
        repairs.append(("the ring was not closed; its first position was added at its end", tuple(ring[-1].tolist())))
        ring = np.vstack([ring, ring[:1]])
    if len(ring) < 4:
        at = tuple(ring[0].tolist()) if len(ring) else None
        raise GeometryFault(
            f"expected a ring of at least 4 positions, the last equal to the first, got {len(ring)}", at
        )
    return ring


def _build(rings: Outline, repairs: Repairs, max_extent_deg: float) -> tuple[Polygon | MultiPolygon, int]:
    """Polygons of closed rings, cut at 180 degrees, and how many were drawn."""
    across = any(np.abs(np.diff(ring[:, 0])).max() > 180 or ring[:, 0].max() > 180 for part in rings for ring in part)
    shapes = [Polygon(part[0], part[1:]) for part in (_unroll(rings) if across else rings)]
    drawn = shapes[0] if len(shapes) == 1 else MultiPolygon(shapes)
    if not across:
        return drawn, len(shapes)
    _require_extent(drawn, max_extent_deg)
    if not drawn.is_valid:
        drawn = _repair(drawn, repairs)
    halves = [
        translate(drawn.intersection(shapely.box(west, -90, west + 360, 90)), xoff=-turn)
        for west, turn in ((-180.0, 0.0), (180.0, 360.0))
    ]
    cut = polygonal(shapely.GeometryCollection([part for half in halves for part in shapely.get_parts(half)]))
    if cut.is_empty:
        raise GeometryFault("the parcel has no area")
    repairs.append(("the parcel crosses the 180th meridian and was cut there", (180.0, float(cut.bounds[1]))))
    return cut, len(shapes)


def _unroll(rings: Outline) -> Outline:
    """Rings that run on beyond 180 degrees, each part beside the first one, in longitudes of -180 to 540 degrees."""
    whole = []
    start = None
    for part in rings:
        turned = []
        for ring in part:
            lon = np.unwrap(ring[:, 0], period=360)
            middle = (lon.min() + lon.max()) / 2
            start = middle % 360 if start is None else start
            turned.append(np.column_stack([lon + 360 * np.round((start - middle) / 360), ring[:, 1]]))
        whole.append(tuple(turned))
    return tuple(whole)


def _require_extent(polygon: Polygon | MultiPolygon, max_extent_deg: float) -> None:
    west, south, east, north = polygon.bounds
    if east - west > 180:  # parts on both sides of the 180th meridian
        parts = [part.bounds for part in shapely.get_parts(polygon)]
        west, east = min(left % 360 for left, *_ in parts), max((right - 1e-12) % 360 for _, _, right, _ in parts)
    if max(east - west, north - south) > max_extent_deg:
        raise GeometryFault(
            f"expected a parcel of at most {max_extent_deg:g} degrees, got {east - west:.2f} by {north - south:.2f} "
            f"degrees. Is a vertex misplaced? Give parts that lie far apart as parcels of their own",
            (west, south),
        )


# -------------------------------------------------------------------------------------------------------------- repair


def _repair(polygon: Polygon | MultiPolygon, repairs: Repairs) -> Polygon | MultiPolygon:
    """Mend an invalid polygon where all ways of mending it agree what it encloses, else refuse with the place."""
    reason = shapely.is_valid_reason(polygon)
    found = _PLACE.search(reason)
    place = (float(found[1]), float(found[2])) if found else None
    what = reason.split("[")[0].strip().lower()
    candidates = [polygonal(method(polygon)) for method in _METHODS]
    areas = [geodesic_area(candidate) if not candidate.is_empty else 0.0 for candidate in candidates]
    if min(areas) <= 0 or max(areas) - min(areas) > REPAIR_TOLERANCE * max(areas):
        raise GeometryFault(
            f"the outline is not valid ({what}), and what it encloses is not clear: two ways of mending it give "
            f"{max(areas):,.0f} and {min(areas):,.0f} m2. Redraw it so that it does not cross itself",
            place,
        )
    repairs.append((f"the outline was not valid ({what}); it was mended to {areas[0]:,.0f} m2", place))
    return candidates[0]


def _by_lines(polygon: shapely.Geometry) -> shapely.Geometry:
    return shapely.make_valid(polygon, method="linework")


def _by_structure(polygon: shapely.Geometry) -> shapely.Geometry:
    return shapely.make_valid(polygon, method="structure", keep_collapsed=False)


def _by_buffer(polygon: shapely.Geometry) -> shapely.Geometry:
    return shapely.buffer(polygon, 0)


_METHODS: tuple[Callable[[shapely.Geometry], shapely.Geometry], ...] = (_by_structure, _by_lines, _by_buffer)


def _orient(polygon: Polygon | MultiPolygon) -> Polygon | MultiPolygon:
    if isinstance(polygon, MultiPolygon):
        return MultiPolygon([orient(part) for part in polygon.geoms])
    return orient(polygon)


# ------------------------------------------------------------------------------------------------ what is worth knowing


def _tell_parts(polygon: Polygon | MultiPolygon, n_drawn: int) -> list[tuple[str, Position | None]]:
    """That a parcel has several parts, and which of them are slivers."""
    told: list[tuple[str, Position | None]] = []
    if n_drawn > 1:
        told.append((f"has {n_drawn} parts; they are judged as one parcel", None))
    for part in shapely.get_parts(polygon):
        area_m2 = geodesic_area(part)
        width_m = mean_width(part, area_m2)
        if width_m < SLIVER_WIDTH_M:
            point = part.representative_point()
            told.append(
                (
                    f"has a sliver of {area_m2:,.0f} m2 ({area_m2 / MU_M2:,.2f} mu), {width_m:.1f} m wide",
                    (point.x, point.y),
                )
            )
    return told


def _tell_spikes(polygon: Polygon | MultiPolygon, area_m2: float) -> list[tuple[str, Position | None]]:
    """Corners so sharp that the outline runs out and back on nearly the same line."""
    told: list[tuple[str, Position | None]] = []
    for part in shapely.get_parts(polygon):
        corners = np.asarray(part.exterior.coords)[:-1]
        scale = np.array([111_320 * np.cos(np.radians(corners[0, 1])), 110_574.0])
        before, after = ((np.roll(corners, by, axis=0) - corners) * scale for by in (1, -1))
        cross = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
        angle = np.degrees(np.arctan2(cross, (before * after).sum(axis=1)))
        reach = np.minimum(np.hypot(*before.T), np.hypot(*after.T))
        spike = (angle < SPIKE_DEG) & (cross / 2 < REPAIR_TOLERANCE * area_m2) & (reach > SLIVER_WIDTH_M)
        told.extend(
            (
                f"has a spike {reach[n]:,.0f} m long that encloses nothing; it was left as drawn",
                tuple(corners[n].tolist()),
            )
            for n in np.flatnonzero(spike)
        )
    return told
