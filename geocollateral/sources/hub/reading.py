"""A block read by the Process API: what to ask for, and how the answers become a raster cube."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pystac
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from geocollateral.errors import BrokenData
from geocollateral.sources.assembly import Account, BandStack, SceneAxis, assemble
from geocollateral.sources.borders import usable_backscatter
from geocollateral.sources.hub.client import BrokenAnswer, HubClient, HubFault
from geocollateral.sources.hub.deployments import Deployment
from geocollateral.sources.hub.images import parse_image, split_planes
from geocollateral.sources.hub.requests import HubRequest, process_request, split_window
from geocollateral.sources.hub.scenes import PIXEL_M, Acquisition, acquisition_of, service_bands
from geocollateral.sources.raster.access import AccessParams
from geocollateral.sources.raster.cache import BlockCache, cache_of
from geocollateral.types import RADAR_BANDS, Block, ReadCost, ReadStatus

LATTICE_TOLERANCE = 1e-6
"""Largest departure of a block from the lattice [pixels]."""
DIGEST_DIGITS = 16
COMPRESSED = 0.6
"""Bytes of an answer per byte of its pixels, for estimates only: 0.5 with DEFLATE on simulated scenes, rounded up."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One request and the place of its answer in the block."""

    request: HubRequest
    version: str
    rows: slice
    columns: slice
    geobox: GeoBox
    bands: tuple[str, ...]
    """Ours, in the order of the answer's planes."""
    dtype: str


@dataclass(frozen=True, kw_only=True)
class ScenePlan:
    """What is asked for one scene."""

    item: pystac.Item
    acquisition: Acquisition
    bands: tuple[str, ...]
    """Bands asked for that the scene has."""
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class PartAnswer:
    """What became of one request."""

    planes: dict[str, NDArray[np.generic]] | None
    mask: NDArray[np.bool_] | None
    """True = data."""
    status: ReadStatus
    reason: str = ""
    transient: bool = False
    sha256: str = ""
    """First digits, of the bytes of the answer."""


def plan_reads(deployment: Deployment, block: Block, bands: Sequence[str]) -> list[ScenePlan]:
    """Requests for a block, one scene after the other, ordered by time and id.

    Raises
    ------
    BrokenData
        The block does not lie on the lattice of its scenes, or a scene is not of this source.
    """
    plans = []
    for item in sorted(block.items, key=lambda item: (item.datetime, item.id)):
        _require_on_lattice(block, item)
        acquisition = acquisition_of(item)
        known = service_bands(acquisition.collection, cloud_probability=True)
        have = tuple(band for band in known if band in bands and band in item.assets)
        parts = tuple(_parts(deployment, acquisition, block, have, known)) if have else ()
        plans.append(ScenePlan(item=item, acquisition=acquisition, bands=have, parts=parts))
    return plans


def open_cache(access: AccessParams) -> BlockCache | None:
    """Cache of answers, where the user keeps one."""
    return cache_of(access.cache_dir, access.cache_bytes)


def fetch_part(client: HubClient, cache: BlockCache | None, part: Part) -> PartAnswer:
    """Answer to one request, from the cache or from the service.

    Raises
    ------
    QuotaExceeded, InvalidInput
        As `HubClient.send`.
    """
    key = part.request.key(part.version)
    kept = None if cache is None else cache.get(key)
    if kept is not None:
        try:
            return _parse(kept, part)
        except BrokenAnswer:
            kept = None  # kept by an older version of ours; asked for again
    try:
        answer, body = client.send(part.request, lambda body: _parse(body, part))
    except HubFault as fault:
        status: ReadStatus = "corrupt" if fault.broken else "missing"
        return PartAnswer(planes=None, mask=None, status=status, reason=fault.reason, transient=fault.transient)
    if cache is not None:
        cache.put(key, body)
    return answer


def gather(block: Block, bands: Sequence[str], plans: Sequence[ScenePlan], answers: Sequence[PartAnswer]) -> xr.Dataset:
    """Raster cube of a block, as `geocollateral.types.Source.read` returns it.

    Parameters
    ----------
    answers
        In the order of the parts of the plans.
    """
    shape = (len(plans), len(bands))
    account = Account(
        reason=np.full(shape, "the scene has no such band", dtype="<U400"),
        transient=np.zeros(shape, np.bool_),
        sha256=np.full(shape, "", dtype=f"<U{DIGEST_DIGITS}"),
    )
    stacks: dict[str, BandStack] = {}
    following = iter(answers)
    for n, plan in enumerate(plans):
        if not plan.parts:
            continue
        found = [(part, next(following)) for part in plan.parts]
        told = _summary([answer for _, answer in found])
        for band in plan.bands:
            facts = plan.item.assets[band].extra_fields
            stack = stacks.setdefault(band, _empty(len(plans), block.geobox, facts))
            if told.status == "ok":
                for part, answer in found:
                    _fill(stack.values[n], part, answer, band)
                if band in RADAR_BANDS:
                    _drop_border(stack.values[n])
            b = list(bands).index(band)
            stack.status[n] = told.status
            account.reason[n, b], account.transient[n, b], account.sha256[n, b] = (
                told.reason,
                told.transient,
                told.sha256,
            )
            np.asarray(stack.scale)[n], np.asarray(stack.offset)[n] = facts["raster:scale"], facts["raster:offset"]
    axis = SceneAxis(
        time=np.array([_sensed(plan.item) for plan in plans], dtype="datetime64[ns]"),
        scene_id=[plan.item.id for plan in plans],
        platform=[plan.item.properties.get("platform", "") for plan in plans],
        orbit=[_orbit(plan.item) for plan in plans],
    )
    return assemble(block, bands, axis, stacks, account)


def estimate(deployment: Deployment, access: AccessParams, block: Block, bands: Sequence[str]) -> ReadCost:
    """What reading a block would take, answers in the cache left out."""
    cache = open_cache(access)
    cost = ReadCost()
    for plan in plan_reads(deployment, block, bands):
        cost += ReadCost(scenes=1)
        for part in plan.parts:
            pixels = int(part.geobox.shape.y) * int(part.geobox.shape.x)
            size = math.ceil(pixels * (len(part.bands) + 2) * np.dtype(part.dtype).itemsize * COMPRESSED)
            kept = cache is not None and part.request.key(part.version) in cache
            cost += ReadCost(
                requests=0 if kept else 1,
                bytes=0 if kept else size,
                cached_bytes=size if kept else 0,
                pixels=pixels * len(part.bands),
                processing_units=0.0 if kept else part.request.units,
            )
    return cost


def _parts(
    deployment: Deployment, acquisition: Acquisition, block: Block, bands: tuple[str, ...], names: dict[str, str]
) -> list[Part]:
    dtype = "float32" if acquisition.collection == "sentinel-1-grd" else "uint16"
    parts = []
    for rows, columns in split_window(block.geobox):
        window = block.geobox[rows, columns]
        request = process_request(deployment, acquisition, window, [names[band] for band in bands])
        parts.append(
            Part(
                request=request,
                version=acquisition.version,
                rows=rows,
                columns=columns,
                geobox=window,
                bands=bands,
                dtype=dtype,
            )
        )
    return parts


def _parse(body: bytes, part: Part) -> PartAnswer:
    planes, mask = split_planes(parse_image(body, part.geobox, len(part.bands) + 2, part.dtype), part.bands)
    for band, most in (("scl", 11), ("clp", 255)):
        if band in planes and (planes[band][mask].astype(np.int64) > most).any():
            raise BrokenAnswer(f"{band} holds values above {most}")
    if not mask.any():
        told = "the scene holds nothing of the window"
        return PartAnswer(planes=planes, mask=mask, status="outside", reason=told, sha256=_digest(body))
    return PartAnswer(planes=planes, mask=mask, status="ok", sha256=_digest(body))


def _summary(answers: Sequence[PartAnswer]) -> PartAnswer:
    """Status of a scene from those of its parts: a part that failed leaves no half of a scene."""
    for status in ("corrupt", "missing"):
        for answer in answers:
            if answer.status == status:
                return answer
    seen = [answer for answer in answers if answer.status == "ok"] or answers[:1]
    digests = [answer.sha256 for answer in answers]
    return replace(seen[0], sha256=digests[0] if len(digests) == 1 else _digest("".join(digests).encode()))


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:DIGEST_DIGITS]


def _fill(values: NDArray[np.generic], part: Part, answer: PartAnswer, band: str) -> None:
    if answer.planes is None or answer.mask is None:
        return
    target = values[part.rows, part.columns]
    target[answer.mask] = answer.planes[band][answer.mask].astype(target.dtype)


def _drop_border(power: NDArray[np.generic]) -> None:
    """Make the border of a radar scene, zeros and the noise beside them, no data; told within the window's margin."""
    power[~usable_backscatter(power, np.isfinite(power))] = np.nan


def _empty(count: int, geobox: GeoBox, facts: Mapping[str, Any]) -> BandStack:
    dtype = np.dtype(facts["data_type"])
    nodata = float(facts["nodata"]) if dtype.kind == "f" else int(facts["nodata"])
    return BandStack(
        values=np.full((count, *geobox.shape), nodata, dtype=dtype),
        nodata=nodata,
        units=facts["unit"],
        scale=np.full(count, np.nan),
        offset=np.full(count, np.nan),
        status=np.full(count, "missing", dtype="<U11"),
    )


def _sensed(item: pystac.Item) -> np.datetime64:
    if item.datetime is None:
        raise BrokenData(f"Scene {item.id} has no time of sensing.")
    return pd.Timestamp(item.datetime).tz_convert(None).to_datetime64()


def _orbit(item: pystac.Item) -> str:
    relative = item.properties.get("sat:relative_orbit")
    state = str(item.properties.get("sat:orbit_state", ""))
    return f"{state}-{relative}" if state and relative else state or str(relative or "")


def _require_on_lattice(block: Block, item: pystac.Item) -> None:
    a = block.geobox.affine
    code = item.properties.get("proj:code")
    transform = item.properties.get("proj:transform", [0.0] * 6)
    steps = np.array([a.c - transform[2], a.f - transform[5]]) / PIXEL_M
    sized = a.a == PIXEL_M and a.e == -PIXEL_M and a.b == a.d == 0
    if str(block.geobox.crs) != code or not sized or np.abs(steps - steps.round()).max() > LATTICE_TOLERANCE:
        raise BrokenData(
            f"A block must lie on the lattice of its scenes ({code}, 10 m, corner {transform[2]}, {transform[5]}); "
            f"block {block.block_id} has {block.geobox.crs} and {tuple(a)[:6]}."
        )
