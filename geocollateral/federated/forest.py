"""Trees found together, as LightGBM's own text: any program that reads LightGBM models predicts the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geocollateral.federated.messages import Split
from geocollateral.federated.plan import Layout

Floats = NDArray[np.float64]

_MISSING_LEFT = 10
"""LightGBM's decision: a number, missing values are NaN and go left."""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Splits by node and values by leaf; the children of node i are 2 i + 1 and 2 i + 2."""

    splits: tuple[Split, ...]
    values: Mapping[int, float]
    """Step of each leaf [log price]."""
    rows: Mapping[int, int]
    """Rows of all parties in each node, as far as they were asked for."""
    gains: Mapping[int, float]


def lightgbm_text(trees: Sequence[Tree], layout: Layout) -> str:
    """The forest in the text format of LightGBM, version 4."""
    spaces = [name.replace(" ", "_") for name in layout.names]
    names = [
        f"column_{n}" if not name.isascii() or set(name) & set(',:[]{}"') else name for n, name in enumerate(spaces)
    ]
    infos = [f"[{_plain(e[0] - 1)}:{_plain(e[-1] + 1)}]" for e in layout.edges]
    head = [
        "tree",
        "version=v4",
        "num_class=1",
        "num_tree_per_iteration=1",
        "label_index=0",
        f"max_feature_idx={len(names) - 1}",
        "objective=regression",
        f"feature_names={' '.join(names)}",
        f"feature_infos={' '.join(infos)}",
    ]
    bodies = [_tree_text(n, tree, layout) for n, tree in enumerate(trees)]
    sizes = f"tree_sizes={' '.join(str(len(body)) for body in bodies)}"
    return "\n".join([*head, sizes, "", ""]) + "".join(bodies) + "end of trees\n\nparameters:\nend of parameters\n"


def _tree_text(n: int, tree: Tree, layout: Layout) -> str:
    splits = sorted(tree.splits)
    inner = {node: k for k, (node, _, _) in enumerate(splits)}
    leaves = {node: k for k, node in enumerate(sorted(tree.values))}
    threshold = [layout.edges[f][last - 1] if last else -1e300 for _, f, last in splits]

    def child(node: int) -> int:
        return inner[node] if node in inner else -leaves[node] - 1

    rows: dict[str, Sequence[object]] = {
        "split_feature": [f for _, f, _ in splits],
        "split_gain": [_plain(tree.gains.get(node, 0.0)) for node, _, _ in splits],
        "threshold": [_plain(t) for t in threshold],
        "decision_type": [_MISSING_LEFT] * len(splits),
        "left_child": [child(2 * node + 1) for node, _, _ in splits],
        "right_child": [child(2 * node + 2) for node, _, _ in splits],
        "leaf_value": [_plain(tree.values[node]) for node in leaves],
        "leaf_weight": [tree.rows.get(node, 0) for node in leaves],
        "leaf_count": [tree.rows.get(node, 0) for node in leaves],
        "internal_value": [0] * len(splits),
        "internal_weight": [tree.rows.get(node, 0) for node in inner],
        "internal_count": [tree.rows.get(node, 0) for node in inner],
    }
    lines = [f"Tree={n}", f"num_leaves={len(leaves)}", "num_cat=0"]
    lines += [f"{name}={' '.join(map(str, values))}" for name, values in rows.items()]
    return "\n".join([*lines, "is_linear=0", "shrinkage=1", "", "", ""])


def _plain(value: float) -> str:
    return repr(float(value))


__all__ = ["Tree", "lightgbm_text"]
