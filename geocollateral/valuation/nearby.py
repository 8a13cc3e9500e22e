"""What the nearest sales say: prices as they were paid there, and what the linear model left at them.

Two learners come from it. **Nearest sales**: the median of what was paid at the nearest places, per area where there is
one, as a baseline does. **Kriging**: the linear model's value and what it left nearby, by simple kriging (Chilès &
Delfiner 2012, doi:10.1002/9781118136188), which far from every sale goes back to the linear model instead of away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEIGHBOURS = (8, 30)
MIN_SALES = 2 * max(NEIGHBOURS) + 1
"""Fewest sales with places from which anything nearby is learned."""
NEAREST = 15
"""Sales behind a median."""
_KRIGED = 20
_NUGGETS = (0.5, 0.8, 0.95)
_REACHES = (0.05, 0.2, 0.6)
"""Ranges of the correlation, as shares of the typical distance of a sale from the middle of all."""
_ASKED = 400
_CHUNK = 5_000
_SPREADS = 3.0
_AREA = re.compile(
    r"area|sq\.?_?ft|sqm|m2|size|acre|hectare|_mu$|living|fl(ä|ae)che|surface|面积|面積|亩|坪", re.IGNORECASE
)


def area_of(features: pd.DataFrame, price: Floats) -> str | None:
    """The number whose name says area, known of nine sales in ten, that follows the price closest; None: none does."""
    best: tuple[float, str] | None = None
    for name in features.columns:
        if features[name].dtype == object or not _AREA.search(str(name)):
            continue
        value = features[name].to_numpy(np.float64)
        known = np.isfinite(value) & (value > 0)
        if known.sum() < 0.9 * len(price):
            continue
        alike = abs(float(pd.Series(value[known]).rank().corr(pd.Series(price[known]).rank())))
        if best is None or alike > best[0]:
            best = (alike, str(name))
    return None if best is None else best[1]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The logarithm of the area that prices nearby are of; nought where there is none."""

    name: str | None
    middle: float
    """For rows that do not say it."""

    @staticmethod
    def of(features: pd.DataFrame, price: Floats) -> Sizes:
        """By the area that the features name."""
        name = area_of(features, price)
        if name is None:
            return Sizes(name=None, middle=0.0)
        value = features[name].to_numpy(np.float64)
        return Sizes(name=name, middle=float(np.median(np.log(value[value > 0]))))

    def logs(self, features: pd.DataFrame) -> Floats:
        """Shape (row,)."""
        if self.name is None:
            return np.zeros(len(features))
        value = features[self.name].to_numpy(np.float64)
        known = np.isfinite(value) & (value > 0)
        return np.where(known, np.log(np.where(known, value, 1.0)), self.middle)


@dataclass(frozen=True, kw_only=True)
class Kriging:
    """How what the linear model left at two sales is alike."""

    nugget: float
    """Share of the variance that is each sale's own."""
    reach: float
    """Distance at which the likeness of the rest has fallen to 1/e."""

    def predict(self, xy: Floats, residual: Floats, where: Floats) -> Floats:
        """What the linear model leaves at places, shape (place,)."""
        out, tree = np.empty(len(where)), cKDTree(xy)
        k = min(_KRIGED, len(xy))
        for start in range(0, len(where), _CHUNK):
            distance, index = tree.query(where[start : start + _CHUNK], k=k)
            near = xy[index]
            apart = np.sqrt(np.square(near[:, :, None, :] - near[:, None, :, :]).sum(axis=3))
            alike = (1 - self.nugget) * np.exp(-apart / self.reach) + self.nugget * np.eye(k)
            weights = np.linalg.solve(alike, (1 - self.nugget) * np.exp(-distance / self.reach)[:, :, None])[:, :, 0]
            out[start : start + _CHUNK] = (weights * residual[index]).sum(axis=1)
        return out


def kriging_of(xy: Floats, residual: Floats, fold: Ints, seed: int) -> Kriging:
    """The kriging with the smallest mean absolute error at a sample of sales, each told of the other folds alone."""
    typical = float(np.median(np.linalg.norm(xy - np.median(xy, axis=0), axis=1))) + 1e-9
    asked = np.arange(len(xy))
    if len(xy) > _ASKED:
        asked = np.sort(np.random.default_rng(seed).choice(len(xy), _ASKED, replace=False))
    drawn = drawn_in(residual, _SPREADS)
    best: tuple[float, Kriging] | None = None
    for nugget in _NUGGETS:
        for reach in _REACHES:
            one = Kriging(nugget=nugget, reach=reach * typical)
            error = 0.0
            for f in np.unique(fold[asked]):
                own, other = asked[fold[asked] == f], fold != f
                if other.any():
                    error += float(np.abs(drawn[own] - one.predict(xy[other], drawn[other], xy[own])).sum())
            if best is None or error < best[0]:
                best = (error, one)
    assert best is not None  # noqa: S101 - there is at least one choice
    return best[1]


def drawn_in(residual: Floats, spreads: float) -> Floats:
    """Residuals of at most so many spreads: the square of a gift's would outweigh a hundred sales."""
    middle = float(np.median(residual))
    reach = spreads * 1.4826 * float(np.median(np.abs(residual - middle))) + 1e-9
    return np.asarray(np.clip(residual, middle - reach, middle + reach), np.float64)


@dataclass(frozen=True, kw_only=True)
class Nearby:
    """The sales that have a place."""

    xy: Floats
    residual: Floats
    """What the linear model left at each, out of fold."""
    paid: Floats
    """Log price of each, per area where `sizes` has one."""
    sizes: Sizes
    kriging: Kriging

    def columns(self, where: Floats, own: bool) -> list[Floats]:
        """Mean residual of the nearest sales, and how far they are; `own`: leave each row's own sale out."""
        known = np.isfinite(where).all(axis=1)
        k = min(max(NEIGHBOURS) + int(own), len(self.xy))
        distance = np.full((len(where), k), np.nan)
        index = np.zeros((len(where), k), np.int64)
        distance[known], index[known] = cKDTree(self.xy).query(where[known], k=k)
        distance, index = distance[:, int(own) :], index[:, int(own) :]
        found = [
            np.where(known, self.residual[index[:, :n]].mean(axis=1), np.nan) for n in NEIGHBOURS if n <= index.shape[1]
        ]
        fifth = min(4, distance.shape[1] - 1)
        return [*found, np.log1p(distance[:, fifth])]

    def doubts(self, where: Floats) -> list[Floats]:
        """How far the nearest sales are and how much the linear model left at them, in size and on one side."""
        known = np.isfinite(where).all(axis=1)
        distance, index = cKDTree(self.xy).query(where[known], k=min(max(NEIGHBOURS), len(self.xy)))
        near = self.residual[index]
        found = [np.full(len(where), np.nan) for _ in range(3)]
        for column, values in zip(
            found, (np.log1p(distance[:, 4]), np.abs(near).mean(axis=1), np.abs(near.mean(axis=1))), strict=True
        ):
            column[known] = values
        return found

    def left(self, where: Floats) -> Floats:
        """What the linear model leaves at places, kriged; nought where the place is not known. Shape (row,)."""
        known = np.isfinite(where).all(axis=1)
        found = np.zeros(len(where))
        found[known] = self.kriging.predict(self.xy, drawn_in(self.residual, _SPREADS), where[known])
        return found

    def around(self, where: Floats) -> Floats:
        """Median of what was `paid` at the nearest sales, of all where the place is not known. Shape (row,)."""
        known = np.isfinite(where).all(axis=1)
        found = np.full(len(where), float(np.median(self.paid)))
        k = min(NEAREST, len(self.xy))
        index = cKDTree(self.xy).query(where[known], k=k)[1].reshape(int(known.sum()), k)
        found[known] = np.median(self.paid[index], axis=1)
        return found


__all__ = ["MIN_SALES", "NEAREST", "NEIGHBOURS", "Kriging", "Nearby", "Sizes", "area_of", "drawn_in", "kriging_of"]
