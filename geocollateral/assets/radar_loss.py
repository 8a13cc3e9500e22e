"""Loss of a stand by Sentinel-1 alone, for the weeks in which clouds hide it from optical looks.

C-band backscatter of a closed canopy is steady. Where it is felled VH falls by 1 to 3 dB (volume scattering is gone),
while VV falls less or rises, as the ground is rough or wet. Departures from history and peers (`radar_departures`)
become odds of such a step (`radar_odds`); a loss is told where a quarter hectare in one piece is rather gone than not.

Sources: Reiche et al. 2018, doi:10.1016/j.rse.2017.10.034; Mermoz et al. 2021, doi:10.3390/rs13234877.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field
from scipy import ndimage

from geocollateral.assets.radar_departures import Days, Departures, Floats, Mask, departures
from geocollateral.assets.radar_odds import NEVER, RadarStepParams, StepOdds, by_beginning, step_odds, step_size
from geocollateral.types import ParcelEvidence

WITHIN = 3.0
"""Days are likely that have at least exp(-3), a twentieth, of the likelihood of the best."""


class RadarLossParams(RadarStepParams):
    """Knobs of a loss of stand seen by radar."""

    confirm: float = Field(
        0.5, gt=0, lt=1, description="Probability that each pixel of the smallest area must reach by itself [1]."
    )
    suspect: float = Field(
        0.002,
        gt=0,
        lt=1,
        description="Probability from which pixels that hang together with a confirmed loss belong to it: beside a "
        "loss a loss is no rare thing [1].",
    )
    min_looks: int = Field(3, ge=1, description="Fewest looks since the fall began.")
    min_area_m2: float = Field(2500, gt=0, description="Smallest area that must be confirmed together [m2].")


@dataclass(frozen=True, kw_only=True)
class RadarLoss:
    """A loss of stand that radar told."""

    member: Mask
    """Shape (pixel,): pixels whose surroundings fell, as known on the day of detection."""
    before: np.datetime64
    """Last look before which it cannot well have begun."""
    after: np.datetime64
    """Look by which it had begun, in all likelihood."""
    detected: np.datetime64
    probability: float
    fall_db: float
    """Mean departure of VH since [dB]."""
    vv_db: float
    """Mean departure of VV since [dB]."""
    looks: int
    orbits: int


@dataclass(frozen=True, kw_only=True)
class InPlace:
    """Looks of another sensor that showed the stand in place: what radar made of earlier ones is void."""

    days: Days
    """Shape (look,), rising, days since 1970-01-01."""
    shown: Mask
    """Shape (look, pixel)."""


def radar_losses(
    evidence: ParcelEvidence, stand: Mask, params: RadarLossParams, in_place: InPlace | None = None
) -> list[RadarLoss]:
    """Losses told by radar, in order of the day they were first told on; none looks ahead.

    Parameters
    ----------
    stand
        Shape (pixel,): ground that was stand.
    in_place
        When another sensor saw it stand, if one did.

    Returns
    -------
    A place is told once: after a loss its pixels are not watched any more.
    """
    given = departures(evidence, stand, params)
    found: list[RadarLoss] = []
    if given is None:
        return found
    shown = _shown_since(given.days, len(stand), in_place)
    odds = step_odds(given, shown, params)
    limit, doubt = _log_odds(params.confirm), _log_odds(params.suspect)
    with np.errstate(invalid="ignore"):
        sure = (odds.log_odds >= limit) & (odds.looks >= params.min_looks)
    gone = np.zeros(len(stand), bool)
    for n in np.flatnonzero(sure @ evidence.area_m2 >= params.min_area_m2).tolist():
        now = sure[n] & ~gone
        if evidence.area_m2[now].sum() < params.min_area_m2:
            continue
        with np.errstate(invalid="ignore"):
            near = _joined((odds.log_odds[n] >= doubt) & stand & ~gone, now, evidence)
        core = _largest(near, evidence)
        if evidence.area_m2[core & now].sum() < params.min_area_m2:
            continue
        found.append(_told(given, shown, odds, n, core, core & now, evidence, params))
        gone |= _grown(core, evidence, params.window_pixels)
    return found


def _shown_since(days: Days, pixels: int, in_place: InPlace | None) -> Mask:
    """Whether each pixel was seen in place after the look before and up to each look; shape (look, pixel)."""
    out = np.zeros((len(days), pixels), bool)
    if in_place is not None:
        place = np.searchsorted(days, in_place.days)
        for position, shown in zip(place.tolist(), in_place.shown, strict=True):
            if position < len(days):
                out[position] |= shown
    return out


def _told(
    given: Departures,
    shown: Mask,
    odds: StepOdds,
    n: int,
    member: Mask,
    sure: Mask,
    evidence: ParcelEvidence,
    params: RadarLossParams,
) -> RadarLoss:
    pixels = np.flatnonzero(sure)
    weight = evidence.area_m2[sure]
    own = given.part(n, pixels)
    first, latest = _onset(*by_beginning(own, shown[: n + 1, pixels], params), weight)
    size = step_size(own, latest, params) @ weight / weight.sum()
    mean = float(np.average(odds.log_odds[n][sure], weights=weight))
    return RadarLoss(
        member=member,
        before=np.datetime64(int(given.days[max(first - 1, 0)]), "D"),
        after=np.datetime64(int(given.days[latest]), "D"),
        detected=np.datetime64(int(given.days[n]), "D"),
        probability=1 / (1 + float(np.exp(-min(mean, 30.0)))),
        fall_db=float(size[0]),
        vv_db=float(size[1]),
        looks=n + 1 - first,
        orbits=len(evidence.radar),
    )


def _onset(start: int, factors: Floats, area: Floats) -> tuple[int, int]:
    """First and last look with which the fall may have begun, by the evidence of all its pixels."""
    allowed = factors > NEVER
    held = allowed @ area
    mean = (np.where(allowed, factors, 0.0) @ area) / np.maximum(held, 1e-9)
    mean[held < 0.5 * held.max()] = NEVER
    likely = np.flatnonzero(mean >= mean.max() - WITHIN)
    return start + int(likely[0]), start + int(likely[-1])


def _log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _plane(mask: Mask, evidence: ParcelEvidence) -> tuple[Mask, tuple[Days, Days]]:
    at = (evidence.row - evidence.row.min(), evidence.col - evidence.col.min())
    plane = np.zeros((int(at[0].max()) + 1, int(at[1].max()) + 1), bool)
    plane[at] = mask
    return plane, at


def _joined(mask: Mask, seeds: Mask, evidence: ParcelEvidence) -> Mask:
    """Pixels of the patches that hold a seed."""
    plane, at = _plane(mask | seeds, evidence)
    labels = ndimage.label(plane, np.ones((3, 3)))[0][at]
    return np.asarray((labels > 0) & np.isin(labels, np.unique(labels[seeds])))


def _largest(mask: Mask, evidence: ParcelEvidence) -> Mask:
    plane, at = _plane(mask, evidence)
    labels = ndimage.label(plane, np.ones((3, 3)))[0][at]
    area = np.bincount(labels, weights=evidence.area_m2)
    area[0] = -1
    return np.asarray(labels == int(np.argmax(area))) & mask


def _grown(mask: Mask, evidence: ParcelEvidence, pixels: int) -> Mask:
    """Pixels within half a neighbourhood of a masked one, whose averages hold some of it."""
    plane, at = _plane(mask, evidence)
    return np.asarray(ndimage.binary_dilation(plane, np.ones((3, 3)), iterations=max(pixels // 2, 1))[at])


__all__ = ["InPlace", "RadarLoss", "RadarLossParams", "radar_losses"]
