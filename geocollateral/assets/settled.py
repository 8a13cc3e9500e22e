"""Every claim of a parcel ends with a verdict: those that no asset class checks too.

An asset class checks what it can see. Here the rest is added: the area, which needs no imagery; milestones and days of
plants, which follow from what their class found; and, for whatever is left, *cannot tell* with the reason. No claim is
passed over in silence.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from geocollateral.assets.claimed_days import judge_commissioned, judge_crop_planted
from geocollateral.assets.claims import claimed_number, judge_area, stated, untold
from geocollateral.assets.milestones import PlantState, judge_pads, judge_plant, judge_works
from geocollateral.types import ClaimCheck, Event, Judgement

_PLANTS = ("solar", "wind")
_BUILT = (*_PLANTS, "construction")
ANY: tuple[str, ...] = ()

CLAIMS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "claim_area_m2": ("area", ANY),
    "claim_area_mu": ("area", ANY),
    "claim_area_ha": ("area", ANY),
    "claim_use": ("use", ANY),
    "claim_living_share_frac": ("living", ("forestry", "agriculture")),
    "claim_water_share_frac": ("water", ("aquaculture",)),
    "claim_capacity_mw": ("capacity", _PLANTS),
    "claim_turbine_count": ("turbines", ("wind",)),
    "claim_stage": ("stage", _BUILT),
    "claim_progress_frac": ("progress", _BUILT),
    "claim_start_on": ("plan", ("construction",)),
    "claim_complete_on": ("plan", ("construction",)),
    "claim_planted_on": ("planted_on", ("agriculture", "forestry")),
    "claim_commissioned_on": ("commissioned", _PLANTS),
    "claim_volume_m3": ("volume", ("forestry",)),
    "claim_floor_area_m2": ("floor_area", ("construction",)),
}
"""Name of the check of each column of claims, and the asset classes it means something for; `ANY`: all."""
UNITS = {"m2": "m2", "frac": "frac", "mw": "mw", "count": "n", "m3": "m3"}
"""Unit of a claim by the suffix of its column."""
STANDS_FOR = {"planted": "living"}
"""Checks that answer a claim under a name of their own: of a crop, ``planted`` is what ``living`` is of a stand."""
ORDER: tuple[str, ...] = (
    "area",
    "use",
    "planted",
    "living",
    "water",
    "capacity",
    "turbines",
    "stage",
    "progress",
    "draw",
    "plan",
    "planted_on",
    "commissioned",
    "volume",
    "floor_area",
)
"""In which checks are told."""
UNSEEN: Mapping[str, str] = {
    "volume": "Standing timber is measured on plots or by laser; imagery of 10 m shows the area of a stand, not its "
    "height or its stems.",
    "floor_area": "Floors are not seen from above at 10 m; a permit or a survey gives the floor area.",
}
"""Why a claim cannot be seen, whatever the looks."""


def settle(
    attributes: Mapping[str, Any], judgement: Judgement, *, as_of: dt.date, n_looks: int = 0, n_pixels: int = 0
) -> Judgement:
    """The judgement with a check of every claim of the parcel; settling twice changes nothing.

    Parameters
    ----------
    attributes
        The parcel's row.
    n_looks, n_pixels
        Clear looks at the parcel and its pixels.
    """
    checks = {check.claim: check for check in judgement.claims}
    for check in _further(attributes, judgement, as_of, n_looks, n_pixels):
        checks.setdefault(check.claim, check)
    answered = {STANDS_FOR.get(name, name) for name in checks}
    for column, (claim, classes) in CLAIMS.items():
        if claim not in answered and (value := _stated(attributes.get(column))) is not None:
            answered.add(claim)
            reason = _why_not(claim, classes, str(attributes["asset_class"]), judgement)
            unit = UNITS.get(column.rpartition("_")[2], "")
            checks[claim] = untold(claim, value, reason, unit=unit, n_looks=n_looks, n_pixels=n_pixels)
    return replace(judgement, claims=tuple(sorted(checks.values(), key=_place)))


def withdraw(checks: Sequence[ClaimCheck], reason: str) -> tuple[ClaimCheck, ...]:
    """Checks of which nothing can be told any more, for a reason; that of the area stays, as it needs no imagery."""
    return tuple(
        check if check.claim == "area" else untold(check.claim, check.claimed, reason, unit=check.unit)
        for check in checks
    )


def _place(check: ClaimCheck) -> tuple[int, str]:
    return (ORDER.index(check.claim) if check.claim in ORDER else len(ORDER), check.claim)


def _further(
    attributes: Mapping[str, Any], judgement: Judgement, as_of: dt.date, n_looks: int, n_pixels: int
) -> Iterator[ClaimCheck]:
    """Checks that follow from what the asset class found."""
    asset_class = attributes["asset_class"]
    yield from stated(judge_area(attributes))
    judged = judgement.status == "ok"
    if asset_class == "agriculture":
        yield from stated(
            judge_crop_planted(
                attributes,
                judgement.tables.get("seasons", ()),
                is_field=judgement.columns.get("obs_use") == "field",
                as_of=as_of,
                why_not="" if judged else judgement.reason,
                n_looks=n_looks,
                n_pixels=n_pixels,
            )
        )
    if not judged:
        if asset_class in _BUILT:
            yield from judge_works(attributes, None, "", why_not=judgement.reason)
        return
    if asset_class == "solar":
        yield from _of_solar(attributes, judgement, as_of, n_looks, n_pixels)
    if asset_class == "wind":
        pads = int(judgement.columns.get("obs_new_pads") or 0)
        turbines = claimed_number(attributes, "claim_turbine_count")
        yield from judge_pads(attributes, pads, turbines, n_looks=n_looks, n_pixels=n_pixels)


def _of_solar(
    attributes: Mapping[str, Any], judgement: Judgement, as_of: dt.date, n_looks: int, n_pixels: int
) -> Iterator[ClaimCheck]:
    present = bool(judgement.columns.get("obs_pv_present"))
    build = next((event for event in judgement.events if event.kind == "pv_build"), None)
    complete = judgement.columns.get("chg_pv_last_works")
    days = [str(row["date"]) for row in judgement.tables.get("stages", ())]
    yield from judge_plant(attributes, *_modules(present, build, complete), n_looks=n_looks, n_pixels=n_pixels)
    yield from stated(
        judge_commissioned(
            attributes,
            present=present,
            built=None if build is None else (build.last_clear_before, build.first_clear_after),
            complete=complete,
            first_look=dt.date.fromisoformat(min(days)) if days else None,
            as_of=as_of,
            n_looks=n_looks,
            n_pixels=n_pixels,
        )
    )


def _modules(present: bool, build: Event | None, complete: dt.date | None) -> tuple[PlantState, str]:
    if not present:
        return "none", "No modules are seen; ground works and racks are not told from other open ground."
    if build is None:
        return "settled", "Modules stood there before the first look."
    first = f"First rows between {build.last_clear_before} and {build.first_clear_after}"
    if complete is None:
        return "growing", f"{first}; their area was still growing at the last look."
    return "settled", f"{first}; their area has not grown since {complete}."


def _why_not(claim: str, classes: tuple[str, ...], asset_class: str, judgement: Judgement) -> str:
    if classes and asset_class not in classes:
        return f"This claim says nothing about the asset class {asset_class}; it is not checked."
    if claim in UNSEEN:
        return UNSEEN[claim]
    if judgement.status == "cannot_tell":
        return f"Not judged. {judgement.reason}"
    return f"Nothing is observed that this claim could be held against on a parcel of the asset class {asset_class}."


def _stated(value: Any) -> float | str | None:
    """A claimed value as number or text; None where none is claimed. Days are ISO text."""
    if value is None or value != value or value == "":
        return None
    if isinstance(value, dt.date):
        return value.isoformat()[:10]
    return value if isinstance(value, str) else float(value)


__all__ = ["ANY", "CLAIMS", "ORDER", "STANDS_FOR", "settle", "withdraw"]
