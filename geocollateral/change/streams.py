"""What is monitored: streams of looks, and the arrays that are remembered of each series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geocollateral.change.baseline import (
    SPREAD_BOUND,
    YEAR_DAYS,
    consistency,
    design_of_days,
    prior_precision,
)
from geocollateral.change.evidence import HIT, OK, WAYS, SequentialParams, hypotheses
from geocollateral.change.runs import ACTIVE, MOST_ODDS, NONE, SETTLED, Store, empty_runs

if TYPE_CHECKING:
    from geocollateral.change.kernels import Baselines, Rows, Rules, Runs

STEP_DAYS = 182
"""Length of a step: long enough to hold looks, short against a baseline's life."""
HISTORY_DAYS = 2200
"""A history that is not given reaches at most this far back from the step in which it is long enough [days]."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One sensor (or one relative orbit of it) and its indices, seen together, the leading one first."""

    name: str
    indices: tuple[str, ...]
    params: tuple[SequentialParams, ...]
    """By index. The leading index's of the first stream also hold what is decided once: hazard, thresholds, looks."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Looks of one stream, days rising."""

    days: NDArray[np.int32]
    """Shape (time,): since 1970-01-01."""
    values: NDArray[np.float32]
    """Shape (index, time, series); NaN = no clear look [unit of the index]."""
    doubt: NDArray[np.float32] | None = None
    """Shape (index, time, series): sd of what was already taken off the values, such as the weather's part [unit]."""

    def rows(self, which: NDArray[np.intp] | slice) -> Looks:
        """Some of the looks."""
        doubt = None if self.doubt is None else self.doubt[:, which]
        return Looks(days=self.days[which], values=self.values[:, which], doubt=doubt)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is monitored, and how."""

    streams: tuple[Stream, ...]
    history_end: int | None
    """Last day of the history, or None: each series' shortest beginning that is long enough."""

    @property
    def deciding(self) -> SequentialParams:
        """Parameters of what is decided once for all streams."""
        return self.streams[0].params[0]

    @property
    def channels(self) -> tuple[SequentialParams, ...]:
        """Parameters of each index of each stream."""
        return tuple(params for stream in self.streams for params in stream.params)

    @property
    def sides(self) -> tuple[tuple[int, ...], ...]:
        """By hypothesis, where each index of each stream goes: 1 up, -1 down."""
        return hypotheses(tuple(params.direction for params in self.channels))

    @cached_property
    def rules(self) -> Rules:
        """What kernels take of it."""
        return _rules(self)

    def places(self, stream: int) -> slice:
        """Places of a stream's indices among those of all."""
        start = sum(len(one.indices) for one in self.streams[:stream])
        return slice(start, start + len(self.streams[stream].indices))


def start_store(plan: Plan, n: int) -> Store:
    """The state of some series before any look: names and shapes of all that is remembered."""
    n_streams, most = len(plan.streams), max(len(stream.indices) for stream in plan.streams)
    channels = plan.channels
    k = max(1 + 2 * params.harmonics for params in channels)
    store = empty_runs(len(plan.sides), n_streams, len(channels), plan.deciding.confirm_looks + 1, n)
    inverse = np.zeros((len(channels), most, n), np.float32)
    for s, stream in enumerate(plan.streams):
        for i in range(len(stream.indices)):
            inverse[plan.places(s).start + i, i] = 1
    return store | {
        "season": np.full((2, len(channels), n), np.nan, np.float32),
        "unstable": np.zeros(n, bool),
        "history_end": np.full((n_streams, n), NONE, np.int32),
        "last_look": np.full((n_streams, n), NONE, np.int32),
        "lag": np.zeros((n_streams, n), np.float32),
        "inverse": inverse,
        "normal": np.zeros((len(channels), 2 * k - 1, n), np.float32),
        "moment": np.zeros((len(channels), k, n), np.float32),
        "variance": np.ones((len(channels), n), np.float32),
        "weight": np.zeros((len(channels), n), np.float32),
        "looks": np.zeros((n_streams, n), np.float32),
        "outliers": np.zeros((n_streams, n), np.float32),
    }


# What the kernels take. They are imported where they run: only a monitor needs the compiler.


def rules_of(plan: Plan) -> Rules:
    """Numbers of a plan."""
    return plan.rules


@lru_cache(maxsize=64)
def _rules(plan: Plan) -> Rules:
    from geocollateral.change.kernels import Rules

    channels, deciding = plan.channels, plan.deciding
    leading = [stream.params[0] for stream in plan.streams]
    counts = [len(stream.indices) for stream in plan.streams]
    k = [1 + 2 * params.harmonics for params in channels]
    precision = np.zeros((len(channels), max(k)), np.float32)
    for row, params in zip(precision, channels, strict=True):
        own = prior_precision(params.harmonics, params.amplitude_prior)
        row[: len(own)] = own

    def of(values: Iterable[float]) -> NDArray[np.float32]:
        return np.array(list(values), np.float32)

    odds = deciding.confirm_probability / (1 - deciding.confirm_probability)
    return Rules(
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        k=np.array(k, np.int64),
        precision=precision,
        floor2=of(params.noise_floor**2 for params in channels),
        huber=of(params.huber for params in channels),
        memory=of(params.memory for params in channels),
        least2=of((params.min_magnitude / params.min_spreads) ** 2 for params in channels),
        min_spreads=of(params.min_spreads for params in channels),
        level=of(np.nan if params.changed_level is None else params.changed_level for params in channels),
        reach=of(2 * params.min_spreads for params in channels),
        full=of(2 * params.min_magnitude for params in channels),
        ways=of(WAYS[params.direction] for params in channels),
        sides=np.array(plan.sides, np.float32),
        tail=of(params.tail for params in leading),
        half=of((params.tail + n) / 2 for params, n in zip(leading, counts, strict=True)),
        most_for=of(params.most_for for params in leading),
        most_against=of(params.most_against for params in leading),
        correlation_days=of(params.correlation_days for params in leading),
        hit=np.float32(HIT),
        ok=np.float32(OK),
        active=np.float32(ACTIVE),
        settled=np.float32(SETTLED),
        most_odds=np.float32(MOST_ODDS),
        rate=np.float32(deciding.changes_per_year / YEAR_DAYS),
        confirm_odds=np.float32(odds),
        witnesses=np.float32(deciding.confirm_looks - 0.5),
        gap_days=np.float32(deciding.max_gap_days),
        full_share=np.float32(0 if deciding.changed_level is None else deciding.full_share),
        recover_looks=deciding.recover_looks,
        bound=np.float32(SPREAD_BOUND),
        share=np.float32(consistency(SPREAD_BOUND)),
    )


def rows_of(plan: Plan, looks: Mapping[int, Looks]) -> Rows:
    """Looks of some channels, of others none.

    Parameters
    ----------
    looks
        By place of a stream's leading index among those of all: looks of this and the next indices.
    """
    from geocollateral.change.kernels import Rows

    channels, leading = plan.channels, [plan.places(s).start for s in range(len(plan.streams))]
    k = max(1 + 2 * params.harmonics for params in channels)
    start = np.zeros(len(channels) + 1, np.int64)
    values, doubts, days, x, sums = [], [], [], [], []
    doubtful = any(one.doubt is not None for one in looks.values())
    for first, one in looks.items():
        for i, params in enumerate(channels[first : first + len(one.values)]):
            start[first + i + 1] = len(one.days)
            shift = round(params.timing_days)
            own = 1 + 2 * params.harmonics
            regressors, of_day = np.zeros((3, len(one.days), k), np.float32), np.zeros((len(one.days), 2 * k - 1))
            for moved, place in zip((0, -shift, shift), regressors, strict=True):
                place[:, :own] = design_of_days(one.days + moved, params.harmonics)
            of_day[:, : 2 * own - 1] = design_of_days(one.days, 2 * params.harmonics)
            values.append(one.values[i])
            if doubtful:
                doubts.append(np.zeros_like(one.values[i]) if one.doubt is None else one.doubt[i])
            days.append(one.days)
            x.append(regressors)
            sums.append(of_day)
    order = sorted(
        (int(day), leading.index(first), t) for first, one in looks.items() for t, day in enumerate(one.days)
    )
    return Rows(
        start=np.cumsum(start),
        values=_stacked(values, np.float32),
        doubt=_stacked(doubts if doubtful else [np.zeros((0, 0))], np.float32),
        days=_stacked(days, np.int32),
        x=_stacked(x, np.float32, axis=1),
        waves=_stacked(sums, np.float32),
        look_stream=np.array([s for _, s, _ in order], np.int64),
        look_row=np.array([t for _, _, t in order], np.int64),
        look_day=np.array([day for day, _, _ in order], np.int32),
    )


def baselines_of(store: Store) -> Baselines:
    """What is remembered of the baselines, not copied."""
    from geocollateral.change.kernels import Baselines

    return Baselines(**{name: store[name] for name in Baselines._fields})


def runs_of(store: Store) -> Runs:
    """What is remembered of the runs, not copied."""
    from geocollateral.change.kernels import Runs

    return Runs(**{name: store[name] for name in Runs._fields})


def _stacked(parts: Sequence[NDArray[Any]], kind: type[np.generic], axis: int = 0) -> NDArray[Any]:
    """In one piece of memory, of one type: each other kind of array would be compiled for anew."""
    return np.require(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis), kind, ["C", "W"])
