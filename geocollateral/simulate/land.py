"""The layout of a site: roads, a river, blocks of one kind of land, parcels, and the zones inside a parcel."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from shapely import Polygon, make_valid
from shapely.affinity import rotate
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import split as split_by_line

from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.worlds import SiteSpec

MIN_HA, MAX_HA = 0.3, 20.0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of land and how it is cut into parcels."""

    cover: str
    """Cover of its parcels (`geocollateral.simulate.covers.COVERS`)."""
    asset_class: str | None
    """None: nobody pledges it."""
    parcel_ha: float
    """Median area of a parcel."""
    spread: float = 0.5
    """Of the logarithm of the area."""
    block_ha: float = 30.0
    """Area of a block of this kind between roads."""


KINDS: Mapping[str, Kind] = {
    "wheat_maize": Kind(cover="wheat_maize", asset_class="agriculture", parcel_ha=2.2, spread=0.75),
    "maize": Kind(cover="maize", asset_class="agriculture", parcel_ha=3.2, spread=0.75),
    "rice": Kind(cover="rice", asset_class="agriculture", parcel_ha=1.8, spread=0.6),
    "rice_rape": Kind(cover="rice_rape", asset_class="agriculture", parcel_ha=1.8, spread=0.65),
    "vegetables": Kind(cover="vegetables", asset_class="agriculture", parcel_ha=1.0, block_ha=14),
    "orchard": Kind(cover="orchard", asset_class="agriculture", parcel_ha=2.2, block_ha=22),
    "greenhouse": Kind(cover="greenhouse", asset_class="agriculture", parcel_ha=1.4, block_ha=14),
    "pasture": Kind(cover="pasture", asset_class="agriculture", parcel_ha=3.5, block_ha=20),
    "poplar": Kind(cover="deciduous", asset_class="forestry", parcel_ha=3.0, spread=0.6, block_ha=24),
    "deciduous": Kind(cover="deciduous", asset_class="forestry", parcel_ha=5.0, spread=0.6, block_ha=45),
    "evergreen": Kind(cover="evergreen", asset_class="forestry", parcel_ha=4.0, spread=0.6, block_ha=45),
    "needle": Kind(cover="needle", asset_class="forestry", parcel_ha=4.5, spread=0.6, block_ha=40),
    "pond": Kind(cover="pond", asset_class="aquaculture", parcel_ha=1.4, block_ha=14),
    "building_site": Kind(cover="field", asset_class="construction", parcel_ha=2.6, block_ha=16),
    "works": Kind(cover="works", asset_class="construction", parcel_ha=2.0, block_ha=10),
    "solar": Kind(cover="solar", asset_class="solar", parcel_ha=5.0, block_ha=16),
    "wind": Kind(cover="field", asset_class="wind", parcel_ha=5.0, block_ha=18),
    "village": Kind(cover="village", asset_class=None, parcel_ha=1.2, spread=0.4, block_ha=14),
}


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What makes one piece of land differ from its neighbours of the same kind."""

    vigour: float = 1.0
    """Factor on plant cover."""
    brightness: float = 1.0
    """Factor on the reflectance of its ground and buildings."""
    lateness: float = 0.0
    """Days that its farmer is later than others."""
    irrigation: float = 0.5
    """Share of the want of water that the farmer makes up for."""
    patchiness: float = 0.06
    """Spread of plant cover inside, from place to place."""
    mottle: float = 0.05
    """Relative spread of reflectance from pixel to pixel."""
    age_years: float = 15.0
    """Of trees at the start."""
    mix: float = 0.5
    """A share whose meaning is the cover's own, 0-1."""
    material: str = "tiles"
    """Of roofs."""


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A piece of land with one owner."""

    parcel_id: str
    kind: str
    asset_class: str | None
    cover: str
    outline: Polygon
    """In metres from the site's lower left corner."""
    traits: Traits

    @property
    def area_m2(self) -> float:
        """Area on the site's grid [m2]."""
        return float(self.outline.area)


@dataclass(frozen=True, kw_only=True)
class Land:
    """A site cut into parcels; the rest are roads and verges, under everything."""

    extent_m: float
    parcels: tuple[Parcel, ...]
    river: Polygon | None = field(default=None)


def lay_out(site: SiteSpec, seeds: Seeds) -> Land:
    """Parcels of a site, named after the tile and numbered."""
    rng = seeds.stream("land", site.tile)
    extent = site.grid.extent_m
    square: BaseGeometry = box(0, 0, extent, extent)
    river = _river(extent, rng) if site.river else None
    ground = square if river is None else square.difference(river.buffer(12))
    angle = float(rng.uniform(-14, 14))
    parcels: list[Parcel] = []
    for kind, block in _blocks(ground, site, angle, rng):
        for outline in _parcel_outlines(block, KINDS[kind], angle, rng):
            parcel_id = f"{site.tile.lower()}-{len(parcels) + 1:04d}"
            parcels.append(
                Parcel(
                    parcel_id=parcel_id,
                    kind=kind,
                    asset_class=KINDS[kind].asset_class,
                    cover=KINDS[kind].cover,
                    outline=outline,
                    traits=_traits(kind, rng),
                )
            )
    return Land(extent_m=extent, parcels=tuple(parcels), river=river)


def cut(
    shape: BaseGeometry, target_m2: float, angle: float, rng: np.random.Generator, skew: float = 6.0
) -> list[Polygon]:
    """Cut a shape into pieces of about a size, across its longer side, at angles that wander by ``skew`` degrees."""
    done: list[Polygon] = []
    waiting = list(polygons(shape))
    while waiting:
        piece = waiting.pop()
        size = target_m2 * math.exp(rng.normal(0, 0.22))
        if piece.area < 1.6 * size:
            done.append(piece)
            continue
        parts = _halves(piece, angle, rng, skew)
        if len(parts) < 2:
            done.append(piece)
        else:
            waiting.extend(parts)
    return done


def polygons(shape: BaseGeometry) -> Iterator[Polygon]:
    """The polygons of a geometry, without slivers and scraps."""
    valid = shape if shape.is_valid else make_valid(shape)
    parts = valid.geoms if isinstance(valid, MultiPolygon | GeometryCollection) else [valid]
    for part in parts:
        if isinstance(part, Polygon) and part.area > 50:
            yield part


def _halves(piece: Polygon, angle: float, rng: np.random.Generator, skew: float) -> list[Polygon]:
    upright = rotate(piece, -angle, origin=(0, 0))
    west, south, east, north = upright.bounds
    share = rng.uniform(0.36, 0.64)
    reach = 2 * max(east - west, north - south)
    if east - west >= north - south:
        at = west + share * (east - west)
        line = LineString([(at, south - reach), (at, north + reach)])
    else:
        at = south + share * (north - south)
        line = LineString([(west - reach, at), (east + reach, at)])
    line = rotate(line, angle, origin=(0, 0))
    line = rotate(line, float(rng.normal(0, skew)), origin=piece.centroid)
    return list(polygons(split_by_line(piece, line)))


def _blocks(ground: BaseGeometry, site: SiteSpec, angle: float, rng: np.random.Generator) -> list[tuple[str, Polygon]]:
    """Kinds of land and their blocks, with roads between."""
    total = ground.area
    kinds = list(site.land)
    wanted = {kind: site.land[kind] * total for kind in kinds}
    waiting = cut(ground, max(KINDS[k].block_ha for k in kinds) * 1e4, angle, rng)
    rng.shuffle(waiting)
    found: list[tuple[str, Polygon]] = []
    while waiting:
        block = waiting.pop()
        kind = max(kinds, key=lambda k: wanted[k] / KINDS[k].block_ha)
        if block.area > 1.7 * KINDS[kind].block_ha * 1e4:
            parts = _halves(block, angle, rng, 6.0)
            if len(parts) > 1:
                waiting.extend(parts)
                continue
        wanted[kind] -= block.area
        road_m = float(rng.choice([3.0, 4.5, 7.0], p=[0.5, 0.35, 0.15]))
        found.extend((kind, part) for part in polygons(block.buffer(-road_m, join_style="mitre")))
    return found


def _parcel_outlines(block: Polygon, kind: Kind, angle: float, rng: np.random.Generator) -> list[Polygon]:
    found = []
    target = kind.parcel_ha * 1e4 * math.exp(rng.normal(0, kind.spread))
    for piece in cut(block, max(target, 0.5e4), angle, rng):
        path_m = float(rng.choice([0.5, 1.5, 3.0], p=[0.5, 0.3, 0.2]))
        for part in polygons(piece.buffer(-path_m, join_style="mitre")):
            simple = Polygon(part.exterior).simplify(0.5)
            if MIN_HA * 1e4 <= simple.area <= MAX_HA * 1e4 and isinstance(simple, Polygon):
                found.append(simple)
    return found


def _river(extent: float, rng: np.random.Generator) -> Polygon:
    """A band of water that wanders from the west to the east side."""
    steps = np.linspace(-100, extent + 100, 60)
    middle = extent * rng.uniform(0.2, 0.8)
    sway = sum(
        extent * size * np.sin(2 * np.pi * steps / (extent * length) + rng.uniform(0, 6.3))
        for size, length in ((0.06, 0.9), (0.025, 0.37), (0.01, 0.13))
    )
    shape = LineString(np.column_stack([steps, middle + sway])).buffer(float(rng.uniform(14, 38)))
    clipped = shape.intersection(box(0, 0, extent, extent))
    return max(polygons(clipped), key=lambda part: part.area)


_ROOFS = ("tiles", "blue_roof", "white_roof", "tiles", "concrete")


def _traits(kind: str, rng: np.random.Generator) -> Traits:
    forest = KINDS[kind].asset_class == "forestry"
    built = kind in ("village", "works", "building_site", "solar")
    return Traits(
        vigour=float(np.clip(rng.normal(1.0, 0.09), 0.7, 1.15)),
        brightness=float(np.exp(rng.normal(0, 0.13))),
        lateness=float(rng.normal(0, 4.5)),
        irrigation=float(rng.uniform(0.2, 0.95)),
        patchiness=float(rng.uniform(0.02, 0.06) if forest else rng.uniform(0.02, 0.11)),
        mottle=float(rng.uniform(0.10, 0.22) if built else rng.uniform(0.015, 0.05)),
        age_years=float(rng.uniform(4, 40)),
        mix=float(rng.random()),
        material=str(rng.choice(_ROOFS)),
    )
