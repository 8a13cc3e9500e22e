"""The decision layer: what an asset class found becomes a probability and an operating point, by one table.

Between the judgement of an asset class and its alerts. The table is data: made by `pipelines/backtest.py --calibrate`
on worlds with known truth, or by a user on outcomes of their own. An asset class states a score of its own making, and
the highest operating point a rule may have; it knows nothing of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from geocollateral.types import Decision, Hit, OperatingPoint, Params

Interval = tuple[float, float, float]
"""Value, low and high of its 95 % interval."""


class DecisionRow(Params):
    """One kind of alert of one asset class, as its rules say it."""

    asset_class: str = Field(description="Asset class.")
    kind: str = Field(description="Kind of event.")
    said: OperatingPoint = Field(description="Highest operating point the rule itself gives it.")
    n_alerts: int = Field(ge=0, description="Alerts that were right or wrong, repeats left out.")
    n_right: int = Field(ge=0, description="Of them, those that answered a true event.")
    n_false: int = Field(ge=0, description="False alerts in quiet parcel-years, at any score.")
    parcel_years: float = Field(gt=0, description="Quiet parcel-years of the asset class [years].")
    events_per_100: float = Field(ge=0, description="True events it answers, per 100 quiet parcel-years.")
    confirmed: float | None = Field(description="Score from which it is confirmed; null: never.")
    confirmed_false_per_100: Interval = Field(description="False alerts from that score, per 100 parcel-years.")
    early_warning: float | None = Field(description="Score from which it is an early warning; null: never said.")
    early_warning_false_per_100: Interval = Field(description="False alerts from that score, confirmed ones included.")
    information: Interval | None = Field(
        None, description="Share of pairs of a right and a wrong alert that the score orders rightly; 0.5: none."
    )
    way: str = Field("none", description="How probabilities were learned: logistic, isotonic, share, or none.")
    scores: tuple[float, ...] = Field((), description="Scores of the table, rising; empty: not calibrated.")
    probabilities: tuple[float, ...] = Field((), description="Probability that an alert of that score is right [0-1].")

    @model_validator(mode="after")
    def _monotone(self) -> Self:
        if len(self.scores) != len(self.probabilities):
            raise ValueError(f"{len(self.scores)} scores and {len(self.probabilities)} probabilities")
        if any(a >= b for a, b in zip(self.scores, self.scores[1:], strict=False)):
            raise ValueError(f"scores must rise, got {self.scores}")
        if any(a > b for a, b in zip(self.probabilities, self.probabilities[1:], strict=False)):
            raise ValueError(f"probabilities must not fall, got {self.probabilities}")
        if any(not 0 <= p <= 1 for p in self.probabilities):
            raise ValueError(f"probabilities must lie within 0..1, got {self.probabilities}")
        if self.confirmed is not None and (self.early_warning is None or self.early_warning > self.confirmed):
            raise ValueError(f"early_warning must not be above confirmed, got {self.early_warning}, {self.confirmed}")
        return self


class DecisionTable(Params):
    """Rows, and what they were made on."""

    made_on: tuple[str, ...] = Field((), description="Worlds or data sets the table was made on, with their seeds.")
    version: str = Field("", description="Version of the program that made the scores.")
    methods: str = Field("", description="Digest of the code of the methods that made the scores.")
    budget_confirmed: float = Field(1.0, ge=0, description="Budget it was made with, confirmed.")
    budget_early_warning: float = Field(3.0, ge=0, description="Budget it was made with, early warnings included.")
    rows: tuple[DecisionRow, ...] = Field((), description="One per asset class, kind and point said.")

    @model_validator(mode="after")
    def _one_row_each(self) -> Self:
        keys = [(row.asset_class, row.kind, row.said) for row in self.rows]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"rows must differ in asset_class, kind or said; there twice: {twice}")
        return self


class DecisionParams(Params):
    """Operating points and probabilities of alerts."""

    budget_confirmed: float = Field(
        1.0, ge=0, description="False confirmed alerts allowed per 100 quiet parcel-years of an asset class, all kinds."
    )
    budget_early_warning: float = Field(
        3.0, ge=0, description="The same of early warnings, with what is confirmed among them."
    )
    events_per_100: dict[str, float] = Field(
        {},
        description="By kind of event, how many are expected per 100 parcel-years of your portfolio; probabilities are "
        "moved to it. Without an entry they hold for the rate of the data the table was made on.",
    )
    table: DecisionTable = Field(
        DecisionTable(), description="In a settings file: the name of a file that `--calibrate` wrote."
    )


def decide(hit: Hit, asset_class: str, params: DecisionParams) -> Hit:
    """A hit with its operating point, and with a calibrated probability where the table has one.

    1. Without a row, a hit keeps the point its rule gave it, and its score is no probability.
    2. The point is the highest whose threshold the score reaches, never above what the rule gave it.
    3. Below both the hit is withheld: ``decision.point`` is None.
    """
    said, score = hit.operating_point, hit.event.probability
    key = (asset_class, hit.event.kind, said)
    row = next((r for r in params.table.rows if (r.asset_class, r.kind, r.said) == key), None)
    if row is None or not np.isfinite(score):
        return replace(hit, decision=Decision(score=score, said=said, point=said, calibrated=False))
    point = _point(score, row)
    probability = _probability(score, row, params.events_per_100)
    return replace(
        hit,
        event=hit.event if probability is None else replace(hit.event, probability=probability),
        operating_point=point or said,
        decision=Decision(score=score, said=said, point=point, calibrated=probability is not None),
    )


def _point(score: float, row: DecisionRow) -> OperatingPoint | None:
    if row.said == "confirmed" and row.confirmed is not None and score >= row.confirmed:
        return "confirmed"
    return "early_warning" if row.early_warning is not None and score >= row.early_warning else None


def _probability(score: float, row: DecisionRow, here: Mapping[str, float]) -> float | None:
    if not row.scores:
        return None
    learned = float(np.interp(score, row.scores, row.probabilities))
    if row.kind not in here or row.events_per_100 <= 0:
        return learned
    # Odds scale with the rate of events (Saerens, Latinne & Decaestecker 2002, doi:10.1162/089976602753284446).
    ratio = here[row.kind] / row.events_per_100
    return learned * ratio / (learned * ratio + 1 - learned)


__all__ = ["DecisionParams", "DecisionRow", "DecisionTable", "decide"]
