"""Stages of a building site or plant through time, as bands stacked on a plot of 100 % by 100 %."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geocollateral.exports.charts import Axes, Tick, year_ticks

STAGES: tuple[str, ...] = ("built", "building", "cleared", "water", "vegetated")
"""From the bottom up: what is finished grows from the ground."""


@dataclass(frozen=True, kw_only=True)
class StageChart:
    """Shares of stages of one parcel through time."""

    first: dt.date
    last: dt.date
    bands: tuple[tuple[str, str], ...]
    """Stage and the SVG path of its band in a box of 1000 by 1000; stages that never reach a hundredth are left out."""
    latest: tuple[tuple[str, float], ...]
    """Stage and its share on the last date [0-1], the largest first."""
    year_lines: tuple[float, ...]
    years: tuple[Tick, ...]


def draw_stages(rows: Sequence[Mapping[str, Any]]) -> StageChart | None:
    """Place the rows of the table ``stages`` of one parcel; None where there are less than two dates.

    Parameters
    ----------
    rows
        ``date`` (ISO text) and a share [0-1] per stage of `STAGES`; rows with an unknown share are left out.
    """
    shown = [name for name in STAGES if any((row.get(name) or 0) >= 0.01 for row in rows)]
    told = [row for row in rows if all(is_known(row.get(name)) for name in shown)]
    if not any(is_known(row.get("vegetated")) for row in told):
        return None  # of a plant only what is built is told: that is a curve, no stack of stages
    if len(told) < 2 or not shown:
        return None
    days = [day_of_row(row) for row in told]
    axes = Axes(start=days[0], end=days[-1], low=0.0, high=1.0)
    below = [0.0] * len(told)
    bands = []
    for name in shown:
        above = [min(low + float(row[name]), 1.0) for low, row in zip(below, told, strict=True)]
        top = _points(days, above, axes)
        bottom = _points(days, below, axes)
        bands.append((name, f"M{'L'.join([*top, *reversed(bottom)])}Z"))
        below = above
    latest = sorted(((name, float(told[-1][name])) for name in shown), key=lambda entry: -entry[1])
    return StageChart(
        first=days[0],
        last=days[-1],
        bands=tuple(bands),
        latest=tuple(latest),
        year_lines=tuple(axes.x(dt.date(y, 1, 1)) for y in range(axes.start.year + 1, axes.end.year + 1)),
        years=year_ticks(axes),
    )


def day_of_row(row: Mapping[str, Any]) -> dt.date:
    """The day of a row of the table ``stages``."""
    return dt.date.fromisoformat(str(row["date"])[:10])


def is_known(value: Any) -> bool:
    """Whether there is a number."""
    return value is not None and value == value


def _points(days: Sequence[dt.date], values: Sequence[float], axes: Axes) -> list[str]:
    return [f"{axes.x(day) * 10:.0f} {axes.y(value) * 10:.0f}" for day, value in zip(days, values, strict=True)]
