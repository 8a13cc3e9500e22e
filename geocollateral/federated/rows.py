"""A party's own rows: what is answered to each question, always a sum over rows and never a row."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geocollateral.errors import BrokenData, InvalidInput
from geocollateral.federated.messages import Asking, Errors, Grow, LeafSums, Normal, Split, Start, Telling
from geocollateral.federated.noise import ROW_NORM, draw
from geocollateral.federated.plan import Layout, Plan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

CELLS = 802
"""Cells of the histogram of errors: log ratios from -2 to 2 in steps of 0.005, and what lies beyond."""
BOUND = 2.0
SUMS = 3
"""Further sums after the cells: ratios, prices, estimates; noughts where there is noise."""


def cell_of(error: Floats) -> Ints:
    """Cell of each log ratio."""
    return np.floor((np.clip(error, -BOUND - 0.001, BOUND) + BOUND) / (2 * BOUND) * (CELLS - 2)).astype(np.int64) + 1


def upper_bounds() -> Floats:
    """Upper bound of each cell's log ratios, shape (cell,)."""
    return np.append(np.linspace(-BOUND, BOUND, CELLS - 1), BOUND + 0.5)


def lot(plan: Plan, party: str, use: str) -> np.random.Generator:
    """Draws that are the same in each run of a plan; under noise nobody else can know who is set aside."""
    if plan.noise is not None:
        return np.random.default_rng(secrets.randbits(128))
    text = f"{plan.learning.seed} {party} {use}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


def noisy_cells() -> Mask:
    """Cells that are used under noise, shape (cell,): ten in one, at its end away from nought; the others stay empty.

    Noise in each of 802 cells would hide the tails that the interval hangs on.
    """
    return np.asarray(np.isin(np.arange(CELLS), np.unique(_coarse(np.arange(CELLS)))), bool)


def _coarse(cell: Ints) -> Ints:
    first = (cell - 1) // 10 * 10 + 1
    inside = (cell > 0) & (cell < CELLS - 1)
    return np.where(inside, np.where(first > CELLS // 2 - 1, first + 9, first), cell)


class PartyRows:
    """Rows of one party and the state of the joint model on them.

    Parameters
    ----------
    matrix
        What the booster is given, shape (row, column); NaN = missing.
    price
        Shape (row,), positive.
    held_out
        Shape (row,): never learned from.
    """

    def __init__(self, plan: Plan, party: str, matrix: Floats, price: Floats, held_out: Mask) -> None:
        self.plan, self.layout, self.party = plan, Layout(plan), party
        self._matrix = self.layout.binned(matrix)
        self._design = self.layout.design(matrix)
        self._log = np.log(np.clip(price, plan.price.low, plan.price.high)) - self.layout.middle
        self._held_out = held_out
        self._aside = ~held_out & (lot(plan, party, "aside").random(len(price)) < plan.learning.aside)
        self._learn = ~held_out & ~self._aside
        self._told = np.zeros(len(price))
        self._node = np.zeros(len(price), np.int64)
        self._bag = self._learn
        self._asked: dict[str, int] = {}
        if (~held_out).sum() < plan.least_rows:
            raise InvalidInput(f"{int((~held_out).sum())} rows to learn from; the plan asks for {plan.least_rows}.")

    @property
    def log_prices(self) -> Floats:
        """What the joint model says of each row, shape (row,)."""
        return self._told + self.layout.middle

    def answer(self, asked: Asking) -> Floats:
        """A share of a sum, not yet masked; with the plan's noise.

        Raises
        ------
        BrokenData
            The question is not one of the plan.
        """
        if isinstance(asked, Normal):
            self._count("normal", 1 if self.plan.noise else 2)
            found = self._normal(asked.every)
        elif isinstance(asked, Grow):
            if self.plan.noise is not None:
                raise BrokenData("The coordinator asked for exact histograms; the plan promises noise.")
            self._count("grow", 2 * self.plan.learning.trees * self.plan.learning.depth)
            self._begin(asked.tree, asked.splits)
            return self._histograms(np.array(asked.features, np.int64), np.array(asked.ask, np.int64))
        elif isinstance(asked, LeafSums):
            if self.plan.noise is None:
                raise BrokenData("The coordinator asked for trees by lot; the plan has none.")
            self._count("leaf_sums", self.plan.noise.trees)
            self._node[:], self._bag = 0, self._learn
            self._split(asked.splits)
            found = self._leaf_sums(self.plan.noise.depth)
        else:
            self._count(f"errors {asked.held_out}", 1 if self.plan.noise or asked.held_out else 5000)
            found = self._errors(asked)
            if self.plan.noise is not None:
                found[:CELLS] += np.where(noisy_cells(), draw(self.plan, "errors", CELLS), 0.0)
            return found
        return found + draw(self.plan, asked.kind, len(found))

    def follow(self, told: Telling) -> None:
        """Take in how the model goes on."""
        if isinstance(told, Start):
            if len(told.slopes) != self.layout.width:
                raise BrokenData(f"Expected {self.layout.width} slopes, received {len(told.slopes)}.")
            if self.plan.noise is None:
                self._learn = ~self._held_out & (self._learn | told.every)
            self._told = self._design @ np.array(told.slopes)
            return
        self._split(told.splits)
        value = np.zeros(256)
        for node, step in told.values:
            if node >= len(value):
                raise BrokenData(f"Expected a leaf below {len(value)}, received {node}.")
            value[node] = step
        self._told = self._told + value[self._node]

    def _count(self, kind: str, most: int) -> None:
        self._asked[kind] = self._asked.get(kind, 0) + 1
        if self._asked[kind] > most:
            raise BrokenData(f"The coordinator asked for {kind} more often than the plan allows ({most}).")

    def _normal(self, every: bool) -> Floats:
        use = self._learn | (self._aside & (every and self.plan.noise is None))
        rows = np.column_stack([self._design[use], self._log[use]])
        if self.plan.noise is not None:
            length = np.linalg.norm(rows, axis=1, keepdims=True)
            rows = rows * np.minimum(1.0, ROW_NORM / length)
        square = rows.T @ rows
        return np.asarray(square[np.triu_indices(len(square))], np.float64)

    def _begin(self, tree: int, splits: Sequence[Split]) -> None:
        if not splits:
            self._node[:] = 0
            share = self.plan.learning.rows
            drawn = lot(self.plan, self.party, f"rows of tree {tree}").random(len(self._log)) < share
            self._bag = self._learn & drawn
        self._split(splits)

    def _split(self, splits: Sequence[Split]) -> None:
        for node, feature, last in splits:
            if feature >= len(self.layout.edges) or node > 126:
                raise BrokenData(f"Expected a split of a node and column of the plan, received {node}, {feature}.")
            own = self._node == node
            left = self._matrix[own, feature] <= last
            self._node[own] = np.where(left, 2 * node + 1, 2 * node + 2)

    def _gradient(self, clip: float) -> Floats:
        return np.clip(self._log - self._told, -clip, clip)

    def _histograms(self, features: Ints, nodes: Ints) -> Floats:
        """Counts, then sums of errors, of each node, column and bin; shape (2 x nodes x cells,)."""
        if features.max() >= len(self.layout.edges) or nodes.max() > 254:
            raise BrokenData("The coordinator asked for a column or node that the plan does not have.")
        starts = self.layout.cells(features)
        place = np.full(255, -1, np.int64)
        place[nodes] = np.arange(len(nodes))
        use = np.flatnonzero(self._bag & (place[self._node] >= 0))
        cell = place[self._node[use]][:, None] * starts[-1] + starts[:-1] + self._matrix[np.ix_(use, features)]
        error = np.repeat(self._gradient(self.plan.learning.clip)[use], len(features))
        total = len(nodes) * int(starts[-1])
        return np.concatenate(
            [np.bincount(cell.ravel(), minlength=total), np.bincount(cell.ravel(), error, minlength=total)]
        ).astype(np.float64)

    def _leaf_sums(self, depth: int) -> Floats:
        """Counts, then sums of errors in units of their bound, of the leaves; shape (2 x leaves,)."""
        assert self.plan.noise is not None  # noqa: S101 - answer() has asked
        first = 2**depth - 1
        leaf = self._node[self._bag] - first
        if len(leaf) and leaf.min() < 0:
            raise BrokenData("The splits of a tree by lot do not reach its depth.")
        error = self._gradient(self.plan.noise.clip)[self._bag] / self.plan.noise.clip
        n = first + 1
        return np.concatenate([np.bincount(leaf, minlength=n), np.bincount(leaf, error, minlength=n)]).astype(float)

    def _errors(self, asked: Errors) -> Floats:
        use = self._held_out if asked.held_out else self._aside
        error = self._told[use] - self._log[use]
        cell = cell_of(error) if self.plan.noise is None else _coarse(cell_of(error))
        counts = np.bincount(cell, minlength=CELLS).astype(np.float64)
        sums = np.zeros(SUMS)
        if self.plan.noise is None:
            top = np.log(self.plan.price.high) - self.layout.middle
            sums[:] = (
                np.exp(np.clip(error, -BOUND, BOUND)).sum(),
                np.exp(self._log[use] - top).sum(),
                np.exp(np.clip(self._told[use], -top, top) - top).sum(),
            )
        return np.concatenate([counts, sums])


__all__ = ["BOUND", "CELLS", "SUMS", "PartyRows", "cell_of", "lot", "noisy_cells", "upper_bounds"]
