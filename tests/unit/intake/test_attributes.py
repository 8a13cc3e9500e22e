"""Headings and values of files become columns of the contract, and every step is told."""

from __future__ import annotations

from typing import Any

import pytest

from geocollateral.intake.attributes import map_attributes
from geocollateral.intake.contract import CONTRACT
from geocollateral.intake.features import Feature, Reading
from geocollateral.intake.headings import AREA, HEADINGS, UNITS, WORDS, understand


def mapped(
    *rows: dict[str, Any], textual: bool = True, form: str = "table"
) -> tuple[list[dict[str, object]], list[str], list[str]]:
    """Properties of each row, notes and faults."""
    features = tuple(Feature(number=n, geometry=None, properties=row) for n, row in enumerate(rows, start=1))
    found, notes, faults = map_attributes(Reading(format=form, features=features, textual=textual))
    return [dict(feature.properties) for feature in found], [f"{note.kind}: {note.message}" for note in notes], faults


@pytest.mark.parametrize(
    ("heading", "value", "column", "stored"),
    [
        ("地块编号", "甲-1", "parcel_id", "甲-1"),
        ("资产类别", "林地", "asset_class", "forestry"),
        ("面积(亩)", "12.5", "claim_area_mu", 12.5),
        ("面积（亩）", "1,200.5", "claim_area_mu", 1200.5),
        ("确权面积_公顷", "2", "claim_area_ha", 2.0),
        ("面积亩", "3", "claim_area_mu", 3.0),
        ("合同面积[平方米]", "２０００", "claim_area_m2", 2000.0),
        ("area (ha)", "2", "claim_area_ha", 2.0),
        ("Area_ha", "2", "claim_area_ha", 2.0),
        ("area/km²", "2", "claim_area_m2", 2e6),
        ("area (acres)", "1", "claim_area_m2", 4046.8564224),
        ("作物", "冬小麦", "claim_use", "冬小麦"),
        ("种植日期", "2024年5月1日", "claim_planted_on", "2024-05-01"),
        ("planted on", "2024/5/1", "claim_planted_on", "2024-05-01"),
        ("播种日期", "20240501", "claim_planted_on", "2024-05-01"),
        ("成活率(%)", "85", "claim_living_share_frac", 0.85),
        ("成活率", "85%", "claim_living_share_frac", 0.85),
        ("蓄积量(m³)", "120", "claim_volume_m3", 120.0),
        ("装机容量(万千瓦)", "5", "claim_capacity_mw", 50.0),
        ("装机容量(kW)", "500", "claim_capacity_mw", 0.5),
        ("风机数量", "12", "claim_turbine_count", 12),
        ("建设阶段", "主体施工", "claim_stage", "structure"),
        ("总建筑面积(万平方米)", "1.5", "claim_floor_area_m2", 15_000.0),
        ("贷款编号", "L-1", "loan_id", "L-1"),
        ("借款人", "张三", "loan_borrower_id", "张三"),
        ("币种", "人民币", "loan_currency", "CNY"),
        ("到期日", "2030-01-31", "loan_maturity", "2030-01-31"),
        ("放款日", "2024年5月1日", "loan_start", "2024-05-01"),
        ("起息日", "20240501", "loan_start", "2024-05-01"),
        ("抵押起始日", "2024/5/1", "loan_pledged_from", "2024-05-01"),
        ("抵押登记日期", "2024.5.1", "loan_pledged_from", "2024-05-01"),
        ("抵押到期日", "2034-05-01", "loan_pledged_to", "2034-05-01"),
        ("解押日期", "2034-05-01", "loan_pledged_to", "2034-05-01"),
        ("Parcel ID", "x", "parcel_id", "x"),
        ("CLAIM_AREA_MU", "2", "claim_area_mu", 2.0),
    ],
)
def test_headings_lead_to_their_column(heading: str, value: str, column: str, stored: object) -> None:
    (row,), notes, faults = mapped({heading: value})
    assert row == {column: pytest.approx(stored) if isinstance(stored, float) else stored}
    assert faults == []
    assert f"reading: column '{heading}' was read as {column}" in notes[0]


def test_amounts_in_yuan_bring_their_currency() -> None:
    rows, notes, _ = mapped({"贷款余额(万元)": "12.5"}, {"贷款余额(万元)": ""})
    assert rows == [{"loan_outstanding": 125_000.0, "loan_currency": "CNY"}, {"loan_outstanding": ""}]
    assert "its values times 10000 for the unit 万元" in notes[0]
    assert "taken as CNY" in notes[1]
    rows, _, _ = mapped({"贷款余额(万元)": "12.5", "loan_currency": "USD"})
    assert rows == [{"loan_outstanding": 125_000.0, "loan_currency": "USD"}]


@pytest.mark.parametrize(
    ("heading", "value", "stored"),
    [("贷款金额(万元)", "12.5", 125_000.0), ("放款金额（亿元）", "1.2", 1.2e8), ("借款金额_元", "1,200.5", 1200.5)],
)
def test_the_amount_of_a_loan(heading: str, value: str, stored: float) -> None:
    assert mapped({heading: value})[0] == [{"loan_amount": pytest.approx(stored), "loan_currency": "CNY"}]


def test_balance_and_amount_in_yuan_bring_one_currency() -> None:
    rows, notes, _ = mapped(
        {"贷款余额(万元)": "12.5", "贷款金额(亿元)": ""}, {"贷款余额(万元)": "", "贷款金额(亿元)": "1"}
    )
    assert [row.get("loan_currency") for row in rows] == ["CNY", "CNY"]
    assert "reading: amounts in 万元 and 亿元 were taken as CNY" in notes


def test_the_end_of_a_term_is_no_release() -> None:
    """Land whose term is over is not free: who states a term as the end of the pledge is told what that means."""
    assert "leave the column out" in mapped({"抵押到期日": "2030-01-01"})[1][-1]
    assert not any("leave the column out" in note for note in mapped({"解押日": "2030-01-01"})[1])


def test_the_contracts_own_name_goes_first_and_the_preferred_heading_next() -> None:
    rows, notes, _ = mapped({"claim_area_ha": "1", "面积(亩)": "15"})
    assert rows == [{"claim_area_ha": 1.0, "面积(亩)": "15"}]
    assert notes == ["reading: column '面积(亩)' was kept as yours, since 'claim_area_ha' says the same"]
    rows, notes, _ = mapped({"借款人": "张三", "客户号": "C1", "面积(亩)": "15", "确权面积(亩)": "14"})
    assert rows == [{"借款人": "张三", "loan_borrower_id": "C1", "面积(亩)": "15", "claim_area_mu": 14.0}]
    assert len(notes) == 4


@pytest.mark.parametrize("heading", ["面积", "area", "面积(顷)", "装机容量", "总建筑面积"])
def test_a_claim_without_a_known_unit_is_kept_with_a_warning(heading: str) -> None:
    rows, notes, _ = mapped({heading: "12"})
    assert rows == [{heading: "12"}]
    assert "Name its unit in brackets" in notes[0]
    assert notes[0].startswith("warning")


@pytest.mark.parametrize("heading", ["village", "Shape_Area", "name", "id", "备注", "class"])
def test_users_own_columns_stay(heading: str) -> None:
    assert mapped({heading: "12"}) == ([{heading: "12"}], [], [])


def test_geojson_keeps_text_as_text() -> None:
    rows, _, _ = mapped(
        {"面积(亩)": "12", "claim_planted_on": "2024/5/1", "asset_class": "林业"}, textual=False, form="geojson"
    )
    assert rows == [{"claim_area_mu": "12", "claim_planted_on": "2024/5/1", "asset_class": "forestry"}]


@pytest.mark.parametrize("value", ["12亩", "1,2", "about 12", "nan", "1_0", "12%"])
def test_what_is_no_number_is_left_for_the_contract_to_refuse(value: str) -> None:
    assert mapped({"claim_area_mu": value})[0] == [{"claim_area_mu": value}]


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("asset_clas", "asset_class"),
        ("loan_matur", "loan_maturity"),
        ("地块编", "parcel_id"),
        ("面积(亩", "claim_area_mu"),
    ],
)
def test_headings_that_shapefiles_cut(heading: str, column: str) -> None:
    rows, notes, faults = mapped({heading: "1"}, form="shapefile")
    assert list(rows[0]) == [column]
    assert len(notes) >= 1
    assert faults == []
    assert list(mapped({heading: "1"})[0][0]) == [heading]


@pytest.mark.parametrize(("heading", "part"), [("claim_area", "claim_area_m2"), ("贷款余额(", "its unit is lost")])
def test_headings_cut_too_short_are_faults(heading: str, part: str) -> None:
    _, _, faults = mapped({heading: 1}, form="shapefile")
    assert part in faults[0]


def test_many_conversions_are_counted() -> None:
    _, notes, _ = mapped(
        *({"claim_planted_on": f"2024/1/{n % 28 + 1}", "loan_maturity": f"20{n}/1/1"} for n in range(30, 99))
    )
    assert "more values were understood" in notes[-1]
    assert len(notes) < 60


def test_every_heading_leads_somewhere_and_names_are_clear() -> None:
    seen: set[str] = set()
    for heading in HEADINGS:
        assert heading.column == AREA or heading.column in CONTRACT
        for name in heading.names:
            assert name not in seen
            seen.add(name)
            found = understand(name)
            assert found is not None
            assert found.column == heading.column
    for units in UNITS.values():
        assert {column for column, _ in units.values()} <= set(CONTRACT)
    for column, values in WORDS.items():
        assert column == "loan_currency" or set(values) <= set(CONTRACT[column].choices)
