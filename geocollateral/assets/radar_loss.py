"""Loss of a stand by Sentinel-1 alone, for the weeks in which clouds hide it from optical looks.

C-band backscatter of a closed canopy is steady; felled ground is darker, in VH more than in VV (volume scattering is
gone), by 1 to 3 dB. That is less than the speckle of a pixel, so power is averaged over small neighbourhoods. Rain,
frost and the calibration of a scene are common to all forest around and drop out against the median of the peers on
the same look; leaf-off and incidence drop out against the same season of the same place's history from the same orbit.
What is left is weighed look by look, all orbits together, into odds of a lasting fall (Shiryaev 1963,
doi:10.1137/1108002; for Sentinel-1 over forest Reiche et al. 2018, doi:10.1016/j.rse.2017.10.034, and Mermoz et al.
2021, doi:10.3390/rs13234877).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from geocollateral.types import Params, ParcelEvidence, RadarEvidence

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
BAND = "vh"
YEAR = 365.25
LONGEST = 15
"""Looks back to which the beginning of a fall is looked for."""
WITHIN = 3.0
"""Days are likely that have at least exp(-3), a twentieth, of the likelihood of the best."""


class RadarLossParams(Params):
    """Knobs of a loss of stand seen by radar."""

    window_pixels: int = Field(
        7, ge=1, description="Side of the neighbourhood whose power is averaged; 7 = half a hectare [pixels]."
    )
    min_window_share: float = Field(0.5, gt=0, le=1, description="Least share of a neighbourhood that is stand [1].")
    fall_db: float = Field(1.5, gt=0, description="Fall of VH that a loss is expected to show at least [dB].")
    season_db: float = Field(0.7, gt=0, description="Prior sd of a place's season against its peers [dB].")
    least_noise_db: float = Field(0.5, gt=0, description="Least sd of one look of a neighbourhood [dB].")
    most: float = Field(3.0, gt=0, description="Largest logarithm of odds that one look may move: no look decides.")
    hazard: float = Field(0.02, gt=0, lt=1, description="Chance of a loss a year and place [1].")
    confirm: float = Field(0.999, gt=0, lt=1, description="Probability from which a loss is confirmed [1].")
    suspect: float = Field(
        0.99, gt=0, lt=1, description="Probability from which pixels belong to a confirmed loss [1]."
    )
    min_looks: int = Field(3, ge=1, description="Fewest looks since the fall began.")
    min_area_m2: float = Field(2500, gt=0, description="Smallest area that must be confirmed together [m2].")
    min_history_looks: int = Field(15, ge=6, description="Fewest looks of an orbit in its history.")
    min_history_days: int = Field(330, ge=180, description="Shortest history of an orbit [days].")
    history_days: int = Field(1100, ge=365, description="Longest history looked back on [days].")
    guard_days: int = Field(90, ge=30, description="The last days stay out of the history: what goes on is no norm.")
    step_days: int = Field(60, ge=5, description="The history is fitted anew every so many days, on fixed days.")
    candidates: int = Field(40, ge=5, description="Nearest peers that are looked at.")
    peers: int = Field(
        8, ge=3, description="Most peers whose median is the common course, those alike in history first."
    )
    min_peers: int = Field(4, ge=2, description="With fewer peers the place is compared with its own history only.")


@dataclass(frozen=True, kw_only=True)
class RadarOdds:
    """Odds that the stand around each pixel has been lost, look by look."""

    days: Days
    """Shape (look,), rising, days since 1970-01-01; looks of all orbits."""
    log_odds: Floats
    """Shape (look, pixel): natural logarithm; NaN = not judged."""
    ratio: Floats
    """Shape (look, pixel): what each look adds; NaN = not seen."""
    looks: NDArray[np.int64]
    """Shape (look, pixel): looks since the fall began, as known then; 0 = none."""
    fall_db: Floats
    """Shape (look, pixel): mean departure of VH on them [dB], NaN = none."""


@dataclass(frozen=True, kw_only=True)
class RadarLoss:
    """A loss of stand that radar told."""

    member: NDArray[np.bool_]
    """Shape (pixel,): pixels whose surroundings fell, as known on the day of detection."""
    before: np.datetime64
    """Last look before which it cannot well have begun."""
    after: np.datetime64
    """Look by which it had begun, in all likelihood."""
    detected: np.datetime64
    probability: float
    fall_db: float
    looks: int
    orbits: int


@dataclass(frozen=True, kw_only=True)
class InPlace:
    """Looks of another sensor that showed the stand in place: what radar made of earlier ones is void."""

    days: Days
    """Shape (look,), rising, days since 1970-01-01."""
    shown: NDArray[np.bool_]
    """Shape (look, pixel)."""


def radar_losses(
    evidence: ParcelEvidence, stand: NDArray[np.bool_], params: RadarLossParams, in_place: InPlace | None = None
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
    odds = weigh(evidence, stand, params, in_place)
    found: list[RadarLoss] = []
    if odds is None:
        return found
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
        found.append(_told(odds, n, core, core & now, evidence))
        gone |= _grown(core, evidence, params.window_pixels)
    return found


def weigh(
    evidence: ParcelEvidence, stand: NDArray[np.bool_], params: RadarLossParams, in_place: InPlace | None = None
) -> RadarOdds | None:
    """Odds of a loss around each pixel after each look; None without radar or history."""
    days: list[Days] = []
    ratios: list[Floats] = []
    falls: list[Floats] = []
    for looks in evidence.radar.values():
        told = _orbit(looks, evidence, stand, params)
        if told is not None:
            days.append(told[0])
            ratios.append(told[1])
            falls.append(told[2])
    if not days:
        return None
    when = np.concatenate(days)
    order = np.argsort(when, kind="stable")
    ratio, fall = np.concatenate(ratios)[order], np.concatenate(falls)[order]
    return _accumulate(when[order], ratio, fall, _shown_since(when[order], len(stand), in_place), params)


def _shown_since(days: Days, pixels: int, in_place: InPlace | None) -> NDArray[np.bool_]:
    """Whether each pixel was seen in place after the look before and up to each look; shape (look, pixel)."""
    out = np.zeros((len(days), pixels), bool)
    if in_place is not None:
        place = np.searchsorted(days, in_place.days)
        for position, shown in zip(place.tolist(), in_place.shown, strict=True):
            if position < len(days):
                out[position] |= shown
    return out


def _accumulate(
    days: Days, ratio: Floats, fall: Floats, shown: NDArray[np.bool_], params: RadarLossParams
) -> RadarOdds:
    """Shiryaev's recursion; the fall began where the sum of the evidence was last at its lowest."""
    n, pixels = ratio.shape
    odds = np.full(pixels, -np.inf)
    total, depth, count = np.zeros(pixels), np.zeros(pixels), np.zeros(pixels, np.int64)
    out = RadarOdds(
        days=days,
        log_odds=np.full((n, pixels), np.nan),
        ratio=ratio,
        looks=np.zeros((n, pixels), np.int64),
        fall_db=np.full((n, pixels), np.nan),
    )
    for k in range(n):
        step = int(days[k] - days[k - 1]) if k else 12
        seen, back = np.isfinite(ratio[k]), shown[k]
        odds[back], total[back], count[back], depth[back] = -np.inf, 0.0, 0, 0.0
        move = np.where(seen, ratio[k], 0.0)
        odds = np.logaddexp(odds, np.log(params.hazard * max(step, 1) / YEAR)) + move
        rising = seen & (total + move > 0)
        total = np.where(seen, np.maximum(total + move, 0.0), total)
        over = seen & ~rising
        count[over], depth[over] = 0, 0.0
        count[rising] += 1
        depth[rising] += fall[k][rising]
        out.log_odds[k] = np.where(seen | (count > 0), odds, np.nan)
        out.looks[k] = count
        with np.errstate(invalid="ignore", divide="ignore"):
            out.fall_db[k] = depth / count
    return out


def _orbit(
    looks: RadarEvidence, evidence: ParcelEvidence, stand: NDArray[np.bool_], params: RadarLossParams
) -> tuple[Days, Floats, Floats] | None:
    """Day, logarithm of the odds ratio and departure of VH of each look and pixel of an orbit."""
    if BAND not in looks.power:
        return None
    days = looks.power["time"].values.astype("datetime64[D]").astype(np.int64)
    level = _neighbourhoods(looks.power[BAND].values, evidence, stand, params)
    others = _others(looks, params)
    there = np.isfinite(level).any(axis=1)
    judged = np.isfinite(level[there]).mean(axis=0) >= 0.5
    if there.sum() < params.min_history_looks or not judged.any():
        return None
    days, level, others = days[there], level[there][:, judged], others[there]
    middle = np.nanmedian(level, axis=1)
    whole = np.isfinite(level).all(axis=1)  # looks cut by the edge of a swath are weighed, but are no history
    ratio = np.full((len(days), len(judged)), np.nan)
    fall = np.full((len(days), len(judged)), np.nan)
    first = -(-int(days[0]) // params.step_days) * params.step_days
    for step in range(first, int(days[-1]) + 1, params.step_days):
        now = (days >= step) & (days < step + params.step_days)
        past = whole & (days < step - params.guard_days) & (days >= step - params.guard_days - params.history_days)
        if not now.any() or past.sum() < params.min_history_looks:
            continue
        if days[past][-1] - days[past][0] < params.min_history_days:
            continue
        common = _common(middle, others, past, params)
        known = past & np.isfinite(common)
        if known.sum() < params.min_history_looks:
            continue
        rest, sd = _departures(days, level - common[:, None], known, now, params)
        # Logarithm of the odds ratio of a fall by so much against none, of normal departures.
        move = -params.fall_db * (rest + params.fall_db / 2) / sd**2
        ratio[np.ix_(now, judged)] = np.clip(move, -params.most, params.most)
        fall[np.ix_(now, judged)] = rest
    return (days, ratio, fall) if np.isfinite(ratio).any() else None


def _departures(
    days: Days, level: Floats, past: NDArray[np.bool_], now: NDArray[np.bool_], params: RadarLossParams
) -> tuple[Floats, Floats]:
    """Departure of looks from the season of the history, and the sd of one look, by place."""
    angle = 2 * np.pi * days / YEAR
    design = np.stack([np.ones(len(days)), np.cos(angle), np.sin(angle)], axis=1)
    ridge = np.diag([0.0, 1.0, 1.0]) / params.season_db**2
    own, before = design[past], level[past]
    coefficients = np.linalg.solve(own.T @ own + ridge, own.T @ before)
    residual = before - own @ coefficients
    middle = np.median(residual, axis=0)  # few looks in rain or frost move a mean, not a median
    spread = 1.4826 * np.median(np.abs(residual - middle), axis=0)
    sd = np.maximum(0.5 * (spread + np.median(spread)), params.least_noise_db)
    return level[now] - design[now] @ coefficients - middle, sd


def _others(looks: RadarEvidence, params: RadarLossParams) -> Floats:
    """Means of the nearest peers on each look [dB], shape (look, peer)."""
    time = looks.power["time"].values
    if BAND not in looks.peers["index"].values:
        return np.full((len(time), 0), np.nan)
    near = looks.peers["mean"].sel(index=BAND).isel(peer=slice(params.candidates))
    found: Floats = near.reindex(time=time).values
    return found


def _common(middle: Floats, others: Floats, past: NDArray[np.bool_], params: RadarLossParams) -> Floats:
    """Median of the peers that went with the parcel in its history [dB], shape (look,); 0 where they are too few.

    Conifers and broadleaves answer rain, frost and season each in their own way: like is compared with like.
    """
    with np.errstate(invalid="ignore"):
        apart = middle[past, None] - others[past]
    known = np.isfinite(apart).mean(axis=0) >= 0.8
    if known.sum() < params.min_peers:
        return np.zeros(len(middle))
    spread = np.full(others.shape[1], np.inf)
    spread[known] = np.nanstd(apart[:, known], axis=0)
    chosen = others[:, np.argsort(spread, kind="stable")[: min(params.peers, int(known.sum()))]]
    enough = np.isfinite(chosen).sum(axis=1) >= params.min_peers
    out = np.full(len(middle), np.nan)
    out[enough] = np.nanmedian(chosen[enough], axis=1)
    return out


def _neighbourhoods(
    power: NDArray[np.floating], evidence: ParcelEvidence, stand: NDArray[np.bool_], params: RadarLossParams
) -> Floats:
    """Mean power of the stand around each pixel of the stand [dB]; NaN elsewhere and without signal."""
    row, col = evidence.row - evidence.row.min(), evidence.col - evidence.col.min()
    size = params.window_pixels
    with np.errstate(invalid="ignore"):
        known = stand & (power > 0)
    plane = np.zeros((len(power), row.max() + 1, col.max() + 1))
    count = np.zeros_like(plane)
    plane[:, row, col] = np.where(known, power, 0.0)
    count[:, row, col] = known
    total = ndimage.uniform_filter(plane, (0, size, size), mode="constant")[:, row, col]
    share = ndimage.uniform_filter(count, (0, size, size), mode="constant")[:, row, col]
    enough = stand & (share >= params.min_window_share - 1e-9) & (total > 0)
    with np.errstate(all="ignore"):
        return np.where(enough, 10 * np.log10(total / share), np.nan)


def _told(
    odds: RadarOdds, n: int, member: NDArray[np.bool_], sure: NDArray[np.bool_], evidence: ParcelEvidence
) -> RadarLoss:
    first, latest = _onset(odds.ratio[max(n - LONGEST, 0) : n + 1][:, sure], evidence.area_m2[sure])
    first, latest = (max(n - LONGEST, 0) + position for position in (first, latest))
    after = int(odds.days[latest])
    since = (odds.days >= odds.days[first]) & (odds.days <= odds.days[n])
    weight = evidence.area_m2[sure]
    mean = float(np.average(odds.log_odds[n][sure], weights=weight))
    return RadarLoss(
        member=member,
        before=np.datetime64(int(odds.days[max(first - 1, 0)]), "D"),
        after=np.datetime64(after, "D"),
        detected=np.datetime64(int(odds.days[n]), "D"),
        probability=1 / (1 + float(np.exp(-min(mean, 30.0)))),
        fall_db=float(np.average(odds.fall_db[n][sure], weights=weight)),
        looks=int(since.sum()),
        orbits=len(evidence.radar),
    )


def _onset(ratio: Floats, area: Floats) -> tuple[int, int]:
    """First and last look with which the fall may have begun, by the evidence of the looks from it on."""
    seen = np.isfinite(ratio)
    mean = (np.where(seen, ratio, 0.0) @ area) / np.maximum(seen @ area, 1e-9)
    since = np.cumsum(mean[::-1])[::-1]
    likely = np.flatnonzero(since >= since.max() - WITHIN)
    return int(likely[0]), int(likely[-1])


def _log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _plane(mask: NDArray[np.bool_], evidence: ParcelEvidence) -> tuple[NDArray[np.bool_], tuple[Days, Days]]:
    at = (evidence.row - evidence.row.min(), evidence.col - evidence.col.min())
    plane = np.zeros((int(at[0].max()) + 1, int(at[1].max()) + 1), bool)
    plane[at] = mask
    return plane, at


def _joined(mask: NDArray[np.bool_], seeds: NDArray[np.bool_], evidence: ParcelEvidence) -> NDArray[np.bool_]:
    """Pixels of the patches that hold a seed."""
    plane, at = _plane(mask | seeds, evidence)
    labels = ndimage.label(plane, np.ones((3, 3)))[0][at]
    return np.asarray((labels > 0) & np.isin(labels, np.unique(labels[seeds])))


def _largest(mask: NDArray[np.bool_], evidence: ParcelEvidence) -> NDArray[np.bool_]:
    plane, at = _plane(mask, evidence)
    labels = ndimage.label(plane, np.ones((3, 3)))[0][at]
    area = np.bincount(labels, weights=evidence.area_m2)
    area[0] = -1
    return np.asarray(labels == int(np.argmax(area))) & mask


def _grown(mask: NDArray[np.bool_], evidence: ParcelEvidence, pixels: int) -> NDArray[np.bool_]:
    """Pixels within half a neighbourhood of a masked one, whose averages hold some of it."""
    plane, at = _plane(mask, evidence)
    return np.asarray(ndimage.binary_dilation(plane, np.ones((3, 3)), iterations=max(pixels // 2, 1))[at])


__all__ = ["InPlace", "RadarLoss", "RadarLossParams", "RadarOdds", "radar_losses", "weigh"]
