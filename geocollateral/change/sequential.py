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

from geocollateral.change.baseline import (
    SPREAD_BOUND,
    Floats,
    Mask,
    consistency,
    curve_and_doubt,
    design_of_days,
    fit_seasons,
    leverage_form,
    newest_of,
    prior_precision,
    products,
    zero_unseen,
)
from geocollateral.change.evidence import (
    DOWN,
    OK,
    UP,
    Expectation,
    SequentialParams,
    hypotheses,
    log_ratio,
    seen_any,
)
from geocollateral.change.runs import MOST_ODDS, NONE, SETTLED, Look, Store, empty_runs, follow, settle

STEP_DAYS = 182
"""Length of a step: long enough to hold looks, short against a baseline's life."""
HISTORY_DAYS = 2200
"""A history that is not given reaches at most this far back from the step in which it is long enough [days]."""
ACTIVE = 0.05
"""Odds from which a series is followed look by look; below, a bound of them is enough."""


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
        _fit_new(store, plan, s, step, past[s])
    if note is not None:
        note(store, store["0/history_end"] != before)
    for s, one in enumerate(looks):
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


# -------------------------------------------------------------------------------------------------------------- history


def _fit_new(store: Store, plan: Plan, s: int, step: int, past: Looks) -> None:
    """Fit the history of series for which it has just become long enough."""
    waiting = np.flatnonzero(store[f"{s}/history_end"] < 0)
    if not len(waiting) or not len(past.days):
        return
    given = plan.history_end
    if given is not None and step < given // STEP_DAYS:
        return
    everything = len(waiting) == len(store["detected"])
    rows = past.days <= given if given is not None else past.days > (step * STEP_DAYS - HISTORY_DAYS)
    past = past.rows(np.flatnonzero(rows)) if not rows.all() else past
    seen = np.isfinite(past.values[0] if everything else past.values[0][:, waiting])
    end = history_ends(seen, past.days, given, plan.streams[s].params[0])
    ready = end >= 0
    if not ready.any():
        return
    columns = waiting[ready]
    whole = len(columns) == len(store["detected"])
    if len(columns) == 1:  # see `State.n_series`
        columns, end, ready = np.repeat(columns, 2), np.repeat(end[ready], 2), np.ones(2, bool)
    part = past if whole else past.series(columns)
    until = int(np.searchsorted(past.days, end[ready].max(), side="right"))
    values = part.values[:, :until]
    if given is None:
        values = np.where(past.days[:until, None] <= end[ready], values, np.float32(np.nan))
    store[f"{s}/history_end"][columns] = end[ready] if given is None else given
    _fit(store, plan, s, columns, past.days[:until], values)


def history_ends(seen: Mask, days: NDArray[np.int32], given: int | None, params: SequentialParams) -> NDArray[np.int32]:
    """Day on which each series' history is long enough, shape (series,); `NONE` where it is not.

    ``seen`` has the shape (time, series) and holds the looks of the history only where its end is ``given``.
    """
    if not len(days):
        return np.full(seen.shape[1], NONE, np.int32)
    never = np.int32(np.iinfo(np.int32).max)
    first = -newest_of(seen, -days, -int(never))
    if given is not None:
        last = newest_of(seen, days, NONE)
        enough = (seen.sum(axis=0, dtype=np.int32) >= params.min_history_looks) & (last - first >= params.min_history_days)
        return np.where(enough, last, NONE).astype(np.int32)
    count: NDArray[np.int32] = np.cumsum(seen, axis=0, dtype=np.int32)
    long = seen & (count >= params.min_history_looks) & (days[:, None] - first >= params.min_history_days)
    return np.where(long.any(axis=0), days[np.argmax(long, axis=0)], NONE).astype(np.int32)


def _fit(
    store: Store, plan: Plan, s: int, columns: NDArray[np.intp], days: NDArray[np.int32], values: NDArray[np.float32]
) -> None:
    residuals: list[Floats] = []
    for i, params in enumerate(plan.streams[s].params):
        fit = fit_seasons(
            values[i],
            design_of_days(days, params.harmonics),
            precision=prior_precision(params.harmonics, params.amplitude_prior),
            noise_floor=params.noise_floor,
            huber=params.huber,
        )
        for name in ("normal", "moment", "variance"):
            store[f"{s}/{i}/{name}"][..., columns] = getattr(fit, name)
        store[f"{s}/{i}/weight"][columns] = fit.weights.sum(axis=0)
        spread = np.sqrt(fit.variance)
        residuals.append(fit.residual * fit.weights / spread)
        if i == 0:
            seen = np.isfinite(values[0])
            store[f"{s}/lag"][columns] = _lag(residuals[0], seen, params)
            last = newest_of(seen, days, NONE)
            store[f"{s}/last_look"][columns] = last
            store["clock"][columns] = np.maximum(store["clock"][columns], last)
            # Few histories hold enough looks that far off for the envelope, which only narrows it down, to matter.
            limit = np.float32(2.999) * np.maximum(spread, np.float32(params.min_magnitude / params.min_spreads))
            off = (np.abs(fit.residual) > limit).sum(axis=0, dtype=np.int32) >= params.confirm_looks
            if off.any():
                doubtful = np.resize(np.flatnonzero(off), max(np.count_nonzero(off), 2))
                own = columns[doubtful]
                _, one = expect(store, f"{s}/{i}", days, values[0].take(doubtful, axis=1), None, params, own)
                store["unstable"][own] |= _wild(one, seen.take(doubtful, axis=1), params)
            if s == 0:
                store["last_ok"][columns] = _last_unchanged(days, values[0], spread, params)
        curve = values[i] - fit.residual  # NaN where there is no look
        place = plan.places(s).start + i
        store["season"][0, place, columns] = np.fmax.reduce(curve, axis=0)
        store["season"][1, place, columns] = np.fmin.reduce(curve, axis=0)
    if len(residuals) > 1:
        store[f"{s}/inverse"][..., columns] = _inverse_correlation(residuals)


def _lag(z: Floats, seen: Mask, params: SequentialParams) -> Floats:
    """Correlation of neighbouring looks of the history, shrunk as if ten pairs without any had been seen too."""
    together, alone = np.zeros_like(z[0]), np.zeros_like(z[0])
    before = np.zeros_like(z[0])  # residual of the look before, whatever looks others had in between
    for own, unseen in zip(z, (~seen).astype(z.dtype), strict=True):  # residuals are nought where there is no look
        together += own * before
        alone += np.square(own)
        before *= unseen
        before += own
    found: Floats = np.clip(together / (alone + 10 * 0.7), params.least_correlation, 0.8).astype(np.float32)
    return found


def _wild(one: Expectation, seen: Mask, params: SequentialParams) -> Mask:
    """Whether a history holds a run of departures to one side: it cannot serve as a baseline."""
    longest = np.zeros(seen.shape[1], bool)
    for side in (DOWN, UP):
        out = one.beyond(side) > 3
        if not (np.count_nonzero(out, axis=0) >= params.confirm_looks).any():
            continue
        inside = seen & ~out
        run = np.zeros(seen.shape[1], np.int16)
        for now in range(len(out)):
            run += out[now]
            run *= ~inside[now]
            longest |= run >= params.confirm_looks
    return longest


def _last_unchanged(days: NDArray[np.int32], values: Floats, spread: Floats, params: SequentialParams) -> Floats:
    """Last look of a history that plainly shows unchanged ground, or the first look where none does.

    A baseline that already holds a change agrees with changed ground: such a look must not date a later break.
    """
    seen = np.isfinite(values)
    plain = seen
    if params.changed_level is not None and params.direction != "both":
        away = values - params.changed_level if params.direction == "down" else params.changed_level - values
        plain = away > 3 * spread
    last = newest_of(plain, days, NONE)
    first = np.where(seen.any(axis=0), days[np.argmax(seen, axis=0)], NONE) if (last == NONE).any() else last
    return np.where(last == NONE, first, last)


def _inverse_correlation(residuals: list[Floats]) -> Floats:
    """Inverse correlation of the residuals of several indices, shrunk as if twenty looks without any had been seen too.

    Shape (index, index, series). A correlation found in few looks is mostly chance (Ledoit & Wolf 2004,
    doi:10.1016/S0047-259X(03)00096-4, on shrinkage).
    """
    j = len(residuals)
    matrix = np.empty((residuals[0].shape[1], j, j), np.float32)
    for a in range(j):
        matrix[:, a, a] = 1
        for b in range(a):
            both = np.einsum("tn,tn->n", residuals[a], residuals[b])
            own = np.sqrt(np.square(residuals[a]).sum(axis=0) * np.square(residuals[b]).sum(axis=0))
            matrix[:, a, b] = matrix[:, b, a] = both / (own + 20 * 0.7)
    return np.moveaxis(np.linalg.inv(matrix), 0, 2)


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


def expect(
    store: Store,
    name: str,
    days: NDArray[np.int32],
    values: Floats,
    doubt: Floats | None,
    params: SequentialParams,
    columns: NDArray[np.intp] | None = None,
) -> tuple[Floats, Expectation]:
    """What one index should be on some days by its present baseline; also the regressors of the days.

    ``columns``: places in the store of the series whose ``values`` are given, by default all.
    """
    if columns is not None:
        store = {key: array.take(columns, axis=-1) for key, array in store.items() if key.startswith(f"{name}/")}
    n_days, shift = len(days), round(params.timing_days)
    x = design_of_days(np.concatenate([days, days - shift, days + shift]), params.harmonics)
    precision = prior_precision(params.harmonics, params.amplitude_prior)
    own = (store[f"{name}/{part}"] for part in ("normal", "moment", "variance"))
    coefficients, form = curve_and_doubt(*own, precision)
    centre, early, late = (x @ coefficients).reshape(3, n_days, values.shape[1])
    spread2 = _variance_of_look(store[f"{name}/variance"], x[:n_days], form)
    if doubt is not None:
        spread2 += np.square(doubt)
    # Where the season is steep, how far it may be moved is itself doubtful: half the envelope is one more spread.
    spread2 += np.square(late - early) * np.float32(0.25)
    np.maximum(spread2, (params.min_magnitude / params.min_spreads) ** 2, out=spread2)
    low, high = np.minimum(early, late), np.maximum(early, late, out=late)
    np.minimum(low, centre, out=low)
    np.maximum(high, centre, out=high)
    return x[:n_days], Expectation(
        values=values,
        centre=centre,
        low=low,
        high=high,
        per_spread=1 / np.sqrt(spread2, out=spread2),
        level=params.changed_level,
        reach=2 * params.min_spreads,
    )


def variance_of_look(store: Store, name: str, x: Floats, params: SequentialParams) -> Floats:
    """Variance of a new look around the baseline: noise, and doubt about the baseline on its day."""
    variance = store[f"{name}/variance"]
    precision = prior_precision(params.harmonics, params.amplitude_prior)
    return _variance_of_look(variance, x, leverage_form(store[f"{name}/normal"], variance, precision))


def _variance_of_look(variance: Floats, x: Floats, form: Floats) -> Floats:
    found: Floats = products(x) @ form
    found += 1
    found *= variance
    return found


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
    hazards = _hazards(store["clock"], blocks, order, plan.deciding)
    for (_, s, t), hazard in zip(order, hazards, strict=True):
        odds += hazard
        odds *= factors[s][t]
        np.minimum(odds, MOST_ODDS, out=odds)
        np.maximum(peak, odds, out=peak)
        np.less(odds, ACTIVE, out=calm[s][t])
    undecided = (store["detected"] < 0) | (store["recovered"] < 0)
    alive = (at_start > SETTLED) | (peak > ACTIVE) | (odds > SETTLED) | (store["detected"] >= 0)
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
    """Departure as a share of a full change's on the day."""
    full = 1.0 if one.level is None else np.maximum(np.abs(one.centre - one.level), params.min_magnitude)
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
