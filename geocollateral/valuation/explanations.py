"""Why a learned value is what it is: contributions that add up to it, and reasons in fixed words.

Contributions of the boosters are SHAP values of trees (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9), those of
the linear model its terms less their mean over the sales, those of the nearest sales the place and the area; the mix
of learners adds them up with its weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.valuation.hedonic import Hedonic
from geocollateral.valuation.nearby import Nearby
from geocollateral.valuation.value_model import ValueModel

Floats = NDArray[np.float64]

PLACE, TIME = "(place)", "(date)"
N_REASONS = 3
FAMILIES: Mapping[str, str] = {
    "size": r"area|size|sq\.?_?(ft|m)|sqm|m2|acre|hectare|_mu$|lot|frontage|depth|living|volume|面积|亩|宽|深",
    "building": r"room|bath|bed|floor|stor(e?y|ies)|garage|built|age|renov|remod|year|yr|grade|qual|cond|heat|roof|"
    r"exter|bsmt|basement|kitchen|fire|pool|porch|deck|wall|found|central|util|func|view|房|室|厅|卫|层|龄|年|装修|朝向",
    "use": r"type|class|kind|use|style|crop|species|stand|plan|zoning|用途|类|作物|树种|性质|产权",
    "land": r"slope|elev|altitude|aspect|soil|water|flood|ndvi|evi|vh|vv|rain|temp|irrig|terrain|坡|海拔|土|水|灌",
    "access": r"dist|road|metro|station|school|travel|minute|time_to|centre|center|交通|距|地铁|学校|道路",
}
"""Families of features by their names; a feature of no family is ``other``, places and dates have their own."""
WORDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "en": {
        "size": ("Its size raises the value.", "Its size lowers the value."),
        "building": ("Age, quality or fittings raise the value.", "Age, quality or fittings lower the value."),
        "use": ("Its kind or use raises the value.", "Its kind or use lowers the value."),
        "land": ("Soil, water, relief or growth raise the value.", "Soil, water, relief or growth lower the value."),
        "access": ("What can be reached raises the value.", "What can be reached lowers the value."),
        "place": ("Sales around it were dear.", "Sales around it were cheap."),
        "time": ("Prices at its date were above those of the last sales.", "Prices at its date were below them."),
        "other": ("Other features raise the value.", "Other features lower the value."),
        "baseline": ("Prices paid are above the given value.", "Prices paid are below the given value."),
    },
    "zh": {
        "size": ("面积因素提高价值。", "面积因素降低价值。"),
        "building": ("房龄、品质或设施提高价值。", "房龄、品质或设施降低价值。"),
        "use": ("类型或用途提高价值。", "类型或用途降低价值。"),
        "land": ("土壤、水源、地形或长势提高价值。", "土壤、水源、地形或长势降低价值。"),
        "access": ("通达条件提高价值。", "通达条件降低价值。"),
        "place": ("周边成交价格偏高。", "周边成交价格偏低。"),
        "time": ("估值时点价格高于最近成交水平。", "估值时点价格低于最近成交水平。"),
        "other": ("其他特征提高价值。", "其他特征降低价值。"),
        "baseline": ("成交价格高于所给基准价值。", "成交价格低于所给基准价值。"),
    },
}
"""The fixed words of each reason: what raises, what lowers."""
PROTECTED = re.compile(
    r"race|racial|ethnic|religio|gender|(^|_)sex($|_)|nationality|marital|disab|birth|hukou|民族|宗教|性别|户籍|籍贯|婚姻|残疾|种族",
    re.IGNORECASE,
)
PROXY = re.compile(
    r"zip|post.?code|postal|tract|neighbou?r|district|suburb|block|village|school|language|surname|income|邮编|街道|小区|村|学区|姓",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Contributions:
    """Parts of log values that add up to them."""

    names: tuple[str, ...]
    """Features, then `PLACE` and `TIME`."""
    parts: Floats
    """Shape (row, name): share of the log value, natural logarithm."""
    base: float
    """What all rows have in common; the log value is base + sum of parts (+ the logarithm of a given baseline)."""

    @property
    def totals(self) -> Floats:
        """Log values, shape (row,)."""
        return np.asarray(self.base + self.parts.sum(axis=1), np.float64)


def contributions(model: ValueModel, features: pd.DataFrame, xy: Floats | None, months: Floats | None) -> Contributions:
    """Parts of the log value of each row; where a baseline is only corrected, of the correction."""
    names = (*model.members.encoder.names, PLACE, TIME)
    parts, base = np.zeros((len(features), len(names))), 0.0
    if model.uses_learners:
        parts, base = _of_the_mix(model, features, xy, names)
        parts[:, -1] += model.level.at(months, len(features))
    else:
        parts[:, -2] = model.corrected(features)
    return Contributions(names=names, parts=parts, base=base)


def _of_the_mix(
    model: ValueModel, features: pd.DataFrame, xy: Floats | None, names: Sequence[str]
) -> tuple[Floats, float]:
    members, n = model.members, len(model.members.encoder.names)
    linear, linear_base = linear_parts(members.linear, features, xy, names)
    plain = members.encoder.matrix(features, xy)
    parts, base = model.weights[0] * linear, float(model.weights[0]) * linear_base
    for weight, booster in zip(model.weights[1:3].tolist(), members.boosters[:2], strict=True):
        if weight > 0:
            own = _tree_parts(booster, plain)
            parts[:, :n] += weight * own[:, :n]
            parts[:, -2] += weight * own[:, n:-1].sum(axis=1)
            base += weight * float(own[0, -1])
    if members.nearby is not None and xy is not None:
        own, own_base = _nearby_parts(members.nearby, model.weights[4:].tolist(), features, xy, names)
        parts, base = parts + model.weights[4] * linear + own, base + float(model.weights[4]) * linear_base + own_base
    weight = float(model.weights[3])
    if weight > 0:
        own = _tree_parts(members.boosters[2], members.told(features, xy, linear_base + linear.sum(axis=1)))
        at = plain.shape[1]  # the linear model's value: what hangs on it is shared out as its own terms are
        share = np.abs(linear) / np.maximum(np.abs(linear).sum(axis=1, keepdims=True), 1e-12)
        kept = np.abs(linear).sum(axis=1) > 0
        parts += weight * (linear + share * own[:, [at]])
        parts[:, :n] += weight * own[:, :n]
        parts[:, -2] += weight * (own[:, n:at].sum(axis=1) + own[:, at + 1 : -1].sum(axis=1))
        parts[~kept, -2] += weight * own[~kept, at]
        base += weight * (linear_base + float(own[0, -1]))
    return model.stretch * parts, model.stretch * base + (1 - model.stretch) * model.middle


def _nearby_parts(
    nearby: Nearby, weights: Sequence[float], features: pd.DataFrame, xy: Floats, names: Sequence[str]
) -> tuple[Floats, float]:
    """Parts of what the linear model left nearby and of the nearest sales, by the weights of both, and their base."""
    left, paid = weights
    middle = float(np.median(nearby.paid))
    parts = np.zeros((len(features), len(names)))
    parts[:, -2] = left * nearby.left(xy) + paid * (nearby.around(xy) - middle)
    if nearby.sizes.name is not None:
        parts[:, names.index(nearby.sizes.name)] = paid * (nearby.sizes.logs(features) - nearby.sizes.middle)
    return parts, paid * (middle + nearby.sizes.middle)


def _tree_parts(booster: lgb.Booster, matrix: Floats) -> Floats:
    """SHAP values, shape (row, column + 1): the last is the mean of the booster."""
    return np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=1), np.float64)


def linear_parts(
    linear: Hedonic, features: pd.DataFrame, xy: Floats | None, names: Sequence[str]
) -> tuple[Floats, float]:
    """Terms of the linear model less their mean over the sales, by feature, and what all rows have in common."""
    position = {name: n for n, name in enumerate(names)}
    columns = linear.design.columns(features, xy)
    terms = (columns - linear.means) * linear.slopes
    parts = np.zeros((len(features), len(names)))
    for column, name in enumerate(linear.design.owners(xy is not None)):
        at = len(names) - 2 if name is None else position[name]
        parts[:, at] += terms[:, column]
    return parts, linear.middle + float(linear.means @ linear.slopes)


def family_of(name: str) -> str:
    """Family of a feature by its name."""
    if name == PLACE:
        return "place"
    if name == TIME:
        return "time"
    for family, pattern in FAMILIES.items():
        if re.search(pattern, name, re.IGNORECASE):
            return family
    return "other"


def by_family(found: Contributions, places: Sequence[str] = (), *, correction: bool = False) -> pd.DataFrame:
    """Contributions added up by family, one column each; `places`: features that name a place.

    Many small parts would change places at a breath; the few families are what a reader can weigh.
    """
    families = ["place" if name in places else family_of(name) for name in found.names]
    if correction:
        families = ["baseline"] * len(families)
    parts = pd.DataFrame(found.parts)
    return parts.T.groupby(np.array(families, object)).sum().T


def reasons(families: pd.DataFrame) -> list[tuple[str, ...]]:
    """The codes of each row, such as ``SIZE_UP``, the weightiest first; parts below a tenth of a percent are none."""
    values, names = families.to_numpy(np.float64), list(map(str, families.columns))
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :N_REASONS]
    return [
        tuple(
            f"{names[column].upper()}_{'UP' if values[row, column] > 0 else 'DOWN'}"
            for column in order[row]
            if abs(values[row, column]) >= 1e-3
        )
        for row in range(len(values))
    ]


def words_of(code: str, language: str) -> str:
    """The fixed sentence of a code; `language`: ``en`` or ``zh``."""
    family, _, direction = code.rpartition("_")
    return WORDS[language][family.lower()][0 if direction == "UP" else 1]


def explanation_table(
    model: ValueModel,
    features: pd.DataFrame,
    xy: Floats | None,
    months: Floats | None,
    places: Sequence[str],
    baseline: Floats | None = None,
) -> pd.DataFrame:
    """One row for each row: ``log_p50`` = ``base`` + ``log_baseline`` + the ``part_`` of each feature; reasons.

    `places`: features that name a place. ``reason_1`` to ``reason_3`` are codes, ``reasons_en`` and ``reasons_zh`` say
    them in words.
    """
    found = contributions(model, features, xy, months)
    given = np.zeros(len(features)) if baseline is None else np.log(np.where(baseline > 0, baseline, np.nan))
    codes = reasons(by_family(found, places, correction=not model.uses_learners))
    out: dict[str, object] = {"log_p50": found.totals + given, "base": found.base, "log_baseline": given}
    for n in range(N_REASONS):
        out[f"reason_{n + 1}"] = np.array([own[n] if n < len(own) else None for own in codes], object)
    for language in ("en", "zh"):
        gap = " " if language == "en" else ""
        out[f"reasons_{language}"] = [gap.join(words_of(code, language) for code in own) for own in codes]
    parts = {f"part_{name}": found.parts[:, n] for n, name in enumerate(found.names)}
    return pd.DataFrame({**out, **parts}, index=features.index)


def sensitive_features(names: Sequence[str]) -> dict[str, list[str]]:
    """Features whose names point to protected grounds, and to stand-ins for them, for whoever approves the model."""
    protected = [name for name in names if PROTECTED.search(name)]
    return {
        "protected": protected,
        "possible_proxies": [name for name in names if PROXY.search(name) and name not in protected],
    }


__all__ = [
    "N_REASONS",
    "PLACE",
    "TIME",
    "WORDS",
    "Contributions",
    "by_family",
    "contributions",
    "explanation_table",
    "family_of",
    "reasons",
    "sensitive_features",
    "words_of",
]
