"""Aquaculture: how much of the parcel is water, and whether its ponds were drained for good.

Ponds are drained for harvest and dried for some weeks as a matter of course; that is business, and said as an early
warning only. Only water that stays away beyond the grace period is a loss. Ice, algae and mud in the water are water.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets.asset import ASSETS, AlertRule
from geocollateral.assets.claims import judge_share, stated
from geocollateral.assets.frame import date_of, numbers_of
from geocollateral.assets.refusal import too_little
from geocollateral.assets.water import RADAR, WaterLooks, WaterParams, water_looks, water_pixels
from geocollateral.registry import Registry
from geocollateral.types import ClaimCheck, Event, Hit, Judgement, Params, ParcelEvidence

DRY, WET = 0.9, 0.1
"""Probability of "dry" from which a pond is dry, and up to which it is filled; between them it stays what it was."""
INDEX = "mndwi"


class AquacultureParams(Params):
    """Knobs of the judgement of ponds."""

    min_full_pixels: int = Field(8, ge=1, description="Fewest whole pixels a parcel may be judged on (JRC limit).")
    min_visible: float = Field(0.9, gt=0, le=1, description="Smallest share of a parcel inside the imagery [1].")
    grace_days: int = Field(
        60, ge=0, description="A pond may lie dry for so long between two stockings: no loss yet [days]."
    )
    radar_grace_days: int = Field(
        90, ge=0, description="The same where no optical look has seen it dry: ice can look so to radar [days]."
    )
    min_dry_looks: int = Field(3, ge=2, description="Fewest looks that show it dry.")
    min_event_m2: float = Field(1000, gt=0, description="Smallest water area whose loss is reported [m2].")
    stale_days: int = Field(120, ge=30, description="Without any look for this long: cannot tell [days].")
    recent_days: int = Field(180, ge=30, description="Looks of these last days tell the water of today [days].")
    water: WaterParams = Field(WaterParams(), description="Knobs of the water of a parcel.")


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """A time in which the ponds lay dry. Positions are those of looks."""

    last_wet: int
    first_dry: int
    noticed: int
    """Look on which dry became likelier than `DRY`."""
    confirmed: int | None
    """First dry look after the grace period; None = not yet, or filled again before."""
    refilled: int | None


@dataclass(frozen=True)
class Aquaculture:
    """The asset class ``aquaculture``."""

    name: str = "aquaculture"
    indices: tuple[str, ...] = (INDEX,)
    bands: tuple[str, ...] = ("green", "red", "nir", "swir16")
    optional: tuple[str, ...] = ()

    @property
    def monitoring(self) -> Sequence[Mapping[str, Mapping[str, Any]]]:
        """No index is monitored by itself: water has its own looks of both sensors."""
        return ()

    def judge(self, evidence: ParcelEvidence, params: AquacultureParams) -> Judgement:
        """Water area, drained ponds and what has become of them."""
        looks = water_looks(evidence, params.water)
        refusal = _why_not(evidence, looks, params)
        if refusal:
            return _cannot_tell(refusal, evidence)
        runs = find_dry_runs(looks, params)
        return _judgement(evidence, looks, runs, params)

    def hits(self, evidence: ParcelEvidence, judgement: Judgement, params: AquacultureParams) -> Sequence[Hit]:
        """What `RULES` fire on, and an early warning of ponds that lie dry and may yet be filled again."""
        found = [hit for rule in RULES.values() for hit in rule(evidence, judgement)]
        open_loss = any(event.recovered_on is None for event in judgement.events)
        if judgement.status == "ok" and judgement.columns["chg_pond_state"] == "dry" and not open_loss:
            found += _early(evidence, params)
        return found


RULES: Registry[AlertRule] = Registry("aquaculture alert rule")
AQUACULTURE = Aquaculture()
ASSETS.register(AQUACULTURE.name)(AQUACULTURE)


def find_dry_runs(looks: WaterLooks, params: AquacultureParams) -> tuple[DryRun, ...]:
    """Times in which the ponds lay dry, each as known on its own looks.

    Smooth mud and frozen ground are as dark to radar as water. So where there are optical looks, only they tell when
    there was water last, and a pond that one of them saw dry is filled again only when the newest of them sees water.
    """
    runs: list[DryRun] = []
    optical = looks.sensor != RADAR
    first, last_wet, seen_wet, open_run = -1, -1, -1, None
    for n in range(len(looks.day)):
        seen_wet = n if optical[n] and looks.ratio[n] < 0 else seen_wet
        if open_run is None:
            if looks.ratio[n] < 0:
                last_wet, first = n, -1
            elif looks.ratio[n] > 0 and first < 0:
                first = n
            if looks.p_dry[n] >= DRY and last_wet >= 0 and first >= 0:
                wet = seen_wet if seen_wet >= 0 else last_wet
                open_run = DryRun(last_wet=wet, first_dry=first, noticed=n, confirmed=None, refilled=None)
        elif looks.p_dry[n] <= WET and _is_filled(looks, open_run, n, seen_wet):
            back = n
            while looks.ratio[back - 1] < 0:
                back -= 1
            runs.append(_closed(looks, open_run, n, back, params))
            open_run, first, last_wet = None, -1, n
    if open_run is not None:
        runs.append(_closed(looks, open_run, len(looks.day), None, params))
    return tuple(runs)


def _is_filled(looks: WaterLooks, run: DryRun, n: int, seen_wet: int) -> bool:
    """Whether no optical look of the run saw the pond dry after one saw it wet."""
    inside = np.arange(run.first_dry, n + 1)
    dry = inside[(looks.sensor[inside] != RADAR) & (looks.ratio[inside] > 0)]
    return not len(dry) or seen_wet > int(dry[-1])


def _closed(looks: WaterLooks, run: DryRun, end: int, refilled: int | None, params: AquacultureParams) -> DryRun:
    """The run with the look that confirmed it, if one did before its end."""
    since = np.arange(run.first_dry, end)
    dry = looks.ratio[since] > 0
    optical = np.cumsum(dry & (looks.sensor[since] != RADAR)) > 0
    days = (looks.day[since] - looks.day[run.first_dry]).astype(np.int64)
    grace = np.where(optical, params.grace_days, params.radar_grace_days)
    told = dry & (looks.p_dry[since] >= DRY) & (days >= grace) & (np.cumsum(dry) >= params.min_dry_looks)
    confirmed = int(since[np.flatnonzero(told)[0]]) if told.any() else None
    return DryRun(
        last_wet=run.last_wet, first_dry=run.first_dry, noticed=run.noticed, confirmed=confirmed, refilled=refilled
    )


def _why_not(evidence: ParcelEvidence, looks: WaterLooks, params: AquacultureParams) -> str:
    """Reason why the parcel cannot be judged, or nothing."""
    refusal = too_little(evidence, params.min_visible, params.min_full_pixels)
    if refusal:
        return refusal
    if not np.isfinite(looks.usual_share):
        return (
            f"Too few clear looks in the first {params.water.history_days} days to tell how much water there was: "
            f"{params.water.min_history} are needed."
        )
    age = (np.datetime64(evidence.as_of, "D") - looks.day[-1]).astype(int)
    if age > params.stale_days:
        return f"The last look that tells of water is {age} days old ({looks.day[-1]}): what is there now is not known."
    return ""


def _judgement(
    evidence: ParcelEvidence, looks: WaterLooks, runs: tuple[DryRun, ...], params: AquacultureParams
) -> Judgement:
    area = float(evidence.attributes["obs_area_m2"])
    ponds = looks.usual_share >= params.water.min_share
    dry = bool(runs) and runs[-1].refilled is None
    share = _share_now(evidence, looks, runs, params)
    usual = _permanent(evidence, looks, params)
    lost = [run for run in runs if run.confirmed is not None and usual.sum() >= 1]
    events = tuple(_event(evidence, looks, run, usual) for run in lost) if ponds else ()
    events = tuple(event for event in events if event.area_m2 >= params.min_event_m2)
    since = date_of(looks.day[runs[-1].first_dry]) if dry else None
    columns = {
        "obs_water_share_frac": share[1],
        "obs_water_m2": share[1] * area,
        "obs_usual_water_share_frac": looks.usual_share,
        "obs_permanent_water_m2": float(evidence.area_m2[usual].sum()),
        "chg_pond_state": ("dry" if dry else "water") if ponds else "no pond",
        "chg_dry_since": since,
        "chg_last_informative": date_of(looks.day[-1]),
    }
    return Judgement(
        status="ok",
        reason=_in_words(looks, runs, columns, params),
        columns=columns,
        quantity=(share[0] * area / 1e4, share[1] * area / 1e4, share[2] * area / 1e4),
        quantity_unit="ha",
        events=events,
        yearly=_year_by_year(looks),
        claims=stated(_water_claim(evidence, share, n_looks=len(looks.day))),
        tables={"water": _table(looks)},
    )


def _share_now(
    evidence: ParcelEvidence, looks: WaterLooks, runs: tuple[DryRun, ...], params: AquacultureParams
) -> tuple[float, float, float]:
    """Low, middle and high of the share of the parcel under water today."""
    dry = bool(runs) and runs[-1].refilled is None
    after = runs[-1].first_dry if dry else (runs[-1].refilled or 0) if runs else 0
    recent = looks.day > np.datetime64(evidence.as_of, "D") - np.timedelta64(params.recent_days, "D")
    told = np.isfinite(looks.share) & recent & (np.arange(len(looks.day)) >= after)
    if told.any():
        low, middle, high = np.percentile(looks.share[told], [10, 50, 90])
        spread = params.water.share_noise / np.sqrt(told.sum())
        return max(float(low) - spread, 0.0), float(middle), min(float(high) + spread, 1.0)
    # Radar alone tells wet from dry, not how much: the usual share or none, with all that lies between.
    p = float(looks.p_dry[-1])
    middle = looks.usual_share * (1 - p)
    return middle * 0.5, middle, max(middle, looks.usual_share * (0.3 if p > 0.5 else 1.1))


def _permanent(evidence: ParcelEvidence, looks: WaterLooks, params: AquacultureParams) -> NDArray[np.bool_]:
    """Pixels that were water on three of four looks or more in the history."""
    water = water_pixels(evidence, looks.threshold)
    days = numbers_of(evidence.look_days)[: len(water)]
    past = water[days < looks.day[0].astype(np.int64) + params.water.history_days]
    count = np.isfinite(past).sum(axis=0)
    wet = np.nansum(past, axis=0)
    return np.asarray((count > 0) & (wet >= 0.75 * count))


def _event(evidence: ParcelEvidence, looks: WaterLooks, run: DryRun, usual: NDArray[np.bool_]) -> Event:
    """A dry run as an event: confirmed after the grace period, or merely noticed."""
    told = run.noticed if run.confirmed is None else run.confirmed
    before, first, detected = (date_of(looks.day[n]) for n in (run.last_wet, run.first_dry, told))
    end = len(looks.day) if run.refilled is None else run.refilled
    inside = np.arange(run.first_dry, end)
    seen = looks.share[inside][np.isfinite(looks.share[inside])]
    left = float(np.median(seen)) if len(seen) else 0.0
    gone = max(looks.usual_share - left, 0.0)
    whole = float(evidence.area_m2.sum())
    sensors = tuple(sorted({str(name) for name in looks.sensor[inside][looks.ratio[inside] > 0]}, reverse=True))
    n_dry = int((looks.ratio[run.first_dry : told + 1] > 0).sum())
    span = f"Last look with water {before}, first without {first}; {n_dry} looks showed no water up to {detected}"
    reasons = [
        f"Water covered {looks.usual_share:.0%} of the parcel in its history and {left:.0%} since {first}."
        if len(seen)
        else f"Water covered {looks.usual_share:.0%} of the parcel in its history; radar has met rough ground since "
        f"{first} and no clear optical look has come since.",
        f"{span}."
        if run.confirmed is None
        else f"{span}, {(detected - first).days} days later: longer than ponds lie dry between two stockings.",
    ]
    refilled = None if run.refilled is None else date_of(looks.day[run.refilled])
    if refilled is not None:
        reasons.append(f"Filled again on {refilled}.")
    return Event(
        kind="pond_drained" if run.confirmed is not None else "pond_empty",
        last_clear_before=before,
        first_clear_after=first,
        detected_on=detected,
        recovered_on=refilled,
        area_m2=gone * whole,
        area_low_m2=max(gone - 0.12, 0.0) * whole,
        area_high_m2=min(gone + 0.12, 1.0) * whole,
        magnitude=-gone,
        probability=float(looks.p_dry[told]),
        indices=(INDEX,),
        pixels=tuple(np.flatnonzero(usual).tolist()),
        reasons=tuple(reasons),
        sensors=sensors,
    )


def _water_claim(
    evidence: ParcelEvidence, share: tuple[float, float, float] | None, why_not: str = "", n_looks: int = 0
) -> ClaimCheck | None:
    """The claimed share of water against the observed one."""
    return judge_share(
        "water",
        evidence.attributes,
        "claim_water_share_frac",
        share,
        what="water",
        why_not=why_not,
        n_looks=n_looks,
        n_pixels=len(evidence.area_m2),
    )


def _in_words(
    looks: WaterLooks, runs: tuple[DryRun, ...], columns: Mapping[str, Any], params: AquacultureParams
) -> str:
    now = f"Water covers {columns['obs_water_share_frac']:.0%} of the parcel ({columns['obs_water_m2'] / 1e4:.2f} ha)"
    if columns["chg_pond_state"] == "no pond":
        return f"{now}: no pond was found in the first {params.water.history_days} days either."
    usual = f"{looks.usual_share:.0%} in its first year"
    if not runs or runs[-1].refilled is not None:
        past = sum(run.confirmed is None for run in runs)
        text = f"{now}, against {usual}."
        if past:
            text += f" It lay dry {past} time{'s' * (past > 1)} for less than the grace period and was filled again."
        return text
    since = columns["chg_dry_since"]
    if runs[-1].confirmed is not None:
        return f"{now}, against {usual}: dry since {since}, longer than between two stockings."
    return (
        f"{now}, against {usual}: dry since {since}, which is within the {params.grace_days} days that ponds may lie "
        "dry between two stockings."
    )


def _year_by_year(looks: WaterLooks) -> tuple[Mapping[str, Any], ...]:
    years = looks.day.astype("datetime64[Y]").astype(int) + 1970
    rows = []
    for year in range(int(years.min()), int(years.max()) + 1):
        here = years == year
        seen = looks.share[here & np.isfinite(looks.share)]
        rows.append(
            {
                "year": year,
                "water_share": float(np.median(seen)) if len(seen) else None,
                "dry_looks_share": float((looks.p_dry[here] >= DRY).mean()) if here.any() else None,
                "n_looks": int(here.sum()),
            }
        )
    return tuple(rows)


def _table(looks: WaterLooks) -> tuple[Mapping[str, Any], ...]:
    """One row per look."""
    return tuple(
        {
            "date": str(day),
            "sensor": str(sensor),
            "water_share": float(share) if np.isfinite(share) else None,
            "p_dry": round(float(p), 4),
        }
        for day, sensor, share, p in zip(looks.day, looks.sensor, looks.share, looks.p_dry, strict=True)
    )


@RULES.register("pond_drained")
def pond_drained(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Water that stayed away beyond the grace period."""
    total = float(evidence.area_m2.sum())
    return [
        Hit(
            parcel_id=evidence.parcel_id,
            rule="pond_drained",
            severity="high" if event.area_m2 >= 0.5 * total and event.recovered_on is None else "medium",
            event=event,
            sensors=event.sensors,
            evidence={
                "area_low_m2": round(event.area_low_m2, 1),
                "area_high_m2": round(event.area_high_m2, 1),
                "share_of_parcel": round(event.area_m2 / total, 4),
                "recovered_on": None if event.recovered_on is None else event.recovered_on.isoformat(),
            },
            reasons=(f"{event.area_m2 / 1e4:.2f} ha of water gone.", *event.reasons),
        )
        for event in judgement.events
    ]


def _early(evidence: ParcelEvidence, params: AquacultureParams) -> list[Hit]:
    """Ponds that lie dry within the grace period."""
    looks = water_looks(evidence, params.water)
    run = find_dry_runs(looks, params)[-1]
    usual = _permanent(evidence, looks, params)
    if run.confirmed is not None or evidence.area_m2[usual].sum() < params.min_event_m2:
        return []
    event = _event(evidence, looks, run, usual)
    return [
        Hit(
            parcel_id=evidence.parcel_id,
            rule="pond_empty",
            severity="low",
            event=event,
            sensors=event.sensors,
            evidence={"p_dry": round(event.probability, 4), "grace_days": params.grace_days},
            reasons=(f"The ponds lie dry since {event.first_clear_after}; filled again in time, it was business.",),
            leads_to=("pond_drained",),
            operating_point="early_warning",
        )
    ]


def _cannot_tell(reason: str, evidence: ParcelEvidence) -> Judgement:
    names = ("obs_water_share_frac", "obs_water_m2", "obs_usual_water_share_frac", "obs_permanent_water_m2")
    return Judgement(
        status="cannot_tell",
        reason=reason,
        columns=dict.fromkeys(names),
        quantity=None,
        quantity_unit="ha",
        events=(),
        yearly=(),
        claims=stated(_water_claim(evidence, None, reason)),
    )


__all__ = ["AQUACULTURE", "RULES", "Aquaculture", "AquacultureParams", "DryRun", "find_dry_runs"]
