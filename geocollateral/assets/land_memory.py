"""What a parcel teaches of itself, look by look: its greenness by season, the colour of its bare fields, its like
peers.

Everything is learnt from looks before the one that is judged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geocollateral.assets import ground
from geocollateral.types import ParcelEvidence

Floats = NDArray[np.float32]

SEASON_DAYS = 20.0
"""Spread of the calendar over which looks of earlier years tell what to expect [days]; harvests shift by some 15."""
OLD_DAYS = 150
"""Looks must be this old to speak for the season: the last weeks would vouch for themselves [days]."""
MOST_LOOKS, MOST_PEERS = 16, 20
SURPRISE = 0.05
"""Share of looks of ordinary land that no earlier season would have told."""
FEW_LOOKS = 2.0
"""Looks of earlier years at which what was learnt weighs as much as not knowing."""
GREEN_SPREAD, PEER_SPREAD, LIKE_PEER = 0.06, 0.12, 0.10
"""Of NDVI: noise of a look, distance to a peer today, distance in the past at which a peer counts by a third."""
PEER_GREEN, PEER_GREEN_DAYS = 0.4, 400
"""A peer that has not been this green for so long is not land any more."""
ANY_GREEN = float(np.log(1.1))
"""Logarithm of the density of NDVI between 0 and 0.9 where nothing is known."""
BARE_NDVI = 0.3
SOIL = {
    "redness": (0.25, 0.09),
    "bare": (0.05, 0.10),
    "slope": (0.40, 0.12),
    "residue": (0.09, 0.05),
    "level": (-1.8, 0.5),
}
"""Middle and spread of bare fields before the parcel's own are known; stubble and moisture make them wider than
soil."""


class LandMemory:
    """Of one parcel; `learn` is called after each look."""

    def __init__(self, evidence: ParcelEvidence, day: NDArray[np.int64]) -> None:
        n = len(day)
        self.day = day
        self.calendar = _day_of_year(day)
        self.count = 0
        self.look = np.zeros(n, np.int64)
        self.weight, self.middle, self.spread = np.zeros(n), np.zeros(n), np.zeros(n)
        self.peer = _peers(evidence, day)
        n_peers = self.peer.shape[1]
        self.peer_seen, self.peer_distance = np.zeros(n_peers), np.zeros(n_peers)
        self.peer_green = np.full(n_peers, -(10**6))
        n_colours = len(ground.SPREAD)
        self.bare_weight, self.bare_sum, self.bare_squares = 0.0, np.zeros(n_colours), np.zeros(n_colours)

    def green(self, t: int, ndvi: Floats) -> Floats:
        """Logarithm of the density of NDVI of land as it was on look ``t``, shape (pixel,)."""
        weight, middle, spread = (
            np.concatenate(parts) for parts in zip(self._season(t), self._like_peers(t), strict=True)
        )
        total = weight.sum()
        if total < 0.05:
            return np.full(len(ndvi), ANY_GREEN, np.float32)
        away = (ndvi[:, None] - middle.astype(np.float32)) / spread.astype(np.float32)
        density = np.power(1 + away * away / 4, np.float32(-2.5)) @ (weight / total / spread).astype(np.float32)
        doubt = (SURPRISE * total + FEW_LOOKS) / (total + FEW_LOOKS)
        return np.asarray(np.log((1 - doubt) * density + doubt * np.exp(ANY_GREEN)), np.float32)

    def _season(self, t: int) -> tuple[NDArray[np.float64], ...]:
        old = int(np.searchsorted(self.day[self.look[: self.count]], self.day[t] - OLD_DAYS, side="right"))
        apart = np.abs(self.calendar[self.look[:old]] - self.calendar[t])
        apart = np.minimum(apart, 365 - apart)
        weight = self.weight[:old] * np.exp(-0.5 * np.square(apart / SEASON_DAYS))
        used = np.argsort(-weight, kind="stable")[:MOST_LOOKS]
        used = used[weight[used] > 0.05]
        return weight[used], self.middle[used], self.spread[used]

    def _like_peers(self, t: int) -> tuple[NDArray[np.float64], ...]:
        now = self.peer[t]
        fit = np.isfinite(now) & (self.peer_seen >= 5) & (self.day[t] - self.peer_green <= PEER_GREEN_DAYS)
        weight = np.exp(-self.peer_distance[fit] / self.peer_seen[fit] / LIKE_PEER**2)
        now = now[fit][weight > 0.05]
        weight = weight[weight > 0.05]
        # All peers together weigh no more than one look of the parcel's own.
        return weight / max(weight.sum(), 1.0), now, np.full(len(now), PEER_SPREAD)

    def bare_field(self, colour: Floats) -> Floats:
        """Logarithm of the density of the colour of the parcel's fields when they are bare, shape (pixel,)."""
        at_large = ground.colour_density(colour, *_columns(SOIL))
        if self.bare_weight < 1:
            return at_large
        middle = self.bare_sum / self.bare_weight
        wander = np.maximum(self.bare_squares / self.bare_weight - middle**2, 0)
        spread = np.sqrt(wander + np.square(0.7 * np.array(list(ground.SPREAD.values()))))
        own = ground.colour_density(colour, middle, spread)
        doubt = FEW_LOOKS / (FEW_LOOKS + self.bare_weight)
        found: Floats = np.logaddexp(own + np.float32(np.log1p(-doubt)), at_large + np.float32(np.log(doubt)))
        return found

    def cleared(self, colour: Floats, library: Floats) -> Floats:
        """Logarithm of the density of the colour of cleared ground: as in the library, or as the parcel's own bare
        fields without
        their stubble, and no darker than dry soil.
        """
        if self.bare_weight < 1:
            return library
        middle = dict(zip(ground.SPREAD, self.bare_sum / self.bare_weight, strict=True))
        middle |= {"residue": 0.06, "level": max(middle["level"], -1.7)}
        spread = {
            name: width * (0.8 if name in ("redness", "bare", "slope") else 1.0)
            for name, width in ground.SPREAD.items()
        }
        own = ground.colour_density(colour, np.array(list(middle.values())), np.array(list(spread.values())))
        found: Floats = np.logaddexp(library + np.float32(np.log(0.3)), own + np.float32(np.log(0.7)))
        return found

    def learn(self, t: int, ndvi: Floats, colour: Floats, land: NDArray[np.floating]) -> None:
        """Take in a look.

        Parameters
        ----------
        t
            Which look.
        ndvi, colour
            Of the pixels seen, shapes (pixel,) and (pixel, feature).
        land
            Share of the parcel that each of them is as land [0-1].
        """
        total = float(land.sum())
        if total <= 0.1:
            return
        n, middle = self.count, float(ndvi @ land) / total
        variance = max(float(np.square(ndvi) @ land) / total - middle**2, 0.0)
        self.look[n], self.weight[n], self.middle[n] = t, total, middle
        self.spread[n] = np.sqrt(GREEN_SPREAD**2 + variance)
        self.count += 1
        self._compare_peers(t, total, middle)
        bare = land * (ndvi < BARE_NDVI)
        if bare.sum() > 0.1:
            known = np.where(np.isnan(colour), 0, colour)
            self.bare_sum += bare @ known
            self.bare_squares += bare @ np.square(known)
            self.bare_weight += float(bare.sum())

    def _compare_peers(self, t: int, total: float, middle: float) -> None:
        now = self.peer[t]
        seen = np.isfinite(now)
        self.peer_green[seen & (now >= PEER_GREEN)] = self.day[t]
        self.peer_distance[seen] += total * np.square(now[seen] - middle)
        self.peer_seen[seen] += total


def _columns(table: dict[str, tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pairs = np.array([table[name] for name in ground.SPREAD])
    return pairs[:, 0], pairs[:, 1]


def _day_of_year(day: NDArray[np.int64]) -> NDArray[np.int64]:
    date = day.astype("datetime64[D]")
    return np.asarray((date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64))


def _peers(evidence: ParcelEvidence, day: NDArray[np.int64]) -> NDArray[np.float64]:
    """NDVI of the nearest peers on the parcel's looks, shape (look, peer); NaN where less than half of a peer was
    seen.
    """
    peers = evidence.peers
    if peers is None or not peers.sizes["peer"] or not len(day) or "ndvi" not in peers["index"].values:
        return np.full((len(day), 0), np.nan)
    own = peers.sel(index="ndvi").isel(peer=slice(MOST_PEERS))
    there = own["time"].values.astype("datetime64[D]").astype(np.int64)
    value = np.where(own["valid_fraction"].values > 0.5, own["mean"].values, np.nan)
    at = np.clip(np.searchsorted(there, day), 0, len(there) - 1)
    return np.where((there[at] == day)[:, None], value[at], np.nan)
