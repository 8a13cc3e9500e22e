"""Building sites: how far the works are, date by date, and when they started, stood still, were finished or pulled
down.

All is read from the stages of `assets.stages`. An event is found on what was known on the day of a look, so a later
run never
finds it earlier; its interval of dates is that of the smoother and may sharpen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets import site_start, stages, standstill
from geocollateral.assets.asset import ASSETS, AlertRule
from geocollateral.assets.claims import stated, untold
from geocollateral.assets.demolition import pulled_down
from geocollateral.assets.milestones import judge_works
from geocollateral.assets.refusal import SiteParams, day_of, why_not
from geocollateral.assets.site_plan import SeenProgress, judge_plan, plan_of
from geocollateral.assets.site_start import StartOdds, StartParams
from geocollateral.assets.stages import STAGES, StageParams, StagePath
from geocollateral.assets.standstill import StandstillParams, Stillness
from geocollateral.assets.works_beside import WorksBeside, in_words, judge_beside
from geocollateral.registry import Registry
from geocollateral.types import Event, Hit, Judgement, ParcelEvidence

Floats = NDArray[np.float64]
DAY = np.timedelta64(1, "D")
NAMES = tuple(STAGES)
VEGETATED, WATER, CLEARED, BUILDING, BUILT = range(5)
PROGRESS = np.array([0.0, 0.0, 0.1, 0.5, 1.0])
"""Progress that each stage stands for [0-1]: clearing is little of the works, a shell about half."""
SETTLING_DAYS = 60
"""After the start a site is still being cleared: it is not compared with itself of these days [days]."""
SMOOTH_LOOKS = 3
"""Looks whose mean stands for a date: one hazy look must not start or end a standstill."""
STOOD = 0.8
"""Mean probability of works over the first year from which a pixel has stood all the time."""
BAND = 1.64
"""Standard errors of an interval of 90 %."""
LIKE_PIXELS = 0.3
"""Correlation of the errors of two pixels of one parcel: they share looks, haze and geology."""
LEAST_ERROR = 0.04
"""Error of a stage share however sure the model is [1]."""
MISREAD: Mapping[str, tuple[float, float]] = {
    "progressing": (0.35, 0.50),
    "stalled": (0.35, 0.50),
    "built": (0.35, 0.05),
}
"""How far true progress may lie below and above the progress read, by state of the works [0-1].

The 5 % and 95 % quantiles of the error on the simulated world ``dev``: slabs, roofs and paving are told apart badly at
10 m, so that sites read as half done are sometimes complete, and old ones hold unfinished ground.
"""


class ConstructionParams(SiteParams):
    """Knobs of the judgement of a building site."""

    stages: StageParams = Field(StageParams(), description="Knobs of the stages of each pixel.")
    start: StartParams = Field(StartParams(), description="Knobs of the test for the start of works.")
    learn_days: int = Field(365, ge=0, description="History before works can be told from farming [days].")
    sure: float = Field(0.65, gt=0.5, lt=1, description="Probability from which a pixel counts as changed [1].")
    start_share: float = Field(0.3, gt=0, le=1, description="Share of the former land under works that is a start [1].")
    min_event_m2: float = Field(2500, gt=0, description="Smallest works reported, the minimum mapping unit [m2].")
    stall_days: int = Field(90, ge=30, description="Grace period: works without change for longer stand still [days].")
    standstill: StandstillParams = Field(StandstillParams(), description="Knobs of the comparison with itself.")
    min_open: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Open ground of a site whose standstill can be told; else it may be done [1].",
    )
    min_unfinished: float = Field(0.15, gt=0, le=1, description="Cleared and building share of an unfinished site [1].")
    min_demolished_m2: float = Field(1500, gt=0, description="Smallest demolition reported [m2].")
    min_beside_m2: float = Field(2500, gt=0, description="Smallest works told beside the polygon [m2].")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Stage shares of a parcel at its usable optical looks."""

    step: NDArray[np.int64]
    """Shape (look,): position in the path."""
    days: NDArray[np.datetime64]
    known: Floats
    """Shape (look, stage): as known on that day."""
    later: Floats
    """The same as known at ``as_of``."""
    error: Floats
    """Standard error of `later`."""

    def settled(self) -> Floats:
        """`known` averaged over each look and those just before it."""
        total = np.cumsum(self.known, axis=0)
        total[SMOOTH_LOOKS:] -= total[:-SMOOTH_LOOKS].copy()
        n = np.minimum(np.arange(len(total)) + 1, SMOOTH_LOOKS)
        return np.asarray(total / n[:, None], np.float64)

    @property
    def progress(self) -> Floats:
        """Shape (look,): progress of what is under works [0-1], as known at ``as_of``; 0 where nothing is."""
        return _progress(self.later)


@dataclass(frozen=True)
class Construction:
    """The asset class ``construction``."""

    name: str = "construction"
    indices: tuple[str, ...] = ("ndvi", "mndwi")
    bands: tuple[str, ...] = ("blue", "green", "red", "nir", "swir16")
    optional: tuple[str, ...] = ("nir08", "swir22")

    @property
    def monitoring(self) -> Sequence[Mapping[str, Mapping[str, Any]]]:
        """None: stages are followed on reflectance."""
        return ()

    def judge(self, evidence: ParcelEvidence, params: ConstructionParams) -> Judgement:
        """Stages, progress and events of one site."""
        refusal = why_not(evidence, params)
        if refusal:
            return _cannot_tell(refusal, evidence)
        path = stages.follow(evidence, params.stages)
        starts = find_starts(evidence, path, params)
        confirmed = next((event for event in starts if event.kind == "construction_start"), None)
        if confirmed is not None:
            path = _of_site(path, stages.follow(evidence, params.stages, confirmed.last_clear_before), confirmed)
        events = find_events(evidence, path, curve_of(path, params), starts, params)
        if confirmed is None:
            path = standing(path, events, params)
        curve = curve_of(path, params)
        beside = judge_beside(evidence, params.start, params.min_beside_m2)
        return _judgement(evidence, curve, events, beside)

    def hits(self, evidence: ParcelEvidence, judgement: Judgement, params: ConstructionParams) -> Sequence[Hit]:
        """What `RULES` fire on."""
        return [hit for rule in RULES.values() for hit in rule(evidence, judgement)]


RULES: Registry[AlertRule] = Registry("construction alert rule")
CONSTRUCTION = Construction()
ASSETS.register(CONSTRUCTION.name)(CONSTRUCTION)


def curve_of(path: StagePath, params: ConstructionParams) -> Curve:
    """Stage shares at the optical looks that saw enough of the parcel."""
    step = np.flatnonzero(path.optical & (path.fraction >= params.min_look_fraction))
    later = path.later[step]
    weight = path.area_m2 / path.area_m2.sum()
    doubt = np.stack([(p := later[:, :, list(of)].sum(axis=2)) * (1 - p) for of in STAGES.values()], axis=2)
    alone = np.einsum("lps,p->ls", doubt, weight**2)
    together = np.square(np.einsum("lps,p->ls", np.sqrt(np.maximum(doubt, 0)), weight))
    return Curve(
        step=step,
        days=path.days[step],
        known=_by_stage(path.shares(path.known[step])),
        later=_by_stage(path.shares(later)),
        error=np.sqrt(LEAST_ERROR**2 + alone + LIKE_PIXELS * together),
    )


def _by_stage(shares: Floats) -> Floats:
    return np.stack([shares[:, list(of)].sum(axis=1) for of in STAGES.values()], axis=1)


def _progress(shares: Floats) -> Floats:
    under = shares[..., CLEARED:].sum(axis=-1)
    return np.where(under > 0.1, (shares @ PROGRESS) / np.maximum(under, 0.1), 0.0)


def find_starts(evidence: ParcelEvidence, path: StagePath, params: ConstructionParams) -> list[Event]:
    """The start of works, and the first suspicion of it where that came sooner; none where works were never seen.

    1. The odds of `assets.site_start`: the parcel departs from ground that went along with it.
    2. The pixels of `assets.stages`: where no ground is alike, or works cover a part only.

    What is told sooner counts.
    """
    curve = curve_of(path, params)
    found = [event for event in (_start(path, curve, params),) if event is not None]
    odds = site_start.weigh(evidence, params.start, params.min_look_fraction)
    if odds is not None:
        confirmed = _told(odds, path, "construction_start", params.start.confirm, params)
        found += [] if confirmed is None else [confirmed]
    found = sorted(found, key=lambda event: event.detected_on)[:1]
    early = None if odds is None else _told(odds, path, "works_suspected", params.start.suspect, params)
    if early is not None and not (found and found[0].detected_on <= early.detected_on):
        found.insert(0, early)
    return found


def _of_site(before: StagePath, after: StagePath, start: Event) -> StagePath:
    """The path of a site, of which nobody knew until its start was told that it was one."""
    knew = (before.days >= np.datetime64(start.detected_on))[:, None, None]
    return replace(after, known=np.where(knew, after.known, before.known))


def standing(path: StagePath, events: Sequence[Event], params: ConstructionParams) -> StagePath:
    """The path of a parcel without a start: what was no land for its whole first year is built, until pulled down.

    Roofs of tiles and paving of stone look like soil, look by look; but open ground greens up within a year, and a
    site on which works go on changes.
    """
    late = path.days - path.days[0] >= np.timedelta64(params.learn_days, "D")
    first = path.optical & ~late
    if not late.any() or not first.any():
        return path
    was_built = path.known[first][:, :, stages.WORKS].sum(axis=2).mean(axis=0) >= STOOD
    stood = np.repeat(was_built[None, :], len(path.days), axis=0)
    known, later = stood & late[:, None], stood.copy()
    for event in events:
        if event.kind == "demolition":
            pixels = np.array(event.pixels, int)
            known[np.ix_(path.days >= np.datetime64(event.detected_on), pixels)] = False
            later[np.ix_(path.days > np.datetime64(event.last_clear_before), pixels)] = False
    return replace(path, known=_as_built(path.known, known), later=_as_built(path.later, later))


def _as_built(probability: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    found = probability.copy()
    unfinished = slice(stages.CLEARED, stages.STRUCTURE + 1)
    found[where, stages.PAVED] += found[where, unfinished].sum(axis=1)
    found[where, unfinished] = 0
    return found


def _told(odds: StartOdds, path: StagePath, kind: str, least: float, params: ConstructionParams) -> Event | None:
    """A start by the odds of `assets.site_start`; None where there is none or the parcel was hardly land before."""
    n = site_start.first_from(odds, least)
    if n is None:
        return None
    before, after = (_date(day) for day in site_start.onset(odds, n))
    looked = np.flatnonzero(path.optical & (path.days <= np.datetime64(before)))
    land = path.known[looked, :, stages.LAND].max(axis=0) if len(looked) else np.zeros(len(path.area_m2))
    was_land = float(path.area_m2[land > 0.8].sum())
    share = site_start.share_of(odds, n)
    area = share * was_land
    if area < params.min_event_m2 or was_land < params.start_share * path.area_m2.sum():
        return None
    told = _date(int(odds.days[n]))
    since = (odds.days[: n + 1] >= np.datetime64(after).astype(np.int64)) & np.isfinite(odds.moves[: n + 1, 0])
    n_optical = int((since & odds.optical[: n + 1]).sum())
    n_radar = int(since.sum()) - n_optical
    sensors = tuple(name for name, count in (("sentinel-2", n_optical), ("sentinel-1", n_radar)) if count)
    return Event(
        kind=kind,
        last_clear_before=before,
        first_clear_after=after,
        detected_on=told,
        recovered_on=None,
        area_m2=area,
        area_low_m2=0.5 * area,
        area_high_m2=float(path.area_m2.sum()),
        magnitude=float(area / path.area_m2.sum()),
        probability=float(odds.probability[n]),
        indices=("ndvi", "ndmi", "mndwi", "nbr", "vv", "vh"),
        pixels=(),
        sensors=sensors or ("sentinel-2",),
        reasons=(
            (
                f"Since {before} to {after} the parcel departs from ground nearby that had gone along with it: "
                f"{n_optical} optical and {n_radar} radar looks bear it out (probability "
                f"{odds.probability[n]:.3f}); about {area / 1e4:.2f} ha."
            ),
            (
                "Optical looks compare the parcel with open ground, foundations and roofs; radar sees worked ground "
                f"and walls. Told on {told}."
            ),
        ),
    )


def _date(day: int) -> dt.date:
    return day_of(np.datetime64(day, "D"))


def find_events(
    evidence: ParcelEvidence, path: StagePath, curve: Curve, starts: Sequence[Event], params: ConstructionParams
) -> tuple[Event, ...]:
    """Start, standstills, end and demolition, by date."""
    found: list[Event] = list(starts)
    start = next((event for event in starts if event.kind == "construction_start"), None)
    if start is not None:
        found.extend(_stalls(evidence, path, curve, start, params))
        found.extend(_finished(path, curve, start, params))
    else:
        # On a site that was started the ground changes for other reasons.
        found.extend(_demolition(evidence, path, params))
    return tuple(sorted(found, key=lambda event: (event.detected_on, event.kind)))


def _start(path: StagePath, curve: Curve, params: ConstructionParams) -> Event | None:
    """First look on which enough of what was land is under works.

    The first year is learnt from: before the season was seen once, a bare field and a cleared one look alike.
    """
    was_land = np.maximum.accumulate(path.known[curve.step, :, stages.LAND], axis=0) > 0.8
    works = path.known[curve.step][:, :, stages.WORKS].sum(axis=2)
    mask = was_land & (works >= params.sure) & _season_known(curve.days, works, path.days[0], params)
    area = mask @ path.area_m2
    fit = (area >= params.min_event_m2) & (area >= params.start_share * path.area_m2.sum())
    if not fit.any():
        return None
    n = int(np.argmax(fit))
    member = mask[n]
    before, after = _interval(path, curve, n, member)
    unsure = was_land[n] & (works[n] >= 0.5)
    sure = was_land[n] & (works[n] >= 0.9)
    over = _part(path.later[curve.step], stages.WORKS, path.area_m2, member)
    back = [day for day, share in zip(curve.days[n:], over[n:], strict=True) if share < 0.2]
    return Event(
        kind="construction_start",
        last_clear_before=before,
        first_clear_after=after,
        detected_on=day_of(curve.days[n]),
        recovered_on=day_of(back[0]) if back and over[-1] < 0.2 else None,
        area_m2=float(area[n]),
        area_low_m2=float(path.area_m2[sure & member].sum()),
        area_high_m2=float(path.area_m2[unsure | member].sum()),
        magnitude=float(area[n] / path.area_m2.sum()),
        probability=float(np.average(works[n][member], weights=path.area_m2[member])),
        indices=("stages",),
        pixels=tuple(np.flatnonzero(member).tolist()),
        sensors=_sensors(path),
        reasons=(
            (
                f"{area[n] / 1e4:.2f} ha that were land before, {area[n] / path.area_m2.sum():.0%} of the parcel, "
                f"are open ground, "
                "foundations or buildings, unlike the same season in earlier years and like parcels nearby."
            ),
            f"Last clear look as land {before}, first under works {after}; told on {day_of(curve.days[n])}.",
        ),
    )


def _season_known(
    days: NDArray[np.datetime64], works: NDArray[np.float32], first: np.datetime64, params: ConstructionParams
) -> NDArray[np.bool_]:
    """Pixels that left the land after a year of looks, or more than a year ago; shape (look, pixel)."""
    look = np.arange(len(days))[:, None]
    left = np.minimum(np.maximum.accumulate(np.where(works < 0.5, look, -1), axis=0) + 1, look)
    since = days[left]
    learnt = np.timedelta64(params.learn_days, "D")
    return np.asarray((since - first >= learnt) | (days[:, None] - since >= learnt))


def _interval(path: StagePath, curve: Curve, n: int, member: NDArray[np.bool_]) -> tuple[dt.date, dt.date]:
    """Looks between which the member pixels left the land, as known at ``as_of``; the look that told it at the
    latest.
    """
    over = _part(path.later[curve.step[: n + 1]], stages.WORKS, path.area_m2, member)
    still_land = np.flatnonzero(over[:n] < 0.1)
    last = int(still_land[-1]) if len(still_land) else 0
    # In its bare season a field and a cleared site look alike: the start lies in all of the time of doubt.
    under = np.flatnonzero(over[: n + 1] < 0.9)
    return day_of(curve.days[last]), day_of(curve.days[min(int(under[-1]) + 1 if len(under) else 0, n)])


def _part(probability: NDArray[np.float32], state: slice, area: Floats, member: NDArray[np.bool_]) -> Floats:
    """Share of the member pixels' area in some states, by look."""
    weight = area[member] / area[member].sum()
    return np.asarray(probability[:, member, state].sum(axis=2) @ weight, np.float64)


def _stalls(
    evidence: ParcelEvidence, path: StagePath, curve: Curve, start: Event, params: ConstructionParams
) -> list[Event]:
    """Times in which an unfinished site did not change for longer than the grace period: suspected on one look,
    confirmed on several running. Both are dated by the first of these looks.
    """
    begun = np.datetime64(start.first_clear_after)
    still = standstill.compare(evidence, begun, params.standstill)
    is_still, goes_on = still.is_still(params.standstill), still.goes_on(params.standstill)
    found: list[Event] = []
    run, changed, first = 0, 0, -1  # looks running that were still or changed; position of the first event of this time
    since = 0  # first look of the run
    for n, day in enumerate(still.days.astype("datetime64[D]")):
        is_open = _open_on(curve, day) >= params.min_open
        changed = changed + 1 if goes_on[n] else 0
        late_enough = day - begun >= np.timedelta64(params.stall_days + SETTLING_DAYS, "D")
        run = run + 1 if is_still[n] and late_enough and is_open else 0
        since = n if run == 1 else since
        if first >= 0 and changed >= 2:
            found[first:] = [replace(event, recovered_on=day_of(day)) for event in found[first:]]
            first = -1
        elif first < 0 and run:
            first = len(found)
            rest = standstill.began(still, since, begun, params.standstill)
            found.append(_stall("stall_suspected", path, curve, still, n, rest, params))
        elif first == len(found) - 1 and run == params.standstill.confirm_looks:
            rest = standstill.began(still, since, begun, params.standstill)
            found.append(_stall("stall", path, curve, still, n, rest, params))
    return found


def _open_on(curve: Curve, day: np.datetime64) -> float:
    """Share of open ground at the last look up to a day, as known then [0-1]."""
    n = int(np.searchsorted(curve.days, day, side="right")) - 1
    return float(curve.settled()[n, CLEARED]) if n >= 0 else 0.0


def _stall(
    kind: str,
    path: StagePath,
    curve: Curve,
    still: Stillness,
    n: int,
    rest: tuple[np.datetime64, np.datetime64],
    params: ConstructionParams,
) -> Event:
    days = still.days.astype("datetime64[D]")
    then = max(int(np.searchsorted(days, days[n] - params.stall_days * DAY, side="right")) - 1, 0)
    look = max(int(np.searchsorted(curve.days, days[n], side="right")) - 1, 0)
    shares = curve.settled()[look]
    whole = float(path.area_m2.sum())
    area = float(shares[CLEARED] + shares[BUILDING]) * whole
    error = float(np.hypot(curve.error[look, CLEARED], curve.error[look, BUILDING]) * BAND * whole)
    witnesses = "radar had no look to compare" if np.isnan(still.radar[n]) else "radar sees no new walls or earthworks"
    return Event(
        kind=kind,
        last_clear_before=day_of(rest[0]),
        first_clear_after=day_of(rest[1]),
        detected_on=day_of(days[n]),
        recovered_on=None,
        area_m2=area,
        area_low_m2=max(area - error, 0.0),
        area_high_m2=min(area + error, whole),
        magnitude=float(max(still.optical[n], 0.0)),
        probability=0.9 if kind == "stall" else 0.5,
        indices=("stages",),
        pixels=(),
        sensors=_sensors(path),
        reasons=(
            (
                f"On {day_of(days[n])} the site looks as it did about {day_of(days[then])}: its bright and dark places "
                f"are the same ({np.clip(still.likeness[n], 0, 1):.0%} alike), nothing was dug, paved or roofed since, "
                f"and {witnesses}. Work ended between {day_of(rest[0])} and {day_of(rest[1])}; rest of up to "
                f"{params.stall_days} days is normal on a site."
            ),
            (
                f"{area / whole:.0%} of the parcel is open ground or unfinished building; progress stands at about "
                f"{float(_progress(shares)):.0%}. Works inside walls are not seen."
            ),
        ),
    )


def _finished(path: StagePath, curve: Curve, start: Event, params: ConstructionParams) -> list[Event]:
    """First look after the start from which hardly anything is open or unfinished."""
    shares, days = curve.settled(), curve.days
    under = shares[:, CLEARED:].sum(axis=1)
    left = shares[:, CLEARED] + shares[:, BUILDING]
    fit = (left <= params.min_unfinished) & (shares[:, BUILT] >= 0.5) & (under >= 0.5)
    fit &= days > np.datetime64(start.detected_on)
    if not fit.any():
        return []
    n = int(np.argmax(fit))
    area = float(shares[n, BUILT] * path.area_m2.sum())
    error = float(BAND * curve.error[n, BUILT] * path.area_m2.sum())
    return [
        Event(
            kind="construction_finished",
            last_clear_before=day_of(days[max(n - 1, 0)]),
            first_clear_after=day_of(days[n]),
            detected_on=day_of(days[n]),
            recovered_on=None,
            area_m2=area,
            area_low_m2=max(area - error, 0.0),
            area_high_m2=min(area + error, float(path.area_m2.sum())),
            magnitude=float(shares[n, BUILT]),
            probability=float(np.clip(shares[n, BUILT], 0, 1)),
            indices=("stages",),
            pixels=(),
            sensors=_sensors(path),
            reasons=(
                (
                    f"On {day_of(days[n])} {shares[n, BUILT]:.0%} of the parcel is roofed or paved and "
                    f"{left[n]:.0%} open or unfinished. "
                    "Seen from above at 10 m: floors, fittings and use cannot be told."
                ),
            ),
        )
    ]


def _demolition(evidence: ParcelEvidence, path: StagePath, params: ConstructionParams) -> list[Event]:
    return pulled_down(evidence, path, params.min_demolished_m2, params.min_look_fraction)


def _judgement(
    evidence: ParcelEvidence, curve: Curve, events: tuple[Event, ...], beside: WorksBeside | None
) -> Judgement:
    now, error = curve.later[-1], curve.error[-1]
    low, high = np.clip(now - BAND * error, 0, 1), np.clip(now + BAND * error, 0, 1)
    progress, half = float(curve.progress[-1]), _progress_error(curve)[-1]
    hectares = float(evidence.attributes["obs_area_m2"]) / 1e4
    state = status_of(curve, events)
    below, above = (max(float(half), limit) for limit in MISREAD.get(state, (0.0, 0.0)))
    band = (max(progress - below, 0.0), progress, min(progress + above, 1.0))
    columns: dict[str, Any] = {"obs_status": state, "obs_progress_frac": progress}
    columns |= {"obs_progress_low_frac": band[0], "obs_progress_high_frac": band[2]}
    for name, k in zip(NAMES, range(len(NAMES)), strict=True):
        columns[f"obs_{name}_share_frac"] = float(now[k])
    columns |= {
        "chg_started_on": _first(events, "construction_start"),
        "chg_stalled_since": _open_stall(events),
        "chg_finished_on": _first(events, "construction_finished"),
        "chg_beside_works_m2": None if beside is None else beside.area_m2,
        "chg_beside_since": None if beside is None else beside.since,
    }
    plan = judge_plan(plan_of(evidence.attributes), seen_of(curve, events, band, state), len(evidence.area_m2))
    if plan is not None:
        columns["obs_plan_state"] = plan.observed
    works = judge_works(
        evidence.attributes,
        None if state == "demolished" else band,
        state.replace("_", " "),
        begun=state != "not_started",
        why_not="Buildings were pulled down, and what stands there since is not told from rubble.",
        n_looks=len(curve.days),
        n_pixels=len(evidence.area_m2),
    )
    return Judgement(
        status="ok",
        reason=f"{_in_words(curve, events, state, band, columns)} {in_words(beside)}",
        columns=columns,
        quantity=(float(low[BUILT]) * hectares, float(now[BUILT]) * hectares, float(high[BUILT]) * hectares),
        quantity_unit="ha",
        events=events,
        yearly=(),
        claims=(*works, *stated(plan)),
        tables={"stages": _rows(curve)},
    )


def _progress_error(curve: Curve) -> Floats:
    """Half-width of the interval of progress [0-1], by look."""
    under = np.maximum(curve.later[:, CLEARED:].sum(axis=1), 0.2)
    lever = np.abs(PROGRESS[None, :] - curve.progress[:, None])
    found = BAND * np.sqrt(np.square(lever * curve.error)[:, CLEARED:].sum(axis=1)) / under
    return np.where(curve.later[:, CLEARED:].sum(axis=1) > 0.1, found, BAND * curve.error[:, VEGETATED])


def status_of(curve: Curve, events: tuple[Event, ...]) -> str:
    """``not_started``, ``progressing``, ``stalled``, ``finished``, ``built`` (before the first look) or
    ``demolished``.
    """
    if any(event.kind == "demolition" for event in events):
        return "demolished"
    if _open_stall(events) is not None:
        return "stalled"
    if _first(events, "construction_finished") is not None:
        return "finished"
    if _first(events, "construction_start") is not None:
        return "progressing"
    shares = curve.settled()[-1]
    return "built" if shares[BUILT] >= 0.5 else "not_started"


def seen_of(curve: Curve, events: tuple[Event, ...], band: tuple[float, float, float], state: str) -> SeenProgress:
    """What a plan is compared with."""
    starts = [event for event in events if event.kind == "construction_start"]
    return SeenProgress(
        day=day_of(curve.days[-1]),
        since=day_of(curve.days[0]),
        n_looks=len(curve.days),
        started=(starts[0].last_clear_before, starts[0].first_clear_after) if starts else None,
        progress=band,
        state=state,
    )


def _in_words(
    curve: Curve, events: tuple[Event, ...], state: str, band: tuple[float, float, float], columns: Mapping[str, Any]
) -> str:
    now, day = curve.later[-1], day_of(curve.days[-1])
    shares = ", ".join(f"{name} {value:.0%}" for name, value in zip(NAMES, now, strict=True) if value >= 0.05)
    words = {
        "not_started": "No works seen.",
        "built": "Built before the first look; no new works seen.",
        "progressing": f"Works started by {columns['chg_started_on']} and go on: progress {band[1]:.0%} "
        f"({band[0]:.0%} to "
        f"{band[2]:.0%}).",
        "stalled": f"Works stand still since {columns['chg_stalled_since']} at the latest: progress {band[1]:.0%} "
        f"({band[0]:.0%} to "
        f"{band[2]:.0%}).",
        "finished": f"Roofed and paved by {columns['chg_finished_on']}, as far as seen from above.",
        "demolished": "Buildings were pulled down: "
        + " ".join(r for e in events if e.kind == "demolition" for r in e.reasons[:1]),
    }
    return f"{words[state]} On {day}: {shares}. Floors and works inside cannot be seen at 10 m."


def _rows(curve: Curve) -> tuple[Mapping[str, Any], ...]:
    half = _progress_error(curve)
    progress = curve.progress
    return tuple(
        {
            "date": day_of(day).isoformat(),
            **{name: round(float(value), 4) for name, value in zip(NAMES, curve.later[n], strict=True)},
            **{f"{name}_known": round(float(value), 4) for name, value in zip(NAMES, curve.known[n], strict=True)},
            **{f"{name}_error": round(float(value), 4) for name, value in zip(NAMES, curve.error[n], strict=True)},
            "progress": round(float(progress[n]), 4),
            "progress_low": round(max(float(progress[n] - half[n]), 0.0), 4),
            "progress_high": round(min(float(progress[n] + half[n]), 1.0), 4),
        }
        for n, day in enumerate(curve.days)
    )


def _first(events: Sequence[Event], kind: str) -> dt.date | None:
    return next((event.first_clear_after for event in events if event.kind == kind), None)


def _open_stall(events: Sequence[Event]) -> dt.date | None:
    finished = any(event.kind == "construction_finished" for event in events)
    stalls = [event for event in events if event.kind == "stall" and event.recovered_on is None]
    return stalls[-1].first_clear_after if stalls and not finished else None


def _hit(evidence: ParcelEvidence, event: Event, rule: str, severity: Literal["low", "medium", "high"]) -> Hit:
    return Hit(
        parcel_id=evidence.parcel_id,
        rule=rule,
        severity=severity,
        event=event,
        sensors=event.sensors,
        evidence={
            "area_low_m2": round(event.area_low_m2, 1),
            "area_high_m2": round(event.area_high_m2, 1),
            "share_of_parcel": round(event.area_m2 / float(evidence.area_m2.sum()), 4),
            "recovered_on": None if event.recovered_on is None else event.recovered_on.isoformat(),
        },
        reasons=event.reasons,
    )


@RULES.register("construction_start")
def construction_start(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Works started: expected on a pledged site, a milestone rather than a loss."""
    return [_hit(evidence, e, "construction_start", "low") for e in judgement.events if e.kind == "construction_start"]


@RULES.register("works_suspected")
def works_suspected(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Works seem to have started: an early warning, which later looks confirm or not."""
    found = [_hit(evidence, e, "works_suspected", "low") for e in judgement.events if e.kind == "works_suspected"]
    return [replace(hit, operating_point="early_warning", leads_to=("construction_start",)) for hit in found]


@RULES.register("stall_suspected")
def stall_suspected(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """A look shows no change since the grace period began: an early warning, which later looks confirm or not."""
    found = [_hit(evidence, e, "stall_suspected", "medium") for e in judgement.events if e.kind == "stall_suspected"]
    return [replace(hit, operating_point="early_warning", leads_to=("construction_stall",)) for hit in found]


@RULES.register("construction_stall")
def construction_stall(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Works stand still in an unfinished stage on several looks running. Works inside walls are not seen."""
    return [_hit(evidence, e, "construction_stall", "high") for e in judgement.events if e.kind == "stall"]


@RULES.register("demolition")
def demolition(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Buildings that stood are gone."""
    return [_hit(evidence, e, "demolition", "high") for e in judgement.events if e.kind == "demolition"]


def _cannot_tell(reason: str, evidence: ParcelEvidence) -> Judgement:
    names = ("obs_status", "obs_progress_frac", *(f"obs_{name}_share_frac" for name in NAMES))
    plan = plan_of(evidence.attributes)
    return Judgement(
        status="cannot_tell",
        reason=reason,
        columns=dict.fromkeys(names),
        quantity=None,
        quantity_unit="ha",
        events=(),
        yearly=(),
        claims=(
            *judge_works(evidence.attributes, None, "", why_not=reason),
            *(() if plan is None else (untold("plan", plan.in_words(), reason),)),
        ),
    )


def _sensors(path: StagePath) -> tuple[str, ...]:
    return ("sentinel-2",) if path.optical.all() else ("sentinel-2", "sentinel-1")


__all__ = ["CONSTRUCTION", "RULES", "Construction", "ConstructionParams"]
