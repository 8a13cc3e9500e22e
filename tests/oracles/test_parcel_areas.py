"""Ten thousand polygons as users draw them, against areas on an equal-area map of the same ellipsoid."""

from __future__ import annotations

from collections import Counter

import pytest
from parcel_polygons import equal_area_m2, polygons

from geocollateral.intake.geometry import GeometryFault, shape_of


def test_s6_ten_thousand_polygons() -> None:
    """No crash, and every area that of the map (wanted: 0.1 %), thin ones included."""
    seen: Counter[tuple[str, bool]] = Counter()
    for kind, outline in polygons(10_000, seed=20):
        try:
            shape = shape_of(outline)
        except GeometryFault:
            seen[kind, False] += 1
            continue
        seen[kind, True] += 1
        assert shape.polygon.is_valid
        assert shape.area_m2 == pytest.approx(equal_area_m2(shape.polygon), rel=1e-4), kind
    assert sum(seen.values()) == 10_000
    assert sum(n for (_, accepted), n in seen.items() if accepted) > 7_000, seen
