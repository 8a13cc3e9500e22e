"""What speaks against a failed crop although a parcel lies far below its peers: these alerts stay early warnings.

An early harvest, a change of crop that no look saw, land that was not sown and a harvest of all look like a failure.
Each has a mark that can be checked on the day of the alarm, by the ground's own calendar and by what its peers do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets.neighbours import YEAR
from geocollateral.assets.phenology import PhenologyParams, despike
from geocollateral.types import Params

Floats = NDArray[np.float64]
Days = NDArray[np.int64]


class DoubtParams(Params):
    """Knobs of what keeps a failed crop an early warning."""

    most_unlike: float = Field(
        0.5,
        gt=0,
        description="Mean square departure from the peers in three months before that leaves no doubt [1].",
    )
    unseen_days: int = Field(
        25, ge=0, description="With the own crop last seen longer ago, a change of crop may lie between [days]."
    )
    border: float = Field(
        0.12, gt=0, lt=1, description="Green down to this much over bare ground is the border of two seasons [NDVI]."
    )
    reach_days: int = Field(150, ge=30, description="The own crop is looked for so far back [days].")
    own_green: float = Field(0.2, gt=0, lt=1, description="Green over bare ground that is the own crop [NDVI].")
    fallen_share: float = Field(
        0.3, gt=0, lt=1, description="With more of what was green around it fallen too, it may be a harvest of all [1]."
    )
    fallen_fewest: int = Field(5, ge=1, description="Fewest parcels and cells around by which that is asked.")
    fallen_days: int = Field(40, ge=10, description="They were green so many days before [days].")
    harvest_days: int = Field(
        25, ge=0, description="With the own harvest of earlier years so near, it may be an early one [days]."
    )
    standing_days: int = Field(
        15, ge=0, description="Unless the peers' crop was seen standing so long after the own had gone [days]."
    )
    doubt: float = Field(1.2, ge=0, description="What each doubt takes from the evidence [log odds].")


@dataclass(frozen=True, kw_only=True)
class Missed:
    """A crop that is gone, and what was seen up to the alarm. Days since 1970-01-01."""

    day: int
    """First clear look without it."""
    alarm: int
    """Looks after this day are not known."""
    level: float
    """Green of the peers on `day` [NDVI]."""
    unlike: float
    """Mean square departure from the peers in the three months before, in units of its ordinary size."""
    days: Days
    """All optical looks, shape (look,), rising."""
    own: Floats
    """Shape (look,), NaN = not seen."""
    around: Floats
    """Green of all candidates around it, shape (look, candidate), NaN = not seen."""
    member: NDArray[np.bool_]
    """Which of them are its peers, shape (candidate,)."""

    def known(self) -> Missed:
        """Without the looks after the alarm."""
        kept = self.days <= self.alarm
        return Missed(
            day=self.day,
            alarm=self.alarm,
            level=self.level,
            unlike=self.unlike,
            days=self.days[kept],
            own=self.own[kept],
            around=self.around[kept],
            member=self.member,
        )


def doubts_of(missed: Missed, bare_low: float, bare_high: float, params: DoubtParams) -> tuple[str, ...]:
    """What speaks against a failure, in words; nothing where it is as good as certain.

    Parameters
    ----------
    bare_low, bare_high
        Bounds of the green of bare ground [NDVI].
    """
    missed = missed.known()
    seen = np.isfinite(missed.own)
    days, own = missed.days[seen], missed.own[seen]
    kept = despike(days, own, PhenologyParams())
    before = own[kept & (days < missed.day)]
    bare = float(np.clip(np.quantile(before, 0.1), bare_low, bare_high)) if len(before) >= 8 else 0.25
    peers = _middle(missed.around[:, missed.member])
    green = days[kept & (days < missed.day) & (own >= bare + params.own_green)]
    ago = missed.day - int(green[-1]) if len(green) else params.reach_days
    found = []
    if missed.unlike > params.most_unlike:
        found.append("Before, it had not kept step with them closely enough to rule out that it was not sown.")
    if ago > params.unseen_days and _has_border(missed, days, own, peers, bare, ago, params):
        found.append(f"Its own crop was last seen {ago} days before; one crop may have followed another in between.")
    share = _share_fallen(missed, bare, params)
    if share > params.fallen_share:
        found.append(f"Of what was green around it {share:.0%} had fallen too: it may be a harvest of all.")
    left = _days_to_harvest(days, own, missed.day, bare)
    if left < params.harvest_days and _standing(missed, peers, bare) < params.standing_days:
        found.append("In earlier years its harvest was near at that time: it may be an early one.")
    return tuple(found)


def _middle(columns: Floats, *, fewest: int = 3) -> Floats:
    """Median of each row's finite values; NaN with too few."""
    out = np.full(len(columns), np.nan)
    enough = np.isfinite(columns).sum(axis=1) >= fewest
    if enough.any():
        out[enough] = np.nanmedian(columns[enough], axis=1)
    return out


def _has_border(
    missed: Missed, days: Days, own: Floats, peers: Floats, bare: float, ago: int, params: DoubtParams
) -> bool:
    """Whether seasons may have changed since the own crop was last seen: the peers' have now, or its own did then."""
    span = min(ago, params.reach_days)
    now = (missed.days > missed.day - span) & (missed.days <= missed.day) & np.isfinite(peers)
    lowest = [float(peers[now].min())] if now.any() else []
    for year in (1, 2, 3):
        then = missed.day - YEAR * year
        inside = (days >= then - span) & (days <= then + 5)
        if inside.sum() >= 2:
            lowest.append(float(own[inside].min()))
    return bool(lowest) and min(lowest) < bare + params.border


def _share_fallen(missed: Missed, bare: float, params: DoubtParams, *, green: float = 0.4) -> float:
    """Share of what was green around it that has lost half its green too [1]; 0 with too few."""
    lately = (missed.days < missed.day) & (missed.days >= missed.day - params.fallen_days)
    since = missed.days >= missed.day
    if not lately.any() or not since.any():
        return 0.0
    was = np.where(np.isfinite(missed.around[lately]), missed.around[lately], -1.0).max(axis=0)
    told = (was >= green) & np.isfinite(missed.around[since]).any(axis=0)
    if told.sum() < params.fallen_fewest:
        return 0.0
    now = np.nanmedian(missed.around[since][:, told], axis=0)
    return float(np.mean(now - bare < 0.5 * (was[told] - bare)))


def _days_to_harvest(days: Days, own: Floats, day: int, bare: float, *, least: float = 0.2) -> float:
    """Days until half of the green was gone in the parcel's earlier years, their median; infinite where not known."""
    found = []
    for year in (1, 2, 3):
        then = day - YEAR * year
        lately = (days >= then - 45) & (days <= then + 20)
        if lately.sum() < 2:
            continue
        top = float(own[lately].max()) - bare
        if top < least or float(np.interp(then, days, own)) - bare < 0.5 * top:
            found.append(0.0)
            continue
        gone = (days > then) & (days <= then + 160) & (own < bare + 0.5 * top)
        if gone.any():
            found.append(float(days[gone][0] - then))
    return float(np.median(found)) if found else float("inf")


def _standing(missed: Missed, peers: Floats, bare: float, *, share: float = 0.65) -> int:
    """How long after the own crop had gone the peers' was seen standing [days]."""
    with np.errstate(invalid="ignore"):
        there = (missed.days >= missed.day) & (peers >= bare + share * (missed.level - bare))
    return int(missed.days[there][-1] - missed.day) if there.any() else 0


__all__ = ["DoubtParams", "Missed", "doubts_of"]
