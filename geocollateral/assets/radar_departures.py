"""Departure of Sentinel-1 backscatter, VH and VV, from a place's own history and from the forests around.

Speckle of one pixel is several times what a felled stand changes, so power is averaged over small neighbourhoods. Rain,
frost and the calibration of a scene are common to the forests around and drop out against the median of the peers on
the same look; leaf-off and incidence drop out against the same season of the place's history from the same orbit. What
a short history leaves open is told as a variance, by Bayesian regression: no place is too new, its doubt is larger.
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
Mask = NDArray[np.bool_]
BANDS = ("vh", "vv")
YEAR = 365.25
USUAL_NOISE_DB = 0.6
"""Usual sd of one look of a neighbourhood against its peers, which weighs the history against the prior of a season."""


class RadarHistoryParams(Params):
    """Knobs of what backscatter is expected of a place."""

    window_pixels: int = Field(
        7, ge=1, description="Side of the neighbourhood whose power is averaged; 7 = half a hectare [pixels]."
    )
    min_window_share: float = Field(0.5, gt=0, le=1, description="Least share of a neighbourhood that is stand [1].")
    season_db: float = Field(0.7, gt=0, description="Prior sd of a place's season against its peers [dB].")
    least_noise_db: float = Field(0.35, gt=0, description="Least sd of one look of a neighbourhood [dB].")
    min_history_looks: int = Field(10, ge=6, description="Fewest looks of an orbit in the history of a place.")
    min_history_days: int = Field(
        200, ge=180, description="Shortest history of an orbit; seasons it lacks leave doubt [days]."
    )
    history_days: int = Field(1100, ge=365, description="Longest history looked back on [days].")
    guard_days: int = Field(90, ge=30, description="The last days stay out of the history: what goes on is no norm.")
    step_days: int = Field(60, ge=5, description="The history is fitted anew every so many days, on fixed days.")
    candidates: int = Field(40, ge=5, description="Nearest peers that are looked at.")
    peers: int = Field(
        8, ge=3, description="Most peers whose median is the common course, those alike in history first."
    )
    min_peers: int = Field(4, ge=2, description="With fewer peers the place is compared with its own history only.")


@dataclass(frozen=True, kw_only=True)
class Departures:
    """Looks of one orbit, or of several in order of time, beside what was expected of them."""

    days: Days
    """Shape (look,), rising, days since 1970-01-01."""
    value: Floats
    """Shape (2, look, pixel): departure of VH and of VV [dB]; NaN = not seen, or no history yet. A look without VV has
    NaN there alone."""
    precision: Floats
    """Shape (3, look, pixel): inverse covariance of the noise of one look, VH, both and VV [dB^-2]; 0 = not seen."""
    doubt: Floats
    """Shape (look, pixel): variance of what was expected, which looks of one season share [dB2]."""

    def part(self, look: int, pixels: NDArray[np.intp]) -> Departures:
        """Some pixels on the looks up to one, that one included."""
        upto = slice(None, look + 1)
        return Departures(
            days=self.days[upto],
            value=self.value[:, upto, pixels],
            precision=self.precision[:, upto, pixels],
            doubt=self.doubt[upto, pixels],
        )


def departures(evidence: ParcelEvidence, stand: Mask, params: RadarHistoryParams) -> Departures | None:
    """Looks of all orbits in order of time; None without radar or history.

    Parameters
    ----------
    stand
        Shape (pixel,): ground that was stand.
    """
    found = [_orbit(looks, evidence, stand, params) for _, looks in sorted(evidence.radar.items())]
    parts = [part for part in found if part is not None]
    if not parts:
        return None
    order = np.argsort(np.concatenate([part.days for part in parts]), kind="stable")
    return Departures(
        days=np.concatenate([part.days for part in parts])[order],
        value=np.concatenate([part.value for part in parts], axis=1)[:, order],
        precision=np.concatenate([part.precision for part in parts], axis=1)[:, order],
        doubt=np.concatenate([part.doubt for part in parts])[order],
    )


def _orbit(
    looks: RadarEvidence, evidence: ParcelEvidence, stand: Mask, params: RadarHistoryParams
) -> Departures | None:
    if BANDS[0] not in looks.power:
        return None
    days = looks.power["time"].values.astype("datetime64[D]").astype(np.int64)
    n_pixels = len(evidence.area_m2)
    level = np.full((2, len(days), n_pixels), np.nan)
    for k, band in enumerate(BANDS):
        if band in looks.power:
            level[k] = _neighbourhoods(looks.power[band].values, evidence, stand, params)
    judged = np.flatnonzero(np.isfinite(level[0]).any(axis=0))
    if not len(judged):
        return None
    there = np.isfinite(level[0]).any(axis=1)
    days, level = days[there], level[:, there][:, :, judged]
    others = [_others(looks, band, params)[there] for band in BANDS]
    middle = [_middle(one.T) for one in level]
    value, precision = np.full(level.shape, np.nan), np.zeros((3, *level.shape[1:]))
    doubt = np.zeros(level.shape[1:])
    first = -(-int(days[0]) // params.step_days) * params.step_days
    for step in range(first, int(days[-1]) + 1, params.step_days):
        now = (days >= step) & (days < step + params.step_days)
        past = (days < step - params.guard_days) & (days >= step - params.guard_days - params.history_days)
        if now.any() and past.sum() >= params.min_history_looks:
            common = [_common(middle[k], others[k], past, params) for k in range(2)]
            apart = level - np.stack(common)[:, :, None]
            value[:, now], precision[:, now], doubt[now] = _against_history(days, apart, past, now, params)
    if not (precision[0] > 0).any():
        return None
    return Departures(
        days=days,
        value=_spread(value, judged, n_pixels, np.nan),
        precision=_spread(precision, judged, n_pixels, 0.0),
        doubt=_spread(doubt, judged, n_pixels, 0.0),
    )


def _spread(values: Floats, judged: NDArray[np.intp], n_pixels: int, missing: float) -> Floats:
    out = np.full((*values.shape[:-1], n_pixels), missing)
    out[..., judged] = values
    return out


def _against_history(
    days: Days, level: Floats, past: Mask, now: Mask, params: RadarHistoryParams
) -> tuple[Floats, Floats, Floats]:
    """Departure, precision of a look and doubt of the expected level on the looks of one step."""
    angle = 2 * np.pi * days / YEAR
    design = np.stack([np.ones(len(days)), np.cos(angle), np.sin(angle)], axis=1)
    enough = _long_enough(days[past], np.isfinite(level[0][past]), params)
    rest, residual = np.full((2, int(now.sum()), level.shape[2]), np.nan), []
    doubt = np.zeros(rest.shape[1:])
    for k in range(2):
        fit, covariance = _season(design[past], level[k][past], params)
        own = level[k][past] - design[past] @ fit
        # Few looks in rain or frost move a mean, not a median.
        middle = _middle(own)
        residual.append(own - middle)
        rest[k] = np.where(enough, level[k][now] - design[now] @ fit - middle, np.nan)
        if k == 0:
            doubt = doubt + np.einsum("nti,ti->tn", design[now] @ covariance, design[now])
    precision = _precision(residual[0], residual[1], rest, params)
    return rest, precision, doubt


def _long_enough(days: Days, seen: Mask, params: RadarHistoryParams) -> Mask:
    """Places whose history holds looks enough over a time long enough; shape (pixel,)."""
    first = np.where(seen, days[:, None], days[-1]).min(axis=0)
    last = np.where(seen, days[:, None], days[0]).max(axis=0)
    long = last - first >= params.min_history_days
    return np.asarray(long & (seen.sum(axis=0) >= params.min_history_looks))


def _season(design: Floats, level: Floats, params: RadarHistoryParams) -> tuple[Floats, Floats]:
    """Season of each place by ridge regression on the looks it was seen on, (3, pixel), and its covariance.

    The covariance is one for all, shape (1, 3, 3), where all were seen on the same looks, else (pixel, 3, 3).
    """
    seen = np.isfinite(level).astype(np.float64)
    seen = seen[:, :1] if (seen == seen[:, :1]).all() else seen
    prior = np.diag([1e-4, 1.0, 1.0]) / params.season_db**2
    products = np.einsum("ti,tj->tij", design, design).reshape(len(design), 9)
    normal = (seen.T @ products).reshape(-1, 3, 3) / USUAL_NOISE_DB**2 + prior
    covariance = np.linalg.inv(normal)
    moment = design.T @ np.nan_to_num(level) / USUAL_NOISE_DB**2
    fit: Floats = (covariance @ moment.T[:, :, None])[:, :, 0].T
    return fit, covariance


def _precision(vh: Floats, vv: Floats, rest: Floats, params: RadarHistoryParams) -> Floats:
    """Inverse covariance of one look of each place, from the scatter of its history; 0 where a look says nothing.

    Scatter is half the place's own and half that of the parcel, and the correlation the parcel's: they are medians of
    few looks. Where there is no VV, VH stands alone.
    """
    sd = [_noise(one, params) for one in (vh, vv)]
    with np.errstate(invalid="ignore", divide="ignore"):
        total, apart = _mad(vh / sd[0] + vv / sd[1]) ** 2, _mad(vh / sd[0] - vv / sd[1]) ** 2
        alike = (total - apart) / (total + apart)
    known = alike[np.isfinite(alike)]
    together = float(np.clip(np.median(known), -0.2, 0.8)) if len(known) else 0.0
    both = np.isfinite(rest).all(axis=0)
    free = 1 - np.where(both, together, 0.0) ** 2
    return np.stack(
        [
            np.where(np.isfinite(rest[0]), 1 / (free * sd[0] ** 2), 0.0),
            np.where(both, -together / (free * sd[0] * sd[1]), 0.0),
            np.where(both, 1 / (free * sd[1] ** 2), 0.0),
        ]
    )


def _noise(residual: Floats, params: RadarHistoryParams) -> Floats:
    own = _mad(residual)
    known = own[np.isfinite(own)]
    usual = float(np.median(known)) if len(known) else USUAL_NOISE_DB
    return np.maximum(0.5 * (np.nan_to_num(own, nan=usual) + usual), params.least_noise_db)


def _mad(values: Floats) -> Floats:
    """Standard deviation about nought by the median, shape (pixel,); NaN where nothing was seen."""
    return 1.4826 * _middle(np.abs(values))


def _middle(values: Floats) -> Floats:
    """Median over looks, shape (pixel,); NaN where there are none."""
    if np.isfinite(values).all():
        found: Floats = np.median(np.ascontiguousarray(values.T), axis=1)
        return found
    ranked = np.sort(values, axis=0)  # what was not seen comes last
    seen = np.isfinite(values).sum(axis=0)
    low, high = (np.clip(n, 0, len(values) - 1)[None] for n in ((seen - 1) // 2, seen // 2))
    middle = 0.5 * (np.take_along_axis(ranked, low, axis=0) + np.take_along_axis(ranked, high, axis=0))[0]
    return np.where(seen > 0, middle, np.nan)


def _others(looks: RadarEvidence, band: str, params: RadarHistoryParams) -> Floats:
    """Means of the nearest peers on each look [dB], shape (look, peer)."""
    time = looks.power["time"].values
    if band not in looks.peers["index"].values:
        return np.full((len(time), 0), np.nan)
    near = looks.peers["mean"].sel(index=band).isel(peer=slice(params.candidates))
    found: Floats = near.reindex(time=time).values
    return found


def _common(middle: Floats, others: Floats, past: Mask, params: RadarHistoryParams) -> Floats:
    """Median of the peers that went with the parcel in its history [dB], shape (look,); 0 where they are too few.

    Conifers and broadleaves answer rain, frost and season each in their own way: like is compared with like.
    """
    apart = middle[past, None] - others[past]
    known = np.isfinite(apart).sum(axis=0) >= 0.8 * np.isfinite(middle[past]).sum()
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
    power: NDArray[np.floating], evidence: ParcelEvidence, stand: Mask, params: RadarHistoryParams
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


__all__ = ["BANDS", "Departures", "RadarHistoryParams", "departures"]
