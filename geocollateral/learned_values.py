"""Values of parcels by approved models: what each model is told, what it answers, and why it answers nothing.

A model is told the file's own columns, the outline and what this run observed. What is claimed, lent, valued or asked
is never told: a price must not explain itself.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.approved_models import ModelsInUse, caution, model_record, why_not
from geocollateral.intake.attributes import means_area
from geocollateral.model_governance import ApprovedModel
from geocollateral.types import MU_M2, Judgement
from geocollateral.valuation.area_value import grade_of
from geocollateral.valuation.comparables import comparables
from geocollateral.valuation.explanations import by_family, contributions, reasons, words_of
from geocollateral.valuation.later_sales import features_by_cell
from geocollateral.valuation.model_seal import PRICE_PER, ModelParams, may_be_feature
from geocollateral.valuation.sale_dates import MONTH_DAYS
from geocollateral.valuation.sales import in_plane, names_place

Floats = NDArray[np.float64]

NOT_JUDGED = "The parcel could not be judged, and no model values it."
SEEN = ("obs_", "chg_")
"""How columns begin that a run observed."""
BASE, AREA = "(base)", "(area)"
"""What all parcels of a model have in common, and the area where its prices are of a unit of it."""
APPROACH = "learned"


@dataclass(frozen=True, kw_only=True)
class LearnedValue:
    """What a model says of one parcel; no number where it says nothing."""

    model: str | None = None
    p05: float | None = None
    p50: float | None = None
    p95: float | None = None
    currency: str | None = None
    grade: str | None = None
    codes: tuple[str, ...] = ()
    reason: str | None = None
    """Why there is no number, or what to know of the model."""

    def columns(self) -> dict[str, Any]:
        """Columns ``val_learned_`` of the parcel."""
        return {
            "val_learned_p05": self.p05,
            "val_learned_p50": self.p50,
            "val_learned_p95": self.p95,
            "val_learned_currency": self.currency,
            "val_learned_grade": self.grade,
            "val_learned_model": self.model,
            "val_learned_codes": list(self.codes),
            "val_learned_reason": self.reason,
        }

    def headline(self) -> dict[str, Any]:
        """The same as the value of the parcel; empty where there is none."""
        if self.p50 is None:
            return {}
        return {
            "val_p05": self.p05,
            "val_p50": self.p50,
            "val_p95": self.p95,
            "val_currency": self.currency,
            "val_grade": self.grade,
            "val_approach": APPROACH,
        }


@dataclass(frozen=True, kw_only=True)
class LearnedValues:
    """What the models of a run say of its parcels."""

    by_parcel: Mapping[str, LearnedValue] = field(default_factory=dict)
    """Empty where no model was asked."""
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """``value_models``, ``learned_parts`` (whose parts add up to the logarithm of the value), ``learned_reasons`` and
    ``learned_comparables``."""


def value_all(
    asked: ModelsInUse | None,
    judgements: Mapping[str, Judgement],
    parcels: gpd.GeoDataFrame,
    day: dt.date,
    params: ModelParams,
) -> LearnedValues:
    """Value of each parcel by the model approved for it.

    Parameters
    ----------
    parcels
        As intake gives them.
    day
        Day the values speak for.
    """
    if asked is None:
        return LearnedValues()
    refusals = {model.name: why_not(model, day, params) for model in asked.models}
    found: dict[str, LearnedValue] = {}
    of_model: dict[str, list[str]] = {model.name: [] for model in asked.models}
    rows = parcels.drop(columns="geometry").to_dict("index")
    for parcel_id, judgement in judgements.items():
        chosen = asked.choose(*_kind(rows[parcel_id]))
        if judgement.status == "cannot_tell":
            found[parcel_id] = LearnedValue(reason=NOT_JUDGED)
        elif isinstance(chosen, str):
            found[parcel_id] = LearnedValue(reason=chosen)
        elif refusals[chosen.name] is not None:
            found[parcel_id] = LearnedValue(model=chosen.name, reason=refusals[chosen.name])
        else:
            of_model[chosen.name].append(parcel_id)
    parts: list[dict[str, pd.DataFrame]] = []
    for model in asked.models:
        own = of_model[model.name]
        if own:
            values, tables = _by_model(model, own, judgements, parcels, day, params)
            found |= values
            parts.append(tables)
    records = [model_record(model, refusals[model.name]) for model in asked.models]
    joined = {name: pd.concat([p[name] for p in parts], ignore_index=True) for name in (parts[0] if parts else ())}
    return LearnedValues(
        by_parcel={i: found[i] for i in judgements},
        tables={"value_models": pd.DataFrame(records), **{name: rows for name, rows in joined.items() if len(rows)}},
    )


def _kind(row: Mapping[Any, Any]) -> tuple[str, str | None]:
    currency = row.get("loan_currency")
    return str(row["asset_class"]), currency if isinstance(currency, str) and currency else None


# ------------------------------------------------------------------------------------------------------------ one model


def _by_model(
    model: ApprovedModel,
    ids: Sequence[str],
    judgements: Mapping[str, Judgement],
    parcels: gpd.GeoDataFrame,
    day: dt.date,
    params: ModelParams,
) -> tuple[dict[str, LearnedValue], dict[str, pd.DataFrame]]:
    table = _run_columns(ids, judgements, parcels)
    sources = {r["name"]: source_of(r["name"], table, params.columns) for r in model.training["features"]}
    lacking = [name for name, source in sources.items() if source is None]
    xy = _places(model, table, parcels.geometry.loc[list(ids)])
    if xy is None:
        lacking += list(model.training["coords"])
    if lacking:
        why = f"{model.name} needs columns that neither the file of parcels nor this run has: {', '.join(lacking)}."
        return {i: LearnedValue(model=model.name, reason=why) for i in ids}, {}
    told = pd.DataFrame({name: _column(table, str(source)) for name, source in sources.items()}, index=table.index)
    days = np.full(len(ids), np.datetime64(day, "D"))
    features = features_by_cell(told, model.training["features"], days)
    where = xy if model.training["coords"] is not None else None
    months = days.astype(np.int64) / MONTH_DAYS
    answer = model.model.predict(features, where, months)
    size = _size(model, table)
    values = {i: _value(model, answer.loc[i], float(size[n]), caution(model, day)) for n, i in enumerate(answer.index)}
    valued = np.array([values[i].p50 is not None for i in ids], bool)
    if not valued.any():
        return values, {}
    own = features[valued], None if where is None else where[valued], months[valued]
    tables, codes = _explained(model, own, told[valued], size[valued])
    values |= {i: replace(values[i], codes=codes[i]) for i in codes}
    return values, {**tables, "learned_comparables": _compared(model, own)}


def _value(model: ApprovedModel, row: Mapping[Any, Any], size: float, warning: str | None) -> LearnedValue:
    if row["refused"]:
        return LearnedValue(model=model.name, reason=f"{model.name} does not value this parcel: {row['reason']}.")
    low, middle, high = (float(row[name]) * size for name in ("p05", "p50", "p95"))
    if not (math.isfinite(high) and 0 < low <= middle <= high):
        return LearnedValue(model=model.name, reason=f"{model.name} gives no usable value of this parcel.")
    return LearnedValue(
        model=model.name,
        p05=low,
        p50=middle,
        p95=high,
        currency=model.currency,
        grade=grade_of(low, middle, high),
        reason=warning,
    )


def _size(model: ApprovedModel, table: pd.DataFrame) -> Floats:
    """What a price is multiplied by: 1, or the area of the outline in the unit that prices are of. Shape (parcel,)."""
    unit = PRICE_PER[model.price_per or "total"]
    return np.ones(len(table)) if unit is None else table["obs_area_m2"].to_numpy(np.float64) / unit


# ------------------------------------------------------------------------------------------------------- what is told


def _run_columns(ids: Sequence[str], judgements: Mapping[str, Judgement], parcels: gpd.GeoDataFrame) -> pd.DataFrame:
    """All columns of a run that a model might be told, index ``parcel_id``."""
    own = parcels.loc[list(ids)]
    seen = [{name: value for name, value in judgements[i].columns.items() if name.startswith(SEEN)} for i in ids]
    area = own["obs_area_m2"].astype(np.float64)
    observed = pd.DataFrame(seen, index=own.index).assign(obs_area_m2=area, obs_area_mu=area / MU_M2)
    given = own[[name for name in own if str(name).startswith("user_") or name == "asset_class"]]
    return pd.DataFrame(given).join(observed)


def source_of(feature: str, table: pd.DataFrame, named: Mapping[str, str]) -> str | None:
    """The column of a run that holds a feature; None: there is none.

    1. The one that the settings name. 2. The area is that of the outline, in the unit of the feature's name, never what
    is claimed; without a unit in the name there is none. 3. What the run observed, by its own name. 4. The file's own
    column.
    """
    if feature in named:
        column = named[feature]
        found = next((name for name in (column, f"user_{column}") if name in table), None)
        return found if found is not None and may_be_feature(found.removeprefix("user_")) else None
    is_area, unit_m2 = means_area(feature)
    if is_area:
        return None if unit_m2 is None else f"{_MEASURED}{unit_m2!r}"
    if not may_be_feature(feature.removeprefix("user_")):
        return None
    if (feature.startswith(SEEN) or feature == "asset_class") and feature in table:
        return feature
    own = feature if feature.startswith("user_") else f"user_{feature}"
    return own if own in table else None


_MEASURED = "outline/m2="


def _column(table: pd.DataFrame, source: str) -> pd.Series:
    if source.startswith(_MEASURED):
        return table["obs_area_m2"] / float(source.removeprefix(_MEASURED))
    return table[source]


def _places(model: ApprovedModel, table: pd.DataFrame, outlines: gpd.GeoSeries) -> Floats | None:
    """Places in the model's plane, shape (parcel, 2), of a point inside each outline; None: they cannot be told."""
    coords, plane = model.training["coords"], model.training["plane"]
    if coords is None:
        return np.full((len(table), 2), np.nan)
    if plane["degrees"]:
        inside = outlines.representative_point()
        return in_plane(np.column_stack([inside.x, inside.y]), plane)
    # A plane of the user's own: its coordinates stand in the file, or the parcels have none in it.
    names = [f"user_{name}" for name in (coords[::-1] if plane.get("swapped", False) else coords)]
    if any(name not in table for name in names):
        return None
    xy = np.column_stack([pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64) for name in names])
    return in_plane(xy, plane)


# -------------------------------------------------------------------------------------------------------- why, and what


Told = tuple[pd.DataFrame, Floats | None, Floats]


def _explained(
    model: ApprovedModel, own: Told, told: pd.DataFrame, size: Floats
) -> tuple[dict[str, pd.DataFrame], dict[str, tuple[str, ...]]]:
    """Parts that add up to the logarithm of each value, and its reasons."""
    features, xy, months = own
    found = contributions(model.model, features, xy, months)
    kinds = model.model.members.encoder.kinds
    places = [name for name in kinds if names_place(name)]
    codes = reasons(by_family(found, places))
    given = told.to_dict("index")
    parts: list[dict[str, Any]] = []
    words: list[dict[str, Any]] = []
    for n, i in enumerate(features.index):
        named = [(BASE, found.base, ""), (AREA, math.log(size[n]), f"{size[n]:.6g}")]
        named += [(name, float(found.parts[n, k]), _text(given[i].get(name))) for k, name in enumerate(found.names)]
        parts += [
            {"parcel_id": i, "model": model.name, "feature": name, "told": text, "part": part, "factor": math.exp(part)}
            for name, part, text in named
            if name != AREA or PRICE_PER[model.price_per or "total"] is not None
        ]
        words += [
            {"parcel_id": i, "rank": rank, "code": code, "en": words_of(code, "en"), "zh": words_of(code, "zh")}
            for rank, code in enumerate(codes[n], start=1)
        ]
    tables = {"learned_parts": pd.DataFrame(parts), "learned_reasons": pd.DataFrame(words)}
    return tables, dict(zip(map(str, features.index), codes, strict=True))


def _text(value: Any) -> str:
    if value is None or pd.isna(value):
        return ""
    return f"{value:.6g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _compared(model: ApprovedModel, own: Told) -> pd.DataFrame:
    """Sales before the day that are most like each parcel; prices are of what the model's are of."""
    if model.sold is None:
        return pd.DataFrame()
    features, xy, months = own
    found = comparables(model.model, model.sold, features, xy, months)
    if found.empty:
        return found
    ids = features.index.to_numpy(object)
    found.insert(0, "parcel_id", ids[found.pop("subject").to_numpy(np.int64)])
    found.insert(1, "model", model.name)
    found.insert(3, "date", [model.sold_dates.get(int(row)) for row in found["comparable_row_id"]])
    return found.assign(currency=model.currency, price_per=model.price_per)


__all__ = ["APPROACH", "LearnedValue", "LearnedValues", "source_of", "value_all"]
