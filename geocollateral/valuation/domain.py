"""What the model has not seen it does not value: a refusal outside the model, with its reason and without a number.

A booster answers everything: an unknown district, square feet for square metres, a row without a single value. Asked
here, in this order: is enough known, is every kind known, is every number within what was sold, do the numbers fit
together and with the place (`expected_numbers`), is there anything alike among the sales (area of applicability:
Meyer & Pebesma 2021, doi:10.1111/2041-210X.13650), and is the day of valuation near the sales.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geocollateral.valuation.expected_numbers import Boost, Expectation, expectations_of

Floats = NDArray[np.float64]

OPEN_RATE = 0.01
"""A category of which more than this share of rows are new kinds out of fold is open: new kinds are no reason."""
_REACH = 0.10
"""Numbers may lie outside the range of the sales by this share of it; by more where few sales have many numbers."""
_MARGIN = 1.25
_FIT_MARGIN = 1.05
_FIT_TESTS = 3.0
"""All numbers together refuse about this many times the refusal rate of good rows as not fitting the others."""
_REFERENCE = 20_000
_AHEAD_MONTHS = (48.0, 60.0)
"""After the last sale values are told for as long as the sales span, within these bounds (half the span if longer)."""
_BEFORE_MONTHS = 12.0
"""Before the first sale values are told for this long, or a quarter of the span if longer."""
_DIMENSIONS = 12


@dataclass(frozen=True, kw_only=True)
class NumberScale:
    """How one number was sold; in logarithms where none was negative, since sizes and prices are skewed."""

    name: str
    is_log: bool
    low: float
    high: float
    middle: float
    spread: float
    unit: float = 1.0
    """Of the logarithm, 1 or a tenth of the median: hectares are far below one as often as square metres are above."""

    def standard(self, raw: Floats) -> Floats:
        """Numbers in spreads from the middle; NaN stays, a negative one where none was is minus infinity."""
        if not self.is_log:
            return (raw - self.middle) / self.spread
        with np.errstate(invalid="ignore", divide="ignore"):
            return (np.log1p(np.where(raw < 0, -1.0, raw / self.unit)) - self.middle) / self.spread


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What the sales cover."""

    numbers: tuple[NumberScale, ...]
    kinds: Mapping[str, frozenset[str]]
    """Closed categories and their kinds."""
    weight: Mapping[str, float]
    """Share of what each feature tells the model; adds up to 1."""
    least_known: float
    """Smallest share of the weight that must be known."""
    precision: Floats
    """Shape (number, number): inverse of the correlation of the numbers."""
    fit_bound: Floats
    """Shape (number,): largest departure from what the others say [spreads]."""
    reference: Floats
    """Shape (row, dimension): sales in the space of the most telling numbers."""
    dimensions: NDArray[np.int64]
    """Positions among `numbers`."""
    dimension_weight: Floats
    alike_bound: float
    """Largest distance to the nearest sale in that space."""
    reach: float
    """Numbers may lie outside the range of the sales by this share of it."""
    places: Floats | None
    place_bound: float
    """Largest distance to the nearest place of a sale."""
    expected: tuple[Expectation, ...] = ()
    """What the rest of a row says of the telling numbers."""
    first: float = -np.inf
    last: float = np.inf
    """Earliest and latest time of valuation [months]."""

    def refusals(
        self, features: pd.DataFrame, xy: Floats | None, months: Floats | None = None, matrix: Floats | None = None
    ) -> NDArray[np.object_]:
        """Reason for each row, None where it may be valued. Shape (row,).

        Parameters
        ----------
        months
            Times of valuation; NaN and None: not known, no reason.
        matrix
            Shape (row, column): the features as the boosters see them; None: `expected` is not asked.
        """
        reason = np.full(len(features), None, object)
        free = np.ones(len(features), bool)

        def refuse(rows: NDArray[np.bool_], text: str) -> None:
            reason[rows & free] = text
            free[rows] = False

        refuse(_weight_known(features, self.weight) < self.least_known, "the features that tell most are missing")
        for name, kinds in self.kinds.items():
            new = features[name].notna().to_numpy() & ~features[name].isin(kinds).to_numpy()
            for kind in sorted(set(features[name][new].astype(str))):
                refuse(new & (features[name] == kind).to_numpy(), f"{name}: no sale of the kind {kind!r} is known")
        standard = _standard(features, self.numbers)
        for n, number in enumerate(self.numbers):
            reach = self.reach * (number.high - number.low)
            value = standard[:, n]
            outside = (value < number.low - reach) | (value > number.high + reach)
            refuse(outside, f"{number.name}: outside of what was sold")
        filled = np.where(np.isfinite(standard), standard, 0.0)
        departure = np.abs(_departures(filled, self.precision))
        for n, number in enumerate(self.numbers):
            refuse(departure[:, n] > self.fit_bound[n], f"{number.name}: does not fit the other features")
        by_name = {number.name: n for n, number in enumerate(self.numbers)}
        if matrix is not None:
            for one in self.expected:
                name = str(features.columns[one.column])
                off = one.departures(matrix, standard[:, by_name[name]])
                refuse(off > 1, f"{name}: not what the other features and the place say")
        if months is not None:
            refuse((months < self.first) | (months > self.last), "its day is far from every sale")
        if self.places is not None and xy is not None:
            there = np.isfinite(xy).all(axis=1)
            far = np.zeros(len(xy), bool)
            far[there] = cKDTree(self.places).query(xy[there])[0] > self.place_bound
            refuse(far, "its place is far from every sale")
        if len(self.dimensions):
            space = filled[:, self.dimensions] * self.dimension_weight
            refuse(cKDTree(self.reference).query(space)[0] > self.alike_bound, "no sale is alike")
        return reason


def domain_of(
    features: pd.DataFrame,
    xy: Floats | None,
    weight: Mapping[str, float],
    folds: NDArray[np.int64],
    *,
    months: Floats | None = None,
    matrix: Floats | None = None,
    boost: Boost | None = None,
    refusal_rate: float = 0.01,
    seed: int = 0,
) -> Domain:
    """What the sales of a training set cover.

    Parameters
    ----------
    features, xy
        Of the training rows.
    weight
        Share of what each feature tells the model.
    folds
        Shape (row,): how new kinds and distances arise where nothing is wrong.
    months
        Times of the sales.
    matrix, boost
        Features as the boosters see them, and what fits one of them; None: what the rest of a row says of a number is
        asked by correlations alone.
    refusal_rate
        Share of good rows that the test for what is alike may refuse [0-1]; the other tests refuse far fewer.
    """
    rng = np.random.default_rng(seed)
    numbers = tuple(
        found
        for name in features.columns
        if features[name].dtype != object and (found := _scale_of(features[name])) is not None
    )
    kinds = {
        str(name): frozenset(map(str, features[name].dropna().unique()))
        for name in features.columns
        if features[name].dtype == object and _share_new(features[name], folds) <= OPEN_RATE
    }
    standard = _standard(features, numbers)
    filled = np.where(np.isfinite(standard), standard, 0.0)
    precision = _precision(filled)
    departure = np.empty(filled.shape)
    for fold in np.unique(folds):  # as unknown rows depart: those that made the precision fit it too well
        own = folds == fold
        departure[own] = np.abs(_departures(filled[own], _precision(filled[~own])))
    fit_bound = np.zeros(0)
    if len(numbers):
        share = refusal_rate / max(len(numbers) / _FIT_TESTS, 1.0)
        fit_bound = np.maximum(_FIT_MARGIN * np.quantile(departure, 1 - share, axis=0), 3.5)
    by_weight = sorted(range(len(numbers)), key=lambda n: -weight.get(numbers[n].name, 0.0))
    dimensions = np.array(by_weight[:_DIMENSIONS], np.int64)
    dimension_weight = np.sqrt(np.array([weight.get(numbers[n].name, 0.0) for n in dimensions]) + 1e-3)
    space = filled[:, dimensions] * dimension_weight
    alike_bound = 0.0
    if len(dimensions):
        alike_bound = _MARGIN * float(np.quantile(_distances(space, folds, rng), 1 - refusal_rate)) + 1e-9
    kept = np.arange(len(space)) if len(space) <= _REFERENCE else np.sort(rng.choice(len(space), _REFERENCE, False))
    places, place_bound = None, float("inf")
    if xy is not None and np.isfinite(xy).all(axis=1).sum() >= 20:
        there = np.isfinite(xy).all(axis=1)
        places = xy[there]
        place_bound = 3 * float(np.quantile(_distances(places, folds[there], rng), 0.999)) + 1.0
    expected: tuple[Expectation, ...] = ()
    if matrix is not None and boost is not None:
        expected = expectations_of(
            matrix,
            standard,
            [list(features.columns).index(number.name) for number in numbers],
            [weight.get(number.name, 0.0) for number in numbers],
            folds,
            boost,
            rate=refusal_rate,
            seed=seed,
        )
    first, last = _days_valued(months)
    return Domain(
        numbers=numbers,
        kinds=kinds,
        weight=dict(weight),
        least_known=0.5 * float(np.quantile(_weight_known(features, weight), 0.002)),
        precision=precision,
        fit_bound=fit_bound,
        reference=space[kept],
        dimensions=dimensions,
        dimension_weight=dimension_weight,
        alike_bound=alike_bound,
        reach=_REACH * float(np.clip(10 * len(numbers) / max(len(features), 1), 1, 5)),
        places=places,
        place_bound=place_bound,
        expected=expected,
        first=first,
        last=last,
    )


def _days_valued(months: Floats | None) -> tuple[float, float]:
    """Earliest and latest time for which a value is told."""
    known = np.zeros(0) if months is None else months[np.isfinite(months)]
    if not len(known):
        return -np.inf, np.inf
    early, late = np.quantile(known, [0.005, 0.995])  # a few slips of the pen are no history
    span = float(late - early)
    ahead = float(np.clip(span, *_AHEAD_MONTHS))
    return float(early) - max(_BEFORE_MONTHS, 0.25 * span), float(known.max()) + max(ahead, 0.5 * span)


def _precision(standard: Floats) -> Floats:
    """Inverse of the correlation, drawn to the identity the more the fewer rows there are for each number."""
    n = standard.shape[1]
    together = standard.T @ standard / max(len(standard), 1) + (0.02 + n / max(len(standard), 1)) * np.eye(n)
    return np.asarray(np.linalg.inv(together), np.float64)


def _weight_known(features: pd.DataFrame, weight: Mapping[str, float]) -> Floats:
    known = np.zeros(len(features))
    for name, share in weight.items():
        known += share * features[name].notna().to_numpy()
    return known


def _scale_of(column: pd.Series) -> NumberScale | None:
    raw = column.to_numpy(np.float64)
    known = raw[np.isfinite(raw)]
    if len(known) < max(10, 0.3 * len(raw)) or np.ptp(known) == 0:
        return None
    is_log = bool(known.min() >= 0)
    unit = min(1.0, 0.1 * float(np.median(known[known > 0]))) if is_log else 1.0
    value = np.log1p(known / unit) if is_log else known
    middle, spread = float(np.median(value)), float(value.std())
    return NumberScale(
        name=str(column.name),
        is_log=is_log,
        low=float((value.min() - middle) / spread),
        high=float((value.max() - middle) / spread),
        middle=middle,
        spread=spread,
        unit=unit,
    )


def _standard(features: pd.DataFrame, numbers: tuple[NumberScale, ...]) -> Floats:
    """Numbers in spreads from their middles, shape (row, number)."""
    out = np.zeros((len(features), len(numbers)))
    for n, number in enumerate(numbers):
        out[:, n] = number.standard(features[number.name].to_numpy(np.float64))
    return out


def _departures(standard: Floats, precision: Floats) -> Floats:
    """Each number against what the others say of it [spreads], shape (row, number)."""
    return np.asarray(standard @ precision / np.sqrt(np.diag(precision)), np.float64)


def _share_new(column: pd.Series, folds: NDArray[np.int64]) -> float:
    """Share of rows whose kind no other fold holds."""
    new = 0
    for fold in np.unique(folds):
        own = folds == fold
        new += int((~column[own].isin(set(column[~own].dropna())) & column[own].notna()).sum())
    return new / max(len(column), 1)


def _distances(points: Floats, folds: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Distance of points to the nearest of another fold; a sample of them where there are very many."""
    found = []
    for fold in np.unique(folds):
        own, other = points[folds == fold], points[folds != fold]
        if not len(own) or not len(other):
            continue
        if len(own) > _REFERENCE // 4:
            own = own[rng.choice(len(own), _REFERENCE // 4, replace=False)]
        if len(other) > _REFERENCE:
            other = other[rng.choice(len(other), _REFERENCE, replace=False)]
        found.append(cKDTree(other).query(own)[0])
    return np.concatenate(found) if found else np.zeros(1)


__all__ = ["Domain", "NumberScale", "domain_of"]
