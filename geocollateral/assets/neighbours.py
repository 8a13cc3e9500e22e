"""A parcel beside its neighbours: which of them are alike, and how it departs from them look by look.

What a drought, a late frost or the calibration of a scene does to all parcels alike is common to a parcel and its peers
and drops out of their difference. Peers are chosen by their curve in the past year, not by a crop that someone has
stated. Where too few are alike, the parcel's own earlier years stand in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.types import Params

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
YEAR = 365


class NeighbourParams(Params):
    """Knobs of choosing peers."""

    candidates: int = Field(40, ge=5, description="Nearest parcels that are looked at.")
    most: int = Field(12, ge=3, description="Most peers a parcel is compared with.")
    fewest: int = Field(5, ge=2, description="With fewer peers a parcel is compared with its own earlier years.")
    max_distance: float = Field(2.0, gt=0, description="Largest distance of curves that are alike [noise of a look].")
    lag_days: int = Field(50, ge=0, description="The last days are left out of choosing: what goes on must not choose.")
    span_days: int = Field(420, ge=120, description="Span of the past by which peers are chosen [days].")
    min_history_days: int = Field(150, ge=60, description="Looks are compared from so long after the first look on.")
    min_looks: int = Field(8, ge=3, description="Fewest common looks by which a channel chooses.")
    step_days: int = Field(30, ge=1, description="Peers are chosen anew every so many days, on fixed days.")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One kind of look at a parcel and its peers on common days."""

    name: str
    sensor: str
    days: Days
    """Shape (look,), rising, days since 1970-01-01."""
    own: Floats
    """Shape (look,), NaN = not seen."""
    peers: Floats
    """Shape (look, peer), nearest first."""
    noise: float
    """What counts as one unit of difference between two curves [unit of the channel]."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Peers chosen on fixed days; a look is compared with those of the last step before it."""

    steps: Days
    """Shape (step,), days since 1970-01-01."""
    member: NDArray[np.bool_]
    """Shape (step, peer + earlier year): True = chosen."""
    own_years: NDArray[np.bool_]
    """Shape (step,): True where the parcel's own earlier years stand in for peers."""


@dataclass(frozen=True, kw_only=True)
class Departure:
    """How a parcel departs from what its peers do. Arrays have shape (look,), NaN = not compared."""

    channel: Channel
    value: Floats
    """Own less `level`."""
    level: Floats
    """Median of the peers."""
    spread: Floats
    """Robust standard deviation of the peers."""
    own_years: NDArray[np.bool_]
    chosen: Floats
    """Values of the peers that count on each look, shape (look, peer); NaN = not chosen or not seen."""


def earlier_years(channel: Channel, years: int, *, max_gap: int = 40) -> Floats:
    """The parcel's own past as columns beside its peers: column k is what it showed k + 1 years before.

    Shape (look, year); NaN where no two looks at most `max_gap` days apart lie around the day.
    """
    good = np.isfinite(channel.own)
    out = np.full((len(channel.days), years), np.nan)
    if good.sum() < 2:
        return out
    x, y = channel.days[good], channel.own[good]
    for k in range(years):
        then = channel.days - (k + 1) * YEAR
        after = np.clip(np.searchsorted(x, then), 1, len(x) - 1)
        inside = (then >= x[0]) & (then <= x[-1]) & (x[after] - x[after - 1] <= max_gap)
        out[inside, k] = np.interp(then[inside], x, y)
    return out


def steps_of(first: int, last: int, params: NeighbourParams) -> Days:
    """Days on which peers are chosen: multiples of `step_days`, so that a later run has the same ones."""
    begin = -(-(first + params.min_history_days) // params.step_days) * params.step_days
    return np.arange(begin, last + 1, params.step_days, dtype=np.int64)


def choose(channels: Sequence[Channel], years: int, params: NeighbourParams, *, lag_days: int | None = None) -> Choice:
    """Choose peers whose curves were alike, by looks up to `lag_days` before each step.

    The distance of two curves is the root mean square of their differences in units of noise, averaged over channels
    (the Euclidean distance of common looks; stretching of time, as in DTW, would forgive what is looked for).
    """
    lag = params.lag_days if lag_days is None else lag_days
    first = min(int(c.days[0]) for c in channels)
    last = max(int(c.days[-1]) for c in channels)
    steps = steps_of(first, last, params)
    n = channels[0].peers.shape[1]
    total, weight = np.zeros((len(steps), n)), np.zeros((len(steps), n))
    span = 10 * YEAR if lag > YEAR else params.span_days
    for channel in channels:
        mean, enough = _trailing_distance(channel, steps - span, steps - lag, params)
        total += np.where(enough, mean, 0)
        weight += enough
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.sqrt(np.where(weight > 0, total / weight, np.inf))
    rank = np.argsort(np.argsort(distance, axis=1, kind="stable"), axis=1, kind="stable")
    alike = (rank < params.most) & (distance <= params.max_distance)
    own_years = alike.sum(axis=1) < params.fewest
    alike[own_years] = False
    history = np.broadcast_to(own_years[:, None], (len(steps), years))
    return Choice(steps=steps, member=np.concatenate([alike, history], axis=1), own_years=own_years)


def _trailing_distance(
    channel: Channel, begins: Days, ends: Days, params: NeighbourParams
) -> tuple[Floats, NDArray[np.bool_]]:
    squares = np.square((channel.peers - channel.own[:, None]) / channel.noise)
    seen = np.isfinite(squares)
    zero = np.zeros((1, squares.shape[1]))
    sums = np.concatenate([zero, np.cumsum(np.where(seen, np.minimum(squares, 100.0), 0), axis=0)])
    count = np.concatenate([zero, np.cumsum(seen, axis=0)])
    low, high = np.searchsorted(channel.days, begins), np.searchsorted(channel.days, ends, side="right")
    high = np.maximum(high, low)
    n = count[high] - count[low]
    return (sums[high] - sums[low]) / np.maximum(n, 1), n >= params.min_looks


def depart(channel: Channel, choice: Choice, years: int, params: NeighbourParams) -> Departure:
    """Own value less the median of the peers chosen for each look, with their spread."""
    at = np.searchsorted(choice.steps, channel.days, side="right") - 1
    compared = at >= 0
    own_years = compared & choice.own_years[np.maximum(at, 0)] if len(choice.steps) else np.zeros(len(at), bool)
    level, spread = np.full(len(at), np.nan), np.full(len(at), np.nan)
    chosen = np.full(channel.peers.shape, np.nan)
    if compared.any():
        columns = np.concatenate([channel.peers, earlier_years(channel, years)], axis=1)[compared]
        columns = np.where(choice.member[at[compared]], columns, np.nan)
        needed = np.where(own_years[compared], 1, params.fewest)
        level[compared], spread[compared] = _median_and_spread(columns, needed)
        chosen[compared] = columns[:, : channel.peers.shape[1]]
    return Departure(
        channel=channel, value=channel.own - level, level=level, spread=spread, own_years=own_years, chosen=chosen
    )


def _median_and_spread(columns: Floats, needed: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Median and scaled median absolute deviation of each row's finite values; NaN with fewer than needed."""
    count = np.isfinite(columns).sum(axis=1)
    middle = _median(columns, count)
    spread = 1.4826 * _median(np.abs(columns - middle[:, None]), count)
    few = count < needed
    return np.where(few, np.nan, middle), np.where(few, np.nan, spread)


def _median(columns: Floats, count: NDArray[np.int64]) -> Floats:
    ordered = np.sort(columns, axis=1)  # NaN last
    row = np.arange(len(columns))
    low, high = np.maximum((count - 1) // 2, 0), np.maximum(count // 2, 0)
    high = np.minimum(high, columns.shape[1] - 1)
    middle: Floats = 0.5 * (ordered[row, low] + ordered[row, high])
    return middle


def middle_of(columns: Floats, *, fewest: int = 5) -> Floats:
    """Median of each row's finite values; NaN where there are fewer than some."""
    if not columns.size:
        return np.full(len(columns), np.nan)
    count = np.isfinite(columns).sum(axis=1)
    return np.where(count >= fewest, _median(columns, count), np.nan)
