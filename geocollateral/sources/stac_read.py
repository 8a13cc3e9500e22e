"""From scenes and bands to windows of files, and from what was read back to one dataset on the block's grid.

Pixels are never resampled: a block and its scenes lie on one lattice, and coarser bands are replicated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pystac
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from geocollateral.errors import BrokenData
from geocollateral.sources.assembly import Account, BandStack, SceneAxis, assemble
from geocollateral.sources.borders import REACH_PIXELS, usable_backscatter
from geocollateral.sources.duplicates import sensing_instant_of
from geocollateral.sources.offsets import DARK_BANDS, OffsetVerdict, judge_offset
from geocollateral.sources.orbits import direction_of, orbit_label, relative_orbit_of
from geocollateral.sources.raster.request import Expected, RasterRead, WindowRequest
from geocollateral.sources.scenes import EVIDENCE, KEY, NATIVE_M, REFUSED
from geocollateral.types import OPTICAL_BANDS, RADAR_BANDS, Block

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE = 1e-3
"""Largest departure of a scene's grid from the block's lattice [pixels of the block]."""
SHORT_HASH = 16
CONTRADICTED = 0.5
"""Share of a block that another band of the scene fills, above which a band without any data there is broken and not
beside the swath: the bands of a scene end within a few pixels of each other."""
OFFSET_NOTE = "offset_evidence"
"""Coordinate along time: the offset used, what it was taken from and what the pixels said."""

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
            place = _place(_frame(block.geobox, band), grid)
            if place is None:
                unread[(n, band)] = ("outside", "the scene lies beside the block")
            else:
                window, placements[(n, band)] = place
                requests.append(_request((n, band), item.assets[band], grid, window))
    return ReadPlan(items=items, requests=tuple(requests), placements=placements, unread=unread)


def read_block(
    block: Block, bands: Sequence[str], read_windows: Callable[[Sequence[WindowRequest]], list[RasterRead]]
) -> xr.Dataset:
    """Dataset of a block's scenes; see `geocollateral.types.Source.read`.

    Besides the variables named there: the coordinates ``sha256`` (time, band), first digits of the SHA-256 of the
    compressed bytes behind each band, and ``offset_evidence`` (time).
    """
    plan = plan_reads(block, bands)
    reads: dict[Key, RasterRead] = {read.key: read for read in read_windows(plan.requests)}  # type: ignore[misc]
    layers = {key: _lay(block.geobox, key[1], reads[key], plan.placements[key]) for key in reads}
    verdicts = [_judge(item, n, layers) for n, item in enumerate(plan.items)]
    shape = (len(plan.items), len(bands))
    account = Account(
        reason=np.full(shape, "", dtype=object),
        transient=np.zeros(shape, bool),
        sha256=np.full(shape, "", dtype=f"<U{SHORT_HASH}"),
    )
    stacks = {}
    for b, band in enumerate(bands):
        if any(band in item.assets for item in plan.items):
            stacks[band] = _stack(block, band, b, plan, reads, layers, verdicts, account)
        else:
            for n in range(len(plan.items)):
                account.reason[n, b] = plan.unread[(n, band)][1]
    account = Account(reason=account.reason.astype(np.str_), transient=account.transient, sha256=account.sha256)
    return assemble(block, bands, _axis(plan.items, verdicts), stacks, account)


# ---- which windows


def _test_bands(bands: Sequence[str]) -> tuple[str, ...]:
    """What the verdict on the offset looks at, so that it does not depend on which bands were asked for."""
    return ("scl", *DARK_BANDS) if set(bands) & set(OPTICAL_BANDS) else ()


def _require_ours(item: pystac.Item, block: Block) -> None:
    if str(item.properties.get(KEY, "")).rpartition("/")[2] != item.id:
        raise BrokenData(f"Block {block.block_id} asks for a scene that this source did not find: {item.id!r}")


def _why_absent(item: pystac.Item, band: str) -> str:
    refused = item.properties.get(REFUSED) or {}
    return f"left out: {refused[band]}" if band in refused else f"the item has no asset for {band}"


def _frame(geobox: GeoBox, band: str) -> GeoBox:
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


# ---- from windows to one dataset


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """One band of one scene on the block's grid."""

    values: NDArray[np.generic]
    usable: NDArray[np.bool_]
    """True = data. Shape (y, x), as of `values`."""
    filled: float
    """Share of the block where the scene has data, usable or not [0-1]."""


def _lay(geobox: GeoBox, band: str, read: RasterRead, place: Placement) -> _Layer:
    frame = _frame(geobox, band).shape
    values = np.zeros(frame, dtype=read.array.dtype)
    mask = np.zeros(frame, dtype=np.bool_)
    values[place.target] = _replicate(read.array, place)
    mask[place.target] = _replicate(read.mask, place)
    if band in RADAR_BANDS:
        height, width = geobox.shape
        inside = (slice(REACH_PIXELS, REACH_PIXELS + height), slice(REACH_PIXELS, REACH_PIXELS + width))
        usable = usable_backscatter(values, mask)
        return _Layer(values=values[inside], usable=usable[inside], filled=float(mask[inside].mean()))
    # Sentinel-2 reserves 0, in every band and in the classification, whatever a file declares.
    usable = mask & (values != 0)
    return _Layer(values=values, usable=usable, filled=float(usable.mean()))


def _replicate(values: NDArray[Any], place: Placement) -> NDArray[Any]:
    fine = values.repeat(place.factor, axis=0).repeat(place.factor, axis=1) if place.factor > 1 else values
    return np.asarray(fine[place.inner])


def _stack(
    block: Block,
    band: str,
    position: int,
    plan: ReadPlan,
    reads: Mapping[Key, RasterRead],
    layers: Mapping[Key, _Layer],
    verdicts: Sequence[_Scene],
    account: Account,
) -> BandStack:
    """One band of all scenes; writes why scenes were not read into the account."""
    n_scenes = len(plan.items)
    dtype = _dtype_of(band, plan, reads)
    nodata = math.nan if dtype.kind == "f" else 0.0
    values = np.full((n_scenes, *block.geobox.shape), nodata, dtype=dtype)
    status = np.full(n_scenes, "ok", dtype="<U11")
    scale, offset = np.full(n_scenes, np.nan), np.full(n_scenes, np.nan)
    for n, item in enumerate(plan.items):
        key = (n, band)
        if key in plan.unread:
            status[n], account.reason[n, position] = plan.unread[key]
        else:
            read, layer = reads[key], layers[key]
            values[n][layer.usable] = layer.values[layer.usable]
            status[n], account.reason[n, position] = read.status, read.reason
            account.transient[n, position] = read.transient
            account.sha256[n, position] = read.provenance.sha256[:SHORT_HASH]
            if read.status == "ok" and layer.filled == 0:
                status[n], account.reason[n, position] = _without_data(n, layers)
        if band in item.assets:
            scale[n] = float(item.assets[band].extra_fields["raster:scale"])
            offset[n] = verdicts[n].offset_of(band, item)
            if band in OPTICAL_BANDS and verdicts[n].quarantine and status[n] == "ok":
                status[n], account.reason[n, position] = "quarantined", verdicts[n].note
    return BandStack(values=values, nodata=nodata, units="1", scale=scale, offset=offset, status=status)


def _without_data(n: int, layers: Mapping[Key, _Layer]) -> tuple[str, str]:
    """Status and reason of a band that was read and holds no data in the block."""
    fullest = max(layer.filled for (scene, _), layer in layers.items() if scene == n)
    if fullest > CONTRADICTED:
        return "corrupt", f"no data at all, where another band of the scene fills {fullest:.0%} of the block"
    return "outside", "the scene has no data in the block"


def _dtype_of(band: str, plan: ReadPlan, reads: Mapping[Key, RasterRead]) -> np.dtype[Any]:
    """Type that holds the numbers of all scenes: the files' own where they agree."""
    read = {
        reads[(n, band)].array.dtype for n in range(len(plan.items)) if (n, band) in reads and _was_read(reads, n, band)
    }
    stated = {np.dtype(str(i.assets[band].extra_fields["data_type"])) for i in plan.items if band in i.assets}
    return np.result_type(*(read or stated))


def _was_read(reads: Mapping[Key, RasterRead], n: int, band: str) -> bool:
    return bool(reads[(n, band)].mask.any()) or reads[(n, band)].status == "ok"


def _axis(items: Sequence[pystac.Item], verdicts: Sequence[_Scene]) -> SceneAxis:
    instants = [sensing_instant_of(item).replace(tzinfo=None) for item in items]
    return SceneAxis(
        time=np.array(instants, dtype="datetime64[ns]"),
        scene_id=[item.id for item in items],
        platform=[str(item.properties.get("platform", "")) for item in items],
        orbit=[orbit_label(direction_of(i.properties), relative_orbit_of(i.properties)) for i in items],
        notes={OFFSET_NOTE: [verdict.note for verdict in verdicts]},
    )


# ---- the offset of each scene


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """What was decided of the offset of one scene."""

    verdict: OffsetVerdict
    quarantine: bool
    note: str
    """Offset used, its evidence and what the pixels said; ``""`` for scenes without reflectance."""

    def offset_of(self, band: str, item: pystac.Item) -> float:
        """Offset of a band: what is stated, else what the pixels bear out, else NaN."""
        stated = item.assets[band].extra_fields.get("raster:offset")
        found = stated if stated is not None else self.verdict.offset
        return math.nan if found is None else float(found)


def _judge(item: pystac.Item, n: int, layers: Mapping[Key, _Layer]) -> _Scene:
    optical = [band for band in item.assets if band in OPTICAL_BANDS]
    if not optical:
        return _Scene(verdict=OffsetVerdict(verdict="untested", offset=None, detail=""), quarantine=False, note="")
    stated = {band: item.assets[band].extra_fields.get("raster:offset") for band in optical}
    dark = [band for band in DARK_BANDS if (n, band) in layers]
    classes = layers.get((n, "scl"))
    verdict = judge_offset(
        stated,
        {band: layers[(n, band)].values for band in dark},
        {band: layers[(n, band)].usable for band in dark},
        None if classes is None else classes.values,
    )
    evidence = "; ".join(sorted({str(item.assets[band].extra_fields.get(EVIDENCE, "")) for band in optical}))
    told = sorted({offset for offset in stated.values() if offset is not None})
    said = " and ".join(f"{offset:g}" for offset in told) or "no offset"
    if verdict.verdict == "disagrees":
        better = "neither 0 nor -0.1" if verdict.offset is None else f"{verdict.offset:g}"
        note = f"the metadata say offset {said} ({evidence}), the pixels say {better}: {verdict.detail}"
        return _Scene(verdict=verdict, quarantine=True, note=note)
    if None in stated.values() and verdict.offset is None:
        note = f"the metadata do not tell the offset ({evidence}), nor do the pixels: {verdict.detail}"
        return _Scene(verdict=verdict, quarantine=True, note=note)
    used = said if None not in stated.values() else f"{verdict.offset:g} by the pixels"
    return _Scene(
        verdict=verdict, quarantine=False, note=f"offset {used} ({evidence}); {verdict.verdict}: {verdict.detail}"
    )
