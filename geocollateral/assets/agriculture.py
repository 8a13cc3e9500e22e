"""Agriculture: what was grown, when it was harvested, and where a crop failed, stayed away or lost its ground.

Fields, meadows, orchards and greenhouses are all farm land. Only fields have crops that come up and are harvested; of
the others it is said what they are, and no season is made up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from geocollateral.assets.asset import ASSETS, AlertRule
from geocollateral.assets.cropping import CroppingParams
from geocollateral.assets.field_events import FieldView, crop_failures, idle_land, lost_ground, witness_of
from geocollateral.assets.field_record import Record, read_record
from geocollateral.assets.ground_loss import GroundParams
from geocollateral.assets.land_signs import NEEDED_BANDS
from geocollateral.assets.neighbours import NeighbourParams
from geocollateral.assets.phenology import PhenologyParams
from geocollateral.assets.planted import COLUMNS as PLANTED_COLUMNS
from geocollateral.assets.planted import PlantedParams, cannot_tell_planted, judge_planted
from geocollateral.assets.refusal import too_little
from geocollateral.assets.rhythm import RhythmParams
from geocollateral.assets.use_claim import UseParams, claims_of_use
from geocollateral.assets.vigour import Vigour, vigour_of
from geocollateral.registry import Registry
from geocollateral.types import Event, Hit, Judgement, Params, ParcelEvidence

GREEN = "ndvi"
Severity = Literal["low", "medium", "high"]


class AgricultureParams(Params):
    """Knobs of the judgement of farm land."""

    min_full_pixels: int = Field(8, ge=1, description="Fewest whole pixels a parcel may be judged on (JRC limit).")
    min_visible: float = Field(0.9, gt=0, le=1, description="Smallest share of a parcel inside the imagery [1].")
    min_look_fraction: float = Field(
        0.5, gt=0, le=1, description="Clear share of a parcel from which a look counts [1]."
    )
    min_looks: int = Field(12, ge=3, description="Fewest clear looks that tell how a parcel is used.")
    min_days: int = Field(200, ge=60, description="Shortest span of looks that tells how a parcel is used [days].")
    stale_days: int = Field(150, ge=30, description="Without a clear look for this long: cannot tell [days].")
    cropped_days: int = Field(400, ge=100, description="A field without a crop for longer is not under crop [days].")
    phenology: PhenologyParams = Field(PhenologyParams(), description="Curves and seasons.")
    neighbours: NeighbourParams = Field(NeighbourParams(), description="Choice of peers.")
    cropping: CroppingParams = Field(CroppingParams(), description="Test for a failed crop.")
    ground: GroundParams = Field(GroundParams(), description="Test for ground lost to farming.")
    rhythm: RhythmParams = Field(RhythmParams(), description="Test for land that is not worked any more.")
    planted: PlantedParams = Field(PlantedParams(), description="Share of the polygon that carries its crop.")
    use: UseParams = Field(UseParams(), description="Check of the claimed use or crop.")


@dataclass(frozen=True)
class Agriculture:
    """The asset class ``agriculture``."""

    name: str = "agriculture"
    indices: tuple[str, ...] = (GREEN, "ndmi", "mndwi")
    bands: tuple[str, ...] = ()
    optional: tuple[str, ...] = NEEDED_BANDS

    @property
    def monitoring(self) -> Sequence[Mapping[str, Mapping[str, Any]]]:
        """No pixel monitor: crops change every season, so parcels are compared with peers instead."""
        return ()

    def judge(self, evidence: ParcelEvidence, params: AgricultureParams) -> Judgement:
        """Seasons, use and events of one parcel."""
        refusal = _why_not(evidence, params)
        if refusal:
            told = claims_of_use(evidence, refusal, params.use, params.min_look_fraction)
            untold = _cannot_tell(refusal, evidence)
            return replace(untold, claims=(*untold.claims, *told))
        record = read_record(evidence, params.phenology, params.min_look_fraction)
        view = FieldView.of(evidence, params.neighbours, params.min_look_fraction)
        witness = witness_of(view, params.cropping)
        idle = idle_land(view, witness, evidence, params.rhythm, params.phenology, params.cropping)
        ground = lost_ground(view, evidence, params.ground)
        events = (
            *crop_failures(view, witness, evidence, params.cropping, params.phenology),
            *_first_to_know(idle, ground),
        )
        events = _without_doubles(sorted(events, key=lambda event: (event.detected_on, event.kind)), evidence)
        told = claims_of_use(evidence, "", params.use, params.min_look_fraction, record.crops)
        judgement = _judgement(evidence, record, events, vigour_of(record, view), params)
        return replace(judgement, claims=(*judgement.claims, *told))

    def hits(self, evidence: ParcelEvidence, judgement: Judgement, params: AgricultureParams) -> Sequence[Hit]:
        """What `RULES` fire on."""
        return [hit for rule in RULES.values() for hit in rule(evidence, judgement)]


RULES: Registry[AlertRule] = Registry("agriculture alert rule")
AGRICULTURE = Agriculture()
ASSETS.register(AGRICULTURE.name)(AGRICULTURE)


def _first_to_know(idle: Sequence[Event], ground: Sequence[Event]) -> list[Event]:
    """Cleared land is told by its rhythm or by its pixels, whichever knew first; never twice.

    Days alone decide, not areas that still grow, so that nothing said is taken back.
    """
    by_rhythm = min((e.detected_on for e in idle if e.kind == "land_preparation"), default=dt.date.max)
    by_pixels = min((e.detected_on for e in ground), default=dt.date.max)
    kept = [e for e in idle if e.kind != "land_preparation" or e.detected_on < by_pixels]
    return [*kept, *(e for e in ground if by_pixels <= by_rhythm or e.detected_on < by_rhythm)]


def _without_doubles(events: Sequence[Event], evidence: ParcelEvidence) -> tuple[Event, ...]:
    """Events that earlier ones do not explain: cleared land is not idle too, nor a failed crop a missed season.

    What explains must have been known by then, so that no event is taken back later.
    """
    half = 0.5 * float(evidence.area_m2.sum())
    cleared = [e.detected_on for e in events if e.kind in LASTING[1:] and e.area_low_m2 >= half]
    since = min(cleared, default=None)
    failed = [e.detected_on for e in events if e.kind in ("crop_failure", "flood")]

    def explained(event: Event) -> bool:
        if event.kind not in IDLE:
            return False
        if since is not None and since <= event.detected_on:
            return True
        lately = any(0 <= (event.detected_on - day).days <= FAILED_DAYS for day in failed)
        return event.kind == "missed_season" and lately

    return tuple(e for e in events if not explained(e))


def _why_not(evidence: ParcelEvidence, params: AgricultureParams) -> str:
    """Reason why the parcel cannot be judged, or nothing."""
    refusal = too_little(evidence, params.min_visible, params.min_full_pixels)
    if refusal:
        return refusal
    if evidence.series is None:
        return "There is no optical imagery: seasons are not told by radar alone."
    seen = evidence.look_days[evidence.look_fraction >= params.min_look_fraction]
    span = int((seen[-1] - seen[0]).astype(int)) if len(seen) else 0
    if len(seen) < params.min_looks or span < params.min_days:
        return (
            f"Too few clear looks: {len(seen)} over {span} days; {params.min_looks} over {params.min_days} days are "
            "needed to tell how the parcel is used."
        )
    last = seen[-1].astype(dt.date)
    if (evidence.as_of - last).days > params.stale_days:
        return (
            f"The last clear look is {(evidence.as_of - last).days} days old ({last}): what grows there is not known."
        )
    return ""


def _cannot_tell(reason: str, evidence: ParcelEvidence) -> Judgement:
    planted = cannot_tell_planted(evidence.attributes, reason)
    return Judgement(
        status="cannot_tell",
        reason=reason,
        columns=dict.fromkeys(COLUMNS),
        quantity=None,
        quantity_unit="ha",
        events=(),
        yearly=(),
        claims=() if planted is None else (planted,),
    )


COLUMNS: tuple[str, ...] = (
    "obs_use",
    "obs_cropped_m2",
    "obs_crops_per_year_n",
    "obs_last_emergence",
    "obs_last_harvest",
    "obs_last_peak_ndvi",
    "obs_vigour_z",
    "obs_vigour_own_frac",
    "chg_failed_m2",
    "chg_idle_since",
    "chg_flooded_m2",
    "chg_cleared_m2",
    *PLANTED_COLUMNS,
)
"""Columns of a parcel of farm land. ``obs_use`` is one of `USES`; dates are dates, None where there is none."""

FAILED_DAYS = 270
"""A season without its rhythm so soon after a failed crop is that crop's [days]."""
IDLE = ("abandonment", "missed_season")
LASTING = ("abandonment", "land_preparation", "encroachment")


def _judgement(
    evidence: ParcelEvidence,
    record: Record,
    events: tuple[Event, ...],
    vigour: Vigour,
    params: AgricultureParams,
) -> Judgement:
    whole = float(evidence.attributes["obs_area_m2"])
    taken = min(_area(events, "land_preparation", "encroachment"), whole)
    taken_high = min(sum(e.area_high_m2 for e in events if e.kind in LASTING[1:]), whole)
    idle = next((event for event in events if event.kind == "abandonment"), None)
    doubt = next((e for e in events if e.kind == "missed_season" and e.recovered_on is None), None)
    middle = 0.0 if idle or not record.in_use(evidence.as_of, params.cropped_days) else whole - taken
    low = 0.0 if doubt is not None and idle is None else min(middle, whole - taken_high)
    recent = [e for e in events if (evidence.as_of - e.first_clear_after).days <= params.cropped_days]
    last = record.last_harvested
    planted, claim = judge_planted(evidence, record, events, params.planted, params.phenology)
    columns: dict[str, Any] = {
        "obs_use": record.use,
        "obs_cropped_m2": middle if record.use == "field" else None,
        "obs_crops_per_year_n": record.crops_per_year,
        "obs_last_emergence": None if not record.crops else _date(record.crops[-1].emerged),
        "obs_last_harvest": None if last is None or last.ended is None else _date(last.ended),
        "obs_last_peak_ndvi": None if not record.crops else round(record.crops[-1].peak_value, 3),
        "obs_vigour_z": vigour.z,
        "obs_vigour_own_frac": vigour.own,
        "chg_failed_m2": _area(recent, "crop_failure"),
        "chg_idle_since": None if idle is None else idle.first_clear_after,
        "chg_flooded_m2": _area(recent, "flood"),
        "chg_cleared_m2": taken,
        **planted,
    }
    return Judgement(
        status="ok",
        reason=_in_words(evidence, record, events, vigour),
        columns=columns,
        quantity=(low / 1e4, middle / 1e4, max(whole - taken, middle) / 1e4 if idle is None else 0.0),
        quantity_unit="ha",
        events=events,
        yearly=record.yearly(evidence.as_of),
        claims=() if claim is None else (claim,),
        tables={"seasons": record.rows()},
    )


def _area(events: Sequence[Event], *kinds: str) -> float:
    return float(sum(event.area_m2 for event in events if event.kind in kinds))


def _in_words(evidence: ParcelEvidence, record: Record, events: tuple[Event, ...], vigour: Vigour) -> str:
    text = record.in_words(evidence.as_of)
    for event in events:
        text += f" {SAYINGS[event.kind].format(event=event, ha=event.area_m2 / 1e4)}"
    if not events:
        text += " No failed crop, missed season or lasting loss of ground found."
    return text + vigour.in_words()


SAYINGS: Mapping[str, str] = {
    "crop_failure": "A crop failed between {event.last_clear_before} and {event.first_clear_after} ({ha:.2f} ha).",
    "missed_season": "A season was missed from {event.first_clear_after} on; a single fallow year looks the same.",
    "abandonment": "No crop since {event.last_clear_before}: the same season was missed twice.",
    "flood": "Water took a crop between {event.last_clear_before} and {event.first_clear_after} ({ha:.2f} ha).",
    "land_preparation": "{ha:.2f} ha were cleared between {event.last_clear_before} and {event.first_clear_after}.",
    "encroachment": "{ha:.2f} ha were taken by works between {event.last_clear_before} and {event.first_clear_after}.",
}


# ---- alert rules


@RULES.register("crop_failure")
def crop_failure(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Every failed crop; severe by its share of the parcel. What speaks against it keeps it an early warning."""
    return [_hit_of_loss(evidence, event) for event in judgement.events if event.kind == "crop_failure"]


@RULES.register("flood")
def flood(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Every crop that water took; severe by its share of the parcel."""
    return [_hit_of_loss(evidence, event) for event in judgement.events if event.kind == "flood"]


@RULES.register("abandonment")
def abandonment(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Land without a crop in the same season of two years running."""
    return [_hit(evidence, e, "abandonment", "high") for e in judgement.events if e.kind == "abandonment"]


@RULES.register("missed_season")
def missed_season(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """One season without a crop: an early warning, since a fallow year begins alike."""
    found = [_hit(evidence, e, "missed_season", "low") for e in judgement.events if e.kind == "missed_season"]
    confirmed_by = ("abandonment", "land_preparation")
    return [replace(hit, operating_point="early_warning", leads_to=confirmed_by) for hit in found]


@RULES.register("land_preparation")
def land_preparation(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Most of a parcel cleared for something else than farming."""
    return [_hit(evidence, e, "land_preparation", "high") for e in judgement.events if e.kind == "land_preparation"]


@RULES.register("encroachment")
def encroachment(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """A part of a parcel cleared or built on."""
    return [
        _hit(evidence, e, "encroachment", "high" if _share(evidence, e) >= 0.2 else "medium")
        for e in judgement.events
        if e.kind == "encroachment"
    ]


def _hit_of_loss(evidence: ParcelEvidence, event: Event) -> Hit:
    share = _share(evidence, event)
    hit = _hit(evidence, event, event.kind, "high" if share >= 0.6 else "medium")
    return replace(hit, severity="low", operating_point="early_warning") if event.doubts else hit


def _share(evidence: ParcelEvidence, event: Event) -> float:
    return event.area_m2 / float(evidence.attributes["obs_area_m2"])


def _hit(
    evidence: ParcelEvidence,
    event: Event,
    rule: str,
    severity: Severity,
) -> Hit:
    return Hit(
        parcel_id=evidence.parcel_id,
        rule=rule,
        severity=severity,
        event=event,
        sensors=event.sensors,
        evidence={
            "share_of_parcel": round(_share(evidence, event), 4),
            "area_low_m2": round(event.area_low_m2, 1),
            "area_high_m2": round(event.area_high_m2, 1),
            "ndvi_magnitude": round(event.magnitude, 4),
        },
        reasons=event.reasons,
    )


def _date(day: int) -> dt.date:
    found: dt.date = np.datetime64(day, "D").astype(dt.date)
    return found


__all__ = ["AGRICULTURE", "COLUMNS", "RULES", "Agriculture", "AgricultureParams"]
