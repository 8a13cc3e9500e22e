"""Whether a building site still changes: the pattern of the site now against that of a season before.

Each look is taken as contrast against the rest of the site on the same look, which takes out sun, haze and moisture.
A new slab, wall or roof changes the pattern; on a site at rest it stays, but for its strength. Noise does not add up:
energies are formed from pairs of different looks only, so that those of a site at rest are about zero however noisy its
looks are (the cross-validated distance of Walther et al. 2016, doi:10.1016/j.neuroimage.2015.12.012). Slow works change
little in a season and can look like none: a standstill is judged by how little changed, not by a plan.
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

BANDS = ("blue", "green", "red", "nir08", "swir16", "swir22")
LOOKS = 4
"""Most optical looks of now, and of then."""
OPTICAL_DAYS, RADAR_DAYS = 90, 55
"""Span of the looks of then [days]; radar comes whatever the weather."""
LEAST_OPTICAL, LEAST_RADAR = 1e-4, 0.05
"""Energy of a pattern below which there is none: squares of log reflectance and of dB."""
WINDOW = 3
"""Side of the neighbourhood whose mean power is compared, against speckle [pixels]."""


class StandstillParams(Params):
    """Knobs of the comparison of a site with itself."""

    now_days: int = Field(45, ge=20, description="Looks of so many days are the present [days].")
    apart_days: int = Field(80, ge=40, description="Looks at least this much older are the past [days].")
    min_fraction: float = Field(0.5, gt=0, le=1, description="Clear share of a site from which a look is compared [1].")
    still_optical: float = Field(
        0.003, gt=0, description="Energy of change, in squares of log reflectance, below which nothing changed."
    )
    still_radar: float = Field(0.08, gt=0, description="The same of radar, in squares of dB [dB2].")
    still_likeness: float = Field(
        0.9, gt=0, le=1, description="Correlation of the patterns of now and then from which they are the same [1]."
    )
    resume: float = Field(1.5, gt=1, description="Multiple of these energies that ends a standstill.")
    confirm_looks: int = Field(3, ge=2, description="Looks running that confirm a standstill; one is a suspicion.")


@dataclass(frozen=True, kw_only=True)
class Stillness:
    """How a site compares with itself some months before, by optical look; NaN = cannot be told."""

    days: Days
    """Shape (look,): days since 1970-01-01, rising."""
    optical: Floats
    """Shape (look,): energy of what is new in the pattern, mean of the bands [squares of log reflectance]."""
    likeness: Floats
    """Shape (look,): correlation of the patterns [1]."""
    radar: Floats
    """Shape (look,): energy of what is new, mean of orbits and polarisations [dB2]."""

    def is_still(self, params: StandstillParams) -> NDArray[np.bool_]:
        """Looks on which nothing has changed; False where it cannot be told."""
        quiet = (self.optical <= params.still_optical) & (self.likeness >= params.still_likeness)
        return quiet & ~(self.radar > params.still_radar)

    def goes_on(self, params: StandstillParams) -> NDArray[np.bool_]:
        """Looks on which something has changed beyond doubt; False where it cannot be told."""
        return (self.optical > params.resume * params.still_optical) | (self.radar > params.resume * params.still_radar)


def compare(evidence: ParcelEvidence, since: np.datetime64, params: StandstillParams) -> Stillness:
    """The site on each look against itself before, by looks after a day alone.

    Raises
    ------
    ValueError
        The evidence holds no optical looks.
    """
    if evidence.optical is None:
        raise ValueError("a standstill needs optical looks")
    used = np.flatnonzero((evidence.look_fraction >= params.min_fraction) & (evidence.look_days > since))
    days = evidence.look_days[used].astype("datetime64[D]").astype(np.int64)
    weight = evidence.area_m2 / evidence.area_m2.sum()
    bands = [evidence.optical[name].values[used] for name in BANDS if name in evidence.optical]
    light = [_contrast(np.log(np.maximum(band, 1e-3))) for band in bands]
    radar = _radar(evidence, since)
    found = np.full((3, len(days)), np.nan)
    for n, day in enumerate(days):
        now = np.flatnonzero((days <= day) & (days > day - params.now_days))[-LOOKS:]
        then = np.flatnonzero((days <= day - params.apart_days) & (days > day - params.apart_days - OPTICAL_DAYS))
        found[:2, n] = _compared([(v[now], v[then[-LOOKS:]]) for v in light], weight, LEAST_OPTICAL, both=True)
        pairs = []
        for when, value in radar:
            late = (when <= day) & (when > day - params.now_days)
            early = (when <= day - params.apart_days) & (when > day - params.apart_days - RADAR_DAYS)
            pairs.append((value[late], value[early]))
        found[2, n] = _compared(pairs, weight, LEAST_RADAR, both=False)[0]
    return Stillness(days=days, optical=found[0], likeness=found[1], radar=found[2])


def began(
    still: Stillness, look: int, start: np.datetime64, params: StandstillParams
) -> tuple[np.datetime64, np.datetime64]:
    """Days between which the works ended, by the first look on which nothing had changed.

    They had ended before the present of that look's comparison was parted from its past; and they had not before the
    past of the last comparison that did show a change, or the start of the works.
    """
    moved = np.flatnonzero(np.isfinite(still.optical[:look]) & ~still.is_still(params)[:look])
    last = int(still.days[moved[-1] if len(moved) else look])
    earliest = max(last - params.apart_days - OPTICAL_DAYS, int(start.astype("datetime64[D]").astype(np.int64)))
    latest = int(still.days[look]) - params.apart_days
    before = still.days[still.days <= earliest]
    after = still.days[(still.days >= latest) & (still.days <= still.days[look])]
    first = int(before[-1]) if len(before) else earliest
    return np.datetime64(first, "D"), np.datetime64(max(int(after[0]), first), "D")


def _contrast(values: Floats) -> Floats:
    """Values less the median of the site on the same look."""
    there = np.isfinite(values).any(axis=1)
    found = np.full(values.shape, np.nan)
    found[there] = values[there] - np.nanmedian(values[there], axis=1, keepdims=True)
    return found


def _radar(evidence: ParcelEvidence, since: np.datetime64) -> list[tuple[Days, Floats]]:
    found = []
    for _, looks in sorted(evidence.radar.items()):
        days = looks.power["time"].values.astype("datetime64[D]")
        later = days > since
        for name in ("vv", "vh"):
            if name in looks.power and later.any():
                power = _smooth(looks.power[name].values[later], evidence)
                with np.errstate(divide="ignore", invalid="ignore"):
                    found.append((days[later].astype(np.int64), _contrast(10 * np.log10(power))))
    return found


def _smooth(power: NDArray[np.floating], evidence: ParcelEvidence) -> Floats:
    """Mean power of the site around each pixel; NaN without signal."""
    row, col = evidence.row - evidence.row.min(), evidence.col - evidence.col.min()
    known = np.isfinite(power) & (power > 0)
    plane = np.zeros((len(power), int(row.max()) + 1, int(col.max()) + 1))
    count = np.zeros_like(plane)
    plane[:, row, col], count[:, row, col] = np.where(known, power, 0.0), known
    size = (0, WINDOW, WINDOW)
    total = ndimage.uniform_filter(plane, size, mode="constant")[:, row, col]
    share = ndimage.uniform_filter(count, size, mode="constant")[:, row, col]
    enough = (share > 0.3) & (total > 0)
    return np.where(enough, total / np.where(enough, share, 1.0), np.nan)


def _compared(pairs: list[tuple[Floats, Floats]], weight: Floats, least: float, *, both: bool) -> tuple[float, float]:
    """Energy of what is new (or, with `both`, gone) and correlation of the patterns, means of some channels."""
    energy, likeness = [], []
    for now, then in pairs:
        parts = _energies(now, then, weight)
        if parts is None:
            continue
        late, early, common = parts
        # What is proportional to the pattern before is the same pattern: wet concrete stands out less than dry.
        new = late - common**2 / max(early, least)
        gone = early - common**2 / max(late, least)
        energy.append(max(new, gone) if both else new)
        # Bare ground then and bare ground now: no pattern has come or gone.
        is_plain = max(early, late) <= least
        likeness.append(1.0 if is_plain else common / np.sqrt(max(early, least) * max(late, least)))
    return (float(np.mean(energy)), float(np.mean(likeness))) if energy else (np.nan, np.nan)


def _energies(now: Floats, then: Floats, weight: Floats) -> tuple[float, float, float] | None:
    """Mean square of the pattern now, then, and their mean product, without that of noise; None = too few looks."""
    n_now, n_then = np.isfinite(now).sum(axis=0), np.isfinite(then).sum(axis=0)
    fit = (n_now > 1) & (n_then > 1)
    if weight[fit].sum() < 0.5:
        return None
    a, b = now[:, fit], then[:, fit]
    k, m, w = n_now[fit], n_then[fit], weight[fit] / weight[fit].sum()
    sum_a, sum_b = np.nansum(a, axis=0), np.nansum(b, axis=0)
    late = (sum_a**2 - np.nansum(a**2, axis=0)) / (k * (k - 1))
    early = (sum_b**2 - np.nansum(b**2, axis=0)) / (m * (m - 1))
    return float(late @ w), float(early @ w), float((sum_a * sum_b / (k * m)) @ w)


__all__ = ["StandstillParams", "Stillness", "began", "compare"]
