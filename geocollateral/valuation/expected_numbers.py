"""What the rest of a row says of a telling number: 8 ha among lots of 800 m2 are a slip, in the hills they are not.

A number within what was sold may still be none for this property. A booster tells each telling number from all other
features and the place, another one how far off such a guess usually is; a number is refused where it is further off
than those of sales out of fold were (conformal in units of a learned spread: Lei et al. 2018,
doi:10.1080/01621459.2017.1307116).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Boost = Callable[[Floats, Floats], lgb.Booster]

MIN_SALES = 150
"""Fewest sales that know a number from which it is learned what to expect of it."""
MOST = 8
"""Numbers that are told from the others: the most telling ones."""
_ROWS = 20_000
_FOLDS = 3
_LEAST_SPREAD = 0.05
"""Spread below which none is believed [spreads of the number]: a rule that sales keep exactly is no law."""
_MARGIN = 1.1
_FEW_VALUES = 20
"""Counts with no more different values are left to their range: a third garage is rare, not wrong."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What is expected of one number, in its spreads from its middle."""

    column: int
    """Position among the features."""
    middle: lgb.Booster
    spread: lgb.Booster
    constant: float
    bound: float
    """Largest departure, in units of the spread."""

    def departures(self, matrix: Floats, standard: Floats) -> Floats:
        """How far each number is from what the others say, in units of `bound`; zero where it is missing. Shape (row,).

        Parameters
        ----------
        matrix
            Shape (row, column): all features, as the boosters of prices see them.
        standard
            Shape (row,): the number in spreads from its middle.
        """
        without = matrix.copy()
        without[:, self.column] = np.nan
        off = np.abs(standard - _told(self.middle, without))
        return np.where(np.isnan(standard), 0.0, off / (_spreads(self.spread, without, self.constant) * self.bound))


def expectations_of(
    matrix: Floats,
    standard: Floats,
    columns: Sequence[int],
    weight: Sequence[float],
    fold: Ints,
    boost: Boost,
    *,
    rate: float,
    seed: int,
) -> tuple[Expectation, ...]:
    """What to expect of the most telling numbers.

    Parameters
    ----------
    matrix
        Shape (sale, column): all features.
    standard
        Shape (sale, number): numbers in spreads from their middles, NaN where missing.
    columns, weight
        Of each number: its column of `matrix`, and how much it tells of prices.
    fold
        Shape (sale,): departures are those out of fold.
    boost
        Fits a booster of squared errors.
    rate
        Share of good rows that all numbers together may refuse [0-1].
    """
    telling = sorted(range(len(columns)), key=lambda n: -weight[n])[:MOST]
    rng = np.random.default_rng(seed)
    rows = np.arange(len(matrix))
    if len(rows) > _ROWS:
        rows = np.sort(rng.choice(len(rows), _ROWS, replace=False))
    found = []
    for n in telling:
        own = rows[np.isfinite(standard[rows, n])]
        if len(own) >= MIN_SALES and len(np.unique(standard[own, n])) > _FEW_VALUES:
            share = rate / len(telling)
            found.append(_expectation(matrix[own], standard[own, n], columns[n], fold[own] % _FOLDS, boost, share))
    return tuple(found)


def _expectation(matrix: Floats, value: Floats, column: int, fold: Ints, boost: Boost, rate: float) -> Expectation:
    without = matrix.copy()
    without[:, column] = np.nan
    target = np.clip(value, -5.0, 5.0)
    told = _out_of_fold(without, target, fold, boost)
    off = np.abs(value - told)
    constant = max(float(np.median(off)), _LEAST_SPREAD)
    size = np.log(np.clip(off, 0.1 * constant, 20 * constant) / constant)
    usual = constant * np.exp(np.clip(_out_of_fold(without, size, fold, boost), -1.5, 2.5))
    scaled = np.sort(off / np.maximum(usual, _LEAST_SPREAD))
    rank = int(np.clip(np.ceil((len(scaled) + 1) * (1 - rate)), 1, len(scaled)))
    return Expectation(
        column=column,
        middle=boost(without, target),
        spread=boost(without, size),
        constant=constant,
        bound=_MARGIN * float(scaled[rank - 1]),
    )


def _out_of_fold(matrix: Floats, target: Floats, fold: Ints, boost: Boost) -> Floats:
    out = np.empty(len(target))
    for f in np.unique(fold):
        own = fold == f
        out[own] = _told(boost(matrix[~own], target[~own]), matrix[own]) if not own.all() else float(target.mean())
    return out


def _spreads(spread: lgb.Booster, matrix: Floats, constant: float) -> Floats:
    return np.maximum(constant * np.exp(np.clip(_told(spread, matrix), -1.5, 2.5)), _LEAST_SPREAD)


def _told(booster: lgb.Booster, matrix: Floats) -> Floats:
    return np.asarray(booster.predict(matrix, num_threads=1), np.float64)


__all__ = ["MIN_SALES", "Expectation", "expectations_of"]
