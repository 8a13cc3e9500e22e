"""Pasted text: one parcel per block of lines."""

from __future__ import annotations

import pytest

from geocollateral.errors import InvalidInput
from geocollateral.intake.formats.coordinates import parse

TRIANGLE = [[116.5, 39.5], [116.75, 39.5], [116.75, 39.75]]


def rings(text: str) -> list[object]:
    return [feature.geometry["coordinates"][0] for feature in parse(text.encode(), "a.txt").features]  # type: ignore[index]


@pytest.mark.parametrize(
    "text",
    [
        "116.5 39.5\n116.75 39.5\n116.75 39.75\n",
        "116.5,39.5\r\n116.75,39.5\r\n116.75,39.75",
        "39.5 116.5\n39.5 116.75\n39.75 116.75\n",
        "lon lat\n116.5 39.5\n116.75 39.5\n116.75 39.75\n",
        "纬度，经度\n39.5，116.5\n39.5，116.75\n39.75，116.75\n",
        "J1 116.5 39.5\nJ2 116.75 39.5\nJ3 116.75 39.75\n",
        "1. 116.5 39.5\n2. 116.75 39.5\n3. 116.75 39.75\n",
        "1、116.5,39.5\n2、116.75,39.5\n3、116.75,39.75\n",
        "1 116.5 39.5\n2 116.75 39.5\n3 116.75 39.75\n",
        "点1：东经116度30分 北纬39度30分\n点2：东经116度45分 北纬39度30分\n点3：东经116度45分 北纬39度45分\n",
        "N39 30 E116 30\nN39 30 E116 45\nN39 45 E116 45\n",
        "东经116 30 北纬39 30\n东经116 45 北纬39 30\n东经116 45 北纬39 45\n",
        "lon116.5 lat39.5\nlon116.75 lat39.5\nlon116.75 lat39.75\n",
    ],
)
def test_corners_of_one_parcel(text: str) -> None:
    assert rings(text) == [TRIANGLE]


def test_metres_are_handed_on_where_the_order_is_said() -> None:
    """What they are measured in is for the datum to say."""
    assert rings("东坐标 北坐标\n39448000.5 4400000\n") == [[[39448000.5, 4400000.0]]]
    with pytest.raises(InvalidInput, match="not clear which"):
        rings("39448000.5 4400000\n")


def test_blocks_names_and_attributes() -> None:
    text = (
        "asset_class: forestry\n贷款编号：L-1\n\n地块 3\n116.5 39.5\n116.75 39.5\n116.75 39.75\n\n"
        "parcel_id: B\n作物=杉木\n116.5 39.5\n116.75 39.5\n116.75 39.75\nparcel_id: C\n116.5 39.5\n"
    )
    reading = parse(text.encode("gb18030"), "a.txt")
    first, second, third = reading.features
    assert first.identity == "地块 3"
    assert dict(first.properties) == {"asset_class": "forestry", "贷款编号": "L-1"}
    assert dict(second.properties) == {"asset_class": "forestry", "贷款编号": "L-1", "parcel_id": "B", "作物": "杉木"}
    assert third.properties["parcel_id"] == "C"
    assert [feature.place for feature in reading.features] == ["lines 4 to 7", "lines 9 to 13", "lines 14 to 15"]
    assert reading.textual
    assert "GB18030" in str(reading.notes)
    assert "taken for every parcel" in str(reading.notes)


def test_the_order_that_only_the_values_tell_is_noted() -> None:
    assert "latitude first" in str(parse(b"39.5 116.5\n39.5 116.75\n", "a.txt").notes)
    assert parse(b"116.5 39.5\n116.75 39.5\n", "a.txt").notes == ()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("10 20\n11 20\n11 21\n", ["line 1", "both could be either", "lon lat"]),
        ("116 20\n20 116\n", ["line 1 has longitude first and line 2 has latitude first"]),
        ("lat lon\n116 39\n", ["line 2", "latitude -90..90"]),
        ("116.5 39.5\nand so on 7\n", ["line 2", "expected coordinates", "'and so on 7'"]),
        ("116.5 39.5\nand so on\n", ["line 2", "expected a pair", "'and so on'"]),
        ("116.5 39.5 17\n", ["line 1"]),
        ("E116 39N\n", ["line 1", "in order"]),
        ("E116.5 E39.5\n", ["line 1", "a longitude and a latitude"]),
        ("116.5 39.5\n\nparcel_id: B\n", ["line 3", "a block without any"]),
        ("parcel_id: B\nparcel_id: C\n116.5 39.5\n", ["line 2", "given twice"]),
        ("parcel_id: B\n", ["no line with a pair"]),
        ("x" * 3000 + "1", ["line 1", "3,001 characters"]),
        ("116.5 39.5\n116.5 99.5\nfoo 1\n", ["2 faults", "line 2", "line 3"]),
    ],
)
def test_faults_name_their_lines(text: str, parts: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text.encode(), "a.txt")
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_a_table_in_a_text_file_is_read_as_one() -> None:
    reading = parse("地块编号\t经度\t纬度\na\t116.5\t39.5\n".encode("utf-16"), "a.txt")
    assert reading.format == "table"
    assert reading.features[0].properties == {"地块编号": "a"}
