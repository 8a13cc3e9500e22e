"""Ground lost to farming: pixels that stay bare through the growing season while the rest or the neighbours are green.

A harvested, ploughed or failed patch is green again within the season or the next; one that is cleared or built on is
not. So a pixel counts as lost only after it has stayed bare on nearly every telling look for longer than a crop is
missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from geocollateral.types import Params, ParcelEvidence

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
Mask = NDArray[np.bool_]
NEVER = np.iinfo(np.int64).max


class GroundParams(Params):
    """Knobs of the test for lost ground."""

    green: float = Field(0.45, gt=0, lt=1, description="A look tells where the rest or the peers are so green [NDVI].")
    ground: float = Field(0.15, description="Green of bare ground [NDVI].")
    bare_share: float = Field(
        0.30, gt=0, lt=1, description="Bare is up to this share of the way from ground to green [1]."
    )
    green_share: float = Field(0.50, gt=0, lt=1, description="Not bare is from this share on [1].")
    lost_days: int = Field(120, ge=60, description="Bare for so long is lost [days].")
    whole_days: int = Field(
        365, ge=90, description="The same where the whole parcel is bare and only the peers are green [days]."
    )
    lost_looks: int = Field(6, ge=3, description="Fewest telling looks on which it was bare.")
    odd_share: float = Field(
        0.2, ge=0, lt=1, description="Share of telling looks that may be neither bare nor green [1]."
    )
    was_green: float = Field(0.6, gt=0, le=1, description="Share of telling looks on which it was green before [1].")
    min_patch_pixels: int = Field(5, ge=1, description="Lost pixels that hang together; fewer are noise.")
    min_event_m2: float = Field(1000, gt=0, description="Smallest loss reported, the minimum mapping unit [m2].")
    whole_share: float = Field(
        0.4, gt=0, lt=1, description="From this share of a parcel on its land is prepared for else [1]."
    )


@dataclass(frozen=True, kw_only=True)
class Patch:
    """Lost pixels that hang together; days since 1970-01-01."""

    member: Mask
    """Shape (pixel,)."""
    share: Floats
    """Shape (pixel,): how much of each pixel is lost [0-1], edges included."""
    last_green: int
    first_bare: int
    known_on: int
    departure: float
    """Mean distance of its NDVI from the reference since then [1]."""
    n_looks: int


def find_lost_ground(evidence: ParcelEvidence, peers_green: Floats, params: GroundParams) -> tuple[Patch, ...]:
    """Patches of a parcel that have been lost to farming.

    Parameters
    ----------
    peers_green
        Shape (look,): NDVI of parcels alike on the looks of the evidence; NaN where there were none.

    Returns
    -------
    Patches of at least `min_event_m2`, as first found; later looks enlarge a patch and never take it back.
    """
    if evidence.indices is None or "ndvi" not in evidence.indices:
        return ()
    green = evidence.indices["ndvi"].values.astype(np.float64)
    days = evidence.look_days.astype(np.int64)
    seen = np.isfinite(green).sum(axis=1) >= 0.5 * green.shape[1]
    rest = np.full(len(green), np.nan)
    if seen.any():
        rest[seen] = np.nanquantile(green[seen], 0.8, axis=1)
    either = np.fmax(rest, np.where(seen, peers_green, np.nan))
    runs = []
    # Beside a green rest of the parcel a bare patch stands out; a wholly bare parcel may lie fallow for a while.
    for reference, lost_days in ((rest, params.lost_days), (either, params.whole_days)):
        telling = np.flatnonzero(reference >= params.green)
        runs.append(_follow(green[telling], days[telling], reference[telling], lost_days, params))
    first = runs[0].confirmed_on <= runs[1].confirmed_on
    run = _Run(
        confirmed_on=np.where(first, runs[0].confirmed_on, runs[1].confirmed_on),
        first_bare=np.where(first, runs[0].first_bare, runs[1].first_bare),
        last_green=np.where(first, runs[0].last_green, runs[1].last_green),
    )
    telling = np.flatnonzero(either >= params.green)
    return _gather(run, green[telling], days[telling], either[telling], evidence, params)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """The latest run of bare looks of each pixel; arrays of shape (pixel,)."""

    confirmed_on: Days
    first_bare: Days
    last_green: Days


def _follow(green: Floats, days: Days, reference: Floats, lost_days: int, params: GroundParams) -> _Run:
    n = green.shape[1]
    first, last_green = np.full(n, NEVER), np.full(n, -1)
    bare_looks, odd_looks, green_looks, known_looks = (np.zeros(n) for _ in range(4))
    confirmed, since, until = np.full(n, NEVER), np.full(n, NEVER), np.full(n, -1)
    for day, row, height in zip(days.tolist(), green, reference, strict=True):
        way = (row - params.ground) / (height - params.ground)
        with np.errstate(invalid="ignore"):
            bare, up = way <= params.bare_share, way >= params.green_share
        odd = np.isfinite(way) & ~bare & ~up
        known_looks += np.where(first == NEVER, np.isfinite(way), 0)
        green_looks += up & (first == NEVER)
        last_green = np.where(up, day, last_green)
        first = np.where(up, NEVER, np.where(bare & (first == NEVER), day, first))
        bare_looks = np.where(up, 0, bare_looks + bare)
        odd_looks = np.where(up | (first == NEVER), 0, odd_looks + odd)
        lost = (
            (first != NEVER)
            & (day - first >= lost_days)
            & (bare_looks >= params.lost_looks)
            & (odd_looks <= params.odd_share * (bare_looks + odd_looks))
            & (green_looks >= params.was_green * np.maximum(known_looks, 1))
            & (green_looks >= params.lost_looks)
            & bare
        )
        new = lost & (confirmed == NEVER)
        confirmed, since, until = (
            np.where(new, day, confirmed), np.where(new, first, since), np.where(new, last_green, until),
        )  # fmt: skip
    return _Run(confirmed_on=confirmed, first_bare=since, last_green=until)


def _gather(
    run: _Run, green: Floats, days: Days, reference: Floats, evidence: ParcelEvidence, params: GroundParams
) -> tuple[Patch, ...]:
    """Patches in the order of their finding: on each day the lost pixels that hang together."""
    known: list[tuple[int, Mask]] = []
    for day in np.unique(run.confirmed_on[run.confirmed_on != NEVER]).tolist():
        labels = _labels(run.confirmed_on <= day, evidence)
        for label in range(1, int(labels.max(initial=0)) + 1):
            member = labels == label
            old = [k for k, (_, mask) in enumerate(known) if (mask & member).any()]
            if old:
                known[old[0]] = (known[old[0]][0], known[old[0]][1] | member)
            elif member.sum() >= params.min_patch_pixels:
                share = _shares(
                    member, int(np.median(run.first_bare[member])), green, days, reference, evidence, params
                )
                if float((share * evidence.area_m2).sum()) >= params.min_event_m2:
                    known.append((day, member))
    return tuple(_patch(run, day, member, green, days, reference, evidence, params) for day, member in known)


def _patch(
    run: _Run,
    day: int,
    member: Mask,
    green: Floats,
    days: Days,
    reference: Floats,
    evidence: ParcelEvidence,
    params: GroundParams,
) -> Patch:
    # Dates are those of the pixels by which it was found: later ones cannot change what was known.
    early = member & (run.confirmed_on <= day)
    first = int(np.median(run.first_bare[early]))
    since = days >= first
    values = green[since][:, early]
    return Patch(
        member=member,
        share=_shares(member, first, green, days, reference, evidence, params),
        last_green=int(np.median(run.last_green[early])),
        first_bare=first,
        known_on=day,
        departure=float(np.nanmean(values - reference[since][:, None])),
        n_looks=int((since & (days <= day)).sum()),
    )


def _shares(
    member: Mask,
    first: int,
    green: Floats,
    days: Days,
    reference: Floats,
    evidence: ParcelEvidence,
    params: GroundParams,
) -> Floats:
    """Lost share of the pixels of a patch and of those beside it, from how far they stay below what they were."""
    plane, row, col = _plane(member, evidence)
    near = ndimage.binary_dilation(plane, np.ones((3, 3)))[row, col]
    way = (green - params.ground) / (reference - params.ground)[:, None]
    now, before = (np.zeros(len(member)) for _ in range(2))
    for out, span in ((now, days >= first), (before, days < first)):
        seen = np.isfinite(way[span]).any(axis=0)
        out[:] = np.nan
        out[seen] = np.nanmedian(way[span][:, seen], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip(1 - np.maximum(now, 0) / np.clip(before, 0.3, None), 0, 1)
    share = np.where(np.isfinite(share), share, member.astype(np.float64))
    typical = max(float(np.quantile(share[member], 0.9)), 0.3)
    return np.where(member | (near & (share > 0.3)), np.clip(share / typical, 0, 1), 0.0)


def _labels(mask: Mask, evidence: ParcelEvidence) -> Days:
    plane, row, col = _plane(mask, evidence)
    labels, _ = ndimage.label(plane, np.ones((3, 3)))
    return np.asarray(labels[row, col], np.int64)


def _plane(mask: Mask, evidence: ParcelEvidence) -> tuple[Mask, Days, Days]:
    row, col = evidence.row - evidence.row.min(), evidence.col - evidence.col.min()
    plane = np.zeros((int(row.max()) + 1, int(col.max()) + 1), bool)
    plane[row, col] = mask
    return plane, row, col
