"""From what was read of the files of scenes to one dataset on the block's grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pystac
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from geocollateral.sources.assembly import Account, BandStack, SceneAxis, assemble
from geocollateral.sources.borders import REACH_PIXELS, usable_backscatter
from geocollateral.sources.catalogue.duplicates import sensing_instant_of
from geocollateral.sources.catalogue.offsets import DARK_BANDS, OffsetVerdict, judge_offset
from geocollateral.sources.catalogue.orbits import direction_of, orbit_label, relative_orbit_of
from geocollateral.sources.catalogue.plan import Key, Placement, ReadPlan, frame_of, plan_reads
from geocollateral.sources.catalogue.scenes import EVIDENCE
from geocollateral.sources.raster.request import RasterRead, WindowRequest
from geocollateral.types import OPTICAL_BANDS, RADAR_BANDS, Block

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT_HASH = 16
CONTRADICTED = 0.5
"""Share of a block that another band of the scene fills, above which a band without any data there is broken and not
beside the swath: the bands of a scene end within a few pixels of each other."""
OFFSET_NOTE = "offset_evidence"
"""Coordinate along time: the offset used, what it was taken from and what the pixels said."""


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


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """One band of one scene on the block's grid."""

    values: NDArray[np.generic]
    usable: NDArray[np.bool_]
    """True = data. Shape (y, x), as of `values`."""
    filled: float
    """Share of the block where the scene has data, usable or not [0-1]."""


def _lay(geobox: GeoBox, band: str, read: RasterRead, place: Placement) -> _Layer:
    frame = frame_of(geobox, band).shape
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
