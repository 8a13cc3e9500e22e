"""Placebo tests: a model told nothing must find nothing, or its judge is not blind.

Near places are alike in everything, so that features without meaning that vary smoothly in space "explain" prices as
soon as neighbours are in training and test (Ploton et al. 2020, doi:10.1038/s41467-020-18321-y). Judged in whole
blocks of places with a buffer around them, smooth fields that have nothing to do with prices must explain nothing, and
neither must any features explain prices dealt out anew within each month.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geocollateral.valuation.folds import known_places, make_folds, place_blocks, units_of
from geocollateral.valuation.market_time import FLAT, price_level
from geocollateral.valuation.value_model import encoder_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BOUND = 0.05
"""Largest share of variance that a placebo may explain."""
_FIELDS = 10
_WAVES = 24
_ROWS = 5_000
_FOLDS = 5
_MOST_DRAWS = 5
"""One draw of fields over few sales says little: so many are averaged where they are fewer than two thousand."""
_LEAST_DEALT = 20
"""Months are put together until so many sales are dealt out among each other."""


@dataclass(frozen=True, kw_only=True)
class Placebo:
    """Share of the variance of log prices explained out of fold; None where it could not be asked."""

    smooth_fields: float | None
    """Smooth fields in place of the features, blocks of places with a buffer."""
    smooth_fields_at_random: float | None
    """The same judged in random folds: what a naive validation would have claimed. Never a headline."""
    shuffled_prices: float
    """The features as they are, prices dealt out anew within each month."""
    buffer: float | None
    """Width of the buffer: where the correlation of prices of neighbours has gone [unit of the places]."""
    n: int
    """Sales asked, a sample of very many."""

    @property
    def passed(self) -> bool:
        """Whether no placebo explains more than `BOUND`."""
        return max(self.shuffled_prices, self.smooth_fields or 0.0) <= BOUND

    def as_dict(self) -> dict[str, float | int | bool | None]:
        """JSON values."""
        return {
            "smooth_fields_blocked_r2": self.smooth_fields,
            "smooth_fields_random_r2": self.smooth_fields_at_random,
            "shuffled_prices_r2": self.shuffled_prices,
            "bound": BOUND,
            "passed": self.passed,
            "buffer": self.buffer,
            "n": self.n,
        }


def placebo_test(
    features: pd.DataFrame, xy: Floats | None, months: Floats | None, price: Floats, *, seed: int = 0, rounds: int = 100
) -> Placebo:
    """Ask the placebos of a set of sales.

    Parameters
    ----------
    features, xy, months, price
        As for `fit_value_model`.
    seed
        Of the fields, the dealing and the folds.
    rounds
        Of the boosters.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(len(price))
    if len(rows) > _ROWS:
        rows = np.sort(rng.choice(len(rows), _ROWS, replace=False))
    features, log_price = features.iloc[rows], np.log(price[rows])
    xy, months = None if xy is None else xy[rows], None if months is None else months[rows]
    level = FLAT if months is None else price_level(months, log_price - np.median(log_price))
    target = log_price - level.at(months, len(rows))
    low, high = np.quantile(target, [0.005, 0.995])
    target = np.clip(target, low, high)
    units = units_of(len(rows), None, xy)
    random = make_folds(units, None, None, _FOLDS, seed).fold
    encoder = encoder_of(features)
    dealt = _dealt(target, months, rng)
    shuffled = _explained(encoder.matrix(features, xy), dealt, random, None, encoder.categorical, rounds, seed)
    found: dict[str, float | None] = {"blocked": None, "random": None, "buffer": None}
    if xy is not None and known_places(xy).sum() >= 200:
        there = known_places(xy)
        where, own = xy[there], target[there]
        draws = int(np.clip(np.ceil(2_000 / len(own)), 1, _MOST_DRAWS))
        fields = [smooth_fields(where, rng) for _ in range(draws)]
        buffer = correlation_range(where, own, rng)
        found["buffer"] = buffer
        blocked = [
            _explained(field, own, place_blocks(where, _FOLDS, seed + n), (where, buffer), [], rounds, seed)
            for n, field in enumerate(fields)
        ]
        found["blocked"] = float(np.mean(blocked))
        found["random"] = _explained(fields[0], own, random[there], None, [], rounds, seed)
    return Placebo(
        smooth_fields=found["blocked"],
        smooth_fields_at_random=found["random"],
        shuffled_prices=shuffled,
        buffer=found["buffer"],
        n=len(rows),
    )


def smooth_fields(xy: Floats, rng: np.random.Generator) -> Floats:
    """Fields of random waves, none with anything to do with prices. Shape (row, field)."""
    size = np.ptp(xy, axis=0).max() + 1e-9
    where = (xy - xy.mean(axis=0)) / size
    found = np.zeros((len(xy), _FIELDS))
    for field in range(_FIELDS):
        wave = rng.normal(0, 2 * np.pi * 3, (_WAVES, 2))
        found[:, field] = np.cos(where @ wave.T + rng.uniform(0, 2 * np.pi, _WAVES)).sum(axis=1)
    return found


def correlation_range(xy: Floats, values: Floats, rng: np.random.Generator) -> float:
    """Distance at which pairs differ as much as any (variogram at 95 % of its sill), at most a tenth of the extent."""
    first, second = rng.integers(0, len(xy), (2, 200_000))
    distance = np.linalg.norm(xy[first] - xy[second], axis=1)
    half = 0.5 * (values[first] - values[second]) ** 2
    most = 0.1 * float(np.linalg.norm(np.ptp(xy, axis=0)))
    edges = np.linspace(0, most, 16)
    sill = float(half.mean())
    for low, high in pairwise(edges.tolist()):
        own = (distance >= low) & (distance < high)
        if own.sum() >= 50 and half[own].mean() >= 0.95 * sill:
            return float(high)
    return most


def _dealt(target: Floats, months: Floats | None, rng: np.random.Generator) -> Floats:
    cell = np.zeros(len(target), np.int64) if months is None else np.floor(np.nan_to_num(months)).astype(np.int64)
    found, waiting = target.copy(), np.zeros(0, np.int64)
    names = np.unique(cell)
    for month in names:
        waiting = np.concatenate([waiting, np.flatnonzero(cell == month)])
        if len(waiting) >= _LEAST_DEALT or month == names[-1]:
            found[waiting] = target[rng.permutation(waiting)]
            waiting = np.zeros(0, np.int64)
    return found


def _explained(
    matrix: Floats,
    target: Floats,
    fold: Ints,
    buffered: tuple[Floats, float] | None,
    categorical: list[int],
    rounds: int,
    seed: int,
) -> float:
    """R2 out of fold against the mean of each training set, pooled; sales within the buffer of a fold are left out."""
    miss = usual = 0.0
    settings = {
        "objective": "l2",
        "learning_rate": 0.1,
        "num_leaves": 15,
        "min_data_in_leaf": max(20, len(target) // 100),
        "cat_smooth": 20.0,
        "cat_l2": 20.0,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    for f in np.unique(fold):
        own = fold == f
        learn = ~own
        if buffered is not None:
            xy, width = buffered
            learn = learn & (cKDTree(xy[own]).query(xy)[0] > width)
        if learn.sum() < 50:
            continue
        data = lgb.Dataset(matrix[learn], target[learn], categorical_feature=categorical, params={"verbose": -1})
        told = np.asarray(lgb.train(settings, data, rounds).predict(matrix[own], num_threads=1), np.float64)
        miss += float(((target[own] - told) ** 2).sum())
        usual += float(((target[own] - target[learn].mean()) ** 2).sum())
    return 1 - miss / usual if usual > 0 else 0.0


__all__ = ["BOUND", "Placebo", "correlation_range", "placebo_test", "smooth_fields"]
