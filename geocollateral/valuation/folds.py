"""Folds whose test rows are as far from their training rows as the rows to be valued are from the sales.

After kNNDM (Linnenbrink et al. 2024, doi:10.5194/gmd-17-5897-2024): of random folds and of folds of ever larger
clusters of places, those are taken whose distances to the nearest training sale are closest (in Wasserstein distance)
to the distances that prediction meets. Rows of one group, and rows at one place, stay together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLUSTERS = (400, 150, 60, 25, 12)
_SAMPLE = 20_000


@dataclass(frozen=True, kw_only=True)
class Folds:
    """Folds of rows and how they were made."""

    fold: Ints
    """Shape (row,), from 0 on."""
    kind: str
    """``random`` or ``blocks of places``."""
    wasserstein: float | None
    """Between the two sets of distances, as a share of the mean distance at prediction; None without places."""


def known_places(xy: Floats) -> NDArray[np.bool_]:
    """Rows that have a place, shape (row,)."""
    return np.asarray(np.isfinite(xy).all(axis=1), bool)


def units_of(
    n: int, group: NDArray[np.object_] | None, xy: Floats | None, *, alike: NDArray[np.object_] | None = None
) -> Ints:
    """Rows that stay together have one number: of one group, at one place, or `alike` in all they say. Shape (n,)."""
    unit = np.arange(n)
    parent = unit.copy()

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    keys: list[list[object]] = []
    if group is not None:
        keys.append([None if g is None else ("g", g) for g in group])
    if alike is not None:
        keys.append(alike.tolist())
    if xy is not None:
        known = known_places(xy)
        keys.append([tuple(p) if k else None for p, k in zip(np.round(xy, 1).tolist(), known, strict=True)])
    for own in keys:
        first: dict[object, int] = {}
        for i, key in enumerate(own):
            if key is None:
                continue
            other = first.setdefault(key, i)
            a, b = root(i), root(other)
            parent[max(a, b)] = min(a, b)
    return np.array([root(i) for i in range(n)], np.int64)


def make_folds(units: Ints, xy: Floats | None, where: Floats | None, n_folds: int, seed: int) -> Folds:
    """Folds of rows.

    Parameters
    ----------
    units
        Shape (row,): rows of one unit stay together.
    xy
        Shape (row, 2): places; None or NaN = unknown.
    where
        Shape (point, 2): places that will be valued; None: those of the rows themselves, that is random folds.
    """
    rng = np.random.default_rng(seed)
    plain = _spread(units, np.unique(units), n_folds, rng)
    if xy is None or where is None:
        return Folds(fold=plain, kind="random", wasserstein=None)
    known, asked = known_places(xy), where[known_places(where)]
    if known.mean() < 0.5 or len(asked) < 20:
        return Folds(fold=plain, kind="random", wasserstein=None)
    if len(asked) > _SAMPLE:
        asked = asked[rng.choice(len(asked), _SAMPLE, replace=False)]
    met = np.sort(cKDTree(xy[known]).query(asked)[0])
    best = Folds(fold=plain, kind="random", wasserstein=_distance(plain, xy, known, met, rng))
    for n_clusters in CLUSTERS:
        if n_clusters * 3 > len(np.unique(units)):
            continue
        cluster = _clusters(xy, known, n_clusters, rng)
        first = np.unique(units, return_index=True)[1]
        of_unit = dict(zip(units[first].tolist(), cluster[first].tolist(), strict=True))
        own = np.array([of_unit[u] for u in units.tolist()], np.int64)
        fold = _spread(own, np.unique(own), n_folds, rng)
        if len(np.unique(fold)) < 2:
            continue
        far = _distance(fold, xy, known, met, rng)
        if best.wasserstein is None or far < best.wasserstein:
            best = Folds(fold=fold, kind=f"blocks of places ({n_clusters})", wasserstein=far)
    return best


def held_out_blocks(units: Ints, xy: Floats | None, share: float, seed: int) -> NDArray[np.bool_]:
    """Rows held out where no date parts past from future: whole clusters of places, else whole units."""
    rng = np.random.default_rng(seed)
    label = units
    if xy is not None and known_places(xy).mean() >= 0.5:
        n_clusters = int(np.clip(len(np.unique(units)) // 30, 5, 100))
        cluster = _clusters(xy, known_places(xy), n_clusters, rng)
        first = np.unique(units, return_index=True)[1]
        of_unit = dict(zip(units[first].tolist(), cluster[first].tolist(), strict=True))
        label = np.array([of_unit[u] for u in units.tolist()], np.int64)
    chosen: set[int] = set()
    taken = 0
    for name in rng.permutation(np.unique(label)).tolist():
        if taken >= share * len(units):
            break
        chosen.add(name)
        taken += int((label == name).sum())
    return np.isin(label, list(chosen))


def place_blocks(xy: Floats, n_folds: int, seed: int) -> Ints:
    """Folds of a few large blocks of places each, all of them known. Shape (row,)."""
    rng = np.random.default_rng(seed)
    cluster = _clusters(xy, known_places(xy), 4 * n_folds, rng)
    return _spread(cluster, np.unique(cluster), n_folds, rng)


def _spread(label: Ints, names: Ints, n_folds: int, rng: np.random.Generator) -> Ints:
    """Labels dealt out to folds, the largest first, each to the smallest fold."""
    counts = dict(zip(*(v.tolist() for v in np.unique(label, return_counts=True)), strict=True))
    order = rng.permutation(names).tolist()
    if len(names) < 5000:
        order.sort(key=lambda name: -counts[name])
    size = np.zeros(n_folds)
    fold: dict[int, int] = {}
    if len(names) >= 5000:
        fold = {name: n % n_folds for n, name in enumerate(order)}
    else:
        for name in order:
            smallest = int(np.argmin(size))
            fold[name] = smallest
            size[smallest] += counts[name]
    return np.array([fold[name] for name in label.tolist()], np.int64)


def _clusters(xy: Floats, known: NDArray[np.bool_], n: int, rng: np.random.Generator) -> Ints:
    """Nearest of n centres after a few rounds of k-means; rows without a place are a cluster of their own."""
    places = xy[known]
    centre = places[rng.choice(len(places), min(n, len(places)), replace=False)]
    for _ in range(8):
        label = cKDTree(centre).query(places)[1]
        count = np.bincount(label, minlength=len(centre))
        sums = np.column_stack([np.bincount(label, places[:, d], len(centre)) for d in (0, 1)])
        centre = np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], centre)
    found = np.full(len(xy), n, np.int64)
    found[known] = cKDTree(centre).query(places)[1]
    return found


def _distance(fold: Ints, xy: Floats, known: NDArray[np.bool_], met: Floats, rng: np.random.Generator) -> float:
    """Wasserstein distance between distances in the folds and those at prediction, as a share of the latter's mean."""
    inside: list[Floats] = []
    for f in np.unique(fold[known]):
        own = known & (fold == f)
        if own.all() or not (known & ~own).any():
            continue
        asked = xy[own]
        if len(asked) > _SAMPLE // 4:
            asked = asked[rng.choice(len(asked), _SAMPLE // 4, replace=False)]
        inside.append(cKDTree(xy[known & ~own]).query(asked)[0])
    level = np.linspace(0.01, 0.99, 99)
    gap = np.abs(np.quantile(np.concatenate(inside), level) - np.quantile(met, level)).mean()
    return float(gap / (met.mean() + 1e-9))


__all__ = ["Folds", "held_out_blocks", "known_places", "make_folds", "place_blocks", "units_of"]
