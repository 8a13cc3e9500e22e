"""Limits that law and the bank set to values and to loans.

Article 229(1)(e) of Regulation (EU) No 575/2013 as amended by 2024/1623: on revaluation, the value of a property does
not exceed its average over the last six years (residential) or eight years (commercial), or its value at origination,
whichever is higher. The average is of values at equal intervals, three at least.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from geocollateral.errors import InvalidInput
from geocollateral.risk.clocks import PropertyKind, add_months
from geocollateral.risk.findings import Outcome

AVERAGE_YEARS: dict[PropertyKind, int] = {"residential": 6, "commercial": 8}
LEAST_POINTS = 3
INTERVAL_SLACK_DAYS = 5
"""How far an interval may differ from the mean one and be equal: months, quarters and years differ by less [days]."""


@dataclass(frozen=True, kw_only=True)
class ValuePoint:
    """A value of a property on a day."""

    day: dt.date
    value: float
    currency: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
            raise InvalidInput(f"Expected a value above 0, got {self.value} on {self.day}.")


@dataclass(frozen=True, kw_only=True)
class Cap:
    """What a value may be at most."""

    outcome: Outcome
    """``breach``: the value exceeds the cap."""
    cap: float | None
    """Highest value allowed; None: cannot be told."""
    average: float | None
    reason: str


def judge_cap(
    value: ValuePoint,
    points: Sequence[ValuePoint],
    origination: ValuePoint | None,
    kind: PropertyKind,
) -> Cap:
    """Article 229(1)(e) for a value on its day.

    Where the average or the value at origination is not known, the other still bears out a value below it; a higher one
    cannot be told. Works that improve a property may lift the cap: that is a valuer's to say, and not judged here.

    Parameters
    ----------
    points
        Values measured so far, of any day; those later than the value's day, or older than the period, do not count.
    """
    average, why = _average(value, points, kind)
    at_start = None
    if origination is not None and origination.day <= value.day:
        if origination.currency == value.currency:
            at_start = origination.value
        else:
            why = why or "The value at origination is in another currency."
    known = [bound for bound in (average, at_start) if bound is not None]
    if known and value.value <= max(known):
        both = None if None in (average, at_start) else max(known)
        return Cap(outcome="ok", cap=both, average=average, reason=f"The value is not above {max(known):,.2f}.")
    if average is None or at_start is None:
        why = why or "The value at origination is not known."
        return Cap(outcome="cannot_tell", cap=None, average=average, reason=why)
    return Cap(
        outcome="breach",
        cap=max(known),
        average=average,
        reason=f"The value of {value.value:,.2f} is above the cap of {max(known):,.2f}.",
    )


def _average(value: ValuePoint, points: Sequence[ValuePoint], kind: PropertyKind) -> tuple[float | None, str]:
    """Average of the period, or None and why."""
    years = AVERAGE_YEARS[kind]
    first = add_months(value.day, -12 * years)
    counted = sorted((p for p in points if first <= p.day <= value.day), key=lambda p: p.day)
    if len(counted) < LEAST_POINTS:
        return None, f"{len(counted)} values in {years} years; {LEAST_POINTS} are needed for an average."
    if {p.currency for p in counted} != {value.currency}:
        return None, "Values of the period are in other currencies."
    gaps = [(b.day - a.day).days for a, b in pairwise(counted)]
    if min(gaps) < 1 or any(abs(gap - fmean(gaps)) > INTERVAL_SLACK_DAYS for gap in gaps):
        return None, "The values of the period are not at equal intervals."
    return fmean(p.value for p in counted), ""


def judge_ltv(ltv: float | None, limit: float) -> Outcome:
    """Whether a loan-to-value ratio keeps a limit; at the limit it does."""
    if ltv is None or math.isnan(ltv):
        return "cannot_tell"
    return "breach" if ltv > limit else "ok"
