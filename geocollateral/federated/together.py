"""The coordinator's side: a value model from sums alone.

1. A linear model of log prices, by ridge regression on summed normal equations.
2. Boosting of what it leaves: histograms of counts and errors by bin are summed over the parties, the best split of the
   sums is told to all (Friedman 2001, doi:10.1214/aos/1013203451; in histograms: Ke et al. 2017). Rows set aside tell
   when to stop; then all is learned once more, from all rows.
3. The interval is conformal on the errors of the rows set aside (doi:10.1080/01621459.2017.1307116).

Under differential privacy the splits are drawn by lot and only the sums of leaves are released, with noise (Maddock et
al. 2022, doi:10.1145/3548606.3560687); there is one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geocollateral.errors import BrokenData
from geocollateral.federated.forest import Tree
from geocollateral.federated.messages import Asking, Errors, Finish, Grow, LeafSums, Normal, Split, Start, Telling
from geocollateral.federated.noise import spread
from geocollateral.federated.plan import Layout, Plan
from geocollateral.federated.rows import BOUND, CELLS, SUMS, upper_bounds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHECK_EVERY = 10
"""Trees between two looks at the rows set aside."""
PATIENCE = 5
"""Looks without a smaller error after which no tree is added."""


class Sums(Protocol):
    """The parties, seen from the coordinator."""

    def ask(self, message: Asking, n: int) -> Floats:
        """The sum of all parties' shares, shape (n,)."""

    def tell(self, message: Telling) -> None:
        """Tell all parties how the model goes on."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A joint model and what is known of its errors."""

    slopes: Floats
    trees: tuple[Tree, ...]
    low: float
    high: float
    """Quantiles of log price less what the model says."""
    n_learned: int
    """Rows of all parties learned from; roughly, where there is noise."""
    n_aside: int
    held_out: Mapping[str, float | int | None]
    """Figures of the held-out rows of all parties together."""


def learn_together(plan: Plan, sums: Sums, progress: Callable[[int, int], None] | None = None) -> Learned:
    """Learn from parties that give sums only.

    Raises
    ------
    BrokenData
        The sums cannot be those of the plan's parties.
    """
    session = _Session(plan, sums, progress)
    if plan.noise is not None:
        slopes, n_learned = session.linear(every=False)
        trees = session.boost_by_lot(plan.noise.depth, plan.noise.trees, plan.noise.rate, plan.noise.clip)
        aside = session.errors(held_out=False)
    else:
        session.linear(every=False)
        best, aside = session.boost_until_worse()
        slopes, n_learned = session.linear(every=True)
        trees = [session.grow(n) for n in range(best)]
    low, high = interval_of(aside[:CELLS], plan.learning.level)
    return Learned(
        slopes=slopes,
        trees=tuple(trees),
        low=low,
        high=high,
        n_learned=n_learned,
        n_aside=round(float(aside[:CELLS].sum())),
        held_out=figures(session.errors(held_out=True), low, high, plan.learning.in_leaf),
    )


class _Session:
    """One run of questions; rounds are counted so that no mask is used twice."""

    def __init__(self, plan: Plan, sums: Sums, progress: Callable[[int, int], None] | None) -> None:
        self.plan, self.layout, self.sums = plan, Layout(plan), sums
        self.round = 0
        self.rng = np.random.default_rng(plan.learning.seed)
        self._progress = progress or (lambda *_: None)

    def _next(self) -> int:
        self.round += 1
        return self.round

    def linear(self, *, every: bool) -> tuple[Floats, int]:
        width = self.layout.width
        n = (width + 1) * (width + 2) // 2
        found = self.sums.ask(Normal(round=self._next(), every=every), n)
        square = np.zeros((width + 1, width + 1))
        square[np.triu_indices(width + 1)] = found
        square = square + np.triu(square, 1).T
        system, right = square[:-1, :-1], square[:-1, -1]
        ridge = np.full(width, self.plan.learning.penalty)
        ridge[0] = 1e-9
        if self.plan.noise is None and found[0] < 0.4 * self.plan.least_rows * len(self.plan.parties):
            raise BrokenData(f"The parties have {found[0]:.0f} rows together; the plan asks for more.")
        # Directions that noise alone could have made (the largest eigenvalue of a Wigner matrix) are left at nought.
        least = 2 * spread(self.plan, "normal") * np.sqrt(width)
        value, direction = np.linalg.eigh(system + np.diag(ridge))
        kept = value > least
        weight = np.where(kept, 1 / np.where(kept, value, 1.0), 0.0)
        slopes = np.asarray(direction @ (weight * (direction.T @ right)), np.float64)
        self.sums.tell(Start(slopes=tuple(slopes.tolist()), every=every))
        return slopes, max(round(float(found[0])), 0)

    def boost_until_worse(self) -> tuple[int, Floats]:
        """Number of trees with the smallest error on rows set aside, and the histogram of these errors."""
        best, best_errors = 0, self.errors(held_out=False)
        least, without = mean_size(best_errors), 0
        for n in range(self.plan.learning.trees):
            self.grow(n)
            if (n + 1) % CHECK_EVERY and n + 1 < self.plan.learning.trees:
                continue
            found = self.errors(held_out=False)
            size = mean_size(found)
            if size < least:
                best, best_errors, least, without = n + 1, found, size, 0
            else:
                without += 1
            if without >= PATIENCE:
                break
        return best, best_errors

    def grow(self, number: int) -> Tree:
        """One tree by levels; of two siblings the smaller is asked for, the other is what is left of the parent."""
        knobs, layout = self.plan.learning, self.layout
        n_columns = len(layout.names)
        drawn = self.rng.choice(n_columns, max(1, round(knobs.features * n_columns)), replace=False)
        columns = np.sort(drawn).astype(np.int64)
        starts = layout.cells(columns)
        width = int(starts[-1])
        known = {0: self._histograms(number, columns, (), [0], width)[0]}
        rows, values, gains = {0: int(known[0][0, : starts[1]].sum())}, {0: _step(known[0], starts, self.plan)}, {}
        splits: list[Split] = []
        latest: list[Split] = []
        for level in range(knobs.depth):
            latest = []
            for node in sorted(n for n in known if n >= 2**level - 1):
                found = _best_split(known[node], starts, knobs.in_leaf, knobs.shrink)
                if found is None:
                    continue
                gain, place, last, left = found
                latest.append((node, int(columns[place]), last))
                gains[node] = gain
                for child, (count, error) in zip(
                    (2 * node + 1, 2 * node + 2), (left, _total(known[node], starts) - left), strict=True
                ):
                    rows[child], values[child] = round(count), float(error / (count + knobs.shrink))
                values.pop(node)
            splits += latest
            if not latest or level + 1 == knobs.depth:
                break
            smaller = [min((2 * n + 1, 2 * n + 2), key=lambda c: (rows[c], c)) for n, _, _ in latest]
            told = self._histograms(number, columns, tuple(latest), smaller, width)
            parents = known
            known = {}
            for (node, _, _), child, own in zip(latest, smaller, told, strict=True):
                known[child] = own
                known[4 * node + 3 - child] = parents[node] - own
            latest = []
        steps = {node: knobs.rate * value for node, value in values.items()}
        self.sums.tell(Finish(tree=number, splits=tuple(latest), values=tuple(sorted(steps.items()))))
        self._progress(number + 1, knobs.trees)
        return Tree(splits=tuple(splits), values=steps, rows=rows, gains=gains)

    def boost_by_lot(self, depth: int, trees: int, rate: float, clip: float) -> list[Tree]:
        """Trees whose splits no row has any part in; only the sums of their leaves are released."""
        grown = []
        if not trees:
            return []
        noise = spread(self.plan, "leaf_sums")
        first, n = 2**depth - 1, 2**depth
        for number in range(trees):
            splits: list[Split] = []
            for node in range(first):
                column = int(self.rng.integers(len(self.layout.names)))
                splits.append((node, column, int(self.rng.integers(1, len(self.layout.edges[column]) + 1))))
            asked = LeafSums(round=self._next(), tree=number, splits=tuple(splits))
            count, error = self.sums.ask(asked, 2 * n).reshape(2, n)
            # Leaves with fewer rows than the noise could have made stay where they are.
            step = rate * clip * error / np.maximum(count + self.plan.learning.shrink, 3 * noise + 1)
            step = np.clip(step, -rate * clip, rate * clip)
            values = {first + k: float(step[k]) for k in range(n)}
            self.sums.tell(Finish(tree=number, splits=(), values=tuple(values.items())))
            self._progress(number + 1, trees)
            grown.append(Tree(splits=tuple(splits), values=values, rows={}, gains={}))
        return grown

    def errors(self, *, held_out: bool) -> Floats:
        """Histogram of log ratios, then the further sums."""
        return self.sums.ask(Errors(round=self._next(), held_out=held_out), CELLS + SUMS)

    def _histograms(
        self, tree: int, columns: Ints, splits: tuple[Split, ...], nodes: list[int], width: int
    ) -> NDArray[np.float64]:
        """Shape (node, 2, cell): counts and sums of errors."""
        asked = Grow(round=self._next(), tree=tree, features=tuple(columns.tolist()), splits=splits, ask=tuple(nodes))
        found = self.sums.ask(asked, 2 * len(nodes) * width).reshape(2, len(nodes), width)
        count, error = found
        if count.min() < 0 or (np.abs(error) > self.plan.learning.clip * count + 1e-3).any():
            raise BrokenData("A sum of the parties is not one of rows: negative counts, or errors beyond their bound.")
        return np.asarray(found.transpose(1, 0, 2), np.float64)


def _total(histogram: Floats, starts: Ints) -> Floats:
    """Count and sum of errors of a node, from the bins of its first column."""
    return np.asarray(histogram[:, : starts[1]].sum(axis=1), np.float64)


def _step(histogram: Floats, starts: Ints, plan: Plan) -> float:
    count, error = _total(histogram, starts)
    return float(error / (count + plan.learning.shrink))


def _best_split(histogram: Floats, starts: Ints, in_leaf: int, shrink: float) -> tuple[float, int, int, Floats] | None:
    """Gain, place of the column, last bin of the left side, and count and sum of errors there; None: no split helps."""
    total = _total(histogram, starts)
    best: tuple[float, int, int, Floats] | None = None
    for place, (a, b) in enumerate(pairwise(starts.tolist())):
        left = np.cumsum(histogram[:, a:b], axis=1)[:, :-1]
        right = total[:, None] - left
        allowed = (left[0] >= in_leaf) & (right[0] >= in_leaf)
        if not allowed.any():
            continue
        gain = left[1] ** 2 / (left[0] + shrink) + right[1] ** 2 / (right[0] + shrink)
        gain = np.where(allowed, gain - total[1] ** 2 / (total[0] + shrink), -np.inf)
        last = int(np.argmax(gain))
        if gain[last] > 1e-7 and (best is None or gain[last] > best[0]):
            best = (float(gain[last]), place, last, left[:, last])
    return best


def mean_size(errors: Floats) -> float:
    """Mean absolute log ratio of a histogram."""
    middle = upper_bounds()[:CELLS] - BOUND / (CELLS - 2)
    return float((np.abs(middle) * errors[:CELLS]).sum() / max(float(errors[:CELLS].sum()), 1.0))


def interval_of(counts: Floats, level: float) -> tuple[float, float]:
    """Conformal quantiles of log price less what the model says, cells taken at their outer bound.

    Under noise the cumulative counts may fall again: then the wider crossing counts on each side.
    """
    cumulative = np.cumsum(counts)
    n = max(float(cumulative[-1]), 0.0)
    tail = (1 - level) / 2
    rank = min(max(np.ceil((n + 1) * (1 - tail)), 1.0), max(n, 1.0))
    bounds = upper_bounds()
    below = np.flatnonzero(cumulative < rank - 1e-6)
    top = bounds[min(int(below[-1]) + 1 if len(below) else 0, CELLS - 1)] if n else BOUND
    lowest = int(np.argmax(cumulative >= min(n - rank + 1, cumulative.max()) - 1e-6)) if n else 0
    bottom = bounds[lowest - 1] if lowest else -BOUND - 0.5
    return -float(top), -float(bottom)


def quantile_of(counts: Floats, bounds: Floats, share: float) -> float:
    """Quantile of a histogram, straight within a cell."""
    cumulative = np.cumsum(np.maximum(counts, 0.0))
    if cumulative[-1] <= 0:
        return float("nan")
    return float(np.interp(share * cumulative[-1], np.concatenate([[0.0], cumulative]), bounds))


def figures(errors: Floats, low: float, high: float, least: int) -> dict[str, float | int | None]:
    """Figures of held-out rows from the histogram of their log ratios; None where there are too few rows."""
    counts, (ratios, prices, estimates) = np.maximum(errors[:CELLS], 0.0), errors[CELLS:]
    n = float(counts.sum())
    names = ("median_ratio", "mdape", "cod", "prd", "coverage")
    if n < least:
        return {"n": round(n), **dict.fromkeys(names)}
    bounds = np.concatenate([[-BOUND - 0.5], upper_bounds()])
    middle = (bounds[1:] + bounds[:-1]) / 2
    off = np.abs(np.exp(middle) - 1)
    order = np.argsort(off, kind="stable")
    median = float(np.exp(quantile_of(counts, bounds, 0.5)))
    mdape = float(np.interp(n / 2, np.cumsum(counts[order]) - counts[order] / 2, off[order]))
    inside = (-middle >= low) & (-middle <= high)
    return {
        "n": round(n),
        "median_ratio": median,
        "mdape": mdape,
        "cod": float(100 * (counts * np.abs(np.exp(middle) / median - 1)).sum() / n),
        "prd": float(ratios / n * prices / estimates) if estimates > 0 else None,
        "coverage": float(counts[inside].sum() / n),
    }


__all__ = ["Learned", "Sums", "figures", "interval_of", "learn_together", "mean_size", "quantile_of"]
