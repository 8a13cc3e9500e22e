"""The parcel contract: values, bounds, and that its page says the same."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from geocollateral.intake import COLUMNS, read_parcels
from geocollateral.intake.contract import CONTRACT, check_row, contract_table, parse_id
from geocollateral.types import ASSET_CLASSES, MU_M2

AOI = Path(__file__).parents[3] / "aoi"
OK = {"asset_class": "forestry"}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"asset_class": " Forestry "}, {"asset_class": "forestry"}),
        ({"claim_area_m2": 12}, {"claim_area_m2": 12.0}),
        ({"claim_area_mu": 3}, {"claim_area_mu": 3.0, "claim_area_m2": 2000.0}),
        ({"claim_area_ha": 0.5}, {"claim_area_ha": 0.5, "claim_area_m2": 5000.0}),
        ({"claim_living_share_frac": 0}, {"claim_living_share_frac": 0.0}),
        ({"claim_living_share_frac": None, "claim_use": "  "}, {}),
        ({"loan_outstanding": 0, "loan_currency": "cny"}, {"loan_outstanding": 0.0, "loan_currency": "CNY"}),
        ({"claim_use": " 杉木 "}, {"claim_use": "杉木"}),
        ({"claim_planted_on": "2020-01-02T00:00:00"}, {"claim_planted_on": dt.date(2020, 1, 2)}),
        ({"claim_planted_on": "2020-01-02 00:00:00.000Z"}, {"claim_planted_on": dt.date(2020, 1, 2)}),
    ],
)
def test_values_are_stored_in_their_type(given: dict[str, object], stored: dict[str, object]) -> None:
    row = check_row(OK | given)
    assert row.faults == ()
    assert dict(row.values) == OK | stored


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"asset_class": None}, ["expected asset_class", "agriculture", "got none"]),
        ({"asset_class": "gold"}, ["one of agriculture", "got 'gold'"]),
        ({"asset_class": 3}, ["expected asset_class: text", "got 3"]),
        ({"claim_area_mu": "12"}, ["claim_area_mu", "a number, not text", "got '12'"]),
        ({"claim_area_mu": True}, ["claim_area_mu", "a number", "got True"]),
        ({"claim_area_mu": 0}, ["> 0", "got 0"]),
        ({"claim_area_mu": float("inf")}, ["a number", "got inf"]),
        ({"claim_area_mu": 1, "claim_area_ha": 1}, ["at most one claimed area", "claim_area_mu, claim_area_ha"]),
        ({"claim_living_share_frac": 85}, [">= 0, <= 1", "a share, not a percentage", "got 85"]),
        ({"claim_turbine_count": 2.5}, ["a whole number", "got 2.5"]),
        ({"claim_planted_on": "2020/01/02"}, ["a date YYYY-MM-DD", "got '2020/01/02'"]),
        ({"claim_planted_on": "2020-02-30"}, ["a date YYYY-MM-DD", "got '2020-02-30'"]),
        ({"claim_planted_on": "2020-01-02T23:30:00"}, ["a date YYYY-MM-DD", "got '2020-01-02T23:30:00'"]),
        ({"claim_planted_on": 20200102}, ["a date YYYY-MM-DD", "got 20200102"]),
        ({"claim_stage": "nearly"}, ["one of planned", "got 'nearly'"]),
        ({"loan_currency": "RMB"}, ["ISO 4217", "got 'RMB'"]),
        ({"loan_outstanding": 5}, ["loan_currency beside loan_outstanding"]),
        ({"claim_aera_mu": 5}, ["'claim_aera_mu' is not in the parcel contract", "'claim_area_mu'"]),
        ({"loan_colour": "red"}, ["'loan_colour' is not in the parcel contract"]),
        ({"Asset_Class": "solar"}, ["'Asset_Class' is not in the parcel contract", "'asset_class'"]),
        ({"claim_use": "a\u202eb"}, ["printable", "claim_use"]),
        ({"claim_use": "x" * 201}, ["at most 200"]),
        ({"note": 1, "user_note": 2}, ["'user_note'", "rename"]),
        ({"note": float("nan")}, ["'note' to be finite"]),
    ],
)
def test_wrong_values_are_named(given: dict[str, object], parts: list[str]) -> None:
    faults = "\n".join(check_row(OK | given).faults)
    assert faults
    assert all(part in faults for part in parts), faults


def test_users_columns_are_kept_apart() -> None:
    row = check_row(OK | {"village": "x", "user_n": 2, "nested": {"a": [1]}, "obs_area_m2": 5})
    assert row.faults == ()
    assert row.extra == {"user_village": "x", "user_n": 2, "user_nested": '{"a": [1]}', "user_obs_area_m2": 5}


def test_claims_of_another_asset_class_are_noted() -> None:
    assert check_row(OK | {"claim_capacity_mw": 5}).warnings == (
        "claim_capacity_mw says nothing about the asset class 'forestry' and is not checked",
    )


@pytest.mark.parametrize(
    ("value", "parcel_id"), [("a", "a"), (" a ", "a"), (17, "17"), (None, None), ("", None), ("e\u0301", "é")]
)
def test_parcel_id(value: object, parcel_id: str | None) -> None:
    assert parse_id(value) == parcel_id


def test_every_column_says_its_type_meaning_and_classes() -> None:
    assert len(CONTRACT) == len(COLUMNS)
    for column in COLUMNS:
        assert column.meaning.endswith(".")
        assert set(column.classes) <= set(ASSET_CLASSES)
        assert column.name in ("parcel_id", "asset_class") or column.name.startswith(("claim_", "loan_"))
    assert CONTRACT["claim_area_mu"].high == pytest.approx(CONTRACT["claim_area_m2"].high / MU_M2)  # type: ignore[operator]


def test_page_shows_the_contract() -> None:
    page = (AOI / "README.md").read_text(encoding="utf-8")
    shown = page.split("<!-- contract: begin -->\n")[1].split("\n<!-- contract: end -->")[0]
    assert shown == contract_table(), "paste what contract_table() gives between the two marks of aoi/README.md"


@pytest.mark.parametrize("asset_class", ASSET_CLASSES)
def test_example_is_read_without_notes(asset_class: str) -> None:
    area = read_parcels(AOI / "examples" / f"{asset_class}.geojson", datum="wgs84")
    assert area.notes == ()
    assert set(area.parcels["asset_class"]) == {asset_class}
    assert (abs(area.parcels["claim_area_m2"] / area.parcels["obs_area_m2"] - 1) < 0.05).all()
    assert area.parcels.drop(columns="geometry").notna().any()["loan_outstanding"]


def test_every_example_has_its_asset_class() -> None:
    assert {path.stem for path in (AOI / "examples").iterdir()} == set(ASSET_CLASSES)
