"""Events of fields, from a parcel's evidence: failed crops, and land that nobody works any more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from geocollateral.assets.cropping import (
    CroppingParams,
    Failure,
    Witness,
    find_failures,
    habit_of_peers,
    radar_green,
    strangeness,
    weigh,
)
from geocollateral.assets.failure_doubts import Missed, doubts_of
from geocollateral.assets.field_record import BARE, is_crop
from geocollateral.assets.ground_loss import GroundParams, Patch, find_lost_ground
from geocollateral.assets.neighbours import YEAR, Channel, Choice, NeighbourParams, choose, depart
from geocollateral.assets.phenology import PhenologyParams, despike, find_seasons, smooth
from geocollateral.assets.rhythm import Idle, RhythmParams, find_idle, share_of_rhythm
from geocollateral.assets.untilled import Look, Untilled, find_untilled, telling_looks, was_tilled
from geocollateral.types import Event, ParcelEvidence

Floats = NDArray[np.float64]
OWN_YEARS = 4
"""Earlier years of a parcel that may stand in for peers."""
NOISE_NDVI, NOISE_DB = 0.08, 1.2
"""What counts as one unit of difference between two curves."""
CERTAIN = 3.3
"""Evidence of a failed crop at which it is as likely as not [log odds]."""


@dataclass(frozen=True, kw_only=True)
class FieldView:
    """Looks at a parcel beside its peers, by channel."""

    optical: Channel
    radar: tuple[tuple[Channel, ...], ...]
    """Backscatter by orbit: its polarisations."""
    choice: Choice
    """Peers chosen by the past year."""
    neighbours: NeighbourParams
    water: Floats
    """MNDWI of the parcel, then of its peers, shape (look, 1 + peer) on the days of `optical`; NaN = not seen."""

    @classmethod
    def of(cls, evidence: ParcelEvidence, params: NeighbourParams, min_look_fraction: float) -> FieldView:
        """The view of a parcel that has an optical series."""
        optical = _optical(evidence, params, min_look_fraction)
        radar = tuple(
            tuple(
                _radar(orbit, band, looks.series, looks.peers, params, min_look_fraction)
                for band in ("vh", "vv")
                if band in looks.series["index"].values
            )
            for orbit, looks in sorted(evidence.radar.items())
        )
        every = [optical, *(channel for orbit in radar for channel in orbit)]
        choice = choose([c for c in every if len(c.days)], OWN_YEARS, params)
        water = _optical(evidence, params, min_look_fraction, WATER)
        return cls(
            optical=optical,
            radar=radar,
            choice=choice,
            neighbours=params,
            water=np.column_stack([water.own, water.peers]),
        )

    @property
    def channels(self) -> list[Channel]:
        """All of them, the optical one first."""
        return [self.optical, *(channel for orbit in self.radar for channel in orbit)]


def _optical(
    evidence: ParcelEvidence, params: NeighbourParams, min_look_fraction: float, index: str = "ndvi"
) -> Channel:
    assert evidence.series is not None  # noqa: S101 - the caller has refused parcels without
    days = evidence.look_days.astype(np.int64)
    own = _clear(evidence.series, index, min_look_fraction)
    if evidence.peers is None or evidence.peers.sizes["peer"] == 0:
        return Channel(
            name=index, sensor="sentinel-2", days=days, own=own, peers=np.zeros((len(days), 0)), noise=NOISE_NDVI
        )
    all_days = evidence.peers["time"].values.astype("datetime64[D]").astype(np.int64)
    peers = _clear(evidence.peers, index, min_look_fraction, params)
    whole = np.full(len(all_days), np.nan)
    whole[np.searchsorted(all_days, days)] = own
    return Channel(name=index, sensor="sentinel-2", days=all_days, own=whole, peers=peers, noise=NOISE_NDVI)


GREEN, WATER = "ndvi", "mndwi"
TABLE = ("mean", "valid_fraction")


def _radar(
    orbit: str,
    band: str,
    series: xr.Dataset,
    peers: xr.Dataset,
    params: NeighbourParams,
    min_look_fraction: float,
) -> Channel:
    days = series["time"].values.astype("datetime64[D]").astype(np.int64)
    return Channel(
        name=band,
        sensor=f"sentinel-1 {orbit}".strip(),
        days=days,
        own=_clear(series, band, min_look_fraction),
        peers=_clear(peers, band, min_look_fraction, params),
        noise=NOISE_DB,
    )


def _clear(table: xr.Dataset, index: str, least: float, params: NeighbourParams | None = None) -> Floats:
    """Means of an index where enough of the ground was seen; of peers, the nearest parcels and cells of ground."""
    names = table["index"].values.tolist()
    mean, seen = (_along_time(table[name], names.index(index) if index in names else 0) for name in TABLE)
    if index not in names:
        mean = np.full(mean.shape, np.nan)
    if params is not None:
        parcel = table["is_parcel"].values if "is_parcel" in table.coords else np.ones(mean.shape[1], bool)
        taken = np.concatenate([np.flatnonzero(parcel), np.flatnonzero(~parcel)])[: params.candidates]
        mean, seen = mean[:, taken], seen[:, taken]
    return np.where(seen >= least, mean, np.nan).astype(np.float64)


def _along_time(values: xr.DataArray, at: int) -> Floats:
    """One index of a table as array (time,) or (time, peer), whatever the order of its dimensions."""
    array = values.values
    order = [values.dims.index(name) for name in ("index", "time", "peer") if name in values.dims]
    return np.asarray(np.transpose(array, order)[at])


# ---- failed crops


def witness_of(view: FieldView, params: CroppingParams) -> Witness:
    """What each look of all sensors says of the parcel beside its peers."""
    greens = [view.optical, *(radar_green(view.optical, orbit, view.choice) for orbit in view.radar if orbit)]
    return weigh([depart(green, view.choice, OWN_YEARS, view.neighbours) for green in greens], params)


def crop_failures(
    view: FieldView, witness: Witness, evidence: ParcelEvidence, params: CroppingParams, phenology: PhenologyParams
) -> tuple[Event, ...]:
    """Crops that stood as the peers' did and vanished before theirs, and seedlings that drowned."""
    if not len(witness.days):
        return ()
    found: dict[int, Event] = {}
    for failure in find_failures(witness, params):
        if failure.first in found or not _was_field(view.optical, int(witness.days[failure.first]) - 30, phenology):
            continue  # what drowned as a seedling is not told again when later looks show that it had come up
        event = _failure(witness, failure, view, evidence, params)
        if event is not None:
            found[failure.first] = event
    return tuple(found.values())


def _was_field(optical: Channel, day: int, params: PhenologyParams) -> bool:
    """Whether the parcel had been both bare and green up to a day, as fields are."""
    known = optical.days <= day
    days, own = optical.days[known], optical.own[known]
    own = own[despike(days, own, params)]
    return len(own) >= 8 and bool(np.quantile(own, 0.05) <= BARE and np.quantile(own, 0.95) >= 0.45)


DROWNED_DAYS = 60
"""Water stood at most so long before the first look on which a crop that never came up was missed [days]."""


def _failure(
    witness: Witness, failure: Failure, view: FieldView, evidence: ParcelEvidence, params: CroppingParams
) -> Event | None:
    """None where the crop had not come up and no water is to blame: it was not sown, or is late.

    On a paddy water over seedlings is husbandry.
    """
    first = next(k for k in failure.looks if witness.sensor[k] == 0)
    fallen = float(witness.level[first] - witness.value[first])
    limit = float(witness.level[first] - 0.5 * witness.gap[first])
    days = [int(witness.days[k]) for k in failure.looks if witness.sensor[k] == 0]
    member, share = _pixels_below(evidence, days, limit)
    area = evidence.area_m2
    whole = float(area.sum())
    sensors = ("sentinel-2", "sentinel-1") if any(witness.sensor[k] for k in failure.looks) else ("sentinel-2",)
    last, gone, day = (int(witness.days[k]) for k in (failure.before, failure.first, first))
    water = _water(view, evidence, last if failure.came_up else day - DROWNED_DAYS, day)
    if not failure.came_up:
        if water is None or _is_paddy(view, water[0] - DROWNED_DAYS):
            return None
        last, gone = min(last, water[0]), max(gone, water[0])
    before, after = _date(last), _date(gone)
    doubts = _doubts(witness, failure, view, params) if failure.came_up else (NOT_SEEN_UP,)
    score = failure.score - params.doubts.doubt * len(doubts)
    return Event(
        kind="crop_failure" if water is None else "flood",
        last_clear_before=before,
        first_clear_after=max(after, before),
        detected_on=_date(witness.days[failure.alarm]),
        recovered_on=None,
        area_m2=share,
        area_low_m2=float(area[member].sum()) * 0.8,
        area_high_m2=whole,
        magnitude=-fallen,
        probability=1 / (1 + float(np.exp(CERTAIN - score))),
        indices=(GREEN,),
        pixels=tuple(np.flatnonzero(member).tolist()),
        sensors=sensors,
        reasons=(
            (
                f"On {_date(witness.days[first])} NDVI was {witness.value[first]:.2f} where parcels alike around it "
                f"stood at {witness.level[first]:.2f}; "
                + (f"until {before} the crop had come up with theirs." if failure.came_up else "it had not come up.")
            ),
            (
                f"{len(failure.looks)} looks up to {_date(witness.days[failure.alarm])} bear it out; the neighbours' "
                "crops stood, so it was not the weather that all had."
            ),
            *doubts,
            water[1]
            if water
            else "No look in that time showed water; one that came and went between two looks was missed.",
        ),
        doubts=doubts,
    )


def _doubts(witness: Witness, failure: Failure, view: FieldView, params: CroppingParams) -> tuple[str, ...]:
    first = next(k for k in failure.looks if witness.sensor[k] == 0)
    day = int(witness.days[first])
    at = int(np.searchsorted(view.choice.steps, day, side="right")) - 1
    around = view.optical.peers
    missed = Missed(
        day=day,
        alarm=int(witness.days[failure.alarm]),
        level=float(witness.level[first]),
        unlike=failure.unlike,
        days=view.optical.days,
        own=view.optical.own,
        around=around,
        member=view.choice.member[max(at, 0), : around.shape[1]],
    )
    return doubts_of(missed, params.bare_low, params.bare_high, params.doubts)


NOT_SEEN_UP = "No look showed a crop: whether seedlings drowned or nothing was sown is not certain."

WATER_DROP_DB = 2.5
"""Backscatter of both polarisations falls by this much more than the peers' where water lies over a crop [dB]."""


def _water(view: FieldView, evidence: ParcelEvidence, before: int, after: int) -> tuple[int, str] | None:
    """When and how water showed over the crop after one day and up to another; None if nothing did."""
    if evidence.indices is not None and WATER in evidence.indices:
        days = evidence.look_days.astype(np.int64)
        values = evidence.indices[WATER].values[(days > before) & (days <= after)]
        days = days[(days > before) & (days <= after)]
        for day, row in zip(days, values, strict=True):
            seen = np.isfinite(row)
            if seen.sum() >= 0.5 * len(row) and float(np.mean(row[seen] > 0)) >= 0.3:
                wet = float(np.mean(row[seen] > 0))
                return int(day), f"On {_date(day)} water stood on {wet:.0%} of the parcel (MNDWI above 0)."
    at = int(np.searchsorted(view.choice.steps, after, side="right")) - 1
    if at < 0:
        return None
    for orbit in view.radar:
        days = orbit[0].days
        for n in np.flatnonzero((days > before) & (days <= after)):
            lately = (days < days[n]) & (days >= days[n] - 60)
            drops = [_drop(channel, int(n), lately, view.choice.member[at]) for channel in orbit]
            if drops and all(drop <= -WATER_DROP_DB for drop in drops):
                return int(days[n]), (
                    f"On {_date(days[n])} its backscatter lay {-max(drops):.1f} dB lower than the neighbours' fell, as "
                    "over open water."
                )
    return None


def _is_paddy(view: FieldView, day: int) -> bool:
    """Whether water had stood on the parcel or on two of its peers up to a day: open water on a whole field."""
    at = int(np.searchsorted(view.choice.steps, day, side="right")) - 1
    if at < 0:
        return True
    wet = np.asarray((view.water[view.optical.days <= day] > 0).any(axis=0))
    alike = view.choice.member[at, : len(wet) - 1]
    return bool(wet[0] or (wet[1:] & alike).sum() >= 2)


def _drop(channel: Channel, n: int, lately: NDArray[np.bool_], member: NDArray[np.bool_]) -> float:
    """Change of backscatter against the last two months, less that of the peers [dB]; 0 where not known."""
    both = np.column_stack([channel.own, channel.peers[:, member[: channel.peers.shape[1]]]])
    usual = both[lately]
    known = np.isfinite(usual).any(axis=0) & np.isfinite(both[n])
    if not known[0] or known.sum() < 4:
        return 0.0
    change = both[n, known] - np.nanmedian(usual[:, known], axis=0)
    return float(change[0] - np.median(change[1:]))


def _pixels_below(evidence: ParcelEvidence, days: list[int], limit: float) -> tuple[NDArray[np.bool_], float]:
    """Pixels that were below a level on the median of some looks, and their area [m2]."""
    n = len(evidence.area_m2)
    everything = np.ones(n, bool)
    if evidence.indices is None or GREEN not in evidence.indices:
        return everything, float(evidence.area_m2.sum())
    at = np.flatnonzero(np.isin(evidence.look_days.astype(np.int64), days))
    values = evidence.indices[GREEN].values[at]
    seen = np.isfinite(values).any(axis=0)
    if not seen.any():
        return everything, float(evidence.area_m2.sum())
    middle = np.full(n, np.nan)
    middle[seen] = np.nanmedian(values[:, seen], axis=0)
    member = np.where(np.isfinite(middle), middle <= limit, True)
    if not member.any():
        member = everything
    return member, float(evidence.area_m2[member].sum())


# ---- land not worked


def idle_land(
    view: FieldView,
    witness: Witness,
    evidence: ParcelEvidence,
    params: RhythmParams,
    phenology: PhenologyParams,
    cropping: CroppingParams,
) -> tuple[Event, ...]:
    """A missed season, and the same season missed twice: by its rhythm or by ground left untilled, what knew first."""
    usable = [c for c in view.channels if len(c.days)]
    missed, _ = find_idle(usable, choose(usable, 0, view.neighbours, lag_days=400), params)
    # The second season tells sooner in a shorter span; a late crop would fill it, so one season is not told by it.
    firmly = params.model_copy(update={"window_days": params.firm_window_days})
    often = view.neighbours.model_copy(update={"step_days": params.step_days})
    choice = choose(usable, 0, often, lag_days=400)
    _, twice = find_idle(usable, choice, firmly)
    missed_seasons = [
        _idle(
            one,
            "missed_season",
            view,
            evidence,
            params,
            strangeness(witness, one.known_on - params.window_days, one.known_on, cropping),
        )
        for one in missed
        if _was_field(view.optical, one.known_on - 2 * params.window_days, phenology)
    ]
    found = list(missed_seasons)
    looks = telling_looks(view.optical, choice, params.untilled)
    if (
        twice is not None
        and was_tilled(looks, twice.known_on - YEAR - firmly.window_days, params.untilled)
        and _had_rhythm(view.optical, witness, twice.known_on - 400, params.most_erratic, phenology, cropping)
    ):
        kind = "land_preparation" if _stayed_bare(view.optical, twice.known_on, phenology, params) else "abandonment"
        strange = strangeness(witness, twice.known_on - YEAR, twice.known_on, cropping)
        found.append(_idle(twice, kind, view, evidence, firmly, strange))
    left = _left_untilled(looks, view, witness, choice, params, phenology, cropping)
    if left is not None and (len(found) == len(missed_seasons) or _date(left.known_on) < found[-1].detected_on):
        strange = strangeness(witness, left.known_on - YEAR, left.known_on, cropping)
        found = [*missed_seasons, _untilled(left, evidence, strange)]
    return tuple(found)


def _left_untilled(
    looks: Sequence[Look],
    view: FieldView,
    witness: Witness,
    choice: Choice,
    params: RhythmParams,
    phenology: PhenologyParams,
    cropping: CroppingParams,
) -> Untilled | None:
    """The first time that ground which had been worked was known to have missed two sowings of its peers."""
    for left in find_untilled(looks, params.untilled):
        day = left.known_on
        at = int(np.searchsorted(choice.steps, day, side="right")) - 1
        peers = np.flatnonzero(choice.member[at, : view.optical.peers.shape[1]])
        followed = share_of_rhythm([view.optical], peers, day - YEAR, day, params).value
        worked = _had_rhythm(view.optical, witness, day - 400, params.most_erratic, phenology, cropping)
        most = params.untilled.lasting_share if left.lasting else params.lost_share
        if worked and not followed >= most:
            return left
    return None


def _had_rhythm(
    optical: Channel,
    witness: Witness,
    day: int,
    most_erratic: float,
    phenology: PhenologyParams,
    cropping: CroppingParams,
) -> bool:
    """Whether crops had been harvested up to a day, as the peers' were and in step with them.

    Grass that was mown and trees that lose their leaves have ups and downs too, vegetables have ones of their own.
    """
    known = (optical.days <= day) & np.isfinite(optical.own)
    days, own = optical.days[known], optical.own[known]
    kept = despike(days, own, phenology)
    days, own = days[kept], own[kept]
    if not _was_field(optical, day, phenology):
        return False
    seasons = find_seasons(smooth(days, own, np.ones(len(days)), phenology), phenology)
    harvests = sum(season.ended is not None and is_crop(season) for season in seasons)
    return harvests >= 1 and habit_of_peers(witness, day, cropping) <= most_erratic


def _stayed_bare(optical: Channel, day: int, phenology: PhenologyParams, params: RhythmParams) -> bool:
    """Whether nothing grew for a year up to a day: land left alone is green with weeds, cleared land is not."""
    lately = (optical.days <= day) & (optical.days > day - 365)
    days, own = optical.days[lately], optical.own[lately]
    own = own[despike(days, own, phenology)]
    return len(own) >= params.min_looks and bool(np.quantile(own, 0.9) < params.bare_below)


MISSED_ODDS, TWICE_ODDS, ODDS_PER_UNIT = -2.2, 1.5, 1.5
"""Log odds of a missed season and of two for a parcel of no strangeness, and what a unit of it adds."""


def _idle(
    idle: Idle, kind: str, view: FieldView, evidence: ParcelEvidence, params: RhythmParams, strange: float
) -> Event:
    """The interval runs from the last day of a rhythm to the end of the first season without one."""
    end = idle.known_on - (0 if kind == "missed_season" else 365)
    begin = end - params.window_days
    seen = view.optical.days[np.isfinite(view.optical.own)]
    before = int(seen[seen <= begin][-1]) if (seen <= begin).any() else begin
    whole = float(evidence.area_m2.sum())
    share = max(idle.now.value, 0.0)
    odds = MISSED_ODDS if kind == "missed_season" else TWICE_ODDS
    return Event(
        kind=kind,
        last_clear_before=_date(before),
        first_clear_after=_date(end),
        detected_on=_date(idle.known_on),
        recovered_on=None if idle.resumed_on is None else _date(idle.resumed_on),
        area_m2=whole,
        area_low_m2=0.8 * whole,
        area_high_m2=whole,
        magnitude=share - 1.0,
        probability=1 / (1 + float(np.exp(-odds - ODDS_PER_UNIT * strange))),
        indices=(GREEN,),
        pixels=tuple(range(len(evidence.area_m2))),
        sensors=tuple(sorted({s for s in (idle.now.sensor, idle.then.sensor) if s})),
        reasons=(
            (
                f"In the {params.window_days} days to {_date(idle.known_on)} the parcel followed {share:.0%} of the "
                f"rise and fall of fields that were alike before ({max(idle.had.value, 0):.0%} earlier)."
            ),
            _how_long(idle, kind),
        ),
    )


def _untilled(left: Untilled, evidence: ParcelEvidence, strange: float) -> Event:
    """The interval runs from the last look on which the ground was worked to the first on which it was not."""
    whole = float(evidence.area_m2.sum())
    return Event(
        kind="abandonment",
        last_clear_before=_date(left.worked_on),
        first_clear_after=_date(left.missed_on),
        detected_on=_date(left.known_on),
        recovered_on=None,
        area_m2=whole,
        area_low_m2=0.8 * whole,
        area_high_m2=whole,
        magnitude=left.own - left.level,
        probability=1 / (1 + float(np.exp(-TWICE_ODDS - ODDS_PER_UNIT * strange))),
        indices=(GREEN,),
        pixels=tuple(range(len(evidence.area_m2))),
        reasons=(
            (
                f"On {_date(left.known_on)} NDVI was {left.own:.2f} where the ground of fields that were alike before "
                f"lay bare between two crops ({left.level:.2f}): weeds stood, it was not tilled."
            ),
            (
                f"It has not been bare with theirs since {_date(left.worked_on)}. A fallow year ends with tillage for "
                "the sowing a year later; this one was missed too."
            ),
        ),
    )


def _how_long(idle: Idle, kind: str) -> str:
    if kind == "missed_season":
        return "One season without a crop: a fallow year looks the same until the next season."
    return f"In the same season a year before: {max(idle.then.value, 0):.0%}. Two seasons without a crop."


# ---- ground lost


def lost_ground(view: FieldView, evidence: ParcelEvidence, params: GroundParams) -> tuple[Event, ...]:
    """Patches cleared or built on: most of a parcel is `land_preparation`, a part of it `encroachment`."""
    level = depart(view.optical, view.choice, OWN_YEARS, view.neighbours).level
    at = np.searchsorted(view.optical.days, evidence.look_days.astype(np.int64))
    return tuple(_loss(patch, evidence, params) for patch in find_lost_ground(evidence, level[at], params))


def _loss(patch: Patch, evidence: ParcelEvidence, params: GroundParams) -> Event:
    area = evidence.area_m2
    lost = float((patch.share * area).sum())
    whole = float(area.sum())
    core = patch.share >= 0.5
    before, after, known = _date(patch.last_green), _date(patch.first_bare), _date(patch.known_on)
    return Event(
        kind="land_preparation" if lost >= params.whole_share * whole else "encroachment",
        last_clear_before=min(before, after),
        first_clear_after=after,
        detected_on=known,
        recovered_on=None,
        area_m2=lost,
        area_low_m2=float((patch.share * area)[core].sum()),
        area_high_m2=float(area[patch.share > 0].sum()),
        magnitude=patch.departure,
        probability=0.9,
        indices=(GREEN,),
        pixels=tuple(np.flatnonzero(patch.member).tolist()),
        reasons=(
            (
                f"{lost / 1e4:.2f} ha ({lost / whole:.0%} of the parcel) have been bare on {patch.n_looks} looks from "
                f"{after} to {known}, on which the rest or the neighbours were green; last seen green {before}."
            ),
            "A harvest, a ploughing or a fallow year would have been green again by then.",
        ),
    )


def _date(day: int | np.integer) -> dt.date:
    found: dt.date = np.datetime64(int(day), "D").astype(dt.date)
    return found


__all__ = ["FieldView", "crop_failures", "idle_land", "lost_ground", "witness_of"]
