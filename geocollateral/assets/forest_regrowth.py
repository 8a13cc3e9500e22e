"""What grows again where a stand was lost: recovery of NBR year by year, and the share of the area that has regrown.

Recovery is the share of the fall that has been made good, measured in leaf against the same season before the loss. A
pixel has regrown from four fifths of its former NBR: crowns have closed again by the spectrum, which is not yet timber.

Source: White et al. 2017, doi:10.1016/j.rse.2017.03.035 (years to recovery of 80 % of the former NBR).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets.forest_signature import BARE_NBR, IN_LEAF, NIR, SWIR2, middle_of, stack_bands
from geocollateral.types import Event, Params, ParcelEvidence

Floats = NDArray[np.float64]


class RegrowthParams(Params):
    """Knobs of regrowth."""

    regrown_from: float = Field(0.8, gt=0, le=1, description="Share of its former NBR from which a pixel regrew [1].")
    min_looks: int = Field(3, ge=1, description="Fewest looks in leaf of a year.")
    season_days: int = Field(30, ge=5, description="Looks this near in the year are of one season [days].")


def regrowth(evidence: ParcelEvidence, event: Event, params: RegrowthParams) -> tuple[Mapping[str, Any], ...]:
    """Recovery of a lost stand in each full or begun year after its loss.

    Returns
    -------
    One row of JSON values per year: ``lost_on`` (first clear look after the loss), ``year`` (1 = the first 365 days),
    ``recovery`` (share of the fall made good, may be negative), ``regrown_share`` (of the event's area) and ``n_looks``;
    None where a year has too few looks in leaf.
    """
    where = np.asarray(event.pixels, np.int64)
    days = evidence.look_days.astype("datetime64[D]").astype(np.int64)
    before, after = (
        int(np.datetime64(day, "D").astype(np.int64)) for day in (event.last_clear_before, event.first_clear_after)
    )
    nbr = _nbr(evidence, where)
    usual = _usual(nbr, days, before, params.season_days)
    area = evidence.area_m2[where]
    rows, lowest = [], np.nan
    for year in range(1, (int(days[-1]) - after) // 365 + 2 if len(days) else 1):
        window = (days >= after + 365 * (year - 1)) & (days < after + 365 * year)
        share, n = _share_of_former(nbr[window], usual[window], params)
        told = np.isfinite(share) if n >= params.min_looks else np.zeros(len(area), bool)
        row: dict[str, Any] = {"lost_on": event.first_clear_after.isoformat(), "year": year, "n_looks": n}
        if area[told].sum() < 0.5 * area.sum():
            rows.append({**row, "recovery": None, "regrown_share": None})
            continue
        mean = float(share[told] @ area[told] / area[told].sum())
        lowest = mean if not np.isfinite(lowest) else lowest
        recovery = (mean - lowest) / max(1 - lowest, 0.05)
        regrown = float(area[told & (np.nan_to_num(share) >= params.regrown_from)].sum() / area[told].sum())
        rows.append({**row, "recovery": round(recovery, 3), "regrown_share": round(regrown, 3)})
    return tuple(rows)


def _nbr(evidence: ParcelEvidence, where: NDArray[np.int64]) -> Floats:
    bands = stack_bands(evidence)[:, where]
    return np.asarray((bands[..., NIR] - bands[..., SWIR2]) / (bands[..., NIR] + bands[..., SWIR2]))


def _usual(nbr: Floats, days: NDArray[np.int64], before: int, near: int) -> Floats:
    """NBR of each pixel in the season of each look, before the loss; NaN where nothing tells it."""
    past = days <= before
    apart = np.abs((days[:, None] - days[past][None, :] + 182) % 365 - 182)
    same = (apart <= near).astype(np.float64)
    seen = np.isfinite(nbr[past])
    count = same @ seen
    return np.divide(same @ np.where(seen, nbr[past], 0.0), count, out=np.full_like(nbr, np.nan), where=count > 0)


def _share_of_former(nbr: Floats, usual: Floats, params: RegrowthParams) -> tuple[Floats, int]:
    """Of each pixel: median share of its former NBR above bare ground, over the looks in leaf; and how many there are."""
    with np.errstate(invalid="ignore"):
        share = np.where(usual >= IN_LEAF, (nbr - BARE_NBR) / (usual - BARE_NBR), np.nan)
    n = int((np.isfinite(share).mean(axis=1) >= 0.3).sum()) if share.size else 0
    return middle_of(share), n


__all__ = ["RegrowthParams", "regrowth"]
