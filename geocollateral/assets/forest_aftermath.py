"""What a forest's judgement adds after its losses were found: their causes, the decline of what was left, regrowth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.assets.forest_causes import CAUSE_NAMES, CauseParams, with_cause
from geocollateral.assets.forest_decline import DeclineParams, find_decline
from geocollateral.assets.forest_regrowth import RegrowthParams, regrowth
from geocollateral.assets.forest_signature import BANDS
from geocollateral.types import Event, Hit, Params, ParcelEvidence


class AftermathParams(Params):
    """Knobs of causes, decline and regrowth."""

    causes: CauseParams = Field(CauseParams(), description="Knobs of the attribution of a loss.")
    decline: DeclineParams = Field(DeclineParams(), description="Knobs of the search for thinning and gradual decline.")
    regrowth: RegrowthParams = Field(RegrowthParams(), description="Knobs of regrowth.")


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """Losses with their causes, and what followed."""

    events: tuple[Event, ...]
    """Those found pixel by pixel, in their order, with causes."""
    decline: Event | None
    """Of what was left of the stand; its area is a share of the stand's, not ground laid bare."""
    became: Event | None
    """The loss that the decline was told as later, pixel by pixel; its area is not to be counted twice."""
    columns: Mapping[str, Any]
    """``chg_decline_share_frac``, ``chg_decline_m2``, ``chg_main_cause`` and ``chg_regrown_share_frac``."""
    tables: Mapping[str, tuple[Mapping[str, Any], ...]]
    """``causes`` (a row per loss) and ``regrowth`` (a row per loss and year)."""
    sentence: str
    """For the parcel's reason; may be empty."""


def aftermath(
    evidence: ParcelEvidence, stand: NDArray[np.bool_], events: Sequence[Event], params: AftermathParams
) -> Aftermath:
    """Causes of losses, decline of what they left, regrowth; without the bands that tell, the losses as they came.

    Parameters
    ----------
    evidence
        With reflectance of `forest_signature.BANDS` and the index ``nbr``.
    stand
        Shape (pixel,), True = was a closed stand at the start.
    events
        Losses found pixel by pixel.
    """
    decline = find_decline(evidence, stand, events, params.decline)
    if evidence.optical is None or not set(BANDS) <= set(evidence.optical):
        became = _became(decline, events)
        columns = _columns((), None if became else decline)
        return Aftermath(events=tuple(events), decline=decline, became=became, columns=columns, tables={}, sentence="")
    told = tuple(with_cause(evidence, event, params.causes, _others(event, events)) for event in events)
    if decline is not None:
        decline = with_cause(evidence, decline, params.causes, events)
    grown = tuple(row for event in told for row in regrowth(evidence, event, params.regrowth))
    became = _became(decline, told)
    if decline is not None and became is not None:
        later = (
            f"Since {became.detected_on} it is told pixel by pixel, as the loss first seen {became.first_clear_after}."
        )
        decline = replace(decline, reasons=(*decline.reasons, later))
    alone = None if became else decline
    found = (*told, *([] if alone is None else [alone]))
    return Aftermath(
        events=told,
        decline=decline,
        became=became,
        columns=_columns(found, alone) | _regrown(told, grown),
        tables={"causes": tuple(_row(event) for event in found), "regrowth": grown},
        sentence=_sentence(alone),
    )


def _became(decline: Event | None, events: Sequence[Event]) -> Event | None:
    """The first loss of the same days that was sure after the decline was."""
    same = [
        event
        for event in events
        if decline is not None
        and decline.last_clear_before < event.first_clear_after
        and event.last_clear_before < decline.first_clear_after
        and event.detected_on >= decline.detected_on
    ]
    return min(same, key=lambda event: event.detected_on, default=None)


def _others(event: Event, events: Sequence[Event]) -> list[Event]:
    return [other for other in events if other is not event]


def main_cause(event: Event) -> str | None:
    """The likeliest cause, None where none was considered."""
    return max(event.causes, key=lambda cause: event.causes[cause]) if event.causes else None


def _columns(found: Sequence[Event], decline: Event | None) -> dict[str, Any]:
    largest = max(found, key=lambda event: event.area_m2, default=None)
    return {
        "chg_decline_share_frac": None if decline is None else -decline.magnitude,
        "chg_decline_m2": 0.0 if decline is None else decline.area_m2,
        "chg_main_cause": None if largest is None else main_cause(largest),
    }


def _regrown(events: Sequence[Event], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Share of the lost area that has regrown, by the last year that tells of each loss."""
    total, regrown = 0.0, 0.0
    for event in events:
        own = [r for r in rows if r["lost_on"] == event.first_clear_after.isoformat()]
        known = [r["regrown_share"] for r in own if r["regrown_share"] is not None]
        if known:
            total += event.area_m2
            regrown += event.area_m2 * known[-1]
    return {"chg_regrown_share_frac": regrown / total if total else None}


def _row(event: Event) -> Mapping[str, Any]:
    return {
        "kind": event.kind,
        "first_clear_after": event.first_clear_after.isoformat(),
        "area_m2": round(event.area_m2, 1),
        "cause": main_cause(event),
        **{
            f"p_{cause}": round(event.causes.get(cause, float("nan")), 3) if event.causes else None
            for cause in CAUSE_NAMES
        },
    }


def _sentence(decline: Event | None) -> str:
    if decline is None:
        return ""
    return (
        f"The stand that is left lost {-decline.magnitude:.0%} of its canopy signal since {decline.last_clear_before}, "
        f"{'recovered on ' + str(decline.recovered_on) if decline.recovered_on else 'and has not recovered'}."
    )


def decline_hit(evidence: ParcelEvidence, event: Event) -> Hit:
    """The alert of a decline; severe by the share of the stand that it took."""
    loss = -event.magnitude
    return Hit(
        parcel_id=evidence.parcel_id,
        rule="stand_decline",
        severity="high" if loss >= 0.4 else "medium" if loss >= 0.2 else "low",
        event=event,
        sensors=event.sensors,
        evidence={
            "loss_share": round(loss, 4),
            "area_low_m2": round(event.area_low_m2, 1),
            "area_high_m2": round(event.area_high_m2, 1),
            "causes": {cause: round(p, 3) for cause, p in event.causes.items()},
            "recovered_on": None if event.recovered_on is None else event.recovered_on.isoformat(),
        },
        reasons=(f"The stand as a whole thinned or declined by {loss:.0%}.", *event.reasons),
    )


__all__ = ["Aftermath", "AftermathParams", "aftermath", "decline_hit", "main_cause"]
