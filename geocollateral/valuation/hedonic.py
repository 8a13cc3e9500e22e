"""A linear hedonic model of log prices: the baseline every learned model has to beat, and a part of ours.

Ridge regression (Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634) on standardised numbers, their logarithms,
missing flags, kinds, and a quadratic surface of the place; residuals beyond four spreads are drawn in once, so that a
few prices between relatives do not tilt it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_KINDS = 150
"""Most kinds of one category that get a term of their own; the rest share one."""
MIN_OF_KIND = 5
PENALTIES = (1.0, 10.0, 100.0)
_CHUNK = 50_000
_LEFT_OUT = 1e9


@dataclass(frozen=True, kw_only=True)
class NumberTerm:
    """A number: its middle for missing cells, its scale, and the same of its logarithm where it has one."""

    name: str
    middle: float
    mean: float
    sd: float
    log_mean: float | None
    log_sd: float | None
    has_missing: bool
    low: float
    high: float
    """Values are drawn in to this range: no straight line holds far outside of what was sold."""


@dataclass(frozen=True, kw_only=True)
class KindTerm:
    """A category and its kinds with terms of their own."""

    name: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Design:
    """From features to columns of the regression."""

    numbers: tuple[NumberTerm, ...]
    kinds: tuple[KindTerm, ...]
    place: tuple[float, float, float, float] | None
    """Mean and spread of x and y."""

    def columns(self, features: pd.DataFrame, xy: Floats | None) -> Floats:
        """Shape (row, column), finite."""
        parts: list[Floats] = []
        for term in self.numbers:
            raw = features[term.name].to_numpy(np.float64)
            known = np.isfinite(raw)
            value = np.clip(np.where(known, raw, term.middle), term.low, term.high)
            parts.append((value - term.mean) / term.sd)
            if term.log_mean is not None and term.log_sd is not None:
                parts.append((np.log1p(value) - term.log_mean) / term.log_sd)
            if term.has_missing:
                parts.append((~known).astype(np.float64))
        for kind in self.kinds:
            code = pd.Index(list(kind.kinds), dtype=object).get_indexer(pd.Index(features[kind.name], dtype=object))
            own = np.zeros((len(features), len(kind.kinds)))
            known = code >= 0
            own[np.flatnonzero(known), code[known]] = 1.0
            parts.extend(own.T)
        if self.place is not None and xy is not None:
            u = np.nan_to_num((xy[:, 0] - self.place[0]) / self.place[1]).clip(-3, 3)
            v = np.nan_to_num((xy[:, 1] - self.place[2]) / self.place[3]).clip(-3, 3)
            parts += [u, v, u * v, u * u, v * v]
        return np.column_stack(parts) if parts else np.zeros((len(features), 0))

    def owners(self, has_place: bool) -> list[str | None]:
        """Feature of each column; None for those of the place."""
        found: list[str | None] = []
        for term in self.numbers:
            found += [term.name] * (1 + (term.log_mean is not None) + term.has_missing)
        for kind in self.kinds:
            found += [kind.name] * len(kind.kinds)
        return [*found, *([None] * 5 if self.place is not None and has_place else [])]

    def rising(self, names: Sequence[str]) -> Floats:
        """1 for columns that may only raise the value: the numbers named, not their missing flags. Shape (column,)."""
        found: list[bool] = []
        for term in self.numbers:
            own = term.name in names
            found += [own] * (1 + (term.log_mean is not None)) + [False] * term.has_missing
        found += [False] * (sum(len(kind.kinds) for kind in self.kinds) + 5 * (self.place is not None))
        return np.array(found, np.float64)


def design_of(features: pd.DataFrame, xy: Floats | None) -> Design:
    """The design that fits the features of some rows."""
    numbers, kinds = [], []
    for name in features.columns:
        column = features[name]
        if column.dtype == object:
            counts = column.value_counts()
            common = counts[counts >= MIN_OF_KIND].index[:MAX_KINDS]
            if len(common) > 1:
                kinds.append(KindTerm(name=str(name), kinds=tuple(sorted(map(str, common)))))
            continue
        term = _number_term(str(name), column.to_numpy(np.float64))
        if term is not None:
            numbers.append(term)
    place = None
    if xy is not None and np.isfinite(xy).all(axis=1).any():
        known = xy[np.isfinite(xy).all(axis=1)]
        (mx, my), (sx, sy) = known.mean(axis=0), known.std(axis=0) + 1e-9
        place = (float(mx), float(sx), float(my), float(sy))
    return Design(numbers=tuple(numbers), kinds=tuple(kinds), place=place)


def _number_term(name: str, raw: Floats) -> NumberTerm | None:
    known = raw[np.isfinite(raw)]
    if not len(known) or np.ptp(known) == 0:
        return None
    low, high = np.quantile(known, [0.001, 0.999])
    value = np.clip(known, low, high)
    if np.ptp(value) == 0:
        return None
    has_log = bool(low >= 0)
    logs = np.log1p(value) if has_log else value
    return NumberTerm(
        name=name,
        middle=float(np.median(value)),
        mean=float(value.mean()),
        sd=float(value.std()),
        log_mean=float(logs.mean()) if has_log else None,
        log_sd=float(logs.std()) + 1e-12 if has_log else None,
        has_missing=bool(len(known) < len(raw)),
        low=float(low),
        high=float(high),
    )


@dataclass(frozen=True, kw_only=True)
class Hedonic:
    """A fitted linear model of log prices."""

    design: Design
    middle: float
    slopes: Floats
    means: Floats
    """Of the columns over the sales. Both have shape (column,)."""

    def predict(self, features: pd.DataFrame, xy: Floats | None) -> Floats:
        """Log price, shape (row,)."""
        found = np.empty(len(features))
        for start in range(0, len(features), _CHUNK):
            part = slice(start, start + _CHUNK)
            columns = self.design.columns(features.iloc[part], None if xy is None else xy[part])
            found[part] = columns @ self.slopes + self.middle
        return found


def fit_hedonic(
    features: pd.DataFrame, xy: Floats | None, log_price: Floats, penalty: float, increasing: Sequence[str] = ()
) -> Hedonic:
    """Fit with one penalty [rows]; the value never falls with a number of `increasing`."""
    design = design_of(features, xy)
    model = _solve(design, features, xy, log_price, penalty, increasing)
    residual = log_price - model.predict(features, xy)
    spread = 1.4826 * float(np.median(np.abs(residual - np.median(residual)))) + 1e-9
    drawn_in = log_price - residual + np.clip(residual, -4 * spread, 4 * spread)
    return _solve(design, features, xy, drawn_in, penalty, increasing)


def _solve(
    design: Design,
    features: pd.DataFrame,
    xy: Floats | None,
    log_price: Floats,
    penalty: float,
    increasing: Sequence[str] = (),
) -> Hedonic:
    middle = float(log_price.mean())
    square: Floats | None = None
    right: Floats | None = None
    for start in range(0, len(features), _CHUNK):
        part = slice(start, start + _CHUNK)
        columns = design.columns(features.iloc[part], None if xy is None else xy[part])
        ones = np.column_stack([np.ones(len(columns)), columns])
        square = ones.T @ ones if square is None else square + ones.T @ ones
        moment = ones.T @ (log_price[part] - middle)
        right = moment if right is None else right + moment
    if square is None or right is None:
        return Hedonic(design=design, middle=middle, slopes=np.zeros(0), means=np.zeros(0))
    ridge = np.full(len(square), penalty)
    ridge[0] = 1e-9
    solved = _ridge(square, right, ridge)
    rising = design.rising(increasing)[: len(solved) - 1] > 0
    fixed = np.zeros(len(rising), bool)
    while (new := rising & ~fixed & (solved[1:] < 0)).any():
        # Columns that would lower the value are left out, one set after another, until none does.
        fixed |= new
        ridge[1:][fixed] = _LEFT_OUT * max(float(np.diag(square).max()), 1.0)
        solved = _ridge(square, right, ridge)
        solved[1:][fixed] = 0.0
    means = square[0, 1:] / square[0, 0]
    return Hedonic(design=design, middle=middle + float(solved[0]), slopes=solved[1:], means=means)


def _ridge(square: Floats, right: Floats, ridge: Floats) -> Floats:
    return np.asarray(np.linalg.solve(square + np.diag(ridge + 1e-9), right), np.float64)


def best_penalty(
    features: pd.DataFrame,
    xy: Floats | None,
    log_price: Floats,
    folds: NDArray[np.int64],
    choices: Sequence[float],
    increasing: Sequence[str] = (),
) -> tuple[float, Floats]:
    """The penalty with the smallest mean absolute error out of fold, and its predictions out of fold."""
    best: tuple[float, float, Floats] | None = None
    for penalty in choices:
        out = np.empty(len(log_price))
        for fold in np.unique(folds):
            own = folds == fold
            own_xy = None if xy is None else xy[~own]
            model = fit_hedonic(features[~own], own_xy, log_price[~own], penalty, increasing)
            out[own] = model.predict(features[own], None if xy is None else xy[own])
        error = float(np.abs(log_price - out).mean())
        if best is None or error < best[0]:
            best = (error, penalty, out)
    assert best is not None  # noqa: S101 - there is at least one choice
    return best[1], best[2]


__all__ = ["PENALTIES", "Design", "Hedonic", "best_penalty", "design_of", "fit_hedonic"]
