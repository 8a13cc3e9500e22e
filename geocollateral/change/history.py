"""Baselines of many series: the first fit, as soon as a history is long enough, and what they expect of a look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geocollateral.change.baseline import (
    Floats,
    Mask,
    curve_and_doubt,
    design_of_days,
    fit_seasons,
    leverage_form,
    newest_of,
    prior_precision,
    products,
)
from geocollateral.change.evidence import DOWN, UP, Expectation, SequentialParams
from geocollateral.change.runs import NONE, Store
from geocollateral.change.streams import HISTORY_DAYS, STEP_DAYS, Looks, Plan


def fit_new(store: Store, plan: Plan, s: int, step: int, past: Looks) -> None:
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
        enough = (seen.sum(axis=0, dtype=np.int32) >= params.min_history_looks) & (
            last - first >= params.min_history_days
        )
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
            # The curve lies within its envelope: only histories with enough looks this far from it can be wild.
            limit = np.float32(2.999) * np.maximum(spread, np.float32(params.min_magnitude / params.min_spreads))
            off = (np.abs(fit.residual) > limit).sum(axis=0, dtype=np.int32) >= params.confirm_looks
            if off.any():
                doubtful = np.resize(np.flatnonzero(off), max(int(off.sum()), 2))
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
    normal, moment, variance = (store[f"{name}/{part}"] for part in ("normal", "moment", "variance"))
    coefficients, form = curve_and_doubt(normal, moment, variance, precision)
    centre, early, late = (x @ coefficients).reshape(3, n_days, values.shape[1])
    spread2 = _variance_of_look(variance, x[:n_days], form)
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
