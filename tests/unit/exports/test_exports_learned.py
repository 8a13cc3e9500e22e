"""What the report tells of a value learned from sales."""

from __future__ import annotations

import math
from typing import Any

import pytest

from geocollateral.exports.learned_told import LearnedRows, tell_learned
from geocollateral.exports.values_told import tell_value
from geocollateral.exports.wording import Words

PARCEL: dict[str, Any] = {
    "val_learned_p05": 80_000.0,
    "val_learned_p50": 100_000.0,
    "val_learned_p95": 130_000.0,
    "val_learned_currency": "CNY",
    "val_learned_grade": "B",
    "val_learned_model": "M1",
    "val_learned_reason": None,
    "val_approach": "learned",
}
MODEL: dict[str, Any] = {
    "model": "M1",
    "n_learned": 1598.0,
    "n_held_out": 402.0,
    "learned_first": "2020-01-01",
    "learned_last": "2021-07-28",
    "error_on_its_rows_frac": 0.0883,
    "best_baseline": "linear hedonic",
    "best_baseline_error_frac": 0.1062,
    "level_frac": 0.9,
    "coverage_frac": 0.907,
    "trainer": "Li Wei",
    "approvers": "Wang, Zhao",
}


def rows(per: str = "total", n: int = 3) -> LearnedRows:
    factors = [1.0 + 0.1 * k for k in range(1, n + 1)]
    base = 100_000.0 / math.prod(factors)
    parts = [{"feature": "(base)", "told": "", "part": math.log(base), "factor": base}]
    parts += [{"feature": f"f{k}", "told": str(k), "part": math.log(f), "factor": f} for k, f in enumerate(factors)]
    sale = {"date": "2021-05-17", "price": 59_000.0, "similarity": 0.64, "distance_m": 42.0, "adjusted_price": 98_000.0}
    return LearnedRows(
        model=MODEL,
        parts=parts,
        reasons=[{"en": "Its size raises the value.", "zh": "面积因素提高价值。"}],
        sales=[{**sale, "currency": "CNY", "price_per": per}],
    )


def test_its_error_stands_beside_that_of_the_best_baseline() -> None:
    told = tell_learned(PARCEL, rows(), Words("en"))
    assert told is not None
    text = " ".join(told.says).replace("\u00a0", " ")
    assert "On 402 sales that it did not learn from, its median error was 8.8 %" in text
    assert "best simple baseline (linear hedonic) was 10.6 %" in text
    assert "approved by Wang, Zhao" in text
    assert "Its size raises the value." in text
    assert told.total.endswith("100,000")


@pytest.mark.parametrize(("n", "lines"), [(3, 4), (6, 7), (9, 8)])
def test_the_factors_shown_multiply_to_the_middle(n: int, lines: int) -> None:
    told = tell_learned(PARCEL, rows(n=n), Words("en"))
    assert told is not None
    assert len(told.parts) == lines
    base = float(told.parts[0].factor.split()[-1].replace("CNY\u00a0", "").replace(",", "").split("\u00a0")[-1])
    factors = [float(part.factor.split("\u00a0")[1]) for part in told.parts[1:]]
    assert base * math.prod(factors) == pytest.approx(100_000, rel=0.01)


def test_chinese_is_chinese_but_for_names() -> None:
    told = tell_learned(PARCEL, rows("mu"), Words("zh"))
    assert told is not None
    assert told.says[0].startswith("模型M1由2020年1月1日至2021年7月28日的1,598宗成交学习得出")
    assert "（线性特征价格）" in told.says[0]
    assert told.price_head == "每亩成交价"
    assert told.sales[0].like == "相似度64%，42\u00a0m"


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "No value learned from sales. M1 does not value this parcel: slope: outside of what was sold."),
        ("zh", "没有由成交案例学习得出的价值。模型M1不对本地块估值：slope：超出成交范围。"),
    ],
)
def test_a_refusal_is_a_sentence_and_has_no_number(lang: str, said: str) -> None:
    reason = "M1 does not value this parcel: slope: outside of what was sold."
    nothing = dict.fromkeys(PARCEL) | {"val_learned_model": "M1", "val_learned_reason": reason}
    told = tell_learned(nothing, LearnedRows(model=MODEL), Words(lang))
    assert told is not None
    assert told.says == (said,)
    assert (told.parts, told.sales, told.total) == ((), (), "")


@pytest.mark.parametrize(("leads", "first"), [("learned", "Learned from sales"), ("income", "Income")])
def test_it_stands_in_the_table_of_approaches(leads: str, first: str) -> None:
    income = {
        "approach": "income",
        "leads": True,
        "value_p05": 70_000.0,
        "value_p50": 90_000.0,
        "value_p95": 99_000.0,
        "value_currency": "CNY",
        "value_grade": "B",
        **dict.fromkeys(("p05", "p50", "p95", "variance_share"), 1.0),
        "name": "price",
        "unit": "per t",
        "currency": "CNY",
        "source": "Bank",
        "dated": None,
        "stale": False,
    }
    parcel = PARCEL | {"val_approach": leads, "val_reason": None}
    told = tell_value([income], parcel, Words("en"), rows())
    assert told is not None
    assert [line.name for line in told.approaches if line.leads] == [first]
    assert told.approaches[0].name == first
    assert told.approaches[1].gap
    assert told.inputs_head == ("Income rests on" if leads == "learned" else "Rests on")


def test_without_a_model_nothing_is_told() -> None:
    assert tell_learned({}, LearnedRows(), Words("en")) is None
