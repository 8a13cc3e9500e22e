"""Fitting the risk score on outcomes.

A row is a parcel on a day: the features known then, and whether an adverse event was under way or began within the half
year after it. Rows of one parcel stay in one fold.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.errors import InvalidInput
from geocollateral.risk.features import FEATURES, GROUPS
from geocollateral.risk.score import FORMAT, ScoreModel, text_of
from geocollateral.types import ASSET_CLASSES, Params

if TYPE_CHECKING:
    import lightgbm as lgb

Floats = NDArray[np.float64]
HORIZON_DAYS = 182
OUTCOME = "adverse"
PARCEL = "parcel_id"
LEAST_EVENTS = 50
LEAST_CLASS_EVENTS = 20
"""Of an asset class that gets a score."""


class ScoreFitParams(Params):
    """How the score is fitted. Small trees of large leaves: few events bear no more."""

    rounds: int = Field(150, ge=10, le=5000, description="Rounds of boosting.")
    rate: float = Field(0.05, gt=0, le=0.5, description="Step of a round.")
    leaves: int = Field(6, ge=2, le=64, description="Leaves of a tree.")
    in_leaf: int = Field(150, ge=5, description="Rows of a leaf at least.")
    folds: int = Field(5, ge=2, le=20, description="Folds, by parcel, behind the calibration.")
    seed: int = Field(1, ge=0, description="Of every random choice; the same rows give the same bytes.")


def fit_score(table: pd.DataFrame, made_on: tuple[str, ...], params: ScoreFitParams | None = None) -> ScoreModel:
    """A score from outcomes.

    Parameters
    ----------
    table
        Columns `FEATURES`, ``parcel_id`` and ``adverse`` (0 or 1). The order of rows does not matter.
    made_on
        What the rows are of, for the card.

    Raises
    ------
    InvalidInput
        Columns lack, an outcome is neither 0 nor 1, or there are fewer than 50 events or rows without one.
    """
    params = params or ScoreFitParams()
    table = _checked(table)
    x, y = table[list(FEATURES)].to_numpy(np.float64), table[OUTCOME].to_numpy(np.float64)
    fold = _folds(table[PARCEL], params)
    out = np.empty(len(y))
    for n in np.unique(fold):
        own = fold == n
        out[own] = np.asarray(_boost(x[~own], y[~own], params).predict(x[own], raw_score=True, num_threads=1))
    offset, slope = logistic_line(out, y)
    booster = _boost(x, y, params)
    events = {name: int(table.loc[table[f"is_{name}"] == 1.0, OUTCOME].sum()) for name in ASSET_CLASSES}
    classes = tuple(name for name, n in events.items() if n >= LEAST_CLASS_EVENTS)
    digest = hashlib.sha256(text_of(booster)).hexdigest()
    card = {
        "format": FORMAT,
        "purpose": "Probability that an adverse event is under way or begins within 182 days, of a parcel without an "
        "open confirmed adverse alert. A supporting figure for review, not a decision.",
        "made_on": list(made_on),
        "rows": len(y),
        "parcels": int(table[PARCEL].nunique()),
        "base_rate": round(float(y.mean()), 6),
        "horizon_days": HORIZON_DAYS,
        "features": list(FEATURES),
        "groups": {name: list(members) for name, members in GROUPS.items()},
        "classes": list(classes),
        "events": events,
        "calibration": {"offset": offset, "slope": slope},
        "params": params.model_dump(mode="json"),
        "sha256": digest,
    }
    # Read back, so that what is judged is what will be loaded.
    import lightgbm as lgb

    again = lgb.Booster(model_str=text_of(booster).decode())
    return ScoreModel(booster=again, offset=offset, slope=slope, classes=classes, card=card, sha256=digest)


def logistic_line(raw: Floats, y: Floats) -> tuple[float, float]:
    """Offset and slope of the logistic regression of outcomes on log odds, by Newton's method."""
    design = np.column_stack([np.ones(len(raw)), raw])
    line = np.array([0.0, 1.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ line, -35, 35)))
        weight = np.maximum(p * (1 - p), 1e-9)
        step = np.linalg.solve(design.T @ (weight[:, None] * design) + 1e-9 * np.eye(2), design.T @ (y - p))
        line = line + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return float(round(line[0], 9)), float(round(line[1], 9))


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    lacking = [name for name in (*FEATURES, PARCEL, OUTCOME) if name not in table]
    if lacking:
        raise InvalidInput(f"Expected outcomes with columns parcel_id, adverse and features; lacks {lacking}.")
    if not table[OUTCOME].isin([0, 1]).all():
        raise InvalidInput("Expected the column adverse to hold 0 or 1 in every row.")
    events = int(table[OUTCOME].sum())
    if min(events, len(table) - events) < LEAST_EVENTS:
        raise InvalidInput(f"Expected at least {LEAST_EVENTS} rows with and without an event, got {events} with one.")
    sorting = table.assign(**{PARCEL: table[PARCEL].astype(str)})
    return sorting.sort_values([PARCEL, *FEATURES, OUTCOME], kind="stable", ignore_index=True)


def _folds(parcels: pd.Series, params: ScoreFitParams) -> NDArray[np.int64]:
    """Fold of each row by a digest of its parcel's name."""
    fold = {
        name: int(hashlib.sha256(f"{params.seed}|{name}".encode()).hexdigest()[:8], 16) % params.folds
        for name in parcels.unique()
    }
    return parcels.map(fold).to_numpy(np.int64)


def _boost(x: Floats, y: Floats, params: ScoreFitParams) -> lgb.Booster:
    settings: dict[str, Any] = {
        "objective": "binary",
        "learning_rate": params.rate,
        "num_leaves": params.leaves,
        "min_data_in_leaf": params.in_leaf,
        "feature_fraction": 0.6,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "seed": params.seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    import lightgbm as lgb

    data = lgb.Dataset(x, y, feature_name=list(FEATURES), params={"verbose": -1})
    return lgb.train(settings, data, params.rounds)
