"""When a parcel cannot be judged, and the words for it."""

from __future__ import annotations

import datetime as dt

import numpy as np
from pydantic import Field

from geocollateral.types import Params, ParcelEvidence


class SiteParams(Params):
    """What any site needs to be judged."""

    min_full_pixels: int = Field(8, ge=1, description="Fewest whole pixels a parcel may be judged on (JRC limit).")
    min_visible: float = Field(0.9, gt=0, le=1, description="Smallest share of a parcel inside the imagery [1].")
    min_look_fraction: float = Field(
        0.3, gt=0, le=1, description="Clear share of a parcel from which a look counts [1]."
    )
    min_looks: int = Field(8, ge=2, description="Fewest clear looks that can be judged.")
    stale_days: int = Field(150, ge=30, description="Without a clear look for this long: cannot tell [days].")


def too_little(evidence: ParcelEvidence, min_visible: float, min_full_pixels: int) -> str:
    """Why too little of a parcel of any asset class can be seen, or nothing."""
    if evidence.visible_fraction < min_visible:
        return (
            f"{1 - evidence.visible_fraction:.0%} of the parcel lies outside the imagery; at least "
            f"{min_visible:.0%} of it must be inside."
        )
    if evidence.n_full_pixels < min_full_pixels:
        count = evidence.n_full_pixels
        lie = "1 whole pixel lies" if count == 1 else f"{count} whole pixels lie"
        return f"Too small to judge: {lie} inside the parcel, {min_full_pixels} are needed."
    return ""


def why_not(evidence: ParcelEvidence, params: SiteParams) -> str:
    """Reason why the parcel of a site cannot be judged, or nothing."""
    if evidence.optical is None:
        return "There are no optical looks."
    refusal = too_little(evidence, params.min_visible, params.min_full_pixels)
    if refusal:
        return refusal
    seen = evidence.look_days[evidence.look_fraction >= params.min_look_fraction]
    if not len(seen):
        return f"No look with at least {params.min_look_fraction:.0%} of the parcel free of cloud, shadow and snow."
    if len(seen) < params.min_looks:
        return f"Only {len(seen)} clear looks up to {evidence.as_of}; {params.min_looks} are needed."
    last = day_of(seen[-1])
    age = (evidence.as_of - last).days
    if age > params.stale_days:
        return f"The last clear look is {age} days old ({last}): what stands there now is not known."
    return ""


def day_of(value: np.datetime64) -> dt.date:
    """Day of a date of any unit."""
    day: dt.date = value.astype("datetime64[D]").astype(dt.date)
    return day


__all__ = ["SiteParams", "day_of", "too_little", "why_not"]
