"""Series charts, as places on a plot of 100 % by 100 %.

The template draws them as SVG whose dots are placed in percent and whose text is the page's own: one chart is crisp on
paper and legible on a phone, where a scaled picture of fixed size is neither.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from geocollateral.exports.summary import Break, day_of

PARTIAL_BELOW = 0.7
"""Valid fraction under which a look is drawn hollow."""

BEST_KNOWN_INDEX = "ndvi"
"""What a reader has most likely seen before."""

BASELINE_POINTS = 240
"""Most points of a baseline that are drawn; more cannot be seen."""

_SPAN_OF_A_LETTER = 5.0
"""Least distance of two break letters on one line [% of the width]."""


@dataclass(frozen=True, kw_only=True)
class Axes:
    """What all charts of one index share, so that parcels can be compared by eye."""

    start: dt.date
    end: dt.date
    low: float
    high: float

    def x(self, day: dt.date) -> float:
        """Place of a day [% from the left], kept on the plot."""
        span = max((self.end - self.start).days, 1)
        return round(min(max(100 * (day - self.start).days / span, 0), 100), 2)

    def y(self, value: float) -> float:
        """Place of a value [% from the top]; beyond 0 to 100 where it is off the plot."""
        return round(100 * (self.high - value) / (self.high - self.low), 2)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A mark on an axis [%] and what it says."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One look: place [%] and what it was."""

    x: float
    y: float
    day: dt.date
    mean: float
    valid_fraction: float

    @property
    def partial(self) -> bool:
        """Whether little of the parcel was clear."""
        return self.valid_fraction < PARTIAL_BELOW


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of time [%]."""

    x: float
    width: float


@dataclass(frozen=True, kw_only=True)
class BreakMark:
    """A break on the chart."""

    letter: str
    level: int
    """Line of the letter: 0, or 1 where it would run into the one before."""
    span: Span
    detected_x: float | None
    recovered_x: float | None
    found: Break


@dataclass(frozen=True, kw_only=True)
class SeriesChart:
    """One parcel's index through time."""

    index: str
    first: dt.date
    last: dt.date
    year_lines: tuple[float, ...]
    years: tuple[Tick, ...]
    values: tuple[Tick, ...]
    dots: tuple[Dot, ...]
    line: str
    """SVG path of the baseline in a box of 1000 by 1000; empty where there is none."""
    band: str
    """SVG path of the baseline's spread, likewise."""
    breaks: tuple[BreakMark, ...]
    uninformative: tuple[Span, ...]


def choose_index(series: pd.DataFrame, baselines: pd.DataFrame, breaks: Sequence[Break]) -> str | None:
    """The index a parcel's chart shows: that of its first break, else the best known, else the first there is."""
    drawn = list(dict.fromkeys(series["index"]))
    of_breaks = [name for found in breaks for name in found.index.split("+")]
    for name in [*of_breaks, BEST_KNOWN_INDEX, *dict.fromkeys(baselines["index"]), *drawn]:
        if name in drawn:
            return str(name)
    return None


def share_axes(series: pd.DataFrame, baselines: pd.DataFrame, as_of: dt.date) -> dict[str, Axes]:
    """Axes per index, over all parcels."""
    axes = {}
    for index, looks in series.groupby("index"):
        expected = baselines[baselines["index"] == index]
        # The looks decide: a baseline far from any of them, in winter, would flatten everything else.
        low, high = _round_range(float(looks["mean"].min()), float(looks["mean"].max()))
        start = min(t for t in (day_of(looks["time"].min()), day_of(expected["time"].min())) if t is not None)
        axes[str(index)] = Axes(start=start, end=max(as_of, day_of(looks["time"].max()) or as_of), low=low, high=high)
    return axes


def draw_series(series: pd.DataFrame, baseline: pd.DataFrame, breaks: Sequence[Break], axes: Axes) -> SeriesChart:
    """Place one parcel's looks of one index, its baseline and its breaks.

    Parameters
    ----------
    series
        `SERIES_COLUMNS` of one parcel and index.
    baseline
        Columns ``time, expected, spread`` of the same; ``informative`` (bool) where a season cannot tell.
    breaks
        Breaks of the parcel, by date.
    axes
        As of `share_axes`.
    """
    looks = series.dropna(subset=["mean"]).sort_values(["time", "sensor", "scene_id"], kind="stable")
    dots = tuple(
        Dot(x=axes.x(day), y=axes.y(mean), day=day, mean=float(mean), valid_fraction=float(valid))
        for day, mean, valid in zip(looks["time"].dt.date, looks["mean"], looks["valid_fraction"], strict=True)
    )
    known = baseline.dropna(subset=["expected"]).sort_values("time")
    line, band = _baseline_paths(known, axes)
    return SeriesChart(
        index=str(series["index"].iloc[0]),
        first=dots[0].day,
        last=dots[-1].day,
        year_lines=tuple(axes.x(dt.date(y, 1, 1)) for y in range(axes.start.year + 1, axes.end.year + 1)),
        years=year_ticks(axes),
        values=_value_ticks(axes),
        dots=dots,
        line=line,
        band=band,
        breaks=_break_marks(breaks, axes),
        uninformative=_uninformative_spans(known, axes),
    )


def _round_range(low: float, high: float) -> tuple[float, float]:
    """The range widened to steps of a tenth, at least two of them."""
    low, high = math.floor(low * 10 - 0.3) / 10, math.ceil(high * 10 + 0.3) / 10
    return (low, high) if high - low >= 0.2 else (low - 0.1, high + 0.1)


def year_ticks(axes: Axes) -> tuple[Tick, ...]:
    """Each year's name in the middle of what is shown of it; a year shown for less than five months has none."""
    ticks = []
    for year in range(axes.start.year, axes.end.year + 1):
        left, right = axes.x(dt.date(year, 1, 1)), axes.x(dt.date(year, 12, 31))
        months = (min(axes.end, dt.date(year, 12, 31)) - max(axes.start, dt.date(year, 1, 1))).days / 30
        if months >= 5 or axes.start.year == axes.end.year:
            ticks.append(Tick(at=round((left + right) / 2, 2), text=str(year)))
    return tuple(ticks)


def _value_ticks(axes: Axes) -> tuple[Tick, ...]:
    span = axes.high - axes.low
    step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if span / s <= 7), span)
    first = math.ceil(axes.low / step - 1e-9)
    last = math.floor(axes.high / step + 1e-9)
    return tuple(Tick(at=axes.y(i * step), text=f"{i * step:.1f}".replace("-", "−")) for i in range(first, last + 1))


def _baseline_paths(baseline: pd.DataFrame, axes: Axes) -> tuple[str, str]:
    if len(baseline) < 2:
        return "", ""
    chosen = baseline.iloc[np.unique(np.linspace(0, len(baseline) - 1, BASELINE_POINTS).round().astype(int))]
    days = list(chosen["time"].dt.date)
    middle = chosen["expected"].to_numpy(float)
    spread = np.nan_to_num(chosen["spread"].to_numpy(float))
    top = _points(days, middle + spread, axes)
    bottom = _points(days, middle - spread, axes)
    return f"M{'L'.join(_points(days, middle, axes))}", f"M{'L'.join([*top, *reversed(bottom)])}Z"


def _points(days: Sequence[dt.date], values: Sequence[float] | np.ndarray, axes: Axes) -> list[str]:
    return [f"{axes.x(d) * 10:.0f} {axes.y(float(v)) * 10:.0f}" for d, v in zip(days, values, strict=True)]


def _break_marks(breaks: Sequence[Break], axes: Axes) -> tuple[BreakMark, ...]:
    marks: list[BreakMark] = []
    for number, found in enumerate(breaks):
        left, right = axes.x(found.last_clear_before), axes.x(found.first_clear_after)
        crowded = bool(marks) and left - marks[-1].span.x < _SPAN_OF_A_LETTER
        marks.append(
            BreakMark(
                letter=_letter(number),
                level=1 - marks[-1].level if crowded else 0,
                span=Span(x=left, width=round(right - left, 2)),
                detected_x=axes.x(found.detected_on) if found.detected_on else None,
                recovered_x=axes.x(found.recovered_on) if found.recovered_on else None,
                found=found,
            )
        )
    return tuple(marks)


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else str(number + 1)


def _uninformative_spans(baseline: pd.DataFrame, axes: Axes) -> tuple[Span, ...]:
    """Stretches of the baseline that say nothing of a change."""
    if "informative" not in baseline.columns or len(baseline) < 2:
        return ()
    spans: list[Span] = []
    days, informative = list(baseline["time"].dt.date), baseline["informative"].astype(bool).to_numpy()
    begun: dt.date | None = None
    for day, tells in zip(days, informative, strict=True):
        if not tells and begun is None:
            begun = day
        if tells and begun is not None:
            spans.append(Span(x=axes.x(begun), width=round(axes.x(day) - axes.x(begun), 2)))
            begun = None
    if begun is not None:
        spans.append(Span(x=axes.x(begun), width=round(axes.x(days[-1]) - axes.x(begun), 2)))
    return tuple(spans)
