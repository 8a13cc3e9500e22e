"""What the parties agree on before anything is sent: columns, ranges, kinds, keys and knobs.

Bins follow from the agreed ranges alone, so that finding them tells nobody anything.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, model_validator

from geocollateral.types import Params

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
DAYS = "days"
"""Name of the column of time, counted from the first day of the plan."""


class Range(Params):
    """Agreed range of a number; what lies outside is drawn in to learn and refused to value."""

    low: float = Field(description="Smallest value; the unit of the column.", allow_inf_nan=False)
    high: float = Field(description="Largest value.", allow_inf_nan=False)
    log: bool = Field(False, description="Ratios count, not differences: sizes, prices.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"expected low < high, and above nought where log is set; got {self.low} and {self.high}")
        return self

    def unit(self, value: Floats) -> Floats:
        """Values drawn in to the range, as -1 to 1; NaN stays."""
        drawn = np.clip(value, self.low, self.high)
        low, high = (np.log(self.low), np.log(self.high)) if self.log else (self.low, self.high)
        return np.asarray(2 * ((np.log(drawn) if self.log else drawn) - low) / (high - low) - 1, np.float64)

    def edges(self, bins: int) -> Floats:
        """Upper bounds of all bins but the last, shape (bins - 1,)."""
        space = np.geomspace if self.log else np.linspace
        return np.asarray(space(self.low, self.high, bins + 1)[1:-1], np.float64)


class Times(Params):
    """The column of days of sale and the days learned from; later prices are taken to stand still."""

    column: Name = Field(description="Column of days of sale.")
    first: dt.date = Field(description="First day of the sales learned from.")
    last: dt.date = Field(description="Last day of the sales learned from; later ones are held out.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first >= self.last:
            raise ValueError(f"expected first < last; got {self.first} and {self.last}")
        return self


class Learning(Params):
    """Knobs of the joint model."""

    trees: int = Field(300, ge=1, le=2000, description="Most trees; fewer where the errors of rows set aside rise.")
    rate: float = Field(0.08, gt=0, le=1, description="Share of each tree's step.")
    depth: int = Field(5, ge=1, le=7, description="Splits from the root to a leaf.")
    bins: int = Field(48, ge=4, le=200, description="Bins of each number over its agreed range.")
    in_leaf: int = Field(20, ge=10, le=10_000, description="Fewest rows of all parties together in a leaf.")
    penalty: float = Field(3.0, gt=0, description="Ridge of the linear part [rows].")
    shrink: float = Field(1.0, ge=0, description="Rows of no effect in each leaf (L2 of the booster).")
    clip: float = Field(0.6, gt=0, le=3, description="Errors of log prices are drawn in to this on each side.")
    features: float = Field(0.6, gt=0, le=1, description="Share of the columns that a tree may use.")
    rows: float = Field(0.8, gt=0, le=1, description="Share of the rows that a tree sees, drawn by each party.")
    aside: float = Field(0.15, ge=0.05, le=0.5, description="Share of the rows set aside to choose and calibrate.")
    level: float = Field(0.90, gt=0.5, lt=1, description="Share of prices that the interval is to hold [0-1].")
    seed: int = Field(1, ge=0, description="Of every choice at random but masks and noise.")


class Noise(Params):
    """Differential privacy of one sale: what is learned is nearly the same with it and without it."""

    epsilon: float = Field(gt=0, le=50, description="Bound of the whole session.")
    delta: float = Field(1e-5, gt=0, lt=0.01, description="Chance in which the bound may fail.")
    trees: int = Field(60, ge=0, le=500, description="Trees, whose splits are drawn by lot.")
    depth: int = Field(3, ge=1, le=6, description="Splits from the root to a leaf.")
    linear_share: float = Field(0.3, gt=0, lt=1, description="Share of the budget for the linear part [0-1].")
    rate: float = Field(0.3, gt=0, le=1, description="Share of each tree's step.")
    clip: float = Field(0.4, gt=0, le=3, description="Errors of log prices are drawn in to this on each side.")
    colluding: int = Field(1, ge=0, description="Parties that may share their noise; that of the others suffices.")


class Plan(Params):
    """One joint model, as agreed and signed off by all parties."""

    name: Name = Field(description="What the model is called.")
    target: Name = Field(description="Column of prices.")
    price: Range = Field(description="Range of prices.")
    numbers: dict[Name, Range] = Field(description="Columns of numbers with their ranges.")
    kinds: dict[Name, tuple[Name, ...]] = Field(default={}, description="Columns of kinds with all their kinds.")
    places: dict[Name, Range] = Field(default={}, description="Two columns of coordinates, or none.")
    time: Times | None = Field(None, description="Days of sale; None: held out at random.")
    coordinator: Key = Field(description="Public key of the coordinator.")
    parties: dict[Name, Key] = Field(description="Public key of each party.")
    least_rows: int = Field(60, ge=60, description="A party with fewer rows to learn from does not take part.")
    learning: Learning = Field(default=Learning(), description="Knobs of the model.")
    noise: Noise | None = Field(None, description="Differential privacy; None: exact sums.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if len(self.parties) < 3:
            raise ValueError(
                f"expected three parties or more, got {len(self.parties)}: of two, each could subtract its own share"
            )
        if len({*self.parties.values(), self.coordinator}) != len(self.parties) + 1:
            raise ValueError("expected a key of its own for each party and the coordinator")
        if len(self.places) not in (0, 2):
            raise ValueError(f"expected two columns of places or none, got {len(self.places)}")
        if not (self.numbers or self.places or self.kinds):
            raise ValueError("expected a column to learn from")
        taken = [*self.numbers, *self.places, *self.kinds, self.target, *([self.time.column] if self.time else [])]
        if len(set(taken)) != len(taken):
            raise ValueError("expected each column once: as a number, a kind, a place, the price or the day of sale")
        if not self.price.low > 0:
            raise ValueError(f"expected prices above nought, got {self.price.low}")
        if self.noise is not None and len(self.parties) - self.noise.colluding < 2:
            raise ValueError("expected two parties or more beyond those that may collude")
        return self

    def digest(self) -> str:
        """SHA-256 by which all know that they have agreed on the same."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the parties in the order of their masks."""
        return tuple(sorted(self.parties))


@dataclass(frozen=True)
class Layout:
    """Columns and bins that follow from a plan."""

    plan: Plan

    @cached_property
    def ranges(self) -> Mapping[str, Range]:
        """Columns of numbers, time and places with their ranges, in order."""
        found = dict(self.plan.numbers)
        if self.plan.time is not None:
            found[DAYS] = Range(low=0, high=float((self.plan.time.last - self.plan.time.first).days))
        return {**found, **self.plan.places}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Columns of the booster: numbers, time, places, their diagonals, then one for each kind."""
        diagonals = ("sum of places", "difference of places") if self.plan.places else ()
        kinds = [f"{name}={kind}" for name, kinds in self.plan.kinds.items() for kind in kinds]
        return (*self.ranges, *diagonals, *kinds)

    @cached_property
    def edges(self) -> tuple[Floats, ...]:
        """Bounds of the bins of each column of the booster."""
        found = [r.edges(self.plan.learning.bins) for r in self.ranges.values()]
        if self.plan.places:
            a, b = self.plan.places.values()
            for low, high in ((a.low + b.low, a.high + b.high), (a.low - b.high, a.high - b.low)):
                found.append(Range(low=low, high=high).edges(self.plan.learning.bins))
        return (*found, *[np.array([0.5])] * (len(self.names) - len(found)))

    def cells(self, features: Ints) -> Ints:
        """Where the bins of each of some columns begin, and their number. Bin 0 holds missing values."""
        return np.concatenate([[0], np.cumsum([len(self.edges[f]) + 2 for f in features])]).astype(np.int64)

    def matrix(self, numbers: Mapping[str, Floats], kinds: Mapping[str, NDArray[np.object_]]) -> Floats:
        """What the booster is given, shape (row, column); NaN = missing."""
        columns = [numbers[name] for name in self.ranges]
        if self.plan.places:
            a, b = (numbers[name] for name in self.plan.places)
            columns += [a + b, a - b]
        columns += [(kinds[name] == kind).astype(np.float64) for name, own in self.plan.kinds.items() for kind in own]
        return np.column_stack(columns)

    def binned(self, matrix: Floats) -> Ints:
        """Bin of each value, shape (row, column): 0 = missing, then up to the bound included, as LightGBM splits."""
        found = np.zeros(matrix.shape, np.int64)
        for f, edges in enumerate(self.edges):
            known = ~np.isnan(matrix[:, f])
            found[known, f] = 1 + np.searchsorted(edges, matrix[known, f], side="left")
        return found

    def design(self, matrix: Floats) -> Floats:
        """Columns of the linear part, shape (row, column), from -1 to 1, the first of ones."""
        n = len(self.ranges)
        units = np.column_stack([r.unit(matrix[:, f]) for f, r in enumerate(self.ranges.values())])
        known = np.isfinite(units)
        units = np.where(known, units, 0.0)
        parts = [np.ones((len(matrix), 1)), units, units**2, (~known).astype(np.float64)]
        if self.plan.places:
            parts.append(units[:, n - 2 : n - 1] * units[:, n - 1 : n])
        return np.hstack([*parts, matrix[:, n + (2 if self.plan.places else 0) :]])

    @cached_property
    def width(self) -> int:
        """Columns of the linear part."""
        n, places = len(self.ranges), bool(self.plan.places)
        return 1 + 3 * n + int(places) + len(self.names) - n - 2 * int(places)

    @property
    def middle(self) -> float:
        """Middle of the range of log prices, from which prices are counted."""
        return float(np.log(self.plan.price.low) + np.log(self.plan.price.high)) / 2


__all__ = ["DAYS", "Layout", "Learning", "Noise", "Plan", "Range", "Times"]
