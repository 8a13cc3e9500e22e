import numpy as np
import pandas as pd
import pytest
from market import sales

from geocollateral.errors import InvalidInput, MissingInput
from geocollateral.valuation.sales import moment_of, numbers_in, places_of, times_of, understand_sales


def days(values: list[object]) -> list[str]:
    found = times_of(pd.Series(values), "sold")[1]
    assert found is not None
    return [str(day) for day in found]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["2024-05-31", "2023-01-02"], ["2024-05-31", "2023-01-02"]),
        ([20240531, 20230102], ["2024-05-31", "2023-01-02"]),
        (["20240531T000000", "20230102T000000"], ["2024-05-31", "2023-01-02"]),
        (["31/05/2024", "2/1/2023"], ["2024-05-31", "2023-01-02"]),
        (["05/31/2024", "1/2/2023"], ["2024-05-31", "2023-01-02"]),
        (["2024年5月31日", "2023年1月2日"], ["2024-05-31", "2023-01-02"]),
        ([202405, 202301], ["2024-05-15", "2023-01-15"]),
        ([2024, 2023], ["2024-06-30", "2023-07-01"]),
    ],
)
def test_dates_as_tables_write_them(given: list[object], expected: list[str]) -> None:
    assert days(given) == expected


def test_dates_that_do_not_tell_day_from_month_are_asked_about() -> None:
    with pytest.raises(InvalidInput, match="do not tell which number is the month"):
        times_of(pd.Series(["01/02/2023", "03/04/2023"]), "sold")


def test_numbers_of_periods_are_times_without_days() -> None:
    months, found = times_of(pd.Series([1, 2, 44]), "period")
    assert found is None
    assert months.tolist() == [1, 2, 44]


def test_numbers_with_signs() -> None:
    assert numbers_in(pd.Series(["¥1,234,567", "12 000", "$5", "x", None]))[:3].tolist() == [1234567, 12000, 5]
    assert np.isnan(numbers_in(pd.Series(["x", None]))).all()


def test_money_copies_and_numbers_of_rows_are_no_features() -> None:
    table = sales(300).assign(
        row_id=range(300),
        list_price=1.0,
        nearly=lambda f: f["price"] * 1.0001,
        note=[f"a text {n}" for n in range(300)],
    )
    found = understand_sales(table, target="price", date="sold", coords=("lon_m", "lat_m"))
    roles = {use.name: use for use in found.columns}
    for name in ("loan_amount", "list_price", "nearly", "row_id", "note"):
        assert roles[name].role == "left out", name
        assert roles[name].reason
    assert list(found.features) == ["area_mu", "quality", "kind", "slope", "value"]


def test_a_date_after_the_sale_is_no_feature() -> None:
    table = sales(200)
    table["registered"] = table["sold"] + pd.Timedelta(days=30)
    table["built"] = table["sold"] - pd.Timedelta(days=3000)
    found = understand_sales(table, target="price", date="sold")
    roles = {use.name: use for use in found.columns}
    assert "after the sale" in roles["registered"].reason
    assert (found.features["built"] == 3000).all()


def test_codes_of_places_are_kinds() -> None:
    table = sales(200).assign(zipcode=lambda f: 98000 + f.index % 7)
    use = next(u for u in understand_sales(table, target="price").columns if u.name == "zipcode")
    assert (use.role, use.is_place) == ("category", True)


def test_degrees_become_metres_and_swapped_ones_are_refused() -> None:
    lon, lat = pd.Series([118.0, 118.01]), pd.Series([26.0, 26.0])
    xy = places_of(lon, lat, ("lon", "lat"))
    assert xy[1, 0] - xy[0, 0] == pytest.approx(1000, rel=0.01)
    with pytest.raises(InvalidInput, match="the other way round"):
        places_of(lat, lon, ("lat", "lon"))


def test_columns_that_are_not_there_and_too_few_prices() -> None:
    with pytest.raises(MissingInput, match="no column 'prise'"):
        understand_sales(sales(100), target="prise")
    with pytest.raises(InvalidInput, match="at least 60 positive prices"):
        understand_sales(sales(30), target="price")


def test_a_day_to_hold_out_from() -> None:
    table = understand_sales(sales(100), target="price", date="sold")
    assert moment_of("2022-01-01", table) < moment_of("2022-02-01", table)
    with pytest.raises(InvalidInput, match="Expected a date such as"):
        moment_of("soon", table)
