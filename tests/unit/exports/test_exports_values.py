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


@pytest.mark.parametrize(("lang", "word"), [("en", "out of date"), ("zh", "已过期")])
def test_a_stale_figure_is_said(lang: str, word: str) -> None:
    told = tell_value([row("income", 100_000, leads=True, stale=True)], PARCEL, Words(lang))
    assert told is not None
    assert told.inputs[0].stale
    assert word in " ".join(told.says)


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
