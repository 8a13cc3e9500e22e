"""The risk score: the probability that an adverse event is under way or begins within half a year.

Gradient boosting (LightGBM: Ke et al. 2017) of what was known on the day (`features`), calibrated by a straight line in
log odds (Platt 1999) on predictions out of fold. Contributions of features (TreeSHAP: Lundberg et al. 2020,
doi:10.1038/s42256-019-0138-9) are summed by group, and with the base they add up to the log odds.

A model is a text file of LightGBM and its card; what differs from the SHA-256 on the card is not loaded, because
LightGBM reads a damaged text without a word.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.errors import BrokenData, MissingInput
from geocollateral.risk.features import FEATURES, GROUPS
from geocollateral.types import ASSET_CLASSES, Params

if TYPE_CHECKING:
    import lightgbm as lgb  # needs OpenMP of the operating system: loaded where a score is asked for

Floats = NDArray[np.float64]

FORMAT = 1
MODEL_FILE = "risk_score.txt"
CARD_FILE = "risk_score.json"


class ScoreParams(Params):
    """The risk score."""

    model: str | None = Field(
        None,
        description="Folder of a model made by `train_risk.py`; null: the one shipped, trained on simulated worlds.",
    )
    least_looks: int = Field(
        6, ge=1, le=365, description="Clear looks of the last year below which no score is given [1]."
    )
    least_reason: float = Field(
        0.6,
        ge=0,
        le=5,
        description="Contribution below which a reason is not told [log odds]; smaller ones follow the noise of looks. "
        "0.6 changes the odds by a factor of 1.8.",
    )


@dataclass(frozen=True, kw_only=True)
class ScoreModel:
    """A fitted score."""

    booster: lgb.Booster
    offset: float
    slope: float
    """Calibrated log odds are ``offset + slope * raw``."""
    classes: tuple[str, ...]
    """Asset classes it was trained on; others get no score."""
    card: Mapping[str, Any]
    idle: tuple[str, ...] = ()
    """Asset classes it was trained on and was no better than chance in on data held out: these get no score either."""
    sha256: str
    """Of the booster's text."""

    @property
    def common_spread(self) -> float | None:
        """How far numbers of events of whole portfolios stray together, as judged on data held out; None: not known."""
        spread = self.card.get("figures", {}).get("common_spread")
        return None if spread is None else float(spread)

    def log_odds(self, features: pd.DataFrame) -> Floats:
        """Calibrated log odds, shape (row,)."""
        raw = self.booster.predict(_matrix(features), raw_score=True, num_threads=1)
        return self.offset + self.slope * np.asarray(raw, np.float64)

    def predict(self, features: pd.DataFrame) -> Floats:
        """Probability of an adverse event within half a year [0-1], shape (row,); whether to tell it is `refusals`."""
        return np.asarray(1 / (1 + np.exp(-self.log_odds(features))), np.float64)

    def contributions(self, features: pd.DataFrame) -> pd.DataFrame:
        """By group of features and ``base``; each row adds up to the log odds."""
        parts = np.asarray(self.booster.predict(_matrix(features), pred_contrib=True, num_threads=1), np.float64)
        named = pd.DataFrame(self.slope * parts[:, :-1], index=features.index, columns=list(FEATURES))
        out = pd.DataFrame({group: named[list(names)].sum(axis=1) for group, names in GROUPS.items()})
        return out.assign(base=self.offset + self.slope * parts[:, -1])

    def refusals(self, features: pd.DataFrame, params: ScoreParams) -> list[str | None]:
        """Why a row gets no score; None where it gets one. The model itself would answer anything."""
        out: list[str | None] = []
        for _, row in features.iterrows():
            known = [name for name in ASSET_CLASSES if row[f"is_{name}"] == 1.0]
            if known and known[0] in self.idle:
                out.append(CHANCE)
            elif not known or known[0] not in self.classes:
                out.append("The risk score was not trained on this asset class.")
            elif not row["looks_n"] >= params.least_looks:
                out.append(
                    f"Too few clear looks for a risk score: {row['looks_n']:.0f} in the last year, "
                    f"{params.least_looks} are needed."
                )
            else:
                out.append(None)
        return out


def reasons_of(contributions: pd.Series, params: ScoreParams) -> list[str]:
    """Codes of what moved a score, in the order of `GROUPS`: ``+early_warning`` raised it, ``-radar`` lowered it.

    All that reach the bound are told, in an order that does not follow their size: neither the order nor the choice
    among them can change with the noise of looks.
    """
    told = [name for name in GROUPS if abs(float(contributions[name])) >= params.least_reason]
    return [f"{'+' if contributions[name] > 0 else '-'}{name}" for name in told]


def save_score_model(model: ScoreModel, folder: Path) -> None:
    """Write the text of the booster and its card."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(text_of(model.booster))
    (folder / CARD_FILE).write_text(
        json.dumps(model.card, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def text_of(booster: lgb.Booster) -> bytes:
    """The booster as LightGBM's own text."""
    return booster.model_to_string().encode()


CHANCE = "Cannot tell: on data held out the risk score was no better than chance in this asset class."
NO_BOOSTING = "The risk score needs LightGBM, which could not be loaded: OpenMP of the operating system is missing."


def can_boost() -> bool:
    """Whether LightGBM can be loaded; without OpenMP of the operating system it cannot, and all else still works."""
    try:
        import lightgbm  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def load_score_model(folder: str | Path | None = None) -> ScoreModel:
    """Read a model; None: the one shipped.

    Raises
    ------
    MissingInput
        There is none in the folder.
    BrokenData
        It differs from its SHA-256, or is of another format or of other features.
    """
    home: Traversable | Path = resources.files("geocollateral.risk") / "model" if folder is None else Path(folder)
    try:
        text, card = (home / MODEL_FILE).read_bytes(), json.loads((home / CARD_FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingInput(f"{home} holds no risk model: expected {MODEL_FILE} and {CARD_FILE}.") from error
    except ValueError as error:
        raise BrokenData(f"{home / CARD_FILE} is not JSON: {error}") from error
    try:
        if card["format"] != FORMAT or card["features"] != list(FEATURES):
            raise BrokenData(f"{home} holds a risk model of another format or of other features: train it anew.")
        digest = hashlib.sha256(text).hexdigest()
        if digest != card["sha256"]:
            raise BrokenData(f"{home / MODEL_FILE} differs from the SHA-256 on its card; it was not loaded.")
        import lightgbm as lgb

        return ScoreModel(
            booster=lgb.Booster(model_str=text.decode()),
            offset=float(card["calibration"]["offset"]),
            slope=float(card["calibration"]["slope"]),
            classes=tuple(card["classes"]),
            idle=tuple(card.get("no_better_than_chance", ())),
            card=card,
            sha256=digest,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenData(f"{home} holds no usable risk model: {error}") from error


def _matrix(features: pd.DataFrame) -> Floats:
    """Features by name in the fixed order; a column that lacks is a defect, not a guess."""
    lacking = [name for name in FEATURES if name not in features]
    if lacking:
        raise BrokenData(f"features lack {lacking}")
    return features[list(FEATURES)].to_numpy(np.float64)
