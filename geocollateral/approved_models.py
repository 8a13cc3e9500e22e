"""Which approved model values a parcel, and why one that is approved does not.

Approval says that people looked at a model. Whether it may value on a day is asked anew each time: what its prices are
of, how old it is, whether it beat every baseline on held-out sales, and what its last back-test found.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import numpy as np

from geocollateral.errors import BrokenData, InvalidInput
from geocollateral.model_governance import ApprovedModel, LoanRegistry, ModelRow, load_approved, number_of
from geocollateral.store import is_review_overdue, state_of
from geocollateral.valuation.model_seal import ModelParams

AUTO, NONE = "auto", "none"


@dataclass(frozen=True, kw_only=True)
class ModelsInUse:
    """The models that may be asked in one run."""

    models: tuple[ApprovedModel, ...]
    asked: str
    """``auto``, or the one model that was named."""

    def choose(self, asset_class: str, currency: str | None) -> ApprovedModel | str:
        """The model for a parcel, or the sentence that says why there is none.

        Parameters
        ----------
        currency
            Of the parcel's loan; None: the file names none.
        """
        own = [model for model in self.models if model.asset_class == asset_class]
        if self.asked != AUTO and not own:
            (named,) = self.models
            return f"{named.name} values {named.asset_class} in {named.currency}, not this parcel."
        if not own:
            return f"No model is approved for the asset class {asset_class}."
        fitting = [model for model in own if currency in (None, model.currency)]
        if not fitting:
            return f"No model is approved for {asset_class} in {currency}, the currency of the loan."
        if len(fitting) > 1:
            money = " and ".join(model.currency for model in fitting)
            return f"Models are approved for {asset_class} in {money}, and no currency of a loan says which is meant."
        return fitting[0]


def find_models(
    registry: LoanRegistry, asked: str, classes: Sequence[str], params: ModelParams, known_at: dt.datetime | None
) -> ModelsInUse | None:
    """The models to ask, loaded; None: none is approved.

    Parameters
    ----------
    asked
        ``auto``: whatever is approved for the classes; or a model such as ``M3``.
    known_at
        What was decided later does not count, so that an earlier run can be repeated with the models of its day; None:
        everything counts.

    Raises
    ------
    InvalidInput, MissingInput
        The model named is not approved, or is none.
    BrokenData
        A model, a decision or the chain is not as it was signed: nothing is valued with it, and the run ends.
    """
    rows = [known for row in registry.models.list_all() if (known := _known_by(row, known_at)) is not None]
    if asked != AUTO:
        number = number_of(asked)
        named = next((row for row in rows if row.model_id == number), None) or registry.models.get(number)
        if state_of(named.events) != "approved" or named not in rows:
            when = "" if known_at is None else f" on {known_at.date()}"
            raise InvalidInput(
                f"M{number} was not approved{when}; it is {named.state}: see `geocollateral models show M{number}`."
            )
        chosen = [named]
    else:
        chosen = [row for row in rows if row.state == "approved" and row.entry.asset_class in classes]
    if not chosen:
        return None
    registry.models.check_chain()
    kinds = [(row.entry.asset_class, row.entry.currency) for row in chosen]
    if len(set(kinds)) < len(kinds):
        raise BrokenData("Two models are approved for one asset class and currency: run `geocollateral models verify`.")
    return ModelsInUse(models=tuple(load_approved(row, params) for row in chosen), asked=asked)


def _known_by(row: ModelRow, at: dt.datetime | None) -> ModelRow | None:
    """A model with what was decided on it by a time; None: it was not registered then."""
    if at is None:
        return row
    events = tuple(takewhile(lambda event: event.at <= at, row.events))
    return replace(row, events=events) if events else None


def why_not(model: ApprovedModel, day: dt.date, params: ModelParams) -> str | None:
    """Why an approved model gives no value on a day; None: it may.

    1. It must be known what its prices are of, and a model that only corrects given values has nothing to correct here.
    2. Nothing later than the day may have been learned from, and nothing too old.
    3. It must have beaten every baseline on the sales held out.
    4. Its last back-test must not have found that the market, or what is told of it, departed from training.
    """
    return _by_kind(model) or _by_age(model, day, params) or _by_baseline(model) or _by_backtest(model, params)


def caution(model: ApprovedModel, day: dt.date) -> str | None:
    """What a reader must know of a model that is used."""
    if is_review_overdue(model.row, day):
        return f"The review of the random sample of {model.name} is overdue."
    return None


def _by_kind(model: ApprovedModel) -> str | None:
    if model.price_per is None:
        return f"{model.name} does not say what its prices are of; train and register it anew."
    if model.model.correction is not None:
        return f"{model.name} only corrects values that are given, and none are given here."
    return None


def _by_age(model: ApprovedModel, day: dt.date, params: ModelParams) -> str | None:
    text = model.training["window"]["last"]
    if not isinstance(text, str):
        return f"{model.name} was trained without days of sale: how old it is cannot be told."
    last = dt.date.fromisoformat(text)
    if last > day:
        return f"{model.name} learned from sales up to {last}, later than {day}."
    if (day - last).days > params.max_age_days:
        return (
            f"{model.name} learned from sales up to {last}, {(day - last).days} days before {day}; "
            f"{params.max_age_days} days are allowed."
        )
    return None


def _by_baseline(model: ApprovedModel) -> str | None:
    if model.study["study"] is None or not model.study["baselines"]:
        return f"{model.name} was not held against a baseline on held-out sales."
    for name, row in model.study["baselines"].items():
        if not row["beaten"]:
            own, theirs = row["model_on_the_same_rows"], row["study"]
            return (
                f"{model.name} does not beat a baseline on held-out sales ({name}): median error {own['mdape']:.1%} "
                f"against {theirs['mdape']:.1%}, COD {own['cod']:.1f} against {theirs['cod']['value']:.1f}."
            )
    return None


def best_baseline(study: Mapping[str, Any]) -> tuple[str, float, float] | None:
    """The baseline with the smallest median error: its name, that error, and the model's on the same rows."""
    found = [
        (row["study"]["mdape"], name, row["model_on_the_same_rows"]["mdape"])
        for name, row in study["baselines"].items()
        if np.isfinite(row["study"]["mdape"])
    ]
    if not found:
        return None
    error, name, own = min(found)
    return name, error, own


def _by_backtest(model: ApprovedModel, params: ModelParams) -> str | None:
    told = [event.facts for event in model.row.events if event.action == "backtest"]
    if not told:
        return None
    last = told[-1]
    if last.get("drift"):
        month = max(last["drift"])
        return (
            f"The last back-test of {model.name} found that sales of {month} depart from those of its training "
            f"({'; '.join(last['drift'][month])})."
        )
    bias = last["total"]["bias"]
    low, high = bias["low"], bias["high"]
    if low is not None and high is not None and (low > params.max_bias_frac or high < -params.max_bias_frac):
        side = "high" if low > 0 else "low"
        return (
            f"The last back-test of {model.name} found its values too {side} by {abs(bias['value']):.1%} at the "
            f"median; {params.max_bias_frac:.0%} are allowed."
        )
    return None


def model_record(model: ApprovedModel, refusal: str | None) -> dict[str, Any]:
    """One row on a model for the table ``value_models``: JSON values."""
    study, training = model.study, model.training
    best, whole = best_baseline(study), study["study"]
    return {
        "model": model.name,
        "asset_class": model.asset_class,
        "currency": model.currency,
        "price_per": model.price_per,
        "key": model.key,
        "sha256": model.sha256,
        "trainer": model.row.entry.trainer,
        "approvers": ", ".join(model.row.approvers),
        "learned_first": None if training["window"]["first"] is None else str(training["window"]["first"]),
        "learned_last": None if training["window"]["last"] is None else str(training["window"]["last"]),
        "n_learned": training["n_learned"],
        "n_held_out": training["n_held_out"],
        "protocol": training["protocol"],
        "median_error_frac": None if whole is None else whole["mdape"],
        "coverage_frac": study["interval"].get("coverage"),
        "level_frac": study["interval"].get("level"),
        "best_baseline": None if best is None else best[0],
        "best_baseline_error_frac": None if best is None else best[1],
        "error_on_its_rows_frac": None if best is None else best[2],
        "refusal": refusal,
    }


__all__ = ["AUTO", "NONE", "ModelsInUse", "best_baseline", "caution", "find_models", "model_record", "why_not"]
