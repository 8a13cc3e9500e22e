"""How much of its neighbours' yearly rhythm a parcel still follows: land that nobody works any more.

Weeds are green too, and after a year as green as a crop; but they are neither sown nor harvested when crops are. So not
the level but the rhythm is compared: the slope of the parcel's curve on the median curve of peers that were alike
before, a local template of what a cultivated field looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets.neighbours import YEAR, Channel, Choice, middle_of
from geocollateral.assets.untilled import UntilledParams
from geocollateral.types import Params

Floats = NDArray[np.float64]
Days = NDArray[np.int64]


class RhythmParams(Params):
    """Knobs of the test for abandonment."""

    window_days: int = Field(180, ge=60, description="Span over which a rhythm is compared [days].")
    min_looks: int = Field(5, ge=3, description="Fewest optical looks in it.")
    min_swing: float = Field(0.10, gt=0, description="Least swing of the peers' NDVI that makes a rhythm [1].")
    min_radar_looks: int = Field(10, ge=5, description="Fewest radar looks in it, where optical ones are too few.")
    min_radar_swing: float = Field(1.2, gt=0, description="Least swing of the peers' backscatter [dB].")
    lost_share: float = Field(0.5, gt=0, lt=1, description="A share of the rhythm below this is no crop [1].")
    firm_window_days: int = Field(
        120,
        ge=60,
        description="The same where two seasons running are asked for, so that the second tells sooner [days].",
    )
    step_days: int = Field(10, ge=1, description="Two seasons running are asked for every so many days [days].")
    firm_steps: int = Field(3, ge=1, description="Steps running on which it must be so.")
    bare_below: float = Field(
        0.35, gt=0, lt=1, description="Idle land that was never greener in a year is cleared, not abandoned [NDVI]."
    )
    most_erratic: float = Field(
        0.12,
        gt=0,
        lt=1,
        description="Where peers show no crop on more of their looks in season, their rhythm is no measure [1].",
    )
    untilled: UntilledParams = Field(UntilledParams(), description="Test for ground that was not tilled.")
    had_share: float = Field(
        0.7, gt=0, lt=1.5, description="Share of the rhythm that the parcel must have had before [1]."
    )


@dataclass(frozen=True, kw_only=True)
class Share:
    """Share of the peers' rhythm that a parcel follows in a span of days."""

    value: float
    """Slope of own on peers; NaN = cannot tell."""
    n_looks: int
    sensor: str


NOTHING = Share(value=float("nan"), n_looks=0, sensor="")


@dataclass(frozen=True, kw_only=True)
class Idle:
    """Seasons that did not come, as known on a day. Days since 1970-01-01."""

    known_on: int
    """Day of the first look from the step on which it was certain enough."""
    now: Share
    """In the last `window_days`."""
    then: Share
    """In the same season a year before."""
    had: Share
    """Before that."""
    resumed_on: int | None = None
    """Step by which the parcel followed its peers again."""


def find_idle(
    channels: Sequence[Channel], choice: Choice, params: RhythmParams
) -> tuple[tuple[Idle, ...], Idle | None]:
    """Seasons that were missed, and the first day on which the same season of two years running was known to be.

    Parameters
    ----------
    channels
        Optical first, then backscatter by orbit and polarisation [dB].
    choice
        Peers chosen by looks that lie more than a year before each step: what has gone on since must not choose them.

    Returns
    -------
    Every missed season up to the second in a row, and that one; None = there was none.
    """
    missed: list[Idle] = []
    firm = 0
    columns = channels[0].peers.shape[1]
    for step, member, own_years in zip(choice.steps.tolist(), choice.member, choice.own_years, strict=True):
        if own_years:
            continue
        peers = np.flatnonzero(member[:columns])

        def share(low: int, high: int, peers: NDArray[np.intp] = peers) -> Share:
            return share_of_rhythm(channels, peers, low, high, params)

        now = share(step - params.window_days, step)
        if np.isnan(now.value):
            continue  # too little was seen to say anything, or nothing grows anywhere
        if not now.value < params.lost_share:
            firm = 0
            if now.value >= params.had_share and missed and missed[-1].resumed_on is None:
                missed[-1] = replace(missed[-1], resumed_on=step)
            continue
        begin = step - YEAR - params.window_days
        had = share(begin - YEAR - params.window_days, begin)
        then = share(begin, step - YEAR)
        if then.value >= params.had_share and (not missed or missed[-1].resumed_on is not None):
            missed.append(Idle(known_on=_told_on(channels, step), now=now, then=NOTHING, had=then))
        whole = share(begin, step)
        twice = then.value < params.lost_share and whole.value < params.lost_share + 0.1
        if twice and had.value >= params.had_share:
            lately = (share(step - days - params.window_days // 2, step - days) for days in (0, YEAR))
            firm = 0 if any(half.value >= params.had_share for half in lately) else firm + 1
        if firm >= params.firm_steps:
            told = Idle(known_on=_told_on(channels, step), now=now, then=then, had=had)
            return tuple(missed), told
    return tuple(missed), None


def _told_on(channels: Sequence[Channel], step: int) -> int:
    """First look on or after a step: a run that has it knows that the step is over."""
    return min(int(c.days[c.days >= step][0]) for c in channels if (c.days >= step).any())


def share_of_rhythm(
    channels: Sequence[Channel], peers: NDArray[np.intp], low: int, high: int, params: RhythmParams
) -> Share:
    """Slope of the parcel's curve on the median curve of its peers, after day `low` and up to day `high`.

    Of all slopes with one look left out the largest: no single look makes land idle. Radar is asked where clear looks
    are too few, as the slope over all its channels together.
    """
    own, level = _centred(channels[:1], peers, low, high, 1)
    if len(own) >= params.min_looks and float(np.mean(level**2)) >= params.min_swing**2:
        return Share(value=_largest_slope(own, level), n_looks=len(own), sensor="sentinel-2")
    own, level = _centred(channels[1:], peers, low, high, 4)
    if len(own) >= params.min_radar_looks and float(np.mean(level**2)) >= params.min_radar_swing**2:
        return Share(value=_largest_slope(own, level), n_looks=len(own), sensor="sentinel-1")
    return Share(value=float("nan"), n_looks=len(own), sensor="")


def _centred(
    channels: Sequence[Channel], peers: NDArray[np.intp], low: int, high: int, at_least: int
) -> tuple[Floats, Floats]:
    """Own values and the peers' median on common looks of a span, each channel about its mean."""
    owns, levels = [np.zeros(0)], [np.zeros(0)]
    for channel in channels:
        span = slice(*np.searchsorted(channel.days, [low, high], side="right"))
        level, own = middle_of(channel.peers[span][:, peers]), channel.own[span]
        good = np.isfinite(level) & np.isfinite(own)
        if good.sum() >= at_least:
            owns.append(own[good] - own[good].mean())
            levels.append(level[good] - level[good].mean())
    return np.concatenate(owns), np.concatenate(levels)


def _largest_slope(own: Floats, level: Floats) -> float:
    """Largest slope of own on level with one look left out [1]."""
    n = len(own)
    share = n / (n - 1)  # what leaving out a look takes from centred sums
    below = float(level @ level) - share * np.square(level)
    above = float(level @ own) - share * level * own
    kept = below > 0.3 * float(level @ level)
    return float(np.max(above[kept] / below[kept])) if kept.any() else float("nan")
