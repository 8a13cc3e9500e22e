"""Land that two outlines have in common: how much, whether more than a crooked border, and the same land elsewhere.

Everything here is geometry of pairs. Who pledged what, when, and to whom is known elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import Field
from scipy.spatial import cKDTree

from geocollateral.intake.gcj02 import gcj02_to_bd09, in_box, wgs84_to_bd09, wgs84_to_gcj02
from geocollateral.intake.geometry import geodesic_area, polygonal
from geocollateral.types import MU_M2, Params

Outlines = NDArray[np.object_]
"""Shape (parcel,): valid polygons in longitude and latitude [degrees, WGS 84]."""
Offsets = tuple[NDArray[np.float64], NDArray[np.float64]]
DatumShift = Callable[[NDArray[np.float64], NDArray[np.float64]], Offsets]
"""From longitude and latitude [degrees] to how far east and north [degrees] a point lands whose coordinates are of
another datum and were taken for WGS 84: of its true place, or of where a second wrong datum puts it."""


def _gcj02_shift(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Offsets:
    east, north = wgs84_to_gcj02(lon, lat)
    return east - lon, north - lat


def _bd09_shift(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Offsets:
    """Outside the box of GCJ-02 none: there Baidu's maps are not in use."""
    east, north = wgs84_to_bd09(lon, lat)
    inside = in_box(lon, lat)
    return np.where(inside, east - lon, 0.0), np.where(inside, north - lat, 0.0)


def _web_maps_shift(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Offsets:
    """From a point drawn in GCJ-02 to the same one in BD-09; outside the box of GCJ-02 none."""
    east, north = gcj02_to_bd09(lon, lat)
    inside = in_box(lon, lat)
    return np.where(inside, east - lon, 0.0), np.where(inside, north - lat, 0.0)


WEB_MAPS = "GCJ-02/BD-09"
"""Name of the vector between two outlines that both lie wrong: the one in GCJ-02, the other in BD-09."""
DATUM_SHIFTS: Mapping[str, DatumShift] = {"BD-09": _bd09_shift, "GCJ-02": _gcj02_shift, WEB_MAPS: _web_maps_shift}
"""Datums whose vector explains why one piece of land stands twice, some hundred metres apart, by name."""

SharedKind = Literal["overlap", "redrawn", "border_strip", "moved"]

CHUNK = 50_000
"""Pairs intersected at once: bounds the memory."""
SIDE_TOLERANCE_M = 2.0
"""Largest difference of the sides (root of the area, perimeter, width, height) of one outline in two datums [m]."""
COMMON_SHAPE = 3
"""From so many other parcels of one shape around it on, a shape says nothing about which parcel it is."""
CORNER_M = 1.0
"""A vertex that lies nearer to the line between its neighbours is no corner [m]."""
MANY_CORNERS = 6
"""From so many corners on, two outlines are not alike by chance."""
TELLING_M, COPY_M = 1.5, 0.2
"""How well outlines of many, and of few corners must agree to be one drawing [m]; a datum bends 100 m by some 0.3 m."""
LEAST_SHIFT_M = 20.0
"""Shorter vectors of a datum explain nothing: outlines so near to each other overlap as drawn [m]."""
NEIGHBOURS = 12
"""Parcels of one shape looked at around each."""
_RADIUS_M = 6_371_000.0


class PledgeParams(Params):
    """When two outlines share ground."""

    min_overlap_mu: float = Field(0.1, description="Smaller overlaps are noise of drawing [mu].", ge=0.001, le=10)
    strip_width_m: float = Field(
        5.0,
        description="An overlap nowhere wider than this, along a border, is noise of drawing [m] up to `strip_mu`, and "
        "above it cannot be told from a real one.",
        ge=0,
        le=50,
    )
    strip_mu: float = Field(1.0, description="Overlaps of this area are always told, however thin [mu].", gt=0, le=100)
    redrawn_iou: float = Field(
        0.8,
        description="Common area over joint area from which two outlines are the same land drawn twice [1].",
        gt=0,
        le=1,
    )
    moved_iou: float = Field(
        0.9,
        description="The same of two outlines laid on each other: the same land in another datum, maybe [1].",
        gt=0,
        le=1,
    )
    moved_from_m: float = Field(100.0, description="Shortest displacement told where no datum names it [m].", ge=10)
    moved_to_m: float = Field(700.0, description="Longest displacement told where no datum names it [m].", le=5000)


@dataclass(frozen=True, kw_only=True)
class SharedGround:
    """What two outlines have in common."""

    first: int
    second: int
    """Positions in the arrays given."""
    kind: SharedKind
    """``overlap``; ``redrawn``: an overlap of nearly all of both; ``border_strip``: an overlap so thin that it may be a
    crooked border; ``moved``: no ground in common as drawn, but the outlines match after a displacement."""
    area_m2: float
    """Geodesic area in common as drawn [m2]; 0 for ``moved``."""
    first_frac: float
    second_frac: float
    """Its share of each outline's area [0-1]."""
    width_m: float
    """Mean width of what is in common: twice the area over the perimeter [m]; 0 for ``moved``."""
    iou: float
    """Common over joint area [0-1]; for ``moved`` after the displacement."""
    moved_m: tuple[float, float] | None = None
    """How far east and north the second lies of the first, where they are one outline displaced [m]."""
    datum: str | None = None
    """Name of the datum whose vector that is, if one fits."""


def find_shared(first: Outlines, second: Outlines | None, params: PledgeParams) -> list[SharedGround]:
    """Pairs that have ground in common, in the order of their positions.

    Parameters
    ----------
    first, second
        Outlines; None for ``second`` compares all pairs of ``first``, each once.
    params
        What is noise.
    """
    others = first if second is None else second
    if not len(first) or not len(others):
        return []
    i, j = shapely.STRtree(others).query(first, predicate="intersects")
    if second is None:
        i, j = i[i < j], j[i < j]
    order = np.lexsort((j, i))
    i, j = i[order], j[order]
    found: list[SharedGround] = []
    for start in range(0, len(i), CHUNK):
        part = slice(start, start + CHUNK)
        found += _measure(first, others, i[part], j[part], params)
    return found


def find_moved(
    first: Outlines, second: Outlines | None, shifts: Mapping[str, DatumShift], params: PledgeParams
) -> list[SharedGround]:
    """Pairs that would be one outline if one of them were displaced: maybe the same land in two datums.

    A displacement that a datum of ``shifts`` explains is told whatever the shape. Any other one of the length in
    ``params`` is told where the outlines themselves say so: those of many corners if they agree to a metre or two,
    those of few, such as the lots of a cadastre, only if they are one drawing; and never if more around are like them.

    Parameters
    ----------
    first, second
        Outlines; None for ``second`` compares all pairs of ``first``, each once.
    shifts
        By name of the datum.
    params
        How alike is alike.
    """
    others = first if second is None else second
    if not len(first) or not len(others):
        return []
    candidates = _pairs_of_one_shape(first, others, itself=second is None, params=params)
    for name, shift in sorted(shifts.items()):
        candidates += _pairs_by_datum(first, others, name, shift, params)
    best: dict[tuple[int, int], SharedGround] = {}
    for pair in candidates:
        key = (pair.first, pair.second)
        if second is None:
            if pair.first == pair.second:
                continue
            if pair.first > pair.second:
                pair, key = _swapped(pair), (pair.second, pair.first)
        if key not in best or (pair.datum is not None, pair.iou) > (best[key].datum is not None, best[key].iou):
            best[key] = pair
    return [best[key] for key in sorted(best)]


def reach_boxes(
    outline: shapely.Geometry, shifts: Mapping[str, DatumShift], params: PledgeParams
) -> NDArray[np.float64]:
    """Where partners of one outline can lie that `find_shared` and `find_moved` would find.

    Returns
    -------
    Shape (box, 4): west, south, east, north [degrees]. The first box holds all that overlap, the second all that are
    alike at the distance of ``params``, the others those of each datum.
    """
    west, south, east, north = shapely.bounds(outline)
    kx, ky = metres_per_degree(np.array([(south + north) / 2]))
    dx, dy = params.moved_to_m / float(kx[0]), params.moved_to_m / float(ky[0])
    boxes = [[west, south, east, north], [west - dx, south - dy, east + dx, north + dy]]
    center = shapely.centroid(outline)
    for shift in shifts.values():
        for x, y in _places(np.array([center.x]), np.array([center.y]), shift):
            boxes.append([float(x[0]), float(y[0])] * 2)
    return np.array(boxes)


def alike_areas(area_m2: float, params: PledgeParams) -> tuple[float, float]:
    """Least and largest area of a partner that `find_moved` would find or weigh [m2]."""
    side = area_m2**0.5
    low, high = max(side - SIDE_TOLERANCE_M, 0.0) ** 2, (side + SIDE_TOLERANCE_M) ** 2
    return 0.99 * min(low, area_m2 * params.moved_iou), 1.01 * max(high, area_m2 / params.moved_iou)


def union_area(outlines: Outlines) -> float:
    """Geodesic area of the ground that outlines cover, each piece counted once [m2]."""
    if not len(outlines):
        return 0.0
    covered = polygonal(shapely.union_all(outlines))
    return sum(geodesic_area(part) for part in shapely.get_parts(covered))


def common_area(outline: shapely.Geometry, others: Outlines) -> float:
    """Geodesic area of an outline that others cover together [m2]."""
    pieces = shapely.intersection(outline, others)
    return union_area(np.array([piece for piece in map(polygonal, pieces) if not piece.is_empty], dtype=object))


def metres_per_degree(latitude: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Length of a degree of longitude and of latitude on the WGS 84 ellipsoid [m]."""
    phi, a, e2 = np.radians(latitude), 6_378_137.0, 0.006694379990141
    w2 = 1 - e2 * np.sin(phi) ** 2
    return np.radians(a * np.cos(phi) / np.sqrt(w2)), np.radians(a * (1 - e2) / w2**1.5)


# ---------------------------------------------------------------------------------------------------------- as drawn


def _measure(
    first: Outlines, second: Outlines, i: NDArray[np.int64], j: NDArray[np.int64], params: PledgeParams
) -> list[SharedGround]:
    common = shapely.intersection(first[i], second[j])
    flat = _flat(common)
    # In the plane of the place an area is right to far better than the margin given here.
    large = shapely.area(flat) >= 0.99 * params.min_overlap_mu * MU_M2
    i, j, common, flat = i[large], j[large], common[large], flat[large]
    found = []
    for a, b, piece, local in zip(i.tolist(), j.tolist(), common, flat, strict=True):
        pair = _describe(a, b, first[a], second[b], piece, local, params)
        if pair is not None:
            found.append(pair)
    return found


def _describe(
    a: int,
    b: int,
    one: shapely.Geometry,
    other: shapely.Geometry,
    piece: shapely.Geometry,
    local: shapely.Geometry,
    params: PledgeParams,
) -> SharedGround | None:
    """One pair, or None if what it has in common is noise of drawing."""
    area_m2 = _area(piece)
    if area_m2 < params.min_overlap_mu * MU_M2:
        return None
    areas = _area(one), _area(other)
    iou = area_m2 / (areas[0] + areas[1] - area_m2)
    kind: SharedKind = "redrawn" if iou >= params.redrawn_iou else "overlap"
    # A parcel that is itself a strip can be pledged twice: thin is no excuse for what is most of one of the two.
    if area_m2 < 0.5 * min(areas) and _is_strip(local, params):
        if area_m2 < params.strip_mu * MU_M2:
            return None
        kind = "border_strip"
    return SharedGround(
        first=a,
        second=b,
        kind=kind,
        area_m2=area_m2,
        first_frac=min(area_m2 / areas[0], 1.0),
        second_frac=min(area_m2 / areas[1], 1.0),
        width_m=2 * float(shapely.area(local)) / float(shapely.length(local)),
        iou=min(iou, 1.0),
    )


def _is_strip(local: shapely.Geometry, params: PledgeParams) -> bool:
    """Whether what is left of a piece once its thin parts are taken away is below the least overlap."""
    half = params.strip_width_m / 2
    core = shapely.buffer(local, -half, join_style="mitre")
    return bool(shapely.area(shapely.buffer(core, half, join_style="mitre")) < params.min_overlap_mu * MU_M2)


def _area(geometry: shapely.Geometry) -> float:
    shape = polygonal(geometry)
    return 0.0 if shape.is_empty else geodesic_area(shape)


def _flat(geometries: Outlines) -> Outlines:
    """Geometries in metres east and north of the corner of their own box."""
    out = geometries.copy()
    coordinates, owner = shapely.get_coordinates(out, return_index=True)
    bounds = shapely.bounds(out)
    kx, ky = metres_per_degree((bounds[:, 1] + bounds[:, 3]) / 2)
    scaled = (coordinates - bounds[owner, :2]) * np.column_stack([kx, ky])[owner]
    return np.asarray(shapely.set_coordinates(out, scaled), dtype=object)


# ------------------------------------------------------------------------------------------------------- displaced


def _swapped(pair: SharedGround) -> SharedGround:
    east, north = pair.moved_m or (0.0, 0.0)
    return replace(
        pair,
        first=pair.second,
        second=pair.first,
        first_frac=pair.second_frac,
        second_frac=pair.first_frac,
        moved_m=(-east, -north),
    )


def _places(lon: NDArray[np.float64], lat: NDArray[np.float64], shift: DatumShift) -> list[Offsets]:
    """Where the partner of a point is: displaced by the vector, or, if the point is the displaced one, back by it."""
    east, north = shift(lon, lat)
    back_east, back_north = shift(lon - east, lat - north)  # the vector of the true place, which changes slowly
    return [(lon + east, lat + north), (lon - back_east, lat - back_north)]


def _pairs_by_datum(
    first: Outlines, second: Outlines, name: str, shift: DatumShift, params: PledgeParams
) -> list[SharedGround]:
    centers = shapely.get_coordinates(shapely.centroid(first))
    tree, found = shapely.STRtree(second), []
    kx, ky = metres_per_degree(centers[:, 1])
    for lon, lat in _places(centers[:, 0], centers[:, 1], shift):
        far = np.hypot((lon - centers[:, 0]) * kx, (lat - centers[:, 1]) * ky) >= LEAST_SHIFT_M
        lon = np.where(far, lon, np.nan)  # where a datum is WGS 84, outlines that overlap are only that
        i, j = tree.query(shapely.points(lon, lat), predicate="intersects")
        for a, b in zip(i.tolist(), j.tolist(), strict=True):
            offset = (lon[a] - centers[a, 0], lat[a] - centers[a, 1])
            pair = _matched(a, b, first[a], second[b], offset, params)
            if pair is not None:
                found.append(replace(pair, datum=name))
    return found


def _pairs_of_one_shape(first: Outlines, second: Outlines, *, itself: bool, params: PledgeParams) -> list[SharedGround]:
    """Pairs of one shape that no third one around shares."""
    signs, other_signs = _signs(first, params), _signs(second, params)
    tree = cKDTree(other_signs)
    near, j = tree.query(signs, k=list(range(1, NEIGHBOURS + 1)), p=np.inf, distance_upper_bound=1.0)
    i, column = np.nonzero(np.isfinite(near))
    j = j[i, column]
    close = np.linalg.norm(signs[i, :3] - other_signs[j, :3], axis=1) <= 1.0
    i, j = i[close], j[close]
    n_alike = np.bincount(i, minlength=len(first))
    # So many are near by each of the axes and too few by distance: look at all of them.
    for a in np.flatnonzero(np.isfinite(near).all(axis=1) & (n_alike < COMMON_SHAPE + itself)).tolist():
        around = np.array(tree.query_ball_point(signs[a], 1.0, p=np.inf))
        n_alike[a] = (np.linalg.norm(signs[a, :3] - other_signs[around, :3], axis=1) <= 1.0).sum()
    rare = n_alike < COMMON_SHAPE + itself
    pairs = [(a, b) for a, b in zip(i.tolist(), j.tolist(), strict=True) if rare[a] and not (itself and a == b)]
    found = []
    for a, b in pairs:
        one, other = shapely.centroid(first[a]), shapely.centroid(second[b])
        offset = (other.x - one.x, other.y - one.y)
        pair = _matched(a, b, first[a], second[b], offset, params)
        if pair is None or not _is_one_drawing(first[a], second[b]):
            continue
        if params.moved_from_m <= np.hypot(*(pair.moved_m or (0, 0))) <= params.moved_to_m:
            found.append(pair)
    return found


def _is_one_drawing(one: shapely.Geometry, other: shapely.Geometry) -> bool:
    """Whether two outlines, laid on each other, agree as well as chance would not have it."""
    shapes = _flat(np.array([one, other], dtype=object))
    corners = shapely.get_num_coordinates(shapely.simplify(shapes, CORNER_M)).min() - 1
    centers = shapely.get_coordinates(shapely.centroid(shapes))
    there = shapely.transform(shapes[0], lambda xy: xy + centers[1] - centers[0])
    return bool(shapely.hausdorff_distance(there, shapes[1]) <= (TELLING_M if corners >= MANY_CORNERS else COPY_M))


def _signs(outlines: Outlines, params: PledgeParams) -> NDArray[np.float64]:
    """Place and sides of each outline, in units in which 1 is as far as two of one shape can lie apart.

    Shape (parcel, 7).
    """
    centers = np.radians(shapely.get_coordinates(shapely.centroid(outlines)))
    lon, lat = centers[:, 0], centers[:, 1]
    place = _RADIUS_M * np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    flat = _flat(outlines)
    bounds = shapely.bounds(flat)
    sides = np.column_stack([np.sqrt(shapely.area(flat)), shapely.length(flat), bounds[:, 2:] - bounds[:, :2]])
    return np.column_stack([place / params.moved_to_m, sides / SIDE_TOLERANCE_M])


def _matched(
    a: int,
    b: int,
    one: shapely.Geometry,
    other: shapely.Geometry,
    offset: tuple[float, float],
    params: PledgeParams,
) -> SharedGround | None:
    """The pair, if the first displaced by an offset [degrees] is the second."""
    there = shapely.transform(one, lambda xy: xy + np.asarray(offset))
    common, joint = shapely.area(shapely.intersection(there, other)), shapely.area(shapely.union(there, other))
    if common < params.moved_iou * joint:
        return None
    center, target = shapely.centroid(one), shapely.centroid(other)
    kx, ky = metres_per_degree(np.array([(center.y + target.y) / 2]))
    moved = ((target.x - center.x) * float(kx[0]), (target.y - center.y) * float(ky[0]))
    return SharedGround(
        first=a,
        second=b,
        kind="moved",
        area_m2=0.0,
        first_frac=0.0,
        second_frac=0.0,
        width_m=0.0,
        iou=float(common / joint),
        moved_m=moved,
    )


def merge(shared: Sequence[SharedGround], moved: Sequence[SharedGround]) -> list[SharedGround]:
    """One row per pair: what is in common as drawn, with the displacement where there is one."""
    by_pair = {(pair.first, pair.second): pair for pair in moved}
    out = {(pair.first, pair.second): pair for pair in shared}
    for key, pair in by_pair.items():
        out[key] = replace(out[key], moved_m=pair.moved_m, datum=pair.datum) if key in out else pair
    return [out[key] for key in sorted(out)]
