"""What of a valuer's value is held against ours."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from geocollateral import value_columns
from geocollateral.valuation import ParcelValue
from geocollateral.valuation.approaches import ApproachValue

LEAD = ApproachValue(approach="income", p05=80.0, p50=100.0, p95=130.0, currency="CNY", grade="B", inputs=())


@pytest.mark.parametrize(
    ("given", "gap"),
    [
        ({"user_valuer_value": 90.0, "user_valuer_currency": "CNY"}, -0.1),
        ({"user_valuer_value": 90.0, "user_valuer_currency": " cny"}, -0.1),
        ({"user_valuer_value": 90.0, "user_valuer_currency": "EUR"}, None),
        ({"user_valuer_value": 90.0}, None),
        ({"user_valuer_value": float("nan"), "user_valuer_currency": "CNY"}, None),
        ({"user_valuer_value": "ninety", "user_valuer_currency": "CNY"}, None),
        ({}, None),
    ],
)
def test_the_gap_needs_a_number_and_the_same_currency(given: dict[str, Any], gap: float | None) -> None:
    columns = value_columns.columns_of(ParcelValue(parcel_id="a", lead=LEAD, beside=(), reason=""))
    assert columns["val_p50"] == 100.0
    held = value_columns.held_against(columns, given)
    assert held == {"val_valuer_gap_frac": None if gap is None else pytest.approx(gap)}


def test_without_a_lead_there_is_a_reason_and_no_number() -> None:
    columns = value_columns.columns_of(ParcelValue(parcel_id="a", lead=None, beside=(), reason="Why."))
    assert columns.pop("val_reason") == "Why."
    assert set(columns.values()) == {None}


@pytest.mark.parametrize(
    ("emerged", "harvested", "vigour"),
    [
        (dt.date(2025, 1, 1), dt.date(2025, 5, 1), 0.4),
        (dt.date(2025, 6, 9), dt.date(2025, 5, 15), None),  # the latest crop still stands
        (dt.date(2025, 6, 9), None, None),
    ],
)
def test_a_crop_that_stands_tells_no_harvest(emerged: dt.date, harvested: dt.date | None, vigour: float | None) -> None:
    columns = {"obs_vigour_own_frac": 0.4, "obs_last_emergence": emerged, "obs_last_harvest": harvested}
    assert value_columns._vigour(columns) == vigour
