"""The risk score judged on data held out: figures with intervals by a bootstrap of parcels, and what stands beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from geocollateral.risk.features import FEATURES
from geocollateral.risk.score import ScoreModel, ScoreParams, reasons_of
from geocollateral.risk.score_fit import OUTCOME, PARCEL, logistic_line
from geocollateral.types import ASSET_CLASSES

Floats = NDArray[np.float64]
HALF = 0.5
WARNED_BINS = (91.0, 182.0, 365.0, 1e9)
"""Between them: ages of the latest early warning that have a share of events of their own [days]; above: never."""
LEAST_CELLS = 10
NOISE = 0.01


@dataclass(frozen=True, kw_only=True)
class ScoreFigure:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def auc(p: Floats, y: Floats) -> float:
    """Area under the ROC curve: how often an event scores above a non-event, ties half."""
    n1 = float(y.sum())
    n0 = len(y) - n1
    return float((rankdata(p)[y == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)) if n1 and n0 else float("nan")


def brier(p: Floats, y: Floats) -> float:
    """Mean squared error of probabilities (Brier 1950)."""
    return float(np.mean((p - y) ** 2))


def judge_score(
    p: Floats, y: Floats, parcel: NDArray[Any], *, only: Sequence[str] = (), seed: int = 1, draws: int = 500
) -> dict[str, ScoreFigure]:
    """AUC, Brier, and offset and slope of calibration (0 and 1 are right), with intervals by parcel.

    Parameters
    ----------
    only
        Figures to make; all where none is named.
    """
    log_odds = np.log(np.clip(p, 1e-9, 1 - 1e-9) / (1 - np.clip(p, 1e-9, 1 - 1e-9)))
    figures: Mapping[str, Callable[[NDArray[np.intp]], float]] = {
        "auc": lambda rows: auc(p[rows], y[rows]),
        "brier": lambda rows: brier(p[rows], y[rows]),
        "calibration_intercept": lambda rows: _offset_alone(log_odds[rows], y[rows]),
        "calibration_slope": lambda rows: logistic_line(log_odds[rows], y[rows])[1],
        "events_of_expected": lambda rows: float(y[rows].sum() / p[rows].sum()),
    }
    _, code = np.unique(parcel, return_inverse=True)
    order = np.argsort(code, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(code))[:-1])
    rng = np.random.default_rng(seed)
    drawn = [np.concatenate([parts[i] for i in rng.integers(0, len(parts), len(parts))]) for _ in range(draws)]
    every = np.arange(len(y))
    out = {}
    for name, figure in figures.items():
        if only and name not in only:
            continue
        values = np.array([figure(rows) for rows in drawn])
        low, high = np.nanquantile(values, [0.025, 0.975]) if np.isfinite(values).any() else (np.nan, np.nan)
        out[name] = ScoreFigure(value=figure(every), low=float(low), high=float(high))
    return out


def _offset_alone(log_odds: Floats, y: Floats) -> float:
    """Offset of log odds with slope 1: calibration in the large."""
    offset = 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(log_odds + offset, -35, 35)))
        step = float((y - p).sum() / max(float((p * (1 - p)).sum()), 1e-9))
        offset += float(np.clip(step, -2, 2))
        if abs(step) < 1e-10:
            break
    return offset


def judge_classes(p: Floats, table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows, events and AUC with its interval by asset class; None where a class has no row with or without an event."""
    out: dict[str, dict[str, Any]] = {}
    for name in ASSET_CLASSES:
        own = (table[f"is_{name}"] == 1.0).to_numpy()
        y = table.loc[own, OUTCOME].to_numpy(np.float64)
        told = None
        if 0 < y.sum() < len(y):
            told = judge_score(p[own], y, table.loc[own, PARCEL].to_numpy(), only=("auc",))["auc"]
        out[name] = {
            "rows": len(y),
            "events": int(y.sum()),
            "auc": None if told is None else [told.value, told.low, told.high],
        }
    return out


def better_than_chance(by_class: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Asset classes whose whole interval of AUC on data held out lies above one half."""
    return tuple(name for name, own in by_class.items() if own["auc"] is not None and own["auc"][1] > HALF)


def warning_rates(train: pd.DataFrame, table: pd.DataFrame, *, by_class: bool) -> Floats:
    """What early warnings alone would say: the share of events of rows as long since warned, shape (row,).

    Parameters
    ----------
    train
        Rows the shares are of.
    by_class
        Whether asset classes have shares of their own.
    """
    both = pd.concat([train, table], ignore_index=True)
    key = pd.Series(np.digitize(both["warned_days"].fillna(np.inf), WARNED_BINS))
    if by_class:
        key = key * 100 + both[[f"is_{name}" for name in ASSET_CLASSES]].to_numpy().argmax(axis=1)
    known, y = key[: len(train)].to_numpy(), train[OUTCOME].to_numpy(np.float64)
    shares = pd.Series(y).groupby(known).agg(["sum", "count"])
    # Drawn to the share of all by ten rows: groups may be small.
    smooth = (shares["sum"] + 10 * y.mean()) / (shares["count"] + 10)
    return key[len(train) :].map(smooth).fillna(y.mean()).to_numpy(np.float64)


def common_spread(p: Floats, y: Floats, cell: NDArray[Any]) -> float | None:
    """How far numbers of events of whole portfolios stray beyond independence, as a share of those expected [1].

    By moments over the cells (a world on a day): ``(observed - expected)^2`` less the binomial variance, over the
    square of the expected. None with fewer than ten cells.
    """
    own = pd.DataFrame({"cell": cell, "o": y, "e": p, "v": p * (1 - p)}).groupby("cell")[["o", "e", "v"]].sum()
    if len(own) < LEAST_CELLS:
        return None
    excess = float((((own["o"] - own["e"]) ** 2) - own["v"]).sum() / (own["e"] ** 2).sum())
    return float(np.sqrt(max(excess, 0.0)))


def reasons_stable(
    model: ScoreModel, table: pd.DataFrame, params: ScoreParams | None = None, *, seed: int = 1
) -> float:
    """Share of rows whose reasons stay the same, sign and order included, under noise on every number at once.

    The noise is normal, with 1 % of the feature's range (5th to 95th percentile of the rows) as its standard deviation:
    cruder than that of looks, since days, ages and counts get it too. Asset classes do not.
    """
    params = params or ScoreParams()
    numbers = [name for name in FEATURES if not name.startswith("is_")]
    x = table[numbers].to_numpy(np.float64)
    span = table[numbers].quantile(0.95) - table[numbers].quantile(0.05)
    moved = x + NOISE * span.fillna(0.0).to_numpy() * np.random.default_rng(seed).normal(size=x.shape)
    noisy = table.assign(**dict(zip(numbers, moved.T, strict=True)))
    told = [[reasons_of(own, params) for _, own in model.contributions(rows).iterrows()] for rows in (table, noisy)]
    return float(np.mean([one == other for one, other in zip(*told, strict=True)]))


def reliability(p: Floats, y: Floats, bins: int = 10) -> list[dict[str, float]]:
    """Mean score and share of events in bins of equal size, lowest first."""
    order = np.argsort(p, kind="stable")
    return [
        {"n": float(len(rows)), "score": float(p[rows].mean()), "events": float(y[rows].mean())}
        for rows in np.array_split(order, bins)
        if len(rows)
    ]
