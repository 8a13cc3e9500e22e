"""Tables: WKT, numbered corners, one row per corner."""

from __future__ import annotations

import pytest

from geocollateral.errors import InvalidInput
from geocollateral.intake.formats.table import parse

RING = [[116.5, 39.5], [116.75, 39.5], [116.75, 39.75]]
WKT = "POLYGON ((116.5 39.5, 116.75 39.5, 116.75 39.75))"


@pytest.mark.parametrize(
    "text",
    [
        f'parcel_id,wkt\na,"{WKT}"\n',
        f"parcel_id;WKT\na;{WKT}\n",
        f"parcel_id\t几何\na\t{WKT}\n",
        f"parcel_id|the_geom\r\na|{WKT}\r\n\r\n",
        "parcel_id,lon1,lat1,lon2,lat2,lon3,lat3,lon4,lat4\na,116.5,39.5,116.75,39.5,116.75,39.75,,\n",
        "parcel_id,经度_1,纬度_1,经度_2,纬度_2,经度_3,纬度_3\na,116.5,39.5,116.75,39.5,116°45',39°45'\n",
        "parcel_id,经度,纬度\na,116.5,39.5\na,116.75,39.5\na,116.75,39.75\n",
        "parcel_id,点号,经度,纬度\na,J3,116.75,39.75\na,J1,116.5,39.5\na,J2,116.75,39.5\n",
        "\ufeffparcel_id,Longitude,Latitude\na,E116.5,N39.5\na,E116.75,39.5\na,116.75,39.75\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_one_triangle(text: str, encoding: str) -> None:
    content = text if encoding == "utf-8" else text.removeprefix("\ufeff")  # the mark is part of UTF-8 files only
    (feature,) = parse(content.encode(encoding), "a.csv").features
    assert feature.geometry == {"type": "Polygon", "coordinates": [RING]}
    assert feature.properties == {"parcel_id": "a"}


def test_multipolygons_holes_heights_and_srid() -> None:
    text = 'wkt,note\n"SRID=4490;MULTIPOLYGON Z (((1 2 9, 3 4 9), (5 6 9, 7 8 9)), ((1 1 9)))",x\n'
    reading = parse(text.encode(), "a.csv")
    assert reading.crs == "EPSG:4490"
    assert reading.features[0].geometry == {
        "type": "MultiPolygon",
        "coordinates": [[[[1.0, 2.0, 9.0], [3.0, 4.0, 9.0]], [[5.0, 6.0, 9.0], [7.0, 8.0, 9.0]]], [[[1.0, 1.0, 9.0]]]],
    }


def test_metres_are_handed_on() -> None:
    text = "parcel_id,东坐标,北坐标\na,39448000.5,4400000\n"
    assert parse(text.encode(), "a.csv").features[0].geometry["coordinates"] == [[[39448000.5, 4400000.0]]]  # type: ignore[index]


def test_parcels_by_corner_share_their_attributes() -> None:
    text = "地块编号,经度,纬度,作物\nb,1,2,\na,1,2,小麦\nb,3,4,玉米\na,3,4,小麦\n"
    reading = parse(text.encode(), "a.csv")
    assert [dict(f.properties) for f in reading.features] == [
        {"地块编号": "b", "作物": "玉米"},
        {"地块编号": "a", "作物": "小麦"},
    ]
    assert [f.place for f in reading.features] == ["lines 2 to 4", "lines 3 to 5"]
    assert "order of the rows" in str(reading.notes)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b\n1,2\n", ["expected a column of outlines", "the columns a, b"]),
        ("lon,lat\n1,2\n", ["parcel_id", "which corner belongs to which parcel"]),
        ("parcel_id,lon1,lat1,lon2\na,1,2,3\n", ["corner 2"]),
        ("parcel_id,wkt,geom\na,x,y\n", ["one column of outlines, got wkt, geom"]),
        ("parcel_id,,wkt\na,b,c\n", ["column 2 has no heading"]),
        ("parcel_id,wkt\n", ["no row below the headings"]),
        (f'parcel_id,wkt\na,"{WKT}",more\n', ["line 2", "expected 2 cells, got 3"]),
        ("parcel_id,wkt\na,POLYGON ((1 2\nb,nothing\n", ["2 faults", "line 2", "line 3"]),
        ('parcel_id,wkt\na,"POLYGON (1 2, 3 4)"\n', ["2 levels of brackets"]),
        ('parcel_id,wkt\na,"POLYGON ((1 2, nan 4))"\n', ["a position", "'nan 4'"]),
        ('parcel_id,wkt\na,"SRID=1;POLYGON ((1 2, 3 4))"\nb,"SRID=2;POLYGON ((1 2, 3 4))"\n', ["one SRID", "1, 2"]),
        ("parcel_id,lon,lat\na,1,x\n", ["line 2", "expected coordinates, got 'x'"]),
        ("parcel_id,lon,lat\na,N1,2\n", ["line 2", "expected lon, got 'N1'"]),
        ("parcel_id,lon,lat\n,1,2\n", ["line 2", "whose corner this is"]),
        ("parcel_id,点号,lon,lat\na,1,1,2\na,1,3,4\na,x y,3,4\n", ["line 3", "corner 1", "line 4", "'x y'"]),
        ("parcel_id,lon,lat,use\na,1,2,x\na,1,2,y\n", ["line 3", "use is 'y', but an earlier row", "'x'"]),
        ("parcel_id,lon1,lat1,lon2,lat2,lon3,lat3\na,1,2,,,3,4\n", ["line 2", "got ''"]),
    ],
)
def test_faults_name_their_lines(text: str, parts: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text.encode(), "a.csv")
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_other_geometries_are_left_for_the_check_of_geometries() -> None:
    assert parse(b"parcel_id,wkt\na,POINT (1 2)\n", "a.csv").features[0].geometry == {"type": "POINT"}


@pytest.mark.parametrize("cell", ["-3", "+86 138", "-", "@home", "a=b", "1-2", "-12.5%"])
def test_cells_that_only_look_like_formulas_are_kept(cell: str) -> None:
    reading = parse(f'parcel_id,note,wkt\na,{cell},"{WKT}"\n'.encode(), "a.csv")
    assert reading.features[0].properties["note"] == cell
