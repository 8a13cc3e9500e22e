"""What is monitored: streams of looks, and the arrays that are remembered of each series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geocollateral.change.evidence import SequentialParams, hypotheses
from geocollateral.change.runs import NONE, Store, empty_runs

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

    def series(self, which: NDArray[np.intp]) -> Looks:
        """Some of the series."""
        # `take` keeps the order of memory, and with it that of sums over time, which indexing would not.
        doubt = None if self.doubt is None else self.doubt.take(which, axis=2)
        return Looks(days=self.days, values=self.values.take(which, axis=2), doubt=doubt)


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
    def sides(self) -> tuple[tuple[int, ...], ...]:
        """By hypothesis, where each index of each stream goes."""
        return hypotheses(tuple(p.direction for stream in self.streams for p in stream.params))

    def places(self, stream: int) -> slice:
        """Places of a stream's indices among those of all."""
        start = sum(len(one.indices) for one in self.streams[:stream])
        return slice(start, start + len(self.streams[stream].indices))


def start_store(plan: Plan, n: int) -> Store:
    """The state of some series before any look."""
    n_indices = sum(len(stream.indices) for stream in plan.streams)
    store = empty_runs(len(plan.sides), len(plan.streams), n_indices, plan.deciding.confirm_looks + 1, n)
    for name in ("n_looks", "n_informative"):
        store[name] = np.zeros(n, np.int32)
    for name in ("first_informative", "last_informative"):
        store[name] = np.full(n, NONE, np.int32)
    store["clock"] = np.full(n, NONE, np.int32)
    store["unstable"] = np.zeros(n, bool)
    store["season"] = np.full((2, n_indices, n), np.nan, np.float32)
    for s, stream in enumerate(plan.streams):
        j = len(stream.indices)
        store[f"{s}/history_end"] = np.full(n, NONE, np.int32)
        store[f"{s}/last_look"] = np.full(n, NONE, np.int32)
        store[f"{s}/lag"] = np.zeros(n, np.float32)
        store[f"{s}/inverse"] = np.repeat(np.eye(j, dtype=np.float32)[:, :, None], n, axis=2)
        for i, params in enumerate(stream.params):
            k = 1 + 2 * params.harmonics
            store[f"{s}/{i}/normal"] = np.zeros((k * (k + 1) // 2, n), np.float32)
            store[f"{s}/{i}/moment"] = np.zeros((k, n), np.float32)
            store[f"{s}/{i}/variance"] = np.ones(n, np.float32)
            store[f"{s}/{i}/weight"] = np.zeros(n, np.float32)
    return store


def put(store: Store, which: slice | NDArray[np.intp], part: Store) -> None:
    """Write some of the series back."""
    for name, array in part.items():
        store[name][..., which] = array
