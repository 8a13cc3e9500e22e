"""Megawatts of a solar plant: what the rows seen can hold, and a claimed capacity held against it.

At 10 m the ground under rows is seen, not the modules: their make and how close the rows stand are not. So the interval
is wide, and only claims beyond what the densest rows could hold, or far below what the thinnest do, are a mismatch.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geocollateral.types import ClaimCheck, Verdict

DENSITY = (37.0, 87.0, 140.0)
"""Low, middle and high of the direct-current capacity per area of rows [MW/km2].

Low: the mean of TZ-SAM, 711 GW on 19,100 km2 of 63,616 outlines drawn from Sentinel-2 (doi:10.5281/zenodo.11368203),
which hold tracks, setbacks and older modules. Middle: median of fixed-tilt plants in the United States, 0.35 MW per
acre of array; that of plants that track the sun is 0.24, or 59 MW/km2 (Bolinger & Bolinger 2022,
doi:10.1109/JPHOTOV.2021.3136805). High: modules of 225 W/m2 on 62 % of the ground; where they cover more, as in closed
roofs of modules facing east and west, no plants show between rows and `modules` does not tell them.
"""
BAND = 1.64
"""Standard errors of an interval of 90 %."""
CAPACITY_TOLERANCE = 0.5
"""Over-claim from which a capacity is a mismatch, and which must be excluded for a match [1]: 10 m allow no less."""
DC_PER_AC = 1.3
"""Peak capacity of the modules over that of the inverters [1]: 35.5 GW against 27.0 GW of 736 plants (Bolinger &
Bolinger 2022). A claim may be meant at the inverters, which is the smaller number."""
UNFINISHED = frozenset({"planned", "site_cleared", "foundations"})
"""Claimed stages at which no modules need to stand."""

Megawatts = tuple[float, float, float]
"""Low, middle and high: the middle and the ends of the 90 % interval [MW, direct current]."""


@dataclass(frozen=True, kw_only=True)
class SeenModules:
    """What of a plant was seen."""

    present: bool
    growing: bool
    """Whether the share under modules still grows."""
    megawatts: Megawatts
    km2: float
    """Area of the parcel."""
    n_looks: int
    n_pixels: int
    """Pixels under modules; those looked at where there are none."""
    day: dt.date
    """Of the last clear look."""


def capacity(share: float, error: float, km2: float) -> Megawatts:
    """Low, middle and high of the capacity [MW]: footprint times `DENSITY`, their errors independent.

    Parameters
    ----------
    share, error
        Share of the parcel under rows and its standard error [0-1].
    km2
        Area of the parcel.
    """
    if share <= 0:
        return 0.0, 0.0, min(BAND * error, 1.0) * km2 * DENSITY[2]
    low, middle, high = DENSITY
    relative = BAND * error / share
    down = math.hypot(math.log(middle / low), math.log1p(relative))
    up = math.hypot(math.log(high / middle), math.log1p(min(relative, 1 / share - 1)))
    best = share * km2 * middle
    return best * math.exp(-down), best, best * math.exp(up)


def judge_capacity(
    attributes: Mapping[str, Any], seen: SeenModules | None, as_of: dt.date, why_not: str = ""
) -> ClaimCheck | None:
    """Check ``capacity`` of a solar plant; None where none is claimed.

    1. No modules: a mismatch, unless the plant is not due yet or so small that it could be missed.
    2. More than the densest rows on the footprint hold: over-claimed. Of a plant that still grows this can only be told
       if it is more than they would hold on the whole parcel.
    3. So little that even the thinnest rows hold more, were it meant at the inverters: under-claimed.
    4. An over-claim of `CAPACITY_TOLERANCE` can be excluded even for the thinnest rows: a match.
    5. What lies between cannot be told: it is within what the rows may hold.

    Parameters
    ----------
    attributes
        The parcel's row: ``claim_capacity_mw`` [MW], ``claim_stage``, ``claim_commissioned_on``.
    seen
        None where nothing could be judged; `why_not` says why.
    """
    claimed = attributes.get("claim_capacity_mw")
    if claimed is None or claimed != claimed:
        return None
    told = f"Claimed {float(claimed):,.2f} MW"
    if seen is None:
        return _check(float(claimed), "cannot_tell", f"{told}; not judged. {why_not}".strip(), None)
    verdict, reason = _compared(float(claimed), seen, _due(attributes, as_of))
    return _check(float(claimed), verdict, f"{told}; {reason}", seen)


def _due(attributes: Mapping[str, Any], as_of: dt.date) -> bool:
    """Whether all modules should stand by what else is claimed; a stage not claimed is one that is reached."""
    day = attributes.get("claim_commissioned_on")
    if day is not None and day == day:
        day = dt.date.fromisoformat(str(day)[:10])
        if day > as_of:
            return False
    stage = attributes.get("claim_stage")
    return stage not in UNFINISHED and stage != "structure"


def _compared(claimed: float, seen: SeenModules, due: bool) -> tuple[Verdict, str]:
    low, middle, high = seen.megawatts
    if not seen.present:
        none = f"no solar modules on {seen.day}"
        if not due:
            return "cannot_tell", f"{none}, and by the stage or day claimed the plant is not complete yet."
        if claimed > high:
            return "mismatch", f"{none}; what could be missed holds less than {high:,.2f} MW."
        return "cannot_tell", f"{none}, but up to {high:,.2f} MW could be missed at 10 m."
    told = (
        f"the rows seen on {seen.day} hold {low:,.2f} to {high:,.2f} MW at {DENSITY[0]:.0f} to {DENSITY[2]:.0f} MW/km2"
    )
    meant = "Peak capacity at the modules (direct current)"
    whole = capacity(1.0, 0.0, seen.km2)[2]
    if claimed > whole:
        least = claimed / whole - 1
        return "mismatch", f"{told}, the whole parcel {whole:,.2f} MW: over-claimed by {least:.0%} or more. {meant}."
    if claimed > high:
        if seen.growing or not due:
            return "cannot_tell", f"{told}, less than claimed, but the plant is not complete yet. {meant}."
        least = claimed / high - 1
        return "mismatch", f"{told}: over-claimed by {least:.0%} or more even with the densest rows. {meant}."
    if claimed * DC_PER_AC < low:
        meant = f"at the inverters (alternating current, about 1/{DC_PER_AC} of it)"
        other = "Other modules may stand on the parcel"
        return "mismatch", f"{told}: more stands there than claimed, even if it is meant {meant}. {other}."
    if claimed <= (1 + CAPACITY_TOLERANCE) * low:
        return "match", f"{told}: an over-claim of {CAPACITY_TOLERANCE:.0%} is excluded. {meant}."
    usual = f"possible, at {claimed / middle:.0%} of the usual density"
    return "cannot_tell", f"{told}: {usual}; how close the rows stand is not seen at 10 m. {meant}."


def _check(claimed: float, verdict: Verdict, reason: str, seen: SeenModules | None) -> ClaimCheck:
    low, middle, high = (None, None, None) if seen is None else seen.megawatts
    return ClaimCheck(
        claim="capacity",
        verdict=verdict,
        claimed=claimed,
        observed=middle,
        low=low,
        high=high,
        unit="mw",
        tolerance=CAPACITY_TOLERANCE,
        n_looks=0 if seen is None else seen.n_looks,
        n_pixels=0 if seen is None else seen.n_pixels,
        reason=reason,
    )


__all__ = ["BAND", "CAPACITY_TOLERANCE", "DENSITY", "Megawatts", "SeenModules", "capacity", "judge_capacity"]
