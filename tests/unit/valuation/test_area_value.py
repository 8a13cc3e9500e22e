"""Unit values from a table, and the value of an area."""

import math

import pytest

from geocollateral.errors import InvalidInput
from geocollateral.valuation import UnitValue, parse_unit_values, value_of

HEAD = "asset_class,per,currency,p05,p50,p95,source,dated\n"
UNIT = UnitValue(asset_class="forestry", currency="CNY", p05=50, p50=100, p95=200, source="table", dated="2024")


def test_t18_values_per_hectare_and_per_mu() -> None:
    table = parse_unit_values(
        HEAD + "forestry,ha,cny,1,2,3,own,2024\nagriculture, mu ,CNY,1,2,3,own,2024\n", "values.csv"
    )
    assert (table["forestry"].p05, table["forestry"].p95, table["forestry"].currency) == (1, 3, "CNY")
    assert table["agriculture"].p50 == pytest.approx(30)  # 15 mu are a hectare


def test_a_byte_order_mark_is_passed_over() -> None:
    assert "forestry" in parse_unit_values("\ufeff" + HEAD + "forestry,ha,CNY,1,2,3,own,2024\n", "values.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing"),
        ("asset_class,per\nforestry,ha\n", "currency, p05, p50, p95, source, dated missing"),
        (HEAD, "no row"),
        (HEAD + "forest,ha,CNY,1,2,3,own,2024\n", "line 2: asset_class 'forest' is none of"),
        (HEAD + "forestry,acre,CNY,1,2,3,own,2024\n", "per must be 'ha' or 'mu', got 'acre'"),
        (HEAD + "forestry,ha,yuan,1,2,3,own,2024\n", "three letters"),
        (HEAD + "forestry,ha,CNY,one,2,3,own,2024\n", "p05 must be a number, got 'one'"),
        (HEAD + "forestry,ha,CNY,0,2,3,own,2024\n", "p05 must be positive"),
        (HEAD + "forestry,ha,CNY,1,nan,3,own,2024\n", "p50 must be positive"),
        (HEAD + "forestry,ha,CNY,1,2,inf,own,2024\n", "p95 must be positive"),
        (HEAD + "forestry,ha,CNY,3,2,1,own,2024\n", "p05 <= p50 <= p95"),
        (HEAD + "forestry,ha,CNY,1,2,3,,2024\n", "source and dated"),
        (HEAD + "forestry,ha,CNY,1,2,3\n", "source and dated"),
        (HEAD + 2 * "forestry,ha,CNY,1,2,3,own,2024\n", "line 3: asset class 'forestry' stands twice"),
    ],
)
def test_faulty_tables_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as found:
        parse_unit_values(text, "values.csv")
    assert "values.csv" in str(found.value)


def test_an_area_known_exactly() -> None:
    value = value_of((2, 2, 2), UNIT)
    assert (value.p05, value.p50, value.p95) == pytest.approx((100, 200, 400))
    assert (value.currency, value.grade) == ("CNY", "D")


def test_uncertainties_add_in_quadrature_of_their_logarithms() -> None:
    value = value_of((1, 2, 4), UNIT)
    spread = math.exp(math.sqrt(2) * math.log(2))
    assert (value.p05, value.p95) == pytest.approx((200 / spread, 200 * spread))


@pytest.mark.parametrize(
    ("width", "grade"), [(1.0, "A"), (1.16, "A"), (1.17, "B"), (1.33, "B"), (1.4, "C"), (1.55, "C"), (1.7, "D")]
)
def test_grade_follows_the_width_of_the_interval(width: float, grade: str) -> None:
    unit = UnitValue(**{**vars(UNIT), "p05": 100 / width, "p95": 100 * width})
    assert value_of((1, 1, 1), unit).grade == grade


@pytest.mark.parametrize("high", [0.0, 3.0])
def test_nothing_left_is_worth_nothing_up_to_the_high_area(high: float) -> None:
    value = value_of((0, 0, high), UNIT)
    assert (value.p05, value.p50, value.p95, value.grade) == (0, 0, high * 100, "D")
    barely = value_of((0, 1e-9, max(high, 1e-9)), UNIT)
    assert barely.p95 >= value.p95, "more area is never worth less"


def test_a_low_area_of_zero_has_a_floor() -> None:
    value = value_of((0, 1, 1), UNIT)
    assert 0 < value.p05 < 0.01 * value.p50
