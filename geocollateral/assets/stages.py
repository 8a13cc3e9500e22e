"""Stages of a building site, look by look: a hidden Markov model of each pixel over the looks of both sensors.

A pixel is in one state: land as it was, cleared, footings, structure, roof, paving or water. Works go from state to
state at
rates of years, and each look says how like each state it is. The forward pass gives what was known on the day
(filter), the
backward pass what is known of the past at ``as_of`` (smoother). Rabiner 1989, doi:10.1109/5.18626; for land cover
Abercrombie &
Friedl 2016, doi:10.1109/TGRS.2015.2463689.

*Land as it was* has no spectrum from a library: it is the parcel's own greenness at the same season in earlier
years, and that of
like parcels around it today. So a bare field in its season is no clearing. *Cleared* ground has the colour of the
library or
of the parcel's own bare fields: one and the same geology.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.linalg import expm

from geocollateral.assets import ground
from geocollateral.assets.land_memory import LandMemory
from geocollateral.types import Params, ParcelEvidence

Floats = NDArray[np.floating]
Days = NDArray[np.int64]

LAND, CLEARED, FOOTING, STRUCTURE, ROOF, PAVED, WATER = range(7)
N_STATES = 7
WORKS = slice(CLEARED, PAVED + 1)
STAGES: Mapping[str, tuple[int, ...]] = {
    "vegetated": (LAND,),
    "water": (WATER,),
    "cleared": (CLEARED,),
    "building": (FOOTING, STRUCTURE),
    "built": (ROOF, PAVED),
}
"""Stages reported and the states each is made of; *vegetated* is land as it was, bare fields in their season
included."""

START = np.array([0.70, 0.03, 0.02, 0.02, 0.08, 0.12, 0.03])
"""Probability of each state before the first look: most collateral is land, some is built, little is under work."""
# fmt: off
RATES: Mapping[tuple[int, int], float] = {
    (LAND, CLEARED): 0.25, (LAND, PAVED): 0.01, (LAND, WATER): 0.03,
    (CLEARED, FOOTING): 0.7, (CLEARED, PAVED): 0.3, (CLEARED, ROOF): 0.05, (CLEARED, LAND): 0.15,
    (CLEARED, WATER): 0.03,
    (FOOTING, STRUCTURE): 1.2, (FOOTING, ROOF): 0.3, (FOOTING, PAVED): 0.1, (FOOTING, CLEARED): 0.2,
    (STRUCTURE, ROOF): 0.8, (STRUCTURE, PAVED): 0.1, (STRUCTURE, CLEARED): 0.1,
    (ROOF, CLEARED): 0.02, (ROOF, PAVED): 0.02, (PAVED, CLEARED): 0.02, (PAVED, FOOTING): 0.02, (PAVED, LAND): 0.01,
    (WATER, LAND): 0.05, (WATER, CLEARED): 0.05,
}
"""Changes of state a year: a pledged site starts within some years, a pixel of a building takes one to two years,
what is
finished stays for decades. Orders of magnitude: a look outweighs them."""
CLOSING: Mapping[tuple[int, int], float] = {
    **RATES,
    (CLEARED, FOOTING): 0.2, (CLEARED, PAVED): 3.0, (FOOTING, PAVED): 3.0, (FOOTING, ROOF): 1.0,
    (STRUCTURE, ROOF): 6.0, (STRUCTURE, PAVED): 1.0,
}
"""The same where hardly any open ground is left: paving comes last, works are being finished."""
# fmt: on
ON_SITE: Mapping[tuple[int, int], float] = {(LAND, CLEARED): 6.0}
"""The same of a parcel known to be a site: it is cleared within weeks."""
RADAR_CONTRAST: Mapping[int, tuple[float, float]] = {STRUCTURE: (5.0, 4.0), ROOF: (4.0, 4.5), WATER: (-8.0, 3.5)}
"""Backscatter against the open ground of the parcel on the same look, and its spread with speckle [dB]: walls send
the beam
back (double bounce), water mirrors it away. Contrast takes out moisture, incidence and platform."""
OPEN_CONTRAST = (0.0, 3.0)
"""The same of the other states: 3 dB is the spread of a single pixel of 4.4 looks and of unlike ground."""
LONGEST_STEP = 400  # days; looks are never further apart but where a source has a hole


class StageParams(Params):
    """Knobs of the model of stages."""

    green_weight: float = Field(
        0.6, gt=0, le=1, description="Weight of the greenness of a look; looks are not independent [1]."
    )
    colour_weight: float = Field(0.5, gt=0, le=1, description="Weight of the colour of a look [1].")
    radar_weight: float = Field(0.15, ge=0, le=1, description="Weight of a radar look of one pixel and channel [1].")
    most: float = Field(4.0, gt=0, description="Largest logarithm of odds that one look may move: no outlier decides.")
    colour_most: float = Field(2.5, gt=0, description="The same of colour alone, before its weight.")
    undecided: float = Field(
        0.5, ge=0, description="Logarithm of odds between land and works below which a look tells nothing."
    )
    open_share: float = Field(
        0.25, gt=0, le=1, description="Cleared share of a parcel below which works are closing [1]."
    )
    green_within_days: int = Field(400, ge=365, description="Land greens up within this time [days].")


@dataclass(frozen=True, kw_only=True)
class StagePath:
    """Probability of each state, by step, pixel and state."""

    days: NDArray[np.datetime64]
    """Shape (step,): day of the look, rising; a day may have looks of both sensors."""
    optical: NDArray[np.bool_]
    """Shape (step,): a look of Sentinel-2; the others are of radar."""
    fraction: NDArray[np.float64]
    """Shape (step,): share of the parcel seen clearly [0-1]; 1 for radar."""
    area_m2: NDArray[np.float64]
    """Shape (pixel,)."""
    known: NDArray[np.float32]
    """Shape (step, pixel, state): as known on that day."""
    later: NDArray[np.float32]
    """The same as known at ``as_of``."""

    def shares(self, probability: NDArray[np.float32]) -> NDArray[np.float64]:
        """Area shares of the states of the parcel, shape (step, state)."""
        weight = self.area_m2 / self.area_m2.sum()
        return np.asarray(np.einsum("spk,p->sk", probability, weight), np.float64)


def follow(evidence: ParcelEvidence, params: StageParams, started: dt.date | None = None) -> StagePath:
    """Probability of each state of each pixel on each look.

    Parameters
    ----------
    started
        Day from which the parcel is known to be a site, by whatever means: from then on what is land is soon cleared,
        and no look is undecided. None: it is not.

    Raises
    ------
    ValueError
        The evidence holds no optical looks.
    """
    if evidence.optical is None:
        raise ValueError("stages need optical looks")
    since = None if started is None else int(np.datetime64(started, "D").astype(np.int64))
    looks = _Looks(evidence, params, since)
    radar = _Radar(evidence)
    days, sensor, position = _timeline(looks.day, radar)
    n_steps, n_pixels = len(days), len(evidence.area_m2)
    known = np.empty((n_steps, n_pixels, N_STATES), np.float32)
    like = np.ones((n_steps, n_pixels, N_STATES), np.float32)
    weight = evidence.area_m2 / evidence.area_m2.sum()
    moves = np.empty((n_steps, N_STATES, N_STATES), np.float32)
    belief = np.tile(START.astype(np.float32), (n_pixels, 1))
    for n in range(n_steps):
        is_site = since is not None and bool(days[n] >= since)
        moves[n] = _moves(int(days[n] - days[max(n - 1, 0)]), weight @ belief, is_site, params)
        belief = belief @ moves[n]
        if sensor[n] == 0:
            looks.weigh(position[n], like[n])
        else:
            radar.weigh(sensor[n] - 1, position[n], belief, weight, params, like[n])
        belief = belief * like[n]
        belief /= belief.sum(axis=1, keepdims=True)
        known[n] = belief
        if sensor[n] == 0:
            looks.learn(position[n], belief, weight)
    fraction = np.ones(n_steps)
    fraction[sensor == 0] = evidence.look_fraction
    return StagePath(
        days=days.astype("datetime64[D]"),
        optical=sensor == 0,
        fraction=fraction,
        area_m2=evidence.area_m2,
        known=known,
        later=_smooth(known, like, moves),
    )


def _smooth(known: NDArray[np.float32], like: NDArray[np.float32], moves: NDArray[np.float32]) -> NDArray[np.float32]:
    later = known.copy()
    ahead = np.ones(known.shape[1:], np.float32)
    for n in range(len(known) - 2, -1, -1):
        ahead = (ahead * like[n + 1]) @ moves[n + 1].T
        ahead /= ahead.max(axis=1, keepdims=True)
        later[n] *= ahead
    later /= later.sum(axis=2, keepdims=True)
    return later


def _timeline(optical: Days, radar: _Radar) -> tuple[Days, NDArray[np.int64], NDArray[np.int64]]:
    """Day, sensor (0 = optical, then the orbits) and position of every look, in order of time."""
    groups = [optical, *radar.day]
    days = np.concatenate(groups)
    sensor = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    position = np.concatenate([np.arange(len(group)) for group in groups])
    order = np.lexsort((sensor, days))
    return days[order], sensor[order], position[order]


class _Looks:
    """Looks of Sentinel-2 and what the parcel has taught of itself."""

    def __init__(self, evidence: ParcelEvidence, params: StageParams, started: int | None) -> None:
        optical = evidence.optical
        if optical is None:
            raise ValueError("stages need optical looks")
        self.params = params
        self.started = started
        self.day = evidence.look_days.astype("datetime64[D]").astype(np.int64)
        seen = ground.features(optical)
        self.green = seen.ndvi
        self.colour = ground.stacked(seen)
        # A look that lacks a band is left out; a band that no look has is done without.
        offered = np.isfinite(self.colour).any(axis=(0, 1))
        self.clear = np.isfinite(self.green) & np.isfinite(self.colour[..., offered]).all(axis=-1)
        self.alike = {name: np.zeros(self.green.shape, np.float32) for name in ("bare", "grey", "roof", "water")}
        # Only what could be mineral or water is compared: under plants there is no colour of the ground to see.
        self.open = self.clear & (self.green < ground.OPEN_NDVI)
        for name, logs in ground.likeness(self.colour[self.open]).items():
            self.alike[name][self.open] = logs
        self.mineral_green = ground.student(self.green, 0.15, 0.07)
        self.water_green = ground.student(self.green, 0.0, 0.25)
        self.memory = LandMemory(evidence, self.day)
        n_pixels = len(evidence.area_m2)
        self.top = np.full(n_pixels, -1.0, np.float32)
        self.last_green = np.full(n_pixels, -(10**6))
        self.seen_since = np.zeros(n_pixels, np.int64)

    def weigh(self, t: int, like: NDArray[np.float32]) -> None:
        """Write how like each state the look is, shape (pixel, state), relative to the likeliest; 1 where not seen."""
        params, clear = self.params, self.clear[t]
        if not clear.any():
            return
        green, colour, is_open = self.green[t, clear], self.colour[t, clear], self.open[t, clear]
        bare = self.memory.cleared(colour, self.alike["bare"][t, clear])
        grey, roof, water = (self.alike[name][t, clear] for name in ("grey", "roof", "water"))
        best = np.maximum(np.maximum(bare, grey), roof)

        def coloured(logs: NDArray[np.float32], most: float) -> NDArray[np.float32]:
            return np.asarray(np.where(is_open, np.clip(logs - best, -most, most), 0), np.float32)

        logs = np.empty((len(green), N_STATES), np.float32)
        mineral = params.green_weight * self.mineral_green[t, clear]
        # What is finished is never less like a look than what is not: grey concrete tells no stage, order and time do.
        for state, value in (
            (CLEARED, bare),
            (FOOTING, grey),
            (STRUCTURE, grey),
            (ROOF, np.maximum(roof, grey)),
            (PAVED, grey),
        ):
            logs[:, state] = mineral + params.colour_weight * coloured(value, params.colour_most)
        logs[:, LAND] = params.green_weight * self.memory.green(t, green)
        logs[:, LAND] += params.colour_weight * coloured(self.memory.bare_field(colour), params.colour_most)
        logs[:, LAND] -= self._without_season(t, clear)
        # In its bare season a field tells nothing: a slight advantage of one side must not add up over the winter.
        if self.started is None or self.day[t] < self.started:
            against = logs[:, LAND] - logs[:, WORKS].max(axis=1)
            logs[:, LAND] -= np.clip(against, -params.undecided, params.undecided)
        logs[:, WATER] = params.green_weight * (coloured(water, 6.0) + self.water_green[t, clear])
        logs -= logs.max(axis=1, keepdims=True)
        like[clear] = np.exp(np.maximum(logs, -params.most))

    def _without_season(self, t: int, clear: NDArray[np.bool_]) -> NDArray[np.float32]:
        """1 on pixels that have not greened up for more than a year, though they were seen."""
        now = self.green[t, clear]
        self.top[clear] = np.maximum(self.top[clear], now)
        is_green = now >= np.minimum(0.4, 0.6 * self.top[clear])
        self.seen_since[clear] = np.where(is_green, 0, self.seen_since[clear] + 1)
        self.last_green[clear] = np.where(is_green, self.day[t], self.last_green[clear])
        long_ago = self.day[t] - self.last_green[clear] > self.params.green_within_days
        return np.asarray(long_ago & (self.seen_since[clear] >= 5), np.float32)

    def learn(self, t: int, belief: NDArray[np.float32], weight: Floats) -> None:
        clear = self.clear[t]
        if clear.any():
            self.memory.learn(t, self.green[t, clear], self.colour[t, clear], belief[clear, LAND] * weight[clear])


class _Radar:
    """Looks of Sentinel-1, weighed as contrast within the parcel."""

    def __init__(self, evidence: ParcelEvidence) -> None:
        self.day: list[Days] = []
        self.db: list[NDArray[np.float32]] = []
        for looks in evidence.radar.values():
            channels = [looks.power[name].values for name in ("vv", "vh") if name in looks.power]
            if channels:
                self.day.append(looks.power["time"].values.astype("datetime64[D]").astype(np.int64))
                self.db.append(10 * np.log10(np.maximum(np.stack(channels, axis=1), np.float32(1e-5))))

    def weigh(
        self,
        orbit: int,
        t: int,
        belief: NDArray[np.float32],
        weight: Floats,
        params: StageParams,
        like: NDArray[np.float32],
    ) -> None:
        """Write how like each state the look is, shape (pixel, state); 1 where there is no signal or no open ground."""
        db = self.db[orbit][t]  # (channel, pixel)
        seen = np.isfinite(db).all(axis=0)
        is_open = (1 - belief[:, STRUCTURE] - belief[:, ROOF] - belief[:, WATER]) * weight * seen
        if is_open.sum() < 0.2:
            return
        contrast = db[:, seen] - (db[:, seen] @ is_open[seen] / is_open.sum())[:, None]
        logs = np.repeat(_normal(contrast, OPEN_CONTRAST)[:, None], N_STATES, axis=1)
        for state, expected in RADAR_CONTRAST.items():
            logs[:, state] = _normal(contrast, expected)
        logs *= params.radar_weight
        logs -= logs.max(axis=1, keepdims=True)
        like[seen] = np.exp(np.maximum(logs, -params.most))


def _normal(contrast: Floats, expected: tuple[float, float]) -> NDArray[np.float32]:
    middle, spread = expected
    found = (-0.5 * np.square((contrast - middle) / spread) - np.log(spread)).sum(axis=0)
    return np.asarray(found, np.float32)


def _moves(days: int, shares: Floats, is_site: bool, params: StageParams) -> NDArray[np.float64]:
    """Probability of each change of state within some days, given the shares of the states in the parcel and whether it
    is a site.
    """
    step = min(days, LONGEST_STEP)
    closing = float(np.clip(1 - shares[CLEARED] / params.open_share, 0, 1)) if shares[WORKS].sum() > 0.5 else 0.0
    found: NDArray[np.float64] = (1 - closing) * _table(False, is_site)[step] + closing * _table(True, is_site)[step]
    return found


@cache
def _table(is_closing: bool, is_site: bool) -> NDArray[np.float64]:
    """Shape (days, state, state): transition probabilities of 0 to `LONGEST_STEP` days."""
    rate = np.zeros((N_STATES, N_STATES))
    for (before, after), per_year in {**(CLOSING if is_closing else RATES), **(ON_SITE if is_site else {})}.items():
        rate[before, after] = per_year / 365.25
    rate[np.diag_indices(N_STATES)] = -rate.sum(axis=1)
    a_day = expm(rate)
    found = [np.eye(N_STATES)]
    for _ in range(LONGEST_STEP):
        found.append(found[-1] @ a_day)
    return np.array(found)


__all__ = ["STAGES", "StageParams", "StagePath", "follow"]
