"""Text of corners of a land survey: sections, facts, corners; every fault by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from geocollateral.errors import InvalidInput
from geocollateral.intake import read_parcels
from geocollateral.intake.features import Reading
from geocollateral.intake.formats.coordinates import parse

HEAD = """[属性描述]
格式版本号=1.01版本
数据产生单位=某县自然资源局
数据产生日期=2024-5-10
坐标系=2000国家大地坐标系
几度分带=3
投影类型=高斯克吕格
计量单位=米
带号=39
精度=0.01
转换参数=,,,,,,
资产类别=林业
"""
PARCEL = """[地块坐标]
5,1,DK-1,东坡,面,H50G001001,林地,0301,@
J1,1,4406000.00,39500100.00
J2,1,4406100.00,39500100.00
J3,1,4406100.00,39500200.00
J4,1,4406000.00,39500200.00
J1,1,4406000.00,39500100.00
"""
TEXT = HEAD + PARCEL


def read(text: str) -> Reading:
    return parse(text.encode("gb18030"), "地块.txt")


def test_a_file_of_the_ministry() -> None:
    found = read(TEXT)
    (feature,) = found.features
    assert found.crs == "EPSG:4527"
    assert feature.geometry == {
        "type": "MultiPolygon",
        "coordinates": [[[[39500100 + x, 4406000 + y] for x, y in ((0, 0), (0, 100), (100, 100), (100, 0), (0, 0))]]],
    }
    assert feature.properties["地块编号"] == "DK-1"
    assert feature.properties["地块面积(公顷)"] == "1"
    assert feature.properties["资产类别"] == "林业"
    assert feature.place == "lines 14 to 19"


def test_through_the_bounded_process_without_a_stated_datum(tmp_path: Path) -> None:
    path = tmp_path / "地块.txt"
    path.write_bytes(TEXT.replace(",", "，").encode("gb18030"))
    aoi = read_parcels(path)
    row = aoi.parcels.loc["DK-1"]
    assert row["obs_area_m2"] == pytest.approx(10_000, rel=1e-5)
    assert row["claim_area_ha"] == 1.0
    assert row["asset_class"] == "forestry"
    assert row["claim_use"] == "林地"
    assert row.geometry.centroid.x == pytest.approx(117.0018, abs=1e-4)
    assert row.geometry.centroid.y == pytest.approx(39.78, abs=0.02)


@pytest.mark.parametrize(
    ("datum", "width", "zone", "code"),
    [
        ("2000国家大地坐标系", "3", "38", "EPSG:4526"),
        ("CGCS2000", "6", "20", "EPSG:4498"),
        ("80国家大地坐标系", "3度", "39带", "EPSG:2363"),
        ("西安80", "六度", "20", "EPSG:2334"),
        ("北京54坐标系", "3", "39", "EPSG:2415"),
        ("2000国家大地坐标系", "3", "", "EPSG:4490"),
    ],
)
def test_the_datum_and_zone_that_it_declares(datum: str, width: str, zone: str, code: str) -> None:
    text = (
        TEXT.replace("2000国家大地坐标系", datum).replace("分带=3", f"分带={width}").replace("带号=39", f"带号={zone}")
    )
    assert read(text).crs == code


def test_rings_inside_are_holes_and_rings_beside_are_parts() -> None:
    more = "".join(
        f"J{n},{ring},{4406000 + north},{39500100 + east}\n"
        for ring, (north, east, size) in ((2, (20, 20, 10)), (3, (0, 300, 50)))
        for n, (north, east) in enumerate([(north, east), (north + size, east), (north + size, east + size)])
    )
    found = read(TEXT.replace("5,1,DK-1", "11,0.01,DK-1") + more)
    assert [len(polygon) for polygon in found.features[0].geometry["coordinates"]] == [2, 1]  # type: ignore[index]


@pytest.mark.parametrize(("stated", "column"), [("1", "公顷"), ("10000", "平方米"), ("15", "亩"), ("1.5", "公顷")])
def test_the_unit_of_the_area_is_that_of_the_format_unless_another_one_fits(stated: str, column: str) -> None:
    assert read(TEXT.replace("5,1,DK", f"5,{stated},DK")).features[0].properties[f"地块面积({column})"] == stated


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("J3,1,4406100.00,39500200.00\n", "", "line 14: expected 5 corners, as it says, got 4"),
        ("J3,1,4406100.00", "J3,1,44O6100.00", "line 17: expected northing and easting in metres"),
        ("J3,1,", "J3,", "line 17: expected number, ring, northing and easting"),
        ("面", "线", "line 14: expected a parcel of kind 面"),
        ("2000国家大地坐标系", "地方坐标系", "line 5: expected 坐标系="),
        ("带号=39", "带号=99", "line 9: expected a zone of China"),
        ("分带=3", "分带=6", "line 9: 带号=39 is no zone of 6"),
        ("分带=3", "分带=1.5", "line 6: expected 几度分带=3 or 6"),
        ("计量单位=米", "计量单位=度", "line 8: expected 计量单位=米"),
        ("高斯克吕格", "兰伯特", "line 7: expected 投影类型=高斯"),
        ("资产类别=林业\n", "", "资产类别=林业"),
        ("5,1,DK-1,东坡,面,H50G001001,林地,0301,@\n", "", "line 14: expected the facts of a parcel"),
        ("精度=0.01", "精度0.01", "line 10: expected a line name=value"),
    ],
)
def test_faults_are_told_by_their_line(old: str, new: str, fault: str) -> None:
    assert old in TEXT
    with pytest.raises(InvalidInput, match="nothing of it was accepted") as caught:
        read(TEXT.replace(old, new))
    assert fault in str(caught.value)


def test_other_sections_and_parameters_are_told() -> None:
    found = read("[扩展信息]\n任意=1\n" + TEXT.replace("转换参数=,,,,,,", "转换参数=1.5,0,0,0,0,0,0"))
    told = " ".join(message for _, message in found.notes)
    assert "[扩展信息]" in told
    assert "转换参数" in told
