"""Crop or no crop, look by look, against peers: failed crops and seasons that never came.

Each look says how likely it is if the parcel carries what its peers carry, and how likely if most of that is gone.
Looks of both sensors add up; a look at a time when the peers are bare themselves says nothing, by itself and without a
rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets.came_up import CameUpParams, fallen, season_start
from geocollateral.assets.failure_doubts import DoubtParams
from geocollateral.assets.neighbours import Channel, Choice, Departure
from geocollateral.types import Params

Floats = NDArray[np.float64]
Days = NDArray[np.int64]


class CroppingParams(Params):
    """Knobs of the test of a crop against its peers."""

    lost_share: float = Field(0.7, gt=0, lt=1, description="Share of the peers' green that a failed crop has lost [1].")
    lost_spread: float = Field(0.25, gt=0, description="Standard deviation of that share [1].")
    radar_share: float = Field(0.55, gt=0, lt=1, description="The same of green as radar tells it [1].")
    blind: float = Field(
        0.5, gt=0, lt=1, description="Chance that radar does not see a crop wither, as it still stands [1]."
    )
    noise: float = Field(0.05, gt=0, description="Noise of one look at a parcel's green, without timing [NDVI].")
    own_years_noise: float = Field(0.12, gt=0, description="The same where earlier years stand in for peers [NDVI].")
    timing_days: float = Field(8.0, ge=0, description="Standard deviation of farmers' days [days].")
    most_per_look: float = Field(5.0, gt=0, description="No look counts more than this [log likelihood ratio].")
    witness_days: float = Field(
        10.0, gt=0, description="Looks of a sensor closer together count as part of one [days]."
    )
    forget_days: float = Field(
        45.0, gt=0, description="Without a telling look for so long, counting starts anew [days]."
    )
    min_gap: float = Field(0.12, gt=0, description="Peers with less green to lose than this carry no crop [NDVI].")
    threshold: float = Field(
        3.2, gt=0, description="Evidence of a failed crop, after the parcel's habit, that is told [log odds]."
    )
    confirm_days: float = Field(8.0, ge=0, description="Days from the first look without the crop to an alarm [days].")
    came_up: CameUpParams = Field(CameUpParams(), description="Test whether a crop had come up.")
    doubts: DoubtParams = Field(DoubtParams(), description="What keeps a failed crop an early warning.")
    most_unlike: float = Field(1.0, gt=0, description="Mean square departure in step with the peers [1].")
    most_usual: float = Field(0.12, gt=0, description="Usual departure of a parcel in step with its peers [NDVI].")
    habit_odd: float = Field(0.5, gt=0, description="Looks without a crop that any parcel is taken to have had [1].")
    habit_even: float = Field(9.5, gt=0, description="Looks with a crop that any parcel is taken to have had [1].")
    habit_looks: float = Field(
        1.5, ge=1, description="Independent looks that a spell without a crop is worth, in reckoning with habit [1]."
    )
    min_history: int = Field(2, ge=1, description="Fewest looks in season by which a habit is known.")
    min_peer_looks: int = Field(20, ge=1, description="The same, of all peers together.")
    most_erratic: float = Field(
        0.09,
        gt=0,
        lt=1,
        description="Where peers show no crop on more of their looks in season, none is in step and no failure is told "
        "[1].",
    )
    season_days: float = Field(60.0, gt=0, description="Days back within which the peers' green had its height [days].")
    mid_share: float = Field(
        0.4, gt=0, lt=1, description="Share of that height from which the peers are in season [1]."
    )
    grown_share: float = Field(0.6, gt=0, le=1, description="Peers below this share of their height still grow [1].")
    turn_share: float = Field(0.4, gt=0, lt=1, description="Peers down to this share of their green are past it [1].")
    bare_low: float = Field(0.10, description="Lowest green of bare ground [NDVI].")
    bare_high: float = Field(0.30, description="Highest green of bare ground [NDVI].")


@dataclass(frozen=True, kw_only=True)
class Witness:
    """Looks of all sensors in order of time. Arrays have shape (look,)."""

    days: Days
    sensor: NDArray[np.int64]
    """0 = optical, 1, 2 ... = orbits of radar."""
    ratio: Floats
    """Log likelihood ratio, gone : there, tempered for looks close together."""
    up: Floats
    """The same, but not come up : there. Withered plants hide from radar, plants that never came up do not."""
    value: Floats
    level: Floats
    gap: Floats
    """How much green there was to lose [NDVI]."""
    unlike: Floats
    """Departure in units of its ordinary size, either way."""
    usual: Floats
    """How far the parcel departs from its peers in ordinary times [NDVI]."""
    peer_days: Days
    """Days of all optical looks at the peers, whether the parcel was seen or not; shape (peers' look,)."""
    alike: NDArray[np.int64]
    """Peers seen on them while they have a crop; else 0."""
    odd: NDArray[np.int64]
    """Those of these that show none."""
    own_days: Days
    """Days of all optical looks at the parcel, with or without peers; shape (own look,)."""
    own_green: Floats
    """Its green on them, shape (own look,)."""


def radar_green(
    optical: Channel, channels: Sequence[Channel], choice: Choice, *, step_days: int = 90, min_pairs: int = 30
) -> Channel:
    """Green (as NDVI) as one orbit's backscatter tells it, by regression on what parcel and peers showed before.

    Coefficients are learned anew on fixed days from the looks before them, so that a later run finds the same.

    Parameters
    ----------
    channels
        Backscatter of one orbit by polarisation [dB], on common days.
    """
    days = channels[0].days
    radar = np.stack([np.column_stack([c.own, c.peers]) for c in channels], axis=-1)
    seen, known_on = _between(optical, days)
    pair = np.isfinite(seen) & np.isfinite(radar).all(axis=-1)
    out = np.full(radar.shape[:2], np.nan)
    for begin in range((int(days[0]) // step_days + 1) * step_days, int(days[-1]) + 1, step_days):
        now = (days > begin) & (days <= begin + step_days)
        at = int(np.searchsorted(choice.steps, begin, side="right")) - 1
        if at < 0 or not now.any():
            continue
        with_us = np.concatenate([[True], choice.member[at, : radar.shape[1] - 1]])
        used = pair & (known_on <= begin) & with_us
        if used.sum() < min_pairs:
            continue
        known = radar[used]
        middle, scale = known.mean(axis=0), known.std(axis=0) + 1e-6
        design = np.column_stack([np.ones(len(known)), (known - middle) / scale])
        normal = design.T @ design + np.diag([0.0, *np.ones(len(channels))])
        beta = np.linalg.solve(normal, design.T @ seen[used])
        out[now] = beta[0] + ((radar[now] - middle) / scale) @ beta[1:]
    return replace(channels[0], name="green", own=out[:, 0], peers=out[:, 1:], noise=optical.noise)


def _between(optical: Channel, days: Days, max_gap: int = 24) -> tuple[Floats, Days]:
    """Optical values interpolated to some days, own first, then peers; NaN in gaps; and when each was known."""
    values = np.column_stack([optical.own, optical.peers])
    out, known = np.full((len(days), values.shape[1]), np.nan), np.zeros((len(days), values.shape[1]), np.int64)
    for n, column in enumerate(values.T):
        good = np.isfinite(column)
        if good.sum() < 2:
            continue
        x = optical.days[good]
        after = np.clip(np.searchsorted(x, days), 1, len(x) - 1)
        near = (days >= x[0]) & (days <= x[-1]) & (x[after] - x[after - 1] <= max_gap)
        out[near, n] = np.interp(days[near], x, column[good])
        known[:, n] = x[after]
    return out, known


def weigh(departures: Sequence[Departure], params: CroppingParams) -> Witness:
    """Log likelihood ratio of every look, gone : there.

    There: a normal about the peers' level, a twentieth of it ten times as wide (missed clouds, odd parcels). Gone: a
    normal about the level less `lost_share` of what there is to lose, the level less the parcel's own bare ground.
    """
    parts = []
    for n, departure in enumerate(departures):
        own = departure.channel.own
        gap = np.maximum(departure.level - _bare(own, params), 0)
        noise = np.where(departure.own_years, params.own_years_noise, params.noise)
        usual = _usual(departure)
        timing = params.timing_days * np.abs(_slope(departure))
        sd = np.sqrt(np.square(noise) + np.square(departure.spread) + np.square(usual) + np.square(timing))
        there = _normal(departure.value, sd)
        if n == 0:
            gone = _normal(departure.value + params.lost_share * gap, np.hypot(sd, params.lost_spread * gap))
        else:
            gone = _normal(departure.value + params.radar_share * gap, np.hypot(sd, params.lost_spread * gap))
        bare = _normal(departure.value + 0.8 * gap, np.hypot(sd, params.lost_spread * gap))
        wide = np.log(0.05) + _normal(departure.value, 10 * sd)  # missed clouds, odd parcels
        told = np.flatnonzero(np.isfinite(there))
        ratio = np.logaddexp(np.log(0.95) + gone[told], wide[told]) - np.logaddexp(
            np.log(0.95) + there[told], wide[told]
        )
        since = np.diff(departure.channel.days[told], prepend=-(10**6))
        temper = np.clip(since / params.witness_days, 0.1, 1.0)
        up = np.logaddexp(np.log(0.95) + bare[told], wide[told]) - np.logaddexp(np.log(0.95) + there[told], wide[told])
        ratio, up = (np.clip(r, -params.most_per_look, params.most_per_look) * temper for r in (ratio, up))
        unlike = np.minimum(np.abs(departure.value / sd)[told], 3.0)
        days = departure.channel.days[told]
        parts.append(
            (days, np.full(len(told), n), ratio, up, own[told], departure.level[told], gap[told], unlike, usual[told])
        )
    days, sensor, ratio, up, value, level, gap, unlike, usual = (
        np.concatenate(arrays) for arrays in zip(*parts, strict=True)
    )
    order = np.lexsort((sensor, days))
    optical = departures[0].channel
    seen = np.isfinite(optical.own)
    alike, odd = _without_crop_among(departures[0], params)
    return Witness(
        days=days[order],
        sensor=sensor[order],
        ratio=ratio[order],
        up=up[order],
        value=value[order],
        level=level[order],
        gap=gap[order],
        unlike=unlike[order],
        usual=usual[order],
        peer_days=optical.days,
        alike=alike,
        odd=odd,
        own_days=optical.days[seen],
        own_green=optical.own[seen],
    )


def _without_crop_among(departure: Departure, params: CroppingParams) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many peers were seen on each look on which they have a crop, and how many of them show none."""
    gap = departure.level - _bare(departure.channel.own, params)
    seen = np.isfinite(departure.chosen) & (gap > 0.15)[:, None]
    lost = seen & (departure.level[:, None] - departure.chosen > 0.5 * gap[:, None])
    return seen.sum(axis=1), lost.sum(axis=1)


def _slope(departure: Departure, *, max_gap: int = 40) -> Floats:
    """How fast the peers' green rises or falls up to each look [1/day]: then farmers differ by their days."""
    out = np.zeros(len(departure.level))
    good = np.flatnonzero(np.isfinite(departure.level))
    if len(good) < 2:
        return out
    gap = np.diff(departure.channel.days[good])
    out[good[1:]] = np.where(gap <= max_gap, np.diff(departure.level[good]) / np.maximum(gap, 5), 0.0)
    return out


def _usual(departure: Departure, *, span_days: int = 420, lag_days: int = 50) -> Floats:
    """How far the parcel departs from its peers in ordinary times, as known before each look; 0 where not known yet."""
    days, size = departure.channel.days, np.minimum(np.abs(departure.value), 0.4)
    seen = np.isfinite(size)
    total = np.concatenate([[0.0], np.cumsum(np.where(seen, np.square(size), 0.0))])
    number = np.concatenate([[0], np.cumsum(seen)])
    low, high = np.searchsorted(days, days - span_days), np.searchsorted(days, days - lag_days, side="right")
    high = np.maximum(low, high)
    n = number[high] - number[low]
    return np.sqrt(np.where(n >= 5, (total[high] - total[low]) / np.maximum(n, 1), 0.0))


def _bare(own: Floats, params: CroppingParams) -> Floats:
    """Green of the parcel's own bare ground as known at each look: the lowest tenth of what was seen so far."""
    out = np.full(len(own), params.bare_high)
    good = np.flatnonzero(np.isfinite(own))
    for n in range(10, len(good)):
        if n % 10 == 0:
            low = np.quantile(own[good[:n]], 0.1)
            out[good[n] :] = np.clip(low, params.bare_low, params.bare_high)
    return out


def _normal(x: Floats, sd: Floats) -> Floats:
    return -0.5 * np.square(x / sd) - np.log(sd)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A crop that stood as its peers' did and withered or vanished before theirs. Numbers are positions of looks."""

    before: int
    """Last look with the crop in place."""
    first: int
    """First look without it."""
    alarm: int
    """Look on which it was certain enough."""
    score: float
    """Evidence on that look, after the parcel's habit [log odds]."""
    came_up: bool
    """Whether looks bear out that there was a crop. Without one it was not sown, or drowned as a seedling."""
    looks: tuple[int, ...]
    """Looks that bear it out."""
    unlike: float
    """Mean square departure from the peers in the three months before, in units of its ordinary size."""


@dataclass
class _Run:
    """Evidence since the crop was last there."""

    start: int
    seen: float = 0.0
    """Sum over optical looks."""
    heard: float = 0.0
    """Sum over radar looks."""
    bearing: list[int] = field(default_factory=list)
    """Looks that bear it out."""
    first_seen: int | None = None
    """The first of them that is optical."""
    had: float = 0.0
    """Evidence of a crop in this season before the first of them."""
    in_season: bool = False
    told: bool = False
    """That a crop is gone."""
    doubted: bool = False
    """That one is missing which may not have come up."""

    def sum(self, params: CroppingParams) -> float:
        """Evidence so far. Withered plants that still stand scatter as before: radar sees a failure, or never does."""
        radar = float(np.logaddexp(np.log(1 - params.blind) + self.heard, np.log(params.blind)))
        return max(self.seen + radar, 0.0)


@dataclass
class _Watch:
    """Goes over the looks in order of time."""

    witness: Witness
    params: CroppingParams
    run: _Run
    gone: float = 0.0
    there: float = 0.0
    most_there: float = 0.0
    tall: float = 0.0
    """Most green that the peers had lately [NDVI]."""
    last: int = 0

    def take(self, k: int) -> None:
        """Let look `k` count."""
        w, params = self.witness, self.params
        day, ratio, gap, optical = int(w.days[k]), float(w.ratio[k]), float(w.gap[k]), bool(w.sensor[k] == 0)
        if optical:
            recent = (w.sensor[: k + 1] == 0) & (w.days[: k + 1] > day - params.season_days)
            self.tall = float(w.gap[: k + 1][recent].max())
        if gap < (max(params.min_gap, params.turn_share * self.tall) if optical else params.min_gap):
            self.there = self.most_there = 0.0  # the peers' season ends: what was there before is another crop
        if self.gone <= 0 or day - self.last > params.forget_days:
            self.run = _Run(start=k)
        if abs(ratio) > 0.2:
            self.last = day
        if optical:
            self.run.seen += ratio
        else:
            self.run.heard += ratio
        self.gone = self.run.sum(params)
        self.there = max(self.there - float(w.up[k]), 0.0)
        if self.gone <= 0.5:
            self.most_there = max(self.most_there, self.there)
        self._bear(k, ratio, gap, optical)

    def _bear(self, k: int, ratio: float, gap: float, optical: bool) -> None:
        run = self.run
        if ratio >= (0.75 if optical else 0.4) and gap > 0.15:
            if not run.bearing:
                run.had = self.most_there
            if optical and run.first_seen is None:
                run.first_seen, run.in_season = k, gap >= self.params.mid_share * self.tall
                run.had = self.most_there  # nothing, where the peers' season has ended since
            run.bearing.append(k)
        elif optical and run.first_seen is not None and _still_low(self.witness, run.first_seen, k):
            run.bearing.append(k)

    def score(self, k: int) -> float:
        """Evidence that is left when the habit of the parcel or of its like could explain the looks too [log odds]."""
        own = habit_of(self.witness, self.run.start, self.params)
        habit = self.params.habit_looks * np.log(
            max(own, habit_of_peers(self.witness, int(self.witness.days[k]), self.params))
        )
        return -float(np.logaddexp(-self.gone, habit))

    def came_up(self, k: int) -> bool:
        """Whether looks up to `k` bear out that there was a crop and that it fell."""
        run, w, params = self.run, self.witness, self.params.came_up
        if run.first_seen is None or run.had < params.min_there:
            return False
        first = run.bearing[0]
        optical = w.sensor == 0
        start = season_start(w.days, w.gap, optical, first, self.params.min_gap, params.age_span_days)
        age = int(w.days[first] - w.days[start])
        if age < params.min_age_days:
            return False
        fell = fallen(
            *(w.own_days, w.own_green, int(w.days[run.first_seen]), int(w.days[k])),
            *(self.params.bare_low, self.params.bare_high, params),
        )
        if fell is not None:
            return fell
        told = np.arange(len(w.days))
        told = told[(told >= start) & (told < first) & (w.gap >= params.unseen_gap)]
        there = -w.up[told]
        return bool(
            age >= params.unseen_age_days and there.sum() >= params.unseen_there and there[optical[told]].sum() >= 0
        )

    def is_loss(self, k: int) -> bool:
        """Whether what is known on look `k` makes an alarm, if a crop had come up; see `find_failures`."""
        run, params = self.run, self.params
        return (
            not run.told
            and self.gone >= params.threshold
            and len(run.bearing) >= 2
            and bool(self.witness.days[k] - self.witness.days[run.bearing[0]] >= params.confirm_days)
            and run.in_season
            and run.first_seen is not None
            and float(self.witness.usual[run.first_seen]) <= params.most_usual
            and not _came_up_late(self.witness, run, k, params)
            and _unlike_before(self.witness, run.start) <= params.most_unlike
            and _has_history(self.witness, run.start, params)
            and habit_of_peers(self.witness, int(self.witness.days[k]), params) <= params.most_erratic
            and self.score(k) >= params.threshold
        )


def find_failures(witness: Witness, params: CroppingParams) -> tuple[Failure, ...]:
    """Crops that were there and are gone while the peers' still stand.

    A cumulative sum (Page 1954, doi:10.1093/biomet/41.1-2.100) of "gone" against "there" over the looks of all sensors,
    which starts anew with every look that shows a crop. What is asked of an alarm, beside a sum of `threshold`:

    1. the crop was up: looks of this season bear it out (else it was not sown, which is no failure);
    2. the parcel did as its peers in the months before (else it grows something else, or nothing);
    3. the first look without it fell in the peers' season, not at its end (else it was harvested early) nor while
       theirs still came up (else it is late);
    4. two looks bear it out: no single scene decides;
    5. the evidence outweighs the parcel's habit (`habit_of`): where crops come and go out of step with the neighbours',
       as with vegetables, an early harvest and a failure look alike.

    Where all but the first is so, the alarm is given with ``came_up`` False: no failure by itself, but if water was
    seen there just before, the seedlings drowned.
    """
    found: list[Failure] = []
    watch = _Watch(witness=witness, params=params, run=_Run(start=0))
    for k in range(len(witness.days)):
        watch.take(k)
        if watch.is_loss(k):
            run = watch.run
            came_up = watch.came_up(k)
            if run.doubted and not came_up:
                continue
            run.told, run.doubted = came_up, True
            before = max(run.start - 1, 0)
            found.append(
                Failure(
                    before=before,
                    first=run.bearing[0],
                    alarm=k,
                    score=watch.score(k),
                    came_up=came_up,
                    looks=tuple(run.bearing),
                    unlike=_unlike_before(watch.witness, run.start),
                )
            )
    return tuple(found)


def _came_up_late(witness: Witness, run: _Run, k: int, params: CroppingParams) -> bool:
    """Whether the peers were still coming up on the first look without a crop, as known on look `k`."""
    if run.first_seen is None:
        return True
    span = slice(run.first_seen, k + 1)
    tallest = float(np.max(witness.gap[span], where=witness.sensor[span] == 0, initial=0.0))
    return float(witness.gap[run.first_seen]) < params.grown_share * tallest


def _still_low(witness: Witness, first: int, k: int) -> bool:
    """Whether a look still shows what the first one did, though the peers may have been harvested since."""
    return (
        bool(witness.value[k] <= witness.level[first] - 0.5 * witness.gap[first])
        and witness.days[k] - witness.days[first] <= 60
    )


def _before(witness: Witness, day: int) -> NDArray[np.bool_]:
    """Optical looks up to a day at which the peers had a crop."""
    known: NDArray[np.bool_] = (witness.days < day) & (witness.gap > 0.15) & (witness.sensor == 0)
    return known


def _without_crop(witness: Witness) -> NDArray[np.bool_]:
    lost: NDArray[np.bool_] = witness.value - witness.level < -0.5 * witness.gap
    return lost


def habit_of(witness: Witness, start: int, params: CroppingParams, *, lag_days: int = 50) -> float:
    """Chance that a look shows no crop while the peers have one, though nothing happened [1].

    The mean of a beta distribution: what was seen up to `lag_days` before a look, and a few looks of any parcel.
    """
    return _habit(witness, int(witness.days[start]) - lag_days, params)


def _habit(witness: Witness, day: int, params: CroppingParams) -> float:
    known = _before(witness, day)
    odd = int((known & _without_crop(witness)).sum())
    return (params.habit_odd + odd) / (params.habit_odd + params.habit_even + int(known.sum()))


def habit_of_peers(witness: Witness, day: int, params: CroppingParams) -> float:
    """The same of the peers, by all looks up to a day: of crops that go out of step one more is no news [1]."""
    known = witness.peer_days <= day
    odd, alike = int(witness.odd[known].sum()), int(witness.alike[known].sum())
    return (params.habit_odd + odd) / (params.habit_odd + params.habit_even + alike)


def _has_history(witness: Witness, start: int, params: CroppingParams) -> bool:
    day = int(witness.days[start]) - 50
    own = int(_before(witness, day).sum())
    return own >= params.min_history and int(witness.alike[witness.peer_days < day].sum()) >= params.min_peer_looks


def strangeness(witness: Witness, begin: int, end: int, params: CroppingParams) -> float:
    """How unlike its peers a parcel was after day `begin` up to `end`, for its habit before [log].

    The mean square of its departures on optical looks in units of their ordinary size, either way: weeds may be greener
    than a crop. Less half the logarithm of how much more often than any parcel it had been without a crop before.
    """
    span = (witness.sensor == 0) & (witness.days > begin) & (witness.days <= end)
    unlike = float(np.mean(np.square(witness.unlike[span]))) if span.any() else 0.0
    any_parcel = params.habit_odd / (params.habit_odd + params.habit_even)
    return float(np.log(unlike + 0.1) - 0.5 * np.log(_habit(witness, begin + 1, params) / any_parcel))


def _unlike_before(witness: Witness, start: int) -> float:
    """Mean square departure from the peers in the three months before a look; infinite where there was none."""
    since = int(witness.days[start])
    before = (witness.days >= since - 90) & (witness.days < since)
    return float(np.mean(np.square(witness.unlike[before]))) if before.any() else float("inf")
