"""Which windows of which files a block needs.

Pixels are never resampled: a block and its scenes lie on one lattice, and coarser bands are replicated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pystac
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from geocollateral.errors import BrokenData
from geocollateral.sources.borders import REACH_PIXELS
from geocollateral.sources.catalogue.duplicates import sensing_instant_of
from geocollateral.sources.catalogue.offsets import DARK_BANDS
from geocollateral.sources.catalogue.scenes import KEY, NATIVE_M, REFUSED
from geocollateral.sources.raster.request import Expected, WindowRequest
from geocollateral.types import OPTICAL_BANDS, RADAR_BANDS, Block

TOLERANCE = 1e-3
"""Largest departure of a scene's grid from the block's lattice [pixels of the block]."""
Key = tuple[int, str]
"""Position of a scene and a band."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the window of a file goes."""

    factor: int
    """Pixels of the block along a pixel of the file."""
    inner: tuple[slice, slice]
    """Part of the replicated window that is wanted."""
    target: tuple[slice, slice]
    """Rows and columns of the frame it fills."""


@dataclass(frozen=True, kw_only=True)
class ReadPlan:
    """All windows that one block needs."""

    items: tuple[pystac.Item, ...]
    """Ordered by time and id."""
    requests: tuple[WindowRequest, ...]
    """Their keys are `Key`."""
    placements: Mapping[Key, Placement]
    unread: Mapping[Key, tuple[str, str]]
    """Status and reason of what needs no reading: a missing band, a scene beside the block."""


def plan_reads(block: Block, bands: Sequence[str]) -> ReadPlan:
    """Windows of files for the bands asked for, and for what the test of the offset needs besides.

    Raises
    ------
    BrokenData
        A scene is none of this source, or does not lie on the block's lattice.
    """
    items = tuple(sorted({item.id: item for item in block.items}.values(), key=lambda i: (sensing_instant_of(i), i.id)))
    wanted = list(dict.fromkeys([*bands, *_test_bands(bands)]))
    requests: list[WindowRequest] = []
    placements: dict[Key, Placement] = {}
    unread: dict[Key, tuple[str, str]] = {}
    for n, item in enumerate(items):
        _require_ours(item, block)
        for band in wanted:
            if band not in item.assets:
                unread[(n, band)] = ("missing", _why_absent(item, band))
                continue
            grid = _asset_grid(item, band)
            place = _place(frame_of(block.geobox, band), grid)
            if place is None:
                unread[(n, band)] = ("outside", "the scene lies beside the block")
            else:
                window, placements[(n, band)] = place
                requests.append(_request((n, band), item.assets[band], grid, window))
    return ReadPlan(items=items, requests=tuple(requests), placements=placements, unread=unread)


def _test_bands(bands: Sequence[str]) -> tuple[str, ...]:
    """What the verdict on the offset looks at, so that it does not depend on which bands were asked for."""
    return ("scl", *DARK_BANDS) if set(bands) & set(OPTICAL_BANDS) else ()


def _require_ours(item: pystac.Item, block: Block) -> None:
    if str(item.properties.get(KEY, "")).rpartition("/")[2] != item.id:
        raise BrokenData(f"Block {block.block_id} asks for a scene that this source did not find: {item.id!r}")


def _why_absent(item: pystac.Item, band: str) -> str:
    refused = item.properties.get(REFUSED) or {}
    return f"left out: {refused[band]}" if band in refused else f"the item has no asset for {band}"


def frame_of(geobox: GeoBox, band: str) -> GeoBox:
    """Window to read for a band: that of the block, wider for radar, whose border is found by looking around."""
    if band not in RADAR_BANDS:
        return geobox
    height, width = geobox.shape
    corner = geobox.affine @ Affine.translation(-REACH_PIXELS, -REACH_PIXELS)
    return GeoBox((height + 2 * REACH_PIXELS, width + 2 * REACH_PIXELS), corner, geobox.crs)


@dataclass(frozen=True, kw_only=True)
class _Grid:
    code: str
    transform: tuple[float, ...]
    shape: tuple[int, int]


def _asset_grid(item: pystac.Item, band: str) -> _Grid:
    """Grid of one band: stated, or that of the scene's finest band made coarser by the sensor's own ratio.

    A derived grid is checked against the header when the file is read, like any other.
    """
    stated, own = item.assets[band].extra_fields, item.properties
    code = str(stated.get("proj:code") or own["proj:code"])
    if "proj:transform" in stated and "proj:shape" in stated:
        transform, shape = stated["proj:transform"], stated["proj:shape"]
        return _Grid(code=code, transform=tuple(transform), shape=(shape[0], shape[1]))
    a, b, c, d, e, f = (float(v) for v in own["proj:transform"][:6])
    rows, columns = own["proj:shape"]
    ratio = max(round(NATIVE_M[band] / abs(a)), 1) if band in NATIVE_M else 1
    return _Grid(
        code=code, transform=(a * ratio, b, c, d, e * ratio, f), shape=(-(-rows // ratio), -(-columns // ratio))
    )


def _place(frame: GeoBox, grid: _Grid) -> tuple[tuple[slice, slice], Placement] | None:
    """Window of a file that a frame needs and where it goes; None where the two do not meet.

    Raises
    ------
    BrokenData
        They do not lie on one lattice.
    """
    a, (ga, gb, gc, gd, ge, gf) = frame.affine, grid.transform
    factor = round(ga / a.a)
    left, top = (gc - a.c) / a.a, (gf - a.f) / a.e
    on_lattice = (
        _crs(grid.code) == frame.crs
        and factor >= 1
        and math.isclose(ga, factor * a.a, rel_tol=1e-9)
        and math.isclose(ge, factor * a.e, rel_tol=1e-9)
        and gb == gd == 0
        and abs(left - round(left)) <= TOLERANCE
        and abs(top - round(top)) <= TOLERANCE
    )
    if not on_lattice:
        raise BrokenData(
            f"A block must lie on the lattice of its scenes ({grid.code}, {tuple(grid.transform)}), got {frame.crs} "
            f"{tuple(a)[:6]}"
        )
    rows = _overlap(round(top), grid.shape[0], factor, int(frame.shape[0]))
    columns = _overlap(round(left), grid.shape[1], factor, int(frame.shape[1]))
    if rows is None or columns is None:
        return None
    placement = Placement(factor=factor, inner=(rows[1], columns[1]), target=(rows[2], columns[2]))
    return (rows[0], columns[0]), placement


def _overlap(start: int, size: int, factor: int, length: int) -> tuple[slice, slice, slice] | None:
    """Along one axis: pixels of the file, the part of them replicated that is wanted, and where it goes.

    Parameters
    ----------
    start
        Where the file begins, in pixels of the frame.
    size
        Pixels of the file.
    factor
        Pixels of the frame along one of the file.
    length
        Pixels of the frame.
    """
    first, last = max(start, 0), min(start + size * factor, length)
    if first >= last:
        return None
    low, high = (first - start) // factor, -(-(last - start) // factor)
    skip = first - start - low * factor
    return slice(low, high), slice(skip, skip + last - first), slice(first, last)


def _request(key: Key, asset: pystac.Asset, grid: _Grid, window: tuple[slice, slice]) -> WindowRequest:
    extra = asset.extra_fields
    a, b, c, d, e, f = grid.transform
    nodata = extra.get("nodata")
    return WindowRequest(
        key=key,
        href=asset.href,
        version=str(extra.get("geocollateral:version", "")),
        window=window,
        expected=Expected(
            shape=grid.shape if "proj:shape" in extra else None,
            transform=(a, b, c, d, e, f),
            crs=grid.code,
            dtype=None,
            nodata=None if nodata is None else float(nodata),
        ),
    )


@lru_cache(maxsize=128)
def _crs(code: str) -> CRS:
    return CRS(code)
