"""Works that spread over the edge of a site's polygon: the test of `assets.site_start` on cells of ground beside it.

A permit, and a loan, are for the polygon. Each cell beside it is asked what the site itself is asked: does it depart,
and stay departed, from ground that went along with it so far? Neighbouring cells that do, together large enough, are
works beside the site; whose they are no satellite can tell. Seen by light alone: the speckle of a cell's few radar
pixels is larger than what works bring.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from geocollateral.assets import site_start
from geocollateral.assets.refusal import day_of
from geocollateral.assets.site_start import StartParams
from geocollateral.types import ParcelEvidence

Floats = NDArray[np.float64]

GREEN, OPEN = 0.40, 0.30
"""NDVI that a cell must have reached before, and stay below of late, to be asked at all [1]: ground that was open all
along cannot show by its green that works have come."""
LATE_LOOKS = 5
"""Looks that are of late: the median of a cell's green, and works that must be told on each of them."""
LEAST_TOLD = 0.5
"""Share of the cells that must have been green for "no works seen" to be said [1]."""
SEEN = 0.5
"""Clear share of a cell from which a look counts [1]."""


@dataclass(frozen=True, kw_only=True)
class WorksBeside:
    """What the ground beside a site shows at ``as_of``."""

    area_m2: float
    """Cells under works [m2]; 0 = none seen."""
    since: dt.date | None
    """First look at which any of them was told; None without works."""
    told: float
    """Share of the cells of which it can be told [0-1]: those that were green before."""
    looked_m2: float
    """All cells looked at [m2]."""
    reach_m: float
    """How far from the polygon it was looked [m]: so many pixels, which other imagery has larger."""


def judge_beside(evidence: ParcelEvidence, params: StartParams, min_m2: float) -> WorksBeside | None:
    """Works beside a site; None where no ground beside it was looked at.

    Parameters
    ----------
    min_m2
        Smallest patch of neighbouring cells that is told [m2].
    """
    cells = evidence.beside
    if cells is None or evidence.peers is None or not cells.sizes["cell"] or "ndvi" not in cells["index"].values:
        return None
    side = int(cells.attrs["pixels"])
    cell_m2 = _pixel_m2(evidence) * side**2
    green = _green(cells)
    begun: list[np.datetime64 | None] = [None] * cells.sizes["cell"]
    # Ground beside the site may be under the same works: it is no norm for itself.
    others = replace(evidence, peers=evidence.peers.drop_sel(peer=cells["cell"].values, errors="ignore"))
    for place in np.flatnonzero(_lost(green)):
        begun[place] = _begun(others, cells.isel(cell=place), params)
    at = np.array([day is not None for day in begun])
    kept = _patches(cells, at, side, int(np.ceil(min_m2 / cell_m2)))
    days = [day for day, is_kept in zip(begun, kept, strict=True) if is_kept and day is not None]
    return WorksBeside(
        area_m2=float(kept.sum() * cell_m2),
        since=day_of(min(days)) if days else None,
        told=float((np.where(np.isfinite(green), green, -1.0).max(axis=0, initial=-1.0) >= GREEN).mean()),
        looked_m2=float(cells.sizes["cell"] * cell_m2),
        reach_m=round(float(cells.attrs["reach"]) * float(np.sqrt(_pixel_m2(evidence))), -1),
    )


def in_words(beside: WorksBeside | None) -> str:
    """What the loan officer reads of it."""
    if beside is None:
        return "The ground beside the polygon was not looked at."
    if beside.since is not None:
        return (
            f"Works beside the polygon too: {beside.area_m2 / 1e4:.2f} ha or more within {beside.reach_m:.0f} m of it, "
            f"told on {beside.since}. Whose they are cannot be seen; compare with the permit."
        )
    if beside.told < LEAST_TOLD:
        return (
            f"Whether works spread over the edge of the polygon cannot be told: {1 - beside.told:.0%} of the ground "
            f"within {beside.reach_m:.0f} m was open before."
        )
    return f"No works seen on other ground within {beside.reach_m:.0f} m of the polygon."


def _pixel_m2(evidence: ParcelEvidence) -> float:
    return float(np.max(evidence.area_m2))


def _green(cells: xr.Dataset) -> Floats:
    """NDVI, shape (look, cell); NaN = not seen."""
    ndvi = cells.sel(index="ndvi")
    return np.where(ndvi["valid_fraction"].values > SEEN, ndvi["mean"].values, np.nan)


def _lost(green: Floats) -> NDArray[np.bool_]:
    """Cells that were green once and are open ground of late."""
    out = np.zeros(green.shape[1], bool)
    for cell, own in enumerate(green.T):
        seen = own[np.isfinite(own)]
        if len(seen) > LATE_LOOKS:
            out[cell] = np.median(seen[-LATE_LOOKS:]) < OPEN and seen[:-LATE_LOOKS].max() >= GREEN
    return out


def _begun(evidence: ParcelEvidence, cell: xr.Dataset, params: StartParams) -> np.datetime64 | None:
    """Day on which works on a cell were told, where they are still there at the last look; None = none."""
    fraction = cell["valid_fraction"].isel(index=0).values
    looked = fraction > SEEN
    own = replace(
        evidence,
        series=cell.isel(time=np.flatnonzero(looked)),
        look_days=cell["time"].values[looked].astype("datetime64[D]"),
        look_fraction=fraction[looked],
        radar={},
    )
    odds = site_start.weigh(own, params, SEEN)
    if odds is None or len(odds.probability) < LATE_LOOKS or (odds.probability[-LATE_LOOKS:] < params.confirm).any():
        return None
    below = np.flatnonzero(odds.probability < params.confirm)
    first = int(below[-1]) + 1 if len(below) else 0
    return np.datetime64(int(odds.days[first]), "D")


def _patches(cells: xr.Dataset, at: NDArray[np.bool_], side: int, least: int) -> NDArray[np.bool_]:
    """Cells among some whose patch of neighbours, edge to edge, holds at least so many."""
    if not at.any():
        return at
    row, col = (cells[name].values // side for name in ("row", "col"))
    plane = np.zeros((int(np.ptp(row)) + 1, int(np.ptp(col)) + 1), bool)
    plane[row[at] - row.min(), col[at] - col.min()] = True
    patch, n = ndimage.label(plane)
    large = np.bincount(patch.ravel(), minlength=n + 1) >= least
    large[0] = False
    return np.asarray(large[patch[row - row.min(), col - col.min()]])


__all__ = ["WorksBeside", "judge_beside"]
