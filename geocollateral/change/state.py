"""What is remembered of monitored series between two runs, and what it says.

``start`` a state, ``update`` it with looks as they come, ask for the ``outcome`` at any time. `save` and `load` write
it as a Dataset of plain numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from geocollateral.change.baseline import Floats, Mask
from geocollateral.change.evidence import SequentialParams
from geocollateral.change.runs import NONE, Store
from geocollateral.change.sequential import advance
from geocollateral.change.streams import (
    HISTORY_DAYS,
    STEP_DAYS,
    Looks,
    Plan,
    Stream,
    baselines_of,
    rows_of,
    rules_of,
    runs_of,
    start_store,
)
from geocollateral.errors import BrokenData, InvalidInput
from geocollateral.types import CANNOT_TELL, CONFIRMED, STABLE, SUSPECTED, UNSTABLE_HISTORY

FORMAT = 5
"""Of a saved state."""


@dataclass(frozen=True, kw_only=True)
class State:
    """What is known of some series. A value: `update` returns another."""

    plan: Plan
    store: Store
    """As at the start of the running step."""
    looks: tuple[Looks, ...]
    """By stream: looks of the running step, and those before it that a history not yet fitted may rest on."""
    step: int
    """The running step; the first has not begun while there is no look."""

    @property
    def n_series(self) -> int:
        """How many series there are."""
        return len(self.store["detected"])


def start(plan: Plan, n_series: int) -> State:
    """A state without any look."""
    empty = tuple(
        Looks(days=np.zeros(0, np.int32), values=np.zeros((len(s.indices), 0, n_series), np.float32))
        for s in plan.streams
    )
    return State(plan=plan, store=start_store(plan, n_series), looks=empty, step=NONE)


def update(state: State, looks: Sequence[Looks], watch: Watch | None = None) -> State:
    """The state after further looks, in any order of days.

    Raises
    ------
    InvalidInput
        A look of a day that a stream already has, or of a step that is over.
    """
    merged = _merged(state.looks, looks)
    if state.step >= 0:
        for new in looks:
            if len(new.days) and new.days.min() < state.step * STEP_DAYS:
                day = np.datetime64(int(new.days.min()), "D")
                raise InvalidInput(f"a look of {day} comes after the half-year it lies in was closed: start anew")
    steps = _steps(merged, watch)
    if not steps or steps[-1] <= state.step:
        return replace(state, looks=merged)
    store = {name: array.copy() for name, array in state.store.items()}
    for step in [step for step in steps[:-1] if step >= state.step]:
        _close(store, state.plan, merged, step, watch)
    return State(
        plan=state.plan,
        store=store,
        looks=_retained(store, state.plan, merged, steps[-1], step_before=steps[-2] if len(steps) > 1 else NONE),
        step=steps[-1],
    )


def _close(
    store: Store, plan: Plan, looks: Sequence[Looks], step: int, watch: Watch | None, *, learn: bool = True
) -> None:
    """Let a step bear on the series, in place."""
    own = [_of_step(one, step) for one in looks]
    past = [one.rows(slice(0, int(np.searchsorted(one.days, (step + 1) * STEP_DAYS)))) for one in looks]
    note = None if watch is None else partial(watch.note, step=step)
    advance(store, plan, step, own, past, learn=learn, note=note)


def _of_step(looks: Looks, step: int) -> Looks:
    first, last = np.searchsorted(looks.days, [step * STEP_DAYS, (step + 1) * STEP_DAYS])
    return looks.rows(slice(int(first), int(last)))


def _steps(looks: Sequence[Looks], watch: Watch | None) -> list[int]:
    return sorted({int(day) // STEP_DAYS for one in looks for day in one.days} | (watch.steps if watch else set()))


def _merged(old: Sequence[Looks], new: Sequence[Looks]) -> tuple[Looks, ...]:
    return tuple(_merge(*pair) for pair in zip(old, new, strict=True))


def _merge(old: Looks, new: Looks) -> Looks:
    if not len(new.days):
        return old
    rising = bool((np.diff(new.days) > 0).all())
    if not len(old.days) and rising:
        return new
    days = np.concatenate([old.days, new.days])
    order = np.argsort(days, kind="stable")
    days = days[order]
    if (np.diff(days) == 0).any():
        again = np.datetime64(int(days[:-1][np.diff(days) == 0][0]), "D")
        raise InvalidInput(f"more than one look for {again}: fuse the looks of a day first")
    doubt = None
    if old.doubt is not None or new.doubt is not None:
        parts = [np.zeros_like(one.values) if one.doubt is None else one.doubt for one in (old, new)]
        doubt = np.concatenate(parts, axis=1)[:, order]
    return Looks(days=days, values=np.concatenate([old.values, new.values], axis=1)[:, order], doubt=doubt)


def _retained(store: Store, plan: Plan, looks: Sequence[Looks], step: int, step_before: int) -> tuple[Looks, ...]:
    """Looks that may still be needed."""
    kept = []
    for s, one in enumerate(looks):
        from_day = step * STEP_DAYS
        if (store["history_end"][s] < 0).any():
            if plan.history_end is None:
                from_day -= HISTORY_DAYS
            elif step_before < plan.history_end // STEP_DAYS:
                from_day = 0
        first = int(np.searchsorted(one.days, from_day))
        kept.append(one if first == 0 else one.rows(slice(first, None)))
    return tuple(kept)


# -------------------------------------------------------------------------------------------------------------- outcome


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a monitor says of each series. Days since 1970-01-01, -1 = none; shapes (series,) unless said."""

    status: NDArray[np.int8]
    broken: NDArray[np.int32]
    """First look that showed the change."""
    last_before: NDArray[np.int32]
    """Last look that showed none before it."""
    detected: NDArray[np.int32]
    recovered: NDArray[np.int32]
    magnitude: Floats
    """Shape (index, series): mean departure over the looks that bear the change out [unit]; NaN without a run."""
    probability: Floats
    shares: Floats
    """Shape (stream, series): share of each sensor in what speaks for the change; NaN without a run."""
    n_looks: NDArray[np.int32]
    n_informative: NDArray[np.int32]
    first_informative: NDArray[np.int32]
    last_informative: NDArray[np.int32]
    season_max: Floats
    season_min: Floats
    """Shape (index, series): range of the baselines on the looks of their histories [unit]; NaN without a baseline."""


def outcome(state: State, watch: Watch | None = None) -> Outcome:
    """What the looks so far say."""
    store = {name: array.copy() for name, array in state.store.items()}
    if state.step >= 0:
        _close(store, state.plan, state.looks, state.step, watch, learn=False)
    return _said(store, state.plan)


def outcome_of(plan: Plan, looks: Sequence[Looks], watch: Watch | None = None) -> Outcome:
    """What all looks at once say: `update` of a new state and its `outcome`, without a state between and its copies."""
    n = looks[0].values.shape[2]
    store, merged = start_store(plan, n), _merged(start(plan, 0).looks, looks)
    steps = _steps(merged, watch)
    for step in steps:
        _close(store, plan, merged, step, watch, learn=step != steps[-1])
    return _said(store, plan)


def _said(store: Store, plan: Plan) -> Outcome:
    params, n = plan.deciding, len(store["detected"])
    detected = store["detected"]
    odds, hits = store["odds"], store["hits"]
    # Of few series more is to be said than of all: only these are looked up one by one.
    side = store["side"].copy()
    busy = np.flatnonzero((hits > 0).any(axis=0) & (detected < 0))
    side[busy] = np.argmax(np.where(hits[:, busy] > 0, odds[:, busy], -1), axis=0)
    chosen, running = odds[0].astype(np.float64), hits[0] > 0
    other = np.flatnonzero(side)
    chosen[other], running[other] = odds[side[other], other], hits[side[other], other] > 0
    suspect = running & (chosen > params.suspect_probability / (1 - params.suspect_probability)) & (detected < 0)
    adequate = (store["history_end"] >= 0).any(axis=0)
    status = np.full(n, STABLE, np.int8)
    status[suspect] = SUSPECTED
    status[detected >= 0] = CONFIRMED
    status[(store["n_informative"] == 0) & (detected < 0)] = CANNOT_TELL
    status[store["unstable"]] = UNSTABLE_HISTORY
    status[~adequate] = CANNOT_TELL
    silent = (status == UNSTABLE_HISTORY) | (status == CANNOT_TELL)
    broken, before = store["broken"].copy(), store["last_before"].copy()
    some = np.flatnonzero(suspect)
    broken[some], before[some] = _dated(store, plan, side[some], some)
    told = ((detected >= 0) | suspect) & ~silent
    some = np.flatnonzero(told)
    total, count, said = (store[name][side[some], :, some] for name in ("total", "tally", "said"))
    magnitude, shares = np.full((total.shape[1], n), np.nan), np.full((said.shape[1], n), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        magnitude[:, some] = (total / count).T
        shares[:, some] = (said / said.sum(axis=1, keepdims=True)).T
    # Odds run on after a change was confirmed; what was known then stands.
    probability = chosen / (1 + chosen)
    probability = np.where(detected >= 0, np.maximum(probability, params.confirm_probability), probability)

    def day(name: str) -> NDArray[np.int32]:
        return np.where(silent, np.int32(NONE), store[name])

    return Outcome(
        status=status,
        broken=np.where(told, broken, np.int32(NONE)),
        last_before=np.where(told, before, np.int32(NONE)),
        detected=day("detected"),
        recovered=day("recovered"),
        magnitude=magnitude,
        probability=np.where(silent, np.nan, probability),
        shares=shares,
        n_looks=store["n_looks"],
        n_informative=store["n_informative"],
        first_informative=store["first_informative"],
        last_informative=store["last_informative"],
        season_max=np.where(adequate, store["season"][0], np.nan),
        season_min=np.where(adequate, store["season"][1], np.nan),
    )


def _dated(
    store: Store, plan: Plan, side: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First look after the change and last before it, of the runs of some series."""
    from geocollateral.change import kernels

    broken, before = np.empty((2, len(columns)), np.int32)
    kernels.date_runs(runs_of(store), columns, side, rules_of(plan), broken, before)
    return broken, before


class Watch:
    """Notes the baseline of the leading index as it was known before each of some days."""

    def __init__(self, plan: Plan, days: NDArray[np.int32], n_series: int) -> None:
        self.plan, self.days = plan, days
        self.expected = np.full((len(days), n_series), np.nan, np.float32)
        self.spread = np.full((len(days), n_series), np.nan, np.float32)
        self.informative = np.zeros((len(days), n_series), bool)

    @property
    def steps(self) -> set[int]:
        """Steps that hold any of the days."""
        return {int(day) // STEP_DAYS for day in self.days}

    def note(self, store: Store, fresh: Mask, *, step: int) -> None:
        """Baselines of a step; of series whose history was just fitted, those of the days before it too."""
        first, last = (int(place) for place in np.searchsorted(self.days, [step * STEP_DAYS, (step + 1) * STEP_DAYS]))
        self._fill(store, first, last, np.flatnonzero(store["history_end"][0] >= 0))
        self._fill(store, 0, first, np.flatnonzero(fresh))

    def _fill(self, store: Store, first: int, last: int, columns: NDArray[np.intp]) -> None:
        from geocollateral.change import kernels

        if first == last or not len(columns):
            return
        none = np.full((1, last - first, self.expected.shape[1]), np.nan, np.float32)
        rows = rows_of(self.plan, {0: Looks(days=self.days[first:last], values=none)})
        found = self.expected[first:last], self.spread[first:last], self.informative[first:last]
        kernels.tell_curves(rows, columns, 0, rules_of(self.plan), baselines_of(store), *found)


# ----------------------------------------------------------------------------------------------------------- save, load


def save(state: State) -> xr.Dataset:
    """A state as numbers and one text of its plan; `xarray` or ``numpy.savez`` can write it to any file."""
    arrays = {f"store/{name}": (_dims(f"store/{name}", array), array) for name, array in state.store.items()}
    for s, one in enumerate(state.looks):
        arrays[f"days/{s}"] = ((f"time{s}",), one.days)
        arrays[f"values/{s}"] = ((f"index{s}", f"time{s}", "series"), one.values)
        if one.doubt is not None:
            arrays[f"doubt/{s}"] = ((f"index{s}", f"time{s}", "series"), one.doubt)
    plan = {
        "history_end": state.plan.history_end,
        "streams": [
            {"name": s.name, "indices": list(s.indices), "params": [p.model_dump() for p in s.params]}
            for s in state.plan.streams
        ],
    }
    attrs = {"format": FORMAT, "plan": json.dumps(plan), "step": state.step}
    return xr.Dataset({name.replace("/", "."): value for name, value in arrays.items()}, attrs=attrs)


def _dims(name: str, array: NDArray[np.generic]) -> tuple[str, ...]:
    return (*(f"{name.replace('/', '.')}.{axis}" for axis in range(array.ndim - 1)), "series")


def load(saved: xr.Dataset) -> State:
    """The state that `save` wrote.

    Raises
    ------
    BrokenData
        Not a saved state of this version.
    """
    if saved.attrs.get("format") != FORMAT:
        raise BrokenData(f"not a saved state of format {FORMAT}: {saved.attrs.get('format')!r}")
    given = json.loads(saved.attrs["plan"])
    streams = tuple(
        Stream(
            name=one["name"],
            indices=tuple(one["indices"]),
            params=tuple(SequentialParams.model_validate(p) for p in one["params"]),
        )
        for one in given["streams"]
    )
    arrays = {str(name): saved[name].values for name in saved.data_vars}
    looks = tuple(
        Looks(days=arrays[f"days.{s}"], values=arrays[f"values.{s}"], doubt=arrays.get(f"doubt.{s}"))
        for s in range(len(streams))
    )
    return State(
        plan=Plan(streams=streams, history_end=given["history_end"]),
        store={
            name.removeprefix("store.").replace(".", "/"): array
            for name, array in arrays.items()
            if name.startswith("store.")
        },
        looks=looks,
        step=int(saved.attrs["step"]),
    )


__all__ = ["Outcome", "State", "Watch", "load", "outcome", "outcome_of", "save", "start", "update"]
