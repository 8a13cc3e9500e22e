"""The monitor ``sequential``: looks of one or several sensors, one after the other, many series at once.

Time runs in half-yearly steps of the calendar. Through a step the baseline of a series stands; at its end the looks of
the step that agreed with it are added to it. A state holds what was known at the start of the running step and the
looks since: what it says is worked out from these by the same operations however the looks came in, so one look at a
time gives the result of one batch, bit for bit.

A series' history is fitted as soon as it is long enough; nothing is said before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geocollateral.change.baseline import SPREAD_BOUND, Floats, Mask, consistency, newest_of, products, zero_unseen
from geocollateral.change.evidence import DOWN, HIT, OK, UP, Expectation, SequentialParams, log_ratio, seen_any
from geocollateral.change.history import expect, fit_new
from geocollateral.change.runs import MOST_ODDS, NONE, SETTLED, Look, Store, empty_runs, follow, settle
from geocollateral.change.streams import Looks, Plan, put

ACTIVE = 0.05
"""Odds from which a series is followed look by look; below, a bound of them is enough."""


def advance(
    store: Store,
    plan: Plan,
    step: int,
    looks: Sequence[Looks],
    past: Sequence[Looks],
    *,
    learn: bool,
    note: Callable[[Store, Mask], None] | None = None,
) -> None:
    """Let all looks of one step bear on some series, in place.

    Parameters
    ----------
    looks
        By stream: those of the step.
    past
        By stream: those of the step and all before it that a history may rest on.
    learn
        Whether the step is over: its looks are then learned from.
    note
        Called once new histories are fitted, with the state and which series those are.
    """
    before = store["0/history_end"].copy()
    for s in range(len(plan.streams)):
        fit_new(store, plan, s, step, past[s])
    if note is not None:
        note(store, store["0/history_end"] != before)
    for one in looks:
        store["n_looks"] += np.isfinite(one.values[0]).sum(axis=0, dtype=np.int32)
    if all((store[f"{s}/history_end"] < 0).all() for s in range(len(plan.streams))):
        return
    looks = [_after_history(one, plan.history_end) for one in looks]
    blocks = [_block(store, plan, s, one) for s, one in enumerate(looks)]
    order = sorted((int(day), s, t) for s, one in enumerate(looks) for t, day in enumerate(one.days))
    calm = _weigh(store, plan, blocks, order)
    for s, block in enumerate(blocks):
        _tell_informative(store, block, plan.streams[s].params)
        if learn and len(block.days):
            _learn(store, plan, s, block, calm[s])
        np.maximum(store[f"{s}/last_look"], block.newest, out=store[f"{s}/last_look"])
        np.maximum(store["clock"], block.newest, out=store["clock"])


# ---------------------------------------------------------------------------------------------------------------- looks


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Looks of one stream in one step, beside what was expected of them."""

    days: NDArray[np.int32]
    seen: Mask
    """Shape (time, series): looks that are monitored."""
    apart: Floats
    """Shape (time, series): days since the look before."""
    weight: Floats
    """Shape (time, series): share of what each says that earlier looks have not said."""
    expected: tuple[Expectation, ...]
    regressors: tuple[Floats, ...]
    newest: NDArray[np.int32]
    """Shape (series,): day of the newest look."""


def _after_history(looks: Looks, history_end: int | None) -> Looks:
    """Looks that may be monitored: those after a history that is given."""
    first = 0 if history_end is None else int(np.searchsorted(looks.days, history_end, side="right"))
    return looks if first == 0 else looks.rows(slice(first, None))


def _block(store: Store, plan: Plan, s: int, looks: Looks) -> _Block:
    stream = plan.streams[s]
    since = store[f"{s}/history_end"]
    monitored = (since >= 0) & (looks.days[:, None] > since)
    if np.count_nonzero(monitored) == monitored.size:
        values = looks.values
    else:
        values = np.where(monitored, looks.values, np.float32(np.nan))
    expected, regressors = [], []
    for i, params in enumerate(stream.params):
        x, one = expect(
            store, f"{s}/{i}", looks.days, values[i], None if looks.doubt is None else looks.doubt[i], params
        )
        expected.append(one)
        regressors.append(x)
    seen = seen_any(tuple(expected))
    apart, newest = _apart(store[f"{s}/last_look"], looks.days, seen)
    # What a look adds to the one before it: all, if that lies far back; less, the closer and the more alike they are.
    near = np.maximum(1 - apart * np.float32(1 / stream.params[0].correlation_days), 0)
    weight = 1 - store[f"{s}/lag"] * near
    return _Block(
        days=looks.days,
        seen=seen,
        apart=apart,
        weight=weight,
        expected=tuple(expected),
        regressors=tuple(regressors),
        newest=newest,
    )


def _apart(last: NDArray[np.int32], days: NDArray[np.int32], seen: Mask) -> tuple[Floats, NDArray[np.int32]]:
    """Days from each series' look before, shape (time, series), and the day of its newest look."""
    newest = np.empty((len(days) + 1, len(last)), np.int32)
    newest[0] = last
    np.multiply(seen, days[:, None], out=newest[1:])
    for before, now in pairwise(newest):  # `accumulate` would go series by series
        np.maximum(before, now, out=now)
    return (days[:, None] - newest[:-1]).astype(np.float32), newest[-1]


def _weigh(store: Store, plan: Plan, blocks: Sequence[_Block], order: Sequence[tuple[int, int, int]]) -> list[Mask]:
    """Let the looks of a step, merged in order of time, bear on the odds and runs; which looks found a calm series.

    First a bound of the odds is worked out for all series, by the most that any hypothesis makes of a look; then the
    few series in which something goes on are followed exactly.
    """
    ratios = [_most(plan, s, block, store) for s, block in enumerate(blocks)]
    factors = [np.exp(ratio * block.weight) for ratio, block in zip(ratios, blocks, strict=True)]
    calm = [np.empty(block.seen.shape, bool) for block in blocks]
    at_start = store["odds"].max(axis=0)
    odds, peak = at_start.copy(), at_start.copy()
    # Where the newest look bears a change out its run is kept, small as the odds may be yet: it dates the break.
    fresh = np.zeros(len(odds), bool)
    hazards = _hazards(store["clock"], blocks, order, plan.deciding)
    for (_, s, t), hazard in zip(order, hazards, strict=True):
        odds += hazard
        odds *= factors[s][t]
        np.minimum(odds, MOST_ODDS, out=odds)
        np.maximum(peak, odds, out=peak)
        np.copyto(fresh, ratios[s][t] >= HIT, where=blocks[s].seen[t])
        np.less(odds, ACTIVE, out=calm[s][t])
    undecided = (store["detected"] < 0) | (store["recovered"] < 0)
    alive = (at_start > SETTLED) | (peak > ACTIVE) | (odds > SETTLED) | (store["detected"] >= 0) | fresh
    alive |= store["path"].max(axis=0) > 0
    columns = np.flatnonzero(alive & undecided)
    rest = ~alive
    for s, block in enumerate(blocks):
        if len(block.days):
            fine = newest_of((ratios[s] <= OK) & block.seen, block.days, NONE)
            store["last_ok"][rest] = np.maximum(store["last_ok"], fine)[rest]
            calm[s] &= (ratios[s] < 1) & (store["detected"] < 0)
    store["odds"][:, rest] = odds[rest]
    if len(columns):
        part = {name: store[name].take(columns, axis=-1) for name in _RUN_NAMES}
        _follow_all(part, plan, [_take(block, columns) for block in blocks], store, columns, order, hazards[:, columns])
        put(store, columns, part)
    return calm


def _hazards(
    clock: NDArray[np.int32], blocks: Sequence[_Block], order: Sequence[tuple[int, int, int]], params: SequentialParams
) -> Floats:
    """Odds of a change since each series' look before, of any sensor, shape (look, series); nought without a look."""
    rate = np.float32(params.changes_per_year / 365.25)
    if len(blocks) == 1:
        return blocks[0].apart * blocks[0].seen * rate
    seen = np.stack([blocks[s].seen[t] for _, s, t in order]) if order else np.zeros((0, len(clock)), bool)
    days = np.array([day for day, _, _ in order], np.int32)
    found: Floats = _apart(clock, days, seen)[0] * seen * rate
    return found


_RUN_NAMES = tuple(empty_runs(1, 1, 1, 1, 1))


def _take(block: _Block, columns: NDArray[np.intp]) -> _Block:
    return replace(
        block,
        seen=block.seen.take(columns, axis=1),
        weight=block.weight.take(columns, axis=1),
        expected=tuple(one.take(columns) for one in block.expected),
        newest=block.newest[columns],
    )


def _most(plan: Plan, s: int, block: _Block, store: Store) -> Floats:
    """The most that any hypothesis makes of each look."""
    params = plan.streams[s].params[0]
    places = plan.places(s)
    inverse = store[f"{s}/inverse"] if len(block.expected) > 1 else None
    if len(block.expected) == 1 and len(plan.sides) > 1 and params.changed_level is None:
        return log_ratio(block.expected, None, None, params)
    found = log_ratio(block.expected, plan.sides[0][places], inverse, params)
    for sides in plan.sides[1:]:
        np.maximum(found, log_ratio(block.expected, sides[places], inverse, params), out=found)
    return found


def _follow_all(
    part: Store,
    plan: Plan,
    blocks: Sequence[_Block],
    store: Store,
    columns: NDArray[np.intp],
    order: Sequence[tuple[int, int, int]],
    hazards: Floats,
) -> None:
    ratios = []
    for s, block in enumerate(blocks):
        inverse = store[f"{s}/inverse"][..., columns] if len(block.expected) > 1 else None
        params = plan.streams[s].params[0]
        ratios.append(
            np.stack([log_ratio(block.expected, sides[plan.places(s)], inverse, params) for sides in plan.sides])
        )
    departures = [np.stack([one.values - one.centre for one in block.expected]) for block in blocks]
    shares = [_share(block.expected[0], plan.streams[s].params[0]) for s, block in enumerate(blocks)]
    for (day, s, t), hazard in zip(order, hazards, strict=True):
        block = blocks[s]
        look = Look(
            day=day,
            stream=s,
            indices=plan.places(s),
            seen=block.seen[t],
            log_ratio=ratios[s][:, t],
            weight=block.weight[t],
            share=shares[s][t],
            departure=departures[s][:, t],
        )
        follow(part, look, hazard, plan.deciding)
    settle(part)


def _share(one: Expectation, params: SequentialParams) -> Floats:
    """Departure as a share of a full change's on the day.

    A full change goes past the known level, which is the greenest of changed ground, by twice the least of interest: on
    a day on which the baseline is near that level a share of the way to it would be all noise.
    """
    full = 1.0 if one.level is None else np.abs(one.centre - one.level) + 2 * params.min_magnitude
    found: Floats = np.abs(one.values - one.centre) / full
    return found


def informative(expected: tuple[Expectation, ...], params: Sequence[SequentialParams]) -> Mask:
    """Whether a full change would show in any index, or the look itself plainly shows that there was none."""
    found = np.zeros(expected[0].centre.shape, bool)
    for one, own in zip(expected, params, strict=True):
        if one.level is None:
            found |= one.per_spread > 0
            continue
        for side, wanted, sign in ((DOWN, "down", 1), (UP, "up", -1)):
            if own.direction in (wanted, "both"):
                found |= np.asarray(one.gap(side)) >= own.min_spreads
            if own.direction == wanted:
                found |= sign * (one.values - one.level) * one.per_spread >= own.min_spreads
    return found


def _tell_informative(store: Store, block: _Block, params: Sequence[SequentialParams]) -> None:
    if not len(block.days):
        return
    told = block.seen
    if all(one.level is not None for one in block.expected):
        told = told & informative(block.expected, params)
    newest = newest_of(told, block.days, NONE)
    store["n_informative"] += told.sum(axis=0, dtype=np.int32)
    fresh = (newest >= 0) & (store["first_informative"] < 0)
    if fresh.any():
        store["first_informative"][fresh] = block.days[np.argmax(told, axis=0)][fresh]
    np.maximum(store["last_informative"], newest, out=store["last_informative"])


# ------------------------------------------------------------------------------------------------------------- learning


def _learn(store: Store, plan: Plan, s: int, block: _Block, agreed: Mask) -> None:
    """Add the looks of a step that agreed with the baseline to it, and let what was learned before fade."""
    for i, (one, params) in enumerate(zip(block.expected, plan.streams[s].params, strict=True)):
        name = f"{s}/{i}"
        variance = store[f"{name}/variance"]
        used = (agreed & np.isfinite(one.values)).astype(np.float32)
        residual = zero_unseen(one.values - one.centre)
        residual *= used
        size = np.abs(residual)
        spread = np.sqrt(variance)
        weights = np.maximum(size, 1e-12)
        np.minimum(np.divide(params.huber * spread, weights, out=weights), used, out=weights)
        x = block.regressors[i]
        n_looks = used.sum(axis=0)
        keep = np.where(n_looks > 0, np.float32(params.memory), np.float32(1))
        store[f"{name}/normal"] *= keep
        store[f"{name}/normal"] += products(x).T @ weights
        store[f"{name}/moment"] *= keep
        residual += one.centre
        residual *= weights
        store[f"{name}/moment"] += x.T @ residual
        squares = np.square(np.minimum(size, SPREAD_BOUND * spread, out=size), out=size).sum(axis=0)
        old = store[f"{name}/weight"] * keep
        total = np.maximum(old + n_looks, 1)
        fresh = (variance * old + squares / consistency(SPREAD_BOUND)) / total
        store[f"{name}/variance"] = np.maximum(fresh, params.noise_floor**2).astype(np.float32)
        store[f"{name}/weight"] = (old + n_looks).astype(np.float32)
