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
    geometries: Mapping[str, BaseGeometry]
    """Each parcel that meets the imagery, in the CRS of its block's grid."""
    visible_fraction: Mapping[str, float]
    """Share of each parcel's area inside the imagery's grid [0-1]; every parcel has one."""
    grids: Mapping[str, GeoBox]
    """Whole grid of the imagery each block was cut from, by block id."""


def plan_blocks(
    parcels: gpd.GeoDataFrame, items: Sequence[pystac.Item], params: PlanParams, *, reach_m: float = 0.0
) -> Plan:
    """Assign each parcel to one grid and gather neighbours into blocks.

    A parcel that several grids see (tiles overlap) goes to the one that holds most of it; of equals to the one with
    most scenes, then to the first by name. The order of parcels and of items does not change the plan.

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
    grids: dict[GeoBox, list[pystac.Item]] = defaultdict(list)
    for item in sorted(items, key=lambda item: (item.datetime, item.id)):
        grids[grid_of(item)].append(item)
    ranked = sorted(grids, key=lambda grid: (-len(grids[grid]), str(grid.crs), tuple(grid.affine)))
    projected = [_to_grid(parcels.geometry, grid) for grid in ranked]
    visible: dict[str, float] = {}
    geometries: dict[str, BaseGeometry] = {}
    members: dict[tuple[int, int, int], list[str]] = defaultdict(list)
    for parcel_id in sorted(parcels.index):
        inside = [_fraction_inside(shapes[parcel_id], grid) for shapes, grid in zip(projected, ranked, strict=True)]
        best = max(inside, default=0.0)
        visible[parcel_id] = min(best, 1.0)
        if best > 0:
            # Rounded, so that the noise of two projections does not decide between tiles that both hold it all.
            home = [round(fraction, 9) for fraction in inside].index(round(best, 9))
            geometries[parcel_id] = projected[home][parcel_id]
            members[(home, *_square(geometries[parcel_id], ranked[home], params))].append(parcel_id)
    blocks, whole = [], {}
    for (number, square_row, square_col), ids in sorted(members.items()):
        grid = ranked[number]
        block_id = f"g{number}-r{square_row}-c{square_col}"
        margin = max(params.margin_pixels, ceil(reach_m / abs(grid.resolution.x)))
        window = _window([geometries[i] for i in ids], grid, margin)
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
    return GeoBox(tuple(shape), Affine(*transform[:6]), code)


def _to_grid(shapes: gpd.GeoSeries, grid: GeoBox) -> gpd.GeoSeries:
    # A straight edge in degrees is a curve on the grid: vertices every 0.002 degrees (about 200 m) keep it within
    # millimetres.
    return shapes.segmentize(0.002).to_crs(str(grid.crs))


def _fraction_inside(geometry: BaseGeometry, grid: GeoBox) -> float:
    frame = shapely.box(*grid.boundingbox.bbox)
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
