"""What a parcel's judgement says of the damage of a fire or a flood: of a reported day, or of an alert of its own.

A reported day (settings) is asked of every parcel of the run. Without one, the newest flood that was found, or loss
whose likeliest cause is fire, is taken; its day is known to lie between two looks only, and the window counts from the
first of them. Where the damage cannot be told there is no number, and the reason says why.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from geocollateral.assets.damage import Damage, DamageParams, assess_damage
from geocollateral.types import Event, ParcelEvidence

DAMAGE_BANDS: Mapping[str, tuple[str, ...]] = {"fire": ("nir08", "swir22"), "flood": ("green", "swir16", "red", "nir")}
"""Reflectance that tells each kind of damage."""
LIKELY = 0.5
"""Probability from which the cause of a loss counts as fire, as in its words [1]."""


@dataclass(frozen=True, kw_only=True)
class DamageTold:
    """Columns and a sentence for a judgement; empty where no fire or flood is known."""

    columns: Mapping[str, Any]
    """``obs_damage_*``: verdict, kind, first and last day it may have happened on, share of the parcel with its range,
    share severely burnt, first look after it, whether the window was missed. Numbers are None for "cannot tell"."""
    sentence: str


NOTHING = DamageTold(columns={}, sentence="")
_Asked = tuple[Literal["fire", "flood"], dt.date, dt.date]
"""Kind, and the first and last day it may have happened on."""


def judge_damage(evidence: ParcelEvidence, events: Sequence[Event], params: DamageParams) -> DamageTold:
    """Damage of the reported event, else of the newest fire or flood among the parcel's own events."""
    asked = _reported(params) or _own(events)
    if asked is None:
        return NOTHING
    kind, first, last = asked
    found = _unseen(evidence, kind, first) or assess_damage(evidence, first, kind, params, latest=last)
    return DamageTold(columns=_columns(found, first, last), sentence=found.reason)


def _reported(params: DamageParams) -> _Asked | None:
    if params.event_kind is None or params.event_day is None:
        return None
    return params.event_kind, params.event_day, params.event_day


def _own(events: Sequence[Event]) -> _Asked | None:
    kinds = [(event, _kind(event)) for event in events]
    known = [(event.first_clear_after, event.last_clear_before, kind) for event, kind in kinds if kind is not None]
    if not known:
        return None
    last, before, kind = max(known)
    return kind, min(before + dt.timedelta(days=1), last), last


def _kind(event: Event) -> Literal["fire", "flood"] | None:
    if event.kind == "flood":
        return "flood"
    return "fire" if event.causes.get("fire", 0.0) >= LIKELY else None


def _unseen(evidence: ParcelEvidence, kind: Literal["fire", "flood"], day: dt.date) -> Damage | None:
    """Why nothing can be said at all, if so."""
    bands = set() if evidence.optical is None else {str(name) for name in evidence.optical.data_vars}
    lacking = sorted(set(DAMAGE_BANDS[kind]) - bands)
    if day > evidence.as_of:
        reason = f"The {kind} of {day} lies after {evidence.as_of}."
    elif lacking and not (kind == "flood" and evidence.radar):
        reason = f"Damage by {kind} of {day} is not told: the source lacks bands ({', '.join(lacking)})."
    else:
        return None
    return Damage(
        kind=kind, verdict="cannot_tell", share=None, window_missed=False, first_look=None, sensors=(), reason=reason
    )


def _columns(found: Damage, first: dt.date, last: dt.date) -> dict[str, Any]:
    told = None if found.verdict == "cannot_tell" else found.share
    low, middle, high = (None, None, None) if told is None else told
    severe = None
    if told is not None and found.kind == "fire":
        severe = found.classes.get("moderate_high", 0.0) + found.classes.get("high", 0.0)
    return {
        "obs_damage": found.verdict,
        "obs_damage_kind": found.kind,
        "obs_damage_from": first,
        "obs_damage_to": last,
        "obs_damage_share_low_frac": low,
        "obs_damage_share_frac": middle,
        "obs_damage_share_high_frac": high,
        "obs_damage_severe_frac": severe,
        "obs_damage_first_look": found.first_look,
        "obs_damage_window_missed": found.window_missed,
        "obs_damage_reason": found.reason,
    }


__all__ = ["DAMAGE_BANDS", "DamageTold", "judge_damage"]
