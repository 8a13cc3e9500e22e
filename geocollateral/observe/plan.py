"""From parcels and scenes to blocks: windows of the imagery's own grid that wholly contain their parcels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor

import geopandas as gpd
import pystac
import shapely
from odc.geo.geobox import GeoBox
from pydantic import Field

from geocollateral.errors import BrokenData
from geocollateral.types import Block, Params, require_parcels


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
    geometries: Mapping[str, shapely.Geometry]
    """Each parcel that meets the imagery, in the CRS of its block's grid."""
    visible_fraction: Mapping[str, float]
    """Share of each parcel's area inside the imagery's grid [0-1]; every parcel has one."""
    grids: Mapping[str, GeoBox]
    """Whole grid of the imagery each block was cut from, by block id."""


def plan_blocks(parcels: gpd.GeoDataFrame, items: Sequence[pystac.Item], params: PlanParams) -> Plan:
    """Assign each parcel to one grid and gather neighbours into blocks.

    A parcel that several grids see (tiles overlap) goes to the one that holds most of it; of equals to the one with most
    scenes, then to the first by name. The order of parcels and of items does not change the plan.

    Raises
    ------
    BrokenData
        An item lacks its grid.
    """
    require_parcels(parcels)
    grids: dict[GeoBox, list[pystac.Item]] = defaultdict(list)
    for item in sorted(items, key=lambda item: (item.datetime, item.id)):
        grids[grid_of(item)].append(item)
    ranked = sorted(grids, key=lambda grid: (-len(grids[grid]), str(grid.crs), tuple(grid.affine)))
    visible: dict[str, float] = {}
    geometries: dict[str, shapely.Geometry] = {}
    members: dict[tuple[int, int, int], list[str]] = defaultdict(list)
    for parcel_id in sorted(parcels.index):
        best = 0.0
        for number, grid in enumerate(ranked):
            geometry = _to_grid(parcels.geometry.loc[parcel_id], grid)
            fraction = _fraction_inside(geometry, grid)
            if fraction > best + 1e-9:
                best = fraction
                geometries[parcel_id] = geometry
                home = (number, *_square(geometry, grid, params))
        visible[parcel_id] = min(best, 1.0)
        if best > 0:
            members[home].append(parcel_id)
    blocks, whole = [], {}
    for (number, square_row, square_col), ids in sorted(members.items()):
        grid = ranked[number]
        block_id = f"g{number}-r{square_row}-c{square_col}"
        window = _window([geometries[i] for i in ids], grid, params.margin_pixels)
        blocks.append(Block(block_id=block_id, geobox=window, parcel_ids=tuple(ids), items=tuple(grids[grid])))
        whole[block_id] = grid
    return Plan(blocks=tuple(blocks), geometries=geometries, visible_fraction=visible, grids=whole)


def grid_of(item: pystac.Item) -> GeoBox:
    """Finest grid of a scene from its projection properties."""
    properties = item.properties
    code = properties.get("proj:code") or properties.get("proj:wkt2")
    transform, shape = properties.get("proj:transform"), properties.get("proj:shape")
    if code is None or transform is None or shape is None:
        raise BrokenData(f"scene {item.id} lacks proj:code (or proj:wkt2), proj:transform or proj:shape")
    from affine import Affine

    return GeoBox(tuple(shape), Affine(*transform[:6]), code)


def _to_grid(geometry: shapely.Geometry, grid: GeoBox) -> shapely.Geometry:
    # A straight edge in degrees is a curve on the grid: vertices every 0.002 degrees (about 200 m) keep it within
    # millimetres.
    dense = shapely.segmentize(geometry, 0.002)
    projected: shapely.Geometry = gpd.GeoSeries([dense], crs=4326).to_crs(str(grid.crs)).iloc[0]
    return projected


def _fraction_inside(geometry: shapely.Geometry, grid: GeoBox) -> float:
    frame = shapely.box(*grid.boundingbox.bbox)
    return float(geometry.intersection(frame).area / geometry.area)


def _square(geometry: shapely.Geometry, grid: GeoBox, params: PlanParams) -> tuple[int, int]:
    west, south, east, north = geometry.bounds
    col, row = ~grid.affine * ((west + east) / 2, (south + north) / 2)
    return floor(row / params.block_pixels), floor(col / params.block_pixels)


def _window(geometries: Sequence[shapely.Geometry], grid: GeoBox, margin: int) -> GeoBox:
    west, south, east, north = shapely.total_bounds(geometries)
    left, top = ~grid.affine * (west, north)
    right, bottom = ~grid.affine * (east, south)
    rows = slice(max(floor(top) - margin, 0), min(ceil(bottom) + margin, grid.shape.y))
    cols = slice(max(floor(left) - margin, 0), min(ceil(right) + margin, grid.shape.x))
    return grid[rows, cols]
