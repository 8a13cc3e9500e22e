"""The five years before the day of a result: what happened on each parcel, and how much of that time was seen.

Nothing found is not the same as nothing seen: both are said, with the number of years that the looks cover.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.block import BlockResult
from geocollateral.types import MU_M2, Event, Judgement

YEARS = 5
"""That are looked back."""
YEAR_DAYS = 365.25
LEARNT_DAYS = 365
"""First looks of a parcel that serve as its baseline: what happened among them is not told [days]."""
GAP_DAYS = 183
"""A time without a clear look for longer is not seen: a season may have come and gone [days]."""
WHOLE_YEARS = 4.75
"""Years from which the look-back counts as whole: looks do not begin on the day."""
LIKELY = 0.5
"""Probability from which a cause is named [1]."""
SUSPICION_OF: Mapping[str, str] = {"works_suspected": "construction_start", "stall_suspected": "stall"}
"""Kinds of suspicions, and of what."""

COLUMNS: tuple[str, ...] = (
    "parcel_id",
    "kind",
    "from",
    "to",
    "detected_on",
    "recovered_on",
    "area_m2",
    "area_mu",
    "area_low_m2",
    "area_high_m2",
    "share_frac",
    "cause",
    "certainty",
    "reason",
)
"""Of the table ``history``; days are ISO text. It happened between the days ``from`` and ``to``, the last look before
and the first after."""
NUMBERS = ("area_m2", "area_mu", "area_low_m2", "area_high_m2", "share_frac")
"""Columns of numbers; the others hold text."""

Key = tuple[str, str, dt.date, dt.date]


def history(
    judgements: Mapping[str, Judgement],
    results: Sequence[BlockResult],
    areas_m2: Mapping[str, float],
    as_of: dt.date,
) -> pd.DataFrame:
    """The table ``history``: one row per event of the five years before `as_of`, in the order of parcels and dates."""
    confirmed, doubtful = _certainties(results)
    rows = [
        _row(parcel_id, event, areas_m2[parcel_id], _certainty(_key(parcel_id, event), confirmed, doubtful))
        for parcel_id, judgement in judgements.items()
        for event in _events_of(judgement.events, as_of)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(NUMBERS, float))


def columns_of(
    judgements: Mapping[str, Judgement], looks: Mapping[str, NDArray[np.datetime64]], as_of: dt.date
) -> dict[str, dict[str, Any]]:
    """Columns ``obs_lookback_years``, ``obs_lookback_events_n`` and ``obs_lookback_reason`` by parcel.

    Parameters
    ----------
    looks
        Days of the clear looks at each parcel, rising; a parcel without one may lack.
    """
    return {
        parcel_id: _columns(judgement, looks.get(parcel_id, np.zeros(0, "datetime64[D]")), as_of)
        for parcel_id, judgement in judgements.items()
    }


def years_seen(days: NDArray[np.datetime64], as_of: dt.date, since: dt.date | None = None) -> float:
    """Years of the five before `as_of` in which an event would have been seen, to a tenth.

    Parameters
    ----------
    days
        Of the clear looks, rising.
    since
        First day from which events are told; None: a year after the first look.
    """
    if not len(days):
        return 0.0
    days = days.astype("datetime64[D]")
    day = np.timedelta64(1, "D")
    learnt = days[0] + LEARNT_DAYS * day if since is None else np.datetime64(since, "D")
    begin = max(np.datetime64(_years_before(as_of), "D"), learnt)
    starts, ends = np.maximum(days[:-1], begin), days[1:]
    seen = (days[1:] - days[:-1] <= GAP_DAYS * day) & (ends > starts)
    told = (ends - starts)[seen].sum() / day if seen.any() else 0.0
    # What happened after the last look is not seen, but a look due any day now is no gap.
    tail = np.datetime64(as_of, "D") - max(days[-1], begin)
    told += tail / day if np.timedelta64(0, "D") < tail <= GAP_DAYS * day else 0.0
    return round(min(float(told) / YEAR_DAYS, float(YEARS)), 1)


def _columns(judgement: Judgement, days: NDArray[np.datetime64], as_of: dt.date) -> dict[str, Any]:
    if judgement.status == "cannot_tell":
        return {
            "obs_lookback_years": 0.0,
            "obs_lookback_events_n": None,
            "obs_lookback_reason": f"Cannot tell what happened in the last {YEARS} years. {judgement.reason}",
        }
    years = years_seen(days, as_of, judgement.columns.get("chg_first_informative"))
    n = len(_events_of(judgement.events, as_of))
    seen = f"{years:g} of the last {YEARS} years" if years < WHOLE_YEARS else f"the last {YEARS} years"
    found = "No event" if n == 0 else "1 event" if n == 1 else f"{n} events"
    short = " The look-back is shorter than asked for." if years < WHOLE_YEARS else ""
    return {
        "obs_lookback_years": years,
        "obs_lookback_events_n": n,
        "obs_lookback_reason": f"{found} found; looks cover {seen}.{short}",
    }


def _events_of(events: Sequence[Event], as_of: dt.date) -> list[Event]:
    """Events that may have happened in the five years, by date; a suspicion that came true is one event with it."""
    begin = _years_before(as_of)
    told = [event for event in events if event.first_clear_after > begin]
    kinds = {event.kind for event in told}
    kept = [event for event in told if SUSPICION_OF.get(event.kind) not in kinds]
    return sorted(kept, key=lambda event: (event.first_clear_after, event.kind, event.area_m2))


def _years_before(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=round(YEARS * YEAR_DAYS))


def _key(parcel_id: str, event: Event) -> Key:
    return parcel_id, event.kind, event.last_clear_before, event.first_clear_after


def _certainties(results: Sequence[BlockResult]) -> tuple[set[Key], set[Key]]:
    """Events that an alert confirms, and those of which no alert or an early warning only came."""
    hits = [hit for result in results for hit in result.hits]
    confirmed = {_key(hit.parcel_id, hit.event) for hit in hits if hit.operating_point == "confirmed"}
    doubtful = {_key(hit.parcel_id, hit.event) for hit in hits} - confirmed
    withheld = {_key(hit.parcel_id, hit.event) for result in results for hit in result.withheld}
    return confirmed, (doubtful | withheld) - confirmed


def _certainty(key: Key, confirmed: set[Key], doubtful: set[Key]) -> str:
    if key in confirmed:
        return "confirmed"
    return "suspected" if key in doubtful or key[1] in SUSPICION_OF else "confirmed"


def _row(parcel_id: str, event: Event, area_m2: float, certainty: str) -> dict[str, Any]:
    cause = max(event.causes, key=lambda name: event.causes[name]) if event.causes else None
    return {
        "parcel_id": parcel_id,
        "kind": event.kind,
        "from": event.last_clear_before.isoformat(),
        "to": event.first_clear_after.isoformat(),
        "detected_on": event.detected_on.isoformat(),
        "recovered_on": None if event.recovered_on is None else event.recovered_on.isoformat(),
        "area_m2": event.area_m2,
        "area_mu": event.area_m2 / MU_M2,
        "area_low_m2": event.area_low_m2,
        "area_high_m2": event.area_high_m2,
        "share_frac": min(event.area_m2 / area_m2, 1.0),
        "cause": cause if cause is not None and event.causes[cause] >= LIKELY else None,
        "certainty": certainty,
        "reason": " ".join(event.reasons),
    }
