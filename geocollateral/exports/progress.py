"""How far works are, by date: a curve with its interval against the planned dates, and shares of stages in a table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from geocollateral.exports.charts import Axes, Tick, year_ticks
from geocollateral.exports.stages import STAGES, day_of_row, is_known
from geocollateral.exports.summary import day_of, number_of

SHOWN_DATES = 8
"""Most dates in the table of stages; the table in the result folder has every clear look."""
BAND_90 = 1.64
"""Standard deviations to either side that hold 90 %."""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share with its 90 % interval [0-1]."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ProgressChart:
    """A share of a parcel through time with its interval, as SVG paths in a box of 1000 by 1000."""

    what: Literal["progress", "modules"]
    first: dt.date
    last: dt.date
    latest: Share
    line: str
    band: str
    plan: str
    """Straight line from the planned start to the planned completion; empty where not both are planned."""
    plan_now: float | None
    """Where that line stands on the last date [0-1]."""
    year_lines: tuple[float, ...]
    years: tuple[Tick, ...]


@dataclass(frozen=True, kw_only=True)
class StageLine:
    """One date of the table of stages."""

    day: dt.date
    progress: Share | None
    planned: float | None
    shares: Mapping[str, Share]
    """By stage."""


def draw_progress(rows: Sequence[Row], parcel: Row) -> ProgressChart | None:
    """The curve of progress of a site, or of the share under modules of a plant; None where there are less than two
    dates.

    Parameters
    ----------
    rows
        Of the table ``stages``: ``progress``, ``progress_low``, ``progress_high``, or ``built``, ``built_low``,
        ``built_high`` [0-1].
    parcel
        The parcel's columns: planned dates, today's interval of progress, the day on which works began.
    """
    if parcel.get("obs_status") == "demolished":
        return None  # what stood is gone: there is no progress of it
    what: Literal["progress", "modules"] = "progress" if _has(rows, "progress") else "modules"
    told = [(day_of_row(row), share) for row in rows if (share := _share_of(what, row, parcel)) is not None]
    if len(told) < 2:
        return None
    days, shares = [day for day, _ in told], [share for _, share in told]
    axes = Axes(start=days[0], end=days[-1], low=0.0, high=1.0)
    top = _points(days, [s.high for s in shares], axes)
    bottom = _points(days, [s.low for s in shares], axes)
    bends = [days[0], *_plan_bends(parcel, axes), days[-1]] if what == "progress" else []
    plan = [(day, due) for day in bends if (due := planned_share(parcel, day)) is not None]
    return ProgressChart(
        what=what,
        first=days[0],
        last=days[-1],
        latest=shares[-1],
        line=f"M{'L'.join(_points(days, [s.middle for s in shares], axes))}",
        band=f"M{'L'.join([*top, *reversed(bottom)])}Z",
        plan=f"M{'L'.join(_points([d for d, _ in plan], [s for _, s in plan], axes))}" if plan else "",
        plan_now=plan[-1][1] if plan else None,
        year_lines=tuple(axes.x(dt.date(y, 1, 1)) for y in range(axes.start.year + 1, axes.end.year + 1)),
        years=year_ticks(axes),
    )


def stage_lines(rows: Sequence[Row], parcel: Row) -> tuple[StageLine, ...]:
    """Shares by date, the newest first: the last look of each half-year from the one before the works on, and the
    latest; none where the parcel is no building site.
    """
    told = [row for row in rows if is_known(row.get("progress"))]
    began = day_of(parcel.get("chg_started_on"))
    by_half = {_half_of(day_of_row(row)): row for row in told}
    before = [half for half in by_half if began is not None and half < _half_of(began)]
    chosen = [row for half, row in by_half.items() if not before or half >= max(before)]
    return tuple(
        StageLine(
            day=day_of_row(row),
            progress=_share_of("progress", row, parcel),
            planned=planned_share(parcel, day_of_row(row)),
            shares={name: share for name in STAGES if (share := _stage(row, name)) is not None},
        )
        for row in reversed(chosen[-SHOWN_DATES:])
    )


def planned_share(parcel: Row, day: dt.date) -> float | None:
    """Where a straight line from the planned start to the planned completion stands on a day [0-1]; None where not
    both dates are planned.
    """
    start, complete = day_of(parcel.get("claim_start_on")), day_of(parcel.get("claim_complete_on"))
    if start is None or complete is None or start >= complete:
        return None
    return min(max((day - start).days / (complete - start).days, 0.0), 1.0)


def _plan_bends(parcel: Row, axes: Axes) -> list[dt.date]:
    """Days on the plot on which the planned line bends."""
    days = (day_of(parcel.get(name)) for name in ("claim_start_on", "claim_complete_on"))
    return [day for day in days if day is not None and axes.start < day < axes.end]


def _share_of(what: str, row: Row, parcel: Row) -> Share | None:
    name = "progress" if what == "progress" else "built"
    middle, low, high = (number_of(row.get(key)) for key in (name, f"{name}_low", f"{name}_high"))
    if middle is None or low is None or high is None:
        return None
    if what == "progress":
        below, above = _least_error(day_of_row(row), parcel)
        low, high = max(min(low, middle - below), 0.0), min(max(high, middle + above), 1.0)
    return Share(low=low, middle=middle, high=high)


def _least_error(day: dt.date, parcel: Row) -> tuple[float, float]:
    """How far today's interval of progress reaches below and above; before the works began, nothing."""
    names = ("obs_progress_low_frac", "obs_progress_frac", "obs_progress_high_frac")
    low, middle, high = (number_of(parcel.get(name)) for name in names)
    began = day_of(parcel.get("chg_started_on"))
    if low is None or middle is None or high is None or began is None or day < began:
        return 0.0, 0.0
    return middle - low, high - middle


def _stage(row: Row, name: str) -> Share | None:
    middle, error = number_of(row.get(name)), number_of(row.get(f"{name}_error"))
    if middle is None or error is None:
        return None
    return Share(low=max(middle - BAND_90 * error, 0.0), middle=middle, high=min(middle + BAND_90 * error, 1.0))


def _has(rows: Sequence[Row], name: str) -> bool:
    return any(is_known(row.get(name)) for row in rows)


def _half_of(day: dt.date) -> tuple[int, int]:
    return day.year, (day.month - 1) // 6


def _points(days: Sequence[dt.date], values: Sequence[float], axes: Axes) -> list[str]:
    return [f"{axes.x(day) * 10:.0f} {axes.y(value) * 10:.0f}" for day, value in zip(days, values, strict=True)]
