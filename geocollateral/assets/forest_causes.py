"""Why a stand was lost: clear-cut, thinning, fire, storm, insects or gradual decline, conversion to building.

Each cause is a picture: what such losses typically look like in reflectance, speed, extent and backscatter, with a wide
spread, from what is published of them and not fitted to any data set. A loss is compared with each picture; figures are
evidence that adds up (naive Bayes), no figure alone decides (its say is bounded), and as the figures are no strangers to
each other their sum is tempered. Where nothing fits well, no cause is named.

Sources: Key & Benson 2006, doi:10.2737/RMRS-GTR-164 (dNBR); Schroeder et al. 2011, doi:10.1016/j.rse.2011.01.022 (fire
and clear-cut apart by short-wave bands); Kennedy et al. 2015, doi:10.1016/j.rse.2015.05.005 and Senf & Seidl 2021,
doi:10.1111/gcb.15679 (agents from spectra, speed and extent).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from geocollateral.assets.forest_signature import Signature, signature
from geocollateral.types import Event, Params, ParcelEvidence

CLEAR_CUT, THINNING, FIRE, STORM, DECLINE, BUILDING = (
    "clear_cut",
    "thinning",
    "fire",
    "storm",
    "decline",
    "building",
)
CAUSES: tuple[str, ...] = (CLEAR_CUT, THINNING, FIRE, STORM, DECLINE, BUILDING)
CAUSE_NAMES: Mapping[str, str] = {
    CLEAR_CUT: "clear-cut",
    THINNING: "thinning",
    FIRE: "fire",
    STORM: "storm",
    DECLINE: "insects or gradual decline",
    BUILDING: "clearing for building",
}
"""In words, for a reader."""


class CauseParams(Params):
    """Knobs of the attribution of a loss."""

    min_looks: int = Field(2, ge=1, description="Fewest clear looks after the loss from which a cause is named.")
    named_from: float = Field(0.5, gt=0, le=1, description="Probability from which a cause is named [1].")
    temper: float = Field(
        0.6, gt=0, le=1, description="Weight of the summed evidence: below 1 because figures are not independent [1]."
    )
    bound: float = Field(4.5, gt=0, description="Most that one figure can speak against a cause [log units].")
    prior_clear_cut: float = Field(0.35, ge=0, description="Share of losses that are clear-cuts before any look [1].")
    prior_thinning: float = Field(0.17, ge=0, description="Share of thinnings [1].")
    prior_fire: float = Field(0.15, ge=0, description="Share of fires [1].")
    prior_storm: float = Field(0.15, ge=0, description="Share of storms [1].")
    prior_decline: float = Field(0.15, ge=0, description="Share of insects and gradual decline [1].")
    prior_building: float = Field(0.03, ge=0, description="Share of conversions to building land [1].")

    def prior(self, cause: str) -> float:
        """Share of a cause before any look; shares need not add up to 1."""
        return float(getattr(self, f"prior_{cause}"))


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What losses by one cause look like: middle and spread of each figure; None where it says nothing."""

    loss: tuple[float, float]
    nir_ratio: tuple[float, float]
    red_rise: tuple[float, float]
    swir_rise: tuple[float, float]
    char: tuple[float, float]
    vh_change_db: tuple[float, float]
    vv_change_db: tuple[float, float] | None = None
    share_of_parcel: tuple[float, float] | None = None
    days: tuple[float, float]
    """Median of the days from a quarter to three quarters of the loss, and the spread of its logarithm."""
    neighbours: float
    """How much likelier than by chance it is that a neighbouring stand fell on the same days."""


PICTURES: Mapping[str, Picture] = {
    # Ground, slash and stumps come to light: visible and short-wave bands rise, volume scattering goes.
    CLEAR_CUT: Picture(
        loss=(0.8, 0.17),
        nir_ratio=(0.82, 0.18),
        red_rise=(0.07, 0.025),
        swir_rise=(0.08, 0.04),
        char=(1.3, 0.4),
        vh_change_db=(-2.2, 1.2),
        days=(8, 1.0),
        neighbours=0.5,
    ),
    # A part of the crowns goes, evenly, over most of a stand.
    THINNING: Picture(
        loss=(0.30, 0.11),
        nir_ratio=(0.95, 0.10),
        red_rise=(0.025, 0.015),
        swir_rise=(0.03, 0.025),
        char=(2.1, 0.6),
        vh_change_db=(-0.7, 0.8),
        share_of_parcel=(0.8, 0.25),
        days=(8, 1.0),
        neighbours=0.5,
    ),
    # Char: near infrared halves, red and the shorter short-wave band hardly rise.
    FIRE: Picture(
        loss=(0.75, 0.25),
        nir_ratio=(0.55, 0.13),
        red_rise=(0.02, 0.02),
        swir_rise=(-0.01, 0.04),
        char=(0.9, 0.5),
        vh_change_db=(-1.7, 1.2),
        days=(3, 1.0),
        neighbours=2.0,
    ),
    # Crowns lie and wither: water goes, much wood and some leaf stays; radar still meets volume.
    STORM: Picture(
        loss=(0.52, 0.16),
        nir_ratio=(0.86, 0.13),
        red_rise=(0.037, 0.018),
        swir_rise=(0.05, 0.035),
        char=(1.8, 0.5),
        vh_change_db=(-0.7, 0.8),
        share_of_parcel=(0.5, 0.25),
        days=(5, 1.2),
        neighbours=6.0,
    ),
    # The same spectra as a storm's, but over months.
    DECLINE: Picture(
        loss=(0.45, 0.20),
        nir_ratio=(0.86, 0.13),
        red_rise=(0.037, 0.018),
        swir_rise=(0.05, 0.035),
        char=(1.9, 0.6),
        vh_change_db=(-0.7, 0.8),
        days=(100, 1.0),
        neighbours=1.5,
    ),
    # Stripped to the subsoil, then built on: brighter than a felling, and buildings answer the radar.
    BUILDING: Picture(
        loss=(1.0, 0.15),
        nir_ratio=(0.85, 0.2),
        red_rise=(0.15, 0.05),
        swir_rise=(0.15, 0.06),
        char=(1.0, 0.3),
        vh_change_db=(0.5, 2.5),
        vv_change_db=(3.0, 2.5),
        days=(10, 1.0),
        neighbours=0.5,
    ),
}
FIGURES: tuple[str, ...] = (
    "loss",
    "nir_ratio",
    "red_rise",
    "swir_rise",
    "char",
    "vh_change_db",
    "vv_change_db",
    "share_of_parcel",
)
MOST = {"loss": 1.0}
"""Figures beyond this say no more: char and wet soil have an NBR below that of bare ground."""
CHANCE = {"vv_change_db": (0.0, 1.2), "share_of_parcel": (0.5, 0.3)}
"""What a figure looks like where a cause's picture has none: it then speaks neither for nor against."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What can be said of the cause of one loss."""

    causes: Mapping[str, float]
    """Probability of each of `CAUSES`; empty where it cannot be told."""
    named: str | None
    """The cause, where one is likely enough to be named."""
    reason: str
    """One or two sentences for a reader."""
    measured: Signature


def attribute_cause(evidence: ParcelEvidence, event: Event, params: CauseParams) -> Attribution:
    """Probability of each cause of a loss, on the looks up to the evidence's day.

    Parameters
    ----------
    evidence
        With reflectance of `forest_signature.BANDS`; radar and peers are used where there are any.
    event
        Its pixels, and its interval.
    """
    measured = signature(evidence, event)
    if measured.n_looks < params.min_looks or not math.isfinite(measured.loss):
        reason = (
            f"Cause: cannot tell yet, {measured.n_looks} clear looks since {event.first_clear_after} and "
            f"{params.min_looks} are needed."
        )
        return Attribution(causes={}, named=None, reason=reason, measured=measured)
    causes = probabilities(measured, params)
    best = max(causes, key=lambda cause: causes[cause])
    named = best if causes[best] >= params.named_from else None
    return Attribution(causes=causes, named=named, reason=_in_words(causes, named, measured), measured=measured)


def with_cause(evidence: ParcelEvidence, event: Event, params: CauseParams) -> Event:
    """The event with ``causes`` and a sentence on them."""
    found = attribute_cause(evidence, event, params)
    return replace(event, causes=dict(found.causes), reasons=(*event.reasons, found.reason))


def probabilities(measured: Signature, params: CauseParams) -> dict[str, float]:
    """Probability of each of `CAUSES` [0-1], which add up to 1. Figures that are NaN say nothing."""
    speeds = {cause: math.log(_speed(measured, picture)) for cause, picture in PICTURES.items()}
    fastest = max(speeds.values())  # only how much worse one fits than another counts, and that is bounded
    score = {
        cause: math.log(max(params.prior(cause), 1e-9)) 
        + _evidence(measured, picture, params)
        + max(speeds[cause] - fastest, -params.bound)
        for cause, picture in PICTURES.items()
    }
    top = max(score.values())
    weight = {cause: math.exp(value - top) for cause, value in score.items()}
    total = sum(weight.values())
    return {cause: weight[cause] / total for cause in CAUSES}


def _evidence(measured: Signature, picture: Picture, params: CauseParams) -> float:
    """Log-likelihood of the figures under a picture, each bounded; those of one spectrum are tempered."""
    total = 0.0
    for name in FIGURES:
        value = min(float(getattr(measured, name)), MOST.get(name, math.inf))
        middle, spread = getattr(picture, name) or CHANCE[name]
        if math.isfinite(value):
            total += max(-0.5 * ((value - middle) / spread) ** 2, -params.bound) - math.log(spread)
    return params.temper * total + _company(measured, picture)


def _speed(measured: Signature, picture: Picture) -> float:
    """Chance that a fall of the picture's speed takes between the least and the most days that the looks allow."""
    low, high = measured.fall_low_days, measured.fall_high_days
    if not (math.isfinite(low) and math.isfinite(high)):
        return 1.0
    median, spread = picture.days

    def below(days: float) -> float:
        return 0.5 * (1 + math.erf(math.log(max(days, 1e-3) / median) / (spread * math.sqrt(2))))

    return max(below(high) - (below(low) if low > 0 else 0.0), 1e-12)


def _company(measured: Signature, picture: Picture) -> float:
    """What it says that neighbouring stands fell on the same days, or that none did."""
    if measured.peers_seen < 4:
        return 0.0
    if measured.peers_hit == 0:
        return -0.1 * math.log(picture.neighbours)
    return measured.peers_hit / (measured.peers_hit + 1) * math.log(picture.neighbours)


def _in_words(causes: Mapping[str, float], named: str | None, measured: Signature) -> str:
    ranked = sorted(causes, key=lambda cause: -causes[cause])
    told = f"{CAUSE_NAMES[ranked[0]]} ({causes[ranked[0]]:.0%})"
    second = f"{CAUSE_NAMES[ranked[1]]} ({causes[ranked[1]]:.0%})"
    seen = "; ".join(_observations(measured))
    if named is None:
        return f"Cause: not clear, {told} or {second}: {seen}."
    also = f", else {second}" if causes[ranked[1]] >= 0.1 else ""
    return f"Cause: most likely {told}{also}: {seen}."


def _observations(measured: Signature) -> list[str]:
    """What was seen, in words that speak for or against a cause."""
    said = [f"about {min(max(measured.loss, 0.0), 1.0):.0%} of the crown cover gone on the pixels of the event"]
    if measured.nir_ratio < 0.68 and measured.red_rise < 0.05:
        said.append(f"near infrared fell to {measured.nir_ratio:.0%} while red hardly rose, as over char")
    elif measured.red_rise >= 0.055:
        said.append(f"red reflectance rose by {measured.red_rise:.2f}, as over bare ground and slash")
    else:
        said.append("neither char nor much bare ground")
    low, high = measured.fall_low_days, measured.fall_high_days
    if math.isfinite(high):
        if low > 30:
            said.append(f"the fall took at least {low:.0f} days")
        elif high <= 60:
            said.append(f"it fell within {high:.0f} days")
        else:
            said.append(f"how fast it fell is not known (0 to {high:.0f} days between the looks)")
    if measured.peers_hit:
        said.append(f"{measured.peers_hit} of {measured.peers_seen} neighbouring stands fell in the same days")
    if math.isfinite(measured.vh_change_db) and abs(measured.vh_change_db) >= 1.0:
        said.append(f"radar VH changed by {measured.vh_change_db:+.1f} dB")
    if np.isfinite(measured.vv_change_db) and measured.vv_change_db >= 2.0:
        said.append(f"radar VV rose by {measured.vv_change_db:.1f} dB, as over new structures")
    return said


__all__ = ["CAUSES", "CAUSE_NAMES", "PICTURES", "Attribution", "CauseParams", "attribute_cause", "probabilities", "with_cause"]
