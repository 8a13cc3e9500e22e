"""Comparable sales: what the boosters put into the same leaves and what lies near, sold before, brought to one date.

Likeness is the share of trees in whose leaves both lie (random forest proximity: Breiman 2001,
doi:10.1023/A:1010933404324), less the further away a sale is. Nothing sold on or after the day of valuation is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geocollateral.errors import BrokenData
from geocollateral.valuation.hedonic import fit_hedonic
from geocollateral.valuation.value_model import ValueModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TREES = 100
SALES = "sales.parquet"
"""File beside a model with the sales of its training, learned from and held out."""
_CANDIDATES = 150
"""Sales asked about, for nearness and for likeness each."""
_CHUNK = 200


@dataclass(frozen=True, kw_only=True)
class Sold:
    """Sales that may be shown, and rows to value. Arrays have shape (sale,) or (row,)."""

    row_id: Ints
    features: pd.DataFrame
    xy: Floats | None
    months: Floats | None
    price: Floats
    baseline: Floats | None = None
    """Given values, where the model corrects such."""


def sales_table(sold: Sold, days: NDArray[np.datetime64] | None) -> pd.DataFrame:
    """Sales as the file `SALES` holds them: ``row_id``, ``date``, ``price``, ``month``, ``x``, ``y``, ``feature_``."""
    missing = np.full(len(sold.price), np.nan)
    xy = np.column_stack([missing, missing]) if sold.xy is None else sold.xy
    own = {
        "row_id": sold.row_id,
        "date": np.full(len(missing), None, object) if days is None else np.datetime_as_string(days, unit="D"),
        "price": sold.price,
        "month": missing if sold.months is None else sold.months,
        "x": xy[:, 0],
        "y": xy[:, 1],
    }
    features = {f"feature_{name}": sold.features[name].to_numpy() for name in sold.features}
    return pd.DataFrame({**own, **features})


def sold_of(table: pd.DataFrame, model: ValueModel) -> Sold:
    """Sales of the file `SALES` for the comparables of a model.

    Raises
    ------
    BrokenData
        The table is not of this model.
    """
    encoder = model.members.encoder
    lacking = [name for name in ("row_id", "date", "price", "month", "x", "y") if name not in table]
    lacking += [name for name in encoder.names if f"feature_{name}" not in table]
    if lacking:
        raise BrokenData(f"{SALES} lacks {', '.join(lacking)}: it is not of this model.")
    features = {}
    for name in encoder.names:
        column = table[f"feature_{name}"]
        kinds = name in encoder.kinds
        features[name] = column.astype(object).where(column.notna(), None) if kinds else column.astype(np.float64)
    xy, months = table[["x", "y"]].to_numpy(np.float64), table["month"].to_numpy(np.float64)
    return Sold(
        row_id=table["row_id"].to_numpy(np.int64),
        features=pd.DataFrame(features),
        xy=xy if np.isfinite(xy).any() else None,
        months=months if np.isfinite(months).any() else None,
        price=table["price"].to_numpy(np.float64),
    )


def comparables(
    model: ValueModel,
    sold: Sold,
    features: pd.DataFrame,
    xy: Floats | None,
    months: Floats | None,
    baseline: Floats | None = None,
    *,
    count: int = 5,
) -> pd.DataFrame:
    """The most comparable sales of each row.

    Returns
    -------
    Columns ``subject`` (position of the row asked about), ``rank`` (from 1 on), ``comparable_row_id``, ``price``,
    ``similarity`` [0-1], ``distance_m`` (in the unit of planar coordinates; NaN without a place),
    ``level_adjustment`` (factor from its date to the date asked for), ``feature_adjustment`` (factor for how it
    differs from the row) and ``adjusted_price``. Rows before which nothing was sold have none.
    """
    booster = model.members.boosters[int(model.weights[2] > model.weights[1])]

    def leaves(which: pd.DataFrame, where: Floats | None) -> NDArray[np.int16]:
        matrix = model.members.encoder.matrix(which, where)
        found = booster.predict(matrix, pred_leaf=True, num_iteration=TREES, num_threads=1)
        return np.asarray(found, np.int16).reshape(len(which), -1)

    own, theirs = leaves(features, xy), leaves(sold.features, sold.xy)
    values, sold_values = (
        _values(model, *rows) for rows in ((features, xy, baseline), (sold.features, sold.xy, sold.baseline))
    )
    level, sold_level = model.level.at(months, len(features)), model.level.at(sold.months, len(sold.price))
    spaces = [_Space(*_alike(model, sold, features))]
    if xy is not None and sold.xy is not None:
        spaces.append(_Space(sold.xy, xy))
    reach = spaces[-1].typical()
    rows: list[pd.DataFrame] = []
    for start in range(0, len(features), _CHUNK):
        asked = np.arange(start, min(start + _CHUNK, len(features)))
        near = np.concatenate([space.nearest(asked) for space in spaces], axis=1)
        similarity = (own[asked][:, None, :] == theirs[near]).mean(axis=2)
        distance = _distance(xy, sold.xy, asked, near)
        score = similarity * np.where(np.isfinite(distance), np.exp(-distance / (10 * reach)), 1.0)
        score[_not_before(months, sold.months, asked, near)] = -1.0
        score[_repeated(near)] = -1.0
        for line, row in enumerate(asked.tolist()):
            chosen = np.argsort(-score[line], kind="stable")[:count]
            chosen = chosen[score[line, chosen] >= 0]
            index = near[line, chosen]
            by_level = np.exp(level[row] - sold_level[index])
            by_features = np.exp(values[row] - sold_values[index])
            rows.append(
                pd.DataFrame(
                    {
                        "subject": row,
                        "rank": np.arange(1, len(chosen) + 1),
                        "comparable_row_id": sold.row_id[index],
                        "price": sold.price[index],
                        "similarity": similarity[line, chosen],
                        "distance_m": distance[line, chosen],
                        "level_adjustment": by_level,
                        "feature_adjustment": by_features,
                        "adjusted_price": sold.price[index] * by_level * by_features,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _values(model: ValueModel, features: pd.DataFrame, xy: Floats | None, baseline: Floats | None) -> Floats:
    """Log values without the level of their dates."""
    if model.uses_learners:
        value = model.stretched(model.members.predict(features, xy) @ model.weights)
    else:
        value = model.corrected(features)
    return value if baseline is None else value + np.log(baseline)


class _Space:
    """Sales and rows in one space."""

    def __init__(self, sold: Floats, asked: Floats) -> None:
        self._there = np.flatnonzero(np.isfinite(sold).all(axis=1))
        self._tree = cKDTree(sold[self._there])
        self._asked = np.where(np.isfinite(asked), asked, np.nanmedian(sold, axis=0))
        self._k = min(_CANDIDATES, len(self._there))

    def nearest(self, rows: Ints) -> Ints:
        """Positions of the nearest sales, shape (row, candidate)."""
        index = self._tree.query(self._asked[rows], k=self._k)[1].reshape(len(rows), self._k)
        return np.asarray(self._there[index], np.int64)

    def typical(self) -> float:
        """Median distance of the rows to the fifth nearest sale."""
        distance = self._tree.query(self._asked[:2000], k=min(5, self._k))[0].reshape(min(len(self._asked), 2000), -1)
        return float(np.median(distance[:, -1])) + 1e-9


def _alike(model: ValueModel, sold: Sold, features: pd.DataFrame) -> tuple[Floats, Floats]:
    """Sales and rows by the terms of the linear model: what moves its value counts."""
    linear = model.members.linear
    if not len(linear.slopes):
        linear = fit_hedonic(sold.features, sold.xy, np.log(sold.price), 1.0)
    n = len(linear.slopes) - (5 if linear.design.place is not None else 0)
    middle = np.ones(max(n, 1))
    if n == 0:
        return np.zeros((len(sold.price), 1)), np.zeros((len(features), 1))
    middle = linear.slopes[:n]
    return linear.design.columns(sold.features, None) * middle, linear.design.columns(features, None) * middle


def _distance(xy: Floats | None, sold: Floats | None, asked: Ints, near: Ints) -> Floats:
    if xy is None or sold is None:
        return np.full(near.shape, np.nan)
    return np.asarray(np.linalg.norm(xy[asked][:, None, :] - sold[near], axis=2), np.float64)


def _not_before(months: Floats | None, sold: Floats | None, asked: Ints, near: Ints) -> NDArray[np.bool_]:
    if months is None or sold is None:
        return np.zeros(near.shape, bool)
    return np.asarray(~(sold[near] < months[asked][:, None]), bool)


def _repeated(near: Ints) -> NDArray[np.bool_]:
    """Candidates that stand further left already."""
    order = np.argsort(near, axis=1, kind="stable")
    ordered = np.take_along_axis(near, order, axis=1)
    again = np.zeros(near.shape, bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    found = np.zeros(near.shape, bool)
    np.put_along_axis(found, order, again, axis=1)
    return found


__all__ = ["SALES", "Sold", "comparables", "sales_table", "sold_of"]
