"""Which approved model values a parcel, why one does not, and what it is told."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from market import sales

from geocollateral.approved_models import ModelsInUse, why_not
from geocollateral.errors import InvalidInput
from geocollateral.exports.sentences import lacking
from geocollateral.intake.attributes import means_area
from geocollateral.learned_values import source_of
from geocollateral.model_governance import ApprovedModel
from geocollateral.store import ModelEntry, ModelEvent, ModelRow
from geocollateral.valuation.later_sales import features_by_cell, later_sales, plane_of
from geocollateral.valuation.model_seal import ModelParams, statement_of
from geocollateral.valuation.sales import places_of

DAY = dt.date(2023, 6, 1)
BASELINE = {
    "study": {"mdape": 0.12, "cod": {"value": 15.0}},
    "model_on_the_same_rows": {"mdape": 0.08, "cod": 10.0},
    "beaten": True,
}
STUDY: dict[str, Any] = {"study": {"mdape": 0.08}, "baselines": {"linear hedonic": BASELINE}, "interval": {}}
ENTRY = ModelEntry(key="k", asset_class="forestry", currency="CNY", trainer="Li", folder="f", manifest="{}", seal="{}")


def event(number: int, action: str, **facts: Any) -> ModelEvent:
    said = {"model": "k", "person": "A", "role": "r", "reason": "b", "at": dt.datetime(2023, 1, number, tzinfo=dt.UTC)}
    return ModelEvent(
        number=number,
        action=action,
        facts=facts,
        public_key=None,
        signature=None,
        sha256="s",
        **said,  # type: ignore[arg-type]
    )


def model(*events: ModelEvent, currency: str = "CNY", **changes: Any) -> ApprovedModel:
    given: dict[str, Any] = {
        "name": "M1",
        "key": "k",
        "sha256": "s",
        "asset_class": "forestry",
        "currency": currency,
        "price_per": "total",
        "model": SimpleNamespace(correction=None),
        "training": {"window": {"first": "2021-01-01", "last": "2022-12-31"}},
        "study": STUDY,
        "sold": None,
        "sold_dates": {},
        "row": ModelRow(model_id=1, entry=ENTRY, recorded_at=dt.datetime(2023, 1, 1, tzinfo=dt.UTC), events=events),
    }
    return ApprovedModel(**{**given, **changes})


def window(last: Any) -> dict[str, Any]:
    return {"training": {"window": {"first": None, "last": last}}}


def backtested(value: float, low: float, high: float, drift: dict[str, list[str]] | None = None) -> ModelEvent:
    return event(2, "backtest", total={"bias": {"value": value, "low": low, "high": high}}, drift=drift or {})


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (model(), None),
        (model(price_per=None), "M1 does not say what its prices are of"),
        (model(model=SimpleNamespace(correction="region")), "M1 only corrects values"),
        (model(**window(None)), "trained without days of sale"),
        (model(**window(36.0)), "trained without days of sale"),
        (model(**window("2023-06-02")), "later than 2023-06-01"),
        (model(**window("2023-06-01")), None),
        (model(**window("2021-05-31")), "731 days before 2023-06-01; 730 days are allowed"),
        (model(study={**STUDY, "baselines": {}}), "not held against a baseline"),
        (
            model(study={**STUDY, "baselines": {"nearest sales": {**BASELINE, "beaten": False}}}),
            "does not beat a baseline on held-out sales (nearest sales): median error 8.0% against 12.0%, COD 10.0",
        ),
        (model(backtested(0.0, -0.02, 0.02)), None),
        (model(backtested(-0.15, -0.2, -0.09)), None),
        (model(backtested(-0.15, -0.2, -0.11)), "values too low by 15.0% at the median; 10% are allowed"),
        (model(backtested(0.15, 0.11, 0.2)), "values too high by 15.0%"),
        (model(backtested(0.0, 0.0, 0.0, {"2023-03": ["error: market"]})), "sales of 2023-03 depart"),
        (model(backtested(0.0, 0.0, 0.0, {"2023-03": ["x"]}), backtested(0.0, 0.0, 0.0)), None),
    ],
)
def test_an_approved_model_is_asked_anew_whether_it_may(own: ApprovedModel, reason: str | None) -> None:
    said = why_not(own, DAY, ModelParams())
    assert said is None if reason is None else reason in str(said)
    assert said is None or lacking(said) == []


def test_the_class_and_the_currency_of_the_loan_choose() -> None:
    yuan, euro = model(), model(currency="EUR")
    both = ModelsInUse(models=(yuan, euro), asked="auto")
    assert both.choose("forestry", "EUR") is euro
    assert ModelsInUse(models=(yuan,), asked="auto").choose("forestry", None) is yuan
    named = ModelsInUse(models=(yuan,), asked="M1")
    refusals = [
        both.choose("forestry", None),
        both.choose("forestry", "USD"),
        both.choose("solar", None),
        named.choose("solar", "CNY"),
    ]
    assert all(isinstance(said, str) and lacking(said) == [] for said in refusals)


def test_what_a_model_is_told_is_never_a_claim_a_loan_or_a_price() -> None:
    columns = ["obs_area_m2", "obs_area_mu", "obs_use", "user_kind", "user_area_mu", "user_price", "user_area"]
    table = pd.DataFrame([[600.0] * len(columns)], columns=columns)
    found = {name: source_of(name, table, {"species": "obs_use"}) for name in ("kind", "obs_use", "species", "slope")}
    assert found == {"kind": "user_kind", "obs_use": "obs_use", "species": "obs_use", "slope": None}
    assert source_of("price", table, {}) is None
    assert source_of("area", table, {}) is None  # of which unit?
    assert "outline" in str(source_of("area_mu", table, {}))
    for column in ("claim_area_mu", "loan_amount", "val_p50", "price", "user_price", "valuer_value"):
        with pytest.raises(ValueError, match="is of claims"):
            ModelParams(columns={"kind": column})


@pytest.mark.parametrize(
    ("heading", "wanted"),
    [
        ("area_mu", (True, 2000 / 3)),
        ("面积(公顷)", (True, 1e4)),
        ("claim_area_ha", (True, 1e4)),
        ("area", (True, None)),
        ("living_area_m2", (False, None)),
        ("kind", (False, None)),
    ],
)
def test_headings_of_area(heading: str, wanted: tuple[bool, float | None]) -> None:
    is_area, unit = means_area(heading)
    assert is_area == wanted[0]
    assert unit == (None if wanted[1] is None else pytest.approx(wanted[1]))


@pytest.mark.parametrize("target", ["price_per_mu", "元/亩", "成交单价", "unit price"])
def test_prices_of_a_unit_of_area_are_not_taken_for_those_of_the_whole(target: str) -> None:
    manifest = {"training": {"target": target, "features": [], "window": {}}}
    who = {"asset_class": "forestry", "currency": "CNY", "trainer": "Li"}
    with pytest.raises(InvalidInput, match="--price-per"):
        statement_of(manifest, **who)
    assert statement_of(manifest, **who, price_per="mu")["price_per"] == "mu"
    with pytest.raises(InvalidInput, match="acre"):
        statement_of(manifest, **who, price_per="acre")


def test_latitude_first_and_missing_coordinates_keep_the_plane_of_training() -> None:
    table = sales(300)
    table["lon"] = 15 + table["lon_m"] / 111_320 / np.cos(np.radians(45))
    table["lat"] = 45 + table["lat_m"] / 110_574
    table.loc[3, ["lon", "lat"]] = 0.0
    for coords in (("lon", "lat"), ("lat", "lon")):
        training = {
            "target": "price",
            "date": "sold",
            "coords": list(coords),
            "plane": plane_of(table, coords),
            "features": [],
            "window": {"last": "2020-12-31"},
        }
        told = later_sales(table, training).xy
        meant = places_of(table[coords[0]], table[coords[1]], coords)
        there = np.isfinite(meant).all(axis=1)
        assert told is not None
        assert np.array_equal(told[there], meant[there])


def test_a_cell_is_read_by_itself() -> None:
    recipes = [{"name": "size", "as": "number"}, {"name": "kind", "as": "kind"}]
    rows = pd.DataFrame({"size": ["1,5", "2500", None], "kind": [" paddy ", None, "field"]})
    days = np.full(3, np.datetime64("2023-06-01"))
    whole = features_by_cell(rows, recipes, days)
    for n in range(3):
        alone = features_by_cell(rows.iloc[[n]], recipes, days[:1])
        pd.testing.assert_frame_equal(alone, whole.iloc[[n]])
    assert whole["kind"].tolist() == ["paddy", None, "field"]
