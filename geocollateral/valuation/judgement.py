"""What held-out sales say of intervals, strata and doubted labels: each figure with its n and its uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from geocollateral.valuation.intervals import MIN_GROUP, ONE_DEVIATION, fifths
from geocollateral.valuation.ratio_study import MIN_SALES, ratio_study
from geocollateral.valuation.sales import ColumnUse

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SHORT_OF_NOMINAL = 0.05
"""A group's interval is met if it holds at least the level less this."""
_MOST_STRATA = 200


def interval_judged(told: pd.DataFrame, price: Floats, valued: Mask, level: float, groups: Mapping[str, Mask]) -> Any:
    """Coverage over all and by group, width, interval score and the forecast standard deviation's calibration."""
    if not valued.any():
        return {"level": level, "coverage": None, "median_width": None, "by_place": {}, "by_group": {}}
    low, high, middle = (np.log(told[name].to_numpy()[valued]) for name in ("p05", "p95", "p50"))
    paid = np.log(price[valued])
    inside = np.zeros(len(price), bool)
    inside[valued] = (paid >= low) & (paid <= high)
    score = high - low + 2 / (1 - level) * (np.maximum(low - paid, 0) + np.maximum(paid - high, 0))
    held = {
        name: {"n": int((own & valued).sum()), "coverage": float(inside[own & valued].mean())}
        for name, own in groups.items()
        if (own & valued).sum() >= MIN_GROUP
    }
    short = [name for name, row in held.items() if row["coverage"] < level - SHORT_OF_NOMINAL]
    return {
        "level": level,
        "coverage": float(inside[valued].mean()),
        "median_width": float(np.median(np.exp(high - low))),
        "interval_score": float(score.mean()),
        "by_group": held,
        "groups_short": short,
        "fsd": _deviations(told["fsd"].to_numpy()[valued], np.abs(middle - paid)),
    }


def _deviations(deviation: Floats, error: Floats) -> dict[str, Any]:
    """Share of errors within one forecast standard deviation against 68 %, with the 99 % band of a sample as large."""
    n = len(error)
    low, high = (float(stats.binom.ppf(q, n, ONE_DEVIATION)) / n for q in (0.005, 0.995))
    share = float((error <= deviation).mean())
    return {"n": n, "within_one": share, "expected": ONE_DEVIATION, "band": [low, high], "met": low <= share <= high}


def groups_judged(columns: tuple[ColumnUse, ...], features: pd.DataFrame, p50: Floats) -> dict[str, Mask]:
    """Rows of each kind, of each fifth of each number and of the value; names as ``column=kind``."""
    found: dict[str, Mask] = {}
    for use in columns:
        if use.name not in features:
            continue
        if use.role == "category":
            kinds = features[use.name].to_numpy(object)
            for name in sorted({k for k in kinds if k is not None}):
                found[f"{use.name}={name}"] = np.asarray(kinds == name, bool)
        else:
            fifth = fifths(features[use.name].to_numpy(np.float64))
            found |= {f"{use.name}: fifth {n}": fifth == n for n in np.unique(fifth[fifth > 0]).tolist()}
    fifth = fifths(np.where(np.isfinite(p50), p50, np.nan))
    return found | {f"(value): fifth {n}": fifth == n for n in np.unique(fifth[fifth > 0]).tolist()}


def strata_judged(
    columns: tuple[ColumnUse, ...], features: pd.DataFrame, p50: Floats, price: Floats, valued: Mask
) -> dict[str, Any]:
    """Ratio study of each kind of each category with enough sales, trimmed and not; those that fail are named."""
    found: dict[str, Any] = {}
    for use in columns:
        if use.role != "category" or use.name not in features or features[use.name].nunique() > _MOST_STRATA:
            continue
        kinds = features[use.name].to_numpy(object)
        for name in sorted({k for k in kinds[valued] if k is not None}):
            own = valued & (kinds == name)
            if own.sum() >= MIN_SALES and len(found) < _MOST_STRATA:
                found[f"{use.name}={name}"] = _measures(p50[own], price[own])
    return found


def _measures(p50: Floats, price: Floats) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for label, trim in (("all", False), ("trimmed", True)):
        whole = ratio_study(p50, price, trim=trim).as_dict()
        kept = {name: whole[name] for name in ("n", "n_trimmed", "mdape", "median_ratio", "cod", "prd", "prb")}
        out[label] = kept
    out["not_met"] = [name for name in ("median_ratio", "cod", "prd", "prb") if out["all"][name]["met"] == "not met"]
    return out


def doubts_judged(doubts: Mapping[str, Mask], test: Mask, p50: Floats, price: Floats, valued: Mask) -> dict[str, Any]:
    """What the held-out rows say with and without those doubted; the headline is with them."""
    any_doubt = np.zeros(int(test.sum()), bool)
    for rows in doubts.values():
        any_doubt |= rows[test]
    clean = valued & ~any_doubt
    found: dict[str, Any] = {
        "doubted": {
            name: {"learned_from": int(rows[~test].sum()), "held_out": int(rows[test].sum())}
            for name, rows in doubts.items()
        }
    }
    for label, rows in (("with_them", valued), ("without_them", clean)):
        found[label] = None
        if rows.sum() >= 2:
            study = ratio_study(p50[rows], price[rows])
            found[label] = {"n": study.n, "mdape": study.mdape, "cod": study.cod.value, "prd": study.prd.value}
    return found


def deciles_judged(told: pd.DataFrame, price: Floats, valued: Mask) -> tuple[list[dict[str, float]], float | None]:
    """Error by how sure the model says it is, the surest tenth first, and the rank correlation of both."""
    if valued.sum() < MIN_GROUP:
        return [], None
    width = np.log(told["p95"].to_numpy()[valued] / told["p05"].to_numpy()[valued])
    error = np.abs(told["p50"].to_numpy()[valued] / price[valued] - 1)
    tenths = [
        {"n": len(rows), "width": float(np.median(width[rows])), "mdape": float(np.median(error[rows]))}
        for rows in np.array_split(np.argsort(width, kind="stable"), 10)
    ]
    errors = [tenth["mdape"] for tenth in tenths]
    if np.ptp(errors) == 0:
        return tenths, None
    return tenths, float(stats.spearmanr(np.arange(10), errors).statistic)


__all__ = ["deciles_judged", "doubts_judged", "groups_judged", "interval_judged", "strata_judged"]
