"""A joint model as files: ``model.json`` with the plan and the linear part, ``boosted.txt`` in LightGBM's format.

Neither holds a row, a place or a residual of any sale (the model of `train` does: it keeps sales to tell what is near).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from geocollateral.errors import BrokenData, MissingInput
from geocollateral.federated.forest import lightgbm_text
from geocollateral.federated.plan import DAYS, Layout, Plan
from geocollateral.federated.together import Learned

Floats = NDArray[np.float64]
FORMAT = "geocollateral-federated-1"
BOOSTER = "boosted.txt"


def texts_of(plan: Plan, learned: Learned) -> tuple[str, str]:
    """Texts of ``model.json`` and ``boosted.txt``; the same model gives the same bytes."""
    booster = lightgbm_text(learned.trees, Layout(plan))
    said = {
        "format": FORMAT,
        "plan": plan.model_dump(mode="json"),
        "plan_sha256": plan.digest(),
        "slopes": learned.slopes.tolist(),
        "low": learned.low,
        "high": learned.high,
        "n_trees": len(learned.trees),
        "n_learned": learned.n_learned,
        "n_aside": learned.n_aside,
        "files": {BOOSTER: hashlib.sha256(booster.encode()).hexdigest()},
    }
    return json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False), booster


@dataclass(frozen=True, kw_only=True)
class JointModel:
    """A model that several parties learned together."""

    plan: Plan
    slopes: Floats
    low: float
    high: float
    booster: lgb.Booster | None
    """None where no tree helped."""
    said: Mapping[str, Any]
    """Content of ``model.json``."""

    @classmethod
    def of(cls, model: str, booster: str) -> JointModel:
        """A model from the texts of its files.

        Raises
        ------
        BrokenData
            They do not belong together, or are of another format.
        """
        try:
            said = json.loads(model)
            if said["format"] != FORMAT:
                raise BrokenData(f"Expected a model of format {FORMAT}, found {said['format']}.")
            if hashlib.sha256(booster.encode()).hexdigest() != said["files"][BOOSTER]:
                raise BrokenData(f"{BOOSTER} differs from the SHA-256 in model.json; it was not loaded.")
            plan = Plan.model_validate(said["plan"])
            return cls(
                plan=plan,
                slopes=np.array(said["slopes"], np.float64),
                low=float(said["low"]),
                high=float(said["high"]),
                booster=lgb.Booster(model_str=booster) if said["n_trees"] else None,
                said=said,
            )
        except (ValueError, KeyError, TypeError, ValidationError, lgb.basic.LightGBMError) as error:
            raise BrokenData(f"This is no usable joint model: {error}") from error

    @classmethod
    def load(cls, folder: Path) -> JointModel:
        """A model from the folder ``model/``.

        Raises
        ------
        MissingInput
            There is none.
        BrokenData
            A file was changed.
        """
        try:
            return cls.of(
                (folder / "model.json").read_text(encoding="utf-8"), (folder / BOOSTER).read_text(encoding="utf-8")
            )
        except OSError as error:
            raise MissingInput(f"{folder} holds no joint model: expected model.json and {BOOSTER}.") from error
        except UnicodeDecodeError as error:
            raise BrokenData(f"{folder} holds no usable joint model: {error}") from error

    def log_prices(self, matrix: Floats) -> Floats:
        """Log prices of rows as `Layout.matrix` gives them, shape (row,)."""
        layout = Layout(self.plan)
        found = layout.design(matrix) @ self.slopes + layout.middle
        if self.booster is not None:
            found = found + np.asarray(self.booster.predict(matrix, num_threads=1), np.float64)
        return np.asarray(found, np.float64)

    def predict(self, numbers: Mapping[str, Floats], kinds: Mapping[str, NDArray[np.object_]]) -> pd.DataFrame:
        """Intervals of prices: ``p05``, ``p50``, ``p95``, ``refused``, ``reason``; no number where refused.

        Parameters
        ----------
        numbers
            By name: the plan's numbers and places, and `DAYS` where it has a time. Shape (row,), NaN = missing.
        kinds
            By name, shape (row,): text or None.
        """
        log_price = self.log_prices(Layout(self.plan).matrix(numbers, kinds))
        reason = self._refusals(numbers, kinds, len(log_price))
        refused = np.array([r is not None for r in reason], bool)
        bounds = {"p05": self.low, "p50": 0.0, "p95": self.high}
        out = pd.DataFrame({k: np.where(refused, np.nan, np.exp(log_price + off)) for k, off in bounds.items()})
        out["p05"], out["p95"] = out[["p05", "p50"]].min(axis=1), out[["p95", "p50"]].max(axis=1)
        out["refused"], out["reason"] = refused, reason
        return out

    def _refusals(
        self, numbers: Mapping[str, Floats], kinds: Mapping[str, NDArray[np.object_]], n: int
    ) -> NDArray[np.object_]:
        """Why a row is not valued, shape (row,): outside of what the parties agreed on, or too little known."""
        reason = np.full(n, None, object)
        missing = np.zeros(n)
        ranges = {name: r for name, r in Layout(self.plan).ranges.items() if name != DAYS}
        for name, r in ranges.items():
            missing += np.isnan(numbers[name])
            for row in np.flatnonzero((numbers[name] < r.low) | (numbers[name] > r.high)):
                reason[row] = f"{name} is {numbers[name][row]:g}; the parties agreed on {r.low:g} to {r.high:g}"
        for name, known in self.plan.kinds.items():
            given = kinds[name]
            missing += np.array([kind is None for kind in given])
            for row in np.flatnonzero([kind is not None and kind not in known for kind in given]):
                reason[row] = f"{name} is {given[row]}; the parties agreed on {', '.join(known)}"
        reason[missing > 0.5 * (len(ranges) + len(kinds))] = "more than half of the features are missing"
        return reason


__all__ = ["BOOSTER", "JointModel", "texts_of"]
