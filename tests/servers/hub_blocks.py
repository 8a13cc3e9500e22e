"""Blocks over the small catalogue, and what the tests of the Sentinel Hub source share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import geopandas as gpd
import pystac
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from geocollateral.sources.raster.access import AccessParams
from geocollateral.sources.sentinelhub import SentinelHubSource
from geocollateral.types import Block, Period
from servers.small_catalogue import EPSG, LEFT, ROWS, TOP

EVER = Period(start=None, end=dt.date(2100, 1, 1))
QUICK = AccessParams(read_seconds=20.0, connect_seconds=5.0, attempts=3, wait_seconds=60.0)
Opener = Callable[..., SentinelHubSource]


def window(rows: tuple[int, int] = (0, ROWS), columns: tuple[int, int] = (0, 140)) -> GeoBox:
    """Part of the lattice by rows and columns of 10 m from the upper left corner of the tiles."""
    corner = Affine(10, 0, LEFT + 10 * columns[0], 0, -10, TOP - 10 * rows[0])
    return GeoBox((rows[1] - rows[0], columns[1] - columns[0]), corner, "EPSG:32650")


def block(items: list[pystac.Item], geobox: GeoBox | None = None) -> Block:
    """Block of scenes."""
    return Block(block_id="b", geobox=geobox or window(), parcel_ids=("p-1",), items=tuple(items))


def optical(items: list[pystac.Item]) -> list[pystac.Item]:
    """Scenes of Sentinel-2."""
    return [item for item in items if item.properties["constellation"] == "sentinel-2"]


def parcels_of(*boxes: tuple[int, int, int, int]) -> gpd.GeoDataFrame:
    """Parcels by left, top, right, bottom in pixels of the window."""
    a = window().affine
    shapes = []
    for left, top, right, bottom in boxes:
        (x0, y0), (x1, y1) = a @ (left, top), a @ (right, bottom)
        shapes.append(shapely.box(x0, y1, x1, y0))
    frame = gpd.GeoDataFrame(geometry=gpd.GeoSeries(shapes, crs=EPSG).to_crs(4326))
    frame.index = [f"loan-{n}-of-borrower" for n in range(len(boxes))]
    frame.index.name = "parcel_id"
    return frame
