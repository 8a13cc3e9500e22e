"""From parcels and scenes to blocks: windows of the imagery's own grid that wholly contain their parcels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor

import geopandas as gpd
import pystac
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pydantic import Field
from shapely.geometry.base import BaseGeometry

from geocollateral.errors import BrokenData
from geocollateral.types import OPTICAL_BANDS, RADAR_BANDS, Block, Params, require_parcels


class PlanParams(Params):
    """How parcels are gathered into blocks."""

    block_pixels: int = Field(
        256,
        ge=16,
        le=4096,
        description="Parcels whose centres fall in one square of this many pixels a side share a block.",
    )
    margin_pixels: int = Field(
        8,
        ge=0,
        le=64,
        description="Pixels read around the parcels, for masks that look at neighbours and for pictures.",
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to read for whom."""

    blocks: tuple[Block, ...]
    """Optical blocks before radar blocks. A parcel is in at most one optical block, and in one radar block of each
    lattice that holds some of it; parcels of one radar block share their optical block."""
    geometries: Mapping[str, Mapping[str, BaseGeometry]]
    """By block id, then by parcel: each parcel of the block, in the CRS of the block's grid."""
    visible_fraction: Mapping[str, float]
    """Share of each parcel's area inside the imagery it is judged on, optical where there is any [0-1]; every parcel
    has one."""
    grids: Mapping[str, GeoBox]
    """Grid each block was cut from, by block id: that of its tile, or the hull of its tiles."""

    @property
    def offered(self) -> Mapping[bool, frozenset[str]]:
        """Bands that any scene planned has, optical (False) and radar (True)."""
        return {
            radar: frozenset(
                band for block in self.blocks for item in block.items if is_radar(item) is radar for band in item.assets
            )
            for radar in (False, True)
        }

    def optical_home(self, parcel_id: str) -> Block | None:
        """Block a parcel is judged and pictured in; None where no imagery meets it."""
        return next((block for block in self.blocks if parcel_id in block.parcel_ids), None)


@dataclass(frozen=True)
class _Lattice:
    """What the grids of tiles that can be read in one window share."""

    crs: str
    pixel: tuple[float, float]
    phase: tuple[float, float]


@dataclass(frozen=True)
class _Place:
    """Where a parcel is read: tiles of one lattice."""

    lattice: _Lattice
    tiles: tuple[GeoBox, ...]
    geometry: BaseGeometry
    fraction: float


def plan_blocks(
    parcels: gpd.GeoDataFrame, items: Sequence[pystac.Item], params: PlanParams, *, reach_m: float = 0.0
) -> Plan:
    """Assign each parcel to tiles and gather neighbours into blocks.

    Optical and radar scenes are planned apart, because their grids need not lie on each other. For optical scenes:

    1. Of several lattices (UTM zones overlap) a parcel goes to the one that holds most of it; of equals to the one with
       most scenes, then to the first by name.
    2. On that lattice, one tile that holds all that is to be seen of the parcel is its home, and no other tile is read
       for it; of several such the one with most scenes, then the first by place. Only a parcel that no tile
       holds is read from all tiles it meets.

    Radar scenes have no tiles: a parcel is read from every scene it meets, on every lattice. The order of parcels and
    of items does not change the plan.

    Parameters
    ----------
    reach_m
        How far a mask looks beyond a parcel [m]: the margin is at least that, or a cloud just outside the window would
        be seen by one plan and not by another.

    Raises
    ------
    BrokenData
        An item lacks its grid.
    """
    require_parcels(parcels)
    ordered = sorted(items, key=lambda item: (item.datetime, item.id))
    optical = _Part("", [item for item in ordered if not is_radar(item)], parcels, params, reach_m)
    radar = _Part("s1", [item for item in ordered if is_radar(item)], parcels, params, reach_m)
    judged = optical if optical.tiles else radar
    homes = optical.blocks(homes=True)
    together = {parcel_id: block.block_id for block in homes for parcel_id in block.parcel_ids}
    return Plan(
        blocks=(*homes, *radar.blocks(homes=False, together=together)),
        geometries=optical.geometries | radar.geometries,
        visible_fraction={i: judged.visible_fraction(i) for i in sorted(parcels.index)},
        grids=optical.grids | radar.grids,
    )


def is_radar(item: pystac.Item) -> bool:
    """Whether a scene holds backscatter and nothing optical."""
    bands = set(item.assets)
    return bool(bands & set(RADAR_BANDS)) and not bands & {*OPTICAL_BANDS, "scl"}


class _Part:
    """The scenes of one kind, and the blocks they make."""

    def __init__(
        self,
        prefix: str,
        items: Sequence[pystac.Item],
        parcels: gpd.GeoDataFrame,
        params: PlanParams,
        reach_m: float,
    ) -> None:
        self.prefix, self.params, self.reach_m = prefix, params, reach_m
        self.tiles: dict[GeoBox, list[pystac.Item]] = defaultdict(list)
        for item in items:
            self.tiles[grid_of(item)].append(item)
        by_lattice: dict[_Lattice, list[GeoBox]] = defaultdict(list)
        for tile in sorted(self.tiles, key=lambda tile: (-len(self.tiles[tile]), str(tile.crs), tuple(tile.affine))):
            by_lattice[_lattice_of(tile)].append(tile)

        def rank(lattice: _Lattice) -> tuple[int, str, tuple[float, ...]]:
            tiles = by_lattice[lattice]
            return -sum(len(self.tiles[tile]) for tile in tiles), lattice.crs, (*lattice.pixel, *lattice.phase)

        self.lattices = {lattice: by_lattice[lattice] for lattice in sorted(by_lattice, key=rank)}
        self.numbers = {lattice: number for number, lattice in enumerate(self.lattices)}
        self.places: dict[str, list[_Place]] = {str(i): [] for i in sorted(parcels.index)}
        for lattice, tiles in self.lattices.items():
            frames = shapely.STRtree([shapely.box(*tile.boundingbox.bbox) for tile in tiles])
            for parcel_id, shape in _to_grid(parcels.geometry, tiles[0]).items():
                met = [tiles[n] for n in sorted(frames.query(shape, predicate="intersects"))]
                fraction = _fraction_inside(shape, met)
                if fraction > 0:
                    self.places[str(parcel_id)].append(_Place(lattice, tuple(met), shape, fraction))
        self.geometries: dict[str, dict[str, BaseGeometry]] = {}
        self.grids: dict[str, GeoBox] = {}

    def visible_fraction(self, parcel_id: str) -> float:
        return min(max((place.fraction for place in self.places[parcel_id]), default=0.0), 1.0)

    def blocks(self, *, homes: bool, together: Mapping[str, str] | None = None) -> list[Block]:
        """Blocks in the order of lattice and place; fills `geometries` and `grids`.

        Parameters
        ----------
        together
            Block that parcels already share, by parcel: they share one here too, wherever they lie.
        """
        members: dict[tuple[int, str, int, int, tuple[GeoBox, ...]], list[tuple[str, BaseGeometry]]] = defaultdict(list)
        for parcel_id, places in self.places.items():
            for place in self._homes(places) if homes else places:
                grid = place.tiles[0] if homes and len(place.tiles) == 1 else self._hull(place.lattice)
                shared = (together or {}).get(parcel_id, "")
                square = (0, 0) if shared else _square(place.geometry, grid, self.params)
                tiles = place.tiles if homes else ()
                members[(self.numbers[place.lattice], shared, *square, tiles)].append((parcel_id, place.geometry))
        ordered = sorted(members.items(), key=lambda entry: (entry[0][:4], [tuple(t.affine) for t in entry[0][4]]))
        return [
            self._block(lattice, shared or f"r{row}-c{col}", tiles, held)
            for (lattice, shared, row, col, tiles), held in ordered
        ]

    def _homes(self, places: Sequence[_Place]) -> list[_Place]:
        """The place of rule 1, its tiles by rule 2."""
        if not places:
            return []
        # Rounded, so that the noise of two projections does not decide between lattices that both hold it all.
        best = max(round(place.fraction, 9) for place in places)
        place = next(place for place in places if round(place.fraction, 9) == best)
        whole = [t for t in place.tiles if round(_fraction_inside(place.geometry, [t]), 9) == best]
        return [_Place(place.lattice, tuple(whole[:1]) or place.tiles, place.geometry, place.fraction)]

    def _block(
        self,
        number: int,
        place: str,
        tiles: tuple[GeoBox, ...],
        held: Sequence[tuple[str, BaseGeometry]],
    ) -> Block:
        lattice = list(self.lattices)[number]
        grid = tiles[0] if len(tiles) == 1 else self._hull(lattice)
        margin = max(self.params.margin_pixels, ceil(self.reach_m / abs(grid.resolution.x)))
        window = _window([geometry for _, geometry in held], grid, margin)
        frame = shapely.box(*window.boundingbox.bbox)
        met = [t for t in tiles or self.lattices[lattice] if shapely.box(*t.boundingbox.bbox).intersection(frame).area]
        items = sorted((i for tile in met for i in self.tiles[tile]), key=lambda item: (item.datetime, item.id))
        stem = f"{self.prefix}g{number}-{place}"
        block_id, twin = stem, 1
        while block_id in self.grids:  # the same square, read from other tiles
            twin += 1
            block_id = f"{stem}-{twin}"
        self.geometries[block_id], self.grids[block_id] = dict(held), grid
        return Block(block_id=block_id, geobox=window, parcel_ids=tuple(i for i, _ in held), items=tuple(items))

    def _hull(self, lattice: _Lattice) -> GeoBox:
        """Smallest grid of the lattice that holds all its tiles."""
        tiles = self.lattices[lattice]
        first = tiles[0]
        west, south, east, north = shapely.total_bounds([shapely.box(*t.boundingbox.bbox) for t in tiles])
        affine = Affine(first.affine.a, 0.0, float(west), 0.0, first.affine.e, float(north))
        shape = round((south - north) / first.affine.e), round((east - west) / first.affine.a)
        return GeoBox(shape, affine, first.crs)


def _lattice_of(grid: GeoBox) -> _Lattice:
    a = grid.affine
    # In thousandths of a pixel: two files of one lattice differ by rounding only. A phase of one pixel is none.
    phase = tuple(round(origin / size % 1, 3) % 1 for origin, size in ((a.c, a.a), (a.f, a.e)))
    return _Lattice(crs=str(grid.crs), pixel=(round(a.a, 9), round(a.e, 9)), phase=(phase[0], phase[1]))


def grid_of(item: pystac.Item) -> GeoBox:
    """Finest grid of a scene from its projection properties."""
    properties = item.properties
    code = properties.get("proj:code") or properties.get("proj:wkt2")
    transform, shape = properties.get("proj:transform"), properties.get("proj:shape")
    if code is None or transform is None or shape is None:
        raise BrokenData(f"scene {item.id} lacks proj:code (or proj:wkt2), proj:transform or proj:shape")
    return GeoBox(tuple(shape), Affine(*transform[:6]), code)


def _to_grid(shapes: gpd.GeoSeries, grid: GeoBox) -> gpd.GeoSeries:
    # A straight edge in degrees is a curve on the grid: vertices every 0.002 degrees (about 200 m) keep it within
    # millimetres.
    return shapes.segmentize(0.002).to_crs(str(grid.crs))


def _fraction_inside(geometry: BaseGeometry, tiles: Sequence[GeoBox]) -> float:
    frame = shapely.union_all([shapely.box(*tile.boundingbox.bbox) for tile in tiles])
    return float(geometry.intersection(frame).area / geometry.area)


def _square(geometry: BaseGeometry, grid: GeoBox, params: PlanParams) -> tuple[int, int]:
    west, south, east, north = geometry.bounds
    col, row = ~grid.affine @ ((west + east) / 2, (south + north) / 2)
    return floor(row / params.block_pixels), floor(col / params.block_pixels)


def _window(geometries: Sequence[BaseGeometry], grid: GeoBox, margin: int) -> GeoBox:
    west, south, east, north = shapely.total_bounds(geometries)
    left, top = ~grid.affine @ (west, north)
    right, bottom = ~grid.affine @ (east, south)
    rows = slice(max(floor(top) - margin, 0), min(ceil(bottom) + margin, grid.shape.y))
    cols = slice(max(floor(left) - margin, 0), min(ceil(right) + margin, grid.shape.x))
    return grid[rows, cols]
