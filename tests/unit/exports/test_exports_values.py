"""What the report tells of how a value is made."""

from __future__ import annotations

from typing import Any

import pytest

from geocollateral.exports.values_told import tell_value
from geocollateral.exports.wording import Words

PARCEL: dict[str, Any] = {"val_reason": None, "val_valuer_gap_frac": None}


def row(approach: str, middle: float, *, leads: bool, stale: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "approach": approach,
        "leads": leads,
        "value_p05": 0.8 * middle,
        "value_p50": middle,
        "value_p95": 1.3 * middle,
        "value_currency": "CNY",
        "value_grade": "B",
        "name": "price",
        "p05": 2.0,
        "p50": 2.5,
        "p95": 3.0,
        "unit": "per kg",
        "currency": "CNY",
        "source": "Bank, prices",
        "dated": "2024-03-01",
        "line": 4,
        "stale": stale,
        "variance_share": 0.4,
        **more,
    }


def test_the_other_approach_stands_beside_with_its_gap() -> None:
    told = tell_value([row("income", 100_000, leads=True), row("market", 80_000, leads=False)], PARCEL, Words("en"))
    assert told is not None
    lead, other = told.approaches
    assert (lead.leads, lead.gap, other.leads) == (True, "", False)
    assert other.gap.replace("\u00a0", " ") == "-20 %"
    assert [line.name for line in told.inputs] == ["Price"]  # of the leading approach only
    assert told.says == ()


def test_no_gap_between_two_currencies() -> None:
    other = row("market", 80_000, leads=False, value_currency="EUR")
    told = tell_value([row("income", 100_000, leads=True), other], PARCEL, Words("en"))
    assert told is not None
    assert told.approaches[1].gap == ""


@pytest.mark.parametrize(("lang", "said"), [("en", "Out of date by"), ("zh", "截至2024年3月1日已过期：价格。")])
def test_a_stale_figure_is_marked_and_said(lang: str, said: str) -> None:
    stale = PARCEL | {"val_reason": "Out of date by 2024-03-01: price."}
    told = tell_value([row("income", 100_000, leads=True, stale=True)], stale, Words(lang))
    assert told is not None
    assert told.inputs[0].stale
    assert said in " ".join(told.says)


@pytest.mark.parametrize(
    ("lang", "unit", "middle", "currency", "wanted"),
    [
        ("en", "per t", 2500.0, "CNY", "2,500 CNY/t"),
        ("zh", "per t", 2500.0, "CNY", "2,500 元/吨"),
        ("zh", "per ha", 6500.0, "EUR", "6,500 EUR/公顷"),
        ("zh", "t/ha/year", 6.0, "", "6 吨/公顷/年"),
        ("en", "share", 0.6, "", "60%"),
        ("en", "per year", 0.065, "", "6.5%/year"),
        ("zh", "times usual", 1.18, "", "118% 往年水平"),
        ("zh", "years", 10.0, "", "10 年"),
        ("en", "per horse", 3.0, "EUR", "3 EUR/horse"),
    ],
)
def test_units_are_told_in_the_language(lang: str, unit: str, middle: float, currency: str, wanted: str) -> None:
    one = row("income", 1e5, leads=True, p05=middle, p50=middle, p95=middle, unit=unit, currency=currency)
    told = tell_value([one], PARCEL, Words(lang))
    assert told is not None
    assert told.inputs[0].middle == wanted


def test_a_parcel_without_a_number_has_its_reason_in_chinese() -> None:
    reason = "The income approach lacks rows for agriculture dated by 2024-03-01: yield, price."
    told = tell_value([], PARCEL | {"val_reason": reason}, Words("zh"))
    assert told is not None
    assert told.approaches == ()
    assert told.says == ("收益法缺少农用地截至2024年3月1日的数据：单产、价格。",)


def test_the_valuers_value_is_held_beside_or_its_lack_is_said() -> None:
    rows = [row("income", 100_000, leads=True)]
    beside = tell_value(rows, PARCEL | {"val_valuer_gap_frac": 0.1, "user_valuer_value": 110_000.0}, Words("en"))
    assert beside is not None
    assert "+10" in beside.says[0]
    unknown = tell_value(rows, PARCEL | {"user_valuer_value": 110_000.0}, Words("en"))
    assert unknown is not None
    assert "not compared" in unknown.says[0]


def test_without_tables_of_the_bank_nothing_is_told() -> None:
    assert tell_value([], {}, Words("en")) is None
