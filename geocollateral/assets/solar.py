"""Solar plants: whether there are modules, since when, how many megawatts fit on them, and whether plants overgrow
them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from geocollateral.assets.asset import ASSETS, AlertRule
from geocollateral.assets.modules import OVERGROWN, ModuleCover, pv_presence
from geocollateral.assets.plant_capacity import BAND, DENSITY, Megawatts, SeenModules, capacity, judge_capacity
from geocollateral.assets.refusal import SiteParams, day_of, why_not
from geocollateral.registry import Registry
from geocollateral.types import Event, Hit, Judgement, ParcelEvidence


class SolarParams(SiteParams):
    """Knobs of the judgement of a solar plant."""

    lasting_days: int = Field(
        30, ge=5, description="Days over which a pixel must look like modules where they are expected."
    )
    min_present: float = Field(0.15, gt=0, le=1, description="Share of a parcel under modules that is a plant [1].")
    min_event_m2: float = Field(2500, gt=0, description="Smallest rows reported, the minimum mapping unit [m2].")
    overgrown_ndvi: float = Field(OVERGROWN, description="NDVI over the modules from which plants overgrow them [1].")


@dataclass(frozen=True)
class Solar:
    """The asset class ``solar``."""

    name: str = "solar"
    indices: tuple[str, ...] = ("ndvi", "mndwi")
    bands: tuple[str, ...] = ("blue", "green", "red", "nir", "swir16")
    optional: tuple[str, ...] = ("nir08", "swir22")

    @property
    def monitoring(self) -> Sequence[Mapping[str, Mapping[str, Any]]]:
        """None: modules are told by their colour."""
        return ()

    def judge(self, evidence: ParcelEvidence, params: SolarParams) -> Judgement:
        """Modules, works and capacity of one parcel."""
        refusal = why_not(evidence, params)
        if refusal:
            return _cannot_tell(refusal, evidence)
        cover = pv_presence(evidence, params.min_look_fraction, params.lasting_days)
        known = np.isfinite(cover.share)
        if not known.any():
            return _cannot_tell("Too few clear looks in a row to tell modules from what resembles them.", evidence)
        return _judgement(evidence, cover, _events(evidence, cover, params), params)

    def hits(self, evidence: ParcelEvidence, judgement: Judgement, params: SolarParams) -> Sequence[Hit]:
        """What `RULES` fire on."""
        return [hit for rule in RULES.values() for hit in rule(evidence, judgement)]


RULES: Registry[AlertRule] = Registry("solar alert rule")
SOLAR = Solar()
ASSETS.register(SOLAR.name)(SOLAR)


def _events(evidence: ParcelEvidence, cover: ModuleCover, params: SolarParams) -> tuple[Event, ...]:
    """The build-out, if the parcel was seen without modules first, and overgrowth."""
    total = float(evidence.area_m2.sum())
    least = max(params.min_present, params.min_event_m2 / total)
    share = np.nan_to_num(cover.share)
    found = []
    fit = share >= least
    n = int(np.argmax(fit))
    bare_before = cover.alike[:n] < least / 2
    if fit.any() and bare_before.sum() >= 3:
        found.append(_build(cover, n, params, total))
    found.extend(_overgrown(cover, params, total))
    return tuple(found)


def _build(cover: ModuleCover, n: int, params: SolarParams, total: float) -> Event:
    """The event as told on look ``n``: rows stood for `lasting_days` by then, so they came before."""
    days, told = cover.days, day_of(cover.days[n])
    least = 0.5 * float(cover.share[n])
    first = max(int(np.argmax(np.nan_to_num(cover.later[: n + 1]) >= least)), 0)
    area = float(cover.share[n] * total)
    error = BAND * float(cover.error[n]) * total
    return Event(
        kind="pv_build",
        last_clear_before=day_of(days[max(first - 1, 0)]),
        first_clear_after=day_of(days[first]),
        detected_on=told,
        recovered_on=None,
        area_m2=area,
        area_low_m2=max(area - error, 0.0),
        area_high_m2=min(area + error, total),
        magnitude=float(cover.share[n]),
        probability=float(np.clip(0.5 + cover.share[n], 0.5, 0.98)),
        indices=("redness", "level", "slope", "bare", "ndvi"),
        pixels=tuple(np.flatnonzero(cover.pixels).tolist()),
        reasons=(
            (
                f"On {told} {area / 1e4:.2f} ha, {cover.share[n]:.0%} of the parcel, had looked like rows of modules "
                f"for {params.lasting_days} days: dark from blue to short-wave infrared, without the red of soil, with "
                f"little green."
            ),
            f"First rows between {day_of(days[max(first - 1, 0)])} and {day_of(days[first])}; none before.",
        ),
    )


def _overgrown(cover: ModuleCover, params: SolarParams, total: float) -> list[Event]:
    """Plants above the rows: three looks in a row greener than rows let through."""
    high = np.nan_to_num(cover.green, nan=-1.0) >= params.overgrown_ndvi
    high &= np.nan_to_num(cover.share) >= params.min_present
    run = np.convolve(high, np.ones(3), "full")[: len(high)] >= 3
    if not run.any():
        return []
    n = int(np.argmax(run))
    area = float(np.nan_to_num(cover.share[n]) * total)
    return [
        Event(
            kind="pv_overgrown",
            last_clear_before=day_of(cover.days[max(n - 3, 0)]),
            first_clear_after=day_of(cover.days[n - 2]),
            detected_on=day_of(cover.days[n]),
            recovered_on=None,
            area_m2=area,
            area_low_m2=0.5 * area,
            area_high_m2=area,
            magnitude=float(cover.green[n]),
            probability=0.8,
            indices=("ndvi",),
            pixels=tuple(np.flatnonzero(cover.pixels).tolist()),
            reasons=(f"NDVI over the rows reached {cover.green[n]:.2f} on three looks in a row: plants shade them.",),
        )
    ]


def _judgement(
    evidence: ParcelEvidence, cover: ModuleCover, events: tuple[Event, ...], params: SolarParams
) -> Judgement:
    last = int(np.flatnonzero(np.isfinite(cover.share))[-1])
    share, error = float(cover.share[last]), float(cover.error[last])
    km2 = float(evidence.attributes["obs_area_m2"]) / 1e6
    present = share >= params.min_present
    megawatts = _megawatts(cover, last, km2, present)
    build = next((event for event in events if event.kind == "pv_build"), None)
    works = _works(cover, params)
    columns: dict[str, Any] = {
        "obs_pv_present": present,
        "obs_pv_share_frac": share,
        "obs_pv_area_m2": share * km2 * 1e6,
        "obs_capacity_low_mw": megawatts[0],
        "obs_capacity_mw": megawatts[1],
        "obs_capacity_high_mw": megawatts[2],
        "chg_pv_first_works": None if build is None else build.last_clear_before,
        "chg_pv_last_works": works if build is not None else None,
        "obs_pv_overgrown": any(event.kind == "pv_overgrown" for event in events),
    }
    seen = SeenModules(
        present=present,
        growing=build is not None and works is None,
        megawatts=megawatts,
        km2=km2,
        n_looks=len(cover.days),
        n_pixels=int(cover.pixels.sum()) if present else len(evidence.area_m2),
        day=day_of(cover.days[last]),
    )
    check = judge_capacity(evidence.attributes, seen, evidence.as_of)
    return Judgement(
        status="ok",
        reason=_in_words(cover, share, error, megawatts, build, works, present),
        columns=columns,
        quantity=megawatts,
        quantity_unit="mw",
        events=events,
        yearly=(),
        claims=() if check is None else (check,),
        tables={"stages": _rows(cover)},
    )


def _megawatts(cover: ModuleCover, last: int, km2: float, present: bool) -> Megawatts:
    """What the rows hold; without a plant, what may be missed or has not looked like modules for long enough.

    Rows that a dry winter or weeds hide for some looks are still there: the largest share of the last year counts.
    """
    if not present:
        missed = max(float(cover.share[last]), float(np.nan_to_num(cover.alike[last])))
        return capacity(0.0, missed / BAND + float(cover.error[last]), km2)
    year = np.flatnonzero(cover.days[: last + 1] > cover.days[last] - np.timedelta64(365, "D"))
    most = int(year[np.argmax(np.nan_to_num(cover.share[year]))])
    return capacity(float(cover.share[most]), float(cover.error[most]), km2)


def _works(cover: ModuleCover, params: SolarParams) -> dt.date | None:
    """Look from which the share under modules has not grown any more; None while it grows."""
    # Rows that a dry winter or weeds hide for some looks have not come anew when they are seen again.
    share = np.maximum.accumulate(np.nan_to_num(cover.share))
    full = share >= share[-1] - 0.05
    n = len(full) - int(np.argmax(~full[::-1])) if not full.all() else 0
    settled = cover.days[-1] - cover.days[min(n, len(full) - 1)] >= np.timedelta64(params.lasting_days, "D")
    return day_of(cover.days[min(n, len(full) - 1)]) if settled else None


def _in_words(
    cover: ModuleCover,
    share: float,
    error: float,
    megawatts: tuple[float, float, float],
    build: Event | None,
    works: dt.date | None,
    present: bool,
) -> str:
    day = day_of(cover.days[-1])
    if not present:
        like = f" What is there resembles {cover.refused}." if cover.refused else ""
        return f"No solar modules on {day}: {share:.0%} of the parcel looks like them.{like}"
    since = (
        "Modules were there before the first looks."
        if build is None
        else (
            f"First rows between {build.last_clear_before} and {build.first_clear_after}; "
            + (f"complete by {works}." if works else "the share still grows.")
        )
    )
    return (
        f"Rows of modules on {share:.0%} of the parcel (within {BAND * error:.0%}) on {day}: {megawatts[0]:.1f} "
        f"to {megawatts[2]:.1f} MW "
        f"at {DENSITY[0]:.0f} to {DENSITY[2]:.0f} MW per km2 of rows. {since} Single modules and wiring cannot "
        f"be seen at 10 m."
    )


def _rows(cover: ModuleCover) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {
            "date": day_of(day).isoformat(),
            "built": round(float(share), 4),
            "built_known": round(float(known), 4),
            "built_low": round(float(np.clip(share - BAND * error, 0, 1)), 4),
            "built_high": round(float(np.clip(share + BAND * error, 0, 1)), 4),
            "ndvi_over_modules": None if np.isnan(green) else round(float(green), 4),
        }
        for day, share, known, error, green in zip(
            cover.days, cover.later, cover.share, cover.error, cover.green, strict=True
        )
        if np.isfinite(share) and np.isfinite(known)
    )


def _hits(
    evidence: ParcelEvidence, judgement: Judgement, kind: str, severity: Literal["low", "medium", "high"]
) -> list[Hit]:
    return [
        Hit(
            parcel_id=evidence.parcel_id,
            rule=kind,
            severity=severity,
            event=event,
            sensors=event.sensors,
            evidence={"area_low_m2": round(event.area_low_m2, 1), "area_high_m2": round(event.area_high_m2, 1)},
            reasons=event.reasons,
        )
        for event in judgement.events
        if event.kind == kind
    ]


@RULES.register("pv_build")
def pv_build(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Modules were put up: a milestone."""
    return _hits(evidence, judgement, "pv_build", "low")


@RULES.register("pv_overgrown")
def pv_overgrown(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Plants shade the rows."""
    return _hits(evidence, judgement, "pv_overgrown", "medium")


def _cannot_tell(reason: str, evidence: ParcelEvidence) -> Judgement:
    names = ("obs_pv_present", "obs_pv_share_frac", "obs_pv_area_m2", "obs_capacity_mw")
    check = judge_capacity(evidence.attributes, None, evidence.as_of, reason)
    return Judgement(
        status="cannot_tell",
        reason=reason,
        columns=dict.fromkeys(names),
        quantity=None,
        quantity_unit="mw",
        events=(),
        yearly=(),
        claims=() if check is None else (check,),
    )


__all__ = ["RULES", "SOLAR", "Solar", "SolarParams"]
