"""A strict reading of LightGBM's model text, before LightGBM sees it.

LightGBM trusts its own files: a text that was cut or changed ends the process, hangs it or predicts something else. So
everything that the format says twice must agree (sizes of blocks, lengths of arrays, counts of children, importances),
every index must point at something, every split must be of a feature and a kind of the model, and every number must
be finite and written as LightGBM writes it. What a digest tells, this does not: another value of a leaf is well formed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from geocollateral.errors import BrokenData

MAX_BYTES = 128_000_000
MAX_TREES = 20_000
MAX_LEAVES = 4_096
MAX_FEATURES = 20_000
LARGEST_LEAF = 1e6
"""No logarithm of a price, nor of a spread, comes near."""

_HEADER = (
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "feature_names",
    "feature_infos",
    "tree_sizes",
)
_FIXED = {"version": "v4", "num_class": "1", "num_tree_per_iteration": "1", "label_index": "0"}
_OBJECTIVE = re.compile(r"(regression|regression_l1|huber|fair|quantile|mape)( [a-z_]+:[0-9.e+-]+)?")
_PER_SPLIT = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
_PER_LEAF = ("leaf_value", "leaf_weight", "leaf_count")
_PER_NODE = ("internal_value", "internal_weight", "internal_count")
_CATEGORIES = ("cat_boundaries", "cat_threshold")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,25})?(e[+-][0-9]{2,3})?")
_PARAMETER = re.compile(r"\[[a-z_0-9]+: [\x20-\x7e]*\]")
_NO_BOUND = 1e300
"""How LightGBM writes infinity."""
_ZERO = 1e-34
"""LightGBM puts the border of its bin of zeros this near to zero, also where no value is below."""


class _Unfit(Exception):
    """What is wrong, in a few words."""


@dataclass(frozen=True, kw_only=True)
class BoosterShape:
    """What a text declares."""

    n_features: int
    n_trees: int
    categorical: tuple[int, ...]
    """Positions of features whose values are codes of kinds."""
    unused: tuple[int, ...]
    """Positions of features that were constant in training: no split may use them."""


@dataclass(frozen=True, kw_only=True)
class _Feature:
    """Range or codes of one feature, as ``feature_infos`` has them."""

    low: float = math.nan
    high: float = math.nan
    codes: frozenset[int] | None = None
    is_used: bool = True


def check_booster_text(
    text: bytes, *, name: str = "booster", feature_names: Sequence[str] | None = None
) -> BoosterShape:
    """Refuse whatever is not a model text as LightGBM writes it.

    Parameters
    ----------
    name
        Of the file, for the message.
    feature_names
        Names of the schema in order; None: LightGBM's own, ``Column_0`` on.

    Raises
    ------
    BrokenData
        With the first thing that is wrong. Nothing else is ever raised, whatever the bytes.
    """
    try:
        return _checked(text, feature_names)
    except _Unfit as error:
        raise BrokenData(f"{name} is no LightGBM model as `geocollateral train` writes it: {error}.") from error


def _checked(text: bytes, feature_names: Sequence[str] | None) -> BoosterShape:
    _require(len(text) <= MAX_BYTES, f"{len(text)} bytes, at most {MAX_BYTES} are read")
    try:
        lines = text.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise _Unfit("a byte that is not ASCII") from error
    reader = _Lines(lines)
    features, sizes = _header(reader, feature_names)
    splits: Counter[int] = Counter()
    for number, size in enumerate(sizes):
        start = reader.position
        splits += _tree(reader, number, features)
        found = sum(len(line) + 1 for line in lines[start : reader.position])
        _require(found == size, f"tree {number} has {found} bytes, declared are {size}")
    _footer(reader, feature_names or [f"Column_{n}" for n in range(len(features))], splits)
    return BoosterShape(
        n_features=len(features),
        n_trees=len(sizes),
        categorical=tuple(n for n, f in enumerate(features) if f.codes is not None),
        unused=tuple(n for n, f in enumerate(features) if not f.is_used),
    )


class _Lines:
    """Lines in turn."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self.position = 0

    def take(self) -> str:
        _require(self.position < len(self._lines), "it ends too early")
        self.position += 1
        return self._lines[self.position - 1]

    def expect(self, line: str) -> None:
        _require(self.take() == line, f"line {self.position} is not {line!r}")

    def value(self, key: str) -> str:
        found, mark, value = self.take().partition("=")
        _require(mark == "=" and found == key, f"line {self.position} is not {key}=")
        return value

    @property
    def is_done(self) -> bool:
        return self.position == len(self._lines)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _Unfit(message)


def _whole(text: str, low: int, high: int, what: str) -> int:
    _require(_WHOLE.fullmatch(text) is not None, f"{what} is not a whole number")
    value = int(text)
    _require(low <= value <= high and text != "-0", f"{what} is {value}, outside of {low} to {high}")
    return value


def _wholes(text: str, n: int, low: int, high: int, what: str) -> list[int]:
    return [_whole(part, low, high, what) for part in _parts(text, n, what)]


def _parts(text: str, n: int, what: str) -> list[str]:
    parts = text.split(" ") if text else []
    _require(len(parts) == n, f"{what} has {len(parts)} values, {n} are due")
    return parts


def _numbers(text: str, n: int, what: str, digits: int) -> list[float]:
    """Finite numbers, each written as LightGBM writes it: a digit that was changed often shows."""
    found = []
    for part in _parts(text, n, what):
        _require(_NUMBER.fullmatch(part) is not None, f"{what} holds what is not a number")
        value = float(part)
        _require(math.isfinite(value), f"{what} holds an infinite number")
        _require(format(value, f".{digits}g") == part, f"{what} holds a number that LightGBM writes otherwise")
        found.append(value)
    return found


def _header(reader: _Lines, names: Sequence[str] | None) -> tuple[list[_Feature], list[int]]:
    reader.expect("tree")
    said = {key: reader.value(key) for key in _HEADER}
    reader.expect("")
    for key, value in _FIXED.items():
        _require(said[key] == value, f"{key} is not {value}")
    _require(_OBJECTIVE.fullmatch(said["objective"]) is not None, "its objective is not one of values")
    n = 1 + _whole(said["max_feature_idx"], 0, MAX_FEATURES - 1, "max_feature_idx")
    wanted = [f"Column_{i}" for i in range(n)] if names is None else list(names)
    _require(len(wanted) == n, f"it has {n} features, the schema {len(wanted)}")
    _require(said["feature_names"].split(" ") == wanted, "its features are not named as the schema's")
    features = [_feature(part) for part in _parts(said["feature_infos"], n, "feature_infos")]
    sizes = said["tree_sizes"].split(" ")
    _require(len(sizes) <= MAX_TREES, f"it has {len(sizes)} trees, at most {MAX_TREES} are read")
    return features, [_whole(size, 1, MAX_BYTES, "tree_sizes") for size in sizes]


def _feature(info: str) -> _Feature:
    if info == "none":
        return _Feature(is_used=False)
    if info.startswith("["):
        _require(info.endswith("]") and info.count(":") == 1, "feature_infos holds what is not a range")
        low, high = _numbers(info[1:-1].replace(":", " "), 2, "feature_infos", 17)
        _require(low <= high, "feature_infos holds a range that ends before it begins")
        return _Feature(low=low, high=high)
    codes = [_whole(code, -1, 2**31 - 1, "feature_infos") for code in info.split(":")]
    _require(len(set(codes)) == len(codes), "feature_infos holds a code twice")
    return _Feature(codes=frozenset(codes))


def _tree(reader: _Lines, number: int, features: Sequence[_Feature]) -> Counter[int]:
    """Check one tree; how often each feature is split by with a gain."""
    reader.expect(f"Tree={number}")
    leaves = _whole(reader.value("num_leaves"), 1, MAX_LEAVES, "num_leaves")
    n = leaves - 1
    categories = _whole(reader.value("num_cat"), 0, n, "num_cat")
    said = {key: reader.value(key) for key in (*_PER_SPLIT, *_PER_LEAF, *_PER_NODE)}
    if categories:
        said |= {key: reader.value(key) for key in _CATEGORIES}
    reader.expect("is_linear=0")
    (shrinkage,) = _numbers(reader.value("shrinkage"), 1, "shrinkage", 6)
    _require(0 < shrinkage <= 10, "shrinkage is out of bounds")
    reader.expect("")
    reader.expect("")
    values = _numbers(said["leaf_value"], leaves, "leaf_value", 17)
    _require(max(map(abs, values)) <= LARGEST_LEAF, f"a leaf is beyond {LARGEST_LEAF:g}")
    if leaves == 1:
        _require(not any(said[key] for key in (*_PER_SPLIT, *_PER_NODE)), "a tree of one leaf has splits")
        return Counter()
    left, right = (_wholes(said[key], n, -leaves, n - 1, key) for key in ("left_child", "right_child"))
    _require_tree(left, right, leaves)
    _require_sums(said, left, right, leaves)
    _numbers(said["internal_value"], n, "internal_value", 6)
    split = _wholes(said["split_feature"], n, 0, len(features) - 1, "split_feature")
    kinds = _category_sets(said, categories)
    kind_splits = _require_decisions(said, n, split, features, kinds)
    _require(sorted(kind_splits) == list(range(categories)), "splits by kind and their sets do not agree")
    gains = _numbers(said["split_gain"], n, "split_gain", 6)
    return Counter(f for f, gain in zip(split, gains, strict=True) if gain > 0)


def _require_tree(left: Sequence[int], right: Sequence[int], leaves: int) -> None:
    """Every node but the first and every leaf is the child of exactly one node, which was made before it."""
    for node, children in enumerate(zip(left, right, strict=True)):
        _require(all(child < 0 or child > node for child in children), "a node is the child of a later one")
    due = [*range(-leaves, 0), *range(1, leaves - 1)]
    _require(sorted([*left, *right]) == due, "its children make no tree")


def _require_sums(said: dict[str, str], left: Sequence[int], right: Sequence[int], leaves: int) -> None:
    """Counts add up exactly, weights as far as they are written."""
    n = leaves - 1
    counts = _wholes(said["leaf_count"], leaves, 0, 2**31 - 1, "leaf_count")
    node_counts = _wholes(said["internal_count"], n, 0, 2**31 - 1, "internal_count")
    weights = _numbers(said["leaf_weight"], leaves, "leaf_weight", 17)
    node_weights = _numbers(said["internal_weight"], n, "internal_weight", 6)
    _require(min(weights) >= 0 and min(node_weights) >= 0, "a weight is negative")
    for node in range(n):
        both = (left[node], right[node])
        count = sum(counts[-child - 1] if child < 0 else node_counts[child] for child in both)
        _require(count == node_counts[node], "the counts of two children are not that of their node")
        weight = sum(weights[-child - 1] if child < 0 else node_weights[child] for child in both)
        _require(math.isclose(weight, node_weights[node], rel_tol=1e-4, abs_tol=1e-4), "weights do not add up")


def _category_sets(said: dict[str, str], categories: int) -> list[frozenset[int]]:
    """Codes that go left, by the number of the split by kind."""
    if not categories:
        return []
    bounds = _wholes(said["cat_boundaries"], categories + 1, 0, 2**24, "cat_boundaries")
    _require(bounds[0] == 0 and all(a < b for a, b in pairwise(bounds)), "cat_boundaries fall")
    words = _wholes(said["cat_threshold"], bounds[-1], 0, 2**32 - 1, "cat_threshold")
    return [
        frozenset(32 * place + bit for place, word in enumerate(words[a:b]) for bit in range(32) if word >> bit & 1)
        for a, b in pairwise(bounds)
    ]


def _require_decisions(
    said: dict[str, str], n: int, split: Sequence[int], features: Sequence[_Feature], kinds: Sequence[frozenset[int]]
) -> list[int]:
    """Each split fits its feature; the numbers of the splits by kind."""
    thresholds = _numbers(said["threshold"], n, "threshold", 17)
    decisions = _wholes(said["decision_type"], n, 0, 15, "decision_type")
    found = []
    for number, decision, threshold in zip(split, decisions, thresholds, strict=True):
        feature = features[number]
        # Bit 0: by kind; bit 1: unknown goes left; bits 2 and 3: what counts as unknown (0 nothing, 1 zero, 2 NaN).
        _require(feature.is_used and decision >> 2 in (0, 2), "a split by a feature that has no values")
        _require((decision & 1 == 1) == (feature.codes is not None), "a split by kind of a number, or the reverse")
        if feature.codes is None:
            inside = feature.low - _ZERO <= threshold <= feature.high + _ZERO or threshold == _NO_BOUND
            _require(inside, "a threshold outside of the range of its feature")
            continue
        _require(threshold == int(threshold) and 0 <= threshold < len(kinds), "a split by kind without its set")
        _require(not decision & 2 and bool(kinds[int(threshold)]), "a split by kind that sends nothing left")
        _require(kinds[int(threshold)] <= feature.codes, "a split by a kind that the feature does not have")
        found.append(int(threshold))
    return found


def _footer(reader: _Lines, names: Sequence[str], splits: Counter[int]) -> None:
    reader.expect("end of trees")
    reader.expect("")
    reader.expect("feature_importances:")
    told: dict[str, int] = {}
    while line := reader.take():
        name, mark, count = line.rpartition("=")
        _require(mark == "=" and name in names and name not in told, "feature_importances names no feature")
        told[name] = _whole(count, 1, 2**31 - 1, "feature_importances")
    _require(told == {names[n]: count for n, count in splits.items()}, "importances are not those of the splits")
    reader.expect("parameters:")
    while (line := reader.take()) != "end of parameters":
        _require(line == "" or _PARAMETER.fullmatch(line) is not None, "parameters hold what is none")
    reader.expect("")
    reader.expect("pandas_categorical:null")
    reader.expect("")
    _require(reader.is_done, "something follows its end")


__all__ = ["BoosterShape", "check_booster_text"]
