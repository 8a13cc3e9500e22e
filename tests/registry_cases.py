"""Parcels, loans and planted overlaps for tests and the benchmark of the registry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geocollateral.intake.geometry import geodesic_area
from geocollateral.intake.shared_ground import metres_per_degree
from geocollateral.store import LoanEntry, ParcelEntry, Submission

DAY = dt.date(2026, 3, 1)
NOW = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=30)
WEST, SOUTH = 118.0, 26.0
KX, KY = (float(k[0]) for k in metres_per_degree(np.array([SOUTH])))


def rectangle(east_m: float, north_m: float, width_m: float, height_m: float) -> shapely.Polygon:
    """A rectangle by the metres from one corner of Fujian."""
    west, south = WEST + east_m / KX, SOUTH + north_m / KY
    return shapely.box(west, south, west + width_m / KX, south + height_m / KY)


def parcel(name: str, outline: shapely.Geometry, **facts: Any) -> ParcelEntry:
    """A parcel of a forest."""
    facts = {"asset_class": "forestry", "claims": {}, "loan": "L1", **facts}
    return ParcelEntry(name=name, geometry=outline, area_m2=geodesic_area(outline), **facts)


def submission(*parcels: ParcelEntry, project: str = "firs", branch: str = "main", **facts: Any) -> Submission:
    """A file of parcels; their loans are of one borrower."""
    keys = dict.fromkeys(entry.loan for entry in parcels if entry.loan is not None)
    loans = facts.pop("loans", tuple(LoanEntry(key=key, borrower="B-1") for key in keys))
    facts = {"source_sha256": "a" * 64, "day": DAY, **facts}
    return Submission(branch=branch, project=project, parcels=parcels, loans=loans, **facts)


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A landscape of parcels of which some overlap."""

    outlines: NDArray[np.object_]
    """Shape (parcel,)."""
    overlaps: frozenset[tuple[int, int]]
    """Pairs that share 1 mu or more."""
    slivers: frozenset[tuple[int, int]]
    """Pairs along a crooked border: less than 0.1 mu, or nowhere wider than 3 m and less than 0.9 mu."""


def plant(n: int, n_overlaps: int, n_slivers: int, seed: int) -> Planted:
    """A cadastre of n lots of about 100 m a side that do not touch, and parcels laid over some of them.

    An overlap is a strip off one side, a corner, a hole's worth in the middle or nearly the whole lot.
    """
    random = np.random.default_rng(seed)
    columns = int(np.ceil(np.sqrt(n)))
    place = np.arange(n)
    # Lots of unlike sides, crooked at one corner, each within its own cell of 120 m.
    width, height = random.uniform(70, 110, (2, n))
    east, north = place % columns * 120.0, place // columns * 120.0
    lots = [
        _crooked(e, s, w, h, d)
        for e, s, w, h, d in zip(east, north, width, height, random.uniform(0, 5, n), strict=True)
    ]
    chosen = random.permutation(n)[: n_overlaps + n_slivers]
    laid, overlaps, slivers = [], set(), set()
    for count, lot in enumerate(chosen.tolist()):
        index = n + len(laid)
        e, s, w, h = east[lot], north[lot], width[lot], height[lot]
        if count < n_overlaps:
            laid.append(_overlap(count % 4, e, s, w, h, random))
            overlaps.add((lot, index))
        else:
            laid.append(_sliver(count % 2, e, s, w, h, random))
            slivers.add((lot, index))
    outlines = np.empty(n + len(laid), dtype=object)
    outlines[:] = [*lots, *laid]
    return Planted(outlines=outlines, overlaps=frozenset(overlaps), slivers=frozenset(slivers))


def _crooked(east: float, north: float, width: float, height: float, cut: float) -> shapely.Polygon:
    corners = np.array([(0, 0), (width, 0), (width, height - cut), (width - cut, height), (0, height)])
    metres = corners + np.array([east, north])
    return shapely.Polygon(np.column_stack([WEST + metres[:, 0] / KX, SOUTH + metres[:, 1] / KY]))


def _overlap(kind: int, e: float, s: float, w: float, h: float, random: np.random.Generator) -> shapely.Polygon:
    least = 670.0  # m2, a little over one mu
    if kind == 0:  # a strip off the west side
        deep = max(least / (h - 6), random.uniform(7, 20)) + 0.5
        return rectangle(e - 5, s - 3, 5 + deep, h + 1)
    if kind == 1:  # a corner
        side = random.uniform(26.5, 40)
        return rectangle(e - 4, s - 4, 4 + side, 4 + side)
    if kind == 2:  # inside
        side = random.uniform(26.5, 60)
        return rectangle(e + 3, s + 3, side, side)
    return rectangle(e + 1, s + 1, w - 7, h - 7)  # drawn anew


def _sliver(kind: int, e: float, s: float, w: float, h: float, random: np.random.Generator) -> shapely.Polygon:
    if kind == 0:  # along the west border, up to 3 m
        return rectangle(e - 8, s, 8 + random.uniform(0.2, 3.0), h - 6)
    side = random.uniform(1, 7.5)  # less than 0.1 mu of a corner
    return rectangle(e - 9, s - 9, 9 + side, 9 + side)


def pairs_of(found: Sequence[Any]) -> set[tuple[int, int]]:
    """Positions of the pairs found."""
    return {(min(pair.first, pair.second), max(pair.first, pair.second)) for pair in found}
