"""Parcels of one pledge that cover the same ground, which would be counted twice."""

from __future__ import annotations

from collections.abc import Mapping

from shapely import STRtree
from shapely.geometry import MultiPolygon, Polygon

from geocollateral.intake.geometry import SLIVER_WIDTH_M, geodesic_area, mean_width, polygonal
from geocollateral.types import MU_M2, IntakeNote

MIN_OVERLAP_M2 = 1.0
"""Smaller overlaps are noise of drawing."""
MAX_REPORTED = 1000


def find_overlaps(shapes: Mapping[str, Polygon | MultiPolygon]) -> list[IntakeNote]:
    """Warnings, one for each pair of parcels that overlap, in the order of the parcels; none after the 1000th."""
    ids, polygons = list(shapes), list(shapes.values())
    tree = STRtree(polygons)
    notes: list[IntakeNote] = []
    for first, polygon in enumerate(polygons):
        for second in sorted(int(n) for n in tree.query(polygon, predicate="intersects") if n > first):
            common = polygonal(polygon.intersection(polygons[second]))
            area_m2 = geodesic_area(common) if not common.is_empty else 0.0
            if area_m2 < MIN_OVERLAP_M2:
                continue
            if len(notes) == MAX_REPORTED:
                message = f"more than {MAX_REPORTED} pairs of parcels overlap; the others are not listed"
                return [*notes, IntakeNote(kind="warning", parcel_id=None, message=message)]
            point = common.representative_point()
            sliver = "; a sliver of drawing" if mean_width(common, area_m2) < SLIVER_WIDTH_M else ""
            message = (
                f"overlaps parcel {ids[second]!r} by {area_m2:,.0f} m2 ({area_m2 / MU_M2:,.2f} mu), which would be "
                f"counted twice{sliver}"
            )
            notes.append(IntakeNote(kind="warning", parcel_id=ids[first], message=message, position=(point.x, point.y)))
    return notes
