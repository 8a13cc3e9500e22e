import numpy as np
import pandas as pd
import pytest
from market import sales

from geocollateral.errors import InvalidInput, MissingInput
from geocollateral.valuation.cells import numbers_in
from geocollateral.valuation.sale_dates import times_of
from geocollateral.valuation.sales import ColumnUse, moment_of, places_of, understand_sales


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
        ([45443, 44928], ["2024-05-31", "2023-01-02"]),
        ([1717113600, 1672617600], ["2024-05-31", "2023-01-02"]),
        (["01/05/2024", "01/02/2023"], ["2024-05-01", "2023-02-01"]),
        (["31/5/24", "2/1/99"], ["2024-05-31", "1999-01-02"]),
        (["5/31/24", "1/2/23"], ["2024-05-31", "2023-01-02"]),
        (["31.12.2020", "1.2.2021"], ["2020-12-31", "2021-02-01"]),
        (["Sep-16", "Jan-17"], ["2016-09-15", "2017-01-15"]),
        (["sold on", *["1090221", "0970803"] * 9], ["NaT", *["2020-02-21", "2008-08-03"] * 9]),
        (["109/02/21", "97年8月3日"], ["2020-02-21", "2008-08-03"]),
        ([960423, 981231], ["1996-04-23", "1998-12-31"]),
        ([200131, 200228], ["2020-01-31", "2020-02-28"]),
        ([2012.5, 2013.25], ["2012-07-01", "2013-04-02"]),
        ([45443.25, 44928.5], ["2024-05-31", "2023-01-02"]),
        (["2019年第1四半期", "2020年第4四半期"], ["2019-02-15", "2020-11-15"]),
        (["2019Q1", "Q4 2020"], ["2019-02-15", "2020-11-15"]),
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


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("35.5万", 355_000),
        ("1.2亿元", 120_000_000),
        ("￥3,500,000", 3_500_000),
        ("120㎡", 120),
        ("$350K", 350_000),
        ("0.5 亩", 0.5),
        ("2.5万", 25_000),
        ("3500萬", 35_000_000),
        ("104,569元/平", 104_569),
        ("$1.2M", 1_200_000),
        ("€ 1,5 Mio.", 1_500_000),
        ("12,34,567", 1_234_567),
        ("₹ 45 lakh", 4_500_000),
        ("约120平米", 120),
        ("2,000㎡以上", 2_000),
        ("12 m", 12),
        ("-", None),
        ("暂无数据", None),
        ("12 km", 12),
        ("98178A", None),
        ("3室2厅", None),
        ("unknown", None),
    ],
)
def test_numbers_with_units(cell: str, number: float | None) -> None:
    found = float(numbers_in(pd.Series([cell]))[0])
    assert np.isnan(found) if number is None else found == number


def test_decimal_commas_where_the_column_has_them() -> None:
    assert numbers_in(pd.Series(["1.234,56", "12,5", "3,25"])).tolist() == [1234.56, 12.5, 3.25]
    assert numbers_in(pd.Series(["1,234", "12.5"])).tolist() == [1234, 12.5]


def test_what_was_known_only_after_the_sale_is_found_whatever_it_is_called() -> None:
    rng = np.random.default_rng(0)
    table = sales(500).assign(
        a=lambda f: f["price"] / f["area_mu"],
        b=lambda f: f["price"] * np.exp(rng.normal(0, 0.03, 500)),
        c=lambda f: (f["sold"] + pd.Timedelta(days=20)).astype(str),
        d=lambda f: (f["sold"] + pd.Timedelta(days=30)).dt.strftime("%Y%m%d").astype(int),
        year_e=lambda f: f["sold"].dt.year + 2,
        year_built=lambda f: f["sold"].dt.year - rng.integers(3, 40, 500),
        surveyed=lambda f: (f["sold"] - pd.Timedelta(days=9)).dt.strftime("%Y/%m/%d"),
    )
    found = understand_sales(table.drop(columns="value"), target="Price ", date="SOLD")
    left = {use.name for use in found.columns if use.role == "left out"}
    assert {"a", "b", "c", "d", "year_e"} <= left
    assert not {"year_built", "surveyed", "area_mu", "quality"} & left
    assert (found.features["surveyed"] == 9).all()


def test_a_few_words_among_numbers_are_missing_numbers() -> None:
    table = sales(200).assign(depth=[("unknown" if n % 10 == 0 else n * 1.5) for n in range(200)])
    table["age"] = [(-999 if n % 7 == 0 else n % 50) for n in range(200)]
    found = understand_sales(table, target="price")
    assert np.isnan(found.features["depth"]).sum() == 20
    assert found.features["age"].min() == 0


def test_money_copies_and_numbers_of_rows_are_no_features() -> None:
    table = sales(300).assign(
        row_id=range(300),
        list_price=1.0,
        nearly=lambda f: f["price"] * 1.0001,
        note=[f"a text {n}" for n in range(300)],
    )
    found = understand_sales(table, target="price", date="sold", coords=("lon_m", "lat_m"))
    roles = {use.name: use for use in found.columns}
    for name in ("loan_amount", "list_price", "nearly", "row_id", "note", "value"):
        assert roles[name].role == "left out", name
        assert roles[name].reason
    assert list(found.features) == ["area_mu", "quality", "kind", "slope"]


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


def test_degrees_become_metres_and_swapped_ones_are_understood_by_their_names_or_refused() -> None:
    lon, lat = pd.Series([118.0, 118.01]), pd.Series([26.0, 26.0])
    xy = places_of(lon, lat, ("lon", "lat"))
    assert xy[1, 0] - xy[0, 0] == pytest.approx(1000, rel=0.01)
    with pytest.raises(InvalidInput, match="the other way round"):
        places_of(lat, lon, ("x", "y"))
    assert np.array_equal(places_of(lat, lon, ("lat", "lon")), xy)
    strange = places_of(pd.Series([118.0] * 60 + [0.0, 999.0]), pd.Series([26.0] * 60 + [0.0, 26.0]), ("lon", "lat"))
    assert np.isnan(strange[60:]).all()
    assert np.isfinite(strange[:60]).all()


def test_columns_that_are_not_there_and_too_few_prices() -> None:
    with pytest.raises(MissingInput, match="no column 'prise'"):
        understand_sales(sales(100), target="prise")
    with pytest.raises(InvalidInput, match="at least 60 positive prices"):
        understand_sales(sales(30), target="price")


def test_a_day_to_hold_out_from() -> None:
    table = understand_sales(sales(100), target="price", date="sold")
    assert moment_of("2022-01-01", table) < moment_of("2022-02-01", table)
    assert moment_of("2022", table) == moment_of("2022-01", table) == moment_of("20220101", table)
    with pytest.raises(InvalidInput, match="Expected a date such as"):
        moment_of("soon", table)


def column(name: str, **columns: object) -> ColumnUse:
    table = sales(400).drop(columns=["value", "loan_amount"]).assign(**columns)
    found = understand_sales(table, target="price", date="sold", coords=("lon_m", "lat_m"))
    return next(use for use in found.columns if use.name == name)


def test_counts_of_rows_are_no_features_whatever_their_name() -> None:
    rng = np.random.default_rng(0)
    assert column("rownames", rownames=range(1, 401)).reason == "it numbers the rows"
    assert column("lfd", lfd=rng.permutation(400)).reason == "it numbers the rows"
    assert column("rising", rising=np.cumsum(rng.integers(1, 9, 400))).reason == "it numbers the rows"
    assert column("rooms", rooms=rng.integers(1, 9, 400)).role == "number"


def test_the_time_of_sale_is_said_once() -> None:
    # As a feature the year of sale refuses every later sale as outside of what was sold.
    said = "it says the time of the sale again"
    sold = sales(400)["sold"]
    assert column("YearSold", YearSold=sold.dt.year).reason == said
    assert column("s2022", s2022=(sold.dt.year == 2022).astype(int)).reason == said
    assert column("contract", contract=sold.rank(method="dense").astype(int) * 7 + 100).reason == said
    assert column("period", period=sold.dt.to_period("Q").astype(str)).role == "left out"
    assert column("month", month=sold.dt.month).role == "number"


def test_what_is_known_only_with_the_price_is_no_feature() -> None:
    table = sales(400)
    rng = np.random.default_rng(1)
    asked = table["price"] * rng.uniform(1.0, 1.3, 400)
    assert "with ListPrice" in column("pct", ListPrice=asked, pct=100 * table["price"] / asked).reason
    assert "with ListPrice" in column("off", ListPrice=asked, off=asked - table["price"]).reason
    per = (table["price"] / table["area_mu"]).round(2)
    assert "times area_mu" in column("CostPerMu", CostPerMu=per).reason
    assert column("area_mu", CostPerMu=per).role == "number"
    opinion = table["price"] * np.exp(rng.normal(0, 0.2, 400))
    assert column("avalue", avalue=opinion).reason == "by its name and scale an opinion of value"
    assert column("ndvi_value", ndvi_value=rng.uniform(0, 1, 400)).role == "number"


def test_a_deed_for_one_dollar_has_no_price() -> None:
    table = sales(300)
    table.loc[:19, "price"] = 1.0
    found = understand_sales(table, target="price")
    assert found.n_nominal == 20
    assert not found.usable[:20].any()


def test_dashes_among_numbers_are_missing_numbers() -> None:
    table = sales(300).assign(land=["-" if n % 3 else f" {1000 + n:,} " for n in range(300)])
    found = understand_sales(table, target="price").features["land"]
    assert np.isfinite(found).sum() == 100
    assert found[3] == 1003


def test_mostly_whole_numbers_with_a_few_decimal_commas() -> None:
    assert numbers_in(pd.Series(["85", "90", "61,5", "102"] * 5))[2] == 61.5
    assert numbers_in(pd.Series(["13,404954", "13,5"]))[0] == 13.404954
    assert numbers_in(pd.Series(["1.250.000", "350.000"])).tolist() == [1_250_000, 350_000]
    assert numbers_in(pd.Series(["1,250", "3,500"])).tolist() == [1_250, 3_500]
