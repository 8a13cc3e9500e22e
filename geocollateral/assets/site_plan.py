"""Planned dates of a building site against what was seen of it: *match*, *mismatch* or *cannot tell*."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geocollateral.assets.claims import claimed_day, untold
from geocollateral.types import ClaimCheck, Verdict

START_SLACK_DAYS = 60
"""A start within so many days of the planned one is on time: mobilisation, weather and clouds [days]."""
FINISH_SLACK_DAYS = 120
"""The same of completion: fitting out is not seen from above [days]."""
SLACK = 0.15
"""Progress by which a site may fall short of the plan without being behind it [0-1]."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Planned dates of a site, in this order."""

    start: dt.date | None
    complete: dt.date | None

    def in_words(self) -> str:
        """Both dates, ``..`` between them, as an ISO interval has them."""
        return f"{self.start or ''}..{self.complete or ''}"


@dataclass(frozen=True, kw_only=True)
class SeenProgress:
    """What was seen of a site."""

    day: dt.date
    """Of the last clear look."""
    since: dt.date
    """Of the first."""
    n_looks: int
    """Clear looks from the first to the last."""
    started: tuple[dt.date, dt.date] | None
    """Interval of the start; None where none was seen."""
    progress: tuple[float, float, float]
    """Low, middle and high [0-1]."""
    state: str
    """As `construction.status_of` says."""


def plan_of(attributes: Mapping[str, Any]) -> Plan | None:
    """Planned dates of a parcel's row, ``claim_start_on`` and ``claim_complete_on``; None where none is given."""
    start, complete = claimed_day(attributes, "claim_start_on"), claimed_day(attributes, "claim_complete_on")
    return None if start is None and complete is None else Plan(start=start, complete=complete)


def judge_plan(plan: Plan | None, seen: SeenProgress, n_pixels: int = 0) -> ClaimCheck | None:
    """Planned dates against what was seen, observed in one of the words ``not_due``, ``not_started``, ``progressing``,
    ``stalled``, ``behind_plan`` and ``finished``; None where no dates are planned.
    """
    if plan is None:
        return None
    if plan.start is not None and plan.complete is not None and plan.start >= plan.complete:
        reason = f"The planned start {plan.start} is not before the planned completion {plan.complete}."
        return untold("plan", plan.in_words(), reason)
    state, verdict, reason = _compared(plan, seen)
    return ClaimCheck(
        claim="plan",
        verdict=verdict,
        claimed=plan.in_words(),
        observed=state,
        low=None,
        high=None,
        unit="",
        tolerance=None,
        n_looks=seen.n_looks,
        n_pixels=n_pixels,
        reason=f"{reason} Seen until {seen.day}.",
    )


def expected(plan: Plan, day: dt.date) -> float | None:
    """Progress that the plan stands for on a day, in a straight line from start to completion [0-1]; None where both
    dates are needed and one lacks.
    """
    if plan.complete is not None and day >= plan.complete:
        return 1.0
    if plan.start is not None and day <= plan.start:
        return 0.0
    if plan.start is None or plan.complete is None:
        return None
    return (day - plan.start).days / (plan.complete - plan.start).days


Answer = tuple[str | None, Verdict, str]


def _compared(plan: Plan, seen: SeenProgress) -> Answer:
    if seen.state == "demolished":
        return None, "mismatch", "Buildings were pulled down; no works of the plan were seen."
    if seen.state == "built" or (seen.started is None and plan.start is not None and plan.start < seen.since):
        return None, "cannot_tell", f"Works before the first look {seen.since} cannot be dated."
    return _not_begun(plan, seen) if seen.started is None else _begun(plan, seen, seen.started)


def _not_begun(plan: Plan, seen: SeenProgress) -> Answer:
    if plan.start is None:
        if plan.complete is not None and seen.day > plan.complete:
            return "not_started", "mismatch", f"No works seen; completion was planned for {plan.complete}."
        return "not_started", "cannot_tell", "No works seen, and no start is planned."
    late = (seen.day - plan.start).days
    if late <= 0:
        return "not_due", "match", f"No works seen; they are planned to start on {plan.start}."
    told = f"No works seen {late} days after the planned start {plan.start}"
    if late <= START_SLACK_DAYS:
        return "not_started", "cannot_tell", f"{told}: too soon."
    return "not_started", "mismatch", f"{told}."


def _begun(plan: Plan, seen: SeenProgress, started: tuple[dt.date, dt.date]) -> Answer:
    low, middle, high = seen.progress
    told = f"Works began between {started[0]} and {started[1]}; progress {middle:.0%} ({low:.0%} to {high:.0%})"
    # What is finished or stands still is so, whenever it began.
    if seen.state == "finished":
        return "finished", "match", f"{told}; roofed and paved as far as seen from above."
    if seen.state == "stalled":
        return "stalled", "mismatch", f"{told}; works stand still."
    if plan.start is not None and started[0] > plan.start + dt.timedelta(days=START_SLACK_DAYS):
        return "behind_plan", "mismatch", f"{told}; the start was planned for {plan.start}."
    if plan.complete is not None and (seen.day - plan.complete).days > FINISH_SLACK_DAYS:
        return "behind_plan", "mismatch", f"{told}; completion was planned for {plan.complete}."
    due = expected(plan, seen.day)
    if due is None:
        return "progressing", "cannot_tell", f"{told}; one planned date alone gives no pace."
    if high + SLACK < due:
        return "behind_plan", "mismatch", f"{told}; the plan stands at {due:.0%}."
    return "progressing", "match", f"{told}; the plan stands at {due:.0%}."


__all__ = ["Plan", "SeenProgress", "expected", "judge_plan", "plan_of"]
