import pytest

from geocollateral.errors import InvalidInput
from geocollateral.valuation.csv_tables import table_from_csv

ROWS = "1,250000,85.5\n2,310000,92\n3,180000,61.25\n"


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_separators_are_told_from_the_lines(mark: str) -> None:
    text = ("id,price,area\n" + ROWS).replace(",", mark)
    table = table_from_csv(text.encode())
    assert list(table.columns) == ["id", "price", "area"]
    assert table["area"].tolist() == [85.5, 92, 61.25]


def test_titles_above_the_headings_are_no_headings() -> None:
    text = "Rolling sales file,,\nAs of 1 May 2017,,\n,,\nid,price,area\n" + ROWS
    assert list(table_from_csv(text.encode()).columns) == ["id", "price", "area"]


def test_a_table_with_few_cells_filled_keeps_its_headings() -> None:
    text = "id,price,area,note\n" + "".join(f"{n},{n}000,,\n" for n in range(1, 30))
    assert list(table_from_csv(text.encode()).columns) == ["id", "price", "area", "note"]


def test_decimal_commas_hold_for_the_whole_file() -> None:
    # 350.000 is no 350 where 85,5 is no thousand: pandas alone would read the price a thousandth of what it is.
    text = "id;Kaufpreis;Fläche;Datum;PLZ\n1;350.000;85,5;31.12.2020;01067\n2;1.250.000;120;01.02.2021;04103\n"
    table = table_from_csv(text.encode())
    assert table["Kaufpreis"].tolist() == [350_000, 1_250_000]
    assert table["Fläche"].tolist() == [85.5, 120]
    assert table["Datum"].tolist() == ["31.12.2020", "01.02.2021"]
    assert table["PLZ"].tolist() == ["01067", "04103"]


def test_points_before_decimals_stay_points_in_a_file_with_semicolons() -> None:
    table = table_from_csv(b"id;price;lat\n1;350.5;52.520008\n2;125.25;52.1\n")
    assert table["price"].tolist() == [350.5, 125.25]


@pytest.mark.parametrize(
    ("encoding", "heading"),
    [("gbk", "总价"), ("gb18030", "面积（㎡）"), ("cp1252", "Größe"), ("utf-8-sig", "总价"), ("utf-16", "总价")],
)
def test_encodings(encoding: str, heading: str) -> None:
    text = (
        f"id,{heading},note\n1,250000,Straße\n2,310000,é\n" if encoding == "cp1252" else f"id,{heading},区\n1,2,朝阳\n"
    )
    assert list(table_from_csv(text.encode(encoding)).columns)[1] == heading


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidInput, match="expected UTF-8"):
        table_from_csv(b"id,price\n1,\xff\xff\x81\x8d\n" * 3)
