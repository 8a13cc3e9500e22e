"""Starts of works by how a parcel departs from ground that went along with it so far, optical and radar looks together.

Fields that were sown, watered and harvested alike stay alike: what weather, haze, moisture and season do to a parcel
they do to its likes on the same look (the idea of a synthetic control, Abadie et al. 2010,
doi:10.1198/jasa.2009.ap08746). Works do not. The odds that works have begun are followed look by look (Shiryaev 1963,
doi:10.1137/1108002); every look uses earlier ones alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.types import Params, ParcelEvidence

Floats = NDArray[np.float64]
Days = NDArray[np.int64]

YEAR = 365.25
OPTICAL: dict[str, tuple[float, float]] = {
    "ndvi": (0.15, 0.07),
    "ndmi": (-0.07, 0.08),
    "mndwi": (-0.33, 0.12),
    "nbr": (-0.01, 0.10),
}
"""Index means of open, grey or roofed ground and their spread [1]: levels of the library of `assets.ground`."""
THIN_SHARE, THIN_CHANCE = 0.3, 0.2
"""A late or thin crop looks as if works covered this share of the parcel, and is met on so many looks [1]."""
LEAST_OPTICAL = 0.02
"""No residual of an index is known better than that [1]."""
SHARES = (0.5, 0.75, 1.0)
"""Shares of the parcel that works may cover so far [1]: clearing takes weeks."""
RADAR = ("vv", "vh")
LEAST_RADAR = 0.4
"""The same of backscatter [dB]."""
SIZES = (1.0, 2.0, 3.5)
DIRECTIONS = 8
"""Lasting changes of VV and VH that works may bring [dB], in all directions: worked ground is rough, machines and walls
send the beam back; plants that are gone send none."""
SHIFTS: tuple[tuple[float, float], ...] = (
    (0.0, 0.0),
    *(
        (size * float(np.cos(2 * np.pi * k / DIRECTIONS)), size * float(np.sin(2 * np.pi * k / DIRECTIONS)))
        for size in SIZES
        for k in range(DIRECTIONS)
        if np.cos(2 * np.pi * k / DIRECTIONS) > -0.1
    ),
)
LIKELY = np.log(np.array([0.5, *[0.5 / (len(SHIFTS) - 1)] * (len(SHIFTS) - 1)]))
"""Logarithm of how likely each is beforehand; the first, that radar sees nothing, as likely as all others."""
LONGEST = 80
"""Looks back over which a start is dated."""
WITHIN = 3.0
"""Days of a start whose likelihood falls short of the best by no more than this logarithm are possible."""
FREEDOM = 4.0
"""Degrees of freedom of the Student-t density of a residual: one odd look must not decide."""


class StartParams(Params):
    """Knobs of the test for the start of works."""

    hazard: float = Field(0.1, gt=0, le=1, description="Starts to be expected in a year [1].")
    alike: int = Field(12, ge=4, description="Pieces of ground that went along best, whose median is expected.")
    min_alike: int = Field(4, ge=3, description="Fewest of them on a look.")
    guard_days: int = Field(60, ge=30, description="The last days teach nothing: what goes on is no norm [days].")
    min_history_looks: int = Field(8, ge=4, description="Fewest earlier looks from which alikeness is learnt.")
    learn_days: int = Field(330, ge=90, description="Shortest history before works can be told from farming [days].")
    history_days: int = Field(1100, ge=365, description="Longest history looked back on [days].")
    weight: float = Field(0.5, gt=0, le=1, description="Weight of a channel: channels are not independent [1].")
    radar_weight: float = Field(0.5, gt=0, le=1, description="The same of a channel of radar [1].")
    most: float = Field(4.0, gt=0, description="Largest logarithm of odds that one look may move.")
    confirm: float = Field(0.99, gt=0.5, lt=1, description="Probability from which a start is confirmed [1].")
    suspect: float = Field(0.9, gt=0.5, lt=1, description="Probability from which a start is an early warning [1].")


class Channel(NamedTuple):
    """Looks of one sensor and orbit against what was expected of them."""

    days: Days
    """Shape (look,), rising, days since 1970-01-01."""
    residual: Floats
    """Shape (look, band): departure from the ground alike; NaN = not told."""
    spread: Floats
    """Shape (look, band): standard deviation of it while nothing happened, as known on that day."""
    expected: Floats
    """Shape (look, band): what the ground alike shows, with the parcel's usual departure."""


@dataclass(frozen=True, kw_only=True)
class StartOdds:
    """Probability that works have begun, look by look."""

    days: Days
    """Shape (look,), days since 1970-01-01, rising; a day may have looks of both sensors."""
    optical: NDArray[np.bool_]
    """Shape (look,)."""
    probability: Floats
    """Shape (look,) [0-1], as known on that day."""
    moves: Floats
    """Shape (look, shift): logarithm of the odds ratio of the look under each of `SHIFTS`."""
    likeliest: NDArray[np.intp]
    """Shape (look,): which of them is the likeliest, as known on that day."""
    share: Floats
    """Shape (look,): share of the parcel under works that the look is most like [0-1]; NaN for radar."""


def weigh(evidence: ParcelEvidence, params: StartParams, min_fraction: float) -> StartOdds | None:
    """Odds of a start after each look; None where no ground goes along with the parcel.

    Parameters
    ----------
    min_fraction
        Clear share of the parcel from which an optical look counts [1].
    """
    parts: list[tuple[Days, bool, Floats, Floats]] = []
    optical = _optical(evidence, params, min_fraction)
    if optical is not None:
        parts.append((optical.days, True, *_optical_moves(optical, params)))
    parts += [(channel.days, False, *_radar_moves(channel, params)) for channel in _radar(evidence, params)]
    if not parts:
        return None
    days = np.concatenate([part[0] for part in parts])
    is_optical = np.concatenate([np.full(len(part[0]), part[1]) for part in parts])
    moves = np.concatenate([part[2] for part in parts])
    shares = np.concatenate([part[3] for part in parts])
    order = np.lexsort((~is_optical, days))
    return _accumulate(days[order], is_optical[order], moves[order], shares[order], params)


def _accumulate(
    days: Days, optical: NDArray[np.bool_], moves: Floats, shares: Floats, params: StartParams
) -> StartOdds:
    """Shiryaev's recursion for each lasting change of backscatter, weighed by how likely it was beforehand."""
    odds = np.full(len(SHIFTS), -np.inf)
    probability = np.zeros(len(days))
    likeliest = np.zeros(len(days), np.intp)
    for n in range(len(days)):
        step = max(int(days[n] - days[n - 1]), 0) if n else 0
        prior = np.log(params.hazard * max(step, 1e-3) / YEAR)
        odds = np.logaddexp(odds, prior) + np.nan_to_num(moves[n])
        if days[n] - days[0] < params.learn_days:
            odds = np.minimum(odds, 0.0)
        mean = np.logaddexp.reduce(odds + LIKELY)
        probability[n] = 1 / (1 + np.exp(-mean))
        likeliest[n] = np.argmax(odds + LIKELY)
    return StartOdds(
        days=days, optical=optical, probability=probability, moves=moves, likeliest=likeliest, share=shares
    )


def first_from(odds: StartOdds, least: float) -> int | None:
    """First look from which works have begun with a probability of at least `least`; None = never."""
    fit = odds.probability >= least
    return int(np.argmax(fit)) if fit.any() else None


def onset(odds: StartOdds, n: int) -> tuple[int, int]:
    """Days since 1970-01-01 between which works began, by the looks up to look ``n``: the last look before they can
    well have begun, and the one by which they had.
    """
    first = max(n - LONGEST, 0)
    move = np.nan_to_num(odds.moves[first : n + 1, odds.likeliest[n]])
    since = np.cumsum(move[::-1])[::-1]
    likely = np.flatnonzero(since >= since.max() - WITHIN)
    return int(odds.days[max(first + int(likely[0]) - 1, 0)]), int(odds.days[first + int(likely[-1])])


def share_of(odds: StartOdds, n: int) -> float:
    """Share of the parcel under works by the latest optical look since they began [0-1]; 1 where there was none."""
    before, _ = onset(odds, n)
    seen = np.flatnonzero((odds.days[: n + 1] > before) & np.isfinite(odds.share[: n + 1]))
    return float(odds.share[seen[-1]]) if len(seen) else 1.0


def _optical_moves(channel: Channel, params: StartParams) -> tuple[Floats, Floats]:
    """Logarithm of the odds ratio of each look, shape (look, shift), and the share of works it is most like."""
    names = list(OPTICAL)[: channel.residual.shape[1]]
    told: NDArray[np.bool_] = np.asarray(np.isfinite(channel.residual).all(axis=1))
    residual, quiet_spread = channel.residual[told], channel.spread[told]
    middle, wide = (np.array([OPTICAL[name][k] for name in names]) for k in (0, 1))
    shift = middle - channel.expected[told]

    def like(share: float) -> Floats:
        spread = np.hypot(quiet_spread, share * wide)
        found: Floats = params.weight * _log_density(residual - share * shift, spread).sum(axis=1)
        return found

    quiet = np.logaddexp(like(0.0) + np.log1p(-THIN_CHANCE), like(THIN_SHARE) + np.log(THIN_CHANCE))
    each = np.stack([like(share) for share in SHARES])
    total = np.logaddexp.reduce(each, axis=0) - np.log(len(SHARES)) - quiet
    moves = np.full((len(channel.days), len(SHIFTS)), np.nan)
    moves[told] = np.clip(total, -params.most, params.most)[:, None]
    shares = np.full(len(channel.days), np.nan)
    shares[told] = np.array(SHARES)[np.argmax(each, axis=0)]
    return moves, shares


def _radar_moves(channel: Channel, params: StartParams) -> tuple[Floats, Floats]:
    quiet = _log_density(channel.residual, channel.spread)
    moves = np.stack(
        [(_log_density(channel.residual - np.array(shift), channel.spread) - quiet).sum(axis=1) for shift in SHIFTS],
        axis=1,
    )
    return np.clip(params.radar_weight * moves, -params.most, params.most), np.full(len(channel.days), np.nan)


def _log_density(residual: Floats, spread: Floats) -> Floats:
    """Of a Student-t density; NaN where there is no residual."""
    squares = np.square(residual / spread) / FREEDOM
    return np.asarray(-0.5 * (FREEDOM + 1) * np.log1p(squares) - np.log(spread))


def _optical(evidence: ParcelEvidence, params: StartParams, min_fraction: float) -> Channel | None:
    if evidence.series is None or evidence.peers is None:
        return None
    names = [n for n in OPTICAL if n in evidence.series["index"].values and n in evidence.peers["index"].values]
    if names != list(OPTICAL)[: len(names)] or not names:
        return None
    used = evidence.look_fraction >= min_fraction
    time = evidence.look_days[used].astype("datetime64[ns]")
    own = evidence.series["mean"].sel(index=names).values[:, used]
    return _channel(time, own, evidence.peers.sel(index=names), LEAST_OPTICAL, params)


def _radar(evidence: ParcelEvidence, params: StartParams) -> list[Channel]:
    found = []
    for _, looks in sorted(evidence.radar.items()):
        if "index" not in looks.series or "index" not in looks.peers:
            continue
        both = set(looks.series["index"].values) & set(looks.peers["index"].values)
        if not set(RADAR) <= both:
            continue
        own = looks.series["mean"].sel(index=list(RADAR)).values
        channel = _channel(looks.series["time"].values, own, looks.peers.sel(index=list(RADAR)), LEAST_RADAR, params)
        if channel is not None:
            found.append(channel)
    return found


def _channel(
    time: NDArray[np.datetime64], own: Floats, peers: xr.Dataset, least: float, params: StartParams
) -> Channel | None:
    """Departures of a series of shape (band, look) from the ground alike."""
    near = peers.reindex(time=time)
    seen = near["valid_fraction"].values > 0.5
    others = np.where(seen, near["mean"].values, np.nan).transpose(1, 0, 2)  # (look, band, peer)
    if others.shape[2] < params.min_alike or not len(time):
        return None
    days = time.astype("datetime64[D]").astype(np.int64)
    own = own.T
    expected, wide = _alike(days, own, others, params)
    residual, spread = _against_history(days, own - expected, wide, least, params)
    if not np.isfinite(residual).any():
        return None
    return Channel(days=days, residual=residual, spread=spread, expected=own - residual)


def _alike(days: Days, own: Floats, others: Floats, params: StartParams) -> tuple[Floats, Floats]:
    """Median and spread of the ground that went along best until some weeks before each look; shape (look, band)."""
    known = np.isfinite(others) & np.isfinite(own)[:, :, None]
    squares = np.where(known, np.square(np.nan_to_num(others) - np.nan_to_num(own)[:, :, None]), 0.0).sum(axis=1)
    count = known.all(axis=1).astype(float)
    squares, count = np.cumsum(squares * count, axis=0), np.cumsum(count, axis=0)
    expected, wide = np.full(own.shape, np.nan), np.full(own.shape, np.nan)
    for n in range(len(days)):
        until = int(np.searchsorted(days, days[n] - params.guard_days)) - 1
        if until < 0:
            continue
        fit = np.flatnonzero((count[until] >= params.min_history_looks) & np.isfinite(others[n]).all(axis=0))
        if len(fit) < params.min_alike:
            continue
        apart = squares[until, fit] / count[until, fit]
        best = others[n][:, fit[np.argsort(apart, kind="stable")[: params.alike]]]
        expected[n] = np.median(best, axis=1)
        wide[n] = 1.4826 * np.median(np.abs(best - expected[n][:, None]), axis=1)
    return expected, wide


def _against_history(
    days: Days, apart: Floats, wide: Floats, least: float, params: StartParams
) -> tuple[Floats, Floats]:
    """Departures less their usual middle, and their standard deviation; NaN before there is a history."""
    residual, spread = np.full(apart.shape, np.nan), np.full(apart.shape, np.nan)
    told = np.isfinite(apart).all(axis=1)
    for n in np.flatnonzero(told):
        past = told & (days < days[n] - params.guard_days) & (days >= days[n] - params.history_days)
        if past.sum() < params.min_history_looks:
            continue
        middle = np.median(apart[past], axis=0)
        usual = 1.4826 * np.median(np.abs(apart[past] - middle), axis=0)
        residual[n] = apart[n] - middle
        # Where likes differ more than usual, as when fields are harvested one by one, a departure tells little.
        unlike = np.maximum(wide[n] / np.maximum(np.median(wide[past], axis=0), least), 1.0)
        spread[n] = np.hypot(usual * unlike, least)
    return residual, spread


__all__ = ["StartOdds", "StartParams", "first_from", "onset", "share_of", "weigh"]
